//! Policies that only watch: they block nothing, open nothing, and the log says what they would have changed.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::hostile::Mode;
use tests::server::hostile_command;
use tests::world::{Setup, World};

fn counting(folder: &TempDir, setup: Setup) -> World {
    let words = hostile_command(Mode::Count, &folder.path().join("record"));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let world = setup.command_with("count", &words, "vouched = true").start();
    ready(&world);
    world
}

fn ready(world: &World) {
    world.eventually("the tools", || (world.modern().names().len() == 2).then_some(()));
}

fn read(world: &World) -> tests::agent::Answer {
    world.modern().call("count.read_note", &json!({"note": "x"}))
}

fn counted(world: &World, policy: &str) -> Value {
    let rows = world.list(&["policy", "observed"]);
    rows.into_iter().find(|row| row["policy"] == policy).unwrap_or_else(|| panic!("`{policy}` is not counted"))
}

fn closed(mode: &str) -> String {
    format!(
        "@id(\"closed\") {mode}\n@reason(\"Notes are closed.\")\n\
         forbid (principal, action == Action::\"call\", resource == Tool::\"count.read_note\");\n"
    )
}

#[test]
fn an_observed_forbid_blocks_nothing_until_it_is_in_force_and_the_log_says_what_it_would_have_done() {
    let folder = TempDir::new().unwrap();
    let world = counting(&folder, Setup::new().policies(&closed("@mode(\"observe\")")));
    assert!(read(&world).ran(), "an observed policy blocked a call");
    let intent = world.list(&["log", "list", "--verdict", "allow"]).remove(0);
    assert_eq!(intent["detail"]["assessment"]["observed"], json!([{"policy": "closed", "would": "deny"}]));
    let listed = world.cli(&["log", "list"]).success();
    assert!(listed.contains("observed closed would deny"), "{listed}");
    let row = counted(&world, "closed");
    assert_eq!((&row["deny"], &row["allow"], &row["hold"]), (&json!(1), &json!(0), &json!(0)));
    assert_eq!((&row["observed"], &row["bundled"]), (&json!(true), &json!(false)));
    let loaded = world.log().into_iter().find(|record| record["detail"]["event"] == "policies-loaded").unwrap();
    assert_eq!(loaded["detail"]["observed"], json!(["closed"]));

    fs::write(world.folder().join("test.cedar"), closed("")).unwrap();
    drop(world.cli(&["reload"]).success());
    let refused = read(&world);
    assert!(!refused.ran() && refused.text.contains("Notes are closed."), "{}", refused.text);
    // What is in force is not counted as what would have been.
    let row = counted(&world, "closed");
    assert_eq!((&row["deny"], &row["observed"]), (&json!(1), &json!(false)));
    assert!(world.cli(&["policy", "observed", "--since", "soon"]).status.code() == Some(2));
    world.verify();
}

#[test]
fn an_observed_permit_opens_nothing() {
    let folder = TempDir::new().unwrap();
    let permit = "@id(\"open\") @mode(\"observe\")\npermit (principal, action, resource);\n";
    let world = counting(&folder, Setup::new().policies(permit).config("[hold]\nhigh = \"1s\"\ncritical = \"1s\"\n"));
    let answer = crate::approval::poll(&world.modern(), "count.delete_note", &json!({"note": "a"}));
    assert!(!answer.ran(), "an observed permit let a call run: {}", answer.text);
    assert_eq!(tests::invocations::count(&folder.path().join("record"), "start", "a"), 0);
    let hold = world.list(&["log", "list", "--verdict", "hold"]).remove(0);
    assert_eq!(hold["detail"]["assessment"]["observed"], json!([{"policy": "open", "would": "allow"}]));
    let row = "{\"session\":\"s\",\"agent\":\"a\",\"server\":\"count\",\"tool\":{\"name\":\"delete_note\"},\"arguments\":{}}\n";
    fs::write(world.folder().join("calls.jsonl"), row).unwrap();
    let words = ["explain", "--config", "portcullis.toml", "--calls", "calls.jsonl"];
    let explained = world.cli(&words).success();
    assert!(explained.contains("open only watches, and would allow it"), "{explained}");
    assert_eq!(world.list(&words)[0]["observed"], json!([{"policy": "open", "would": "allow"}]));
    world.verify();
}

#[test]
fn a_default_that_is_observed_is_shouted_about_and_a_guard_cannot_be() {
    let folder = TempDir::new().unwrap();
    let world = counting(&folder, Setup::new().config("[policy]\nobserve = [\"quarantine\"]\n"));
    let shout = "the default policy `quarantine` is only observed: it decides nothing";
    let started = world.log().into_iter().find(|record| record["detail"]["event"] == "started").unwrap();
    assert!(started["detail"]["notes"].to_string().contains(shout), "{started}");
    world.eventually("a warning", || world.said().contains(shout).then_some(()));
    let doctor = world.cli(&["doctor"]);
    assert!(!doctor.status.success() && doctor.stdout.contains(shout), "{}", doctor.stdout);
    let check = world.cli(&["check", "--config", "portcullis.toml"]).success();
    assert!(check.contains(shout), "{check}");
    assert_eq!(counted(&world, "quarantine")["bundled"], json!(true));

    for (id, told) in [("secret-exfiltration", "always in force"), ("quarantin", "there is no policy `quarantin`")] {
        let other = Setup::new().config(&format!("[policy]\nobserve = [\"{id}\"]\n")).prepare();
        let check = other.cli(&["check", "--config", "portcullis.toml"]);
        let said = format!("{}{}", check.stdout, check.stderr);
        assert!(!check.status.success() && said.contains("policy.observe") && said.contains(told), "{said}");
    }
}

#[test]
fn an_observed_policy_on_approvals_refuses_nobody_and_its_record_says_so() {
    let folder = TempDir::new().unwrap();
    let why = "@id(\"say-why\") @mode(\"observe\")\n\
               forbid (principal, action == Action::\"approve\", resource) unless { context.reasoned };\n";
    let world = counting(&folder, Setup::new().policies(why));
    let agent = world.modern();
    let answer = std::thread::scope(|scope| {
        let call = scope.spawn(|| crate::approval::poll(&agent, "count.delete_note", &json!({"note": "b"})));
        drop(world.cli(&["holds", "approve", &world.hold()]).success());
        call.join().unwrap()
    });
    assert!(answer.ran(), "{}", answer.text);
    let steps: Vec<Value> = world.log().into_iter().filter(|record| record["kind"] == "step").collect();
    assert!(steps.iter().any(|step| step["detail"]["step"]["observed"] == json!(["say-why"])), "{steps:?}");
    assert_eq!(counted(&world, "say-why")["refuse"], json!(1));
    world.verify();
}
