//! Makes a backup, beside a running gateway or without one.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::backup::{Backup as Copy, StepResult};
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::listing::{FILE, Listed, Listing};
use super::{BackupError, KEYS, MARK, PACKAGES, Progress, Watch};
use crate::checkpoint::{Checkpoint, newest};
use crate::log::files::{DATABASE, Lock, private};
use crate::log::recover::number;
use crate::log::renew::log_key;
use crate::log::tables;
use crate::note::Note;
use crate::query::{self, QueryError};
use crate::verify::{Trusted, VerifyError, verify_while};

/// How many pages are copied before anyone is told: 4 MB, a few milliseconds.
const STEP: i32 = 1_000;

/// How long it waits for a file that is locked.
const WAIT: Duration = Duration::from_millis(20);

/// Copies the log in a state folder, and the packages that were added, to a folder that is not there yet; with `keys` the
/// keys and secrets too. The writer is not kept from writing: the copy is of one moment, and its newest checkpoint is at
/// most a fifth of a second older. What is copied is verified before the folder gets its name.
///
/// # Errors
/// [`BackupError`]; then nothing of it is left.
pub fn backup(state: &Path, to: &Path, keys: bool, at: Timestamp, watch: Watch<'_>) -> Result<Listing, BackupError> {
    let partial = Partial::begin(to)?;
    let folder = &partial.folder;
    let (records, checkpoint) = database(state, folder, watch)?;
    verified(state, folder, records, checkpoint.as_deref(), watch)?;
    let mut paths = vec![PathBuf::from(DATABASE)];
    files(state, Path::new(PACKAGES), folder, &mut paths)?;
    if keys {
        KEYS.iter().try_for_each(|key| files(state, Path::new(key), folder, &mut paths))?;
    }
    let listed = |path: PathBuf| Listed::of(folder, path.clone()).map_err(|source| BackupError::File { path, source });
    let listed = paths.into_iter().map(listed).collect::<Result<_, _>>()?;
    let listing = Listing::new(at, records, checkpoint, listed);
    partial.finish(&listing, to)?;
    Ok(listing)
}

/// Copies the database as it is at one moment; says how many records it has, and its newest checkpoint.
fn database(state: &Path, folder: &Path, watch: Watch<'_>) -> Result<(u64, Option<String>), BackupError> {
    let broken = |error: rusqlite::Error| BackupError::Log(error.into());
    let from = query::open(state)?;
    // A reader's snapshot: without it every write of the gateway would begin the copy anew.
    let snapshot = from.unchecked_transaction().map_err(broken)?;
    let last = "SELECT COALESCE(MAX(seq), 0) FROM entry";
    let records = snapshot.query_row(last, [], |row| number(row, 0)).map_err(broken)?;
    let path = folder.join(DATABASE);
    drop(private(&path).map_err(|source| BackupError::File { path: path.clone(), source })?);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut to = Connection::open_with_flags(&path, flags).map_err(broken)?;
    tables::distrust(&to).map_err(broken)?;
    // The whole file is synced once, at the end.
    to.execute_batch("PRAGMA synchronous = OFF").map_err(broken)?;
    copied(&snapshot, &mut to, watch)?;
    // One file, without a write-ahead log beside it; and no gateway takes it for a log.
    to.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).map_err(broken)?;
    to.execute_batch(&format!("PRAGMA application_id = {MARK}")).map_err(broken)?;
    let checkpoint = has_tree(&to).and_then(|tree| if tree { newest(&to) } else { Ok(None) }).map_err(broken)?;
    to.close().map_err(|(_, error)| broken(error))?;
    Ok((records, checkpoint.map(|(_, note)| note)))
}

fn copied(from: &Connection, to: &mut Connection, watch: Watch<'_>) -> Result<(), BackupError> {
    let broken = |error: rusqlite::Error| BackupError::Log(error.into());
    let size: u64 = from.query_row("PRAGMA page_size", [], |row| number(row, 0)).map_err(broken)?;
    let copy = Copy::new(from, to).map_err(broken)?;
    loop {
        let step = copy.step(STEP).map_err(broken)?;
        let progress = copy.progress();
        let bytes = |pages: i32| u64::try_from(pages).unwrap_or(0) * size;
        let done = progress.pagecount.saturating_sub(progress.remaining);
        if !watch(Progress::Copied(bytes(done), bytes(progress.pagecount))) {
            return Err(BackupError::Stopped);
        }
        if step == StepResult::Done {
            return Ok(());
        }
        if step != StepResult::More {
            thread::sleep(WAIT);
        }
    }
}

fn has_tree(db: &Connection) -> rusqlite::Result<bool> {
    db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'checkpoint'")?.exists([])
}

