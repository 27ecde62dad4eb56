//! How things are going: what the console plots.

use std::collections::BTreeMap;

use audit::{Activity, Answered, Span};
use jiff::Timestamp;
use jsonrpsee::core::RegisterMethodError;
use policies::Risk;
use serde::{Deserialize, Serialize};

use super::Operators;
use super::method::{Asked, Module, method};
use super::people::Needs;
use super::refused::Refused;
use super::trail::{read, unread};
use crate::clock;
use crate::liveness;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// How far back, in minutes.
    minutes: u32,
    /// In how many parts at most.
    parts: u32,
}

/// A span of time in parts of one length.
#[derive(Clone, Serialize)]
pub(super) struct Now {
    since: Timestamp,
    until: Timestamp,
    parts: Vec<Part>,
    operators: Vec<Load>,
    /// There was more than is read at once: these are the newest records and answers.
    partial: bool,
}

/// What happened in one part.
#[derive(Clone, Default, Serialize)]
struct Part {
    /// Calls by verdict, then by risk.
    decided: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    /// Calls that ended.
    ended: u64,
    /// Half of them took no longer, in milliseconds; a quarter less, perhaps.
    #[serde(skip_serializing_if = "Option::is_none")]
    p50: Option<f64>,
    /// 19 of 20 took no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    p95: Option<f64>,
    redactions: u64,
    /// Connections that sandboxes were denied.
    denied: u64,
}

/// What one operator answered.
#[derive(Clone, Serialize)]
struct Load {
    operator: String,
    approved: usize,
    denied: usize,
    /// Half of the answers came within this time after the hold was opened, in seconds.
    median: f64,
    /// Approvals within [`HASTY`]: too fast for a person to have read the card.
    hasty: usize,
}

const HASTY: u64 = 3_000_000;

/// A month.
const LONGEST: u32 = 31 * 24 * 60;

pub(super) fn register(to: &mut Module) -> Result<(), RegisterMethodError> {
    method(to, "now", Needs::Read, |all, _, wanted: Wanted| async move { now(&all, &wanted).await })
}

async fn now(all: &Operators, wanted: &Wanted) -> Asked<Now> {
    if !(1..=LONGEST).contains(&wanted.minutes) || !(1..=500).contains(&wanted.parts) {
        return Err(Refused::Params("`minutes` is 1 to 44640, `parts` 1 to 500".into()));
    }
    let span = Span::back(clock::now(), wanted.minutes, wanted.parts, Some(liveness::SERVER.to_owned()));
    read(&all.audit, move |log| Ok(Now::of(&span, &log.activity(&span).map_err(unread)?))).await
}

impl Now {
    fn of(span: &Span, activity: &Activity) -> Self {
        let parts = activity.parts.iter().map(Part::of).collect();
        let operators = loads(&activity.answered);
        Self { since: span.since(), until: span.until(), parts, operators, partial: activity.partial }
    }
}

impl Part {
    fn of(found: &audit::Part) -> Self {
        let mut decided: BTreeMap<_, BTreeMap<_, u64>> = BTreeMap::new();
        for (verdict, risk, calls) in &found.decided {
            let risk = risk.map_or("unknown", Risk::as_str);
            *decided.entry(verdict.as_str()).or_default().entry(risk).or_default() += calls;
        }
        Self {
            decided,
            ended: found.ended,
            p50: found.within(50).map(millis),
            p95: found.within(95).map(millis),
            redactions: found.redactions,
            denied: found.denied,
        }
    }
}

fn loads(answered: &[Answered]) -> Vec<Load> {
    let mut by: BTreeMap<&str, Vec<&Answered>> = BTreeMap::new();
    for answer in answered {
        by.entry(&answer.by).or_default().push(answer);
    }
    by.into_iter().map(|(operator, answers)| load(operator, &answers)).collect()
}

fn load(operator: &str, answers: &[&Answered]) -> Load {
    let mut times: Vec<u64> = answers.iter().map(|answer| answer.micros).collect();
    times.sort_unstable();
    let approved = answers.iter().filter(|answer| answer.approved);
    Load {
        operator: operator.to_owned(),
        approved: approved.clone().count(),
        denied: answers.iter().filter(|answer| !answer.approved).count(),
        median: quantile(&times, 50).map_or(0.0, |micros| millis(micros) / 1_000.0),
        hasty: approved.filter(|answer| answer.micros < HASTY).count(),
    }
}

/// The smallest value that at least so many hundredths of the sorted ones do not exceed.
fn quantile(sorted: &[u64], percent: usize) -> Option<u64> {
    sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied()
}

#[expect(clippy::cast_precision_loss, reason = "a plot has fewer pixels than a double has digits")]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operators_load_is_counted_with_what_was_approved_too_soon() {
        let answered = |approved, micros| Answered { at: Timestamp::UNIX_EPOCH, by: "ann".into(), approved, micros };
        let loads = loads(&[answered(true, 2_000_000), answered(true, 9_000_000), answered(false, 1_000_000)]);
        let [ann] = &loads[..] else { panic!() };
        assert_eq!((ann.approved, ann.denied, ann.hasty), (2, 1, 1));
        assert!((ann.median - 2.0).abs() < f64::EPSILON);
    }
}
