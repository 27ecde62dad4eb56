//! The gateway has witnesses sign its log by itself; whatever they do, calls go on, and what they find is loud.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::hostile::Mode;
use tests::port;
use tests::program::{self, Program};
use tests::receiver::{Mood, Receiver};
use tests::server::hostile_command;
use tests::world::{Setup, World, portcullis, server_table};

/// A gateway with one server and a log of some records, and what its config says of that.
struct Bench {
    world: World,
    config: String,
    log: String,
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let words = hostile_command(Mode::Count, &folder.path().join("record"));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let config = server_table("count", &words, "vouched = true");
        let world = Setup::new().command_with("count", &words, "vouched = true").start();
        let log = world.json(&["log", "key"])["key"].as_str().unwrap().to_owned();
        let bench = Self { world, config, log, folder };
        bench.ready();
        bench
    }

    fn ready(&self) {
        self.world.eventually("the tools", || (self.world.modern().names().len() == 2).then_some(()));
        self.read();
    }

    fn read(&self) {
        assert!(self.world.modern().call("count.read_note", &json!({"note": "a private note"})).ran());
    }

    /// Starts again, with a witness of this address and key, and what else a config is to say.
    fn restart(&mut self, url: &str, key: &str, more: &str) {
        self.world.kill();
        self.configure(url, key, more);
        self.world.start();
        self.ready();
    }

    fn configure(&self, url: &str, key: &str, more: &str) {
        let witness = format!("[audit]\nwitness = [{{ url = \"{url}\", key = \"{key}\" }}]\n");
        self.world.configure(&format!("{}\n{witness}\n{more}", self.config));
    }

    /// What doctor finds of the witness, once it is so.
    fn doctor(&self, health: &str, found: &str) -> String {
        let look = || {
            let output = self.world.cli(&["doctor", "--json"]);
            let checks = output.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let check = checks.into_iter().find(|check| check["what"] == "witness")?;
            let text = check["found"].as_str()?.to_owned();
            (check["health"] == health && text.contains(found)).then_some(text)
        };
        self.world.eventually(&format!("a witness that is {health}"), look)
    }

    /// Waits until the witness has signed all that is recorded now.
    fn signed(&self) {
        let records = self.world.log().len();
        let signed = |found: &str| found.split(' ').nth(1).and_then(|count| count.parse::<usize>().ok());
        let look = || signed(&self.doctor("ok", "records signed")).filter(|count| *count >= records);
        assert!(self.world.eventually("all of it to be signed", look) >= records);
    }

    fn conflicts(&self) -> Vec<Value> {
        let of = |record: &Value| record["detail"]["event"] == "witness-conflict";
        self.world.log().into_iter().filter(of).collect()
    }
}

/// A witness in a process of its own, that can come back to where it was.
struct Witness {
    program: Program,
    words: Vec<String>,
    url: String,
    key: String,
}

impl Witness {
    fn new(folder: &TempDir, log: &str) -> Self {
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (key, listen) = (made(folder), format!("127.0.0.1:{}", port::free()));
        let words =
            ["witness", "--listen", &listen, "--key", &at("key"), "--store", &at("store"), "--log", log, "--json"];
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let program = Self::start(&words);
        Self { program, words, url: format!("http://{listen}"), key }
    }

    fn start(words: &[String]) -> Program {
        let mut program = Program::start(program::command(portcullis()).args(words));
        drop(program.line(Duration::from_secs(30)));
        program
    }

    fn restart(&mut self) {
        self.program = Self::start(&self.words);
    }
}

/// A witness's key; its public half.
fn made(folder: &TempDir) -> String {
    let file = folder.path().join("key");
    let mut command = program::command(portcullis());
    command.args(["witness", "key", "--name", "witness.example/w1", "--json", "--key"]).arg(file);
    let said: Value = serde_json::from_str(&program::run(&mut command, Duration::from_secs(30)).success()).unwrap();
    said["key"].as_str().unwrap().to_owned()
}

