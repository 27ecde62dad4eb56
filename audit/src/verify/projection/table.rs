//! How a table is compared with what its records say.

use std::collections::BTreeMap;

use policies::Hash;
use rusqlite::Connection;

use super::super::{Broken, QueryError, VerifyError, What};

/// Compares a table of texts by hold with their digests.
pub(super) fn compare_texts(
    db: &Connection,
    table: &'static str,
    sql: &str,
    expected: &BTreeMap<String, (u64, Option<String>)>,
) -> Result<(), VerifyError> {
    // A log that an older version wrote has no such table, and nothing that belongs in it.
    if expected.is_empty() && !has_table(db, table)? {
        return Ok(());
    }
    let rows = rows(db, sql, |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let stored: BTreeMap<String, String> =
        rows.into_iter().map(|(hold, text)| (hold, Hash::of(text.as_bytes()).to_string())).collect();
    let wanted = expected.iter().filter_map(|(hold, (seq, digest))| Some((hold, *seq, digest.clone()?)));
    same(table, wanted, &stored, |hold| expected.get(hold).map_or(0, |(seq, _)| *seq))
}

pub(in crate::verify) fn has_table(db: &Connection, name: &str) -> Result<bool, VerifyError> {
    let there = rows(db, "SELECT name FROM sqlite_schema WHERE type = 'table'", |row| row.get::<_, String>(0))?;
    Ok(there.iter().any(|table| table == name))
}

pub(in crate::verify) fn same<'a, K: Ord + 'a>(
    what: &'static str,
    wanted: impl Iterator<Item = (&'a K, u64, String)>,
    stored: &BTreeMap<K, String>,
    last: impl Fn(&K) -> u64,
) -> Result<(), VerifyError> {
    let mut count = 0;
    for (key, seq, value) in wanted {
        count += 1;
        if stored.get(key) != Some(&value) {
            return Err(Broken { seq, what: What::Projection(what) }.into());
        }
    }
    if count == stored.len() {
        return Ok(());
    }
    // One more than the records made.
    let seq = stored.keys().map(last).min().unwrap_or(0);
    Err(Broken { seq, what: What::Projection(what) }.into())
}

pub(in crate::verify) fn rows<T>(
    db: &Connection,
    sql: &str,
    read: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, QueryError> {
    let mut statement = db.prepare(sql)?;
    let rows = statement.query_map([], |row| read(row))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
