//! `File`: a line a record, in a file that other programs may move away at any time.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use rustix::fs::OFlags;

use super::SendError;
use super::format::Line;
use super::sink::{Fate, Sink, all_taken};

/// Writes a line a record.
pub(super) struct File {
    open: Arc<Mutex<Open>>,
}

struct Open {
    path: PathBuf,
    file: Option<fs::File>,
}

impl File {
    pub(super) fn new(path: &Path) -> Self {
        Self { open: Arc::new(Mutex::new(Open { path: path.to_owned(), file: None })) }
    }
}

impl Sink for File {
    fn send<'a>(&'a self, lines: &'a [Line]) -> BoxFuture<'a, Result<Vec<Fate>, SendError>> {
        Box::pin(async move {
            let text: String = lines.iter().flat_map(|line| [line.text.as_str(), "\n"]).collect();
            let open = Arc::clone(&self.open);
            // One after the other: a write that was given up on may still be under way.
            let write = move || open.lock().unwrap_or_else(PoisonError::into_inner).append(text.as_bytes());
            let written = tokio::task::spawn_blocking(write).await.map_err(io::Error::other).flatten();
            written.map_err(|error| SendError::Broken(error.into()))?;
            Ok(all_taken(lines))
        })
    }
}

impl Open {
    /// On the disk when it returns.
    fn append(&mut self, text: &[u8]) -> io::Result<()> {
        let mut file = match self.file.take().filter(|file| self.is_there(file)) {
            Some(file) => file,
            None => made(&self.path)?,
        };
        // What fails half way is opened again, and its torn line ended.
        file.write_all(text)?;
        file.sync_data()?;
        self.file = Some(file);
        Ok(())
    }

    /// Whether the path still leads to what was opened: after a rotation another file is to be made.
    fn is_there(&self, file: &fs::File) -> bool {
        let identity = |found: fs::Metadata| (found.dev(), found.ino());
        matches!((fs::metadata(&self.path).map(identity), file.metadata().map(identity)), (Ok(path), Ok(ours)) if path == ours)
    }
}

/// Opens or makes it, for its owner alone, and ends a line that a crash or a full disk has torn.
fn made(path: &Path) -> io::Result<fs::File> {
    // NONBLOCK: a pipe without a reader would be waited for without end.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
    let mut file =
        OpenOptions::new().read(true).append(true).create(true).mode(0o600).custom_flags(flags).open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    if found.len() > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_made_for_its_owner_and_made_again_when_it_was_moved_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let mut open = Open { path: path.clone(), file: None };
        open.append(b"1\n").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::rename(&path, folder.path().join("audit.jsonl.1")).unwrap();
        open.append(b"2\n").unwrap();
        open.append(b"3\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "2\n3\n");
        assert_eq!(fs::read_to_string(folder.path().join("audit.jsonl.1")).unwrap(), "1\n");
        fs::remove_file(&path).unwrap();
        open.append(b"4\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "4\n");
    }

    #[test]
    fn a_torn_line_is_ended_before_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        fs::write(&path, "{\"seq\":1}\n{\"se").unwrap();
        Open { path: path.clone(), file: None }.append(b"{\"seq\":2}\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"seq\":1}\n{\"se\n{\"seq\":2}\n");
    }

    #[test]
    fn only_a_regular_file_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut open = Open { path: folder.path().to_owned(), file: None };
        assert!(open.append(b"1\n").is_err());
        let mut open = Open { path: "/dev/null".into(), file: None };
        assert!(open.append(b"1\n").unwrap_err().to_string().contains("no regular file"));
    }
}
