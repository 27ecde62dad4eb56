//! Whether the index says of every record what the record says.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;

use super::tables::{ENTRIES, Indexed, span_of};
use super::tally;
use super::terms::Term;
use super::{Index, covered, head};
use crate::log::pen::signed;
use crate::log::recover::number;
use crate::query::{self, QueryError};
use crate::record::hash;

/// What an index says, in whatever order it is read: the index goes by terms and the log by records, and neither fits
/// into memory.
#[derive(Default, PartialEq, Eq)]
struct Sum {
    terms: u64,
    lanes: [u64; 4],
    spans: BTreeMap<u64, (i64, i64)>,
}

impl Sum {
    fn term(&mut self, seq: u64, term: &str) {
        self.terms += 1;
        self.add(1, &[&seq.to_be_bytes(), term.as_bytes()]);
    }

    /// A count of many is the sum of the counts of one, so it does not matter which records were counted together.
    fn tally(&mut self, row: [i64; 5], count: u64) {
        let [scale, slot, server, what, code] = row.map(i64::to_be_bytes);
        self.add(count, &[b"tally", &scale, &slot, &server, &what, &code]);
    }

    fn add(&mut self, times: u64, parts: &[&[u8]]) {
        let hash = hash(parts);
        let (parts, _) = hash.as_bytes().as_chunks::<8>();
        self.lanes.iter_mut().zip(parts).for_each(|(lane, part)| {
            *lane = lane.wrapping_add(u64::from_be_bytes(*part).wrapping_mul(times));
        });
    }

    fn of_log(log: &Connection, last: u64) -> Result<Self, QueryError> {
        let mut sum = Self::default();
        let mut statement = log.prepare(ENTRIES)?;
        let mut rows = statement.query([0, signed(last)])?;
        while let Some(row) = rows.next()? {
            let Indexed { seq, at, terms, tally, .. } = Indexed::read(row, log)?;
            tally::rows(&tally).for_each(|(row, count)| sum.tally(row, count));
            terms.iter().map(Term::to_string).for_each(|term| sum.term(seq, &term));
            let (low, high) = sum.spans.entry(span_of(seq)).or_insert((at, at));
            (*low, *high) = ((*low).min(at), (*high).max(at));
        }
        Ok(sum)
    }

    fn of_index(index: &Connection) -> Result<Self, QueryError> {
        let mut sum = Self::default();
        index.execute_batch("CREATE VIRTUAL TABLE temp.spelled USING fts5vocab(main, term, instance)")?;
        let mut statement = index.prepare("SELECT doc, term FROM temp.spelled")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            sum.term(number(row, 0)?, row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?);
        }
        let mut statement = index.prepare("SELECT scale, slot, server, what, code, count FROM tally")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let key = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
            sum.tally(key, number(row, 5)?);
        }
        let mut statement = index.prepare("SELECT first, low, high FROM span")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            sum.spans.insert(number(row, 0)?, (row.get(1)?, row.get(2)?));
        }
        Ok(sum)
    }
}

/// Whether the index in a state folder follows from the log's records. One that is missing, or of another log, is asked
/// nothing.
pub(crate) fn follows(state: &Path) -> Result<bool, QueryError> {
    let Some(index) = Index::open(state) else { return Ok(true) };
    // What it has now, the log has too when it is opened after.
    let Ok(still) = index.0.unchecked_transaction().and_then(|still| head(&still).map(|_| still)) else {
        return Ok(false);
    };
    // One snapshot: bodies may be erased between two looks.
    let log = query::open(state)?;
    let log = log.unchecked_transaction()?;
    match covered(&still, &log) {
        Ok(Some(last)) => {
            let wanted = Sum::of_log(&log, last)?;
            Ok(Sum::of_index(&still).is_ok_and(|found| found == wanted))
        }
        Ok(None) => Ok(true),
        Err(_) => Ok(false),
    }
}
