//! `kill -9` while holds change: what was acknowledged stands, what stands is in the log, and nothing happened twice.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::agent::{Agent, Answer};
use tests::ledger::Kind;
use tests::operator::Operator;
use tests::soak;
use tests::world::Setup;

use super::{Bench, send, server};

/// Reads are held for a second, so that their time runs out; whatever else is held has time.
const ASKS: &str = "@id(\"test-asks\") forbid (principal, action == Action::\"call_unattended\", resource);\n";
const TIMES: &str = "[hold]\nlow = \"1s\"\nmedium = \"1s\"\nhigh = \"1s\"\n";

const TASKS: &str = "io.modelcontextprotocol/tasks";

/// What happens to a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// Nobody waits.
    Approve,
    /// Nobody waits.
    Deny,
    /// It is approved while its client waits: the call runs at once.
    Collect,
    /// By its agent.
    Cancel,
    /// By the clock.
    Expire,
}

const CHANGES: [Change; 5] = [Change::Approve, Change::Deny, Change::Collect, Change::Cancel, Change::Expire];

impl Change {
    /// The states that it leads through, in order, each with the step that leads there.
    fn states(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Approve => &[("pending", ""), ("approved", "approve")],
            Self::Deny => &[("pending", ""), ("denied", "deny")],
            Self::Collect => &[("pending", ""), ("approved", "approve"), ("consumed", "consume")],
            Self::Cancel => &[("pending", ""), ("cancelled", "cancel")],
            Self::Expire => &[("pending", ""), ("expired", "expire")],
        }
    }
}

/// A hold that is about to change.
struct Moving {
    change: Change,
    note: String,
    hold: String,
    agent: Agent,
    client: Option<thread::JoinHandle<Option<Answer>>>,
}

impl Moving {
    /// Opens a hold, with somebody waiting for it where the change needs that.
    fn open(bench: &Bench, change: Change, round: usize) -> Self {
        let known: BTreeSet<String> = stored(bench).into_iter().map(|(id, _)| id).collect();
        let note = format!("{change:?} {round}");
        let tool = if change == Change::Expire { "read_note" } else { "delete_note" };
        let (tool, arguments) = (format!("{}.{tool}", server(round)), json!({"note": note, "before": 40}));
        let agent = bench.world.modern().with(json!({"extensions": {TASKS: {}}}));
        let (mut client, mut wire) = (None, None);
        match change {
            Change::Approve | Change::Deny => {
                wire = Some(bench.world.modern().begin("tools/call", json!({"name": tool, "arguments": arguments})));
            }
            Change::Collect | Change::Expire => client = Some(send(bench.world.modern(), tool, arguments)),
            Change::Cancel => assert_eq!(agent.call(&tool, &arguments).result()["resultType"], "task"),
        }
        let new = || stored(bench).into_iter().map(|(id, _)| id).find(|id| !known.contains(id));
        let hold = bench.world.eventually("the hold", new);
        drop(wire);
        Self { change, note, hold, agent, client }
    }

    /// Lets it happen; whether the gateway said that it did.
    fn happens(&self, operator: &mut Operator) -> bool {
        let mut ask = |method: &str, params: &Value| matches!(operator.ask(method, params), Ok(Ok(_)));
        match self.change {
            Change::Approve | Change::Collect => ask("holds_approve", &json!({"id": self.hold})),
            Change::Deny => ask("holds_deny", &json!({"id": self.hold, "reason": "no"})),
            Change::Cancel => {
                let answer = self.agent.try_ask("tasks/cancel", json!({"taskId": self.hold}));
                answer.is_ok_and(|answer| answer.message["result"].is_object())
            }
            Change::Expire => false,
        }
    }

    fn state(&self, bench: &Bench) -> String {
        stored(bench).into_iter().find_map(|(id, state)| (id == self.hold).then_some(state)).unwrap()
    }

    /// State and log agree with each other, and with what was acknowledged.
    fn agrees(&self, bench: &Bench, acknowledged: bool) {
        let (state, what) = (self.state(bench), format!("{}, {:?}", self.hold, self.change));
        let steps = bench.ledger().entries(Kind::Step).into_iter().map(|entry| entry.record["detail"].clone());
        let steps: Vec<Value> = steps.filter(|detail| detail["hold"] == self.hold.as_str()).collect();
        let logged: Vec<&str> = steps.iter().filter_map(|detail| detail["step"]["step"].as_str()).collect();
        let reached = self.change.states().iter().position(|(name, _)| *name == state);
        let reached = reached.unwrap_or_else(|| panic!("{what}: it is {state}"));
        let led: Vec<&str> = self.change.states()[1..=reached].iter().map(|(_, step)| *step).collect();
        assert_eq!(logged, led, "{what}: it is {state}");
        assert!(steps.last().is_none_or(|last| last["state"] == state.as_str()), "{what}: it is {state}, {steps:?}");
        assert!(reached > 0 || !acknowledged, "{what}: it was acknowledged, and is {state}");
        bench.check(&self.note, usize::from(state == "consumed"));
    }

    /// What is still open can still be answered.
    fn ends(&self, bench: &Bench) {
        if ["pending", "approved"].contains(&self.state(bench).as_str()) {
            let mut operator = Operator::connect(bench.world.state()).unwrap();
            operator.ask("holds_deny", &json!({"id": self.hold, "reason": "over"})).unwrap().unwrap();
        }
    }
}

/// Every hold and its state.
fn stored(bench: &Bench) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    bench.ledger().holds().iter().map(|hold| (text(&hold["id"]), text(&hold["state"]["state"]))).collect()
}

#[test]
fn a_gateway_killed_while_holds_change_leaves_states_and_log_that_agree() {
    let mut bench = Bench::with(Setup::new().policies(ASKS).config(TIMES));
    let mut seen = BTreeSet::new();
    for round in 0..soak::times() {
        let mut moving: Vec<Moving> = CHANGES[..4].iter().map(|change| Moving::open(&bench, *change, round)).collect();
        let begun = Instant::now();
        moving.push(Moving::open(&bench, Change::Expire, round));
        let connect = |_| Operator::connect(bench.world.state()).unwrap();
        let operators: Vec<Operator> = moving.iter().map(connect).collect();
        thread::sleep(Duration::from_secs(1).saturating_sub(begun.elapsed()));
        let acknowledged: Vec<bool> = thread::scope(|scope| {
            let happens = |(moving, mut operator): (&'_ Moving, Operator)| moving.happens(&mut operator);
            let pairs = moving.iter().zip(operators);
            let running: Vec<_> = pairs.map(|pair| scope.spawn(move || happens(pair))).collect();
            // From before the first of them is on disk to after the last.
            thread::sleep(Duration::from_millis(u64::try_from(round * 80 / soak::times()).unwrap()));
            bench.world.kill();
            running.into_iter().map(|running| running.join().unwrap()).collect()
        });
        seen.extend(moving.iter().map(|moving| format!("{:?} {}", moving.change, moving.state(&bench))));
        for moving in &mut moving {
            drop(moving.client.take().map(thread::JoinHandle::join));
        }
        bench.recover("", 0);
        for (moving, acknowledged) in moving.iter().zip(acknowledged) {
            if moving.change == Change::Expire {
                let over = || (moving.state(&bench) == "expired").then_some(());
                bench.world.eventually("the end of the time", over);
            }
            moving.agrees(&bench, acknowledged);
            moving.ends(&bench);
        }
    }
    println!("killed when they were: {seen:?}");
}
