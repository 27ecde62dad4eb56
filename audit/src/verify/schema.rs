//! Whether the database is made of what the log makes: its tables and indexes, and nothing else. What is there beside them, or
//! reads otherwise, could change what every reader of the file is told.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;

use super::projection::{has_table, rows};
use super::stopping::unless_stopped;
use super::{Broken, QueryError, VerifyError, What};
use crate::log::tables;
use crate::query;

/// Name → kind, table, and the statement that made it, without regard to spaces.
type Schema = BTreeMap<String, (String, String, String)>;

/// What is there must be what a log of its layout has. Tables of later versions may be missing: a log that an older version wrote
/// has none, and what belongs in them is compared by the records.
pub(super) fn compare(db: &Connection) -> Result<(), VerifyError> {
    let layout = tables::layout(db).map_err(QueryError::from)?;
    let model = |later| tables::model(layout, later).map_err(QueryError::from).and_then(|model| schema(&model));
    let (mut there, needed, known) = (schema(db)?, model(false)?, model(true)?);
    // SQLite's own figures change no answer, whatever is in them; a start removes them.
    for (name, sql) in tables::FIGURES {
        if there.get(name).is_some_and(|(kind, _, made)| kind == "table" && made == sql) {
            there.remove(name);
        }
    }
    if let Some((name, (kind, ..))) = there.iter().find(|(name, object)| known.get(*name) != Some(*object)) {
        let how = if known.contains_key(name) { "is not as the log makes it" } else { "is not the log's" };
        return Err(broken(format!("the {kind} `{name}` {how}")));
    }
    match needed.iter().find(|(name, _)| !there.contains_key(*name)) {
        Some((name, (kind, ..))) => Err(broken(format!("the {kind} `{name}` is missing"))),
        None => Ok(()),
    }
}

/// What `SQLite` itself finds wrong. An index that leaves rows out hides records from whoever asks, and the writer finds by one
/// that a call has run: its definition can be as it should be, and what is in it not. A million records take some three seconds:
/// counting the rows of each index would take less, and one row in another's place would pass. So it is asked on a connection of
/// its own, which is interrupted if `go_on` says so.
pub(super) fn sound(state: &Path, db: &Connection, go_on: &mut dyn FnMut() -> bool) -> Result<(), VerifyError> {
    let check = |db: &Connection| db.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0));
    let Some(found) = unless_stopped(query::open(state)?, go_on, check)? else { return Err(VerifyError::Stopped) };
    if found != "ok" {
        return Err(broken(found));
    }
    // A database that is read only is not asked for what its `CHECK`s say.
    for table in ["head", "erased", "pruned"] {
        let others = format!("SELECT id FROM {table} WHERE id <> 1");
        if has_table(db, table)? && !rows(db, &others, |row| row.get::<_, i64>(0))?.is_empty() {
            return Err(broken(format!("the table `{table}` has another row than its one")));
        }
    }
    Ok(())
}

fn broken(what: String) -> VerifyError {
    Broken { seq: 0, what: What::Database(what) }.into()
}

fn schema(db: &Connection) -> Result<Schema, QueryError> {
    let objects = rows(db, "SELECT name, type, tbl_name, COALESCE(sql, '') FROM sqlite_schema", |row| {
        let sql: String = row.get(3)?;
        let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok((row.get::<_, String>(0)?, (row.get(1)?, row.get(2)?, sql)))
    })?;
    Ok(objects.into_iter().collect())
}
