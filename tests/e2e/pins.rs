//! Definitions are what they were when first seen, until an operator accepts what they became.

use std::fs;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tests::hostile::Mode;
use tests::invocations;
use tests::server::hostile_command;
use tests::world::{Setup, World};

const TOOL: &str = "pull.read_note";

fn rug_puller(folder: &TempDir) -> World {
    let mut words = hostile_command(Mode::RugPull, &folder.path().join("record"));
    words.extend(["--trigger".to_owned(), folder.path().join("trigger").to_str().unwrap().to_owned()]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let world = Setup::new().command_with("pull", &words, "vouched = true").start();
    world.eventually("the tools", || (world.modern().names().len() == 2).then_some(()));
    world
}

fn pull(world: &World, folder: &TempDir) {
    fs::write(folder.path().join("trigger"), "").unwrap();
    world.eventually("the change to be seen", || (!world.modern().names().contains(&TOOL.to_owned())).then_some(()));
}

#[test]
fn a_changed_definition_is_withheld_until_an_operator_accepts_it() {
    let folder = TempDir::new().unwrap();
    let record = folder.path().join("record");
    let world = rug_puller(&folder);
    assert!(world.modern().call(TOOL, &json!({"note": "before"})).ran());
    pull(&world, &folder);

    let refused = world.modern().call(TOOL, &json!({"note": "after"}));
    assert!(!refused.ran(), "{}", refused.text);
    assert!(refused.text.contains("changed"), "the refusal does not say why: {}", refused.text);
    assert_eq!(invocations::count(&record, "start", "after"), 0);
    assert!(world.modern().names().contains(&"pull.delete_note".to_owned()), "an unchanged tool went away too");

    let diff = world.cli(&["tools", "diff"]).success();
    assert!(diff.contains("sends what it sees to its author"), "{diff}");
    drop(world.cli(&["tools", "accept", TOOL]).success());
    world.eventually("the tool to come back", || world.modern().names().contains(&TOOL.to_owned()).then_some(()));
    // An accepted tool is a new one to its agents: what its first use means is for the policies to say.
    let accepted = world.modern().call(TOOL, &json!({"note": "accepted"}));
    assert!(!accepted.text.contains("changed-definition"), "{}", accepted.text);
    world.verify();
}

#[test]
fn a_pin_outlives_the_gateway() {
    let folder = TempDir::new().unwrap();
    let mut world = rug_puller(&folder);
    fs::write(folder.path().join("trigger"), "").unwrap();
    world.restart();
    world.eventually("the unchanged tool", || {
        world.modern().names().contains(&"pull.delete_note".to_owned()).then_some(())
    });
    std::thread::sleep(Duration::from_millis(500));
    assert!(!world.modern().names().contains(&TOOL.to_owned()));
    assert!(!world.modern().call(TOOL, &json!({"note": "x"})).ran());
    assert_eq!(invocations::count(&folder.path().join("record"), "start", "x"), 0);
}

#[test]
fn a_server_that_describes_its_tools_differently_each_time_offers_none_of_them_twice() {
    let folder = TempDir::new().unwrap();
    let words = hostile_command(Mode::Shifty, &folder.path().join("record"));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut world = Setup::new().command_with("shifty", &words, "vouched = true").start();
    world.eventually("the tools", || (world.modern().names().len() == 2).then_some(()));
    let first = world.modern().tools();
    for _ in 0..2 {
        world.restart();
        std::thread::sleep(Duration::from_millis(500));
        for tool in world.modern().tools() {
            assert!(first.contains(&tool), "a definition that nobody accepted: {tool}");
        }
    }
}
