//! `Tally`: what *Now* plots, counted as records are added to the index: a busy week is read as quickly as an hour.

use std::collections::HashMap;

use policies::{Risk, Value};
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::log::pen::{micros, signed};
use crate::record::{Decided, Kind, Record};

/// How many minutes the counts of one row are of. An hour has 60 rows of the first for each thing counted, a day 48 of the
/// second, a week 56 of the third.
pub(crate) const SCALES: [i64; 3] = [1, 30, 180];

/// Counts of one server's calls.
pub(super) const TABLE: &str = "
CREATE TABLE tally (
    scale INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    server INTEGER NOT NULL,
    what INTEGER NOT NULL,
    code INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (scale, slot, server, what, code)
) STRICT, WITHOUT ROWID;
";

pub(super) const COUNT: &str =
    "INSERT INTO tally (scale, slot, server, what, code, count) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT DO UPDATE SET count = count + excluded.count";

/// When a record was made.
pub(crate) const AT: &str = "SELECT at FROM entry WHERE seq = ?1";

/// What is counted of records that the index does not have.
pub(crate) const NEWER: &str = "SELECT at, server, risk, verdict, kind, record FROM entry WHERE seq >= ?1";

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Counted {
    /// A verdict, and the risk that was found.
    Decided(Decided, Option<Risk>),
    /// A call that ended, by how long it ran: [`bucket`]; `None` where its intent was pruned.
    Ended(Option<u16>),
    /// Values that were redacted from answers.
    Redacted,
    /// Connections that sandboxes were denied.
    Denied,
}

/// More than a risk has levels.
const LEVELS: i64 = 8;

impl Counted {
    pub(super) fn codes(self) -> (i64, i64) {
        match self {
            Self::Decided(verdict, risk) => (1, verdict.code() * LEVELS + risk.map_or(LEVELS - 1, Risk::level)),
            Self::Ended(took) => (2, took.map_or(-1, i64::from)),
            Self::Redacted => (3, 0),
            Self::Denied => (4, 0),
        }
    }

    /// `None` for what nobody counts.
    pub(crate) fn of_codes(what: i64, code: i64) -> Option<Self> {
        match what {
            1 => {
                let verdict = Decided::ALL.into_iter().find(|verdict| verdict.code() == code.div_euclid(LEVELS))?;
                Some(Self::Decided(verdict, of_level(code.rem_euclid(LEVELS))))
            }
            2 => Some(Self::Ended(u16::try_from(code).ok())),
            3 => Some(Self::Redacted),
            4 => Some(Self::Denied),
            _ => None,
        }
    }
}

/// Four buckets to each doubling, so that a time is told at most a quarter too long.
pub(crate) fn bucket(micros: u64) -> u16 {
    let Some(doublings) = micros.checked_ilog2().filter(|doublings| *doublings >= 2) else {
        return u16::try_from(micros).unwrap_or(0);
    };
    let quarter = micros >> (doublings - 2) & 3;
    u16::try_from(u64::from(doublings) * 4 + quarter).unwrap_or(u16::MAX)
}

/// The longest time of a bucket, in microseconds.
pub(crate) fn longest(bucket: u16) -> u64 {
    let (doublings, quarter) = (u32::from(bucket / 4), u64::from(bucket % 4));
    if doublings < 2 {
        return u64::from(bucket);
    }
    let next = u128::from(5 + quarter).checked_shl(doublings - 2).unwrap_or(u128::MAX);
    u64::try_from(next - 1).unwrap_or(u64::MAX)
}

/// Which of a scale's rows a time falls into.
pub(crate) fn slot(at: i64, scale: i64) -> i64 {
    at.div_euclid(60_000_000).div_euclid(scale)
}

/// What one record adds.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) at: i64,
    /// 0 for none: names have numbers from 1.
    pub(crate) server: i64,
    pub(crate) counts: Vec<(Counted, u64)>,
}

impl Tally {
    /// Of each record from a number on, as the log has it.
    pub(crate) fn each(log: &Connection, first: u64, mut visit: impl FnMut(Self)) -> rusqlite::Result<()> {
        let mut statement = log.prepare_cached(NEWER)?;
        let mut rows = statement.query([signed(first)])?;
        while let Some(row) = rows.next()? {
            // The columns say all that is counted of the others.
            let ended = row.get::<_, i64>(4)? == Kind::Outcome.code();
            let record = if ended { Record::parse(row.get_ref(5)?.as_blob()?).ok() } else { None };
            visit(Self::of(row, [0, 1, 2, 3], record.as_ref(), log)?);
        }
        Ok(())
    }

