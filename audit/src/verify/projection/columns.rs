//! `Columns`: what the records say of the columns that no other comparison is about: times, the record behind a lease, and
//! hashes of definitions. A row that should not be there, or is missing, is found by its own table's comparison.

use std::collections::BTreeMap;

use jiff::Timestamp;
use policies::{Hash, Value};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde::{Deserialize, Serialize};

use super::super::{Broken, Kind, QueryError, Record, VerifyError, What};

/// Table → row → column → the last record about it, and what it says. What no record says is not compared: records of an
/// earlier version have no hash of a definition, and what an earlier version carried over has no columns at all.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Columns(BTreeMap<String, BTreeMap<String, Said>>);

type Said = BTreeMap<String, (u64, Cell)>;

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Cell {
    Nothing,
    Number(i64),
    /// The hash of a text: of the rest, records have no more.
    Hash(String),
}

struct Table {
    name: &'static str,
    /// As it is named to whoever verifies.
    what: &'static str,
    /// What its rows are known by.
    key: &'static [&'static str],
    columns: &'static [&'static str],
}

const TABLES: [Table; 7] = [
    Table { name: "agent", what: "agent", key: &["name"], columns: &["expires", "added"] },
    Table {
        name: "pin",
        what: "pin",
        key: &["server", "method", "name"],
        columns: &["pinned", "definition", "pending_definition"],
    },
    Table { name: "operator", what: "operator", key: &["name"], columns: &["added"] },
    Table { name: "failure", what: "count of failed sign-ins", key: &["name", "door"], columns: &["last"] },
    Table { name: "passkey", what: "passkey", key: &["operator", "credential"], columns: &["added", "used"] },
    Table { name: "mark", what: "mark", key: &["kind", "name"], columns: &["at"] },
    Table { name: "lease", what: "lease", key: &["backend", "lease"], columns: &["intent", "at"] },
];

/// The columns of which records have a hash.
const HASHED: [&str; 4] = ["credential", "lease", "definition", "pending_definition"];

impl Columns {
    pub(super) fn follow(&mut self, record: &Record) {
        match record.kind {
            Kind::Event => self.event(record),
            Kind::Outcome => {
                let undeclared = record.detail.pointer("/sandbox/undeclared").and_then(Value::as_bool) == Some(true);
                if let (true, Some(server)) = (undeclared, &record.server) {
                    self.row("mark", &["quarantine", server]).says("at", record, Some(at(record)));
                }
            }
            Kind::Intent | Kind::Refusal | Kind::Hold | Kind::Step | Kind::Relay => {}
        }
    }

    fn event(&mut self, record: &Record) {
        let text = |name: &str| record.detail.get(name).and_then(Value::as_str);
        let own = |name: &str| text(name).unwrap_or_default();
        let (Some(event), now) = (text("event"), Some(at(record))) else { return };
        let pin = [own("server"), own("method"), own("name")];
        let lease = [own("backend"), own("lease")];
        match event {
            "agent-added" => {
                let mut agent = self.row("agent", &[own("name")]);
                agent.says("expires", record, time(record.detail.get("expires")));
                agent.says("added", record, now);
            }
            "agent-removed" => self.forget("agent", &[own("name")]),
            "operator-added" => self.row("operator", &[own("name")]).says("added", record, now),
            "operator-removed" => {
                self.forget("operator", &[own("name")]);
                self.forget_all("failure", own("name"));
                self.forget_all("passkey", own("name"));
            }
            "pin-refused" | "passkey-refused" => {
                self.row("failure", &[own("name"), own("door")]).says("last", record, now);
            }
            "pin-accepted" => {
                self.row("failure", &[own("name"), own("door")]).says("last", record, Some(Cell::Nothing));
            }
            "passkey-added" => {
                let mut passkey = self.row("passkey", &[own("name"), own("credential")]);
                passkey.says("added", record, now);
                passkey.says("used", record, Some(Cell::Nothing));
            }
            "passkey-used" => {
                self.row("passkey", &[own("name"), own("credential")]).says("used", record, now);
                self.row("failure", &[own("name"), own("door")]).says("last", record, Some(Cell::Nothing));
            }
            "passkey-removed" => self.forget("passkey", &[own("name"), own("credential")]),
            "tool-pinned" => {
                let mut pin = self.row("pin", &pin);
                pin.says("pinned", record, now);
                pin.says("definition", record, text("kept").map(|kept| Cell::Hash(kept.to_owned())));
                pin.says("pending_definition", record, Some(Cell::Nothing));
            }
            "tool-changed" => {
                let kept = text("kept").map(|kept| Cell::Hash(kept.to_owned()));
                self.row("pin", &pin).says("pending_definition", record, kept);
            }
            "tool-restored" => self.row("pin", &pin).says("pending_definition", record, Some(Cell::Nothing)),
            "tool-accepted" => {
                let mut pin = self.row("pin", &pin);
                let accepted = pin.0.get("pending_definition").map(|(_, kept)| kept.clone());
                pin.says("definition", record, accepted);
                pin.says("pinned", record, now);
                pin.says("pending_definition", record, Some(Cell::Nothing));
            }
            "package-added" => self.row("mark", &["package", own("name")]).says("at", record, now),
            "package-removed" => self.forget("mark", &["package", own("name")]),
            "quarantine-lifted" => self.forget("mark", &["quarantine", own("name")]),
            "lease-taken" => {
                let mut lease = self.row("lease", &lease);
                let intent =
                    record.detail.get("intent").and_then(Value::as_u64).and_then(|seq| i64::try_from(seq).ok());
                lease.says("intent", record, intent.map(Cell::Number));
                lease.says("at", record, now);
            }
            "lease-ended" => self.forget("lease", &lease),
            _ => {}
        }
    }

