//! A backup is made beside a gateway that goes on, is whole or not there, and brings nothing back to life.

use std::fs;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tests::program::{self, Program};
use tests::world::portcullis;

use crate::passes::{LIKE, approve, office, report, send, waits};

#[test]
fn a_backup_that_is_killed_leaves_nothing_that_looks_like_one() {
    let (world, elsewhere) = (office(), TempDir::new().unwrap());
    let to = elsewhere.path().join("copy");
    for delay in [0, 5, 10, 20, 40, 80] {
        let mut command = program::command(portcullis());
        let mut backup = Program::start(command.arg("backup").arg(&to).arg("--state").arg(world.state()));
        thread::sleep(Duration::from_millis(delay));
        backup.kill();
        if to.exists() {
            // It was finished before.
            let mut command = program::command(portcullis());
            drop(program::run(command.args(["log", "verify", "--state"]).arg(&to), Duration::from_secs(30)).success());
            assert!(to.join("backup.json").exists());
            fs::remove_dir_all(&to).unwrap();
        }
    }
    let made = world.json(&["backup", to.to_str().unwrap()]);
    assert_eq!((made["keys"].as_bool(), made["files"].as_u64()), (Some(false), Some(1)));
    let names = fs::read_dir(elsewhere.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["copy"], "nothing else is left");
    let mut command = program::command(portcullis());
    drop(program::run(command.args(["log", "verify", "--state"]).arg(&to), Duration::from_secs(30)).success());
    let mut command = program::command(portcullis());
    let serve = command.args(["serve", "--listen", "127.0.0.1:0", "--state"]).arg(&to);
    let started = program::run(serve, Duration::from_secs(30));
    assert!(!started.status.success() && started.stderr.contains("portcullis restore"), "{started:?}");
    // The start that was refused has not changed it.
    let state = elsewhere.path().join("state");
    let mut command = program::command(portcullis());
    command.arg("restore").arg(&to).args(["--reason", "a rehearsal", "--state"]).arg(&state);
    drop(program::run(&mut command, Duration::from_secs(30)).success());
}

#[test]
fn a_restored_gateway_lets_nothing_run_that_was_approved_before() {
    let (mut world, elsewhere) = (office(), TempDir::new().unwrap());
    let agent = world.modern();
    drop(approve(&world, &agent, &LIKE));
    let to = elsewhere.path().join("copy");
    let to = to.to_str().unwrap();
    let made = world.cli(&["backup", "--with-keys", to]);
    assert!(made.stderr.contains("holds the log's key"), "{made:?}");
    drop(made.success());
    assert!(send(&agent, &report(2)).ran(), "the pass is used after the backup");
    let lost = world.log().len();
    let last = lost.to_string();
    world.eventually("a checkpoint of it", || world.cli(&["log", "prove", &last]).status.success().then_some(()));
    let words = ["restore", to, "--reason", "the disk died"];
    let refused = world.cli(&[&words[..], &["--force"]].concat());
    assert!(!refused.status.success() && refused.stderr.contains("a gateway uses"), "{refused:?}");
    world.kill();
    let refused = world.cli(&words);
    assert!(!refused.status.success() && refused.stderr.contains("--force"), "{refused:?}");

    let restored = world.json(&[&words[..], &["--force"]].concat());
    assert_eq!(restored["passes"], 1);
    assert!(restored["lost"].as_u64().unwrap() >= lost as u64, "{restored}");
    world.start();
    world.eventually("the tools", || (world.modern().names().len() >= 4).then_some(()));
    assert!(world.list(&["passes", "list"]).is_empty());
    waits(&world, &world.modern(), "what the pass was for", &report(3));
    let verified = world.cli(&["log", "verify"]).success();
    assert!(verified.contains("restored from a backup"), "{verified}");
    let seq = restored["record"].to_string();
    let shown = world.json(&["log", "show", &seq]);
    assert_eq!(shown["records"][0]["detail"]["reason"], "the disk died", "{shown}");
}
