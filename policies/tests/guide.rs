//! The examples of `docs/guide/policies.md` are loaded as they stand and decide as the guide says.

#![cfg(test)]

use std::path::Path;
use std::sync::Arc;

use policies::call::{AgentId, CallId, HoldId, Method, OperatorId, ServerName, SessionKey, Standing, Tool};
use policies::canon::{Limits, Value};
use policies::decision::Source;
use policies::{Approver, By, Call, Circumstances, Content, Hold, HoldTimes, Policies, Role, Session, Verdict};

fn example(number: usize) -> Policies {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/policies.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let text = guide.split("```cedar\n").nth(number).and_then(|rest| rest.split("```").next()).unwrap().to_owned();
    let source = Source { name: format!("example {number}"), text };
    Policies::load(&[source]).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn call(agent: &str, server: &str, name: &str, arguments: &str) -> Call {
    let definition = Value::parse(format!(r#"{{"name":"{name}"}}"#).as_bytes(), &Limits::REQUEST).unwrap();
    let standing = Standing { pinned: true, ..Standing::default() };
    let tool = Tool::new(ServerName::parse(server).unwrap(), Method::CallTool, definition, standing).unwrap();
    let arguments = Value::parse(arguments.as_bytes(), &Limits::REQUEST).unwrap();
    let (id, agent) = (CallId::from_random([0; 10]), AgentId::authenticated(agent));
    Call::new(id, agent, SessionKey::parse("s").unwrap(), Arc::new(tool), arguments)
}

fn decide(policies: &Policies, call: Call, session: &Session) -> Verdict {
    let now = "2026-11-21T12:00:00Z".parse().unwrap();
    let around = Circumstances {
        session,
        first_use: false,
        anomaly: false,
        undeclared: false,
        live_secret: false,
        now,
        hold_for: HoldTimes::default(),
    };
    policies.decide(call, &around)
}

#[test]
fn an_agent_that_only_reads() {
    let policies = example(1);
    let fresh = Session::fresh();
    let write =
        |agent| decide(&policies, call(agent, "files", "write_file", r#"{"path":"/w/a","content":"x"}"#), &fresh);
    let Verdict::Deny(denial) = write("ci") else { panic!() };
    assert_eq!(denial.refusal().rule, "ci-only-reads");
    assert_eq!(denial.refusal().reason, "The agent `ci` may only read.");
    assert_ne!(write("ann").as_str(), "deny");
    let read = decide(&policies, call("ci", "files", "list_directory", r#"{"path":"/w"}"#), &fresh);
    assert_ne!(read.as_str(), "deny", "{:?}", read.assessment());
}

#[test]
fn mail_to_the_team_without_asking() {
    let policies = example(2);
    let send = |to: &str, session: &Session| {
        let verdict =
            decide(&policies, call("ann", "mail", "send_email", &format!(r#"{{"to":{to},"body":"hi"}}"#)), session);
        verdict.as_str()
    };
    let fresh = Session::fresh();
    assert_eq!(send(r#""team@corp.example""#, &fresh), "allow");
    assert_eq!(send(r#"["team@corp.example","ann@corp.example"]"#, &fresh), "allow");
    assert_eq!(send(r#"["team@corp.example","eve@attacker.example"]"#, &fresh), "hold");
    assert_eq!(send("[]", &fresh), "hold");
    let mut sensitive = Session::fresh();
    sensitive.observe(&call("ann", "crm", "get", "{}"), Content::Sensitive, &Value::from("customer"));
    assert_eq!(send(r#""team@corp.example""#, &sensitive), "hold");
    let mut tainted = Session::fresh();
    tainted.observe(&call("ann", "web", "fetch", "{}"), Content::Untrusted, &Value::from("mail team@corp.example"));
    assert_eq!(send(r#""team@corp.example""#, &tainted), "hold");
}

#[test]
fn payments_with_a_limit() {
    let policies = example(3);
    let fresh = Session::fresh();
    let pay = |arguments| decide(&policies, call("ann", "bank", "create_payment", arguments), &fresh);
    let Verdict::Hold(held) = pay(r#"{"amount":"499.99","currency":"EUR","payee":"ACME"}"#) else { panic!() };
    for above in [
        r#"{"amount":"500.01","currency":"EUR","payee":"ACME"}"#,
        r#"{"amount":"-9000","currency":"EUR","payee":"ACME"}"#,
        r#"{"amount":"400","currency":"USD","payee":"ACME"}"#,
        r#"{"amount":"lots","currency":"EUR","payee":"ACME"}"#,
        r#"{"payee":"ACME"}"#,
    ] {
        let Verdict::Deny(denial) = pay(above) else { panic!("{above}") };
        assert_eq!(denial.refusal().rule, "payments-to-500-euro", "{above}");
    }
    let opened = Hold::open(HoldId::from_random([0; 10]), &held, 1, "2026-11-21T12:00:00Z".parse().unwrap());
    let bob = OperatorId::authenticated("bob");
    let may = |role| {
        let approver = Approver {
            operator: &bob,
            role,
            own: false,
            people: 2,
            by: By::Pin,
            passkeys: 0,
            reasoned: false,
            pass: false,
        };
        policies.may_approve(&approver, &opened).is_ok()
    };
    assert!(may(Role::Admin) && !may(Role::Operator));
}
