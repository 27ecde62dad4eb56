//! Tool packages: what is shown is what is pinned and granted, and what tries more is put in quarantine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::world::{Setup, World};

/// A server that lists notes: enough of MCP for one tool.
const SERVER: &str = r#"#!/usr/bin/env python3
import json, sys
TOOL = {"name": "list_notes", "description": "Lists notes.", "inputSchema": {"type": "object"},
        "annotations": {"readOnlyHint": True}}
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    method, answer = asked.get("method"), {"jsonrpc": "2.0", "id": asked["id"]}
    if method == "initialize":
        answer["result"] = {"protocolVersion": asked["params"]["protocolVersion"], "capabilities": {"tools": {}},
                            "serverInfo": {"name": "notes", "version": "1"}}
    elif method == "tools/list":
        answer["result"] = {"tools": [TOOL]}
    elif method == "tools/call":
        answer["result"] = {"content": [{"type": "text", "text": "one note"}]}
    else:
        answer["error"] = {"code": -32601, "message": "no such method"}
    print(json.dumps(answer), flush=True)
"#;

const MANIFEST: &str = r#"
name = "notes"
kind = "process"
version = "1.0.0"
description = "Keeps notes."
[process]
command = ["server.py"]
[[folder]]
at = "/data"
[limits]
memory = "256 MiB"
"#;

const RUNS: &str = r#"
@id("test-runs")
permit (principal, action == Action::"call_unattended", resource);
"#;

fn package(folder: &Path) -> PathBuf {
    let package = folder.join("notes-package");
    fs::create_dir(&package).unwrap();
    fs::write(package.join("portcullis-tool.toml"), MANIFEST).unwrap();
    fs::write(package.join("server.py"), SERVER).unwrap();
    fs::set_permissions(package.join("server.py"), fs::Permissions::from_mode(0o755)).unwrap();
    package
}

fn add(world: &World, package: &Path) -> String {
    world.cli(&["tools", "add", package.to_str().unwrap(), "--yes"]).success()
}

fn offered(world: &World, name: &str) {
    world.eventually(name, || world.modern().names().contains(&name.to_owned()).then_some(()));
}

#[test]
fn an_added_package_runs_until_it_is_not_what_was_added() {
    let folder = TempDir::new().unwrap();
    let mut world = Setup::new().start();
    let package = package(folder.path());
    let shown = add(&world, &package);
    for told in
        ["notes 1.0.0", "process, jailed", "Keeps notes.", "none yet as /data (read)", "memory 256 MiB", "added notes"]
    {
        assert!(shown.contains(told), "{told:?} is not in {shown}");
    }
    assert!(!world.modern().names().contains(&"notes.list_notes".to_owned()), "it takes effect at the next start");
    world.restart();
    offered(&world, "notes.list_notes");
    assert_eq!(world.modern().call("notes.list_notes", &json!({})).said(), "one note");

    // What runs is the copy: the place it came from has no say any more.
    fs::write(package.join("server.py"), "evil").unwrap();
    world.restart();
    offered(&world, "notes.list_notes");

    fs::write(world.state().join("packages/notes/server.py"), SERVER.replace("one note", "another")).unwrap();
    world.restart();
    let listed = world.cli(&["tools", "list"]).success();
    assert!(listed.contains("not the one that was added"), "{listed}");
    assert!(world.modern().names().is_empty());

    fs::write(package.join("server.py"), SERVER).unwrap();
    drop(add(&world, &package));
    world.restart();
    offered(&world, "notes.list_notes");

    drop(world.cli(&["tools", "remove", "notes"]).success());
    world.restart();
    assert!(!world.cli(&["tools", "list"]).success().contains("notes"));
    assert!(!world.state().join("packages/notes").exists());
    world.verify();
}

