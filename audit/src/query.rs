//! `Reader`: asks the log what happened; it reads only, beside a running gateway or without one.

mod activity;
mod filter;
mod leaves;
mod list;
mod open;

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use policies::approval::Hold;
use policies::{CallId, HoldId, Limits, Value};
use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;
use thiserror::Error;

use crate::index::Index;
use crate::log::pen::{load_hold, signed};
use crate::prune::Missing;
use crate::record::{self, BadRecord, Record};

pub use activity::{Activity, Answered, Part, Span};
pub use filter::Filter;
pub use leaves::Leaf;
pub(crate) use open::open;

/// The log, to read.
#[derive(Debug)]
pub struct Reader {
    db: Connection,
    state: PathBuf,
    index: OnceCell<Option<Index>>,
}

/// Why the log does not answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum QueryError {
    /// There is no log in this folder.
    #[error("there is no log in this folder")]
    Missing,
    /// A later version made it.
    #[error("the log has layout {0}, which this program does not know")]
    Layout(i64),
    /// A record is not readable; `portcullis log verify` says more.
    #[error("record {seq} is damaged")]
    Record {
        /// Which.
        seq: u64,
        /// What is wrong.
        source: BadRecord,
    },
    /// A record is not there though later ones are; `portcullis log verify` says more.
    #[error("record {0} is missing")]
    Gap(u64),
    /// `SQLite` does not answer.
    #[error("cannot read the log")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Why there is nothing to show.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ShowError {
    /// Nothing has this id.
    #[error("no call, hold or record is named `{0}`")]
    Unknown(String),
    /// It was pruned.
    #[error("record {seq} was pruned on {}, as all up to {}: record {} says why", .missing.at, .missing.minimum, .missing.record)]
    Pruned {
        /// What was asked for.
        seq: u64,
        /// What is gone.
        missing: Missing,
    },
    /// More than one call's id begins so.
    #[error("{} calls are named `{wanted}…`", calls.len())]
    Ambiguous {
        /// What was asked for.
        wanted: String,
        /// Some of those that fit.
        calls: Vec<CallId>,
    },
    /// The log does not answer.
    #[error("cannot read the log")]
    Query(#[from] QueryError),
}

impl From<rusqlite::Error> for QueryError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(Box::new(error))
    }
}

/// A record with its body.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The record.
    pub record: Record,
    /// The redacted arguments, result or message, if they were short enough to be kept.
    pub body: Option<Value>,
}

/// All records of one call, from its first to its last.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Life {
    /// Which call; `None` for a record that belongs to none.
    pub call: Option<CallId>,
    /// Its records, the oldest first.
    pub records: Vec<Found>,
}

impl Serialize for Found {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;

        let record = &self.record;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("seq", &record.seq)?;
        map.serialize_entry("at", &record.at)?;
        map.serialize_entry("kind", record.kind.as_str())?;
        let names = [
            ("call", record.call.as_ref().map(CallId::as_str)),
            ("agent", record.agent.as_deref()),
            ("session", record.session.as_deref()),
            ("server", record.server.as_deref()),
            ("tool", record.tool.as_deref()),
            ("method", record.method.as_deref()),
            ("risk", record.risk.map(policies::Risk::as_str)),
            ("verdict", record.verdict.map(record::Decided::as_str)),
        ];
        for (name, value) in names {
            if let Some(value) = value {
                map.serialize_entry(name, value)?;
            }
        }
        map.serialize_entry("detail", &record.detail)?;
        if let Some(body) = &record.body {
            map.serialize_entry("bytes", &body.bytes)?;
            map.serialize_entry("sha256", &body.sha256)?;
        }
        if let Some(body) = &self.body {
            map.serialize_entry("body", body)?;
        }
        map.end()
    }
}

const TAIL: &str = "SELECT seq, record, body FROM entry WHERE seq > ?1 ORDER BY seq LIMIT ?2";
const LAST: &str = "SELECT COALESCE(MAX(seq), 0) FROM entry";
const ONE: &str = "SELECT seq, record, body FROM entry WHERE seq = ?1";
const LIFE: &str = "SELECT seq, record, body FROM entry WHERE call = ?1 ORDER BY seq LIMIT ?2";
const CALLS: &str = "SELECT record FROM entry WHERE call BETWEEN ?1 AND ?2 GROUP BY call ORDER BY call LIMIT ?3";
const HOLDS: &str = "SELECT hold FROM hold ORDER BY rowid DESC LIMIT ?1";
const SEALED: &str = "SELECT sealed FROM hold WHERE id = ?1";

/// The most records of one call that are shown: a call has a handful, unless its server relays without end.
const LONGEST_LIFE: i64 = 1_000;

impl Reader {
    /// Opens the log in a state folder.
    ///
    /// # Errors
    /// [`QueryError`] if there is none or it cannot be read.
    pub fn open(state: &Path) -> Result<Self, QueryError> {
        Ok(Self { db: open(state)?, state: state.to_owned(), index: OnceCell::new() })
    }

    pub(crate) fn db(&self) -> &Connection {
        &self.db
    }

