//! Broken glass: one who may approve lets a call run without the others, everybody is told, and somebody else looks at it.

use std::fs;
use std::path::PathBuf;
use std::thread;

use serde_json::{Value, json};
use tests::agent::Agent;
use tests::hostile::Mode;
use tests::invocations;
use tests::program::Output;
use tests::receiver::Receiver;
use tests::server::hostile_command;
use tests::world::{Setup, World, server_table};

use crate::approval::poll;
use crate::notify::{credentials, webhook};
use crate::operators::{ANN, add, own};

const BOB: &str = "518230\n";
const CYN: &str = "846213\n";
const EVE: &str = "730184\n";

const WHY: &str = "customers cannot log in";
const ALONE: &str = "the others are on a plane";

/// Ann is an admin, bob and cyn are operators, eve is a reviewer; the agent is cyn's, so that ann and bob are to be asked.
struct Bench {
    world: World,
    record: PathBuf,
    token: String,
}

impl Bench {
    fn start(config: &str) -> Self {
        // A file of policies, for those whose config names it.
        let mut world = Setup::new().policies("").prepare();
        credentials(world.folder());
        let record = world.folder().join("invocations");
        let words = hostile_command(Mode::Count, &record);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        world.configure(&format!("{config}{}", server_table("notes", &words, "")));
        world.start();
        add(&world, "ann", "admin", Some(own()), ANN);
        for (name, role, pin) in [("bob", "operator", BOB), ("cyn", "operator", CYN), ("eve", "reviewer", EVE)] {
            add(&world, name, role, None, &format!("{pin}{ANN}"));
        }
        let told = world.cli_told(&["agent", "add", "ci", "--as", "cyn", "--pin-stdin", "--json"], CYN).success();
        let token: Value = serde_json::from_str(&told).unwrap();
        let token = token["token"].as_str().unwrap().to_owned();
        let bench = Self { world, record, token };
        bench.ready();
        bench
    }

    fn agent(&self) -> Agent {
        Agent::modern(self.world.endpoint(), &self.token)
    }

    fn ready(&self) {
        self.world.eventually("the tools", || (self.agent().names().len() == 2).then_some(()));
    }

    /// Whether the same call once more runs although a person says no: it is a question of its own.
    fn runs_again(&self, note: &str) -> bool {
        thread::scope(|scope| {
            let call = scope.spawn(|| poll(&self.agent(), "notes.delete_note", &json!({ "note": note })));
            let words = ["holds", "deny", &self.world.hold(), "--reason", "no", "--pin-stdin"];
            drop(self.world.cli_told(&words, ANN).success());
            call.join().unwrap().ran()
        })
    }

    fn smash(&self, hold: &str, by: &str, pin: &str) -> Output {
        self.smash_because(hold, by, pin, [WHY, ALONE])
    }

    fn smash_because(&self, hold: &str, by: &str, pin: &str, [reason, because]: [&str; 2]) -> Output {
        let words = ["holds", "break-glass", hold, "--reason", reason, "--because", because, "--as", by, "--pin-stdin"];
        self.world.cli_told(&words, pin)
    }

    fn close(&self, hold: &str, by: &str, pin: &str) -> Output {
        let words = ["reviews", "close", hold, "--finding", "it was right", "--as", by, "--pin-stdin"];
        self.world.cli_told(&words, pin)
    }

    /// A call that waits for two, whose agent has gone.
    fn hold(&self, note: &str) -> String {
        let call = json!({ "name": "notes.delete_note", "arguments": { "note": note } });
        let wire = self.agent().begin("tools/call", call).unwrap();
        let hold = self.world.hold();
        drop(wire);
        hold
    }

    fn ran(&self, note: &str) -> usize {
        invocations::count(&self.record, "start", note)
    }
}

