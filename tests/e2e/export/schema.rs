//! Events as others read them: held against the schema that OCSF's own server exports, by a checker that is not ours.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tests::components;
use tests::hostile::Mode;
use tests::program::{Program, command};
use tests::server::Server;
use tests::world::Setup;

use super::{HOSTILE, agent_params, lines, some};

/// What the schema finds wrong with these events, one a line; the last line says how many were looked at.
fn judged(events: &str) -> Vec<String> {
    let mut python = command(components::python("python"));
    python.arg(components::script("ocsf.py")).env("PYTHONPATH", components::folder().join("ocsf"));
    let mut program = Program::start(python.stdin(Stdio::piped()));
    let mut stdin = program.stdin().unwrap();
    let events = events.to_owned();
    let writing = std::thread::spawn(move || stdin.write_all(events.as_bytes()));
    let status = program.wait(Duration::from_mins(2));
    drop(writing.join().unwrap());
    assert!(status.success(), "{}", program.stderr());
    program.stdout().lines().map(str::to_owned).collect()
}

/// One event of each kind of record, as the exporter's own tests keep them.
fn kept() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gateway/src/export/format/golden/records.ocsf");
    fs::read_to_string(file).unwrap()
}

#[test]
fn every_event_is_valid_by_the_schema_that_ocsf_publishes() {
    let folder = tempfile::TempDir::new().unwrap();
    let notes = Server::hostile(Mode::Count, &folder.path().join("record"));
    let world = Setup::new().remote("count", notes.endpoint()).start();
    world.eventually("the tools", || (world.modern().names().len() == 2).then_some(()));
    assert!(world.modern().call("count.read_note", &json!({ "note": "x" })).ran());
    // Not dropped while it is on its way: an agent that goes away cancels its call.
    assert!(!world.modern().ask("tools/call", agent_params("count.delete_note")).ran());
    drop(world.cli(&["holds", "deny", &world.hold(), "--reason", "no"]).success());
    drop(world.legacy().call(HOSTILE, &json!({ "x": "y" })));
    some(&world, "a");
    let live = lines(&world, "ocsf");
    for kind in ["intent", "outcome", "hold", "step", "request-refused", "agent-added"] {
        assert!(live.iter().any(|line| line.contains(&format!("\\\"{kind}\\\""))), "no record of a {kind}");
    }
    let kept = kept();
    let events = format!("{kept}{}\n", live.join("\n"));
    assert_eq!(judged(&events), [format!("{} events", kept.lines().count() + live.len())]);
}

/// What the schema is to say, and what is done to an event before.
type Break = (&'static str, fn(&mut Value));

#[test]
fn the_schema_finds_what_is_wrong_with_an_event() {
    let kept = kept();
    let event: Value = serde_json::from_str(kept.lines().nth(1).unwrap()).unwrap();
    let breaks: [Break; 7] = [
        ("'api' is a required property", |event| drop(event.as_object_mut().unwrap().remove("api"))),
        ("'src_endpoint' is a required property", |event| drop(event.as_object_mut().unwrap().remove("src_endpoint"))),
        ("7 is not one of", |event| event["activity_id"] = json!(7)),
        ("'mine' was unexpected", |event| event["mine"] = json!(1)),
        ("is not of type 'integer'", |event| event["time"] = json!("now")),
        ("'Fatal' stands beside", |event| event["severity"] = json!("Fatal")),
        ("another version", |event| event["metadata"]["version"] = json!("1.7.0")),
    ];
    let broken = |(_, change): &Break| {
        let mut broken = event.clone();
        change(&mut broken);
        format!("{broken}\n")
    };
    let found = judged(&breaks.iter().map(broken).collect::<String>());
    for (place, (wanted, _)) in breaks.iter().enumerate() {
        let number = format!("{} ", place + 1);
        let said = found.iter().any(|line| line.starts_with(&number) && line.contains(wanted));
        assert!(said, "event {number}is not found to be wrong ({wanted}): {found:#?}");
    }
}