#[test]
fn a_package_that_nobody_added_does_not_run() {
    let folder = TempDir::new().unwrap();
    let mut world = Setup::new().prepare();
    let shelf = world.state().join("packages");
    fs::create_dir_all(&shelf).unwrap();
    fs::set_permissions(world.state(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::rename(package(folder.path()), shelf.join("notes")).unwrap();
    world.start();
    let listed = world.cli(&["tools", "list"]).success();
    assert!(listed.contains("no operator has added this package"), "{listed}");
}

#[test]
fn a_config_cannot_widen_what_a_package_asks_for() {
    let folder = TempDir::new().unwrap();
    let world = Setup::new().prepare();
    let package = package(folder.path());
    for (keys, told) in [
        ("limits = { memory = \"1 GiB\" }", "no more than the package asks for"),
        ("egress = [\"example.com\"]", "no network"),
        ("folders = { \"/etc\" = \"/etc\" }", "does not ask for"),
        ("folders = { \"/data\" = { folder = \"/tmp\", writable = true } }", "only to read"),
    ] {
        let config = format!("[server.notes]\npackage = {:?}\n{keys}\n", package.display().to_string());
        fs::write(world.folder().join("wide.toml"), config).unwrap();
        let checked = world.cli(&["check", "--config", "wide.toml"]);
        assert!(!checked.status.success() && checked.stdout.contains(told), "{keys}: {}", checked.stdout);
    }
}

#[test]
fn a_broken_or_malicious_package_is_refused_with_every_reason() {
    let folder = TempDir::new().unwrap();
    let world = Setup::new().start();
    let package = package(folder.path());
    fs::write(package.join("portcullis-tool.toml"), "name = \"a.b\"\nkind = \"magic\"\nsurprise = 1\n").unwrap();
    let refused = world.cli(&["tools", "add", package.to_str().unwrap(), "--yes"]);
    assert!(!refused.status.success());
    for told in ["a.b", "magic", "surprise", "3 problems"] {
        assert!(refused.stderr.contains(told), "{told:?} is not in {}", refused.stderr);
    }
    let tar = folder.path().join("evil.tar");
    fs::write(&tar, climbing()).unwrap();
    let refused = world.cli(&["tools", "add", tar.to_str().unwrap(), "--yes"]);
    assert!(!refused.status.success() && refused.stderr.contains("leaves the package"), "{}", refused.stderr);
    assert!(!folder.path().join("climbed").exists() && !world.state().join("packages").exists());
}

/// A tar with one file that climbs out of where it is unpacked.
fn climbing() -> Vec<u8> {
    let mut header = [0_u8; 512];
    let put =
        |header: &mut [u8; 512], at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(&mut header, 0, "../climbed");
    put(&mut header, 100, "0000644\0");
    put(&mut header, 124, "00000000000\0");
    put(&mut header, 136, "00000000000\0");
    put(&mut header, 148, "        ");
    put(&mut header, 156, "0");
    put(&mut header, 257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    put(&mut header, 148, &format!("{sum:06o}\0 "));
    header.into_iter().chain([0; 1024]).collect()
}

#[test]
fn a_server_that_tries_what_it_did_not_declare_is_in_quarantine_until_an_operator_accepts_it() {
    let mut world = Setup::new().bundled().policies(RUNS).start();
    offered(&world, "http.fetch");
    let fetch = |world: &World| world.modern().call("http.fetch", &json!({"url": "https://undeclared.test/"}));
    assert!(!fetch(&world).ran(), "nothing was declared for `http`");
    let listed = world.cli(&["tools", "list"]).success();
    assert!(listed.contains("in quarantine: fetch"), "{listed}");
    let tried = world.cli(&["log", "list", "--server", "http"]).success();
    assert!(tried.contains("tried what it had not declared"), "{tried}");

    world.restart();
    offered(&world, "http.fetch");
    thread::scope(|scope| {
        let held = scope.spawn(|| fetch(&world));
        let hold = world.hold();
        let card = world.json(&["holds", "show", &hold]);
        let reasons = card["reasons"].as_array().unwrap();
        assert!(reasons.iter().any(|reason| reason["id"] == "undeclared"), "{card}");
        assert_eq!(card["grant"]["sandbox"], "wasm", "{card}");
        drop(world.cli(&["holds", "deny", &hold, "--reason", "look first"]).success());
        assert!(held.join().unwrap().text.contains("look first"));
    });
    drop(world.cli(&["tools", "accept", "http"]).success());
    let listed = world.cli(&["tools", "list"]).success();
    assert!(!listed.contains("in quarantine"), "{listed}");
    assert!(!fetch(&world).text.contains("look first"), "it is still held");
    world.verify();
}

#[test]
fn run_calls_a_tool_from_a_terminal_and_a_person_still_decides() {
    let world = Setup::new().bundled().start();
    offered(&world, "files.delete");
    let now = world.cli(&["run", "time.now"]);
    assert!(now.status.success(), "{now:?}");
    assert!(!world.cli(&["run", "no.such"]).status.success());
    assert!(!world.cli(&["run", "time.now", "--args", "[1"]).status.success());

    fs::write(world.state().join("files/a.txt"), "a").unwrap();
    let delete = || world.cli(&["run", "files.delete", "--args", r#"{"path":"a.txt"}"#]);
    thread::scope(|scope| {
        let denied = scope.spawn(delete);
        let hold = world.hold();
        drop(world.cli(&["holds", "deny", &hold, "--reason", "keep it"]).success());
        let denied = denied.join().unwrap();
        assert!(!denied.status.success() && denied.stdout.contains("keep it"), "{denied:?}");
        assert!(denied.stderr.contains("portcullis holds approve"), "it does not say how to answer: {denied:?}");
    });
    assert!(world.state().join("files/a.txt").exists());
    // A denial stands for identical calls: another one is asked about anew.
    fs::write(world.state().join("files/b.txt"), "b").unwrap();
    thread::scope(|scope| {
        let allowed = scope.spawn(|| world.cli(&["run", "files.delete", "--args", r#"{"path":"b.txt"}"#]));
        let hold = world.hold();
        drop(world.cli(&["holds", "approve", &hold]).success());
        assert!(allowed.join().unwrap().status.success());
    });
    assert!(!world.state().join("files/b.txt").exists());
    let by: Vec<Value> = world.log().into_iter().filter(|record| record["tool"] == "delete").collect();
    assert!(by.iter().all(|record| record["agent"].as_str().unwrap().starts_with("operator:uid:")), "{by:?}");
    world.verify();
}
