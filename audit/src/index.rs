//! `Index`: which records have a word, a name, a verdict or a time. It lies in a file of its own beside the log and is
//! made of nothing but the log's records.
//!
//! ```text
//!  writer ── every tick: «records up to n» ──► feeder ── reads the log, adds ──► search.db
//!  reader ── records after the index's last: one by one ── before: by the index, then compared with the record
//! ```
//!
//! Nobody waits for it: a record is acknowledged before it is here. The index is no evidence. It can withhold a record
//! and never make one up, `log verify` compares it with the records, and without it every question is answered more slowly.

mod beginning;
mod check;
mod feeder;
mod tables;
pub(crate) mod tally;
pub(crate) mod terms;

use std::io;
use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use thiserror::Error;

use crate::log::files::SEARCH;
use crate::log::pen::{Head, signed};
use crate::log::pruned::base;
use crate::log::recover::{hash, number};
use crate::log::retention::erased;
use crate::log::tables::{distrust, layout};
use crate::query::QueryError;
use tally::Counted;

pub(crate) use check::follows;
pub(crate) use feeder::Feeder;
pub(crate) use tables::remove as forget;

/// The layout of the index, in `user_version`; also what its terms are made of. Another one is made anew.
const LAYOUT: i64 = 3;

/// How many records share one line of times: few enough to read one by one, and ten million have ten thousand lines.
const SPAN: u64 = 1_024;

/// How long one program waits while another has the index locked.
const WAIT: Duration = Duration::from_secs(2);

/// Which records of a range have all of some terms, the newest first.
const FOUND: &str = "SELECT rowid FROM term WHERE term MATCH ?1 AND rowid BETWEEN ?2 AND ?3 ORDER BY rowid DESC";

/// The first span that ends no earlier than a time, and the last that begins before one. Spans stand in the order of
/// their records: a clock that was put back leaves no gap.
const SINCE: &str = "SELECT first FROM span WHERE high >= ?1 ORDER BY first LIMIT 1";
const UNTIL: &str = "SELECT first FROM span WHERE low < ?1 ORDER BY first DESC LIMIT 1";

/// What was counted in some rows of a scale.
const COUNTED: &str = "SELECT slot, server, what, code, count FROM tally WHERE scale = ?1 AND slot >= ?2 AND slot < ?3";

/// Why the index does not grow.
#[derive(Debug, Error)]
enum IndexError {
    #[error("its file cannot be made")]
    File(#[from] io::Error),
    #[error("its database does not answer")]
    Database(#[from] rusqlite::Error),
    #[error("the log does not answer")]
    Log(#[from] QueryError),
}

/// The index, to read.
#[derive(Debug)]
pub(crate) struct Index(Connection);

impl Index {
    /// The index in a state folder, if there is one that can be read.
    pub(crate) fn open(state: &Path) -> Option<Self> {
        let path = state.join(SEARCH);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(&path, flags).and_then(|db| {
            db.busy_timeout(WAIT)?;
            distrust(&db)?;
            Ok((layout(&db)?, db))
        });
        opened.ok().filter(|(layout, _)| *layout == LAYOUT).map(|(_, db)| Self(db))
    }

    /// The last record of this log that the index has, with all before it; 0 if it is another log's.
    pub(crate) fn covers(&self, log: &Connection) -> rusqlite::Result<u64> {
        Ok(covered(&self.0, log)?.unwrap_or(0))
    }

    /// Between which numbers all records of this time lie, among those that the index has.
    pub(crate) fn numbers(&self, since: Option<i64>, until: Option<i64>) -> rusqlite::Result<RangeInclusive<u64>> {
        let ask = |sql, at: i64| self.0.prepare_cached(sql)?.query_row([at], |row| number(row, 0)).optional();
        let first = since.map_or(Ok(Some(1)), |since| ask(SINCE, since))?;
        let last = until.map_or(Ok(Some(u64::MAX - SPAN)), |until| ask(UNTIL, until))?;
        #[expect(clippy::reversed_empty_ranges, reason = "no record is of this time")]
        Ok(first.zip(last).map_or(1..=0, |(first, last)| first..=last + SPAN - 1))
    }

    /// Visits what was counted in some rows of a scale: the row, the server, what, and how often. Says up to which record.
    pub(crate) fn counted(
        &self,
        log: &Connection,
        scale: i64,
        slots: Range<i64>,
        visit: &mut impl FnMut(i64, i64, Counted, u64),
    ) -> rusqlite::Result<u64> {
        // One view: what is not in these counts is read from the log, and nothing twice.
        let still = self.0.unchecked_transaction()?;
        let Some(last) = covered(&still, log)? else { return Ok(0) };
        let mut statement = still.prepare_cached(COUNTED)?;
        let mut rows = statement.query([scale, slots.start, slots.end])?;
        while let Some(row) = rows.next()? {
            if let Some(counted) = Counted::of_codes(row.get(2)?, row.get(3)?) {
                visit(row.get(0)?, row.get(1)?, counted, number(row, 4)?);
            }
        }
        Ok(last)
    }

    /// Visits the records of a range that have all of these terms, and a word of each beginning, the newest first, until
    /// `visit` has enough.
    pub(crate) fn found(
        &self,
        (terms, beginnings): (&[String], &[String]),
        numbers: RangeInclusive<u64>,
        mut visit: impl FnMut(u64) -> Result<bool, QueryError>,
    ) -> Result<(), QueryError> {
        let mut terms = terms.to_vec();
        for beginning in beginnings {
            let Some(any) = self.beginning(beginning)? else { return Ok(()) };
            terms.push(any);
        }
        let mut statement = self.0.prepare_cached(FOUND)?;
        let (first, last) = (signed(*numbers.start()), signed(*numbers.end()));
        let mut rows = statement.query((terms.join(" AND "), first, last))?;
        while let Some(row) = rows.next()? {
            if visit(number(row, 0)?)? {
                break;
            }
        }
        Ok(())
    }
}

/// The last record that an index has; `None` if it is not of this log or not of this layout.
fn covered(index: &Connection, log: &Connection) -> rusqlite::Result<Option<u64>> {
    if layout(index)? != LAYOUT {
        return Ok(None);
    }
    // One that has words of what was erased since is asked nothing, and is made anew.
    if index.query_row("SELECT bodies FROM erased", [], |row| number(row, 0))? != erased(log)? {
        return Ok(None);
    }
    let head = head(index)?.unwrap_or_else(Head::start);
    if head.seq == 0 {
        return Ok(Some(0));
    }
    // Where records were pruned, it begins after them.
    if base(log)? == (head.seq, head.chain) {
        return Ok(Some(head.seq));
    }
    let mut statement = log.prepare_cached("SELECT chain FROM entry WHERE seq = ?1")?;
    let chain = statement.query_row([signed(head.seq)], |row| hash(row, 0)).optional()?;
    Ok(chain.filter(|chain| *chain == head.chain).map(|_| head.seq))
}

fn head(index: &Connection) -> rusqlite::Result<Option<Head>> {
    let mut statement = index.prepare_cached("SELECT seq, chain FROM head")?;
    statement.query_row([], |row| Ok(Head { seq: number(row, 0)?, chain: hash(row, 1)? })).optional()
}

#[cfg(test)]
mod tests;
