//! `Told`: which subjects a channel has taken, kept on disk so that nobody is told twice after a restart.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::kept;

/// Which subjects a channel has taken, by id.
pub(super) struct Told {
    file: PathBuf,
    ids: BTreeSet<String>,
}

impl Told {
    /// What is kept of this channel in a folder. What makes no sense is nobody's id: to tell twice is better than never.
    ///
    /// # Errors
    /// If the folder cannot be made, or the file not be read.
    pub(super) fn open(folder: &Path, channel: &str) -> io::Result<Self> {
        kept::folder(folder)?;
        let file = folder.join(channel);
        let bytes = kept::read(&file)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Self { file, ids: text.lines().map(str::to_owned).collect() })
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    /// Keeps that this was taken, and forgets what is not current any more.
    ///
    /// # Errors
    /// If it cannot be written: then it is known until the gateway stops.
    pub(super) async fn insert(&mut self, id: String, current: &BTreeSet<String>) -> io::Result<()> {
        self.ids.retain(|known| current.contains(known));
        self.ids.insert(id);
        let text: String = self.ids.iter().flat_map(|id| [id, "\n"]).collect();
        let file = self.file.clone();
        tokio::task::spawn_blocking(move || kept::replace(&file, text.as_bytes())).await.map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn current(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    #[tokio::test]
    async fn what_was_told_is_known_after_a_restart_as_long_as_it_is_current() {
        let folder = tempfile::tempdir().unwrap();
        let mut told = Told::open(folder.path(), "pager").unwrap();
        told.insert("hold-a".into(), &current(&["hold-a", "hold-b"])).await.unwrap();
        told.insert("hold-b".into(), &current(&["hold-a", "hold-b"])).await.unwrap();
        let mut told = Told::open(folder.path(), "pager").unwrap();
        assert!(told.contains("hold-a") && told.contains("hold-b") && !told.contains("hold-c"));
        assert!(!Told::open(folder.path(), "other").unwrap().contains("hold-a"));
        told.insert("hold-c".into(), &current(&["hold-b", "hold-c"])).await.unwrap();
        assert!(!Told::open(folder.path(), "pager").unwrap().contains("hold-a"));
    }

    #[tokio::test]
    async fn what_makes_no_sense_is_passed_over_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pager");
        fs::write(&file, b"hold-a\n\xff\0\n\nhold-").unwrap();
        let mut told = Told::open(folder.path(), "pager").unwrap();
        assert!(told.contains("hold-a") && !told.contains("hold-b"));
        told.insert("hold-b".into(), &current(&["hold-a", "hold-b"])).await.unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "hold-a\nhold-b\n");
    }
}
