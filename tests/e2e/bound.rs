//! An approval is for one deed: what it is bound to is changed after people were asked, and the call is refused by the name of
//! what changed.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::agent::Answer;
use tests::hostile::Mode;
use tests::invocations;
use tests::ledger::{Kind, Ledger};
use tests::server::hostile_command;
use tests::world::{Setup, World, server_table};

use crate::approval::poll;
use crate::passes::office;

const TOOL: &str = "notes.read_note";

/// Every call is held, so that the tool can be the one whose definition changes.
const ASKS: &str = "@id(\"test-asks\") forbid (principal, action == Action::\"call_unattended\", resource);\n";

/// The same, and one more word on this tool.
const MORE: &str = "@id(\"test-asks\") forbid (principal, action == Action::\"call_unattended\", resource);\n\
    @id(\"test-more\") permit (principal, action == Action::\"approve\", resource == Tool::\"notes.read_note\");\n";

/// What an operator and a server can change beneath a call that waits.
#[derive(Clone, Copy)]
struct Around {
    redefined: bool,
    variable: &'static str,
    time: &'static str,
    policies: &'static str,
}

const BEFORE: Around = Around { redefined: false, variable: "TOKEN", time: "4m", policies: ASKS };

/// Each bound field that is not the agent's to choose, and how it changes.
const CHANGES: [(&str, Around); 4] = [
    ("definition", Around { redefined: true, ..BEFORE }),
    ("secrets", Around { variable: "OTHER", ..BEFORE }),
    ("profile", Around { time: "3m", ..BEFORE }),
    ("policies", Around { policies: MORE, ..BEFORE }),
];

struct Bench {
    world: World,
    folder: TempDir,
}

impl Bench {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let world = Setup::new().environment("THE_SECRET", "a value that is only here").prepare();
        let mut bench = Self { world, folder };
        bench.under(BEFORE);
        bench
    }

    fn record(&self) -> PathBuf {
        self.folder.path().join("record")
    }

    /// Starts the gateway, again if it runs, with this around it; an operator has accepted the tool as it is.
    fn under(&mut self, around: Around) {
        let trigger = self.folder.path().join("trigger");
        let mut words = hostile_command(Mode::RugPull, &self.record());
        words.extend(["--trigger".to_owned(), trigger.to_str().unwrap().to_owned()]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let keys = format!(
            "limits = {{ time = \"{}\" }}\n[[server.notes.secret]]\nname = \"token\"\nenvironment = \"{}\"\n",
            around.time, around.variable
        );
        let secret = "[secret.token]\nfrom = \"env\"\npath = \"THE_SECRET\"\n[policy]\nfiles = [\"test.cedar\"]\n";
        self.world.configure(&format!("{}{secret}", server_table("notes", &words, &keys)));
        self.policies(around.policies);
        if around.redefined {
            fs::write(trigger, "").unwrap();
        } else if trigger.exists() {
            fs::remove_file(trigger).unwrap();
        }
        self.world.restart();
        self.world.eventually("the tool", || {
            let offered = self.world.modern().names().contains(&TOOL.to_owned());
            if !offered {
                drop(self.world.cli(&["tools", "accept", TOOL])); // there may be nothing to accept yet
            }
            offered.then_some(())
        });
    }

    fn policies(&self, cedar: &str) {
        fs::write(self.world.folder().join("test.cedar"), cedar).unwrap();
    }

    fn ran(&self, note: &str) -> usize {
        invocations::count(&self.record(), "start", note)
    }

    /// A call that somebody approved, and whose agent has not come back for it.
    fn approved(&self, note: &str) -> String {
        let params = json!({"name": TOOL, "arguments": {"note": note}});
        let wire = self.world.modern().begin("tools/call", params).unwrap();
        let hold = self.world.hold();
        drop(wire);
        thread::sleep(Duration::from_millis(200));
        self.approve(&hold);
        assert_eq!(self.ran(note), 0, "nobody waits, and it ran");
        hold
    }

    fn approve(&self, hold: &str) {
        drop(self.world.cli(&["holds", "approve", hold]).success());
    }

    /// The same call asks people anew, and runs for nobody else.
    fn asks_anew(&self, note: &str, before: &str) {
        let agent = self.world.legacy();
        let arguments = json!({"note": note});
        let call = thread::spawn(move || agent.call(TOOL, &arguments));
        let hold = self.world.hold();
        assert_ne!(hold, before, "a hold that was withdrawn is open again");
        drop(self.world.cli(&["holds", "deny", &hold, "--reason", "test"]).success());
        assert!(!call.join().unwrap().ran());
        assert_eq!(self.ran(note), 0);
    }

    /// The refusal names the field; so do the log's refusal and the end of the hold; nothing ran.
    fn was_refused(&self, answer: &str, field: &str, note: &str, hold: &str) {
        assert!(answer.contains("approval-mismatch"), "{field}: {answer}");
        assert!(answer.contains(&format!("it differs in its {field}")), "{field}: {answer}");
        assert_eq!(self.ran(note), 0, "{field}: it ran");
        let ledger = Ledger::open(self.world.state()).unwrap();
        let refusal = ledger.entries(Kind::Refusal).pop().unwrap().record.to_string();
        assert!(refusal.contains("approval-mismatch") && refusal.contains(field), "{field}: {refusal}");
        let mut steps = ledger.entries(Kind::Step).into_iter().map(|entry| entry.record["detail"].clone());
        let last = steps.rfind(|step| step["hold"] == hold).unwrap();
        assert_eq!(last["state"], "cancelled", "{field}: {last}");
        let why = format!("its {field} changed after people were asked");
        assert_eq!(last["step"]["why"], why.as_str(), "{field}: {last}");
        assert_eq!(self.world.holds(), Vec::<Value>::new(), "{field}: it still waits");
        self.world.verify();
    }
}

