//! `Backup`: a copy of a log that is whole or does not look like one, and how it becomes a log again.
//!
//! ```text
//! STATE ── one snapshot, beside the writer ─► .TO.partial ── verified, listed, synced ── rename ─► TO
//! TO ── copied, compared, verified ─► STATE/restoring ── what was there moves to STATE/replaced-… ─► STATE
//!                                                     └─ a record says so, what is open or lent ends ─► it may start
//! ```
//!
//! What is in a copy was true once: an approval that was used since looks unused in it, and records that were signed since
//! are not there. So a copy is marked as one, no gateway starts with it, and what takes the mark away is the record of the
//! restore, in one transaction with the end of every hold, pass and delegation that is open in it.

mod listing;
mod make;
mod restore;

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::entry::StartError;
use crate::query::QueryError;
use crate::verify::VerifyError;

pub use listing::{Listed, Listing};
pub use make::backup;
pub use restore::{Order, Restored, restore};

/// What the copy of the database bears in its header, where `SQLite` keeps whose file it is: «`PCbk`».
pub(crate) const MARK: i32 = 0x5043_626b;

/// The folder, in a state folder, of a restore that is not finished.
pub(crate) const RESTORING: &str = "restoring";

/// What the folders begin with that keep what a restore replaced.
const REPLACED: &str = "replaced-";

/// Who revokes passes and agents at a restore. No person can be added under this name.
const RESTORER: &str = "portcullis:restore";

/// The keys, and the secrets that the gateway keeps itself. Whoever has them can sign as this log, and lend what it lends.
const KEYS: [&str; 4] = ["log.key", "seal.key", "secrets.age", "secrets.key"];

/// The tool packages that were added: the log has their digests and not their files.
const PACKAGES: &str = "packages";

/// How far a backup or a restore is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many bytes of the database are copied, of so many.
    Copied(u64, u64),
    /// So many records are verified, of so many.
    Verified(u64, u64),
}

/// Is told how far it is, and says whether to go on.
pub type Watch<'a> = &'a mut dyn FnMut(Progress) -> bool;

/// Why there is no backup. Then nothing is left of it.
#[derive(Debug, Error)]
pub enum BackupError {
    /// There is something already.
    #[error("`{}` is there already", .0.display())]
    Exists(PathBuf),
    /// Another backup is being written there.
    #[error("another backup is being written to `{}`", .0.display())]
    Busy(PathBuf),
    /// The log cannot be read.
    #[error("cannot read the log")]
    Log(#[from] QueryError),
    /// The copy does not verify.
    #[error("the copy does not verify")]
    Unsound(#[source] VerifyError),
    /// A file cannot be read or written.
    #[error("cannot copy `{}`", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Whoever watches said stop.
    #[error("it was told to stop")]
    Stopped,
}

/// Why nothing was restored.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// It is not a backup, or not a whole one.
    #[error("`{}` is not a whole backup: {what}", path.display())]
    NoBackup {
        /// What was looked at.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The log in it does not verify.
    #[error("the log in the backup does not verify")]
    Unsound(#[source] VerifyError),
    /// There is something in the state folder.
    #[error("the state folder `{}` is not empty", .0.display())]
    Occupied(PathBuf),
    /// A gateway runs there.
    #[error("a gateway uses the state folder `{}`", .0.display())]
    Running(PathBuf),
    /// A file cannot be read or written.
    #[error("cannot copy `{}`", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The restored log cannot be continued.
    #[error("the restored log cannot be opened")]
    Start(#[from] StartError),
    /// A hold or a pass in it cannot be ended.
    #[error("what is open in the backup cannot be ended")]
    StillOpen,
    /// Whoever watches said stop.
    #[error("it was told to stop")]
    Stopped,
}
