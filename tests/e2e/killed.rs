//! `kill -9` of the gateway at each step of a call: nothing runs twice, nothing runs without an intent on disk, and the
//! log stays whole.

mod allowed;
mod states;
mod transitions;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::agent::Agent;
use tests::hostile::Mode;
use tests::ledger::{Kind, Ledger};
use tests::server::{Server, hostile_command};
use tests::world::{Setup, World};
use tests::{invocations, soak};

use crate::approval::poll;

/// A gateway in front of one counting server on stdio, which dies with it, and one on HTTP, which lives on.
struct Bench {
    world: World,
    record: PathBuf,
    _remote: Server,
    _folder: TempDir,
}

impl Bench {
    fn start() -> Self {
        Self::with(Setup::new())
    }

    fn with(setup: Setup) -> Self {
        let folder = TempDir::new().unwrap();
        let record = folder.path().join("invocations");
        let remote = Server::hostile(Mode::Count, &record);
        let local = hostile_command(Mode::Count, &record);
        let local: Vec<&str> = local.iter().map(String::as_str).collect();
        let world = setup.command("local", &local).remote("remote", remote.endpoint()).start();
        let bench = Self { world, record, _remote: remote, _folder: folder };
        bench.ready();
        bench
    }

    fn ready(&self) {
        self.world.eventually("tools of both servers", || (self.world.modern().names().len() == 4).then_some(()));
    }

    fn started(&self, note: &str) -> usize {
        invocations::count(&self.record, "start", note)
    }

    fn ended(&self, note: &str) -> usize {
        invocations::count(&self.record, "end", note)
    }

    fn ledger(&self) -> Ledger {
        Ledger::open(self.world.state()).expect("there is a log")
    }

    /// Kills, if that was not done, starts again, and checks what must hold whatever happened: `most` is how often `note` may have run.
    fn recover(&mut self, note: &str, most: usize) {
        self.world.restart();
        self.ready();
        // A server on HTTP does not die with the gateway: what it began, it ends.
        let end = Instant::now() + Duration::from_secs(5);
        while self.started(note) > self.ended(note) && Instant::now() < end {
            thread::sleep(Duration::from_millis(20));
        }
        self.check(note, most);
    }

    fn check(&self, note: &str, most: usize) {
        let (ran, intents) = (self.started(note), self.ledger().mentions(Kind::Intent, &quoted(note)));
        assert!(ran <= most, "{note} ran {ran} times");
        assert!(ran <= intents, "{note} ran {ran} times, with {intents} intents on disk");
        let ledger = self.ledger();
        assert_eq!(ledger.count(Kind::Intent), ledger.count(Kind::Outcome), "an entry is still open after a restart");
        self.world.verify();
    }
}

/// When to kill: polled until true.
type Moment = fn(&Bench, &str) -> bool;

/// Steps of a call that nobody has to approve, and when each has been reached.
const FREE: [(&str, Moment); 5] = [
    ("before the intent", |_, _| true),
    ("after the intent, before the tool ran", |bench, note| bench.ledger().mentions(Kind::Intent, &quoted(note)) > 0),
    ("while the tool runs", |bench, note| bench.started(note) > 0),
    ("after the tool answered", |bench, note| bench.ended(note) > 0),
    ("after the outcome", |bench, note| {
        bench.ended(note) > 0 && bench.ledger().count(Kind::Outcome) == bench.ledger().count(Kind::Intent)
    }),
];

/// The note as it ends a JSON string, so that round 1 is not found in round 10.
fn quoted(note: &str) -> String {
    format!("{note}\"")
}

fn until(what: &str, bench: &Bench, note: &str, moment: Moment) {
    let end = Instant::now() + Duration::from_secs(20);
    while !moment(bench, note) {
        assert!(Instant::now() < end, "{what} was never reached; the gateway said:\n{}", bench.world.said());
    }
}

fn server(round: usize) -> &'static str {
    if round.is_multiple_of(2) { "local" } else { "remote" }
}

/// Sends a call in a thread of its own; what came back, if anything did.
fn send(agent: Agent, tool: String, arguments: Value) -> thread::JoinHandle<Option<tests::agent::Answer>> {
    thread::spawn(move || {
        let mut params = json!({"name": tool, "arguments": arguments});
        loop {
            let answer = agent.try_ask("tools/call", params.clone()).ok()?;
            if answer.result()["resultType"] != "input_required" {
                return Some(answer);
            }
            params["requestState"] = answer.result()["requestState"].clone();
        }
    })
}