#[test]
fn broken_glass_lets_a_call_run_once_before_everybodys_eyes_and_somebody_else_reviews_it() {
    let bench = Bench::start("");
    let world = &bench.world;
    let answer = thread::scope(|scope| {
        let call = scope.spawn(|| poll(&bench.agent(), "notes.delete_note", &json!({"note": "a"})));
        let hold = world.hold();
        assert_eq!(world.holds()[0]["required"], 2);
        for (by, pin, reasons, why) in [
            ("eve", EVE, [WHY, ALONE], "reviewer"),
            ("cyn", CYN, [WHY, ALONE], "not-your-own"),
            ("bob", "000000\n", [WHY, ALONE], "PIN"),
            ("bob", "", [WHY, ALONE], "PIN"),
            ("bob", BOB, [WHY, "Customers can NOT log in!"], "again"),
            ("bob", BOB, [WHY, "urgent"], "at least 12"),
            ("bob", BOB, ["", ALONE], "empty"),
        ] {
            let refused = bench.smash_because(&hold, by, pin, reasons);
            assert!(!refused.status.success() && refused.stderr.contains(why), "{by} {reasons:?}: {refused:?}");
        }
        let one = world.cli(&["holds", "break-glass", &hold, "--reason", WHY, "--as", "bob", "--pin-stdin"]);
        assert_eq!(one.status.code(), Some(2), "one reason was enough: {one:?}");
        assert_eq!((world.hold(), bench.ran("a")), (hold.clone(), 0));
        drop(bench.smash(&hold, "bob", BOB).success());
        call.join().unwrap()
    });
    assert!(answer.ran(), "{}", answer.text);
    assert_eq!(bench.ran("a"), 1);

    let log = world.log();
    let step =
        log.iter().find(|record| record["detail"]["step"]["step"] == "break-glass").expect("a record of its own");
    let said = &step["detail"]["step"];
    assert_eq!((&said["by"], &said["reason"], &said["because"]), (&json!("bob"), &json!(WHY), &json!(ALONE)));
    assert_eq!((&said["proof"], &step["detail"]["approvals"]), (&json!({"by": "pin"}), &json!(0)));
    let intent = log.iter().find(|record| record["kind"] == "intent" && record["agent"] == "ci").unwrap();
    assert_eq!(intent["detail"]["because"]["by"], "break-glass");
    assert_eq!(intent["detail"]["because"]["operator"], "bob");
    assert!(world.cli(&["log", "list"]).success().contains("by glass that was broken by bob"));

    let review = world.list(&["reviews"]).remove(0);
    let hold = review["hold"].as_str().unwrap().to_owned();
    assert_eq!((&review["glass"]["by"], &review["glass"]["because"]), (&json!("bob"), &json!(ALONE)));
    assert!(world.cli(&["holds", "list"]).success().contains("1 call let through by broken glass"));
    for (by, pin) in [("bob", BOB), ("cyn", CYN), ("eve", "000000\n")] {
        let refused = bench.close(&hold, by, pin);
        assert!(!refused.status.success(), "{by} closed it: {}", refused.stdout);
    }
    assert_eq!(world.list(&["reviews", "list"]).len(), 1);
    drop(bench.close(&hold, "eve", EVE).success());
    assert!(world.list(&["reviews"]).is_empty());
    assert!(!bench.close(&hold, "eve", EVE).status.success(), "it was closed twice");
    let closed = world.log().into_iter().find(|record| record["detail"]["event"] == "review-closed").unwrap();
    assert_eq!((&closed["detail"]["by"], &closed["detail"]["finding"]), (&json!("eve"), &json!("it was right")));
    world.verify();
}

#[test]
fn glass_is_broken_once_and_never_of_what_was_denied_or_has_run() {
    let bench = Bench::start("");
    let world = &bench.world;
    let denied = bench.hold("denied");
    drop(world.cli_told(&["holds", "deny", &denied, "--reason", "no", "--pin-stdin"], ANN).success());
    assert!(!bench.smash(&denied, "bob", BOB).status.success(), "what was denied was let through");

    let answer = thread::scope(|scope| {
        let call = scope.spawn(|| poll(&bench.agent(), "notes.delete_note", &json!({"note": "twice"})));
        let hold = world.hold();
        let both = [("ann", ANN), ("bob", BOB)].map(|(by, pin)| {
            let (bench, hold) = (&bench, hold.clone());
            scope.spawn(move || bench.smash(&hold, by, pin).status.success())
        });
        let broken = both.map(|one| one.join().unwrap());
        assert_eq!(broken.iter().filter(|broken| **broken).count(), 1, "{broken:?}");
        let answer = call.join().unwrap();
        assert!(!bench.smash(&hold, "bob", BOB).status.success(), "what has run was let through again");
        answer
    });
    assert!(answer.ran(), "{}", answer.text);
    assert_eq!((bench.ran("twice"), bench.ran("denied"), world.list(&["reviews"]).len()), (1, 0, 1));
    // An admin who broke it is still the one who broke it.
    let review = world.list(&["reviews"]).remove(0);
    if review["glass"]["by"] == "ann" {
        let own = bench.close(review["hold"].as_str().unwrap(), "ann", ANN);
        assert!(own.stderr.contains("does not close its review"), "{own:?}");
    }
    assert!(!bench.runs_again("twice"), "an identical call ran without anybody");
    world.verify();
}

