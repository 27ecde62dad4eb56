//! The gateway's database, read while it runs or after it died, without going through the gateway.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

/// What a record is about, by its code in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A call is about to run.
    Intent = 1,
    /// How a call ended.
    Outcome = 2,
    /// A call was denied.
    Refusal = 3,
    /// A call waits for people.
    Hold = 4,
    /// Something happened to a hold.
    Step = 5,
    /// A server's question, or the answer to it.
    Relay = 6,
    /// Anything that is not about one call.
    Event = 7,
}

/// A record: its own JSON, and the redacted arguments or result that lie beside it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// `{"seq","kind","call",…}`
    pub record: Value,
    /// As text; empty if nothing was kept.
    pub body: String,
}

/// The log of one state folder.
#[derive(Debug)]
pub struct Ledger {
    database: Connection,
}

impl Ledger {
    /// Opens the database to read it; `None` while there is none.
    #[must_use]
    pub fn open(state: &Path) -> Option<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Connection::open_with_flags(state.join("portcullis.db"), flags).ok()?;
        database.busy_timeout(std::time::Duration::from_secs(2)).ok()?;
        Some(Self { database })
    }

    /// How many records of this kind there are.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        let count = self
            .database
            .query_row("SELECT count(*) FROM entry WHERE kind = ?1", [kind as i64], |row| row.get::<_, i64>(0));
        count.ok().and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
    }

    /// All records of this kind, oldest first.
    #[must_use]
    pub fn entries(&self, kind: Kind) -> Vec<Entry> {
        let mut query = self
            .database
            .prepare("SELECT record, body FROM entry WHERE kind = ?1 ORDER BY seq")
            .expect("the log has its tables");
        let rows = query.query_map([kind as i64], |row| {
            let record: Vec<u8> = row.get(0)?;
            let body: Option<Vec<u8>> = row.get(1)?;
            let body = String::from_utf8_lossy(&body.unwrap_or_default()).into_owned();
            Ok(Entry { record: serde_json::from_slice(&record).unwrap_or_default(), body })
        });
        rows.expect("the log can be read").filter_map(Result::ok).collect()
    }

    /// What the sandbox of the last call saw of its attempts to reach anything.
    #[must_use]
    pub fn observed(&self) -> Vec<Value> {
        let record = self.entries(Kind::Outcome).pop().map(|entry| entry.record).unwrap_or_default();
        record["detail"]["sandbox"]["observed"].as_array().cloned().unwrap_or_default()
    }

    /// Whether the last call's record has a refused attempt with all these words.
    #[must_use]
    pub fn refused(&self, words: &[&str]) -> bool {
        let told = |attempt: &Value| words.iter().all(|word| attempt.to_string().contains(word));
        self.observed().iter().any(|attempt| attempt["denied"].is_string() && told(attempt))
    }

    /// Every hold as it is stored, oldest first.
    #[must_use]
    pub fn holds(&self) -> Vec<Value> {
        self.texts("SELECT hold FROM hold ORDER BY rowid")
    }

    /// Every pass as it is stored, also one that is used up.
    #[must_use]
    pub fn passes(&self) -> Vec<Value> {
        self.texts("SELECT pass FROM pass")
    }

    /// Every review that is open, as it is stored.
    #[must_use]
    pub fn reviews(&self) -> Vec<Value> {
        self.texts("SELECT review FROM review")
    }

    fn texts(&self, sql: &str) -> Vec<Value> {
        let mut query = self.database.prepare(sql).expect("the log has its tables");
        let rows = query.query_map([], |row| row.get::<_, String>(0)).expect("they can be read");
        rows.filter_map(Result::ok).map(|text| serde_json::from_str(&text).unwrap_or_default()).collect()
    }

    /// How many records of this kind keep a body in which `text` stands.
    #[must_use]
    pub fn mentions(&self, kind: Kind, text: &str) -> usize {
        self.entries(kind).iter().filter(|entry| entry.body.contains(text)).count()
    }
}
