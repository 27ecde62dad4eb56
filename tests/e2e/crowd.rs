//! Many calls wait at once, and ten people answer them, racing for the same ones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::agent::{Agent, Answer};
use tests::hostile::Mode;
use tests::ledger::{Kind, Ledger};
use tests::operator::Operator;
use tests::server::hostile_command;
use tests::wire::Wire;
use tests::world::{Setup, World, server_table};
use tests::{invocations, soak, usage};

use crate::operators::{ANN, add, own};

/// Reads are held too: one person is enough for them.
const ASKS: &str = "@id(\"test-asks\") forbid (principal, action == Action::\"call_unattended\", resource);\n";

/// Time for a thousand PINs, each a fifth of a second, and a slow machine.
const PATIENT: &str = "[hold]\nlow = \"1h\"\nmedium = \"1h\"\nhigh = \"1h\"\ncritical = \"1h\"\n";

/// An agent may have 64 holds.
const EACH: usize = 50;

/// Who answers the same holds as whom: both over WebSocket, one by each way, both on the command line.
const PAIRS: [[Way; 2]; 5] = [
    [Way::Socket, Way::Socket],
    [Way::Socket, Way::Socket],
    [Way::Socket, Way::Command],
    [Way::Command, Way::Socket],
    [Way::Command, Way::Command],
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Socket,
    Command,
}

/// What the two of a pair want of one hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// Either's yes is enough.
    Run,
    /// Either's no is enough.
    Deny,
    /// Whoever comes first has it.
    Quarrel,
    /// CRITICAL: it takes both.
    Both,
}

const WISHES: [Wish; 4] = [Wish::Run, Wish::Deny, Wish::Quarrel, Wish::Both];

fn wish(number: usize) -> Wish {
    WISHES[number % WISHES.len()]
}

fn note(number: usize) -> String {
    format!("note {number}")
}

/// A call and the connection on which its client waits.
struct Waiting {
    number: usize,
    hold: String,
    wire: Wire,
}

/// What a pair's two got for one hold: how many answers had effect.
type Accepted = BTreeMap<String, usize>;

fn world(folder: &Path) -> World {
    let words = hostile_command(Mode::Count, &folder.join("record"));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let world = Setup::new().policies(ASKS).config(&format!("{PATIENT}{}", server_table("notes", &words, ""))).start();
    world.eventually("the tools", || (world.modern().names().len() == 2).then_some(()));
    world
}

/// Opens this many holds, a client waiting for each.
fn open(world: &World, agents: &[Agent], count: usize) -> Vec<Waiting> {
    let ledger = Ledger::open(world.state()).unwrap();
    let before = ledger.count(Kind::Hold);
    let wires: Vec<Wire> = (0..count).map(|number| begin(&agents[number / EACH], number)).collect();
    world.eventually("every call to be held", || (ledger.count(Kind::Hold) == before + count).then_some(()));
    let mut holds: BTreeMap<String, String> = ledger
        .entries(Kind::Hold)
        .into_iter()
        .map(|entry| (said(&entry.body), entry.record["detail"]["hold"].as_str().unwrap().to_owned()))
        .collect();
    let waiting = wires.into_iter().enumerate();
    waiting.map(|(number, wire)| Waiting { number, hold: holds.remove(&note(number)).unwrap(), wire }).collect()
}

fn said(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    body["note"].as_str().unwrap_or_default().to_owned()
}

/// A client that waits on its stream for as long as the hold lasts.
fn begin(agent: &Agent, number: usize) -> Wire {
    let tool = if wish(number) == Wish::Both { "notes.delete_note" } else { "notes.read_note" };
    let arguments = json!({"note": note(number)});
    let params = json!({"name": tool, "arguments": arguments, "_meta": {"progressToken": number}});
    agent.begin("tools/call", params).unwrap()
}

fn name(pair: usize, which: usize) -> String {
    format!("op{}", pair * 2 + which)
}

fn pin(pair: usize, which: usize) -> String {
    format!("7301{}8", pair * 2 + which + 10)
}

/// One of a pair answers all of its holds; those that took its answer.
fn answer(world: &World, pair: usize, which: usize, holds: &[(usize, &str)]) -> Vec<String> {
    let (name, pin) = (name(pair, which), pin(pair, which));
    let mut socket = (PAIRS[pair][which] == Way::Socket).then(|| Operator::connect(world.state()).unwrap());
    let mut taken = Vec::new();
    for (number, hold) in holds {
        let denies = match wish(*number) {
            Wish::Run | Wish::Both => false,
            Wish::Deny => true,
            Wish::Quarrel => which == 1,
        };
        let accepted = match &mut socket {
            Some(socket) => {
                let method = if denies { "holds_deny" } else { "holds_approve" };
                let mut params = json!({"id": hold, "as": name, "pin": pin});
                if denies {
                    params["reason"] = json!("not this one");
                }
                socket.ask(method, &params).unwrap().is_ok()
            }
            None => {
                let words = if denies {
                    vec!["holds", "deny", hold, "--reason", "not this one"]
                } else {
                    vec!["holds", "approve", hold]
                };
                let words = [words, vec!["--as", &name, "--pin-stdin"]].concat();
                world.cli_told(&words, &format!("{pin}\n")).status.success()
            }
        };
        if accepted {
            taken.push((*hold).to_owned());
        }
    }
    taken
}

