//! `kill -9` while a call is let run without the people who were to be asked: while glass is broken, a pass is given, or a pass is
//! used. A review is there with the record that opened it, a pass with the approval that gave it, and each use is counted with the
//! approval that it was.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::operator::Operator;
use tests::world::Setup;

use super::Bench;
use super::states::{Met, Moment, States, reached, rounds, state, steps, stored};
use super::transitions::ASKS;
use crate::operators::{ANN, add, own};

const BOB: &str = "518230";

/// What is let happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// A hold that waits for two has its glass broken by one.
    Glass,
    /// A hold is approved, and a pass is given with it.
    Give,
    /// A call is let run by a pass that was given before.
    Use,
}

const CHANGES: [Change; 3] = [Change::Glass, Change::Give, Change::Use];

impl Change {
    fn states(self) -> States {
        match self {
            Self::Glass => &[("pending", ""), ("approved", "break-glass")],
            Self::Give => &[("pending", ""), ("approved", "approve")],
            Self::Use => &[("pending", ""), ("approved", "approve"), ("consumed", "consume")],
        }
    }

    /// Each its own, so that no pass is for another's calls.
    fn tool(self) -> &'static str {
        match self {
            Self::Glass => "local.delete_note",
            Self::Give => "remote.read_note",
            Self::Use => "local.read_note",
        }
    }
}

/// The agent is ann's, so that bob and cyn are asked.
fn bench() -> Bench {
    let bench = Bench::with(Setup::new().policies(ASKS));
    add(&bench.world, "ann", "admin", Some(own()), ANN);
    for (name, pin) in [("bob", BOB), ("cyn", "846213")] {
        add(&bench.world, name, "operator", None, &format!("{pin}\n{ANN}"));
    }
    bench
}

fn holds(bench: &Bench) -> BTreeSet<String> {
    stored(bench).into_iter().map(|(id, _)| id).collect()
}

/// Opens a hold whose agent goes away.
fn open(bench: &Bench, tool: &str, note: &str) -> String {
    let known = holds(bench);
    let params = json!({"name": tool, "arguments": {"note": note}});
    let wire = bench.world.modern().begin("tools/call", params).unwrap();
    let hold = bench.world.eventually("the hold", || holds(bench).difference(&known).next().cloned());
    drop(wire);
    hold
}

fn operator(bench: &Bench) -> Operator {
    Operator::connect(bench.world.state()).unwrap()
}

/// What bob sends with his PIN; whether the gateway says that it did it.
fn bob(mut operator: Operator, method: &str, mut params: Value) -> bool {
    (params["as"], params["pin"]) = (json!("bob"), json!(BOB));
    matches!(operator.ask(method, &params), Ok(Ok(_)))
}

/// One change, about to happen.
struct Moving {
    change: Change,
    note: String,
    /// The holds before it.
    known: BTreeSet<String>,
    /// The hold that it is about; what uses a pass opens its own.
    hold: Option<String>,
}

impl Moving {
    fn begin(bench: &Bench, change: Change, round: usize) -> Self {
        let note = format!("{change:?} {round}");
        let hold = (change != Change::Use).then(|| open(bench, change.tool(), &note));
        Self { change, note, known: holds(bench), hold }
    }

    /// Lets it happen and kills the gateway; whether it was acknowledged, and how long that took.
    fn killed(&mut self, bench: &mut Bench, moment: Moment) -> (bool, Duration) {
        if moment == Moment::Before {
            bench.world.kill();
            return (false, Duration::ZERO);
        }
        let (operator, agent) = (operator(bench), bench.world.modern());
        let (change, note, hold) = (self.change, self.note.clone(), self.hold.clone());
        let asked = Instant::now();
        let happens = thread::spawn(move || match change {
            Change::Glass => {
                let reasons =
                    json!({"id": hold, "reason": "customers cannot log in", "because": "the others are on a plane"});
                bob(operator, "holds_break_glass", reasons)
            }
            Change::Give => bob(operator, "holds_approve", json!({"id": hold, "pass": {"times": 3, "lasts": "1h"}})),
            Change::Use => {
                let params = json!({"name": change.tool(), "arguments": {"note": note}});
                agent.try_ask("tools/call", params).is_ok_and(|answer| answer.ran())
            }
        });
        let acknowledged = if let Moment::Within(so_long) = moment {
            thread::sleep(so_long);
            bench.world.kill();
            happens.join().unwrap()
        } else {
            let acknowledged = happens.join().unwrap();
            assert!(acknowledged, "{change:?}: nobody stopped it, and it did not happen: {}", bench.world.said());
            acknowledged
        };
        let took = asked.elapsed();
        bench.world.kill();
        self.hold = self.hold.take().or_else(|| holds(bench).difference(&self.known).next().cloned());
        (acknowledged, took)
    }

