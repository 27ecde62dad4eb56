//! `Activity`: how much of what happened in a span of time; what a person looks at to see whether all is well.

use std::collections::BTreeMap;

use jiff::Timestamp;
use policies::{HoldId, Risk, Value};
use rusqlite::OptionalExtension as _;

use super::{Filter, QueryError, Reader};
use crate::index::tally::{self, Counted, Tally};
use crate::log::pen::{micros, signed};
use crate::record::{Decided, Kind};

/// Which time, in parts of one length.
#[derive(Clone, Debug)]
pub struct Span {
    /// The first row of [`tally::SCALES`]'s counts.
    slot: i64,
    scale: i64,
    /// How many rows a part has.
    rows: i64,
    parts: u32,
    without: Option<String>,
}

impl Span {
    /// So many minutes back from a time, in no more than so many parts. Parts are whole minutes; long ones half hours, and
    /// longer ones three hours, as they were counted: so it begins up to a part earlier, and ends up to a part later.
    /// Without the calls of one server: the gateway's own trials.
    #[must_use]
    pub fn back(until: Timestamp, minutes: u32, parts: u32, without: Option<String>) -> Self {
        let wanted = minutes.max(1).div_ceil(parts.max(1));
        let [minute, half, three] = tally::SCALES;
        let scale = match wanted {
            0..=12 => minute,
            13..=90 => half,
            _ => three,
        };
        let rows = i64::from(wanted).div_euclid(scale) + i64::from(i64::from(wanted).rem_euclid(scale) > 0);
        let length = u32::try_from(rows * scale).unwrap_or(u32::MAX);
        let parts = minutes.max(1).div_ceil(length);
        let slot = tally::slot(micros(until), scale) + 1 - i64::from(parts) * rows;
        Self { slot, scale, rows, parts, without }
    }

    /// From here.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        self.time(self.slot)
    }

    /// Up to here.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        self.time(self.end())
    }

    fn end(&self) -> i64 {
        self.slot + i64::from(self.parts) * self.rows
    }

    fn time(&self, slot: i64) -> Timestamp {
        Timestamp::from_second(slot.saturating_mul(self.scale * 60)).unwrap_or(Timestamp::MIN)
    }
}

/// What happened in a span of time.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    /// Part by part.
    pub parts: Vec<Part>,
    /// What people answered, the newest first, and no more than [`Activity::MOST`].
    pub answered: Vec<Answered>,
    /// There was more than is read at once: answers, or records that the index does not have yet.
    pub partial: bool,
}

/// What happened in one part.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// How many calls were decided so, and what risk was found. A held call that is approved is decided again: it counts as
    /// held, and as allowed when it runs.
    pub decided: Vec<(Decided, Option<Risk>, u64)>,
    /// How many calls ended.
    pub ended: u64,
    /// How many values were redacted from answers.
    pub redactions: u64,
    /// How many connections sandboxes were denied.
    pub denied: u64,
    took: BTreeMap<u16, u64>,
}

impl Part {
    /// So many hundredths of the calls ran no longer, in microseconds: told up to a quarter too long, never too short.
    #[must_use]
    pub fn within(&self, percent: u64) -> Option<u64> {
        let wanted = (self.took.values().sum::<u64>() * percent).div_ceil(100);
        let mut seen = 0;
        let found = self.took.iter().find(|(_, count)| {
            seen += **count;
            seen >= wanted
        });
        found.map(|(bucket, _)| tally::longest(*bucket))
    }

    /// Counts something.
    pub(crate) fn add(&mut self, counted: Counted, count: u64) {
        match counted {
            Counted::Decided(verdict, risk) => {
                match self.decided.iter_mut().find(|(one, other, _)| (*one, *other) == (verdict, risk)) {
                    Some((_, _, calls)) => *calls += count,
                    None => self.decided.push((verdict, risk, count)),
                }
            }
            Counted::Ended(took) => {
                self.ended += count;
                if let Some(took) = took {
                    *self.took.entry(took).or_default() += count;
                }
            }
            Counted::Redacted => self.redactions += count,
            Counted::Denied => self.denied += count,
        }
    }
}