/// An operator who only looks, until nothing is open any more.
fn watch(state: &Path) {
    let mut watcher = Operator::connect(state).unwrap();
    watcher.ask("holds_subscribe", &json!({})).unwrap().unwrap();
    let id = |hold: &Value| hold["id"].as_str().unwrap().to_owned();
    let mut open = BTreeSet::new();
    loop {
        let event = watcher.hear().unwrap()["params"]["result"].take();
        match event["event"].as_str() {
            // At the start, and whenever changes came faster than they were read.
            Some("open") => open = event["holds"].as_array().unwrap().iter().map(id).collect(),
            Some("changed") if event["hold"]["state"] == "pending" || event["hold"]["state"] == "approved" => {
                open.insert(id(&event["hold"]));
            }
            Some("changed") => drop(open.remove(&id(&event["hold"]))),
            other => panic!("{other:?}: {event}"),
        }
        if open.is_empty() {
            return;
        }
    }
}

#[test]
fn concurrent_holds_answered_by_ten_operators_at_once_are_each_decided_once() {
    let count = soak::times() * 10;
    let folder = TempDir::new().unwrap();
    let mut world = world(folder.path());
    let tokens: Vec<String> = (0..=count / EACH).map(|number| world.add_agent(&format!("agent{number}"))).collect();
    let agents: Vec<Agent> = tokens.iter().map(|token| Agent::legacy(world.endpoint(), token)).collect();
    // The agents are hers, so that they are nobody's own among those who answer.
    add(&world, "ann", "admin", Some(own()), ANN);
    for (pair, which) in (0..PAIRS.len()).flat_map(|pair| [(pair, 0), (pair, 1)]) {
        add(&world, &name(pair, which), "operator", None, &format!("{}\n{ANN}", pin(pair, which)));
    }
    let id = world.gateway().id();
    let (before, _) = usage::memory(id);
    let waiting = open(&world, &agents, count);
    let (with, _) = usage::memory(id);
    println!("{count} holds, each with its client: {} KiB each", (with - before) / u64::try_from(count).unwrap());

    let accepted = Mutex::new(Accepted::new());
    let begun = Instant::now();
    let answers: Vec<(usize, String, Answer)> = thread::scope(|scope| {
        scope.spawn(|| watch(world.state()));
        for (pair, which) in (0..PAIRS.len()).flat_map(|pair| [(pair, 0), (pair, 1)]) {
            let mine = waiting.iter().map(|waiting| (waiting.number, waiting.hold.clone()));
            let mine: Vec<(usize, String)> =
                mine.filter(|(number, _)| number / WISHES.len() % PAIRS.len() == pair).collect();
            let (world, accepted) = (&world, &accepted);
            scope.spawn(move || {
                let mine: Vec<(usize, &str)> = mine.iter().map(|(number, hold)| (*number, hold.as_str())).collect();
                for hold in answer(world, pair, which, &mine) {
                    *accepted.lock().unwrap().entry(hold).or_default() += 1;
                }
            });
        }
        let answer = |mut waiting: Waiting| {
            waiting.wire.patience(Duration::from_mins(10));
            (waiting.number, waiting.hold, Answer::read(&mut waiting.wire).unwrap())
        };
        waiting.into_iter().map(answer).collect()
    });
    println!("{count} holds answered in {:.0} s", begun.elapsed().as_secs_f64());

    let ran = invocations::read(&folder.path().join("record"));
    let ran = ran.iter().filter(|line| line.step == "start").fold(BTreeMap::new(), |mut ran, line| {
        *ran.entry(line.arguments["note"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        ran
    });
    let steps = steps(&world);
    let accepted = accepted.into_inner().unwrap();
    for (number, hold, answer) in answers {
        let what = format!("{hold}, {:?}: {:?}, {}", wish(number), steps[&hold], answer.text);
        let count = |step: &str| steps[&hold].iter().filter(|seen| *seen == step).count();
        let [yes, no, used] = ["approve", "deny", "consume"].map(count);
        assert_eq!(yes + no + used, steps[&hold].len(), "{what}");
        assert_eq!(yes + no, accepted.get(&hold).copied().unwrap_or(0), "an answer is lost, or told twice: {what}");
        assert_eq!(no + used, 1, "not decided once: {what}");
        assert_eq!(ran.get(&note(number)).copied().unwrap_or(0), used, "{what}");
        assert_eq!(answer.ran(), used == 1, "{what}");
        assert!(used == 1 || answer.text.contains("not this one"), "{what}");
        match wish(number) {
            Wish::Run => assert_eq!([yes, no], [1, 0], "{what}"),
            Wish::Deny => assert_eq!([yes, no], [0, 1], "{what}"),
            Wish::Quarrel => assert!(yes <= 1 && no <= 1, "{what}"),
            Wish::Both => assert_eq!([yes, no], [2, 0], "{what}"),
        }
    }
    assert_eq!(world.holds(), Vec::<Value>::new());
    world.verify();
}

/// What happened to each hold, by the log.
fn steps(world: &World) -> BTreeMap<String, Vec<String>> {
    let mut steps = BTreeMap::<String, Vec<String>>::new();
    for entry in Ledger::open(world.state()).unwrap().entries(Kind::Step) {
        let detail = &entry.record["detail"];
        let step = detail["step"]["step"].as_str().unwrap().to_owned();
        steps.entry(detail["hold"].as_str().unwrap().to_owned()).or_default().push(step);
    }
    steps
}