    fn index(&self) -> Option<&Index> {
        self.index.get_or_init(|| Index::open(&self.state)).as_ref()
    }

    /// The records after this number, the oldest first.
    ///
    /// # Errors
    /// [`QueryError`] if the log does not answer.
    pub fn tail(&self, after: u64, limit: usize) -> Result<Vec<Found>, QueryError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.found(TAIL, [signed(after), limit])
    }

    /// The number of the newest record; 0 if there is none.
    ///
    /// # Errors
    /// [`QueryError`] if the log does not answer.
    pub fn last(&self) -> Result<u64, QueryError> {
        let last = self.db.query_row(LAST, [], |row| row.get::<_, i64>(0))?;
        Ok(u64::try_from(last).unwrap_or(0))
    }

    /// A call's whole life, by its id or a unique beginning of it, by the id of its hold, or by the number of any of its
    /// records.
    ///
    /// # Errors
    /// [`ShowError`] if nothing, or more than one call, is named so.
    pub fn show(&self, id: &str) -> Result<Life, ShowError> {
        let unknown = || ShowError::Unknown(id.chars().filter(|c| !c.is_control()).take(80).collect());
        if let Ok(seq) = id.parse::<u64>() {
            if let Some(missing) = self.pruned()?.filter(|missing| (1..=missing.minimum).contains(&seq)) {
                return Err(ShowError::Pruned { seq, missing });
            }
            let one = self.found(ONE, [signed(seq)])?;
            let call = one.first().ok_or_else(unknown)?.record.call.clone();
            return match call {
                Some(call) => Ok(self.life(call)?),
                None => Ok(Life { call: None, records: one }),
            };
        }
        if id.starts_with("hold-") {
            let hold = HoldId::parse(id).map_err(|_| unknown())?;
            let hold = self.hold(&hold)?.ok_or_else(unknown)?;
            return Ok(self.life(hold.call().clone())?);
        }
        let mut calls = self.calls(id)?;
        match (calls.pop(), calls.is_empty()) {
            (None, _) => Err(unknown()),
            (Some(call), true) => Ok(self.life(call)?),
            (Some(call), false) => {
                calls.push(call);
                Err(ShowError::Ambiguous { wanted: id.to_owned(), calls })
            }
        }
    }

    /// A hold, open or ended.
    ///
    /// # Errors
    /// [`QueryError`] if the log does not answer.
    pub fn hold(&self, id: &HoldId) -> Result<Option<Hold>, QueryError> {
        Ok(load_hold(&self.db, id)?)
    }

    /// The newest holds, open and ended, the newest first.
    ///
    /// # Errors
    /// [`QueryError`] if the log does not answer.
    pub fn holds(&self, limit: usize) -> Result<Vec<Hold>, QueryError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self.db.prepare_cached(HOLDS)?;
        let holds = statement.query_map([limit], crate::log::recover::hold)?;
        Ok(holds.collect::<Result<_, _>>()?)
    }

    pub(crate) fn sealed(&self, id: &HoldId) -> Result<Option<Vec<u8>>, QueryError> {
        let sealed: Option<Option<Vec<u8>>> =
            self.db.prepare_cached(SEALED)?.query_row([id.as_str()], |row| row.get(0)).optional()?;
        Ok(sealed.flatten())
    }

    fn life(&self, call: CallId) -> Result<Life, QueryError> {
        let mut records = self.found(LIFE, [record::call_key(&call), LONGEST_LIFE])?;
        // The index has 60 of the id's 80 bits.
        records.retain(|found| found.record.call.as_ref() == Some(&call));
        Ok(Life { call: Some(call), records })
    }

    /// The calls whose ids begin so: no more than are worth naming.
    fn calls(&self, prefix: &str) -> Result<Vec<CallId>, QueryError> {
        const NAMED: usize = 10;
        let Some((first, last)) = record::prefix_range(prefix).filter(|_| !prefix.is_empty()) else {
            return Ok(Vec::new());
        };
        let mut statement = self.db.prepare_cached(CALLS)?;
        let limit = i64::try_from(NAMED).unwrap_or(i64::MAX);
        let records = statement.query_map([first, last, limit], |row| row.get::<_, Vec<u8>>(0))?;
        let mut calls = Vec::new();
        for bytes in records {
            let call = Record::parse(&bytes?).ok().and_then(|record| record.call);
            let full = if prefix.starts_with("call-") { prefix.to_owned() } else { format!("call-{prefix}") };
            calls.extend(call.filter(|call| call.as_str().starts_with(&full)));
        }
        Ok(calls)
    }

    fn found(&self, sql: &str, values: impl rusqlite::Params) -> Result<Vec<Found>, QueryError> {
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query(values)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(row)?);
        }
        Ok(found)
    }
}

fn read(row: &Row<'_>) -> Result<Found, QueryError> {
    let seq = crate::log::recover::number(row, 0)?;
    let record = Record::parse(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?)
        .map_err(|source| QueryError::Record { seq, source })?;
    let body = row.get_ref(2)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
    let body = body.and_then(|bytes| Value::parse(bytes, &Limits::ANSWER).ok());
    Ok(Found { record, body })
}

#[cfg(test)]
mod tests;
