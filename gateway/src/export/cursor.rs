//! `Cursor`: how far an exporter has come, kept in `STATE/exported/NAME` after each batch that was taken.

use std::io;
use std::path::{Path, PathBuf};

use audit::{QueryError, Reader};
use jiff::Timestamp;
use policies::Hash;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::kept;

/// How far an exporter has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The last record that was taken, or skipped; 0 for none.
    pub seq: u64,
    /// Its leaf: a log that has another one there is not the log that was exported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaf: Option<Hash>,
    /// When it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// How many records were refused for good, and skipped.
    #[serde(default)]
    pub skipped: u64,
    /// Why it does not get on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
}

/// Why an exporter does not get on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Since when.
    pub since: Timestamp,
    /// How often it was tried.
    pub failures: u32,
    /// What went wrong the last time.
    pub error: String,
}

/// Why a cursor leads nowhere in the log.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Astray {
    /// The log ends before it.
    #[error("record {seq} was exported, and the log ends at {last}: an older copy of it was put back")]
    Ahead {
        /// The last record that was exported.
        seq: u64,
        /// The last one that there is.
        last: u64,
    },
    /// What follows it was pruned.
    #[error("record {seq} was exported, and all up to {minimum} were pruned since: those between were not sent")]
    Pruned {
        /// The last record that was exported.
        seq: u64,
        /// The last one that is gone.
        minimum: u64,
    },
    /// The log has another record there.
    #[error("record {0} is not the one that was exported: the log was replaced, or an older copy of it was put back")]
    Other(u64),
    /// The log does not answer.
    #[error("cannot read the log")]
    Log(#[from] QueryError),
}

impl Cursor {
    /// Where the cursor of an exporter is kept.
    pub(super) fn path(state: &Path, name: &str) -> PathBuf {
        state.join(FOLDER).join(name)
    }

    /// What is kept of an exporter; the beginning, where nothing is.
    ///
    /// # Errors
    /// If the file cannot be read, or holds something else.
    pub fn load(state: &Path, name: &str) -> io::Result<Self> {
        let Some(bytes) = kept::read(&Self::path(state, name))? else { return Ok(Self::default()) };
        serde_json::from_slice(&bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Keeps it, whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written: then what was taken since is sent again after a restart.
    pub(super) fn save(&self, state: &Path, name: &str) -> io::Result<()> {
        let path = Self::path(state, name);
        path.parent().map_or(Ok(()), kept::folder)?;
        kept::replace(&path, &serde_json::to_vec(self)?)
    }

    /// Whether the log still has what was exported last.
    ///
    /// # Errors
    /// [`Astray`].
    pub fn check(&self, reader: &Reader) -> Result<(), Astray> {
        let last = reader.last()?;
        if self.seq > last {
            return Err(Astray::Ahead { seq: self.seq, last });
        }
        let pruned = reader.pruned()?.filter(|pruned| (1..=pruned.minimum).contains(&self.seq));
        if let Some(pruned) = pruned {
            return Err(Astray::Pruned { seq: self.seq, minimum: pruned.minimum });
        }
        if reader.leaf(self.seq)? == self.leaf { Ok(()) } else { Err(Astray::Other(self.seq)) }
    }
}

/// The folder in the state folder.
const FOLDER: &str = "exported";

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_cursor_is_kept_for_its_owner_alone_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Cursor::load(folder.path(), "siem").unwrap(), Cursor::default());
        let trouble = Trouble { since: Timestamp::UNIX_EPOCH, failures: 3, error: "it answered 503".into() };
        let cursor = Cursor { seq: 7, leaf: Some(Hash::of(b"7")), trouble: Some(trouble), ..Cursor::default() };
        cursor.save(folder.path(), "siem").unwrap();
        assert_eq!(Cursor::load(folder.path(), "siem").unwrap(), cursor);
        let mode = fs::metadata(Cursor::path(folder.path(), "siem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_is_no_cursor_is_not_taken_for_the_beginning() {
        let folder = tempfile::tempdir().unwrap();
        Cursor::default().save(folder.path(), "siem").unwrap();
        for wrong in ["", "{}", "{\"seq\":-1}", "7"] {
            fs::write(Cursor::path(folder.path(), "siem"), wrong).unwrap();
            assert!(Cursor::load(folder.path(), "siem").is_err(), "{wrong}");
        }
    }
}
