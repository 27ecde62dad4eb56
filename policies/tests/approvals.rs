//! Who may approve what by the policies that ship, as a table that changes only on purpose.

#![cfg(test)]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use policies::call::{AgentId, CallId, HoldId, Method, OperatorId, ServerName, SessionKey, Standing, Tool};
use policies::canon::{Limits, Value};
use policies::{Approver, By, Call, Circumstances, Hold, HoldTimes, Policies, Risk, Role, Session, Verdict};

fn hold(name: &str, agent: &str) -> Hold {
    let json = |text: &str| Value::parse(text.as_bytes(), &Limits::REQUEST).unwrap();
    let standing = Standing { pinned: true, ..Standing::default() };
    let definition = json(&format!(r#"{{"name":"{name}"}}"#));
    let tool = Tool::new(ServerName::parse("notes").unwrap(), Method::CallTool, definition, standing).unwrap();
    let (id, session) = (CallId::from_random([0; 10]), SessionKey::parse("s").unwrap());
    let call = Call::new(id, AgentId::authenticated(agent), session, Arc::new(tool), json("{}"));
    let now = "2026-11-21T12:00:00Z".parse().unwrap();
    let (session, hold_for) = (Session::fresh(), HoldTimes::default());
    let around = Circumstances {
        session: &session,
        first_use: false,
        anomaly: false,
        undeclared: false,
        live_secret: false,
        now,
        hold_for,
    };
    let Verdict::Hold(held) = Policies::builtin().decide(call, &around) else { panic!("{name} is not held") };
    Hold::open(HoldId::from_random([0; 10]), &held, 1, now)
}

#[test]
fn who_may_approve_what_is_as_the_golden_file_says() {
    let policies = Policies::builtin();
    let ann = OperatorId::authenticated("ann");
    let mut found = String::new();
    for (tool, risk) in [("send_message", Risk::High), ("delete_note", Risk::Critical)] {
        for (agent, added) in [("ci", false), ("ci", true), ("operator:ann", false), ("operator:bob", false)] {
            let hold = hold(tool, agent);
            assert_eq!(hold.risk(), risk);
            for role in Role::ALL {
                for (people, pass) in [(1, false), (1, true), (2, false), (2, true)] {
                    let approver = Approver {
                        operator: &ann,
                        role,
                        own: added,
                        people,
                        by: By::Pin,
                        passkeys: 0,
                        reasoned: false,
                        pass,
                    };
                    let verdict = match policies.may_approve(&approver, &hold) {
                        Ok(()) => "may".to_owned(),
                        Err(not) => format!("may not: {}", not.rule.as_deref().unwrap_or("nothing permits it")),
                    };
                    let whose = if added { "added by ann" } else { "" };
                    let with = if pass { "pass" } else { "" };
                    writeln!(found, "{risk:8} {agent:12} {whose:12} {role:8} of {people} {with:4}  {verdict}").unwrap();
                }
            }
        }
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/approvals.txt");
    if std::env::var_os("PORTCULLIS_BLESS").is_some() {
        std::fs::write(&golden, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    assert_eq!(found, expected, "PORTCULLIS_BLESS=1 writes the file anew, if that is what you mean");
}
