//! Names that look like something else. What a projection is known by is in its record as it is, or is not kept at all: else an
//! honest log would not verify.

use std::path::Path;
use std::sync::Arc;

use audit::{Audit, AuditError, Config, Door, Event, Redactor, Verifier};
use jiff::SignedDuration;
use policies::approval::{Delegation, Within};
use policies::{AgentId, Hash, Method, OperatorId, Role, ServerName, Value};

use crate::world::{json, noon};

/// Looks like a token of GitHub.
const TOKEN: &str = "ghp_0123456789abcdefghijABCDEFGHIJ456789";

fn redactor() -> Arc<Redactor> {
    Arc::new(Redactor::new(&[7; 32]).with_personal("all".parse().unwrap()))
}

fn start(state: &Path, redactor: &Arc<Redactor>) -> Audit {
    Audit::start(Config::new(state, noon).reserve(1 << 20), Arc::clone(redactor)).unwrap().0
}

async fn note(audit: &Audit, state: &Path, event: Event) {
    let what = format!("{event:?}");
    audit.note(event, noon()).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    audit::verify(state).unwrap_or_else(|error| panic!("{what}: {error}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn people_agents_and_servers_may_be_named_like_secrets_and_addresses_and_the_log_verifies() {
    let (folder, redactor) = (tempfile::tempdir().unwrap(), redactor());
    let state = folder.path();
    let _learned = redactor.learn(b"deploy-bot-7");
    let audit = start(state, &redactor);
    let names = ["ann@example.com", TOKEN, "deploy-bot-7"];
    for name in names {
        let (person, agent) = (OperatorId::authenticated(name), AgentId::authenticated(name));
        let pin = |text: &str| Verifier::new(text.to_owned());
        let by = || Some(person.clone());
        let event =
            Event::OperatorAdded { name: person.clone(), role: Role::Admin, uid: None, pin: pin("1"), by: by() };
        note(&audit, state, event).await;
        note(&audit, state, Event::PinRefused { name: person.clone(), door: Door::SignIn }).await;
        note(&audit, state, Event::PinAccepted { name: person.clone(), door: Door::SignIn }).await;
        note(&audit, state, Event::PinChanged { name: person.clone(), pin: pin("2"), by: by() }).await;
        let event =
            Event::AgentAdded { name: agent.clone(), token: Hash::of(name.as_bytes()), expires: None, by: by() };
        note(&audit, state, event).await;
    }
    let people = (OperatorId::authenticated(names[0]), OperatorId::authenticated(names[1]));
    let lent = Delegation::new(people, Within::default(), SignedDuration::from_hours(1), "away".to_owned(), noon());
    note(&audit, state, Event::DelegationMade { delegation: Box::new(lent.unwrap()), proof: None }).await;
    let server = ServerName::parse(TOKEN).unwrap();
    let event = Event::PackageAdded { name: server.clone(), digest: Hash::of(b"1"), version: None, by: None };
    note(&audit, state, event).await;
    let taken =
        |backend: &str| Event::LeaseTaken { backend: backend.to_owned(), lease: "lease-1".to_owned(), intent: 1 };
    note(&audit, state, taken("deploy-bot-7")).await;
    note(&audit, state, Event::LeaseEnded { backend: "deploy-bot-7".to_owned(), lease: "lease-1".to_owned() }).await;
    note(&audit, state, Event::PackageRemoved { name: server, by: None }).await;
    for name in names {
        let event = Event::AgentRemoved { name: AgentId::authenticated(name), by: None };
        note(&audit, state, event).await;
        note(&audit, state, Event::OperatorRemoved { name: OperatorId::authenticated(name), by: None }).await;
    }
    assert!(audit.stop().await);
    start(state, &redactor).stop().await;
    audit::verify(state).unwrap();
}

fn definition(name: &str, version: u8) -> Value {
    let mut definition = json(&format!("{{\"version\":{version}}}"));
    definition.as_object_mut().unwrap().insert("name", name);
    definition
}

fn pinned(name: &str) -> Event {
    let (server, definition) = (ServerName::parse("files").unwrap(), definition(name, 1));
    let hash = Hash::of(definition.canonical().as_bytes());
    Event::ToolPinned { server, method: Method::CallTool, name: name.to_owned(), hash, definition }
}

/// It changes, is what it was again, changes, and is accepted.
async fn changes(audit: &Audit, state: &Path, name: &str) {
    let (server, method, name) = (ServerName::parse("files").unwrap(), Method::CallTool, name.to_owned());
    let definition = definition(&name, 2);
    let hash = Hash::of(definition.canonical().as_bytes());
    let changed =
        Event::ToolChanged { server: server.clone(), method, name: name.clone(), hash, definition: definition.clone() };
    note(audit, state, changed.clone()).await;
    note(audit, state, Event::ToolRestored { server: server.clone(), method, name: name.clone() }).await;
    note(audit, state, changed).await;
    note(audit, state, Event::ToolAccepted { server, method, name, hash, by: None }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_of_any_name_that_a_tool_can_have_leave_a_log_that_verifies() {
    let (folder, redactor) = (tempfile::tempdir().unwrap(), redactor());
    let (state, long) = (folder.path(), "x".repeat(128));
    let audit = start(state, &redactor);
    let names =
        ["read", &long, "na\u{ef}ve \u{2713} \u{5de5}\u{5177}", "a/b\"c\\d", "..", " ", "%25", "read\u{202e}daer"];
    for name in names {
        assert!(policies::Tool::is_name(name), "{name}");
        note(&audit, state, pinned(name)).await;
        changes(&audit, state, name).await;
    }
    assert_eq!(audit.pins().len(), names.len());
    assert!(audit.stop().await);
    let audit = start(state, &redactor);
    // One that is known to be secret only since it was pinned.
    note(&audit, state, pinned("deploy-bot-7")).await;
    let _learned = redactor.learn(b"deploy-bot-7");
    changes(&audit, state, "deploy-bot-7").await;
    assert!(audit.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_whose_name_no_record_can_have_is_not_pinned() {
    let (folder, redactor) = (tempfile::tempdir().unwrap(), redactor());
    let state = folder.path();
    let _learned = redactor.learn(b"deploy-bot-7");
    let audit = start(state, &redactor);
    let (long, other) = ("x".repeat(2_000), format!("{}y", "x".repeat(2_000)));
    for name in [&long, &other, TOKEN, "deploy-bot-7", "ann@example.com", "read\nread", "read\u{0}"] {
        assert_eq!(audit.note(pinned(name), noon()).await.unwrap_err(), AuditError::Unnamable, "{name}");
    }
    assert!(audit.pins().is_empty());
    audit::verify(state).unwrap();
}
