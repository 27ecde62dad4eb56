//! What the log proves to people who do not trust the machine that it lies on.

use std::fs;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tests::hostile::Mode;
use tests::program::{self, Program};
use tests::server::hostile_command;
use tests::world::{Setup, World, portcullis};

fn world(folder: &TempDir) -> World {
    let words = hostile_command(Mode::Count, &folder.path().join("record"));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let world = Setup::new().command_with("count", &words, "vouched = true").start();
    world.eventually("the tools", || (world.modern().names().len() == 2).then_some(()));
    read(&world);
    world
}

fn read(world: &World) {
    assert!(world.modern().call("count.read_note", &json!({"note": "a private note"})).ran());
}

fn key(world: &World) -> String {
    world.json(&["log", "key"])["key"].as_str().unwrap().to_owned()
}

/// The number of the newest intent, once a checkpoint covers it.
fn intent(world: &World) -> String {
    let seq = world.log().iter().rev().find(|record| record["kind"] == "intent").unwrap()["seq"].to_string();
    world.eventually("a checkpoint", || world.cli(&["log", "prove", &seq]).status.success().then_some(()));
    seq
}

struct Elsewhere {
    program: Program,
    url: String,
    key: String,
}

impl Elsewhere {
    /// A witness that knows this log, in a process of its own.
    fn new(folder: &TempDir, log: &str) -> Self {
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let run = |words: &[&str]| {
            let mut command = program::command(portcullis());
            command.args(words).arg("--json");
            command
        };
        let made = ["witness", "key", "--key", &at("key"), "--name", "witness.example/w1"];
        drop(program::run(&mut run(&made), Duration::from_secs(30)).success());
        let serve = ["witness", "--listen", "127.0.0.1:0", "--key", &at("key"), "--store", &at("store"), "--log", log];
        let mut program = Program::start(&mut run(&serve));
        let said: serde_json::Value = serde_json::from_str(&program.line(Duration::from_secs(30))).unwrap();
        let text = |name: &str| said[name].as_str().unwrap().to_owned();
        Self { program, url: text("url"), key: text("key") }
    }

    fn address(&self) -> String {
        format!("{}={}", self.url, self.key)
    }
}

#[test]
fn a_third_party_checks_a_record_with_the_public_key_and_sees_only_what_was_shown() {
    let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let world = world(&folder);
    let (key, seq) = (key(&world), intent(&world));
    let file = elsewhere.path().join("proof");
    let file = file.to_str().unwrap();
    drop(world.cli(&["log", "prove", &seq, "--fields", "tool,verdict", "--out", file]).success());
    // Whoever checks has no state folder.
    let check = |key: &str| {
        let mut command = program::command(portcullis());
        command
            .args(["log", "check-proof", file, "--key", key, "--json", "--state"])
            .arg(elsewhere.path().join("none"));
        program::run(&mut command, Duration::from_secs(30))
    };
    let proven: serde_json::Value = serde_json::from_str(&check(&key).success()).unwrap();
    assert_eq!(proven["record"]["fields"], json!({"tool": "read_note", "verdict": "allow"}));
    assert!(proven["record"]["withheld"].as_array().unwrap().contains(&json!("body")));
    assert!(!proven.to_string().contains("private note"));
    let (other_folder, stranger) = (TempDir::new().unwrap(), Setup::new().start());
    drop(other_folder);
    assert!(!check(&self::key(&stranger)).status.success());
    let changed = fs::read_to_string(file).unwrap().replacen("index ", "index 1", 1);
    fs::write(file, changed).unwrap();
    assert!(!check(&key).status.success());
}

#[test]
fn exported_tiles_are_checked_with_the_public_key_alone() {
    let (folder, tiles) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let world = world(&folder);
    let key = key(&world);
    intent(&world);
    let to = tiles.path().to_str().unwrap();
    drop(world.cli(&["log", "export", "--tiles", to]).success());
    drop(world.cli(&["log", "verify", "--tiles", to, "--key", &key]).success());
    drop(world.cli(&["log", "verify", "--key", &key]).success());
    let bundle = fs::read_dir(tiles.path().join("tile/entries")).unwrap().next().unwrap().unwrap().path();
    let bundle = fs::read_dir(bundle).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&bundle).unwrap();
    let last = bytes.len() - 10;
    bytes[last] ^= 1;
    fs::write(&bundle, bytes).unwrap();
    let found = world.cli(&["log", "verify", "--tiles", to, "--key", &key]);
    assert!(!found.status.success() && found.stderr.contains("record "), "{found:?}");
}

