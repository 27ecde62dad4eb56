//! Old records that a policy lets go, from the command line: refused without a policy or while a gateway runs, and told of.

use std::fs;
use std::thread;
use std::time::Duration;

use serde_json::json;
use tests::world::{Setup, World, built};

const AUDIT: &str = "[audit]\nwait = \"30s\"\n";

/// A gateway that recorded more than 512 records, and was stopped.
fn world() -> World {
    let mut world = Setup::new()
        .allow_all()
        .command_with("f", &[&built("fixture-server")], "vouched = true\n")
        .config(AUDIT)
        .start();
    let agent = world.modern();
    world.eventually("the tools", || agent.names().contains(&"f.echo".to_owned()).then_some(()));
    for number in 0..270 {
        assert!(agent.call("f.echo", &json!({ "text": format!("note {number}") })).ran());
    }
    // What is to be old is a second old.
    thread::sleep(Duration::from_millis(1_100));
    let told = world.cli(&["log", "prune", "--config", "portcullis.toml", "--before", "1s", "--reason", "tested"]);
    assert!(!told.status.success() && told.stderr.contains("another gateway uses"), "{told:?}");
    world.kill();
    // What kill left running is recorded as interrupted, so nothing needs old records.
    world.start();
    world.kill();
    world
}

fn config(world: &World, tables: &str) {
    world.configure(&format!("{AUDIT}{tables}"));
}

#[test]
fn records_are_pruned_by_a_policy_and_whoever_asks_for_them_is_told() {
    let mut world = world();
    let key = world.json(&["log", "key"])["key"].as_str().unwrap().to_owned();
    let prune = |world: &World, more: &[&str]| {
        let words = [&["log", "prune", "--config", "portcullis.toml"], more].concat();
        world.cli(&words)
    };
    let refused = |world: &World, more: &[&str], why: &str| {
        let told = prune(world, more);
        assert!(!told.status.success() && told.stderr.contains(why), "wanted {why:?}: {told:?}");
        assert_eq!(world.json(&["log", "verify"])["pruned"], 0);
    };
    config(&world, "");
    refused(&world, &[], "no policy says which records may go");
    refused(&world, &["--before", "1s"], "--reason");
    config(&world, "records = \"400d\"\n");
    refused(&world, &["--before", "1s", "--reason", "tested"], "keeps records for");
    assert!(prune(&world, &[]).success().contains("nothing to prune"));

    // An exporter that has sent nothing yet.
    let out = world.folder().join("siem.jsonl");
    config(&world, &format!("[export.siem]\nkind = \"file\"\npath = \"{}\"\nformat = \"json\"\n", out.display()));
    let now = ["--before", "1s", "--reason", "the council agreed"];
    refused(&world, &now, "the exporter `siem`");
    assert!(
        prune(&world, &[&now[..], &["--force", "--dry-run"]].concat()).success().contains("would prune 512 records")
    );
    assert_eq!(world.json(&["log", "verify"])["pruned"], 0);
    let told = prune(&world, &[&now[..], &["--force", "--json"]].concat()).success();
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["from"], &told["to"], &told["whole"]), (&json!(1), &json!(512), &json!(true)));
    let record = told["record"].to_string();

    let verified = world.cli(&["log", "verify", "--key", &key]).success();
    assert!(
        verified.contains("records up to 512 were pruned") && verified.contains("verified from 513 on"),
        "{verified}"
    );
    let shown = world.cli(&["log", "show", &record]).success();
    assert!(shown.contains("records-pruned") && shown.contains("the council agreed"), "{shown}");
    for words in [["log", "show", "5"], ["log", "prove", "5"]] {
        let told = world.cli(&words);
        assert!(!told.status.success() && told.stderr.contains("was pruned on"), "{told:?}");
    }
    let unknown = world.cli(&["log", "show", "call-aaaaaaaaaaaaaaaa"]);
    assert!(unknown.stderr.contains("records up to 512 were pruned"), "{unknown:?}");
    let list = world.cli(&["log", "list", "--limit", "1000"]);
    assert!(list.stderr.contains("records up to 512 were pruned"), "{list:?}");

    // The gateway goes on with it, also by its own API.
    config(&world, "");
    world.start();
    drop(world.add_agent("after"));
    world.verify();
    assert_eq!(world.log().first().unwrap()["seq"], 513);
    assert!(!fs::read(world.state().join("portcullis.db")).unwrap().windows(8).any(|part| part == b"note 7\"}"));
}
