//! How many people approve, and how many of them as what: as the config said when the call was held.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tests::agent::Agent;
use tests::hostile::Mode;
use tests::invocations;
use tests::program::Output;
use tests::server::hostile_command;
use tests::world::{Setup, World, server_table};

use crate::approval::poll;
use crate::operators::{ANN, add, own};

const BOB: &str = "518230\n";
const CYN: &str = "846213\n";
const DAN: &str = "620471\n";

const LENDER: (&str, &str) = ("ann", ANN);
const DELEGATE: (&str, &str) = ("bob", BOB);
const ADMIN: (&str, &str) = ("dan", DAN);

/// Bob approves nothing by a right of his own.
const NOT_BOB: &str = r#"@id("not-bob")
forbid (principal == Operator::"bob", action == Action::"approve", resource in Server::"notes");"#;

const TWO_ADMINS: &str = "[approve]\ncritical = { people = 2, role = \"admin\" }\n";

/// Ann and dan are admins, bob and cyn operators; the agent `ci` was added by cyn.
struct Bench {
    world: World,
    record: PathBuf,
    token: String,
}

impl Bench {
    fn start(config: &str) -> Self {
        let mut world = Setup::new().policies("").prepare();
        let record = world.folder().join("invocations");
        let bench = Self { token: String::new(), world, record };
        bench.configure(config);
        world = bench.world;
        world.start();
        add(&world, "ann", "admin", Some(own()), ANN);
        for (name, role, pin) in [("bob", "operator", BOB), ("cyn", "operator", CYN), ("dan", "admin", DAN)] {
            add(&world, name, role, None, &format!("{pin}{ANN}"));
        }
        let told = world.cli_told(&["agent", "add", "ci", "--as", "cyn", "--pin-stdin", "--json"], CYN).success();
        let token: Value = serde_json::from_str(&told).unwrap();
        let token = token["token"].as_str().unwrap().to_owned();
        let bench = Self { world, token, ..bench };
        bench.ready();
        bench
    }

    fn configure(&self, config: &str) {
        let words = hostile_command(Mode::Count, &self.record);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let files = "[policy]\nfiles = [\"test.cedar\"]\n";
        self.world.configure(&format!("{files}{config}{}", server_table("notes", &words, "")));
    }

    fn ready(&self) {
        self.world.eventually("the tools", || (self.agent().names().len() == 2).then_some(()));
    }

    fn agent(&self) -> Agent {
        Agent::modern(self.world.endpoint(), &self.token)
    }

    /// What an operator says, with their PIN.
    fn says(&self, (name, pin): (&str, &str), words: &[&str]) -> Output {
        self.world.cli_told(&[words, &["--as", name, "--pin-stdin"]].concat(), pin)
    }

    fn approves(&self, by: (&str, &str), hold: &str) -> Output {
        self.says(by, &["holds", "approve", hold])
    }

    fn smashes(&self, by: (&str, &str), hold: &str) -> Output {
        let reasons = ["--reason", "customers cannot log in", "--because", "the others are on a plane"];
        self.says(by, &[&["holds", "break-glass", hold], reasons.as_slice()].concat())
    }

    /// A call that waits, whose agent has gone.
    fn hold(&self, note: &str) -> String {
        let call = json!({ "name": "notes.delete_note", "arguments": { "note": note } });
        let wire = self.agent().begin("tools/call", call).unwrap();
        let hold = self.world.hold();
        drop(wire);
        hold
    }

    fn show(&self, hold: &str) -> Value {
        self.world.json(&["holds", "show", hold])
    }

    fn runs(&self, note: &str) {
        let answer = poll(&self.agent(), "notes.delete_note", &json!({ "note": note }));
        assert!(answer.ran(), "{}", answer.text);
        assert_eq!(self.ran(note), 1);
    }

    fn ran(&self, note: &str) -> usize {
        invocations::count(&self.record, "start", note)
    }
}

#[track_caller]
fn refused(output: &Output, why: &str) {
    assert!(!output.status.success(), "it was done: {}", output.stdout);
    assert!(output.stderr.contains(why), "{}", output.stderr);
}

