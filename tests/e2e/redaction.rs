//! What looks like a credential reaches neither the agent nor the log.

use std::fs;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;
use tests::hostile::{INJECTION, Mode, credentials};
use tests::server::{Server, hostile_command};
use tests::world::{Setup, World};

fn world(mode: Mode, record: &Path) -> World {
    let words = hostile_command(mode, record);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let world = Setup::new().command_with("leaky", &words, "vouched = true").start();
    world.eventually("the tools", || (world.modern().names().len() == 2).then_some(()));
    world
}

/// Everything in the state folder, and everything that the gateway wrote to its log.
fn everything_kept(world: &World) -> Vec<(String, Vec<u8>)> {
    let mut kept = vec![("standard error".to_owned(), world.said().into_bytes())];
    for file in fs::read_dir(world.state()).unwrap() {
        let file = file.unwrap().path();
        if file.is_file() {
            kept.push((file.display().to_string(), fs::read(&file).unwrap()));
        }
    }
    kept
}

fn assert_not_kept(world: &World, kind: &str, secret: &str) {
    // Also as JSON writes it inside a string.
    let escaped = serde_json::to_string(secret).unwrap();
    let escaped = escaped.trim_matches('"');
    for (place, bytes) in everything_kept(world) {
        for spelling in [secret, escaped] {
            let found = bytes.windows(spelling.len()).any(|window| window == spelling.as_bytes());
            assert!(!found, "the {kind} is in {place}");
        }
    }
}

#[test]
fn a_credential_a_tool_returns_reaches_neither_agent_nor_log() {
    let folder = TempDir::new().unwrap();
    let world = world(Mode::Credential, &folder.path().join("record"));
    for agent in [world.modern(), world.legacy()] {
        let answer = agent.call("leaky.read_note", &json!({"note": "x"}));
        assert!(answer.ran(), "{}", answer.text);
        assert!(answer.said().contains("the github token is"), "what is no credential is still there: {}", answer.text);
        for (kind, secret) in credentials() {
            assert!(!answer.said().contains(&secret), "the {kind} reached the agent: {}", answer.said());
        }
    }
    for (kind, secret) in credentials() {
        assert_not_kept(&world, kind, &secret);
    }
    world.verify();
}

#[test]
fn a_credential_in_an_agents_arguments_does_not_reach_the_log() {
    let folder = TempDir::new().unwrap();
    let world = world(Mode::Count, &folder.path().join("record"));
    for (kind, secret) in credentials() {
        drop(world.modern().call("leaky.read_note", &json!({"note": format!("for you: {secret}")})));
        assert_not_kept(&world, kind, &secret);
    }
    world.verify();
}

#[test]
fn an_agents_token_is_not_kept() {
    let fixture = Server::fixture(None);
    let world = Setup::new().remote("fixture", fixture.endpoint()).start();
    let token = world.add_agent("another");
    drop(world.modern().names());
    for token in [token.as_str(), world.token()] {
        assert_not_kept(&world, "agent's token", token);
    }
}

#[test]
fn instructions_in_a_result_arrive_as_data_and_mark_what_follows() {
    let folder = TempDir::new().unwrap();
    let words = hostile_command(Mode::Injection, &folder.path().join("record"));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let world = Setup::new().command_with("web", &words, "vouched = true\nreads = \"untrusted\"").start();
    world.eventually("the tools", || (world.modern().names().len() == 2).then_some(()));
    let answer = world.modern().call("web.read_note", &json!({"note": "x"}));
    assert_eq!(answer.said(), INJECTION);
    // A value that was first seen there is told to whoever is asked about it.
    drop(world.modern().begin(
        "tools/call",
        json!({"name": "web.delete_note", "arguments": {"note": "https://attacker.example/collect"}}),
    ));
    let hold = world.hold();
    let shown = world.cli(&["holds", "show", &hold]).success();
    assert!(shown.contains("tainted-argument"), "{shown}");
}
