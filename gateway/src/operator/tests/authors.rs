//! Who asks for a change is let in, and then their PIN is checked, slowly: whoever comes under their name meanwhile is not them.

use std::collections::BTreeSet;

use audit::Door;

use super::*;

const PIN: &str = "294017";

/// Methods that change nothing, so that it does not matter in whose name they are asked for by the time that they answer.
const READS: [&str; 27] = [
    "whoami",
    "health",
    "holds_list",
    "holds_show",
    "holds_similar",
    "holds_subscribe",
    "holds_unsubscribe",
    "passes_list",
    "agents_list",
    "tools_list",
    "tools_diff",
    "servers_list",
    "secrets_list",
    "secrets_recipient",
    "operators_list",
    "passkeys_list",
    "reviews_list",
    "delegations_list",
    "trail_list",
    "trail_show",
    "trail_prove",
    "now",
    "policies_show",
    "policies_explain",
    "policies_replay",
    "policies_observed",
    "calls_leave",
];

/// Those that change something and are not asked here, each with what holds it instead.
const ELSEWHERE: [(&str, &str); 13] = [
    ("passes_revoke", "by the log that a method is given, as all below"),
    ("calls_run", "a call of theirs is not opened: `audit/tests/audit/authors.rs`, and below"),
    ("tools_accept", "as below, by `Catalog::accept`; its record: `audit/tests/audit/authors.rs`"),
    ("packages_add", "by the log that a method is given, as all below"),
    ("quarantine_lift", "by the log that a method is given, as all below"),
    ("secrets_set", "by the log that a method is given, as all below"),
    ("secrets_remove", "by the log that a method is given, as all below"),
    ("secrets_revoke", "by the log that a method is given, as all below"),
    ("passkeys_begin", "in a session alone, and nothing is kept before `passkeys_add`"),
    ("passkeys_add", "in a session alone, by the log that a method is given"),
    ("passkeys_remove", "by the log that a method is given, as all below"),
    ("operators_passkey_remove", "by the log that a method is given, as all below"),
    ("passkeys_challenge", "in a session alone; what is signed counts for who signs it"),
];

impl World {
    async fn note(&self, event: Event) {
        self.audit.note(event, clock::now()).await.unwrap();
    }

    /// Another person of the same name, role and PIN.
    async fn replace(&self, name: &str) {
        self.note(Event::OperatorRemoved { name: OperatorId::authenticated(name), by: None }).await;
        self.add(name, Role::Admin, None).await;
    }

