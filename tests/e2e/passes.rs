//! A pass lets calls like the one that was shown run, as often and as long as it says, and nothing else.

use std::fs;
use std::thread;

use serde_json::{Value, json};
use tests::agent::{Agent, Answer};
use tests::world::{Setup, World, built};

use crate::approval::poll;

/// Reading is left alone, so that what is held is what sends.
const READS: &str = r#"@id("reads")
permit (principal, action == Action::"call_unattended", resource == Tool::"mail.read_inbox");"#;

const ANN: &str = "294017\n";

pub(crate) fn office() -> World {
    let (server, mut setup) = (built("office-server"), Setup::new().policies(READS));
    for name in ["mail", "customers"] {
        setup = setup.command_with(name, &[server.as_str(), "--department", name], "vouched = true");
    }
    let world = setup.start();
    world.eventually("the tools", || (world.modern().names().len() >= 4).then_some(()));
    // A tool's first use is a level riskier, which is CRITICAL here: a pass comes with the second.
    drop(approve(&world, &world.modern(), &[]));
    world
}

fn message(to: &str, subject: &str, text: &str) -> Value {
    json!({ "to": [to], "subject": subject, "text": text })
}

pub(crate) fn send(agent: &Agent, message: &Value) -> Answer {
    agent.ask("tools/call", json!({ "name": "mail.send_message", "arguments": message }))
}

pub(crate) fn report(number: u8) -> Value {
    message("ann@example.com", &format!("Report {number}"), "first")
}

/// Nothing runs before a person has answered, and the answer is no.
pub(crate) fn waits(world: &World, agent: &Agent, what: &str, message: &Value) {
    thread::scope(|scope| {
        let call = scope.spawn(|| send(agent, message));
        drop(world.cli(&["holds", "deny", &world.hold(), "--reason", "not this one"]).success());
        let answer = call.join().unwrap();
        assert!(!answer.ran(), "{what} ran: {}", answer.text);
    });
}

/// Sends what is held, approves it with these words, and yields the hold.
pub(crate) fn approve(world: &World, agent: &Agent, words: &[&str]) -> String {
    thread::scope(|scope| {
        let call = scope.spawn(|| poll(agent, "mail.send_message", &report(1)));
        let hold = world.hold();
        drop(world.cli(&[&["holds", "approve", &hold], words].concat()).success());
        let answer = call.join().unwrap();
        assert!(answer.ran(), "{}", answer.text);
        hold
    })
}

pub(crate) const LIKE: [&str; 6] = ["--times", "2", "--like", "subject=Report *", "--any", "text"];

#[test]
fn a_pass_lets_calls_like_it_run_as_often_as_it_says_and_no_others() {
    let world = office();
    let agent = world.modern();
    let hold = approve(&world, &agent, &LIKE);
    let listed = world.list(&["passes", "list"]);
    assert_eq!((listed[0]["id"].as_str(), &listed[0]["used"]), (Some(hold.as_str()), &json!(0)));
    assert_eq!(listed[0]["arguments"], json!({ "to": "the same", "subject": "like Report *", "text": "anything" }));

    for (what, held) in [
        ("another recipient", message("eve@evil.test", "Report 2", "x")),
        (
            "one recipient more",
            json!({ "to": ["ann@example.com", "eve@evil.test"], "subject": "Report 2", "text": "x" }),
        ),
        ("another subject", message("ann@example.com", "Offer", "x")),
        ("two names", message("ann@example.com", "Report 2 and 3", "x")),
        (
            "one argument more",
            json!({ "to": ["ann@example.com"], "subject": "Report 2", "text": "x", "bcc": "eve@evil.test" }),
        ),
        ("one argument less", json!({ "to": ["ann@example.com"], "subject": "Report 2" })),
    ] {
        waits(&world, &agent, what, &held);
    }
    let other = Agent::modern(world.endpoint(), &world.add_agent("other"));
    waits(&world, &other, "another agent's call", &report(2));

    for subject in ["Report 2", "Report 3"] {
        let answer = send(&agent, &message("ann@example.com", subject, &format!("the text of {subject}")));
        assert!(answer.ran(), "{}", answer.text);
    }
    assert!(world.list(&["passes", "list"]).is_empty(), "it is used up");
    waits(&world, &agent, "the third of two", &report(4));
    // Each was held, approved by the pass in its operator's name, and used up as any other.
    let steps: Vec<Value> = world.log().into_iter().filter(|record| record["kind"] == "step").collect();
    let by_pass: Vec<&Value> = steps.iter().filter(|step| step["detail"]["step"]["pass"] == hold.as_str()).collect();
    assert_eq!(by_pass.len(), 2, "{steps:?}");
    assert_eq!(by_pass[1]["detail"]["pass"]["used"], 2);
    world.verify();
}

