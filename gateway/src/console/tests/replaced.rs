//! Who signs in, or asks for something in a session, while somebody else comes under their name.

use audit::Door;

use super::*;

impl World {
    /// Another person of the same name and PIN.
    async fn replace(&self, name: &str) {
        let event = Event::OperatorRemoved { name: OperatorId::authenticated(name), by: None };
        self.audit.note(event, clock::now()).await.unwrap();
        self.add(name, Role::Admin).await;
    }
}

#[tokio::test]
async fn nobody_is_signed_in_as_who_was_replaced_while_their_pin_was_checked() {
    let world = World::start();
    for name in ["ann", "bob"] {
        world.add(name, Role::Admin).await;
    }
    let known = json!({ "name": "ann", "pin": PIN });
    let replaced = world.people.while_checking(Door::SignIn, world.replace("ann"));
    let ((), refused) = tokio::join!(biased; replaced, world.post("/sign-in", None, &known));
    assert_eq!(refused.status, 401, "{}", refused.body);
    assert!(!refused.head.contains("set-cookie") && !world.recorded().contains("signed-in"), "{}", refused.head);
    assert_eq!(world.post("/sign-in", None, &known).await.status, 200, "{}", refused.body);
}

#[tokio::test]
async fn a_session_changes_nothing_for_who_was_replaced_while_their_pin_was_checked() {
    let world = World::start();
    for name in ["ann", "bob"] {
        world.add(name, Role::Admin).await;
    }
    let ann = world.by_pin("ann").await;
    let params = json!({ "name": "ci", "pin": PIN });
    let replaced = world.people.while_checking(Door::Session, world.replace("ann"));
    let ((), refused) = tokio::join!(biased; replaced, world.call(&ann, "agents_add", &params));
    assert_eq!(code(&refused), 1414, "{refused}");
    assert!(world.audit.agents().is_empty());
    assert!(world.recorded().contains("was refused agents_add"));
    assert_eq!(code(&world.call(&ann, "whoami", &json!({})).await), 1401, "the session went on");
}
