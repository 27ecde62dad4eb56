//! A disk that is full, gone or replaced refuses calls at once, and the gateway recovers by itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use tests::agent::Answer;
use tests::hostile::Mode;
use tests::invocations;
use tests::server::hostile_command;
use tests::world::{Setup, World};

/// A gateway in front of a counting server; `setup` may say more.
fn counting(setup: Setup, record: &Path) -> World {
    let words = hostile_command(Mode::Count, record);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let world = setup.hurried().command_with("count", &words, "vouched = true").start();
    world.eventually("the tools", || (world.modern().names().len() == 2).then_some(()));
    world
}

fn call(world: &World, note: &str) -> Answer {
    world.modern().call("count.read_note", &json!({"note": note}))
}

/// A call that cannot be recorded: refused in time, with an error of its own, and not run.
fn assert_refused(world: &World, record: &Path, note: &str) {
    let begun = Instant::now();
    let answer = call(world, note);
    assert!(begun.elapsed() < Duration::from_millis(2_500), "refused only after {:?}", begun.elapsed());
    assert!(!answer.ran(), "{}", answer.text);
    assert_eq!(answer.code(), Some(-31_001), "{}", answer.text);
    assert_eq!(invocations::count(record, "start", note), 0, "ran without a record");
}

fn recovers(world: &World, record: &Path, note: &str) {
    world.eventually("a call that runs again", || call(world, note).ran().then_some(()));
    assert!(invocations::count(record, "start", note) >= 1);
}

#[test]
fn a_full_disk_refuses_calls_and_its_end_is_noticed() {
    let (folder, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let record = folder.path().join("record");
    let mount = format!("mount -t tmpfs -o size=64m,mode=0700 tmpfs {} && exec \"$@\"", state.path().display());
    let flags = if rustix::process::geteuid().is_root() { "-m" } else { "-Urm" };
    let wrapper = ["unshare", flags, "sh", "-c", &mount, "sh"];
    let world = counting(Setup::new().state(&state.path().join("state")).wrapped(&wrapper), &record);
    assert!(call(&world, "before").ran());

    // The same folder, seen through the gateway's own mounts.
    let inside = PathBuf::from(format!("/proc/{}/root{}/fill", world.id(), state.path().display()));
    fill(&inside);
    world.eventually("the disk to be full", || (!call(&world, "filling").ran()).then_some(()));
    for round in 0..3 {
        assert_refused(&world, &record, &format!("full {round}"));
    }
    fs::remove_file(&inside).unwrap();
    recovers(&world, &record, "after");
}

fn fill(file: &Path) {
    use std::io::Write as _;
    let mut file = fs::File::create(file).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
}

#[test]
fn a_database_that_is_taken_away_refuses_calls_until_it_is_back() {
    let folder = TempDir::new().unwrap();
    let record = folder.path().join("record");
    let world = counting(Setup::new(), &record);
    assert!(call(&world, "before").ran());
    let (database, elsewhere) = (world.state().join("portcullis.db"), world.state().join("elsewhere.db"));
    fs::rename(&database, &elsewhere).unwrap();
    world.eventually("the loss to be noticed", || (!call(&world, "noticing").ran()).then_some(()));
    assert_refused(&world, &record, "gone");
    fs::rename(&elsewhere, &database).unwrap();
    recovers(&world, &record, "after");
    world.verify();
}

#[test]
fn a_database_that_is_replaced_is_not_written_to() {
    let folder = TempDir::new().unwrap();
    let record = folder.path().join("record");
    let world = counting(Setup::new(), &record);
    assert!(call(&world, "before").ran());
    let (database, elsewhere) = (world.state().join("portcullis.db"), world.state().join("elsewhere.db"));
    fs::rename(&database, &elsewhere).unwrap();
    fs::write(&database, "something else").unwrap();
    world.eventually("the exchange to be noticed", || (!call(&world, "noticing").ran()).then_some(()));
    assert_refused(&world, &record, "replaced");
    assert_eq!(fs::read(&database).unwrap(), b"something else");
}

#[test]
fn the_state_folder_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().unwrap();
    let world = counting(Setup::new(), &folder.path().join("record"));
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(world.state()), 0o700);
    for file in fs::read_dir(world.state()).unwrap() {
        let file = file.unwrap().path();
        assert_eq!(mode(&file) & 0o177, 0, "{} is {:o}", file.display(), mode(&file));
    }
}