    /// Of a record, and its row's columns: `at`, `server`, `risk`, `verdict`.
    pub(super) fn of(
        row: &Row<'_>,
        [at, server, risk, verdict]: [usize; 4],
        record: Option<&Record>,
        log: &Connection,
    ) -> rusqlite::Result<Self> {
        let (at, server): (i64, Option<i64>) = (row.get(at)?, row.get(server)?);
        let (risk, verdict): (Option<i64>, Option<i64>) = (row.get(risk)?, row.get(verdict)?);
        let mut counts = Vec::new();
        if let Some(verdict) = Decided::ALL.into_iter().find(|known| Some(known.code()) == verdict) {
            counts.push((Counted::Decided(verdict, risk.and_then(of_level)), 1));
        }
        if let Some(record) = record.filter(|record| record.kind == Kind::Outcome) {
            ended(record, log, &mut counts)?;
        }
        Ok(Self { at, server: server.unwrap_or(0), counts })
    }
}

fn ended(record: &Record, log: &Connection, counts: &mut Vec<(Counted, u64)>) -> rusqlite::Result<()> {
    let number = |pointer: &str| record.detail.pointer(pointer).and_then(Value::as_u64);
    let Some(intent) = number("/intent") else { return Ok(()) };
    let begun = log.prepare_cached(AT)?.query_row([signed(intent)], |row| row.get::<_, i64>(0)).optional()?;
    let took = begun.map(|begun| bucket(u64::try_from(micros(record.at).saturating_sub(begun)).unwrap_or(0)));
    counts.push((Counted::Ended(took), 1));
    let others = [(Counted::Redacted, number("/redactions").unwrap_or(0)), (Counted::Denied, denied(record))];
    counts.extend(others.into_iter().filter(|(_, count)| *count > 0));
    Ok(())
}

fn denied(record: &Record) -> u64 {
    let observed = record.detail.pointer("/sandbox/observed").and_then(Value::as_array).unwrap_or_default();
    let denied = observed.iter().filter(|attempt| attempt.get("denied").is_some());
    denied.map(|attempt| attempt.get("times").and_then(Value::as_u64).unwrap_or(1)).sum()
}

/// What the records of one transaction add, row by row.
#[derive(Default)]
pub(super) struct Sums(HashMap<[i64; 5], u64>);

impl Sums {
    pub(super) fn add(&mut self, tally: &Tally) {
        for (row, count) in rows(tally) {
            *self.0.entry(row).or_default() += count;
        }
    }

    pub(super) fn write(&self, index: &Connection) -> rusqlite::Result<()> {
        let mut statement = index.prepare_cached(COUNT)?;
        for ([scale, slot, server, what, code], count) in &self.0 {
            statement.execute([*scale, *slot, *server, *what, *code, signed(*count)])?;
        }
        Ok(())
    }
}

/// Which rows a record is counted in.
pub(super) fn rows(tally: &Tally) -> impl Iterator<Item = ([i64; 5], u64)> {
    SCALES.into_iter().flat_map(move |scale| {
        tally.counts.iter().map(move |(counted, count)| {
            let (what, code) = counted.codes();
            ([scale, slot(tally.at, scale), tally.server, what, code], *count)
        })
    })
}

fn of_level(level: i64) -> Option<Risk> {
    Risk::ALL.into_iter().find(|risk| risk.level() == level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_at_most_a_quarter_too_long_and_never_too_short() {
        let mut before = 0;
        for micros in (0..5_000).chain((13..64).flat_map(|bits| [(1 << bits) - 1, 1 << bits, (1 << bits) + 1])) {
            let told = longest(bucket(micros));
            assert!(told >= micros && told - micros <= micros / 4, "{micros}: {told}");
            assert!(bucket(micros) >= before);
            before = bucket(micros);
        }
        assert_eq!(longest(bucket(u64::MAX)), u64::MAX);
    }

    #[test]
    fn what_is_counted_is_told_by_its_codes() {
        let risks = Risk::ALL.into_iter().map(Some).chain([None]);
        let decided =
            Decided::ALL.into_iter().flat_map(|verdict| risks.clone().map(move |risk| Counted::Decided(verdict, risk)));
        let others = [
            Counted::Ended(None),
            Counted::Ended(Some(0)),
            Counted::Ended(Some(77)),
            Counted::Redacted,
            Counted::Denied,
        ];
        for counted in decided.chain(others) {
            let (what, code) = counted.codes();
            assert_eq!(Counted::of_codes(what, code), Some(counted));
        }
        assert_eq!((Counted::of_codes(1, 0), Counted::of_codes(9, 0)), (None, None));
    }
}