    fn row(&mut self, table: &str, key: &[&str]) -> Row<'_> {
        Row(self.0.entry(table.to_owned()).or_default().entry(key.join("\n")).or_default())
    }

    fn forget(&mut self, table: &str, key: &[&str]) {
        if let Some(rows) = self.0.get_mut(table) {
            rows.remove(&key.join("\n"));
        }
    }

    /// All rows whose key begins with this name.
    fn forget_all(&mut self, table: &str, name: &str) {
        if let Some(rows) = self.0.get_mut(table) {
            rows.retain(|key, _| key.split('\n').next() != Some(name));
        }
    }

    pub(super) fn compare(&self, db: &Connection) -> Result<(), VerifyError> {
        // A log that an older version wrote lacks tables, and nothing is said of what belongs in them.
        let said = TABLES.iter().filter_map(|table| Some((table, self.0.get(table.name)?)));
        said.filter(|(_, rows)| !rows.is_empty()).try_for_each(|(table, rows)| table.compare(db, rows))
    }
}

/// What is said of one row.
struct Row<'a>(&'a mut Said);

impl Row<'_> {
    /// `None`: the record does not say.
    fn says(&mut self, column: &str, record: &Record, cell: Option<Cell>) {
        match cell {
            Some(cell) => drop(self.0.insert(column.to_owned(), (record.seq, cell))),
            None => drop(self.0.remove(column)),
        }
    }
}

impl Table {
    fn compare(&self, db: &Connection, said: &BTreeMap<String, Said>) -> Result<(), VerifyError> {
        let names = [self.key, self.columns].concat();
        let sql = format!("SELECT {} FROM {}", names.join(", "), self.name);
        let mut statement = db.prepare(&sql).map_err(QueryError::from)?;
        let mut rows = statement.query([]).map_err(QueryError::from)?;
        while let Some(row) = rows.next().map_err(QueryError::from)? {
            let mut cells = Vec::with_capacity(names.len());
            for (place, name) in names.iter().enumerate() {
                cells.push((*name, row.get_ref(place).map_err(QueryError::from)?));
            }
            let (key, columns) = cells.split_at(self.key.len());
            let key: Vec<String> = key.iter().map(|(name, value)| spelled(name, *value)).collect();
            let Some(said) = said.get(&key.join("\n")) else { continue };
            for (name, value) in columns {
                if let Some((seq, _)) = said.get(*name).filter(|(_, wanted)| *wanted != cell(name, *value)) {
                    return Err(Broken { seq: *seq, what: What::Projection(self.what) }.into());
                }
            }
        }
        Ok(())
    }
}

/// A part of a row's key, as records spell it.
fn spelled(column: &str, value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) if HASHED.contains(&column) => Hash::of(bytes).to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Null | ValueRef::Real(_) => String::new(),
    }
}

fn cell(column: &str, value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Nothing,
        ValueRef::Integer(number) => Cell::Number(number),
        ValueRef::Text(_) | ValueRef::Blob(_) | ValueRef::Real(_) => Cell::Hash(spelled(column, value)),
    }
}

fn at(record: &Record) -> Cell {
    Cell::Number(record.at.as_microsecond())
}

/// A time in a record, which may be none; `None` where it cannot be read.
fn time(said: Option<&Value>) -> Option<Cell> {
    let said = said?;
    if matches!(said, Value::Null) {
        return Some(Cell::Nothing);
    }
    said.as_str()?.parse::<Timestamp>().ok().map(|time| Cell::Number(time.as_microsecond()))
}