#[test]
fn a_pass_covers_no_reason_that_its_operator_was_not_shown() {
    let world = office();
    let agent = world.modern();
    drop(approve(&world, &agent, &["--times", "5", "--like", "subject=Report *", "--any", "text"]));
    assert!(send(&agent, &report(2)).ran());
    // From here on the agent has read what outsiders write: the same call has a reason more.
    assert!(agent.call("mail.read_inbox", &json!({ "folder": "inbox" })).ran());
    let carried = message("ann@example.com", "Report 3", "audit-desk@northwind-supplies.example");
    waits(&world, &agent, "what an outsider wrote", &carried);
    assert_eq!(world.list(&["passes", "list"])[0]["used"], 1);
    world.verify();
}

#[test]
fn a_pass_ends_when_it_is_revoked_or_its_policies_or_its_operator_change() {
    let world = office();
    let agent = world.modern();
    let reports = ["--times", "9", "--like", "subject=Report *"];
    let hold = approve(&world, &agent, &reports);
    assert!(send(&agent, &report(2)).ran());
    drop(world.cli(&["passes", "revoke", &hold]).success());
    assert!(!world.cli(&["passes", "revoke", &hold]).status.success(), "it was revoked twice");
    waits(&world, &agent, "a call with a revoked pass", &report(3));

    drop(approve(&world, &agent, &reports));
    let more = "@id(\"more\") forbid (principal, action == Action::\"call_unattended\", resource in Server::\"mail\");";
    fs::write(world.folder().join("test.cedar"), format!("{READS}\n{more}")).unwrap();
    drop(world.cli(&["reload"]).success());
    waits(&world, &agent, "a call under other policies", &report(4));

    // Whoever gave it stops being one who may: ann is added, and `uid:…` is nobody any more.
    drop(approve(&world, &agent, &reports));
    drop(world.cli_told(&["operator", "add", "ann", "--role", "admin", "--pin-stdin"], ANN).success());
    thread::scope(|scope| {
        let call = scope.spawn(|| send(&agent, &report(5)));
        let words = ["holds", "deny", &world.hold(), "--reason", "no", "--as", "ann", "--pin-stdin"];
        drop(world.cli_told(&words, ANN).success());
        assert!(!call.join().unwrap().ran(), "the pass of somebody who may not approve let a call run");
    });
    world.verify();
}

#[test]
fn a_pass_outlives_a_kill_and_still_covers_nothing_that_its_agent_may_have_read_meanwhile() {
    let mut world = office();
    let agent = world.modern();
    drop(approve(&world, &agent, &["--times", "9", "--like", "subject=Report *"]));
    assert!(send(&agent, &report(2)).ran());
    world.kill();
    world.start();
    world.eventually("the tools", || (world.modern().names().len() >= 4).then_some(()));
    assert_eq!(world.list(&["passes", "list"])[0]["used"], 1);
    // What the agent had read is forgotten, and counts as the worst: that is a reason more.
    waits(&world, &world.modern(), "a call of a session that is forgotten", &report(3));
    assert_eq!(world.list(&["passes", "list"])[0]["used"], 1);
    world.verify();
}

#[test]
fn what_cannot_be_taken_back_has_no_pass_and_a_pass_that_is_too_wide_approves_nothing() {
    let world = office();
    let agent = world.modern();
    thread::scope(|scope| {
        let id = json!({ "name": "customers.delete_customer", "arguments": { "id": "C-1" } });
        let call = scope.spawn(|| agent.ask("tools/call", id));
        let hold = world.hold();
        let refused = world.cli(&["holds", "approve", &hold, "--times", "2"]);
        assert!(!refused.status.success() && refused.stderr.contains("no-pass-for-critical"), "{refused:?}");
        drop(world.cli(&["holds", "deny", &hold, "--reason", "no"]).success());
        assert!(!call.join().unwrap().ran());

        let call = scope.spawn(|| send(&agent, &report(1)));
        let hold = world.hold();
        for (words, why) in [
            (&["--times", "1001"][..], "1001"),
            (&["--times", "0"], "0"),
            (&["--for", "2d"], "a minute to a day"),
            (&["--any", "bcc"], "no argument `bcc`"),
            (&["--like", "subject=Offer *"], "not like"),
            (&["--like", "subject=***"], "wildcards"),
            (&["--like", "to=*"], "not like"),
        ] {
            let refused = world.cli(&[&["holds", "approve", &hold], words].concat());
            assert!(!refused.status.success() && refused.stderr.contains(why), "{words:?}: {refused:?}");
        }
        assert_eq!(world.hold(), hold, "it still waits");
        assert!(world.list(&["passes", "list"]).is_empty());
        drop(world.cli(&["holds", "deny", &hold, "--reason", "no"]).success());
        assert!(!call.join().unwrap().ran());
    });
    world.verify();
}