    /// Whether it is approved; an approval is what glass and passes are.
    fn happened(&self, bench: &Bench) -> bool {
        self.hold.as_ref().and_then(|hold| state(bench, hold)).is_some_and(|state| state != "pending")
    }

    /// Everything that is stored is what the log says, and what was acknowledged is there.
    fn agrees(&self, bench: &Bench, acknowledged: bool) {
        let what = format!("{:?}", self.change);
        assert!(self.happened(bench) || !acknowledged, "{what}: it was acknowledged, and did not happen");
        let reached = self.hold.as_ref().map_or(0, |hold| reached(bench, hold, self.change.states(), &what));
        bench.check(&self.note, usize::from(self.change == Change::Use && reached == 2));
        let (steps, ledger) = (steps(bench), bench.ledger());
        let named = |member: &str, with: &str| {
            let found = steps.iter().map(|detail| &detail[member]).filter(|member| !member[with].is_null());
            found.filter_map(|member| member["hold"].as_str().map(str::to_owned)).collect::<Vec<_>>()
        };
        let set = |holds: Vec<String>| holds.into_iter().collect::<BTreeSet<_>>();
        let listed = |rows: &[Value]| rows.iter().filter_map(|row| row["hold"].as_str().map(str::to_owned)).collect();
        assert_eq!(set(listed(&ledger.reviews())), set(named("review", "opened")), "{what}: reviews");
        let passes = ledger.passes();
        assert_eq!(set(listed(&passes)), set(named("pass", "given")), "{what}: passes");
        let used = named("pass", "used");
        for pass in &passes {
            let counted = used.iter().filter(|hold| **hold == pass["hold"]).count();
            assert_eq!(pass["used"], counted, "{what}: uses of a pass that are in the log: {pass}");
        }
    }

    /// What is still open can still be answered.
    fn ends(&self, bench: &Bench) {
        let state = self.hold.as_ref().and_then(|hold| state(bench, hold));
        if state.is_some_and(|state| ["pending", "approved"].contains(&state.as_str())) {
            operator(bench).ask("holds_deny", &json!({"id": self.hold, "reason": "over"})).unwrap().unwrap();
        }
    }
}

#[test]
fn a_gateway_killed_while_glass_is_broken_and_passes_are_given_and_used_agrees_with_its_log() {
    let mut bench = bench();
    let hold = open(&bench, Change::Use.tool(), "the first");
    let pass = json!({"times": 1_000, "lasts": "24h", "arguments": {"note": "any"}});
    assert!(bob(operator(&bench), "holds_approve", json!({"id": hold, "pass": pass})), "{}", bench.world.said());
    let mut met = Met::default();
    for change in CHANGES {
        let mut takes = Duration::ZERO;
        for round in 0..rounds() {
            let (moment, mut moving) = (Moment::of(round, takes), Moving::begin(&bench, change, round));
            let (acknowledged, took) = moving.killed(&mut bench, moment);
            if moment == Moment::After {
                takes = took;
            }
            met.note(change, moving.happened(&bench));
            bench.recover("", 0);
            moving.agrees(&bench, acknowledged);
            moving.ends(&bench);
        }
    }
    met.all(&CHANGES);
    let (passes, reviews) = (bench.ledger().passes(), bench.ledger().reviews());
    assert!(passes.len() > 1 && passes.iter().any(|pass| pass["used"].as_u64() > Some(0)), "{passes:?}");
    assert!(!reviews.is_empty(), "no glass was broken");
}