/// One person's answer to a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// Yes or no.
    pub approved: bool,
    /// How long after the hold was opened, in microseconds.
    pub micros: u64,
}

pub(super) const FROM: &str = "SELECT at FROM entry WHERE seq >= ?1 ORDER BY seq LIMIT 1";
pub(super) const NAME: &str = "SELECT id FROM name WHERE text = ?1";

impl Activity {
    /// Of answers no more are read than this.
    pub const MOST: usize = 5_000;

    /// Nor of records that the index does not have: the newest of them, where it is being made anew.
    const NEW: u64 = 20_000;
}

impl Reader {
    /// What happened in a span of time.
    ///
    /// # Errors
    /// [`QueryError`] if the log does not answer.
    pub fn activity(&self, span: &Span) -> Result<Activity, QueryError> {
        let without = span.without.as_deref().unwrap_or_default();
        // One that was never recorded has no number, and nothing has the number -1.
        let without = self.name(without)?.unwrap_or(-1);
        let mut parts = vec![Part::default(); usize::try_from(span.parts).unwrap_or(1)];
        let mut add = |at: i64, server: i64, counted, count| {
            let place = usize::try_from((at - span.slot).div_euclid(span.rows)).ok();
            if let Some(part) = place.and_then(|place| parts.get_mut(place)).filter(|_| server != without) {
                part.add(counted, count);
            }
        };
        let counted = self.index().map(|index| index.counted(&self.db, span.scale, span.slot..span.end(), &mut add));
        let covered = counted.transpose()?.unwrap_or(0);
        let (last, first) = (self.last()?, self.first_since(span.since())?);
        let first = first.max(covered + 1);
        let newest = first.max(last.saturating_sub(Activity::NEW) + 1);
        Tally::each(&self.db, newest, |Tally { at, server, counts }| {
            let slot = tally::slot(at, span.scale);
            for (counted, count) in counts {
                add(slot, server, counted, count);
            }
        })?;
        let answered = self.answered(span)?;
        let partial = newest > first || answered.len() == Activity::MOST;
        Ok(Activity { parts, answered, partial })
    }

    /// The number of the first record that is not before this time: numbers and times grow together, so it is found by
    /// halving, and no index of times has to be kept. Where a clock was set back, a few records more or less are looked at.
    fn first_since(&self, since: Timestamp) -> Result<u64, QueryError> {
        let since = micros(since);
        let mut statement = self.db.prepare_cached(FROM)?;
        let (mut low, mut high) = (1, self.last()? + 1);
        while low < high {
            let middle = low.midpoint(high);
            let at = statement.query_row([signed(middle)], |row| row.get::<_, i64>(0)).optional()?;
            if at.is_none_or(|at| at >= since) { high = middle } else { low = middle + 1 }
        }
        Ok(low)
    }

    fn name(&self, text: &str) -> Result<Option<i64>, QueryError> {
        let mut statement = self.db.prepare_cached(NAME)?;
        Ok(statement.query_row([text], |row| row.get(0)).optional()?)
    }

    fn answered(&self, span: &Span) -> Result<Vec<Answered>, QueryError> {
        let filter = Filter {
            kinds: vec![Kind::Step],
            since: Some(span.since()),
            until: Some(span.until()),
            limit: Some(Activity::MOST),
            ..Filter::default()
        };
        let mut answered = Vec::new();
        for found in self.list(&filter)? {
            let record = found.record;
            let text = |pointer: &str| record.detail.pointer(pointer).and_then(Value::as_str);
            let approved = match text("/step/step") {
                Some("approve") => true,
                Some("deny") => false,
                Some(_) | None => continue,
            };
            if record.server.is_some() && record.server == span.without {
                continue;
            }
            let (Some(by), Some(hold)) = (text("/step/by"), text("/hold")) else { continue };
            let Ok(id) = HoldId::parse(hold) else { continue };
            let Some(hold) = self.hold(&id)? else { continue };
            let micros = u64::try_from(record.at.duration_since(hold.opened()).as_micros()).unwrap_or(0);
            answered.push(Answered { at: record.at, by: by.to_owned(), approved, micros });
        }
        Ok(answered)
    }
}