/// Verifies the copy, against the key in the state folder where there is one.
fn verified(
    state: &Path,
    folder: &Path,
    records: u64,
    checkpoint: Option<&str>,
    watch: Watch<'_>,
) -> Result<(), BackupError> {
    let checkpoint = checkpoint.and_then(|text| Checkpoint::of(&Note::parse(text).ok()?).ok());
    let trusted = Trusted { key: log_key(state).ok(), checkpoint };
    let verified = verify_while(folder, &trusted, &mut |done| watch(Progress::Verified(done, records)));
    match verified {
        Ok(_) => Ok(()),
        Err(VerifyError::Stopped) => Err(BackupError::Stopped),
        Err(VerifyError::Read(error)) => Err(error.into()),
        Err(error @ VerifyError::Broken(_)) => Err(BackupError::Unsound(error)),
    }
}

/// Copies a file, or a folder with all that is below it, if it is there.
fn files(state: &Path, path: &Path, folder: &Path, copied: &mut Vec<PathBuf>) -> Result<(), BackupError> {
    let failed = |source| BackupError::File { path: state.join(path), source };
    let found = match fs::symlink_metadata(state.join(path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found.map_err(failed)?,
    };
    if found.is_dir() {
        DirBuilder::new().mode(0o700).create(folder.join(path)).map_err(failed)?;
        for below in fs::read_dir(state.join(path)).map_err(failed)? {
            files(state, &path.join(below.map_err(failed)?.file_name()), folder, copied)?;
        }
        return Ok(());
    }
    if !found.is_file() {
        let odd = io::Error::new(io::ErrorKind::InvalidInput, "it is neither a file nor a folder");
        return Err(failed(odd));
    }
    take(&state.join(path), &folder.join(path)).map_err(failed)?;
    copied.push(path.to_owned());
    Ok(())
}

/// Copies one file, for its owner alone.
pub(super) fn take(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let mode = source.metadata()?.permissions().mode() & 0o700;
    let mut file = private(to)?;
    io::copy(&mut source, &mut file)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

/// A backup that is not finished. Dropped, it is removed; after a crash it has no listing and another name.
struct Partial {
    folder: PathBuf,
    /// Nobody else writes there.
    lock: Option<Lock>,
}

impl Partial {
    fn begin(to: &Path) -> Result<Self, BackupError> {
        if fs::symlink_metadata(to).is_ok() {
            return Err(BackupError::Exists(to.to_owned()));
        }
        let mut name = std::ffi::OsString::from(".");
        name.push(to.file_name().unwrap_or_default());
        name.push(".partial");
        let folder = to.with_file_name(name);
        let failed = |source| BackupError::File { path: folder.clone(), source };
        let lock = |made: bool| match Lock::take(&folder).map_err(failed)? {
            Some(lock) => Ok((made, lock)),
            None => Err(BackupError::Busy(to.to_owned())),
        };
        let (made, lock) = match DirBuilder::new().mode(0o700).create(&folder) {
            // Only what one of ours left is removed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && Lock::exists(&folder) => lock(false)?,
            made => made.map_err(failed).and_then(|()| lock(true))?,
        };
        if made {
            return Ok(Self { folder, lock: Some(lock) });
        }
        fs::remove_dir_all(&folder).map_err(failed)?;
        drop(lock);
        Self::begin(to)
    }

    /// The listing last; then the name.
    fn finish(mut self, listing: &Listing, to: &Path) -> Result<(), BackupError> {
        let failed = |source| BackupError::File { path: to.to_owned(), source };
        self.settle(listing).map_err(failed)?;
        renameat_with(CWD, &self.folder, CWD, to, RenameFlags::NOREPLACE).map_err(|error| match error {
            rustix::io::Errno::EXIST => BackupError::Exists(to.to_owned()),
            other => failed(other.into()),
        })?;
        self.lock = None;
        let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed)
    }

    fn settle(&self, listing: &Listing) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(listing)?;
        File::open(self.folder.join(DATABASE))?.sync_all()?;
        Lock::remove(&self.folder)?;
        let mut file = private(&self.folder.join(FILE))?;
        file.write_all(&text)?;
        file.sync_all()?;
        for path in listing.files.iter().filter_map(|file| file.path.parent()) {
            File::open(self.folder.join(path))?.sync_all()?;
        }
        File::open(&self.folder)?.sync_all()
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if self.lock.is_some()
            && let Err(error) = fs::remove_dir_all(&self.folder)
        {
            tracing::warn!(%error, folder = %self.folder.display(), "an unfinished backup is left");
        }
    }
}

impl From<rusqlite::Error> for BackupError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Log(QueryError::from(error))
    }
}
