//! `Worker`: sends what the log holds after an exporter's cursor, in order, until it was taken.
//!
//! ```text
//!        ┌──────────── nothing new: a little later ◄───────────┐
//!        ▼                                                     │
//! check ─► read ─► send ── taken ─► cursor kept ───────────────┤
//!   │               ├───── all of it never to be taken: half of it; one alone: skipped, and said
//!   │               └───── not taken ─► trouble kept ─► later, twice as late each time ─► check
//!   └─ the log does not have what was sent last: nothing is sent until an operator has removed the cursor
//! ```

use std::path::{Path, PathBuf};
use std::time::Duration;

use audit::{Audit, AuditError, QueryError};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::cursor::Astray;
use super::format::Line;
use super::sink::Fate;
use super::{Cursor, Exporter, SendError, Source, Trouble};
use crate::clock;
use crate::endpoint::pause;

/// Sends what the log holds after an exporter's cursor.
pub struct Worker {
    exporter: Exporter,
    audit: Audit,
    state: PathBuf,
    /// `None` until it is read, and again when it leads nowhere: an operator may have removed it.
    cursor: Option<Cursor>,
    /// How many records a batch may have: fewer, after one was too much.
    limit: usize,
    failures: u32,
    /// How many records in a row were refused for good.
    refused: u32,
}