#[test]
fn a_running_call_killed_at_any_step_runs_at_most_once_and_never_unrecorded() {
    let mut bench = Bench::start();
    for (step, moment) in FREE {
        for round in 0..soak::times() {
            let note = format!("free {step} {round}");
            let arguments = json!({"note": note, "before": 40, "ms": 40});
            let call = send(bench.world.modern(), format!("{}.read_note", server(round)), arguments);
            if step == "before the intent" {
                thread::sleep(Duration::from_micros(u64::try_from(round * 300).unwrap()));
            }
            until(step, &bench, &note, moment);
            bench.world.kill();
            let answer = call.join().unwrap();
            bench.recover(&note, 1);
            if answer.is_some_and(|answer| answer.ran()) {
                // What was answered was recorded before: a power cut does not take it back.
                assert_eq!(
                    bench.ledger().mentions(Kind::Outcome, &quoted(&note)),
                    1,
                    "{note}: answered and not in the log"
                );
            }
        }
    }
}

#[test]
fn a_held_call_survives_a_kill_and_still_runs_once_only_after_approval() {
    let mut bench = Bench::start();
    for round in 0..soak::times() {
        let note = format!("pending {round}");
        let tool = format!("{}.delete_note", server(round));
        let arguments = json!({"note": note});
        let call = send(bench.world.modern(), tool.clone(), arguments.clone());
        let hold = bench.world.hold();
        bench.world.kill();
        drop(call.join().unwrap());
        bench.recover(&note, 0);
        assert_eq!(bench.world.hold(), hold, "the hold is still open after the restart");
        let again = send(bench.world.modern(), tool, arguments);
        thread::sleep(Duration::from_millis(100));
        drop(bench.world.cli(&["holds", "approve", &hold]).success());
        let answer = again.join().unwrap().expect("the gateway lives");
        assert!(answer.ran(), "{}", answer.text);
        assert_eq!(bench.started(&note), 1);
        bench.check(&note, 1);
    }
}

#[test]
fn an_approval_that_was_not_used_survives_a_kill_and_is_used_once() {
    let mut bench = Bench::start();
    for round in 0..soak::times() {
        let note = format!("approved {round}");
        let tool = format!("{}.delete_note", server(round));
        let arguments = json!({"note": note});
        // The agent goes away before anyone answers: a held call stays.
        let params = json!({"name": tool, "arguments": arguments});
        let wire = bench.world.modern().begin("tools/call", params).unwrap();
        let hold = bench.world.hold();
        drop(wire);
        thread::sleep(Duration::from_millis(100));
        drop(bench.world.cli(&["holds", "approve", &hold]).success());
        assert_eq!(bench.started(&note), 0, "nobody waits, and it ran");
        bench.recover(&note, 0);
        let answer = poll(&bench.world.modern(), &tool, &arguments);
        assert!(answer.ran(), "{}", answer.text);
        assert_eq!(bench.started(&note), 1);
        bench.recover(&note, 1);
        asks_again(&bench, &tool, &arguments);
        bench.check(&note, 1);
    }
}

#[test]
fn an_approved_call_killed_while_it_runs_does_not_run_again() {
    let mut bench = Bench::start();
    for (step, moment) in FREE.into_iter().skip(1) {
        for round in 0..soak::times() {
            let note = format!("consumed {step} {round}");
            let tool = format!("{}.delete_note", server(round));
            let arguments = json!({"note": note, "before": 40, "ms": 40});
            let call = send(bench.world.modern(), tool.clone(), arguments.clone());
            let hold = bench.world.hold();
            drop(bench.world.cli(&["holds", "approve", &hold]).success());
            until(step, &bench, &note, moment);
            bench.world.kill();
            drop(call.join().unwrap());
            bench.recover(&note, 1);
            asks_again(&bench, &tool, &arguments);
            bench.check(&note, 1);
        }
    }
}

#[test]
fn a_denied_call_stays_denied_after_a_kill() {
    let mut bench = Bench::start();
    for round in 0..soak::times() {
        let note = format!("denied {round}");
        let tool = format!("{}.delete_note", server(round));
        let call = send(bench.world.modern(), tool, json!({"note": note}));
        let hold = bench.world.hold();
        drop(bench.world.cli(&["holds", "deny", &hold, "--reason", "no"]).success());
        bench.world.kill();
        drop(call.join().unwrap());
        bench.recover(&note, 0);
        assert!(bench.world.holds().is_empty(), "{:?}", bench.world.holds());
    }
}

/// The same call once more is a new question: nothing answers it but a person.
fn asks_again(bench: &Bench, tool: &str, arguments: &Value) {
    let call = send(bench.world.modern(), tool.to_owned(), arguments.clone());
    let hold = bench.world.hold();
    drop(bench.world.cli(&["holds", "deny", &hold, "--reason", "test"]).success());
    let answer = call.join().unwrap().expect("the gateway lives");
    assert!(!answer.ran(), "ran again without a person: {}", answer.text);
}

#[test]
fn two_gateways_cannot_share_a_state_folder() {
    let bench = Bench::start();
    let second = bench.world.cli(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(!second.status.success(), "{}", second.stdout);
    assert!(Path::new(bench.world.state()).join("portcullis.db").exists());
}