#[test]
fn a_witness_of_the_config_signs_by_itself_and_one_that_is_down_stops_nothing() {
    let (mut bench, elsewhere) = (Bench::new(), TempDir::new().unwrap());
    let mut witness = Witness::new(&elsewhere, &bench.log);
    let (url, key) = (witness.url.clone(), witness.key.clone());
    bench.restart(&url, &key, "");
    bench.signed();
    // Proofs carry its signature.
    let seq = bench.world.log()[1]["seq"].to_string();
    let file = bench.folder.path().join("proof");
    let file = file.to_str().unwrap();
    drop(bench.world.cli(&["log", "prove", &seq, "--out", file]).success());
    drop(bench.world.cli(&["log", "check-proof", file, "--key", &bench.log, "--witness", &key]).success());

    witness.program.kill();
    bench.read();
    drop(bench.doctor("warning", "no connection"));
    bench.read();
    witness.restart();
    drop(bench.doctor("ok", "records signed"));
    assert!(bench.conflicts().is_empty());
    witness.program.kill();
}

#[test]
fn a_witness_that_knows_more_records_is_an_alert_and_a_record_and_people_are_told() {
    let (mut bench, elsewhere, people) = (Bench::new(), TempDir::new().unwrap(), Receiver::http());
    let mut witness = Witness::new(&elsewhere, &bench.log);
    let (url, key) = (witness.url.clone(), witness.key.clone());
    // All of the state folder goes back to an earlier moment: nothing on this machine tells.
    bench.world.kill();
    let kept = ["portcullis.db", "portcullis.db-wal", "checkpoint"]
        .map(|name| (name, fs::read(bench.world.state().join(name)).unwrap_or_default()));
    bench.configure(&url, &key, "");
    bench.world.start();
    bench.ready();
    bench.signed();
    bench.world.kill();
    fs::remove_file(bench.world.state().join("portcullis.db-shm")).ok();
    for (name, bytes) in &kept {
        fs::write(bench.world.state().join(name), bytes).unwrap();
    }
    let hook = bench.world.folder().join("hook.key");
    fs::write(&hook, "whsec_cG9ydGN1bGxpcyB0ZXN0cyBzaWduIHdpdGggdGhpcw==").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o600)).unwrap();
    let pager = format!(
        "[notify.pager]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{}/hook\"\nkey = {{ file = \"hook.key\" }}\n",
        people.port()
    );
    bench.configure(&url, &key, &pager);
    bench.world.start();
    bench.ready();
    let found = bench.doctor("broken", "");
    assert!(found.contains("rolled back") || found.contains("another history"), "{found}");
    assert!(!bench.world.cli(&["doctor"]).status.success());
    let heard = bench.world.eventually("an alert", || people.heard().into_iter().next());
    let body: Value = serde_json::from_str(heard.text.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(body["type"], "log.conflict");
    assert!(body["data"]["failures"][0].as_str().unwrap().contains("witness.example/w1"), "{body}");
    // It is in the trail, once, and calls go on.
    let conflicts = bench.conflicts();
    assert_eq!(conflicts.len(), 1, "{conflicts:?}");
    assert_eq!(conflicts[0]["detail"]["witness"], "witness.example/w1");
    bench.read();
    assert_eq!(people.heard().len(), 1);
    witness.program.kill();
}

#[test]
fn a_witness_that_hangs_or_answers_nonsense_stops_nothing_and_is_no_alert() {
    let (mut bench, elsewhere, liar) = (Bench::new(), TempDir::new().unwrap(), Receiver::http());
    let (url, key) = (format!("http://127.0.0.1:{}", liar.port()), made(&elsewhere));
    liar.set(&[Mood::Hang]);
    bench.restart(&url, &key, "");
    drop(bench.doctor("warning", "no answer in time"));
    bench.read();
    // A signature that is none.
    liar.set(&[Mood::Take]);
    drop(bench.doctor("warning", "answer does not hold"));
    bench.read();
    assert!(bench.conflicts().is_empty());
    // It claims to have signed what never was: people are woken, and calls go on.
    liar.set(&[Mood::Refuse(409, "Content-Type: text/x.tlog.size\n\n999999\n")]);
    drop(bench.doctor("broken", "999999"));
    bench.read();
    assert_eq!(bench.conflicts().len(), 1);
}
