//! One file, replaced whole or not at all, and written by one process.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::key::FileError;

/// Keeps other processes from writing the file while it lives.
pub(super) struct Lock(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File);

impl Lock {
    /// The lock lies beside the file: the file itself is replaced.
    pub(super) fn take(path: &Path) -> Result<Self, FileError> {
        let beside = beside(path, ".lock");
        let fault = |source| FileError::Io { path: beside.clone(), source };
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&beside).map_err(fault)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(FileError::Locked(path.to_owned())),
            Err(error) => Err(fault(error.into())),
        }
    }
}

/// The bytes of a file that nobody else may read; `None` where there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    let fault = |source| FileError::Io { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault(error)),
    };
    let metadata = file.metadata().map_err(fault)?;
    if metadata.is_file() && metadata.mode() & 0o077 != 0 {
        return Err(FileError::Exposed(path.to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes).map_err(fault)?;
    Ok(Some(bytes))
}

/// Written under another name, synced, renamed, and the folder synced: a crash leaves the old file or the new one.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let fresh = beside(path, ".new");
    let written = write(&fresh, bytes).and_then(|()| fs::rename(&fresh, path)).and_then(|()| sync_folder(path));
    written.map_err(|source| FileError::Io { path: path.to_owned(), source })
}

/// As [`replace`], but never over a file that is there.
pub(super) fn create(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let fresh = beside(path, ".new");
    let linked = write(&fresh, bytes).and_then(|()| fs::hard_link(&fresh, path));
    let removed = fs::remove_file(&fresh);
    let made = linked.and(removed).and_then(|()| sync_folder(path));
    made.map_err(|source| FileError::Io { path: path.to_owned(), source })
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // What a crash left there may have another mode.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Many thousand secrets.
const LARGEST: u64 = 64 << 20;
