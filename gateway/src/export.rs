//! `Exporter`: passes the records of the log on, to a file, a syslog collector or a SIEM.
//!
//! ```text
//! log ── after the cursor, in order ─► Line: one format, redacted as the log is ─► Sink ─► file, syslog, Splunk, …
//!          ▲                                                                    │
//!          └── the cursor moves once the batch was taken, and is kept ◄─────────┘   not taken: again, later (`worker.rs`)
//! ```
//!
//! Nothing waits for this: what is to be sent is what the log holds after the cursor, so there is no queue that could overflow.

mod cursor;
mod datadog;
mod elasticsearch;
mod file;
mod format;
mod progress;
mod sink;
mod splunk;
mod syslog;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use audit::{Kind, Leaf, Record, Redactor};
use jiff::Timestamp;
use policies::{Hash, Value};

use crate::config::{Export, Format};
use crate::endpoint::fault;
pub use crate::endpoint::{OpenError, SendError};

pub use cursor::{Astray, Cursor, Trouble};
use format::{Form, Line};
pub use format::{Source, line};
pub use progress::Progress;
use sink::{Fate, Sink};
pub use worker::Worker;

/// Passes records on to one place.
pub struct Exporter {
    name: String,
    sink: Box<dyn Sink>,
    format: Format,
    within: Duration,
    redactor: Arc<Redactor>,
}

impl Exporter {
    /// Reads what it needs. The redactor knows its credential from now on.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open(name: &str, settings: &Export, redactor: &Arc<Redactor>) -> Result<Self, OpenError> {
        let sink = sink::open(&settings.sink, settings.authority.as_deref(), redactor)?;
        let (format, within, redactor) = (settings.format, settings.within, Arc::clone(redactor));
        Ok(Self { name: name.to_owned(), sink, format, within, redactor })
    }

    /// Sends these once, in order. Not cancel-safe: they may have been taken.
    async fn send(&self, lines: &[Line]) -> Result<Vec<Fate>, SendError> {
        let sent = tokio::time::timeout(self.within, self.sink.send(lines)).await;
        let fates = sent.unwrap_or(Err(SendError::Late)).map_err(|error| error.redacted(&self.redactor))?;
        Ok(fates.into_iter().map(|fate| fate.said(|said| fault::shown(said, &self.redactor))).collect())
    }

    /// How records look here.
    fn form(&self) -> Form {
        Form { format: self.format, longest: self.sink.longest() }
    }

    /// Sends one record that says that it is a test, and is in no log.
    ///
    /// # Errors
    /// [`SendError`]: nobody says that it was taken.
    pub async fn test(&self, unique: u64, now: Timestamp, source: &Source) -> Result<Hash, SendError> {
        let leaf = tested(unique, now);
        let form = |error: serde_json::Error| SendError::Form(Box::new(error));
        let lines = [self.form().line(&leaf, source).map_err(form)?];
        match self.send(&lines).await?.into_iter().next() {
            Some(Fate::Taken) => Ok(leaf.hash),
            Some(Fate::Refused { status, said } | Fate::Again { status, said }) => {
                Err(SendError::Unfit { status, said })
            }
            None => Err(SendError::Late),
        }
    }
}

/// Number 0 is no record's: nobody takes it for one of the log.
fn tested(unique: u64, now: Timestamp) -> Leaf {
    let detail = serde_json::json!({ "event": "export-test", "unique": format!("{unique:016x}") });
    let record = Record {
        seq: 0,
        at: now,
        kind: Kind::Event,
        call: None,
        agent: None,
        session: None,
        server: None,
        tool: None,
        method: None,
        risk: None,
        verdict: None,
        detail: Value::from(detail),
        body: None,
    };
    let hash = Hash::of(format!("portcullis export test {unique:016x}").as_bytes());
    Leaf { hash, before: None, found: audit::Found { record, body: None } }
}
