//! What must be held is held, runs only when a person said so, and never when one said no or nothing.

use std::fs;
use std::thread;

use serde_json::json;
use tests::client::{Client, Reach};
use tests::hostile::Mode;
use tests::invocations;
use tests::server::hostile_command;
use tests::world::{Setup, World, server_table};

use crate::matrix::real_servers;

fn note_server(config: &str) -> (World, std::path::PathBuf) {
    let mut world = Setup::new().prepare();
    let record = world.folder().join("invocations");
    let words = hostile_command(Mode::Count, &record);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    world.configure(&format!("{config}\n{}", server_table("notes", &words, "")));
    world.start();
    (world, record)
}

#[test]
fn a_write_outside_the_scope_happens_on_disk_only_after_approval_with_every_client() {
    let world = real_servers();
    let reach = Reach::Http(world.endpoint().to_owned(), world.token().to_owned());
    for client in Client::ALL {
        for era in client.eras() {
            let file = world.folder().canonicalize().unwrap().join(format!("outside/{client:?}-{era}.txt"));
            let arguments = json!({"path": file, "content": "written once"});
            let reach = reach.clone();
            let call = thread::spawn(move || client.call(&reach, era, "files.write_file", &arguments));
            let hold = world.hold();
            thread::sleep(std::time::Duration::from_millis(300));
            assert!(!file.exists(), "{client:?} {era}: written before anyone approved");
            drop(world.cli(&["holds", "approve", &hold]).success());
            let answer = call.join().unwrap();
            assert!(answer["isError"] != true && answer.get("error").is_none(), "{client:?} {era} got {answer}");
            assert_eq!(fs::read_to_string(&file).unwrap(), "written once", "{client:?} {era}");
        }
    }
    assert_eq!(world.holds(), Vec::<serde_json::Value>::new());
    world.verify();
}

#[test]
fn a_delete_runs_once_after_approval() {
    let (world, record) = note_server("");
    let agent = world.modern();
    let answer = thread::scope(|scope| {
        let call = scope.spawn(|| poll(&agent, "notes.delete_note", &json!({"note": "a"})));
        let hold = world.hold();
        assert_eq!(invocations::count(&record, "start", "a"), 0);
        drop(world.cli(&["holds", "approve", &hold]).success());
        call.join().unwrap()
    });
    assert!(answer.ran(), "{}", answer.text);
    assert_eq!(invocations::count(&record, "start", "a"), 1);
    world.verify();
}

#[test]
fn a_denied_call_never_runs_and_its_agent_learns_why() {
    let (world, record) = note_server("");
    let agent = world.modern();
    let answer = thread::scope(|scope| {
        let call = scope.spawn(|| poll(&agent, "notes.delete_note", &json!({"note": "b"})));
        let hold = world.hold();
        drop(world.cli(&["holds", "deny", &hold, "--reason", "that note is still needed"]).success());
        call.join().unwrap()
    });
    assert!(!answer.ran(), "{}", answer.text);
    assert!(answer.text.contains("that note is still needed"), "{}", answer.text);
    assert_eq!(invocations::count(&record, "start", "b"), 0);
    world.verify();
}

#[test]
fn a_call_that_nobody_answers_in_time_never_runs() {
    let (world, record) = note_server("[hold]\nhigh = \"2s\"\ncritical = \"2s\"\n");
    let answer = poll(&world.modern(), "notes.delete_note", &json!({"note": "c"}));
    assert!(!answer.ran(), "{}", answer.text);
    thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(invocations::count(&record, "start", "c"), 0);
    let late = world.cli(&["holds", "list", "--json"]);
    assert!(!late.stdout.contains("\"pending\""), "{}", late.stdout);
    world.verify();
}

#[test]
fn an_approval_is_for_one_call_with_these_arguments() {
    let (world, record) = note_server("");
    let agent = world.modern();
    thread::scope(|scope| {
        let call = scope.spawn(|| poll(&agent, "notes.delete_note", &json!({"note": "d"})));
        let hold = world.hold();
        drop(world.cli(&["holds", "approve", &hold]).success());
        assert!(call.join().unwrap().ran());
    });
    // The same call again, and a similar one, are new questions.
    for note in ["d", "e"] {
        let answer = thread::scope(|scope| {
            let call = scope.spawn(|| poll(&agent, "notes.delete_note", &json!({"note": note})));
            drop(world.cli(&["holds", "deny", &world.hold(), "--reason", "no"]).success());
            call.join().unwrap()
        });
        assert!(!answer.ran(), "{note}: {}", answer.text);
    }
    assert_eq!(invocations::count(&record, "start", "d"), 1);
    assert_eq!(invocations::count(&record, "start", "e"), 0);
}

/// Calls a tool as a stateless client does: repeats with the `requestState` it is given, until there is an answer.
pub(crate) fn poll(agent: &tests::agent::Agent, tool: &str, arguments: &serde_json::Value) -> tests::agent::Answer {
    let mut params = json!({"name": tool, "arguments": arguments});
    for _ in 0..10 {
        let answer = agent.ask("tools/call", params.clone());
        if answer.result()["resultType"] != "input_required" {
            return answer;
        }
        params["requestState"] = answer.result()["requestState"].clone();
    }
    panic!("ten rounds and no answer");
}

#[test]
fn a_denial_stands_for_identical_calls_also_after_a_restart() {
    let (mut world, record) = note_server("");
    let call = |world: &World| {
        let agent = world.legacy();
        std::thread::spawn(move || agent.call("notes.delete_note", &json!({"note": "again"})))
    };
    let first = call(&world);
    drop(world.cli(&["holds", "deny", &world.hold(), "--reason", "never"]).success());
    assert!(!first.join().unwrap().ran());
    for _ in 0..2 {
        let answer = call(&world).join().unwrap();
        assert!(answer.text.contains("never"), "the denial was forgotten: {}", answer.text);
        assert!(world.holds().is_empty(), "a person is asked again");
        world.kill();
        world.restart();
        world.eventually("the tools", || (world.modern().names().len() == 2).then_some(()));
    }
    assert_eq!(tests::invocations::count(&record, "start", "again"), 0);
}
