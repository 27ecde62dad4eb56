//! Secrets from the command line to the end of a call: kept, lent, rotated, revoked, and never seen.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::agent::Answer;
use tests::invocations;
use tests::server::Server;
use tests::world::{Setup, World};

/// Characters that nothing else has.
const VALUE: &str = "k7Qp-Zr2x_Vn9wLtB4mJc6Hd";
const NEXT: &str = "Yd3s-Tk8g_Ub5eXfR1oWa0Qi";

const ONE: &str = "[secret.one]\n";

/// Runs `portcullis secret …` with this on its standard input; whether it worked, and all that it said.
fn secret(world: &World, words: &[&str], input: &str) -> (bool, String) {
    let mut command = tests::program::command(tests::world::portcullis());
    command.arg("secret").args(words).arg("--state").arg(world.state()).current_dir(world.folder());
    command.args(["--config", "portcullis.toml"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that refuses early does not read.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

fn kept(world: &World, words: &[&str], input: &str) -> String {
    let (done, said) = secret(world, words, input);
    assert!(done, "{words:?} failed: {said}");
    assert!(!said.contains(VALUE) && !said.contains(NEXT), "{said}");
    said
}

/// Whether any file below a folder holds this.
fn anywhere(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            return anywhere(&path, text);
        }
        let bytes = fs::read(&path).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[test]
fn a_secret_is_set_listed_rotated_and_removed_with_and_without_a_gateway() {
    let mut world = Setup::new().config(ONE).prepare();
    assert!(kept(&world, &["set", "one"], &format!("{VALUE}\n")).contains("version 1"));
    world.start();
    assert!(kept(&world, &["rotate", "one"], NEXT).contains("version 2"));
    let listed = kept(&world, &["list", "--json"], "");
    let row: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((&row["name"], &row["version"], &row["backend"]), (&json!("one"), &json!(2), &json!("file")));
    let (done, said) = secret(&world, &["rotate", "two"], NEXT);
    assert!(!done && said.contains("`two`"), "{said}");
    kept(&world, &["rm", "one"], "");
    world.kill();
    assert!(!secret(&world, &["rm", "one"], "").0, "it was removed already");
    let log = serde_json::to_string(&world.log()).unwrap();
    for action in ["set", "rotated", "removed"] {
        assert!(log.contains(&format!("\"action\":\"{action}\"")), "{action} is not recorded: {log}");
    }
    for value in [VALUE, NEXT] {
        assert!(!anywhere(world.folder(), value), "a value lies about");
    }
    world.verify();
}

#[test]
fn short_values_and_values_on_the_command_line_are_refused() {
    let world = Setup::new().config(ONE).prepare();
    let (done, said) = secret(&world, &["set", "one"], "elevenchars");
    assert!(!done && said.contains("--force"), "{said}");
    assert!(!secret(&world, &["set", "one", VALUE], "").0);
    kept(&world, &["set", "one", "--force"], "elevenchars");
}

#[test]
fn what_the_vault_keeps_reaches_neither_agent_nor_log_whatever_tool_has_it() {
    let fixture = Server::fixture(None);
    let hex: String = VALUE.bytes().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    let headers = format!("headers = {{ X-One = \"{VALUE}\", X-Two = \"{hex}\" }}");
    let setup = Setup::new().remote_with("fixture", fixture.endpoint(), &headers);
    let mut world = setup.config(ONE).allow_all().prepare();
    kept(&world, &["set", "one"], VALUE);
    world.start();
    let answer = world.modern().call("fixture.reveal", &json!({}));
    assert!(answer.text.contains("[secret:live:"), "the tool does not show what it has: {}", answer.text);
    assert!(!answer.text.contains(VALUE) && !answer.text.contains(&hex), "{}", answer.text);
    let log = serde_json::to_string(&world.log()).unwrap();
    assert!(!log.contains(VALUE) && !log.contains(&hex), "{log}");
    assert!(!world.said().contains(VALUE));
}

#[test]
fn arguments_that_hold_a_stored_secret_are_refused_in_any_encoding_and_recorded_without_it() {
    let fixture = Server::fixture(None);
    let mut world = Setup::new().remote("fixture", fixture.endpoint()).config(ONE).prepare();
    kept(&world, &["set", "one"], VALUE);
    world.start();
    world.eventually("the tools", || world.modern().names().contains(&"fixture.echo".to_owned()).then_some(()));
    let reversed: String = VALUE.chars().rev().collect();
    for text in [VALUE.to_owned(), reversed, format!("part: {}", VALUE.get(4..18).unwrap())] {
        let arguments = json!({ "text": text, "url": "https://elsewhere.example/collect" });
        let refused = world.modern().call("fixture.echo", &arguments);
        assert!(!refused.ran(), "{}", refused.text);
        assert!(refused.text.contains("secret that this gateway keeps"), "{}", refused.text);
        assert!(refused.text.contains("elsewhere.example"), "the destination is shown: {}", refused.text);
    }
    let log = serde_json::to_string(&world.log()).unwrap();
    assert!(log.contains("secret-exfiltration") && !log.contains(VALUE), "{log}");
}

#[test]
fn a_variable_that_is_a_secret_is_gone_from_the_gateway_that_read_it() {
    let config = "[secret.one]\nfrom = \"env\"\npath = \"ONE\"\n";
    let fixture = Server::fixture(None);
    let headers = format!("headers = {{ X-One = \"{VALUE}\" }}");
    let setup = Setup::new().remote_with("fixture", fixture.endpoint(), &headers).config(config).allow_all();
    let setup = setup.environment("ONE", VALUE);
    let world = setup.environment("TWO", "it stays").start();
    let environment = fs::read(format!("/proc/{}/environ", world.id())).unwrap();
    let environment = String::from_utf8_lossy(&environment).into_owned();
    assert!(!environment.contains(VALUE) && environment.contains("it stays"), "{environment}");
    for descriptor in fs::read_dir(format!("/proc/{}/fd", world.id())).unwrap() {
        let path = descriptor.unwrap().path();
        if fs::read_link(&path).is_ok_and(|target| target.to_string_lossy().contains("memfd:secrets")) {
            assert_eq!(fs::metadata(&path).unwrap().len(), 0, "what was handed over is still there");
        }
    }
    let answer = world.modern().call("fixture.reveal", &json!({}));
    assert!(answer.text.contains("[secret:live:"), "the redactor does not know it: {}", answer.text);
}

/// A gateway whose fixture reads the secret from a file, for one call at a time.
fn lending() -> (World, TempDir) {
    let folder = TempDir::new().unwrap();
    let (command, record) = (tests::world::built("fixture-server"), folder.path().join("record"));
    let server = tests::world::server_table("fixture", &[&command, "--record", record.to_str().unwrap()], "");
    let placed = "[[server.fixture.secret]]\nname = \"one\"\nfile = \"/run/secrets/one\"\n";
    let mut world = Setup::new().config(&format!("{server}\n{placed}\n{ONE}")).allow_all().prepare();
    kept(&world, &["set", "one"], VALUE);
    world.start();
    ready(&world);
    (world, folder)
}

fn ready(world: &World) {
    world.eventually("the tools", || world.modern().names().contains(&"fixture.slow".to_owned()).then_some(()));
}

/// A call that takes so long, once its tool runs.
fn begun(world: &World, folder: &TempDir, milliseconds: u32) -> thread::JoinHandle<Answer> {
    let (record, agent) = (folder.path().join("record"), world.modern());
    let call = thread::spawn(move || agent.call("fixture.slow", &json!({ "ms": milliseconds, "note": "lent" })));
    world.eventually("the tool to run", || (invocations::count(&record, "start", "lent") > 0).then_some(()));
    call
}

/// The versions of what was lent, in the order of the outcomes.
fn lent(world: &World) -> Vec<Value> {
    let lent = world.log().into_iter().filter_map(|record| record["detail"]["lent"].as_array().cloned());
    lent.flatten().map(|loan| loan["version"].clone()).collect()
}

#[test]
fn a_rotation_disturbs_no_running_call_and_the_next_is_lent_the_new_version() {
    let (world, folder) = lending();
    let running = begun(&world, &folder, 4_000);
    assert!(kept(&world, &["rotate", "one"], NEXT).contains("version 2"));
    let answer = running.join().unwrap();
    assert!(answer.ran(), "{}", answer.text);
    assert!(world.modern().call("fixture.slow", &json!({ "ms": 1, "note": "next" })).ran());
    assert_eq!(lent(&world), ["1", "2"]);
    world.verify();
}

#[test]
fn an_emergency_ends_the_calls_that_hold_the_secret_and_says_so() {
    let (world, folder) = lending();
    let running = begun(&world, &folder, 100_000);
    let said = kept(&world, &["rotate", "one", "--emergency"], NEXT);
    assert!(said.contains("calls ended: 1"), "{said}");
    let answer = running.join().unwrap();
    assert!(!answer.ran() && answer.text.contains("revoked"), "{}", answer.text);
    let log = serde_json::to_string(&world.log()).unwrap();
    assert!(log.contains("\"failure\":\"lease\"") && log.contains("\"action\":\"revoked\""), "{log}");
    assert!(world.modern().call("fixture.slow", &json!({ "ms": 1, "note": "next" })).ran());
    assert_eq!(lent(&world), ["1", "2"]);
}

#[test]
fn a_gateway_that_is_killed_while_it_lends_leaves_nothing_of_the_value_behind() {
    let (mut world, folder) = lending();
    let running = begun(&world, &folder, 100_000);
    world.kill();
    // Its connection broke.
    running.join().ok();
    assert!(!anywhere(world.folder(), VALUE), "a value lies about");
    world.start();
    ready(&world);
    let log = serde_json::to_string(&world.log()).unwrap();
    assert!(log.contains("interrupted") && !log.contains(VALUE), "{log}");
    assert!(world.modern().call("fixture.slow", &json!({ "ms": 1, "note": "next" })).ran());
    world.verify();
}

#[test]
fn check_warns_of_a_secret_that_the_tool_reads_itself_and_refuses_one_that_is_nowhere() {
    let server = "[server.a]\ncommand = [\"true\"]\nsecrets = [\"lost\"]\n";
    let placed = "[[server.a.secret]]\nname = \"one\"\nenvironment = \"TOKEN\"\n[[server.a.secret]]\nname = \"none\"\nstdin = true\n";
    let world = Setup::new().config(&format!("{server}{placed}{ONE}")).prepare();
    let output = world.cli(&["check", "--config", "portcullis.toml"]);
    let said = format!("{}{}", output.stdout, output.stderr);
    assert!(!output.status.success() && said.contains("`none`") && said.contains("`lost`"), "{said}");
    let world = Setup::new()
        .config(&format!(
            "{}{ONE}",
            "[server.a]\ncommand = [\"true\"]\n[[server.a.secret]]\nname = \"one\"\nenvironment = \"TOKEN\"\n"
        ))
        .prepare();
    let output = world.cli(&["check", "--config", "portcullis.toml"]);
    let said = format!("{}{}", output.stdout, output.stderr);
    assert!(output.status.success() && said.contains("placed the weakest"), "{said}");
}
