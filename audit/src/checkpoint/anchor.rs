//! `Anchor`: the newest checkpoint outside the database, by which an older database is known.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::log::files::private;
use crate::note::Note;

/// Its file's name in the state folder.
const FILE: &str = "checkpoint";

/// The file of the newest checkpoint that witnesses have signed.
pub(crate) const COSIGNED: &str = "checkpoint.cosigned";

/// Where the newest checkpoint is kept.
#[derive(Clone, Debug)]
pub(crate) struct Anchor {
    path: PathBuf,
}

impl Anchor {
    /// In this file, or in the state folder.
    pub(crate) fn new(state: &Path, path: Option<&Path>) -> Self {
        Self { path: path.map_or_else(|| state.join(FILE), Path::to_owned) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What it says; `None` if there is no file.
    pub(crate) fn read(&self) -> io::Result<Option<String>> {
        match fs::read_to_string(&self.path) {
            Ok(note) => Ok(Some(note)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces it, on the disk when this returns: records go for good because it is there.
    pub(crate) fn write(&self, note: &Note) -> io::Result<()> {
        replace(&self.path, note.to_string().as_bytes())?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::File::open(folder)?.sync_all()
    }
}

/// Puts a file in place whole: synced before it is renamed, so that a crash leaves the old one or the new one. Which of them,
/// only whoever syncs the folder knows.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = path.with_file_name(name);
    let mut file = private(&fresh)?;
    file.set_len(0)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&fresh, path)
}
