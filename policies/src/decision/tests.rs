use super::*;
use crate::approval::HoldState;
use crate::call::{AgentId, CallId, HoldId, Method, ServerName, SessionKey, Standing};
use crate::canon::{Limits, Value};
use std::sync::Arc;

mod load;
mod verdicts;

pub(crate) fn noon() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

pub(crate) fn json(text: &str) -> Value {
    Value::parse(text.as_bytes(), &Limits::ANSWER).unwrap()
}

pub(crate) fn tool(server: &str, definition: &str) -> Tool {
    let standing = Standing { pinned: true, ..Standing::default() };
    Tool::new(ServerName::parse(server).unwrap(), Method::CallTool, json(definition), standing).unwrap()
}

pub(crate) fn call_of(agent: &str, tool: Tool, arguments: &str) -> Call {
    let (id, session) = (CallId::from_random([42; 10]), SessionKey::parse("s").unwrap());
    Call::new(id, AgentId::authenticated(agent), session, Arc::new(tool), json(arguments))
}

pub(crate) fn call(server: &str, name: &str, arguments: &str) -> Call {
    call_of("ann", tool(server, &format!(r#"{{"name":"{name}"}}"#)), arguments)
}

/// A call that is held, whatever the classifier thinks of it.
pub(crate) fn held(arguments: &str) -> Held {
    held_by("agent", arguments)
}

pub(crate) fn held_by(agent: &str, arguments: &str) -> Held {
    let policies = Policies::builtin();
    let call = call_of(agent, tool("files", r#"{"name":"delete"}"#), arguments);
    let assessment = assess(&call, &around(&Session::fresh()));
    let binding = Binding::of(&call, policies.hash_for(call.tool()));
    Held::new(call, assessment, binding, HoldTimes::default())
}

pub(crate) fn around(session: &Session) -> Circumstances<'_> {
    Circumstances {
        session,
        first_use: false,
        anomaly: false,
        undeclared: false,
        now: noon(),
        hold_for: HoldTimes::default(),
    }
}

fn source(text: &str) -> Source {
    Source { name: "mine.cedar".into(), text: text.into() }
}

fn with(text: &str) -> Policies {
    Policies::load(&[source(text)]).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn decide(policies: &Policies, call: Call) -> Verdict {
    policies.decide(call, &around(&Session::fresh()))
}

#[test]
fn every_field_of_a_binding_is_compared_and_named() {
    let binding = held("{}").binding().clone();
    let whole = serde_json::to_value(&binding).unwrap();
    assert_eq!(binding.first_difference(&binding.clone()), None);
    for (field, _) in binding.fields() {
        let mut changed = whole.clone();
        changed[field.as_str()] = Hash::of(b"other").to_string().into();
        let changed: Binding = serde_json::from_value(changed).unwrap();
        assert_eq!(binding.first_difference(&changed), Some(field));
        assert_ne!(binding.digest(), changed.digest());
    }
}

#[test]
fn a_binding_changes_with_everything_it_binds() {
    let policies = Policies::builtin();
    let of = |call: Call| Binding::of(&call, policies.hash_for(call.tool()));
    let base = of(call("files", "write", r#"{"n":1}"#));
    let mut profiled = tool("files", r#"{"name":"write"}"#).standing().clone();
    profiled.profile = Arc::new(serde_json::from_str(r#"{"hosts":["example.com"]}"#).unwrap());
    let server = ServerName::parse("files").unwrap();
    let profiled = Tool::new(server.clone(), Method::CallTool, json(r#"{"name":"write"}"#), profiled).unwrap();
    let read = Tool::new(server, Method::ReadResource, json(r#"{"name":"write"}"#), Standing::default()).unwrap();
    let cases = [
        (call_of("bob", tool("files", r#"{"name":"write"}"#), r#"{"n":1}"#), Field::Agent),
        (call("mail", "write", r#"{"n":1}"#), Field::Server),
        (call("files", "write2", r#"{"n":1}"#), Field::Tool),
        (call_of("ann", read, r#"{"n":1}"#), Field::Tool),
        (call_of("ann", tool("files", r#"{"name":"write","description":"x"}"#), r#"{"n":1}"#), Field::Definition),
        (call("files", "write", r#"{"n":1.0}"#), Field::Arguments),
        (call_of("ann", profiled, r#"{"n":1}"#), Field::Profile),
    ];
    for (call, field) in cases {
        assert_eq!(base.first_difference(&of(call)), Some(field));
    }
    let more = with(r#"@id("x") forbid (principal, action, resource == Tool::"files.write");"#);
    let again = call("files", "write", r#"{"n":1}"#);
    let again = Binding::of(&again, more.hash_for(again.tool()));
    assert_eq!(base.first_difference(&again), Some(Field::Policies));
}

#[test]
fn an_approval_stays_good_when_only_other_tools_policies_change() {
    let tool = tool("files", r#"{"name":"write"}"#);
    let elsewhere = with(r#"@id("x") forbid (principal, action, resource in Server::"mail");"#);
    assert_eq!(Policies::builtin().hash_for(&tool), elsewhere.hash_for(&tool));
    for concerned in [
        r#"@id("x") forbid (principal, action, resource in Server::"files");"#,
        r#"@id("x") forbid (principal, action, resource == Tool::"files.write");"#,
        r#"@id("x") forbid (principal, action == Action::"approve", resource);"#,
    ] {
        assert_ne!(Policies::builtin().hash_for(&tool), with(concerned).hash_for(&tool), "{concerned}");
    }
}

#[test]
fn a_hold_lasts_as_long_as_its_risk_says() {
    let minutes = jiff::SignedDuration::from_mins;
    let times = HoldTimes { low: minutes(1), medium: minutes(2), high: minutes(3), critical: minutes(4) };
    let risks = [Risk::Low, Risk::Medium, Risk::High, Risk::Critical];
    assert_eq!(risks.map(|risk| times.of(risk)), [1, 2, 3, 4].map(minutes));
}

fn hold(agent: &str, required: u8) -> Hold {
    let held = held_by(agent, "{}");
    Hold::open(HoldId::from_random([1; 10]), &held, required, noon())
}

#[test]
fn roles_decide_who_approves_and_nobody_is_half_of_two_for_a_call_of_his_own() {
    let policies = Policies::builtin();
    let may = |name: &str, role: &str, hold: &Hold| {
        policies.may_approve(&OperatorId::authenticated(name), &[role.to_owned()], hold)
    };
    let hold_of_two = hold("operator:ann", 2);
    assert_eq!(*hold_of_two.state(), HoldState::Pending);
    assert!(may("bob", "operator", &hold_of_two) && may("bob", "admin", &hold_of_two));
    assert!(!may("bob", "reviewer", &hold_of_two));
    let both = ["reviewer".to_owned(), "operator".to_owned()];
    assert!(policies.may_approve(&OperatorId::authenticated("bob"), &both, &hold_of_two));
    assert!(!may("ann", "operator", &hold_of_two) && !may("Ann", "admin", &hold_of_two));
    assert!(may("ann", "operator", &hold("operator:ann", 1)));
    let without = Policies::load_without_defaults(&[]).unwrap();
    assert!(!without.may_approve(&OperatorId::authenticated("bob"), &both, &hold_of_two));
}

#[test]
fn an_operator_can_keep_an_approval_to_some() {
    let policies = with(
        r#"@id("critical-needs-an-admin")
        forbid (principal, action == Action::"approve", resource in Server::"files")
        when { context.agent == Agent::"agent" } unless { principal in Role::"admin" };"#,
    );
    let may =
        |role: &str| policies.may_approve(&OperatorId::authenticated("bob"), &[role.to_owned()], &hold("agent", 1));
    assert!(may("admin") && !may("operator"));
}