#[test]
fn a_witness_signs_a_running_gateways_log_and_finds_that_it_was_put_back() {
    let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut world = world(&folder);
    let (log, first) = (key(&world), intent(&world));
    let mut witness = Elsewhere::new(&elsewhere, &log);
    let submit = |world: &World| world.cli(&["log", "submit", "--witness", &witness.address(), "--json"]);
    drop(submit(&world).success());
    let proof = folder.path().join("proof");
    let proof = proof.to_str().unwrap();
    drop(world.cli(&["log", "prove", &first, "--out", proof]).success());
    let checked = world.cli(&["log", "check-proof", proof, "--key", &log, "--witness", &witness.key]).success();
    assert!(checked.contains("signed by the witness witness.example/w1"), "{checked}");

    // All of the state folder goes back to an earlier moment, and then goes another way.
    world.kill();
    let kept = ["portcullis.db", "portcullis.db-wal", "checkpoint"]
        .map(|name| (name, fs::read(world.state().join(name)).unwrap_or_default()));
    world.start();
    read(&world);
    intent(&world);
    drop(submit(&world).success());
    world.kill();
    fs::remove_file(world.state().join("portcullis.db-shm")).ok();
    for (name, bytes) in &kept {
        fs::write(world.state().join(name), bytes).unwrap();
    }
    world.start();
    world.verify();
    let found = submit(&world);
    assert!(!found.status.success(), "{found:?}");
    assert!(found.stderr.contains("rolled back") || found.stderr.contains("second view"), "{}", found.stderr);
    witness.program.kill();
}

#[test]
fn an_older_database_does_not_start_until_it_is_accepted() {
    let folder = TempDir::new().unwrap();
    let mut world = world(&folder);
    let log = key(&world);
    intent(&world);
    world.kill();
    let kept = ["portcullis.db", "portcullis.db-wal"]
        .map(|name| (name, fs::read(world.state().join(name)).unwrap_or_default()));
    world.start();
    read(&world);
    intent(&world);
    world.kill();
    fs::remove_file(world.state().join("portcullis.db-shm")).ok();
    for (name, bytes) in &kept {
        fs::write(world.state().join(name), bytes).unwrap();
    }
    let serve = world.cli(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(!serve.status.success() && serve.stderr.contains("portcullis log accept"), "{serve:?}");
    let found = world.cli(&["log", "verify", "--key", &log]);
    assert!(!found.status.success() && found.stderr.contains("rolled back"), "{found:?}");
    drop(world.cli(&["log", "accept", "--reason", "the backup was restored"]).success());
    world.start();
    let verified = world.cli(&["log", "verify", "--key", &log]).success();
    assert!(verified.contains("accepted"), "{verified}");
}

#[test]
fn records_that_nobody_signed_are_named_and_a_start_that_goes_on_from_them_says_so() {
    let folder = TempDir::new().unwrap();
    let mut world = world(&folder);
    intent(&world);
    let database = |world: &World| rusqlite::Connection::open(world.state().join("portcullis.db")).unwrap();
    let checkpoint = |world: &World| {
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?));
        database(world).query_row("SELECT size, note FROM checkpoint", [], row).unwrap()
    };
    let (size, note) = checkpoint(&world);
    read(&world);
    intent(&world);
    world.kill();
    // As if the gateway had died before it signed them; or as if somebody else had added them.
    let db = database(&world);
    db.execute("DELETE FROM checkpoint", []).unwrap();
    db.execute("INSERT INTO checkpoint (size, note) VALUES (?1, ?2)", rusqlite::params![size, note]).unwrap();
    drop(db);
    let records = world.json(&["log", "verify"])["records"].as_i64().unwrap();
    let named = format!("records {} to {records} are not signed", size + 1);
    let told = world.cli(&["log", "verify"]).success();
    assert!(told.contains(&named), "{told}");
    let strict = world.cli(&["log", "verify", "--strict"]);
    assert!(!strict.status.success() && strict.stderr.contains(&named), "{strict:?}");
    let strict = world.cli(&["log", "verify", "--strict", "--json"]);
    let said: serde_json::Value = serde_json::from_str(&strict.stdout).unwrap();
    assert_eq!((&said["ok"], &said["unsigned"]), (&json!(false), &json!({ "from": size + 1, "to": records })));

    world.start();
    world.eventually("all of it to be signed", || {
        world.cli(&["log", "verify", "--strict"]).status.success().then_some(())
    });
    assert_eq!(world.json(&["log", "verify"])["continued"].as_array().unwrap().last(), Some(&json!(records + 1)));
    let shown = world.cli(&["log", "show", &(records + 1).to_string()]).success();
    assert!(shown.contains("log-continued") && shown.contains(&size.to_string()), "{shown}");
}