#[test]
fn so_many_of_a_role_approve_as_the_config_said_when_the_call_was_held() {
    let mut bench = Bench::start(TWO_ADMINS);
    let hold = bench.hold("a");
    let card = bench.show(&hold);
    assert_eq!((&card["required"], &card["of_role"]), (&json!(2), &json!({ "people": 2, "role": "admin" })));
    assert_eq!((&card["needs"], card.get("short")), (&json!("2 admins still needed"), None));
    refused(&bench.approves(DELEGATE, &hold), "of the role `admin`");
    refused(&bench.smashes(DELEGATE, &hold), "of the role `admin`");
    drop(bench.approves(LENDER, &hold).success());
    assert!(!bench.approves(LENDER, &hold).status.success(), "one person approved twice");
    let shown = bench.world.cli(&["holds", "show", &hold]).success();
    assert!(shown.contains("1 of 2 approvals: ann; 1 admin still needed"), "{shown}");
    assert_eq!(bench.show(&hold)["state"], "pending");

    // What the config says by now is for calls that are held from now on.
    bench.configure("[approve]\ncritical = { people = 1 }\n");
    bench.world.restart();
    bench.ready();
    refused(&bench.approves(DELEGATE, &hold), "of the role `admin`");
    assert_eq!(bench.ran("a"), 0);
    drop(bench.approves(ADMIN, &hold).success());
    bench.runs("a");
    let next = bench.hold("b");
    drop(bench.approves(DELEGATE, &next).success());
    bench.runs("b");
    let steps = bench.world.log().into_iter().filter(|record| record["detail"]["step"]["step"] == "approve");
    let roles: Vec<Value> = steps.map(|step| step["detail"]["step"]["role"].clone()).collect();
    assert_eq!(roles, [json!("admin"), json!("admin"), Value::Null], "what each approval counted for is recorded");
    bench.world.verify();
}

#[test]
fn a_right_that_an_admin_lent_makes_nobody_an_admin() {
    let mut bench = Bench::start("[approve]\ncritical = { people = 2, role = \"admin\", of_role = 1 }\n");
    fs::write(bench.world.folder().join("test.cedar"), NOT_BOB).unwrap();
    drop(bench.says(LENDER, &["reload"]).success());
    let lends = ["operator", "delegate", "--to", "bob", "--for", "1h", "--reason", "on holiday"];
    drop(bench.says(LENDER, &lends).success());
    let hold = bench.hold("a");
    drop(bench.approves(DELEGATE, &hold).success());
    assert_eq!(bench.show(&hold)["needs"], "1 admin still needed");
    refused(&bench.approves(LENDER, &hold), "one person");
    assert_eq!(bench.show(&hold)["state"], "pending");
    drop(bench.approves(ADMIN, &hold).success());
    bench.runs("a");

    // Where admins alone are asked, it gives him no voice.
    bench.configure(TWO_ADMINS);
    bench.world.restart();
    bench.ready();
    let hold = bench.hold("b");
    refused(&bench.approves(DELEGATE, &hold), "of the role `admin`");
    drop(bench.says(LENDER, &["holds", "deny", &hold, "--reason", "no"]).success());
    bench.world.verify();
}

#[test]
fn a_quorum_of_more_than_there_are_is_told_and_only_broken_glass_lets_the_call_run() {
    let bench = Bench::start("[approve]\ncritical = { people = 3, role = \"admin\" }\n");
    let hold = bench.hold("a");
    let short = bench.show(&hold)["short"].as_str().unwrap().to_owned();
    assert_eq!(
        short,
        "it needs 3 approvals more, 3 of the role admin, and 3 people may still approve it, 2 of that role"
    );
    let shown = bench.world.cli(&["holds", "show", &hold]).success();
    assert!(shown.contains("nobody can let it run"), "{shown}");
    let told = bench.world.cli(&["doctor", "--json"]).stdout;
    let checks: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let check = checks.iter().find(|check| check["what"] == "approve").expect("a check of the quorum");
    assert_eq!(check["health"], "warning");
    assert!(check["found"].as_str().unwrap().contains("3 people"), "{check}");
    for by in [LENDER, ADMIN] {
        drop(bench.approves(by, &hold).success());
    }
    assert_eq!((bench.show(&hold)["state"].as_str(), bench.ran("a")), (Some("pending"), 0));
    // Bob is no admin. That an admin is asked has been done; how many are is what he waives.
    drop(bench.smashes(DELEGATE, &hold).success());
    bench.runs("a");
    bench.world.verify();
}
