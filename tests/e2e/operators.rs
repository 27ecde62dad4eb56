//! Who approves: people who were added, by their PIN, and never for their own where somebody else can.

use std::path::PathBuf;
use std::thread;

use serde_json::json;
use tests::agent::Agent;
use tests::hostile::Mode;
use tests::invocations;
use tests::operator::Operator;
use tests::server::hostile_command;
use tests::world::{Setup, World, server_table};

use crate::approval::poll;

pub(crate) const ANN: &str = "294017\n";
const BOB: &str = "518230\n";
const EVE: &str = "730184\n";

fn notes() -> (World, PathBuf) {
    let mut world = Setup::new().prepare();
    let record = world.folder().join("invocations");
    let words = hostile_command(Mode::Count, &record);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    world.configure(&server_table("notes", &words, ""));
    world.start();
    (world, record)
}

pub(crate) fn add(world: &World, name: &str, role: &str, uid: Option<u32>, pins: &str) {
    let uid = uid.map(|uid| uid.to_string());
    let mut words = vec!["operator", "add", name, "--role", role, "--pin-stdin"];
    words.extend(uid.iter().flat_map(|uid| ["--uid", uid.as_str()]));
    drop(world.cli_told(&words, pins).success());
}

pub(crate) fn own() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[test]
fn approving_takes_a_pin_once_there_are_operators() {
    let (world, record) = notes();
    add(&world, "ann", "admin", Some(own()), ANN);
    let agent = world.modern();
    let answer = thread::scope(|scope| {
        let call = scope.spawn(|| poll(&agent, "notes.delete_note", &json!({"note": "a"})));
        let hold = world.hold();
        // What an agent's shell can do: it has the operator's user, a terminal's standard input, and no PIN.
        for (words, input) in [
            (&["holds", "approve", &hold][..], ""),
            (&["holds", "approve", &hold, "--pin-stdin"], "000000\n"),
            (&["holds", "approve", &hold, "--as", "ann", "--pin-stdin"], "\n"),
            (&["holds", "approve", &hold, "--as", "uid:root", "--pin-stdin"], ANN),
            (&["operator", "add", "eve", "--role", "admin", "--pin-stdin"], EVE),
            (&["operator", "remove", "ann"], ""),
            (&["agent", "add", "eve"], ""),
        ] {
            let refused = world.cli_told(words, input);
            assert!(!refused.status.success(), "{words:?} did: {}", refused.stdout);
        }
        assert_eq!(invocations::count(&record, "start", "a"), 0);
        drop(world.cli_told(&["holds", "approve", &hold, "--pin-stdin"], ANN).success());
        call.join().unwrap()
    });
    assert!(answer.ran(), "{}", answer.text);
    assert_eq!(invocations::count(&record, "start", "a"), 1);
    let log = serde_json::to_string(&world.log()).unwrap();
    assert!(log.contains(r#""proof":{"by":"pin"}"#) && log.contains("pin-refused"), "{log}");
    assert!(!log.contains(ANN.trim()) && !log.contains("000000"), "a PIN is in the log");
    world.verify();
}

#[test]
fn nobody_approves_for_their_own_agent_where_another_can() {
    let (world, record) = notes();
    // The agent `default` belongs to whoever started the gateway: ann.
    add(&world, "ann", "admin", Some(own()), ANN);
    add(&world, "bob", "operator", None, &format!("{BOB}{ANN}"));
    add(&world, "eve", "reviewer", None, &format!("{EVE}{ANN}"));
    let agent = world.modern();
    let answer = thread::scope(|scope| {
        let call = scope.spawn(|| poll(&agent, "notes.delete_note", &json!({"note": "b"})));
        let hold = world.hold();
        let own = world.cli_told(&["holds", "approve", &hold, "--pin-stdin"], ANN);
        assert!(own.stderr.contains("not-your-own"), "{own:?}");
        let reviewer = world.cli_told(&["holds", "approve", &hold, "--as", "eve", "--pin-stdin"], EVE);
        assert!(!reviewer.status.success() && reviewer.stderr.contains("reviewer"), "{reviewer:?}");
        assert_eq!(invocations::count(&record, "start", "b"), 0);
        // CRITICAL takes two where two may; here one may, and he is enough.
        drop(world.cli_told(&["holds", "approve", &hold, "--as", "bob", "--pin-stdin"], BOB).success());
        call.join().unwrap()
    });
    assert!(answer.ran(), "{}", answer.text);
    // An agent of bob's is ann's to answer, and hers alone.
    let told = world.cli_told(&["agent", "add", "ci", "--as", "bob", "--pin-stdin", "--json"], BOB).success();
    let token: serde_json::Value = serde_json::from_str(&told).unwrap();
    let ci = Agent::modern(world.endpoint(), token["token"].as_str().unwrap());
    let answer = thread::scope(|scope| {
        let call = scope.spawn(|| poll(&ci, "notes.delete_note", &json!({"note": "c"})));
        let hold = world.hold();
        let own = world.cli_told(&["holds", "approve", &hold, "--as", "bob", "--pin-stdin"], BOB);
        assert!(own.stderr.contains("not-your-own"), "{own:?}");
        drop(world.cli_told(&["holds", "approve", &hold, "--pin-stdin"], ANN).success());
        call.join().unwrap()
    });
    assert!(answer.ran(), "{}", answer.text);
    assert_eq!(invocations::count(&record, "start", "c"), 1);
    world.verify();
}

#[test]
fn a_held_call_of_an_operator_who_was_replaced_since_does_not_run() {
    let (world, record) = notes();
    add(&world, "ann", "admin", Some(own()), ANN);
    add(&world, "bob", "admin", None, &format!("{BOB}{ANN}"));
    let mut ann = Operator::connect(world.state()).unwrap();
    let wanted = json!({"name": "notes.delete_note", "arguments": {"note": "d"}});
    drop(ann.ask("calls_run", &wanted).unwrap().unwrap());
    let hold = world.hold();
    for (words, pins) in [
        (&["operator", "remove", "ann"][..], BOB.to_owned()),
        (&["operator", "add", "ann", "--role", "admin"], format!("{ANN}{BOB}")),
        (&["holds", "approve", &hold], BOB.to_owned()),
    ] {
        drop(world.cli_told(&[words, &["--as", "bob", "--pin-stdin"]].concat(), &pins).success());
    }
    let ended = loop {
        let ended = ann.hear().unwrap()["params"]["result"]["ended"].take();
        if !ended.is_null() {
            break ended;
        }
    };
    assert!(ended["ok"] == false && ended.to_string().contains("was removed"), "{ended}");
    assert_eq!(invocations::count(&record, "start", "d"), 0);
    world.verify();
}
