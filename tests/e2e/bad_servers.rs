//! What no server should do: each way gets a clear error in time, the gateway lives, and the log has it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::hostile::Mode;
use tests::ledger::{Kind, Ledger};
use tests::server::{Server, hostile_command};
use tests::usage;
use tests::world::{Setup, World};

/// Servers that list their tools well and then fail every call.
const FAILING: [Mode; 11] = [
    Mode::Exit,
    Mode::Hang,
    Mode::Flood,
    Mode::Drip,
    Mode::WrongId,
    Mode::Huge,
    Mode::Garbage,
    Mode::Deep,
    Mode::Duplicate,
    Mode::Both,
    Mode::Count, // behaves; stands beside the others to show that they do not disturb it
];

const KEYS: &str = "vouched = true\nstart_timeout = \"5s\"\ncall_timeout = \"3s\"\n";

fn name(mode: Mode) -> String {
    mode.name().replace('-', "_")
}

fn fail_each(world: &World, modes: &[Mode]) {
    let mut wrong = Vec::new();
    for mode in modes.iter().filter(|mode| **mode != Mode::Count) {
        for agent in [world.modern(), world.legacy()] {
            let before = recorded(world);
            let begun = Instant::now();
            let answer = agent.call(&format!("{}.read_note", name(*mode)), &json!({"note": "x"}));
            let took = begun.elapsed();
            let clear = answer.result()["isError"] == true && !answer.said().is_empty();
            let clear = clear || answer.message["error"]["message"].as_str().is_some_and(|text| !text.is_empty());
            if !clear || answer.text.len() > 10_000 {
                wrong.push(format!("{mode:?}: {} {:.300}", answer.status, answer.text));
            }
            if took > Duration::from_secs(8) {
                wrong.push(format!("{mode:?}: took {took:?}"));
            }
            if recorded(world) == before {
                wrong.push(format!("{mode:?}: not in the log"));
            }
            let well = agent.call("count.read_note", &json!({"note": "beside"}));
            if !well.ran() {
                wrong.push(format!("{mode:?} disturbed its neighbour: {}", well.text));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let (_, most) = usage::memory(world.id());
    assert!(most < 400 * 1024, "{most} kB were resident at one time");
    world.verify();
}

/// Ends of calls in the log: they ran and failed, or were refused because their server is down.
fn recorded(world: &World) -> usize {
    let ledger = Ledger::open(world.state()).unwrap();
    ledger.count(Kind::Outcome) + ledger.count(Kind::Refusal)
}

fn all_listed(world: &World, modes: &[Mode]) {
    world.eventually("tools of every server", || {
        let names = world.modern().names();
        modes.iter().all(|mode| names.contains(&format!("{}.read_note", name(*mode)))).then_some(())
    });
}

#[test]
fn a_server_on_stdio_that_fails_a_call_fails_that_call_only() {
    let folder = TempDir::new().unwrap();
    let mut setup = Setup::new();
    for mode in FAILING {
        let words = hostile_command(mode, &folder.path().join(mode.name()));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        setup = setup.command_with(&name(mode), &words, KEYS);
    }
    let world = setup.start();
    all_listed(&world, &FAILING);
    fail_each(&world, &FAILING);
}

#[test]
fn a_server_on_http_that_fails_a_call_fails_that_call_only() {
    let folder = TempDir::new().unwrap();
    let mut setup = Setup::new();
    let mut servers = Vec::new();
    for mode in FAILING {
        let server = Server::hostile(mode, &folder.path().join(mode.name()));
        setup = setup.remote_with(&name(mode), server.endpoint(), KEYS);
        servers.push(server);
    }
    let world = setup.start();
    all_listed(&world, &FAILING);
    // A server that died stays dead on HTTP, where the gateway does not start it.
    fail_each(&world, &FAILING);
}

#[test]
fn servers_that_never_come_up_degrade_the_list_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let mut setup =
        Setup::new().remote_with("nobody", "http://127.0.0.1:9/mcp", KEYS).command("missing", &["/no/such/program"]);
    for mode in [Mode::Dead, Mode::Mute, Mode::Loud, Mode::Count] {
        let words = hostile_command(mode, &folder.path().join(mode.name()));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        setup = setup.command_with(&name(mode), &words, KEYS);
    }
    let world = setup.start();
    all_listed(&world, &[Mode::Loud, Mode::Count]);
    for _ in 0..3 {
        let begun = Instant::now();
        let names = world.modern().names();
        assert_eq!(names.len(), 4, "{names:?}");
        assert!(begun.elapsed() < Duration::from_secs(6), "the list took {:?}", begun.elapsed());
    }
    for server in ["loud", "count"] {
        assert!(world.modern().call(&format!("{server}.read_note"), &json!({"note": "x"})).ran());
    }
    for server in ["nobody", "missing", "dead", "mute"] {
        let answer = world.modern().call(&format!("{server}.read_note"), &json!({"note": "x"}));
        assert!(!answer.ran(), "{server}: {}", answer.text);
    }
    world.verify();
}

#[test]
fn a_server_that_dies_is_started_again() {
    let folder = TempDir::new().unwrap();
    let words = hostile_command(Mode::Exit, &folder.path().join("record"));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let world = Setup::new().command_with("exit", &words, KEYS).start();
    all_listed(&world, &[Mode::Exit]);
    for round in 1..=3 {
        world.eventually("the call to reach the server", || {
            drop(world.modern().call("exit.read_note", &json!({"note": "x"})));
            (tests::invocations::count(&folder.path().join("record"), "start", "x") >= round).then_some(())
        });
    }
}

#[test]
fn two_tools_of_one_name_are_both_refused() {
    let folder = TempDir::new().unwrap();
    let words = hostile_command(Mode::Collide, &folder.path().join("record"));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let world = Setup::new().command_with("collide", &words, KEYS).start();
    let offered = world.eventually("an answer", || {
        std::thread::sleep(Duration::from_secs(1));
        Some(world.modern().tools())
    });
    let descriptions: Vec<&Value> = offered.iter().map(|tool| &tool["description"]).collect();
    assert!(offered.len() <= 1, "both are offered: {descriptions:?}");
    if offered.is_empty() {
        let answer = world.modern().call("collide.read_note", &json!({"note": "x"}));
        assert!(!answer.ran(), "{}", answer.text);
    }
}
