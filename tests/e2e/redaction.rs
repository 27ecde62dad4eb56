//! What looks like a credential reaches neither the agent nor the log.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::hostile::{INJECTION, Mode, credentials};
use tests::program;
use tests::server::{Server, hostile_command};
use tests::world::{Setup, World, portcullis};

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
    let params = json!({"name": "web.delete_note", "arguments": {"note": "https://attacker.example/collect"}});
    let call = world.modern().begin("tools/call", params).unwrap();
    let hold = world.hold();
    let shown = world.cli(&["holds", "show", &hold]).success();
    assert!(shown.contains("tainted-argument"), "{shown}");
    drop(call);
}

/// A file that a command reads as its input.
fn input(folder: &Path, text: &str) -> fs::File {
    let path = folder.join("input");
    fs::write(&path, text).unwrap();
    fs::File::open(path).unwrap()
}

#[test]
fn no_encoding_of_a_live_secret_passes_the_command_line() {
    let folder = TempDir::new().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/encodings/encode.py");
    let rows = program::run(program::command("python3").args([script, "4", "7"]), Duration::from_mins(1)).success();
    let mut command = program::command(portcullis());
    command.args(["redact", "--jsonl", "--state"]).arg(folder.path().join("none"));
    command.stdin(input(folder.path(), &rows));
    let answers = program::run(&mut command, Duration::from_mins(2)).success();
    assert_eq!(rows.lines().count(), answers.lines().count());
    for (row, answer) in rows.lines().zip(answers.lines()) {
        let (row, answer): (Value, Value) = (serde_json::from_str(row).unwrap(), serde_json::from_str(answer).unwrap());
        let joined: String = row["chunks"].as_array().unwrap().iter().map(|chunk| chunk.as_str().unwrap()).collect();
        let redacted = answer["redacted"].as_str().unwrap();
        assert!(!redacted.contains(row["encoded"].as_str().unwrap()), "{row} => {redacted}");
        assert!(!redacted.contains(row["secret"].as_str().unwrap()), "{row} => {redacted}");
        let findings = answer["findings"].as_array().unwrap();
        assert!(findings.iter().any(|finding| finding["kind"] == "live"), "{row} => {answer}");
        for finding in findings {
            let part = |name: &str| usize::try_from(finding[name].as_u64().unwrap()).unwrap();
            assert!(joined.get(part("start")..part("end")).is_some_and(|part| !part.is_empty()), "{row} => {answer}");
        }
    }
}

#[test]
fn a_scan_says_where_a_credential_lies_and_never_what_it_is() {
    let folder = TempDir::new().unwrap();
    let token = format!("ghp_{}", "a1B2".repeat(9));
    fs::write(folder.path().join("clean.txt"), "nothing here\n").unwrap();
    fs::write(folder.path().join(".mcp.json"), format!("{{\n  \"env\": {{\"GITHUB_TOKEN\": \"{token}\"}}\n}}\n"))
        .unwrap();
    fs::create_dir(folder.path().join("node_modules")).unwrap();
    fs::write(folder.path().join("node_modules/skipped"), &token).unwrap();
    let scan = |path: &Path, more: &[&str]| {
        program::run(program::command(portcullis()).arg("scan").arg(path).args(more), Duration::from_mins(1))
    };
    let found = scan(folder.path(), &[]);
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    assert!(found.stdout.contains(".mcp.json:2: github-token "), "{found:?}");
    assert_eq!(found.stdout.lines().count(), 1, "{found:?}");
    assert!(!found.stdout.contains(&token) && !found.stderr.contains(&token));
    let json: Value = serde_json::from_str(scan(folder.path(), &["--json"]).stdout.trim()).unwrap();
    assert_eq!((&json["line"], &json["kind"]), (&json!(2), &json!("github-token")));
    assert_eq!(scan(&folder.path().join("clean.txt"), &[]).status.code(), Some(0));
    assert_eq!(scan(&folder.path().join("missing"), &[]).status.code(), Some(1));
}