#[test]
fn whoever_broke_the_glass_never_closes_its_review_whatever_they_are() {
    let bench = Bench::start("");
    let hold = bench.hold("own");
    drop(bench.smash(&hold, "ann", ANN).success());
    let own = bench.close(&hold, "ann", ANN);
    assert!(!own.status.success() && own.stderr.contains("does not close its review"), "{own:?}");
    // As an admin of the machine she has no PIN to prove that she is somebody else.
    let denied = bench.world.cli_told(&["holds", "deny", &hold, "--reason", "too late after all", "--pin-stdin"], ANN);
    drop(denied.success());
    assert_eq!(bench.world.list(&["reviews"]).len(), 1, "that it was denied after all closes nothing");
    drop(bench.close(&hold, "eve", EVE).success());
    bench.world.verify();
}

#[test]
fn glass_of_a_hold_that_expired_opens_nothing() {
    let bench = Bench::start("[hold]\nhigh = \"2s\"\ncritical = \"2s\"\n");
    let hold = bench.hold("late");
    bench.world.eventually("its end", || bench.world.holds().is_empty().then_some(()));
    assert!(!bench.smash(&hold, "bob", BOB).status.success());
    assert_eq!((bench.ran("late"), bench.world.list(&["reviews"]).len()), (0, 0));
    bench.world.verify();
}

#[test]
fn broken_glass_and_its_review_outlive_a_kill_and_the_call_runs_once() {
    let mut bench = Bench::start("");
    let hold = bench.hold("killed");
    drop(bench.smash(&hold, "bob", BOB).success());
    bench.world.restart();
    bench.ready();
    assert_eq!(bench.world.list(&["reviews"])[0]["hold"], json!(hold));
    let listed = bench.world.holds().remove(0);
    assert_eq!((&listed["state"], &listed["glass"]["by"]), (&json!("approved"), &json!("bob")));
    assert_eq!(bench.ran("killed"), 0);
    let answer = poll(&bench.agent(), "notes.delete_note", &json!({"note": "killed"}));
    assert!(answer.ran(), "{}", answer.text);
    assert_eq!(bench.ran("killed"), 1);
    assert!(!bench.runs_again("killed"), "it ran twice");
    assert_eq!(bench.ran("killed"), 1);
    bench.world.verify();
    // A review that somebody takes out of the file is missed.
    bench.world.kill();
    let database = rusqlite::Connection::open(bench.world.state().join("portcullis.db")).unwrap();
    assert_eq!(database.execute("DELETE FROM review", []).unwrap(), 1);
    drop(database);
    let verified = bench.world.cli(&["log", "verify"]);
    assert!(!verified.status.success(), "{}", verified.stdout);
}

#[test]
fn broken_glass_is_told_through_every_channel_once_and_without_its_reasons() {
    let (one, other) = (Receiver::http(), Receiver::http());
    let bench = Bench::start(&format!("{}{}", webhook("one", &one), webhook("other", &other)));
    let hold = bench.hold("told");
    drop(bench.smash(&hold, "bob", BOB).success());
    for receiver in [&one, &other] {
        let told = || receiver.heard().into_iter().map(|heard| heard.text).find(|text| text.contains("glass.broken"));
        let text = bench.world.eventually("a notification", told);
        assert!(text.contains("\"by\":\"bob\"") && text.contains(&format!("\"hold\":\"{hold}\"")), "{text}");
        assert!(!text.contains(WHY) && !text.contains(ALONE) && !text.contains("told\""), "{text}");
    }
    drop(bench.close(&hold, "eve", EVE).success());
    let count =
        |receiver: &Receiver| receiver.heard().iter().filter(|heard| heard.text.contains("glass.broken")).count();
    assert_eq!((count(&one), count(&other)), (1, 1));
    bench.world.verify();
}

#[test]
fn policies_keep_the_glass_to_some_and_what_they_deny_has_none() {
    let bench = Bench::start("[policy]\nfiles = [\"test.cedar\"]\n");
    let (world, file) = (&bench.world, bench.world.folder().join("test.cedar"));
    let hold = bench.hold("first");
    drop(world.cli_told(&["holds", "deny", &hold, "--reason", "no", "--pin-stdin"], ANN).success());
    for (policy, why) in [
        ("@id(\"no-glass\") forbid (principal, action == Action::\"break_glass\", resource);", "no-glass"),
        (
            "@id(\"admins\") forbid (principal, action == Action::\"approve\", resource) unless { principal in Role::\"admin\" };",
            "admins",
        ),
    ] {
        fs::write(&file, policy).unwrap();
        drop(world.cli_told(&["reload", "--pin-stdin"], ANN).success());
        let hold = bench.hold(why);
        let refused = bench.smash(&hold, "bob", BOB);
        assert!(!refused.status.success(), "{why}: {}", refused.stdout);
        drop(world.cli_told(&["holds", "deny", &hold, "--reason", "no", "--pin-stdin"], ANN).success());
    }
    assert!(world.list(&["reviews"]).is_empty());
    world.verify();
}
