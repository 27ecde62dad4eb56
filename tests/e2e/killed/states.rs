//! What the tests of holds under `kill -9` share: when a round kills, which states it met, and whether a hold's state is what its
//! steps in the log led to.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use serde_json::Value;
use tests::ledger::Kind;
use tests::soak;

use super::Bench;

/// When a round kills. The first two are certain, so that a test which never meets a state fails; the others are left to chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Before anything is asked for.
    Before,
    /// Once it has happened and was acknowledged.
    After,
    /// So long after it was asked for.
    Within(Duration),
}

/// How many rounds there are: the two that are certain, and one at least between them.
pub(super) fn rounds() -> usize {
    soak::times().max(3)
}

impl Moment {
    /// When this round kills what takes so long: from before it is on disk to a little after.
    pub(super) fn of(round: usize, takes: Duration) -> Self {
        let number = |count: usize| u32::try_from(count).unwrap();
        match round {
            0 => Self::Before,
            1 => Self::After,
            _ => Self::Within(takes * 6 / 5 * number(round - 2) / number(rounds() - 2)),
        }
    }
}

/// For each change, whether it was met before it happened, and after.
#[derive(Debug, Default)]
pub(super) struct Met(BTreeMap<String, [bool; 2]>);

impl Met {
    pub(super) fn note(&mut self, change: impl Debug, happened: bool) {
        self.0.entry(format!("{change:?}")).or_default()[usize::from(happened)] = true;
    }

    /// Whether this one was met before it happened.
    pub(super) fn before(&self, change: impl Debug) -> bool {
        self.0.get(&format!("{change:?}")).is_some_and(|met| met[0])
    }

    /// INVARIANT: else a test that kills at the wrong time passes for ever.
    pub(super) fn all(&self, changes: &[impl Debug]) {
        for change in changes {
            let met = self.0.get(&format!("{change:?}")).copied();
            assert_eq!(met, Some([true, true]), "{change:?} was not met both before it happened and after: {self:?}");
        }
    }
}

/// The states that a hold goes through, in order, each with the step that leads there.
pub(super) type States = &'static [(&'static str, &'static str)];

/// Every hold and its state.
pub(super) fn stored(bench: &Bench) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    bench.ledger().holds().iter().map(|hold| (text(&hold["id"]), text(&hold["state"]["state"]))).collect()
}

pub(super) fn state(bench: &Bench, hold: &str) -> Option<String> {
    stored(bench).into_iter().find_map(|(id, state)| (id == hold).then_some(state))
}

/// What the log says of the steps of holds, oldest first.
pub(super) fn steps(bench: &Bench) -> Vec<Value> {
    bench.ledger().entries(Kind::Step).into_iter().map(|mut entry| entry.record["detail"].take()).collect()
}

/// How far the hold is, by its state: the steps in the log are those that led there, and the last one names it.
pub(super) fn reached(bench: &Bench, hold: &str, states: States, what: &str) -> usize {
    let state = state(bench, hold).unwrap_or_else(|| panic!("{what}: there is no {hold}"));
    let steps: Vec<Value> = steps(bench).into_iter().filter(|detail| detail["hold"] == hold).collect();
    let logged: Vec<&str> = steps.iter().filter_map(|detail| detail["step"]["step"].as_str()).collect();
    let reached = states.iter().position(|(name, _)| *name == state);
    let reached = reached.unwrap_or_else(|| panic!("{what}: {hold} is {state}"));
    let led: Vec<&str> = states[1..=reached].iter().map(|(_, step)| *step).collect();
    assert_eq!(logged, led, "{what}: {hold} is {state}");
    assert!(steps.last().is_none_or(|last| last["state"] == state.as_str()), "{what}: it is {state}, {steps:?}");
    reached
}
