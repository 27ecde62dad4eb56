//! `Files`: the files under the log, and whether they are still the ones that were opened.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, FallocateFlags, FlockOperation, StatxFlags, fallocate, flock, statx};

use super::health::Fault;

pub(crate) const DATABASE: &str = "portcullis.db";

/// The index that records are found by; made anew where it is missing.
pub(crate) const SEARCH: &str = "search.db";

/// The database and its write-ahead log, as they were when they were opened.
///
/// A removed or renamed file stays writable through its open descriptor: everything would seem to be recorded, and be lost.
/// So paths are compared with what was opened, before each group is written and again before it is acknowledged.
#[derive(Clone)]
pub(crate) struct Files {
    database: PathBuf,
    wal: PathBuf,
    database_id: Identity,
    wal_id: Identity,
}

impl Files {
    /// Remembers the files at these paths; both must exist.
    pub(crate) fn watch(state: &Path) -> io::Result<Self> {
        let (database, wal) = (state.join(DATABASE), state.join(format!("{DATABASE}-wal")));
        let (database_id, wal_id) = (identity(&database)?, identity(&wal)?);
        Ok(Self { database, wal, database_id, wal_id })
    }

    /// Whether the paths still lead to what was opened.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        for (path, wanted) in [(&self.database, self.database_id), (&self.wal, self.wal_id)] {
            match identity(path) {
                Ok(found) if found == wanted => {}
                Ok(_) => return Err(Fault::Replaced),
                Err(_) => return Err(Fault::Gone),
            }
        }
        Ok(())
    }

    /// Whether the write-ahead log is still the one that was opened.
    pub(crate) fn has_our_wal(&self) -> bool {
        identity(&self.wal).is_ok_and(|found| found == self.wal_id)
    }
}

/// A file's device and its number there.
type Identity = ((u32, u32), u64);

/// `statx` and not `open`: closing any descriptor of a file drops the locks that `SQLite` holds on it in this process. Its
/// times are not asked for: where somebody has seen them, ext4 writes them to the disk with each sync, a second block.
fn identity(path: &Path) -> io::Result<Identity> {
    let found = statx(CWD, path, AtFlags::empty(), StatxFlags::INO)?;
    Ok(((found.stx_dev_major, found.stx_dev_minor), found.stx_ino))
}

/// Makes the state folder, for its owner alone.
pub(crate) fn prepare(state: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(state)?;
    let metadata = fs::metadata(state)?;
    if !open_to_others(&metadata) {
        return Ok(());
    }
    // A folder that holds anything else may be someone's home or `/tmp`: never change the mode of that.
    let ours = state.join(DATABASE).exists() || fs::read_dir(state)?.next().is_none();
    if !ours {
        let text = "the folder is open to others and holds files that are not ours: make a new one, or `chmod 700` it";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    fs::set_permissions(state, fs::Permissions::from_mode(0o700))
}

/// Whether anyone but the owner may do anything with it.
pub(crate) fn open_to_others(metadata: &fs::Metadata) -> bool {
    metadata.permissions().mode().trailing_zeros() < 6
}

/// Opens or makes a file for its owner alone.
pub(crate) fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// The right to write the log; given up when dropped, also by a crash.
pub(crate) struct Lock {
    _file: File,
}

/// A program that is being started has its parent's files until it is: for so long a lock that was given back may seem held.
const PASSING: Duration = Duration::from_millis(500);

/// The lock's file.
pub(crate) const LOCK: &str = "lock";

impl Lock {
    /// Whether a log was ever started here.
    pub(crate) fn exists(state: &Path) -> bool {
        state.join(LOCK).exists()
    }

    /// Takes the lock's file away from a folder that is no log's.
    pub(crate) fn remove(folder: &Path) -> io::Result<()> {
        fs::remove_file(folder.join(LOCK))
    }

    /// Takes the lock; `None` if another process has it, and keeps it.
    pub(crate) fn take(state: &Path) -> io::Result<Option<Self>> {
        let file = private(&state.join(LOCK))?;
        let began = Instant::now();
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Some(Self { _file: file })),
                Err(rustix::io::Errno::WOULDBLOCK) if began.elapsed() < PASSING => thread::sleep(PASSING / 50),
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Space that is set apart while there is some, so that a full disk leaves room for the outcomes of running calls and for
/// the record of the outage itself.
pub(crate) struct Reserve {
    path: PathBuf,
    bytes: u64,
}

impl Reserve {
    pub(crate) fn new(state: &Path, bytes: u64) -> Self {
        Self { path: state.join("reserve"), bytes }
    }

    /// Sets the space apart; fails while there is too little.
    pub(crate) fn fill(&self) -> io::Result<()> {
        let file = private(&self.path)?;
        fallocate(&file, FallocateFlags::empty(), 0, self.bytes)
            .inspect_err(|_| self.release())
            .map_err(io::Error::from)
    }

    /// Gives the space back.
    pub(crate) fn release(&self) {
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::error!(%error, "cannot give back the space that was set apart for a full disk");
        }
    }
}
