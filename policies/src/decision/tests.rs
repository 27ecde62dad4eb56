use super::*;
use crate::approval::{By, HoldState, Role};
use crate::call::{AgentId, CallId, HoldId, Method, OperatorId, ServerName, SessionKey, Standing};
use crate::canon::{Limits, Value};
use std::sync::Arc;

mod load;
mod observe;
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
    held_in(&Session::fresh(), call_of(agent, tool("files", r#"{"name":"delete"}"#), arguments))
}

/// A call that is held after what this session has read.
pub(crate) fn held_in(session: &Session, call: Call) -> Held {
    let policies = Policies::builtin();
    let assessment = assess(&call, &around(session));
    let binding = Binding::of(&call, policies.hash_for(call.tool()));
    Held::new(call, assessment, binding, HoldTimes::default())
}

pub(crate) fn around(session: &Session) -> Circumstances<'_> {
    Circumstances {
        session,
        first_use: false,
        anomaly: false,
        undeclared: false,
        live_secret: false,
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
    // Where a secret goes is named by itself, before the profile that it is a part of.
    let placed = |header: &str| {
        let resources = format!(
            r#"{{"sandbox":"jail","limits":{{"time":{{"secs":1,"nanos":0}},"memory":1,"cpu":1,"output":1,"processes":1,"disk":1}},
            "secrets":[{{"secret":"token","way":{{"edge":{{"to":{{"host":"a.test"}},"into":{{"header":{{"name":"{header}"}}}}}}}}}}]}}"#
        );
        let mut standing = Standing::default();
        let resources = Arc::new(serde_json::from_str(&resources).unwrap());
        standing.profile = Arc::new(crate::profile::Profile::default().with_resources(resources));
        let server = ServerName::parse("files").unwrap();
        let tool = Tool::new(server, Method::CallTool, json(r#"{"name":"write"}"#), standing).unwrap();
        of(call_of("ann", tool, r#"{"n":1}"#))
    };
    assert_eq!(placed("authorization").first_difference(&placed("authorization")), None);
    assert_eq!(placed("authorization").first_difference(&placed("x-api-key")), Some(Field::Secrets));
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
    let may = |name: &str, role, people, hold: &Hold| approves(&policies, name, role, false, people, hold);
    let anns = hold("operator:ann", 2);
    assert_eq!(*anns.state(), HoldState::Pending);
    assert!(may("bob", Role::Operator, 2, &anns) && may("bob", Role::Admin, 2, &anns));
    assert!(!may("bob", Role::Reviewer, 2, &anns));
    assert!(!may("ann", Role::Operator, 2, &anns) && !may("Ann", Role::Admin, 2, &anns));
    assert!(may("ann", Role::Operator, 1, &anns), "whoever is alone must answer for themselves");
    let added = hold("ci", 1);
    assert!(!approves(&policies, "ann", Role::Admin, true, 2, &added) && may("ann", Role::Admin, 2, &added));
    let without = Policies::load_without_defaults(&[]).unwrap();
    assert!(!approves(&without, "bob", Role::Admin, false, 2, &anns));
}

/// Somebody who would approve, alone, by their PIN, and without a reason.
fn asking(operator: &OperatorId, role: Role) -> Approver<'_> {
    Approver { operator, role, own: false, people: 1, by: By::Pin, passkeys: 0, reasoned: false, pass: false }
}

#[test]
fn no_policy_lets_a_reviewer_approve_and_a_refusal_names_the_policy() {
    let all = Source { name: "all".into(), text: "@id(\"all\") permit (principal, action, resource);".into() };
    let policies = Policies::load_without_defaults(&[all]).unwrap();
    let bob = OperatorId::authenticated("bob");
    let reviewer = Approver { people: 2, reasoned: true, ..asking(&bob, Role::Reviewer) };
    let refused = policies.may_approve(&reviewer, &hold("ci", 1)).unwrap_err();
    assert_eq!(refused.rule.as_deref(), Some("reviewers-only-read"));
    assert!(refused.reason.is_some() && refused.next.is_some());
    assert!(policies.may_approve(&Approver { role: Role::Operator, ..reviewer }, &hold("ci", 1)).is_ok());
}

#[test]
fn a_policy_can_want_a_reason() {
    let policies = with(
        r#"@id("say-why") forbid (principal, action == Action::"approve", resource) unless { context.reasoned };"#,
    );
    let bob = OperatorId::authenticated("bob");
    let silent = asking(&bob, Role::Operator);
    assert_eq!(policies.may_approve(&silent, &hold("ci", 1)).unwrap_err().rule.as_deref(), Some("say-why"));
    assert!(policies.may_approve(&Approver { reasoned: true, ..silent }, &hold("ci", 1)).is_ok());
}

#[test]
fn a_policy_can_want_a_passkey_of_all_or_of_those_who_have_one() {
    let bob = OperatorId::authenticated("bob");
    let of = |by, passkeys| Approver { by, passkeys, reasoned: true, ..asking(&bob, Role::Operator) };
    let answers = [of(By::Passkey, 1), of(By::Pin, 1), of(By::Pin, 0), of(By::Pass, 2), of(By::User, 0)];
    let let_through = |condition: &str| {
        let head =
            r#"@id("passkey") forbid (principal, action in [Action::"approve", Action::"break_glass"], resource)"#;
        let policies = with(&format!("{head} when {{ {condition} }};"));
        answers.map(|approver| policies.may_approve(&approver, &hold("ci", 1)).is_ok())
    };
    let critical = r#"context.risk == "CRITICAL" && context.by != "passkey""#;
    assert_eq!(let_through(critical), [true, false, false, false, false]);
    assert_eq!(let_through(r#"context.keyed && context.by != "passkey""#), [true, false, true, false, true]);
}

#[test]
fn a_critical_call_has_no_pass() {
    let policies = Policies::builtin();
    let (bob, hold) = (OperatorId::authenticated("bob"), hold("ci", 1));
    assert_eq!(hold.risk(), Risk::Critical);
    let alone = asking(&bob, Role::Admin);
    assert!(policies.may_approve(&alone, &hold).is_ok());
    let refused = policies.may_approve(&Approver { pass: true, ..alone }, &hold).unwrap_err();
    assert_eq!(refused.rule.as_deref(), Some("no-pass-for-critical"));
}

fn approves(policies: &Policies, name: &str, role: Role, own: bool, people: usize, hold: &Hold) -> bool {
    let operator = OperatorId::authenticated(name);
    policies.may_approve(&Approver { own, people, ..asking(&operator, role) }, hold).is_ok()
}

#[test]
fn an_operator_can_keep_an_approval_to_some() {
    let policies = with(
        r#"@id("critical-needs-an-admin")
        forbid (principal, action == Action::"approve", resource in Server::"files")
        when { context.agent == Agent::"agent" } unless { principal in Role::"admin" };"#,
    );
    let may = |role| approves(&policies, "bob", role, false, 2, &hold("agent", 1));
    assert!(may(Role::Admin) && !may(Role::Operator));
}

fn breaks(policies: &Policies, role: Role, own: bool, people: usize) -> Result<(), Option<String>> {
    let (ann, hold) = (OperatorId::authenticated("ann"), hold("ci", 2));
    let approver = Approver { own, people, reasoned: true, ..asking(&ann, role) };
    policies.may_break_glass(&approver, &hold).map_err(|not| not.rule)
}

#[test]
fn who_may_approve_may_break_the_glass_and_nobody_for_an_agent_of_their_own() {
    let policies = Policies::builtin();
    for role in [Role::Operator, Role::Admin] {
        assert_eq!(breaks(&policies, role, false, 2), Ok(()));
        assert_eq!(breaks(&policies, role, true, 2), Err(Some("not-your-own".to_owned())));
        assert_eq!(breaks(&policies, role, true, 1), Err(Some("no-glass-for-your-own".to_owned())));
    }
    assert_eq!(breaks(&policies, Role::Reviewer, false, 2), Err(Some("reviewers-only-read".to_owned())));
    let all = Policies::load_without_defaults(&[source("@id(\"all\") permit (principal, action, resource);")]).unwrap();
    assert_eq!(breaks(&all, Role::Reviewer, false, 2), Err(Some("reviewers-only-read".to_owned())));
    let approve = source("@id(\"all\") permit (principal, action == Action::\"approve\", resource);");
    let none = Policies::load_without_defaults(&[approve]).unwrap();
    assert_eq!(breaks(&none, Role::Admin, false, 2), Err(None), "without the defaults nothing permits it");
    // Whatever keeps somebody from approving keeps them from the glass.
    let admins = with(
        r#"@id("admins") forbid (principal, action == Action::"approve", resource) unless { principal in Role::"admin" };"#,
    );
    assert_eq!(breaks(&admins, Role::Operator, false, 2), Err(Some("admins".to_owned())));
    assert_eq!(breaks(&admins, Role::Admin, false, 2), Ok(()));
    let no = with(r#"@id("no-glass") forbid (principal, action == Action::"break_glass", resource);"#);
    assert_eq!(breaks(&no, Role::Admin, false, 2), Err(Some("no-glass".to_owned())));
    assert!(approves(&no, "ann", Role::Admin, false, 2, &hold("ci", 2)));
}

/// Whether bob may approve by ann's right a call of this agent.
fn stands_in(
    policies: &Policies,
    agent: &str,
    [bob_owns, ann_owns]: [bool; 2],
    roles: [Role; 2],
) -> Result<(), String> {
    let (ann, bob, hold) = (OperatorId::authenticated("ann"), OperatorId::authenticated("bob"), hold(agent, 1));
    let person = |operator, role, own| Approver { own, people: 3, ..asking(operator, role) };
    let (delegate, of) = (person(&bob, roles[0], bob_owns), person(&ann, roles[1], ann_owns));
    policies.may_stand_in(&delegate, &of, &hold).map_err(|not| not.rule.unwrap_or_default())
}

const OPERATORS: [Role; 2] = [Role::Operator; 2];

#[test]
fn whoever_lent_a_right_must_have_it_and_an_agent_of_either_is_an_agent_of_both() {
    let only = with(
        r#"@id("only-ann") forbid (principal, action == Action::"approve", resource) unless { principal == Operator::"ann" };"#,
    );
    assert!(!approves(&only, "bob", Role::Operator, false, 3, &hold("ci", 1)));
    assert_eq!(stands_in(&only, "ci", [false; 2], OPERATORS), Ok(()));
    // The right is asked for as it is now, and is not one that a reviewer has.
    let nobody = with(r#"@id("nobody") forbid (principal, action == Action::"approve", resource);"#);
    assert_eq!(stands_in(&nobody, "ci", [false; 2], OPERATORS), Err("nobody".to_owned()));
    for roles in [[Role::Operator, Role::Reviewer], [Role::Reviewer, Role::Admin]] {
        assert_eq!(stands_in(&only, "ci", [false; 2], roles), Err("reviewers-only-read".to_owned()));
    }
    for policies in [&only, &Policies::builtin()] {
        for (agent, own) in
            [("ci", [true, false]), ("ci", [false, true]), ("operator:bob", [false; 2]), ("operator:Ann", [false; 2])]
        {
            let refused = stands_in(policies, agent, own, OPERATORS).unwrap_err();
            assert_eq!(refused, "not-your-own", "{agent} {own:?}");
        }
    }
    // Where only one answers calls, they may approve their own; nobody else does it for them.
    let (ann, bob, alone) = (OperatorId::authenticated("ann"), OperatorId::authenticated("bob"), hold("ci", 1));
    let person = |operator| Approver { own: true, ..asking(operator, Role::Operator) };
    let refused = Policies::builtin().may_stand_in(&person(&bob), &person(&ann), &alone).unwrap_err();
    assert_eq!(refused.rule.as_deref(), Some("no-standing-in-for-your-own"));
    // Whatever lets all approve anything does not let an agent's owner stand in.
    let all = source(r#"@id("all") permit (principal, action == Action::"approve", resource);"#);
    let bare = Policies::load_without_defaults(std::slice::from_ref(&all)).unwrap();
    assert_eq!(stands_in(&bare, "ci", [false; 2], OPERATORS), Err(String::new()), "nothing permits standing in");
    let without = source(r#"@id("none") forbid (principal, action == Action::"stand_in", resource);"#);
    let none = Policies::load(&[all, without]).unwrap();
    assert_eq!(stands_in(&none, "ci", [false; 2], OPERATORS), Err("none".to_owned()));
}

#[test]
fn a_right_of_who_has_a_passkey_is_used_with_one() {
    let policies = with(
        r#"@id("keyed") forbid (principal, action == Action::"approve", resource) when { context.keyed && context.by != "passkey" };"#,
    );
    let (ann, bob, hold) = (OperatorId::authenticated("ann"), OperatorId::authenticated("bob"), hold("ci", 1));
    let person = |operator, by, passkeys| Approver { people: 3, by, passkeys, ..asking(operator, Role::Operator) };
    for (by, [bobs, anns], lets) in [
        (By::Pin, [0, 0], true),
        (By::Pin, [0, 1], false),
        (By::Pin, [1, 0], false),
        (By::Passkey, [1, 0], true),
        (By::Passkey, [1, 1], true),
    ] {
        // How ann would have answered says nothing: it is bob who does.
        for hers in [By::Pin, By::Passkey] {
            let stands_in = policies.may_stand_in(&person(&bob, by, bobs), &person(&ann, hers, anns), &hold);
            assert_eq!(stands_in.is_ok(), lets, "{by:?} {bobs} {anns}: {stands_in:?}");
        }
    }
}

#[test]
fn what_only_watches_refuses_no_one_who_stands_in_and_is_named() {
    let policies = with(
        r#"@id("watch-ann") @mode("observe") forbid (principal == Operator::"ann", action == Action::"approve", resource);
        @id("watch-bob") @mode("observe") forbid (principal == Operator::"bob", action == Action::"stand_in", resource);
        @id("watch-other") @mode("observe") forbid (principal == Operator::"bob", action == Action::"approve", resource);"#,
    );
    assert_eq!(stands_in(&policies, "ci", [false; 2], OPERATORS), Ok(()));
    let (ann, bob, hold) = (OperatorId::authenticated("ann"), OperatorId::authenticated("bob"), hold("ci", 1));
    let person = |operator| Approver { people: 3, ..asking(operator, Role::Operator) };
    assert_eq!(policies.would_not_stand_in(&person(&bob), &person(&ann), &hold), ["watch-ann", "watch-bob"]);
}
