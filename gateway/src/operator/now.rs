//! How things are going: what the console plots.

use std::collections::BTreeMap;

use audit::{Activity, Answered, Ended, Span};
use jiff::{SignedDuration, Timestamp};
use jsonrpsee::core::RegisterMethodError;
use policies::Risk;
use serde::{Deserialize, Serialize};

use super::Operators;
use super::api::{Asked, Module, method};
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
    /// In how many parts.
    parts: u32,
}

/// A span of time in parts of one length.
#[derive(Clone, Serialize)]
pub(super) struct Now {
    since: Timestamp,
    until: Timestamp,
    parts: Vec<Part>,
    operators: Vec<Load>,
    /// There was more than is read at once: latency and the operators' load are those of the newest calls and answers.
    partial: bool,
}

/// What happened in one part.
#[derive(Clone, Default, Serialize)]
struct Part {
    /// Calls by verdict, then by risk.
    decided: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    /// Calls that ended.
    ended: u64,
    /// Half of them took no longer, in milliseconds.
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
    let until = clock::now();
    let since = until.checked_sub(SignedDuration::from_mins(i64::from(wanted.minutes))).unwrap_or(Timestamp::MIN);
    let span = Span { since, until, parts: wanted.parts, without: Some(liveness::SERVER.to_owned()) };
    read(&all.audit, move |log| Ok(Now::of(&span, &log.activity(&span).map_err(unread)?))).await
}

impl Now {
    fn of(span: &Span, activity: &Activity) -> Self {
        let mut parts = vec![Part::default(); usize::try_from(span.parts).unwrap_or(1)];
        for decision in &activity.decisions {
            let part = usize::try_from(decision.part).ok().and_then(|part| parts.get_mut(part));
            let risk = decision.risk.map_or("unknown", Risk::as_str);
            if let Some(part) = part {
                *part.decided.entry(decision.verdict.as_str()).or_default().entry(risk).or_default() += decision.calls;
            }
        }
        let mut times = vec![Vec::new(); parts.len()];
        for ended in &activity.ended {
            let place = place(span, ended.at);
            if let (Some(part), Some(times)) = (parts.get_mut(place), times.get_mut(place)) {
                part.add(ended);
                times.push(ended.micros);
            }
        }
        for (part, times) in parts.iter_mut().zip(&mut times) {
            times.sort_unstable();
            (part.p50, part.p95) = (quantile(times, 50).map(millis), quantile(times, 95).map(millis));
        }
        let partial = [activity.ended.len(), activity.answered.len()].contains(&Activity::MOST);
        Self { since: span.since, until: span.until, parts, operators: loads(&activity.answered), partial }
    }
}

impl Part {
    fn add(&mut self, ended: &Ended) {
        self.ended += 1;
        self.redactions += ended.redactions;
        self.denied += ended.denied;
    }
}

fn place(span: &Span, at: Timestamp) -> usize {
    let (from, whole) = (at.duration_since(span.since).as_micros(), span.until.duration_since(span.since).as_micros());
    let place = from.max(0) * i128::from(span.parts) / whole.max(1);
    usize::try_from(place.min(i128::from(span.parts.saturating_sub(1)))).unwrap_or(0)
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
    use audit::{Decided, Decision};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_happened_falls_into_its_part_with_quantiles_and_loads() {
        let span = Span { since: at(0), until: at(100), parts: 10, without: None };
        let ended = |second, micros| Ended { at: at(second), micros, redactions: 1, denied: 2 };
        let answered = |approved, micros| Answered { at: at(1), by: "ann".into(), approved, micros };
        let activity = Activity {
            decisions: vec![Decision { part: 3, verdict: Decided::Deny, risk: Some(Risk::High), calls: 7 }],
            ended: (1..=20).map(|number| ended(15, number * 1_000)).chain([ended(99, 1), ended(100, 1)]).collect(),
            answered: vec![answered(true, 2_000_000), answered(true, 9_000_000), answered(false, 1_000_000)],
        };
        let now = Now::of(&span, &activity);
        assert_eq!(now.parts[3].decided["deny"]["HIGH"], 7);
        assert_eq!((now.parts[1].p50, now.parts[1].p95, now.parts[1].denied), (Some(10.0), Some(19.0), 40));
        assert_eq!((now.parts[9].ended, now.parts[9].redactions, now.parts[0].p50), (2, 2, None));
        let ann = &now.operators[0];
        assert_eq!((ann.approved, ann.denied, ann.hasty), (2, 1, 1));
        assert!((ann.median - 2.0).abs() < f64::EPSILON);
    }
}
