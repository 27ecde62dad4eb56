//! What each method takes.

use super::*;

/// What each method takes, changed only on purpose.
const READ: [&str; 25] = [
    "passkeys_list",
    "secrets_list",
    "secrets_recipient",
    "whoami",
    "health",
    "holds_list",
    "holds_show",
    "agents_list",
    "tools_list",
    "tools_diff",
    "servers_list",
    "operators_list",
    "console_link",
    "passes_list",
    "holds_similar",
    "trail_list",
    "trail_show",
    "trail_prove",
    "now",
    "policies_show",
    "policies_observed",
    "reviews_list",
    "policies_explain",
    "policies_replay",
    "delegations_list",
];

const OPERATE: [&str; 4] = ["holds_deny", "passes_revoke", "passkeys_challenge", "delegations_end"];

const PROVE: [&str; 17] = [
    "passkeys_begin",
    "passkeys_add",
    "passkeys_remove",
    "secrets_set",
    "secrets_remove",
    "secrets_revoke",
    "holds_approve",
    "holds_break_glass",
    "agents_add",
    "agents_remove",
    "tools_accept",
    "packages_add",
    "packages_remove",
    "quarantine_lift",
    "policies_reload",
    "pin_change",
    "delegations_add",
];

const REVIEW: [&str; 1] = ["reviews_close"];

const GOVERN: [&str; 4] = ["operators_add", "operators_remove", "operators_pin", "operators_passkey_remove"];

const STREAMS: [&str; 4] = ["holds_subscribe", "holds_unsubscribe", "calls_run", "calls_leave"];

#[tokio::test]
async fn every_method_refuses_without_a_session_and_for_a_role_that_may_not() {
    let world = World::start();
    let listed = [&READ[..], &OPERATE, &PROVE, &GOVERN, &REVIEW, &STREAMS].concat();
    assert_eq!(world.methods, listed.iter().copied().collect(), "a method is in no list, or in one and gone");
    for (name, role) in [("ann", Role::Admin), ("bob", Role::Operator), ("eve", Role::Reviewer)] {
        world.add(name, role).await;
    }
    let [ann, bob, eve] = [
        world.browser("ann", Role::Admin).await,
        world.browser("bob", Role::Operator).await,
        world.browser("eve", Role::Reviewer).await,
    ];
    for method in listed {
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": {} });
        assert_eq!(world.post("/api", None, &call).await.status, 401, "{method}");
        let wanted = |least| (!STREAMS.contains(&method)).then_some(least);
        let reads = READ.contains(&method);
        let changes = !reads && !OPERATE.contains(&method);
        let (governs, reviews) = (GOVERN.contains(&method), REVIEW.contains(&method));
        // A stream is refused over plain HTTP whoever asks; over a socket it is tried below.
        let Some(()) = wanted(()) else { continue };
        let (by_eve, by_bob, by_ann) = (
            world.call(&eve, method, &json!({})).await,
            world.call(&bob, method, &json!({})).await,
            world.call(&ann, method, &json!({})).await,
        );
        assert_eq!(code(&by_eve) == 1403, !reads && !reviews, "{method} by a reviewer: {by_eve}");
        assert_eq!(code(&by_eve) == 1402, reviews, "{method} by a reviewer without a PIN: {by_eve}");
        assert_eq!(code(&by_bob) == 1403, governs || reviews, "{method} by an operator: {by_bob}");
        assert_eq!(code(&by_ann) == 1402, changes, "{method} by an admin without a PIN: {by_ann}");
    }
    let socket = world.socket(&eve, Some(&world.origin()), &eve.csrf).await.unwrap();
    let mut params = ObjectParams::new();
    params.insert("name", "time.now").unwrap();
    params.insert("arguments", json!({})).unwrap();
    let run = socket.subscribe::<Value, _>("calls_run", params, "calls_leave").await;
    assert!(run.is_err_and(|error| error.to_string().contains("reviewer")), "a reviewer ran a call");
    assert!(world.recorded().contains("was refused holds_approve"));
}
