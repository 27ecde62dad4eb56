//! Agents, pins and first uses: written with their record, in memory at once, there after a restart.

use audit::{AuditError, Event};
use policies::{AgentId, Hash, Method, ServerName, Value};

use crate::world::{World, call, json, later, noon};

fn added(name: &str, token: &str) -> Event {
    Event::AgentAdded {
        name: AgentId::authenticated(name),
        token: Hash::of(token.as_bytes()),
        expires: Some(later(60)),
        by: None,
    }
}

fn server() -> ServerName {
    ServerName::parse("files").unwrap()
}

fn pinned(definition: &Value) -> Event {
    let hash = Hash::of(definition.canonical().as_bytes());
    Event::ToolPinned {
        server: server(),
        method: Method::CallTool,
        name: "read".to_owned(),
        hash,
        definition: definition.clone(),
    }
}

fn changed(definition: &Value) -> Event {
    let hash = Hash::of(definition.canonical().as_bytes());
    Event::ToolChanged {
        server: server(),
        method: Method::CallTool,
        name: "read".to_owned(),
        hash,
        definition: definition.clone(),
    }
}

fn accepted(hash: Hash) -> Event {
    Event::ToolAccepted { server: server(), method: Method::CallTool, name: "read".to_owned(), hash, by: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_come_and_go_with_their_records() {
    let mut world = World::new();
    world.audit.note(added("ann", "first"), noon()).await.unwrap();
    let (first, second) = (Hash::of(b"first"), Hash::of(b"second"));
    assert_eq!(world.audit.agent_by_token(&first, noon()).unwrap().name.as_str(), "ann");
    assert_eq!(world.audit.agent_by_token(&first, later(60)), None, "its time is over");
    world.audit.note(added("ann", "second"), noon()).await.unwrap();
    assert_eq!(world.audit.agent_by_token(&first, noon()), None, "a new token replaces the old one");
    world.restart().await;
    assert_eq!(world.audit.agents().len(), 1);
    assert!(world.audit.agent_by_token(&second, noon()).is_some());
    world.verify().unwrap();
    let removed = || Event::AgentRemoved { name: AgentId::authenticated("ann"), by: None };
    world.audit.note(removed(), noon()).await.unwrap();
    assert_eq!(world.audit.agent_by_token(&second, noon()), None);
    assert_eq!(world.audit.note(removed(), noon()).await.unwrap_err(), AuditError::Unknown);
    assert!(!world.holds_text(&second.to_string()), "the record has a hash of the token's hash");
    world.restart().await;
    assert!(world.audit.agents().is_empty());
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_definition_is_pending_until_just_that_one_is_accepted() {
    let mut world = World::new();
    let (old, new, newer) =
        (json(r#"{"name":"read"}"#), json(r#"{"name":"read","v":2}"#), json(r#"{"name":"read","v":3}"#));
    let hash = |definition: &Value| Hash::of(definition.canonical().as_bytes());
    assert_eq!(world.audit.note(changed(&new), noon()).await.unwrap_err(), AuditError::Unknown);
    world.audit.note(pinned(&old), noon()).await.unwrap();
    world.audit.note(changed(&new), noon()).await.unwrap();
    world.audit.note(changed(&newer), noon()).await.unwrap();
    assert_eq!(world.audit.note(accepted(hash(&new)), noon()).await.unwrap_err(), AuditError::Unknown);
    world.restart().await;
    let pin = world.audit.pin(&server(), Method::CallTool, "read").unwrap();
    assert_eq!((pin.hash, pin.definition), (hash(&old), old.clone()));
    assert_eq!(pin.pending.as_ref().unwrap().hash, hash(&newer));
    world.verify().unwrap();
    world.audit.note(accepted(hash(&newer)), noon()).await.unwrap();
    let pin = world.audit.pin(&server(), Method::CallTool, "read").unwrap();
    assert_eq!((pin.hash, pin.definition, pin.pending), (hash(&newer), newer, None));
    world.audit.note(changed(&old), noon()).await.unwrap();
    let restored = Event::ToolRestored { server: server(), method: Method::CallTool, name: "read".to_owned() };
    world.audit.note(restored, noon()).await.unwrap();
    assert_eq!(world.audit.pin(&server(), Method::CallTool, "read").unwrap().pending, None);
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_is_used_first_once_for_each_agent() {
    let mut world = World::new();
    let (ann, bob) = (call("ann", "read", "{}"), call("bob", "read", "{}"));
    assert!(world.audit.first_use(&ann));
    drop(world.call("{}", "{}").await);
    assert!(!world.audit.first_use(&ann) && world.audit.first_use(&bob));
    world.restart().await;
    assert!(!world.audit.first_use(&ann) && world.audit.first_use(&bob));
}
