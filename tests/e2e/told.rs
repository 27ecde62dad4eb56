//! What the console shows, asked on the command line: why a call went as it did, how things are going, which policies are in force and
//! what changed ones would have decided.

use std::fs;
use std::thread;

use serde_json::json;
use tempfile::TempDir;
use tests::hostile::Mode;
use tests::server::hostile_command;
use tests::world::{Setup, World};

use crate::approval::poll;

const CLOSED: &str = "@id(\"closed\")\n@reason(\"Notes are closed.\")\n@next(\"Wait.\")\n\
     forbid (principal, action == Action::\"call\", resource == Tool::\"count.read_note\");\n";

/// One call that ran, one that was approved, one that was denied.
fn worked() -> (World, TempDir) {
    let folder = TempDir::new().unwrap();
    let words = hostile_command(Mode::Count, &folder.path().join("record"));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let world = Setup::new().command_with("count", &words, "vouched = true").start();
    world.eventually("the tools", || (world.modern().names().len() == 2).then_some(()));
    assert!(world.modern().call("count.read_note", &json!({"note": "a"})).ran());
    for (note, answer) in [("b", ["approve", "--reason", "it is old"]), ("c", ["deny", "--reason", "still needed"])] {
        thread::scope(|scope| {
            let call = scope.spawn(|| poll(&world.modern(), "count.delete_note", &json!({ "note": note })));
            let hold = world.hold();
            drop(world.cli(&["holds", answer[0], &hold, answer[1], answer[2]]).success());
            assert_eq!(call.join().unwrap().ran(), answer[0] == "approve");
        });
    }
    (world, folder)
}

#[test]
fn why_says_what_became_of_a_call_and_why() {
    let (world, _folder) = worked();
    let steps: Vec<_> = world.log().into_iter().filter(|record| record["kind"] == "step").collect();
    let call = |step: &str| {
        let found = steps.iter().find(|record| record["detail"]["step"]["step"] == step);
        found.unwrap_or_else(|| panic!("nobody did {step}"))["call"].as_str().unwrap().to_owned()
    };
    let denied = world.cli(&["why", &call("deny")]).success();
    for part in ["count.delete_note", "CRITICAL", "removes or ends something", "hold by", "deny by", "still needed"] {
        assert!(denied.contains(part), "{part} is not in\n{denied}");
    }
    let approved = world.json(&["why", &call("approve")]);
    assert_eq!(approved["tool"], "count.delete_note");
    let happened: Vec<&str> =
        approved["happened"].as_array().unwrap().iter().map(|one| one["what"].as_str().unwrap()).collect();
    assert!(happened.iter().any(|what| what.contains("approve by") && what.ends_with(": it is old")), "{happened:?}");
    assert!(happened.iter().any(|what| what.starts_with("runs")), "{happened:?}");
    assert!(happened.last().unwrap().starts_with("answered"), "{happened:?}");
    let nothing = world.cli(&["why", "1"]);
    assert!(!nothing.status.success() && nothing.stderr.contains("is no call"), "{nothing:?}");
    world.verify();
}

#[test]
fn the_command_line_tells_how_things_are_going_and_what_changed_policies_would_have_decided() {
    let (world, folder) = worked();
    let now = world.json(&["now", "--parts", "1"]);
    let count = |verdict: &str| {
        let risks = now["parts"][0]["decided"][verdict].as_object();
        risks.map_or(0, |risks| risks.values().filter_map(serde_json::Value::as_u64).sum::<u64>())
    };
    assert!(count("allow") >= 1 && count("hold") == 2, "{now}");
    let told = world.cli(&["now", "--last", "2h", "--parts", "2"]).success();
    assert!(told.contains("ALLOWED") && told.contains("UNDER 3 S"), "{told}");

    let shown = world.cli(&["policy", "show"]).success();
    assert!(shown.contains("guard.cedar, built in") && shown.contains("permit ("), "{shown}");
    let file = folder.path().join("closed.cedar");
    fs::write(&file, CLOSED).unwrap();
    let words = ["policy", "replay", file.to_str().unwrap()];
    let rows = world.list(&words);
    let row = rows.iter().find(|row| row["tool"] == "read_note").unwrap_or_else(|| panic!("{rows:?}"));
    assert_eq!((&row["now"]["verdict"], &row["then"]["verdict"]), (&json!("allow"), &json!("deny")));
    assert!(row["then"]["policies"].as_array().unwrap().contains(&json!("closed")));
    let told = world.cli(&words).success();
    assert!(told.contains("recorded calls would be decided otherwise") && told.contains("closed"), "{told}");
    assert!(world.modern().call("count.read_note", &json!({"note": "a"})).ran(), "a replay changed what is in force");
    fs::write(&file, "permit (nonsense").unwrap();
    let broken = world.cli(&words);
    assert!(!broken.status.success() && broken.stderr.contains("unexpected end of input"), "{broken:?}");
}
