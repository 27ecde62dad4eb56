//! A right to approve that is lent: for a time, to one other person, never wider than it is at the moment of its use.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tests::agent::{Agent, Answer};
use tests::hostile::Mode;
use tests::invocations;
use tests::operator::Operator;
use tests::program::Output;
use tests::server::hostile_command;
use tests::world::{Setup, World, server_table};

use crate::approval::poll;
use crate::operators::{ANN, add, own};

const BOB: &str = "518230\n";
const CYN: &str = "846213\n";
const DAN: &str = "620471\n";
const EVE: &str = "730184\n";

/// What ann alone may approve, so that bob needs her right.
const ONLY_ANN: &str = r#"@id("only-ann")
@reason("Ann decides what is deleted.")
forbid (principal, action == Action::"approve", resource in Server::"notes") unless { principal == Operator::"ann" };"#;

/// The same, so that two are asked.
const ANN_OR_DAN: &str = r#"@id("ann-or-dan")
forbid (principal, action == Action::"approve", resource in Server::"notes")
unless { principal == Operator::"ann" || principal == Operator::"dan" };"#;

/// Ann and dan are admins, bob and cyn operators, eve a reviewer; the agent `ci` was added by cyn.
struct Bench {
    world: World,
    record: PathBuf,
    token: String,
}

