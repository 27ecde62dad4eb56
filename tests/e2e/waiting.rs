//! How an agent waits for a person: by task, by rounds, on a stream, or by asking again.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::agent::Agent;
use tests::hostile::Mode;
use tests::invocations;
use tests::server::hostile_command;
use tests::world::{Setup, World};

use crate::approval::poll;

const TOOL: &str = "notes.delete_note";

fn world(folder: &TempDir) -> World {
    let words = hostile_command(Mode::Count, &folder.path().join("record"));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let world = Setup::new().command("notes", &words).command("other", &words).start();
    world.eventually("the tools", || (world.modern().names().len() == 4).then_some(()));
    world
}

fn ran(folder: &TempDir, note: &str) -> usize {
    invocations::count(&folder.path().join("record"), "start", note)
}

fn approve(world: &World, hold: &str) {
    drop(world.cli(&["holds", "approve", hold]).success());
}

#[test]
fn an_agent_that_knows_tasks_gets_one_and_polls_it() {
    let folder = TempDir::new().unwrap();
    let world = world(&folder);
    let agent = world.modern().with(json!({"extensions": {"io.modelcontextprotocol/tasks": {}}}));
    let created = agent.call(TOOL, &json!({"note": "task"}));
    assert_eq!(created.result()["resultType"], "task", "{}", created.text);
    let id = created.result()["taskId"].as_str().unwrap().to_owned();
    let state = |agent: &Agent| agent.ask("tasks/get", json!({"taskId": id}));
    assert_eq!(state(&agent).result()["status"], "working", "{}", state(&agent).text);
    assert_eq!(ran(&folder, "task"), 0);
    approve(&world, &world.hold());
    let done = world
        .eventually("the task to end", || Some(state(&agent)).filter(|task| task.result()["status"] == "completed"));
    assert!(done.text.contains("delete_note done: task"), "{}", done.text);
    assert_eq!(ran(&folder, "task"), 1);
    // A task is its agent's own.
    let other = Agent::modern(world.endpoint(), &world.add_agent("other"));
    let other = other.with(json!({"extensions": {"io.modelcontextprotocol/tasks": {}}}));
    assert_eq!(state(&other).code(), Some(-32602));
}

#[test]
fn a_stateless_agent_gets_a_sealed_state_and_comes_back_with_it() {
    let folder = TempDir::new().unwrap();
    let world = world(&folder);
    let agent = world.modern();
    let begun = Instant::now();
    let first = agent.call(TOOL, &json!({"note": "rounds"}));
    assert_eq!(first.result()["resultType"], "input_required", "{}", first.text);
    assert!(begun.elapsed() < Duration::from_secs(58), "a client with a timeout of 60 s would have given up");
    let state = first.result()["requestState"].as_str().unwrap().to_owned();
    let asks =
        |tool: &str, note: &str, state: &str| json!({"name": tool, "arguments": {"note": note}, "requestState": state});
    let params = |state: &str, note: &str| asks(TOOL, note, state);

    // Approved, and not collected: whatever else comes with its state is refused by the name of what differs.
    approve(&world, &world.hold());
    let thief = Agent::modern(world.endpoint(), &world.add_agent("thief"));
    for (field, agent, params) in [
        ("not one that this agent was given", &agent, asks(TOOL, "rounds", &format!("{state}x"))),
        ("not one that this agent was given", &thief, asks(TOOL, "rounds", &state)),
        ("differs in its server", &agent, asks("other.delete_note", "rounds", &state)),
        ("differs in its tool", &agent, asks("notes.read_note", "rounds", &state)),
        ("differs in its arguments", &agent, asks(TOOL, "another", &state)),
    ] {
        let answer = agent.ask("tools/call", params);
        assert!(answer.code().is_some() && answer.text.contains(field), "{field}: {}", answer.text);
        let last = world.log().pop().unwrap().to_string();
        assert!(last.contains("request-state") && last.contains(field), "{field}: {last}");
    }
    assert_eq!(ran(&folder, "rounds") + ran(&folder, "another"), 0);

    let answer = agent.ask("tools/call", params(&state, "rounds"));
    assert!(answer.ran(), "{}", answer.text);
    assert_eq!(ran(&folder, "rounds"), 1);
    let replayed = thread::scope(|scope| {
        let call = scope.spawn(|| agent.ask("tools/call", params(&state, "rounds")));
        let end = Instant::now() + Duration::from_secs(3);
        while !call.is_finished() && Instant::now() < end {
            thread::sleep(Duration::from_millis(50));
        }
        if !call.is_finished() {
            drop(world.cli(&["holds", "deny", &world.hold(), "--reason", "replayed"]).success());
        }
        call.join().unwrap()
    });
    assert!(!replayed.ran(), "a state was used twice: {}", replayed.text);
    assert_eq!(ran(&folder, "rounds"), 1);
}

#[test]
fn a_legacy_agent_that_asked_for_progress_waits_on_its_stream() {
    let folder = TempDir::new().unwrap();
    let world = world(&folder);
    let agent = world.legacy();
    let answer = thread::scope(|scope| {
        let params = json!({"name": TOOL, "arguments": {"note": "stream"}, "_meta": {"progressToken": "p"}});
        let call = scope.spawn(|| agent.ask("tools/call", params));
        let hold = world.hold();
        thread::sleep(Duration::from_secs(12));
        approve(&world, &hold);
        call.join().unwrap()
    });
    assert!(answer.ran(), "{}", answer.text);
    let told: Vec<f64> =
        answer.events.iter().filter(|event| event["params"]["progressToken"] == "p").filter_map(progress).collect();
    assert!(!told.is_empty(), "no progress in 12 s: {:?}", answer.events);
    assert!(told.windows(2).all(|pair| pair[0] < pair[1]), "progress must increase: {told:?}");
}

fn progress(event: &Value) -> Option<f64> {
    event["params"]["progress"].as_f64()
}

#[test]
fn a_legacy_agent_is_told_to_ask_again_before_its_client_gives_up_and_then_collects() {
    let folder = TempDir::new().unwrap();
    let world = world(&folder);
    let agent = world.legacy();
    let begun = Instant::now();
    let pending = agent.call(TOOL, &json!({"note": "again"}));
    assert!(begun.elapsed() < Duration::from_secs(58), "a client with a timeout of 60 s would have given up");
    assert_eq!(pending.result()["isError"], true, "{}", pending.text);
    assert!(pending.said().contains("pending"), "{}", pending.text);
    approve(&world, &world.hold());
    assert_eq!(ran(&folder, "again"), 0, "it ran while nobody waited");
    let answer = agent.call(TOOL, &json!({"note": "again"}));
    assert!(answer.ran(), "{}", answer.text);
    assert_eq!(ran(&folder, "again"), 1);
}

#[test]
fn an_identical_call_while_the_first_still_waits_is_a_second_call() {
    let folder = TempDir::new().unwrap();
    let world = world(&folder);
    thread::scope(|scope| {
        let agents = [world.modern(), world.modern()];
        let calls = agents.map(|agent| scope.spawn(move || poll(&agent, TOOL, &json!({"note": "twice"}))));
        let holds = world.eventually("two holds", || Some(world.holds()).filter(|holds| holds.len() == 2));
        approve(&world, holds[0]["id"].as_str().unwrap());
        thread::sleep(Duration::from_secs(1));
        assert_eq!(ran(&folder, "twice"), 1, "one approval ran two calls");
        approve(&world, holds[1]["id"].as_str().unwrap());
        assert!(calls.into_iter().all(|call| call.join().unwrap().ran()));
    });
    assert_eq!(ran(&folder, "twice"), 2);
    world.verify();
}
