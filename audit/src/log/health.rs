//! `Fault`: what can be wrong with the disk under the log, and who has noticed.

use std::path::Path;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::ErrorCode;
use thiserror::Error;

/// Why the log cannot take a record. Nothing was recorded, so nothing may run and nothing may be answered.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuditError {
    /// No space left on the disk.
    #[error("the disk that holds the log is full")]
    Full,
    /// The database file was removed or renamed: what is written to it would be lost.
    #[error("the log's database file is gone")]
    Gone,
    /// Another file is where the database was.
    #[error("the log's database file was replaced by another")]
    Replaced,
    /// The file or its file system cannot be written.
    #[error("the log's database is read-only")]
    ReadOnly,
    /// No answer from the disk in time, or too many records wait for it.
    #[error("the log's disk does not answer in time")]
    Slow,
    /// Any other failure; the gateway's own log has it.
    #[error("the log cannot be written")]
    Failed,
    /// The log was stopped.
    #[error("the log is stopped")]
    Stopped,
    /// The approval was used by another call.
    #[error("the approval was used already")]
    AlreadyConsumed,
    /// The hold that the permit names does not let this call run: it is unknown, has ended, or is for another deed.
    #[error("the permit's hold does not let this call run")]
    NotApproved,
    /// The permit's time was over before its call was opened.
    #[error("the permit expired")]
    PermitExpired,
    /// The loans are another entry's.
    #[error("these loans belong to another entry")]
    ForeignLoans,
    /// There is a record of this id already: a hold's or a call's id must be new.
    #[error("the id is taken")]
    IdTaken,
    /// Whoever broke the glass says that it was right.
    #[error("whoever broke the glass cannot close its review")]
    OwnReview,
    /// More passkeys are nobody's.
    #[error("the operator has as many passkeys as one can have")]
    EnoughPasskeys,
    /// Its record would have another name: what is pinned must be found by the record of it.
    #[error("the tool's name is too long, or looks like a secret, so that no record can have it as it is")]
    Unnamable,
    /// Who asked is not who they were when they were let in.
    #[error("whoever asked was removed, or has another PIN, since they were let in")]
    NoAuthor,
    /// Without them nobody could add people any more.
    #[error("the only admin stays while there are other operators")]
    LastAdmin,
    /// The event changes something that is not there, such as an agent nobody added or a definition that is not pending.
    #[error("the event is about something the log does not know")]
    Unknown,
}

/// What is wrong with the disk under the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Full,
    Gone,
    Replaced,
    ReadOnly,
    Slow,
    Failed,
}

impl Fault {
    const ALL: [Self; 6] = [Self::Full, Self::Gone, Self::Replaced, Self::ReadOnly, Self::Slow, Self::Failed];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Gone => "gone",
            Self::Replaced => "replaced",
            Self::ReadOnly => "read-only",
            Self::Slow => "slow",
            Self::Failed => "failed",
        }
    }

    fn code(self) -> u8 {
        match self {
            Self::Full => 1,
            Self::Gone => 2,
            Self::Replaced => 3,
            Self::ReadOnly => 4,
            Self::Slow => 5,
            Self::Failed => 6,
        }
    }

    /// What an error of `SQLite` means for the log whose files lie in `state`.
    pub(crate) fn of(error: &rusqlite::Error, state: &Path) -> Self {
        // SQLITE_READONLY_DBMOVED: SQLite itself noticed that the file was renamed or removed.
        const MOVED: i32 = 8 | 4 << 8;
        let code = error.sqlite_error_code();
        let is = |wanted: ErrorCode| code == Some(wanted);
        if is(ErrorCode::DatabaseBusy) || is(ErrorCode::DatabaseLocked) {
            return Self::Slow;
        }
        // The shared-memory file and the WAL report a full disk as an I/O error of their own.
        if is(ErrorCode::DiskFull) || nearly_full(state) {
            return Self::Full;
        }
        if matches!(error, rusqlite::Error::SqliteFailure(failure, _) if failure.extended_code == MOVED) {
            return Self::Gone;
        }
        if is(ErrorCode::ReadOnly) { Self::ReadOnly } else { Self::Failed }
    }
}