    /// Asks in ann's name, and has somebody else come under it once she was let in and before her PIN was checked.
    async fn raced(&self, client: &Client, method: &str, params: &Value) -> Result<Value, AskError> {
        let mut params: Vec<(&'static str, Value)> =
            NAMES.into_iter().filter_map(|name| Some((name, params.get(name)?.clone()))).collect();
        params.extend([("as", json!("ann")), ("pin", json!(PIN))]);
        let replaced = self.people.while_checking(Door::Claimed, self.replace("ann"));
        // The first is asked first: the door is shut before anybody knocks.
        let ((), asked) = tokio::join!(biased; replaced, client.ask_with(method, &params));
        asked
    }

    async fn asked_by_ann(&self, client: &Client, method: &str, params: &[(&'static str, Value)]) -> Value {
        let proof = [("as", json!("ann")), ("pin", json!(PIN))];
        client.ask_with(method, &[params, &proof].concat()).await.unwrap()
    }
}

/// The parameters that are given below.
const NAMES: [&str; 10] = ["id", "reason", "because", "finding", "name", "role", "new_pin", "to", "lasts", "pass"];

#[tokio::test]
async fn nothing_is_changed_for_who_was_replaced_while_their_pin_was_checked() {
    let world = World::start();
    for name in ["ann", "bob", "cyn"] {
        world.add(name, Role::Admin, None).await;
    }
    let client = world.client().await;
    let (held, broken) = (world.hold("/a").await, world.hold("/b").await);
    let reasons = [("reason", json!("customers cannot log in")), ("because", json!("the others are on a plane"))];
    let bobs = [("as", json!("bob")), ("pin", json!(PIN)), ("id", json!(broken))];
    drop(client.ask_with::<Value>("holds_break_glass", &[&bobs[..], &reasons].concat()).await.unwrap());
    let lent = [("to", json!("cyn")), ("lasts", json!("8h")), ("reason", json!("away"))];
    let bobs = [("as", json!("bob")), ("pin", json!(PIN))];
    let lent: Value = client.ask_with("delegations_add", &[&bobs[..], &lent].concat()).await.unwrap();
    world.asked_by_ann(&client, "agents_add", &[("name", json!("cc"))]).await;
    let package = ServerName::parse("pack").unwrap();
    let digest = policies::Hash::of(b"package");
    world.note(Event::PackageAdded { name: package, digest, version: None, by: None }).await;

    let changes = [
        ("holds_approve", json!({ "id": held })),
        ("holds_deny", json!({ "id": held, "reason": "no" })),
        (
            "holds_break_glass",
            json!({ "id": held, "reason": "customers cannot log in", "because": "the others are on a plane" }),
        ),
        ("reviews_close", json!({ "id": broken, "finding": "it was right" })),
        ("delegations_add", json!({ "to": "bob", "lasts": "8h", "reason": "away" })),
        ("delegations_end", json!({ "id": lent["id"].to_string() })),
        ("agents_add", json!({ "name": "cd" })),
        ("agents_remove", json!({ "name": "cc" })),
        ("packages_remove", json!({ "name": "pack" })),
        ("policies_reload", json!({})),
        ("operators_add", json!({ "name": "eve", "role": "admin", "new_pin": "730184" })),
        ("operators_remove", json!({ "name": "bob" })),
        ("operators_pin", json!({ "name": "bob", "new_pin": "730184" })),
        ("pin_change", json!({ "new_pin": "730184" })),
        ("console_link", json!({})),
    ];
    for (method, params) in &changes {
        let refused = world.raced(&client, method, params).await;
        assert!(matches!(&refused, Err(AskError::Refused { code: 1414, .. })), "{method}: {refused:?}");
    }
    assert_eq!(world.audit.agents().len(), 1);
    assert_eq!(
        (world.audit.operators().len(), world.audit.reviews().len(), world.audit.delegations().len()),
        (3, 1, 1)
    );
    assert!(world.holds.get(&held).unwrap().approvals().is_empty());
    assert_eq!(world.audit.marks(audit::MarkKind::Package).len(), 1);
    let recorded = world.recorded();
    assert!(!recorded.contains("reload policies") && recorded.contains("was refused agents_add"), "{recorded}");
    audit::verify(&world.state).unwrap();

    // A method that is added has to be put here, with a change that is refused.
    let elsewhere = ELSEWHERE.iter().map(|(method, _)| *method);
    let known: BTreeSet<&str> =
        READS.into_iter().chain(elsewhere).chain(changes.iter().map(|(name, _)| *name)).collect();
    assert_eq!(known, world.methods.iter().copied().collect());
}

#[tokio::test]
async fn who_is_still_who_they_were_is_served_however_long_their_pin_took() {
    let world = World::start();
    for name in ["ann", "bob"] {
        world.add(name, Role::Admin, None).await;
    }
    let client = world.client().await;
    let params = [("name", json!("ci")), ("as", json!("ann")), ("pin", json!(PIN))];
    let others = world.people.while_checking(Door::Claimed, world.replace("bob"));
    let ((), added) = tokio::join!(biased; others, client.ask_with::<Value>("agents_add", &params));
    assert_eq!(added.unwrap()["name"], "ci");
}

#[tokio::test]
async fn a_user_who_was_admin_adds_nobody_once_somebody_else_did() {
    let world = World::start();
    let user = world
        .people
        .admit(&Caller::Peer(rustix::process::geteuid().as_raw()), people::Claim::default(), people::Needs::Govern)
        .await;
    let user = user.unwrap();
    world.add("ann", Role::Admin, None).await;
    let audit = world.audit.by(Some(&user.author));
    let refused = agents::add(&audit, &user.id, "ci", None).await;
    assert!(matches!(refused, Err(refused::Refused::Gone)), "{:?}", refused.err());
    assert!(world.audit.agents().is_empty());
}
