//! `Activity`: how much of what happened in a span of time; what a person looks at to see whether all is well.

use jiff::Timestamp;
use policies::{HoldId, Risk, Value};
use rusqlite::OptionalExtension as _;

use super::{QueryError, Reader};
use crate::log::pen::{micros, signed};
use crate::record::{Decided, Kind, Record};

/// Which time, and in how many parts.
#[derive(Clone, Debug)]
pub struct Span {
    /// From here.
    pub since: Timestamp,
    /// Up to here.
    pub until: Timestamp,
    /// How many parts of one length.
    pub parts: u32,
    /// Without the calls of this server: the gateway's own trials.
    pub without: Option<String>,
}

/// What happened in a span of time.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    /// What was decided, counted.
    pub decisions: Vec<Decision>,
    /// Calls that ended, the newest first, and no more than [`Activity::MOST`].
    pub ended: Vec<Ended>,
    /// What people answered, the newest first, and no more than [`Activity::MOST`].
    pub answered: Vec<Answered>,
}

/// How many calls were decided so, in one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Which part, from 0.
    pub part: u32,
    /// What was decided. A held call that is approved is decided again: it counts as held, and as allowed when it runs.
    pub verdict: Decided,
    /// What risk was found.
    pub risk: Option<Risk>,
    /// How many.
    pub calls: u64,
}

/// One call that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// How long after its intent, in microseconds.
    pub micros: u64,
    /// How many values were redacted from its answer.
    pub redactions: u64,
    /// How many of its connections were denied.
    pub denied: u64,
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
pub(super) const BEGUN: &str = "SELECT at FROM entry WHERE seq = ?1";
pub(super) const DECISIONS: &str = "SELECT (at - ?1) / ?2, verdict, risk, COUNT(*) FROM entry
    WHERE seq >= ?3 AND at >= ?1 AND at < ?4 AND verdict IS NOT NULL AND server IS NOT ?5 GROUP BY 1, 2, 3";
pub(super) const NEWEST: &str =
    "SELECT seq, record, NULL FROM entry WHERE seq >= ?1 AND at >= ?2 AND at < ?3 AND kind = ?4
    AND server IS NOT ?5 ORDER BY seq DESC LIMIT ?6";

impl Activity {
    /// Of calls that ended and of answers no more are read than this: the plot of a busy day must not keep the disk busy.
    pub const MOST: usize = 5_000;
}

impl Reader {
    /// What happened in a span of time.
    ///
    /// # Errors
    /// [`QueryError`] if the log does not answer.
    pub fn activity(&self, span: &Span) -> Result<Activity, QueryError> {
        let first = self.first_since(span.since)?;
        let without = span.without.as_deref().unwrap_or_default();
        // One that was never recorded has no number, and nothing has the number -1.
        let without = self.name(without)?.unwrap_or(-1);
        Ok(Activity {
            decisions: self.decisions(span, first, without)?,
            ended: self.ended(span, first, without)?,
            answered: self.answered(span, first, without)?,
        })
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

    fn decisions(&self, span: &Span, first: u64, without: i64) -> Result<Vec<Decision>, QueryError> {
        let (since, until) = (micros(span.since), micros(span.until));
        let width = (until - since).max(1).div_euclid(i64::from(span.parts.max(1))).max(1);
        let mut statement = self.db.prepare_cached(DECISIONS)?;
        let mut rows = statement.query([since, width, signed(first), until, without])?;
        let mut decisions = Vec::new();
        while let Some(row) = rows.next()? {
            let (part, verdict, risk): (u32, i64, Option<i64>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let Some(verdict) = Decided::ALL.into_iter().find(|decided| decided.code() == verdict) else { continue };
            let risk = RISKS.into_iter().find(|known| Some(known.level()) == risk);
            // The last part takes what rounding leaves.
            let part = part.min(span.parts.saturating_sub(1));
            decisions.push(Decision { part, verdict, risk, calls: row.get::<_, i64>(3)?.unsigned_abs() });
        }
        Ok(decisions)
    }

    fn ended(&self, span: &Span, first: u64, without: i64) -> Result<Vec<Ended>, QueryError> {
        let mut begun = self.db.prepare_cached(BEGUN)?;
        let mut ended = Vec::new();
        for record in self.newest(Kind::Outcome, span, first, without)? {
            let number = |pointer: &str| record.detail.pointer(pointer).and_then(Value::as_u64);
            let Some(intent) = number("/intent") else { continue };
            let begun = begun.query_row([signed(intent)], |row| row.get::<_, i64>(0)).optional()?;
            let took = begun.map_or(0, |begun| micros(record.at).saturating_sub(begun));
            ended.push(Ended {
                at: record.at,
                micros: u64::try_from(took).unwrap_or(0),
                redactions: number("/redactions").unwrap_or(0),
                denied: denied(&record),
            });
        }
        Ok(ended)
    }

    fn answered(&self, span: &Span, first: u64, without: i64) -> Result<Vec<Answered>, QueryError> {
        let mut answered = Vec::new();
        for record in self.newest(Kind::Step, span, first, without)? {
            let text = |pointer: &str| record.detail.pointer(pointer).and_then(Value::as_str);
            let approved = match text("/step/step") {
                Some("approve") => true,
                Some("deny") => false,
                Some(_) | None => continue,
            };
            let (Some(by), Some(hold)) = (text("/step/by"), text("/hold")) else { continue };
            let Ok(id) = HoldId::parse(hold) else { continue };
            let Some(hold) = self.hold(&id)? else { continue };
            let micros = u64::try_from(record.at.duration_since(hold.opened()).as_micros()).unwrap_or(0);
            answered.push(Answered { at: record.at, by: by.to_owned(), approved, micros });
        }
        Ok(answered)
    }

    fn newest(&self, kind: Kind, span: &Span, first: u64, without: i64) -> Result<Vec<Record>, QueryError> {
        let most = i64::try_from(Activity::MOST).unwrap_or(i64::MAX);
        let values = [signed(first), micros(span.since), micros(span.until), kind.code(), without, most];
        Ok(self.found(NEWEST, values)?.into_iter().map(|found| found.record).collect())
    }
}

const RISKS: [Risk; 4] = [Risk::Low, Risk::Medium, Risk::High, Risk::Critical];

fn denied(record: &Record) -> u64 {
    let observed = record.detail.pointer("/sandbox/observed").and_then(Value::as_array).unwrap_or_default();
    let denied = observed.iter().filter(|attempt| attempt.get("denied").is_some());
    denied.map(|attempt| attempt.get("times").and_then(Value::as_u64).unwrap_or(1)).sum()
}