impl Bench {
    fn start(policies: &str) -> Self {
        let mut world = Setup::new().policies(policies).prepare();
        let record = world.folder().join("invocations");
        let words = hostile_command(Mode::Count, &record);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        world.configure(&format!("[policy]\nfiles = [\"test.cedar\"]\n{}", server_table("notes", &words, "")));
        world.start();
        add(&world, "ann", "admin", Some(own()), ANN);
        for (name, role, pin) in
            [("bob", "operator", BOB), ("cyn", "operator", CYN), ("dan", "admin", DAN), ("eve", "reviewer", EVE)]
        {
            add(&world, name, role, None, &format!("{pin}{ANN}"));
        }
        let token = agent(&world, "ci", "cyn", CYN);
        let bench = Self { world, record, token };
        bench.ready();
        bench
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

    fn lends(&self, by: (&str, &str), to: &str, words: &[&str]) -> Output {
        let start = ["operator", "delegate", "--to", to, "--reason", "on holiday"];
        let lasts: &[&str] = if words.contains(&"--for") { &[] } else { &["--for", "8h"] };
        self.says(by, &[&start, lasts, words].concat())
    }

    /// Lends, and yields the delegation's number.
    fn lent(&self, by: (&str, &str), to: &str, words: &[&str]) -> String {
        let row: Value = serde_json::from_str(&self.lends(by, to, &[words, &["--json"]].concat()).success()).unwrap();
        row["id"].to_string()
    }

    fn approves(&self, by: (&str, &str), hold: &str) -> Output {
        self.says(by, &["holds", "approve", hold])
    }

    /// A call that waits, whose agent has gone.
    fn hold(&self, note: &str) -> String {
        self.hold_of(&self.agent(), note)
    }

    fn hold_of(&self, agent: &Agent, note: &str) -> String {
        let call = json!({ "name": "notes.delete_note", "arguments": { "note": note } });
        let wire = agent.begin("tools/call", call).unwrap();
        let hold = self.world.hold();
        drop(wire);
        hold
    }

    fn denies(&self, hold: &str) {
        drop(self.says(("ann", ANN), &["holds", "deny", hold, "--reason", "no"]).success());
    }

    fn collected(&self, note: &str) -> Answer {
        poll(&self.agent(), "notes.delete_note", &json!({ "note": note }))
    }

    fn ran(&self, note: &str) -> usize {
        invocations::count(&self.record, "start", note)
    }

    fn rules(&self, policies: &str) {
        fs::write(self.world.folder().join("test.cedar"), policies).unwrap();
        drop(self.says(("ann", ANN), &["reload"]).success());
    }

    fn listed(&self) -> Vec<Value> {
        self.world.list(&["operator", "delegations"])
    }
}

fn agent(world: &World, name: &str, owner: &str, pin: &str) -> String {
    let told = world.cli_told(&["agent", "add", name, "--as", owner, "--pin-stdin", "--json"], pin).success();
    let token: Value = serde_json::from_str(&told).unwrap();
    token["token"].as_str().unwrap().to_owned()
}

const LENDER: (&str, &str) = ("ann", ANN);
const DELEGATE: (&str, &str) = ("bob", BOB);
const OWNER: (&str, &str) = ("cyn", CYN);
const ADMIN: (&str, &str) = ("dan", DAN);
const REVIEWER: (&str, &str) = ("eve", EVE);

#[track_caller]
fn refused(output: &Output, why: &str) {
    assert!(!output.status.success(), "it was done: {}", output.stdout);
    assert!(output.stderr.contains(why), "{why:?} is not said: {}", output.stderr);
}

#[test]
fn a_right_that_was_lent_lets_another_approve_and_record_card_and_permit_name_both() {
    let bench = Bench::start(ONLY_ANN);
    let answer = thread::scope(|scope| {
        let call = scope.spawn(|| bench.collected("a"));
        let hold = bench.world.hold();
        refused(&bench.approves(DELEGATE, &hold), "Ann decides what is deleted");
        let id = bench.lent(LENDER, "bob", &[]);
        refused(&bench.approves(ADMIN, &hold), "only-ann");
        let shown = bench.approves(DELEGATE, &hold).success();
        assert!(shown.contains("notes.delete_note"), "{shown}");
        let answer = call.join().unwrap();
        let log = bench.world.log();
        let step = log.iter().find(|record| record["detail"]["step"]["step"] == "approve").expect("an approval");
        let said = &step["detail"]["step"];
        assert_eq!((&said["by"], &said["lent"]["by"]), (&json!("bob"), &json!("ann")));
        assert_eq!((said["lent"]["delegation"].to_string(), &said["proof"]), (id.clone(), &json!({ "by": "pin" })));
        let intent = log.iter().find(|record| record["kind"] == "intent" && record["agent"] == "ci").unwrap();
        let because = &intent["detail"]["because"];
        assert_eq!((&because["operators"], &because["lent"]["bob"]["by"]), (&json!(["bob"]), &json!("ann")));
        let listed = bench.world.cli(&["log", "list"]).success();
        assert!(listed.contains(&format!("by bob for ann, delegation {id},")), "{listed}");
        let mut operator = Operator::connect(bench.world.state()).unwrap();
        let asked = json!({ "operator": "ann", "kinds": ["step"] });
        let found = operator.ask("trail_list", &asked).unwrap().unwrap();
        assert_eq!(
            found["records"].as_array().unwrap().len(),
            1,
            "her right was used, and she is not asked for: {found}"
        );
        answer
    });
    assert!(answer.ran(), "{}", answer.text);
    assert_eq!(bench.ran("a"), 1);
    let hold = bench.hold("b");
    drop(bench.approves(DELEGATE, &hold).success());
    let card = bench.world.cli(&["holds", "show", &hold]).success();
    assert!(card.contains("bob for ann, delegation"), "{card}");
    bench.world.verify();
}

#[test]
fn a_right_is_lent_with_ones_own_pin_by_who_has_it_to_who_may_use_it_and_not_for_ever() {
    let bench = Bench::start(ONLY_ANN);
    for (by, to, words, why) in [
        (LENDER, "ann", &[][..], "themselves"),
        (LENDER, "ANN", &[], "no operator `ANN`"),
        (LENDER, "eve", &[], "is a reviewer"),
        (LENDER, "nobody", &[], "no operator `nobody`"),
        (REVIEWER, "bob", &[], "reviewer"),
        (("ann", "000000\n"), "bob", &[], "PIN is wrong"),
        (("ann", ""), "bob", &[], "PIN"),
        (LENDER, "bob", &["--for", "8d"], "a minute to a week"),
        (LENDER, "bob", &["--for", "30s"], "a minute to a week"),
        (LENDER, "bob", &["--tool", "notes."], "names no tool"),
        (LENDER, "bob", &["--risk", "none"], "invalid value"),
    ] {
        refused(&bench.lends(by, to, words), why);
    }
    let silent = ["operator", "delegate", "--to", "bob", "--for", "1h", "--reason", "  "];
    refused(&bench.says(LENDER, &silent), "reason is empty");
    assert!(bench.listed().is_empty());
    // A session of the console that was left open, or the kernel's word, is no PIN.
    let mut operator = Operator::connect(bench.world.state()).unwrap();
    let params = json!({ "to": "bob", "lasts": "1h", "reason": "mine" });
    let error = operator.ask("delegations_add", &params).unwrap().unwrap_err();
    assert_eq!(error["code"], 1402, "{error}");
    // Nobody lends what is another's: the name is that of whoever's PIN it is.
    let params = json!({ "to": "bob", "lasts": "1h", "reason": "mine", "by": "dan", "as": "ann", "pin": "294017" });
    assert!(operator.ask("delegations_add", &params).unwrap().is_err());
    for _ in 0..16 {
        drop(bench.lent(LENDER, "bob", &[]));
    }
    refused(&bench.lends(LENDER, "bob", &[]), "16 times");
    bench.world.verify();
}

#[test]
fn a_right_is_for_what_it_says_and_no_wider_than_it_is_when_it_is_used() {
    let bench = Bench::start(ONLY_ANN);
    let hold = bench.hold("a");
    for words in [&["--risk", "high"][..], &["--agent", "other"], &["--tool", "notes.read_note"], &["--tool", "mail"]] {
        drop(bench.lent(LENDER, "bob", words));
        refused(&bench.approves(DELEGATE, &hold), "only-ann");
    }
    let id = bench.lent(LENDER, "bob", &["--risk", "critical", "--agent", "ci", "--tool", "notes.delete_note"]);
    // Ann may not any more: nor may bob for her.
    let nobody = "@id(\"nobody\") forbid (principal, action == Action::\"approve\", resource in Server::\"notes\");";
    bench.denies(&hold);
    bench.rules(nobody);
    let hold = bench.hold("b");
    refused(&bench.approves(DELEGATE, &hold), "nobody");
    bench.denies(&hold);
    // Or others may, and she did not.
    bench.rules(&ONLY_ANN.replace("\"ann\"", "\"dan\""));
    let hold = bench.hold("c");
    refused(&bench.approves(DELEGATE, &hold), &format!("nor does delegation {id}"));
    bench.denies(&hold);
    // Or nobody may stand in.
    let alone = "@id(\"alone\") forbid (principal, action == Action::\"stand_in\", resource);";
    bench.rules(&format!("{ONLY_ANN}\n{alone}"));
    let hold = bench.hold("d");
    refused(&bench.approves(DELEGATE, &hold), "alone");
    bench.denies(&hold);
    bench.rules(ONLY_ANN);
    let hold = bench.hold("e");
    refused(&bench.says(DELEGATE, &["holds", "approve", &hold, "--times", "2"]), "pass");
    drop(bench.approves(DELEGATE, &hold).success());
    assert!(bench.collected("e").ran());
    assert_eq!(["a", "b", "c", "d", "e"].map(|note| bench.ran(note)), [0, 0, 0, 0, 1]);
    bench.world.verify();
}

#[test]
fn an_agent_of_either_is_an_agent_of_both_and_no_right_is_lent_on() {
    let bench = Bench::start(ONLY_ANN);
    // Cyn added the agent: she does not stand in, and ann, whose agent it is not, cannot make her.
    drop(bench.lent(LENDER, "cyn", &[]));
    let hold = bench.hold("a");
    refused(&bench.approves(OWNER, &hold), "(policy `not-your-own`");
    bench.denies(&hold);
    // Ann's own agent, and what she runs herself: bob does not answer it for her.
    drop(bench.lent(LENDER, "bob", &[]));
    let hers = Agent::modern(bench.world.endpoint(), &agent(&bench.world, "hers", "ann", ANN));
    let hold = bench.hold_of(&hers, "b");
    refused(&bench.approves(LENDER, &hold), "not-your-own");
    refused(&bench.approves(DELEGATE, &hold), "(policy `not-your-own`");
    bench.denies(&hold);
    // Bob lends what he has: his own right, which does not suffice.
    drop(bench.lent(DELEGATE, "dan", &[]));
    let hold = bench.hold("c");
    refused(&bench.approves(ADMIN, &hold), "only-ann");
    // He breaks no glass by it, and changes nothing that takes an admin.
    refused(&bench.says(DELEGATE, &["operator", "remove", "cyn"]), "admin");
    bench.denies(&hold);
    bench.rules(ANN_OR_DAN);
    let hold = bench.hold("d");
    assert_eq!(bench.world.holds()[0]["required"], 2);
    let glass =
        ["holds", "break-glass", &hold, "--reason", "customers cannot log in", "--because", "all are on a plane"];
    refused(&bench.says(DELEGATE, &glass), "ann-or-dan");
    assert_eq!(["a", "b", "c", "d"].map(|note| bench.ran(note)), [0; 4]);
    bench.world.verify();
}

#[test]
fn whoever_lent_a_right_and_whoever_has_it_are_never_two() {
    let bench = Bench::start(ANN_OR_DAN);
    for to in ["bob", "cyn"] {
        drop(bench.lent(LENDER, to, &[]));
    }
    let hold = bench.hold("a");
    assert_eq!(bench.world.holds()[0]["required"], 2);
    drop(bench.approves(DELEGATE, &hold).success());
    refused(&bench.approves(LENDER, &hold), "counts as one person");
    refused(&bench.approves(DELEGATE, &hold), "has approved this hold already");
    // In the other order too.
    let other = bench.hold_other("b", &hold);
    drop(bench.approves(LENDER, &other).success());
    refused(&bench.approves(DELEGATE, &other), "counts as one person");
    // Dan lends bob his right as well: then bob is still one person.
    drop(bench.lent(ADMIN, "bob", &[]));
    refused(&bench.approves(DELEGATE, &hold), "has approved this hold already");
    assert_eq!((bench.ran("a"), bench.ran("b")), (0, 0));
    drop(bench.approves(ADMIN, &hold).success());
    // By dan's right bob is a second beside ann.
    drop(bench.approves(DELEGATE, &other).success());
    assert!(bench.collected("a").ran() && bench.collected("b").ran());
    assert_eq!((bench.ran("a"), bench.ran("b")), (1, 1));
    bench.world.verify();
}

impl Bench {
    /// One more hold beside this one.
    fn hold_other(&self, note: &str, first: &str) -> String {
        let call = json!({ "name": "notes.delete_note", "arguments": { "note": note } });
        let wire = self.agent().begin("tools/call", call).unwrap();
        let other = self.world.eventually("another hold", || {
            let holds = self.world.holds();
            holds.iter().filter_map(|hold| hold["id"].as_str()).find(|id| *id != first).map(str::to_owned)
        });
        drop(wire);
        other
    }
}

#[test]
fn a_right_ends_when_it_is_taken_back_given_back_or_its_people_go() {
    let bench = Bench::start(ONLY_ANN);
    let hold = bench.hold("a");
    for (by, (name, pin)) in [("the one who lent it", LENDER), ("who has it", DELEGATE), ("an admin", ADMIN)] {
        let id = bench.lent(LENDER, "bob", &[]);
        refused(&bench.says(OWNER, &["operator", "undelegate", &id]), "lent that right");
        refused(&bench.says(REVIEWER, &["operator", "undelegate", &id]), "reviewer");
        drop(bench.says((name, pin), &["operator", "undelegate", &id]).success());
        assert!(bench.listed().is_empty(), "{by}");
        refused(&bench.says((name, pin), &["operator", "undelegate", &id]), "no delegation");
        refused(&bench.approves(DELEGATE, &hold), "only-ann");
    }
    drop(bench.lent(LENDER, "bob", &[]));
    drop(bench.says(LENDER, &["operator", "remove", "bob"]).success());
    assert!(bench.listed().is_empty(), "bob is no operator any more");
    // Another person of the same name.
    add(&bench.world, "bob", "operator", None, &format!("{BOB}{ANN}"));
    refused(&bench.approves(DELEGATE, &hold), "only-ann");
    drop(bench.lent(LENDER, "bob", &[]));
    drop(bench.says(ADMIN, &["operator", "remove", "ann"]).success());
    refused(&bench.approves(DELEGATE, &hold), "only-ann");
    assert!(bench.listed().is_empty());
    assert_eq!(bench.ran("a"), 0);
    let ends: Vec<Value> = bench
        .world
        .log()
        .into_iter()
        .filter(|record| record["detail"]["event"] == "delegation-ended")
        .map(|record| record["detail"]["why"].clone())
        .collect();
    assert_eq!(ends, ["revoked", "revoked", "revoked", "removed", "removed"]);
    bench.world.verify();
}

#[test]
fn what_was_lent_outlives_a_kill_and_what_was_taken_back_does_not_come_again() {
    let mut bench = Bench::start(ONLY_ANN);
    let hold = bench.hold("a");
    let id = bench.lent(LENDER, "bob", &[]);
    bench.world.kill();
    bench.world.start();
    bench.ready();
    assert_eq!(bench.listed()[0]["id"].to_string(), id);
    drop(bench.approves(DELEGATE, &hold).success());
    drop(bench.says(LENDER, &["operator", "undelegate", &id]).success());
    bench.world.kill();
    bench.world.start();
    bench.ready();
    assert!(bench.listed().is_empty());
    // What was approved while it was lent stays so, with both names, and runs once.
    let listed = bench.world.holds().remove(0);
    assert_eq!((&listed["state"], &listed["approvals"][0]["lent"]["by"]), (&json!("approved"), &json!("ann")));
    assert!(bench.collected("a").ran());
    assert_eq!(bench.ran("a"), 1);
    let next = bench.hold("b");
    refused(&bench.approves(DELEGATE, &next), "only-ann");
    bench.world.verify();
    // One that somebody writes into the file is in no record.
    bench.world.kill();
    let database = rusqlite::Connection::open(bench.world.state().join("portcullis.db")).unwrap();
    let forged = r#"{"by":"ann","expires":"2999-01-01T00:00:00Z","made":"2026-01-01T00:00:00Z","reason":"","to":"bob","within":{}}"#;
    assert_eq!(database.execute("INSERT INTO delegation VALUES (1, ?1)", [forged]).unwrap(), 1);
    drop(database);
    let verified = bench.world.cli(&["log", "verify"]);
    assert!(!verified.status.success(), "{}", verified.stdout);
}

#[test]
fn a_right_ends_with_its_time_and_its_end_is_a_record() {
    let bench = Bench::start(ONLY_ANN);
    let id = bench.lent(LENDER, "bob", &["--for", "1m"]);
    let hold = bench.hold("a");
    let ended = || bench.world.log().into_iter().find(|record| record["detail"]["event"] == "delegation-ended");
    // A minute is the shortest that there is.
    let mut end = None;
    for _ in 0..60 {
        thread::sleep(Duration::from_secs(2));
        end = ended();
        if end.is_some() {
            break;
        }
    }
    let end = end.expect("a record of its end");
    assert_eq!((end["detail"]["delegation"].to_string(), &end["detail"]["why"]), (id, &json!("expired")));
    assert!(bench.listed().is_empty());
    refused(&bench.approves(DELEGATE, &hold), "only-ann");
    bench.world.verify();
}
