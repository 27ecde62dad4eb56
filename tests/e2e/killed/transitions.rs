//! `kill -9` while holds change: what was acknowledged stands, what stands is in the log, and nothing happened twice.

use std::collections::BTreeSet;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::agent::{Agent, Answer};
use tests::operator::Operator;
use tests::world::Setup;

use super::states::{Met, Moment, States, reached, rounds, state, stored};
use super::{Bench, send, server};

/// Reads are held for two seconds, so that their time runs out; whatever else is held has time.
const TIMES: &str = "[hold]\nlow = \"2s\"\nmedium = \"2s\"\nhigh = \"2s\"\n";
const EXPIRES: Duration = Duration::from_secs(2);

/// Everything is held.
pub(super) const ASKS: &str =
    "@id(\"test-asks\") forbid (principal, action == Action::\"call_unattended\", resource);\n";

/// What the quick changes take, from the first that is on disk to the last.
const QUICK: Duration = Duration::from_millis(65);

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
    fn states(self) -> States {
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
        state(bench, &self.hold).unwrap()
    }

    /// Whether it was met in its last state.
    fn is_over(&self, bench: &Bench) -> bool {
        self.change.states().last().is_some_and(|(last, _)| *last == self.state(bench))
    }

    /// State and log agree with each other, and with what was acknowledged.
    fn agrees(&self, bench: &Bench, acknowledged: bool) {
        let what = format!("{:?}", self.change);
        let reached = reached(bench, &self.hold, self.change.states(), &what);
        assert!(reached > 0 || !acknowledged, "{what}: {} was acknowledged, and nothing happened", self.hold);
        bench.check(&self.note, usize::from(self.state(bench) == "consumed"));
    }

    /// What is still open can still be answered.
    fn ends(&self, bench: &Bench) {
        if ["pending", "approved"].contains(&self.state(bench).as_str()) {
            let mut operator = Operator::connect(bench.world.state()).unwrap();
            operator.ask("holds_deny", &json!({"id": self.hold, "reason": "over"})).unwrap().unwrap();
        }
    }
}

/// Lets all of it happen, and kills the gateway; which of it was acknowledged. It `begins` when the time of the last one
/// runs out.
fn killed(bench: &mut Bench, moving: &[Moving], moment: Moment, begins: Instant) -> Vec<bool> {
    if moment == Moment::Before {
        bench.world.kill();
        return vec![false; moving.len()];
    }
    let connect = |_: &Moving| Operator::connect(bench.world.state()).unwrap();
    let operators: Vec<Operator> = moving.iter().map(connect).collect();
    thread::sleep(begins.saturating_duration_since(Instant::now()));
    thread::scope(|scope| {
        let happens = |(moving, mut operator): (&'_ Moving, Operator)| moving.happens(&mut operator);
        let running: Vec<_> = moving.iter().zip(operators).map(|pair| scope.spawn(move || happens(pair))).collect();
        if let Moment::Within(so_long) = moment {
            thread::sleep(so_long);
            bench.world.kill();
            return ends(running);
        }
        let acknowledged = ends(running);
        let over = || moving.iter().all(|one| one.is_over(bench)).then_some(());
        bench.world.eventually("the last state of all", over);
        bench.world.kill();
        acknowledged
    })
}

fn ends(running: Vec<ScopedJoinHandle<'_, bool>>) -> Vec<bool> {
    running.into_iter().map(|one| one.join().unwrap()).collect()
}

/// Kills while these change, and looks at what is left.
fn round(bench: &mut Bench, changes: &[Change], (round, moment): (usize, Moment), met: &mut Met) {
    let (mut moving, mut begun) = (Vec::new(), Instant::now());
    for change in changes {
        begun = Instant::now();
        moving.push(Moving::open(bench, *change, round));
    }
    let acknowledged = killed(bench, &moving, moment, begun + EXPIRES);
    for one in &mut moving {
        let state = one.state(bench);
        if state == "pending" || one.is_over(bench) {
            met.note(one.change, state != "pending");
        }
        drop(one.client.take().map(thread::JoinHandle::join));
    }
    bench.recover("", 0);
    for (moving, acknowledged) in moving.iter().zip(acknowledged) {
        if moving.change == Change::Expire {
            let over = || (moving.state(bench) == "expired").then_some(());
            bench.world.eventually("the end of the time", over);
        }
        moving.agrees(bench, acknowledged);
        moving.ends(bench);
    }
}

#[test]
fn a_gateway_killed_while_holds_change_leaves_states_and_log_that_agree() {
    let mut bench = Bench::with(Setup::new().policies(ASKS).config(TIMES));
    let mut met = Met::default();
    for number in 0..rounds() {
        round(&mut bench, &CHANGES, (number, Moment::of(number, QUICK)), &mut met);
    }
    // A machine may be so slow that the time of the first was over before the kill.
    for number in rounds()..rounds() + 20 {
        if met.before(Change::Expire) {
            break;
        }
        round(&mut bench, &[Change::Expire], (number, Moment::Before), &mut met);
    }
    met.all(&CHANGES);
}