impl From<Fault> for AuditError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Full => Self::Full,
            Fault::Gone => Self::Gone,
            Fault::Replaced => Self::Replaced,
            Fault::ReadOnly => Self::ReadOnly,
            Fault::Slow => Self::Slow,
            Fault::Failed => Self::Failed,
        }
    }
}

/// Less than one group of records needs.
const NEARLY: u64 = 128 << 10;

fn nearly_full(state: &Path) -> bool {
    rustix::fs::statvfs(state).is_ok_and(|fs| fs.f_bavail.saturating_mul(fs.f_frsize) < NEARLY)
}

/// What the writer tells everyone: a latched fault, and since when it has been busy with one group.
pub(crate) struct Health {
    fault: AtomicU8,
    /// Milliseconds since `origin`, plus one; zero: idle.
    busy: AtomicU64,
    origin: Instant,
    patience: Duration,
}

impl Health {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { fault: AtomicU8::new(0), busy: AtomicU64::new(0), origin: Instant::now(), patience }
    }

    pub(crate) fn fault(&self) -> Option<Fault> {
        let code = self.fault.load(Ordering::Acquire);
        Fault::ALL.into_iter().find(|fault| fault.code() == code)
    }

    pub(crate) fn latch(&self, fault: Option<Fault>) {
        self.fault.store(fault.map_or(0, Fault::code), Ordering::Release);
    }

    pub(crate) fn begin(&self) {
        self.busy.store(self.now() + 1, Ordering::Release);
    }

    /// Ends being busy; says for how long it was.
    pub(crate) fn end(&self) -> Duration {
        match self.busy.swap(0, Ordering::AcqRel) {
            0 => Duration::ZERO,
            since => Duration::from_millis((self.now() + 1).saturating_sub(since)),
        }
    }

    /// Whether a record would be taken now.
    ///
    /// # Errors
    /// The [`AuditError`] that it would be refused with.
    pub(crate) fn check(&self) -> Result<(), AuditError> {
        if let Some(fault) = self.fault() {
            return Err(fault.into());
        }
        let busy = self.busy.load(Ordering::Acquire);
        let since = (self.now() + 1).saturating_sub(busy);
        // A disk that hangs holds the writer in one call: only the others can tell.
        if busy != 0 && Duration::from_millis(since) >= self.patience { Err(AuditError::Slow) } else { Ok(()) }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn each_error_of_the_database_has_its_fault() {
        let folder = tempfile::tempdir().unwrap();
        for (code, fault) in [
            (ffi::SQLITE_FULL, Fault::Full),
            (ffi::SQLITE_READONLY, Fault::ReadOnly),
            (ffi::SQLITE_READONLY_DBMOVED, Fault::Gone),
            (ffi::SQLITE_BUSY, Fault::Slow),
            (ffi::SQLITE_LOCKED, Fault::Slow),
            (ffi::SQLITE_IOERR_FSYNC, Fault::Failed),
            (ffi::SQLITE_CORRUPT, Fault::Failed),
        ] {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(Fault::of(&error, folder.path()), fault, "{code}");
        }
    }

    #[test]
    fn a_fault_is_told_until_it_is_over_and_a_hang_while_it_lasts() {
        let health = Health::new(Duration::from_millis(30));
        assert_eq!(health.check(), Ok(()));
        for fault in Fault::ALL {
            health.latch(Some(fault));
            assert_eq!(health.check(), Err(fault.into()));
        }
        health.latch(None);
        health.begin();
        assert_eq!(health.check(), Ok(()));
        std::thread::sleep(Duration::from_millis(40));
        assert_eq!(health.check(), Err(AuditError::Slow));
        assert!(health.end() >= Duration::from_millis(30));
        assert_eq!(health.check(), Ok(()));
    }
}