/// Why nothing can be sent.
#[derive(Debug, Error)]
enum Unread {
    #[error("the cursor cannot be read")]
    Cursor(#[source] std::io::Error),
    #[error("the cursor leads nowhere")]
    Astray(#[source] Astray),
    #[error("the log is not where it was")]
    Elsewhere(#[source] AuditError),
    #[error("the log cannot be read")]
    Log(#[from] QueryError),
    #[error("a record cannot be written")]
    Form(#[from] serde_json::Error),
    #[error("reading the log broke off")]
    Broken,
}

/// What is sent at once.
struct Batch {
    cursor: Cursor,
    lines: Vec<Line>,
    /// Whether there is enough after it for another one.
    more: bool,
}

/// Records in a batch: Datadog takes 1,000.
const RECORDS: usize = 500;

/// Bytes of a batch, as the log has them: in any format, and escaped again, they stay below the 5 MB that Datadog takes.
const BYTES: usize = 512 << 10;

/// How often new records are looked for. With fewer than this many waiting, each batch waits as long: a request for each record
/// would be too many.
const POLL: Duration = Duration::from_millis(500);
const MANY: u64 = 100;

/// One record that is never taken is the record's fault; so many in a row are the config's, and nothing is skipped any more.
const MOST: u32 = 10;

/// How long a batch that is on its way may take when the gateway stops: cut off, it is sent twice.
const LAST: Duration = Duration::from_secs(3);

impl Worker {
    /// A worker for one exporter over the log in a state folder.
    #[must_use]
    pub fn new(exporter: Exporter, audit: Audit, state: &Path) -> Self {
        Self { exporter, audit, state: state.to_owned(), cursor: None, limit: RECORDS, failures: 0, refused: 0 }
    }

    /// Sends until it is told to stop. Not cancel-safe.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let cut = async {
                stop.cancelled().await;
                tokio::time::sleep(LAST).await;
            };
            let pause = tokio::select! {
                pause = self.step() => pause,
                () = cut => return,
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Sends one batch, and says how long to wait before the next.
    async fn step(&mut self) -> Duration {
        let batch = match self.batch().await {
            Ok(batch) => batch,
            Err(error) => {
                let astray = matches!(error, Unread::Astray(_));
                return self.failed(pause::chain(&error), None, astray).await;
            }
        };
        self.cursor = Some(batch.cursor);
        let next = if batch.more { Duration::ZERO } else { POLL };
        if batch.lines.is_empty() {
            self.well().await;
            return next;
        }
        match self.exporter.send(&batch.lines).await {
            Ok(fates) => self.settle(&batch.lines, fates, next).await,
            Err(SendError::Unfit { .. }) if batch.lines.len() > 1 => {
                self.limit = batch.lines.len().div_ceil(2);
                Duration::ZERO
            }
            Err(SendError::Unfit { status, said }) => {
                self.settle(&batch.lines, vec![Fate::Refused { status, said }], next).await
            }
            Err(error) => self.failed(pause::chain(&error), error.after(), false).await,
        }
    }

    /// What comes after the cursor, read where waiting for the disk stops nobody else.
    async fn batch(&self) -> Result<Batch, Unread> {
        let (audit, state, name) = (self.audit.clone(), self.state.clone(), self.exporter.name.clone());
        let (cursor, limit, form) = (self.cursor.clone(), self.limit, self.exporter.form());
        let read = move || -> Result<Batch, Unread> {
            let cursor = cursor.map_or_else(|| Cursor::load(&state, &name).map_err(Unread::Cursor), Ok)?;
            // Opening another file in the database's place would share the write-ahead log that is still open for the first.
            if let Err(error @ (AuditError::Gone | AuditError::Replaced)) = audit.healthy() {
                return Err(Unread::Elsewhere(error));
            }
            let reader = audit.reader()?;
            cursor.check(&reader).map_err(Unread::Astray)?;
            let Some(source) = Source::of(&reader)? else {
                return Ok(Batch { cursor, lines: Vec::new(), more: false });
            };
            let leaves = reader.leaves(cursor.seq, limit, BYTES)?;
            let lines = leaves.iter().map(|leaf| form.line(leaf, &source)).collect::<Result<Vec<_>, _>>()?;
            let sent = lines.last().map_or(cursor.seq, |line| line.seq);
            let more = reader.last()?.saturating_sub(sent) >= MANY;
            Ok(Batch { cursor, lines, more })
        };
        tokio::task::spawn_blocking(read).await.unwrap_or(Err(Unread::Broken))
    }

    /// Moves the cursor as far as all before it is settled.
    async fn settle(&mut self, lines: &[Line], fates: Vec<Fate>, next: Duration) -> Duration {
        let mut cursor = self.cursor.take().unwrap_or_default();
        let (from, mut untaken) = (cursor.seq, None);
        for (line, fate) in lines.iter().zip(fates) {
            match fate {
                Fate::Taken => self.refused = 0,
                Fate::Refused { status, said } if self.refused < MOST => {
                    self.refused += 1;
                    cursor.skipped += 1;
                    let (exporter, seq, leaf) = (&self.exporter.name, line.seq, line.id);
                    tracing::error!(exporter, seq, %leaf, status, said, "a record was refused for good, and is skipped");
                }
                Fate::Refused { status, said } => {
                    untaken =
                        Some(format!("it refuses record after record, and none is skipped any more: {status} {said}"));
                    break;
                }
                Fate::Again { status, said } => {
                    untaken = Some(format!("it answered {status} for record {}: {said}", line.seq));
                    break;
                }
            }
            (cursor.seq, cursor.leaf, cursor.at) = (line.seq, Some(line.id), Some(clock::now()));
        }
        let moved = cursor.seq > from;
        self.cursor = Some(cursor);
        if moved {
            self.failures = 0;
        }
        match untaken {
            Some(error) => self.failed(error, None, false).await,
            None if moved => {
                self.limit = self.limit.saturating_mul(2).min(RECORDS);
                self.taken().await;
                next
            }
            // Nobody said anything of any of them.
            None => self.failed("nothing was said of any record".to_owned(), None, false).await,
        }
    }

    async fn taken(&mut self) {
        if let Some(cursor) = &mut self.cursor
            && let Some(trouble) = cursor.trouble.take()
        {
            tracing::info!(exporter = self.exporter.name, since = %trouble.since, "exported again");
        }
        self.save().await;
    }

    /// Nothing is wrong, and there is nothing to send.
    async fn well(&mut self) {
        self.failures = 0;
        if self.cursor.as_ref().is_some_and(|cursor| cursor.trouble.is_some()) {
            self.taken().await;
        }
    }

    /// Keeps why it does not get on, and says how long to wait.
    async fn failed(&mut self, error: String, after: Option<Duration>, astray: bool) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let (exporter, failures) = (&self.exporter.name, self.failures);
        if astray {
            tracing::error!(exporter, error, "nothing is exported any more: see `portcullis export status`");
            // Whoever removes it is not to be overtaken: from now on it is read, and not written.
            self.cursor = None;
        } else {
            tracing::warn!(exporter, failures, error, "not exported, and tried again");
        }
        if let Some(cursor) = &mut self.cursor {
            let since = cursor.trouble.as_ref().map_or_else(clock::now, |trouble| trouble.since);
            cursor.trouble = Some(Trouble { since, failures, error });
            self.save().await;
        }
        let pause = pause::after(failures, u16::from_be_bytes(clock::random()));
        pause.max(after.map_or(Duration::ZERO, |after| after.min(pause::QUIET)))
    }

    async fn save(&self) {
        let Some(cursor) = self.cursor.clone() else { return };
        let (state, name) = (self.state.clone(), self.exporter.name.clone());
        let saved = tokio::task::spawn_blocking(move || cursor.save(&state, &name)).await;
        if let Err(error) = saved.map_err(std::io::Error::other).flatten() {
            let exporter = &self.exporter.name;
            tracing::error!(exporter, %error, "how far it has come cannot be kept: it is sent again after a restart");
        }
    }
}