#[test]
fn an_approval_that_waits_for_its_agent_is_void_when_what_it_is_bound_to_changes() {
    for (field, change) in CHANGES {
        let mut bench = Bench::start();
        let note = format!("collected {field}");
        let hold = bench.approved(&note);
        bench.under(change);
        let answer = bench.world.legacy().call(TOOL, &json!({"note": note}));
        assert!(!answer.ran(), "{field}: {}", answer.text);
        bench.was_refused(&answer.text, field, &note, &hold);
        // Neither as it is now nor as it was: what was approved is over.
        bench.asks_anew(&note, &hold);
        bench.under(BEFORE);
        bench.asks_anew(&note, &hold);
        let ledger = Ledger::open(bench.world.state()).unwrap();
        assert_eq!(ledger.count(Kind::Intent), 0, "{field}");
    }
}

#[test]
fn an_approval_of_a_task_is_void_when_what_it_is_bound_to_has_changed() {
    for (field, change) in CHANGES {
        let mut bench = Bench::start();
        let note = format!("task {field}");
        let tasks = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
        let created = bench.world.modern().with(tasks.clone()).call(TOOL, &json!({"note": note}));
        let hold = created.result()["taskId"].as_str().unwrap_or_else(|| panic!("{}", created.text)).to_owned();
        bench.under(change);
        bench.approve(&hold);
        let agent = bench.world.modern().with(tasks);
        let state = || agent.ask("tasks/get", json!({"taskId": hold}));
        let ended: Answer = bench
            .world
            .eventually("the end of the task", || Some(state()).filter(|task| task.result()["status"] != "working"));
        bench.was_refused(&ended.text, field, &note, &hold);
        bench.asks_anew(&note, &hold);
    }
}

#[test]
fn an_approval_of_a_call_that_waits_is_void_when_the_policies_have_changed() {
    let bench = Bench::start();
    let agent = bench.world.modern();
    let (hold, answer) = thread::scope(|scope| {
        let call = scope.spawn(|| poll(&agent, TOOL, &json!({"note": "waits"})));
        let hold = bench.world.hold();
        bench.policies(MORE);
        drop(bench.world.cli(&["reload"]).success());
        bench.approve(&hold);
        (hold, call.join().unwrap())
    });
    bench.was_refused(&answer.text, "policies", "waits", &hold);
    bench.asks_anew("waits", &hold);
}

#[test]
fn an_approval_of_a_call_that_waits_is_void_when_the_definition_has_changed() {
    let bench = Bench::start();
    let agent = bench.world.legacy();
    let params = json!({"name": TOOL, "arguments": {"note": "waits"}, "_meta": {"progressToken": "p"}});
    let answer = thread::scope(|scope| {
        let call = scope.spawn(|| agent.ask("tools/call", params));
        let hold = bench.world.hold();
        fs::write(bench.folder.path().join("trigger"), "").unwrap();
        let changed = || (!bench.world.modern().names().contains(&TOOL.to_owned())).then_some(());
        bench.world.eventually("the change to be seen", changed);
        bench.approve(&hold);
        call.join().unwrap()
    });
    assert!(!answer.ran() && answer.text.contains("changed-definition"), "{}", answer.text);
    assert_eq!(bench.ran("waits"), 0);
    bench.world.verify();
}

/// What an outsider wrote into the inbox.
const CARRIED: &str = "audit-desk@northwind-supplies.example";

/// A message that carries it, and the agent that sends it and waits.
fn send(world: &World) -> thread::JoinHandle<Answer> {
    let agent = world.legacy();
    let message = json!({"to": ["ann@example.com"], "subject": "Report 2", "text": CARRIED});
    thread::spawn(move || agent.call("mail.send_message", &message))
}

/// From here on the agent has read what outsiders write, and the message is a level riskier.
fn read_the_inbox(world: &World) {
    assert!(world.modern().call("mail.read_inbox", &json!({"folder": "inbox"})).ran());
}

fn risk_of(world: &World, hold: &str) -> Value {
    world.json(&["holds", "show", hold])["risk"].clone()
}

fn last_step(world: &World, hold: &str) -> Value {
    let steps = world.log().into_iter().filter(|record| record["kind"] == "step");
    let mut steps = steps.map(|record| record["detail"].clone()).filter(|step| step["hold"] == hold);
    steps.next_back().unwrap()
}

/// The same message asks people anew, at the risk that it has by now.
fn asks_at_more_risk(world: &World, before: &str) {
    let call = send(world);
    let hold = world.eventually("another hold", || {
        let open = world.holds().into_iter().map(|hold| hold["id"].as_str().unwrap().to_owned());
        open.into_iter().find(|hold| hold != before)
    });
    assert_eq!(risk_of(world, &hold), "CRITICAL");
    drop(world.cli(&["holds", "deny", &hold, "--reason", "test"]).success());
    assert!(!call.join().unwrap().ran());
    assert_eq!(last_step(world, before)["step"]["why"], "its risk changed after people were asked");
    world.verify();
}

#[test]
fn an_approval_of_a_call_that_waits_is_void_when_its_risk_has_risen() {
    let world = office();
    let call = send(&world);
    let hold = world.hold();
    assert_eq!(risk_of(&world, &hold), "HIGH");
    read_the_inbox(&world);
    drop(world.cli(&["holds", "approve", &hold]).success());
    let answer = call.join().unwrap();
    assert!(!answer.ran(), "it ran at more risk than people were told of: {}", answer.text);
    assert!(answer.text.contains("approval-mismatch"), "{}", answer.text);
    assert!(answer.text.contains("it differs in its risk"), "{}", answer.text);
    assert_eq!(last_step(&world, &hold)["state"], "cancelled");
    asks_at_more_risk(&world, &hold);
}

#[test]
fn a_hold_of_less_risk_is_not_gone_on_with() {
    let world = office();
    let params = json!({"name": "mail.send_message",
        "arguments": {"to": ["ann@example.com"], "subject": "Report 2", "text": CARRIED}});
    let wire = world.modern().begin("tools/call", params).unwrap();
    let hold = world.hold();
    drop(wire);
    thread::sleep(Duration::from_millis(200));
    read_the_inbox(&world);
    asks_at_more_risk(&world, &hold);
}
