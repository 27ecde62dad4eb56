//! Who signs in, how often they may be wrong, and what a session is good for and until when.

use super::*;

#[tokio::test]
async fn a_link_signs_in_once() {
    let world = World::start();
    let code = world.code("uid:ann", Role::Admin);
    assert_eq!(world.post("/sign-in", None, &json!({ "code": code })).await.status, 200);
    let again = world.post("/sign-in", None, &json!({ "code": code })).await;
    assert_eq!(again.status, 401);
    assert!(!again.head.contains("set-cookie"));
    let records = world.recorded();
    assert!(records.contains("signed-in") && records.contains("a sign-in link that is no good"), "{records}");
    assert!(!records.contains(&code));
}

#[tokio::test]
async fn a_session_makes_no_further_one() {
    let world = World::start();
    world.add("ann", Role::Admin).await;
    let ann = world.by_pin("ann").await;
    let refused = world.call(&ann, "console_link", &json!({ "pin": PIN })).await;
    assert_eq!(code(&refused), 1409, "a session that makes another never ends: {refused}");
    assert!(refused["error"]["data"]["next"].as_str().unwrap().contains("portcullis console"), "{refused}");
    // Whom the kernel names is given one.
    let client = Client::connect(&world.state).await.unwrap();
    let link: Value = client.ask("console_link", &[]).await.unwrap();
    let code = link["url"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    assert_eq!(world.post("/sign-in", None, &json!({ "code": code })).await.status, 200);
}

#[tokio::test]
async fn a_session_is_never_one_that_somebody_knew_before() {
    let world = World::start();
    let origin = world.origin();
    let planted = "portcullis=planted-by-somebody-else-planted-by-some";
    let body = json!({ "code": world.code("uid:ann", Role::Admin) }).to_string();
    let headers = [("Origin", origin.as_str()), ("Content-Type", "application/json"), ("Cookie", planted)];
    let answer = world.send("POST /sign-in", &headers, &body).await;
    assert_eq!(answer.status, 200);
    let cookie = answer.cookie();
    assert_ne!(cookie, planted);
    assert_eq!(world.send("GET /session", &[("Cookie", planted)], "").await.status, 401);
    // Signing in again in the same browser ends the session before.
    let body = json!({ "code": world.code("uid:ann", Role::Admin) }).to_string();
    let headers = [("Origin", origin.as_str()), ("Content-Type", "application/json"), ("Cookie", cookie.as_str())];
    assert_eq!(world.send("POST /sign-in", &headers, &body).await.status, 200);
    assert_eq!(world.send("GET /session", &[("Cookie", &cookie)], "").await.status, 401);
    assert!(answer.head.contains("; HttpOnly; SameSite=Strict"));
}

#[tokio::test]
async fn guessing_a_pin_at_the_console_locks_that_door_and_no_other() {
    let world = World::start();
    world.add("ann", Role::Admin).await;
    for guess in 0..5 {
        let wrong = world.post("/sign-in", None, &json!({ "name": "ann", "pin": format!("guess{guess}") })).await;
        assert_eq!(wrong.status, 401, "{}", wrong.body);
    }
    let nobody = world.post("/sign-in", None, &json!({ "name": "nobody", "pin": PIN })).await;
    assert_eq!((nobody.status, nobody.json()["error"].as_str()), (401, Some("the PIN is wrong")));
    let right = json!({ "name": "ann", "pin": PIN });
    assert_eq!(world.post("/sign-in", None, &right).await.status, 429, "a sixth guess was looked at");
    // A restart forgets nothing: the count is in the log.
    assert_eq!(world.audit.failures(&OperatorId::authenticated("ann"), audit::Door::SignIn).count, 5);
    let client = Client::connect(&world.state).await.unwrap();
    let me: Value = client.ask("agents_add", &[("name", "ci"), ("as", "ann"), ("pin", PIN)]).await.unwrap();
    assert_eq!(me["name"], "ci", "whoever guesses at the console locks nobody out of the socket");
    let records = world.recorded();
    assert_eq!(records.matches("pin-refused").count(), 5);
    assert!(records.contains("sign-in-refused") && !records.contains("guess1") && !records.contains(PIN));
}

#[tokio::test]
async fn who_says_somebody_elses_name_locks_them_out_of_nothing_else() {
    let world = World::start();
    world.add("ann", Role::Admin).await;
    let (ann, client) = (world.by_pin("ann").await, Client::connect(&world.state).await.unwrap());
    let claims =
        async |pin: &str| match client.ask::<Value>("agents_add", &[("name", "ci"), ("as", "ann"), ("pin", pin)]).await
        {
            Err(AskError::Refused { code, .. }) => code,
            other => panic!("{other:?}"),
        };
    for guess in 0..5 {
        assert_eq!(claims(&format!("guess{guess}")).await, 1411);
    }
    assert_eq!(claims(PIN).await, 1429, "a sixth guess was looked at");
    // She answers in her session, and signs in.
    let with = json!({ "id": "hold-aaaaaaaaaaaaaaaa", "pin": PIN });
    assert_eq!(code(&world.call(&ann, "holds_approve", &with).await), 1404, "the PIN is right; there is no such hold");
    let again = world.by_pin("ann").await;
    // And the other way round: whoever has her session locks her out of that.
    let wrong = json!({ "id": "hold-aaaaaaaaaaaaaaaa", "pin": "guess" });
    for _ in 0..5 {
        assert_eq!(code(&world.call(&again, "holds_approve", &wrong).await), 1411);
    }
    assert_eq!(code(&world.call(&ann, "holds_approve", &with).await), 1429);
    world.by_pin("ann").await;
    let counts = |door| world.audit.failures(&OperatorId::authenticated("ann"), door).count;
    let doors = [audit::Door::Claimed, audit::Door::Session, audit::Door::Inside, audit::Door::SignIn];
    assert_eq!(doors.map(counts), [5, 5, 0, 0]);
}

#[tokio::test]
async fn signing_out_closes_the_sockets_of_the_session_and_a_removed_operator_is_out() {
    let world = World::start();
    world.add("ann", Role::Admin).await;
    world.add("bob", Role::Operator).await;
    let ann = world.browser("ann", Role::Admin).await;
    let socket = world.socket(&ann, Some(&world.origin()), &ann.csrf).await.unwrap();
    let mut holds =
        socket.subscribe::<Value, _>("holds_subscribe", ObjectParams::new(), "holds_unsubscribe").await.unwrap();
    assert_eq!(holds.next().await.unwrap().unwrap()["event"], "open");
    assert_eq!(world.post("/sign-out", Some(&ann), &json!({})).await.status, 200);
    let closed = tokio::time::timeout(Duration::from_mins(1), holds.next()).await.expect("the socket stays open");
    assert!(closed.is_none());
    assert!(socket.request::<Value, _>("health", ObjectParams::new()).await.is_err());
    assert_eq!(world.send("GET /session", &[("Cookie", &ann.cookie)], "").await.status, 401);

    let bob = world.browser("bob", Role::Operator).await;
    let by = OperatorId::authenticated("ann");
    staff::remove(&world.audit, &by, "bob").await.unwrap();
    assert_eq!(code(&world.call(&bob, "health", &json!({})).await), 1401);
    assert_eq!(world.send("GET /session", &[("Cookie", &bob.cookie)], "").await.status, 401);
    // Nor does the name of the last one open anything once nobody is left.
    let ann = world.browser("ann", Role::Admin).await;
    staff::remove(&world.audit, &by, "ann").await.unwrap();
    assert_eq!(code(&world.call(&ann, "agents_add", &json!({ "name": "ci" })).await), 1401);
    assert!(world.audit.agents().is_empty());
}

#[tokio::test]
async fn who_comes_under_the_name_of_one_who_went_has_nothing_of_theirs() {
    let world = World::start();
    world.add("ann", Role::Admin).await;
    world.add("bob", Role::Operator).await;
    let (bob, unspent) = (world.by_pin("bob").await, world.code("bob", Role::Operator));
    // In one breath: nothing has looked for sessions that are over.
    staff::remove(&world.audit, &OperatorId::authenticated("ann"), "bob").await.unwrap();
    world.add("bob", Role::Admin).await;
    for method in ["whoami", "health", "agents_add"] {
        assert_eq!(code(&world.call(&bob, method, &json!({ "name": "ci" })).await), 1401, "{method}");
    }
    assert_eq!(world.send("GET /session", &[("Cookie", &bob.cookie)], "").await.status, 401);
    assert_eq!(world.post("/sign-in", None, &json!({ "code": unspent })).await.status, 401);
    assert!(world.audit.agents().is_empty());
    let new = world.by_pin("bob").await;
    assert_eq!(world.call(&new, "whoami", &json!({})).await["result"]["role"], "admin");
}

#[tokio::test]
async fn a_changed_pin_ends_every_session_of_its_operator_but_the_one_that_changed_it() {
    let world = World::start();
    for name in ["ann", "dan"] {
        world.add(name, Role::Admin).await;
    }
    let (own, other, dan) = (world.by_pin("ann").await, world.by_pin("ann").await, world.by_pin("dan").await);
    let unspent = world.code("ann", Role::Admin);
    let changed = world.call(&own, "pin_change", &json!({ "new_pin": "830517", "pin": PIN })).await;
    assert_eq!(changed["result"]["name"], "ann", "{changed}");
    assert_eq!(code(&world.call(&other, "whoami", &json!({})).await), 1401);
    assert_eq!(world.send("GET /session", &[("Cookie", &other.cookie)], "").await.status, 401);
    assert_eq!(world.post("/sign-in", None, &json!({ "code": unspent })).await.status, 401);
    for browser in [&own, &dan] {
        assert_eq!(code(&world.call(browser, "whoami", &json!({})).await), 0, "a session of somebody else ended");
    }
    // An admin sets it for who cannot: then no session of hers stays.
    let set = json!({ "name": "ann", "new_pin": "620471", "pin": PIN });
    assert_eq!(world.call(&dan, "operators_pin", &set).await["result"]["name"], "ann");
    assert_eq!(code(&world.call(&own, "whoami", &json!({})).await), 1401);
    assert_eq!(code(&world.call(&dan, "whoami", &json!({})).await), 0);
}

#[tokio::test]
async fn a_pin_stands_for_changes_for_a_while_and_never_for_an_approval() {
    let world = World::start();
    world.add("ann", Role::Admin).await;
    let ann = world.by_pin("ann").await;
    assert_eq!(world.call(&ann, "agents_add", &json!({ "name": "ci" })).await["result"]["name"], "ci");
    // Nor for what makes a PIN that approves: one's own, somebody else's, or that of a new person.
    world.add("bob", Role::Operator).await;
    for (method, params) in [
        ("pin_change", json!({ "new_pin": "mallory1" })),
        ("operators_pin", json!({ "name": "ann", "new_pin": "mallory1" })),
        ("operators_pin", json!({ "name": "bob", "new_pin": "mallory1" })),
        ("operators_add", json!({ "name": "mallory", "role": "admin", "new_pin": "mallory1" })),
        ("operators_remove", json!({ "name": "bob" })),
        ("operators_passkey_remove", json!({ "name": "bob", "id": "5d41402a" })),
    ] {
        assert_eq!(code(&world.call(&ann, method, &params).await), 1402, "{method} without a PIN of its own");
        let mut guessed = params;
        guessed["pin"] = "mallory1".into();
        assert_eq!(code(&world.call(&ann, method, &guessed).await), 1411, "{method} with the new PIN for the old one");
        // So few guesses that the door stays open.
        let right = json!({ "id": "hold-aaaaaaaaaaaaaaaa", "reason": "no", "pin": PIN });
        assert_eq!(code(&world.call(&ann, "holds_deny", &right).await), 1404);
    }
    let changed = world.call(&ann, "pin_change", &json!({ "new_pin": "830517", "pin": PIN })).await;
    assert_eq!(changed["result"]["name"], "ann", "{changed}");
    let back = world.call(&ann, "pin_change", &json!({ "new_pin": PIN, "pin": "830517" })).await;
    assert_eq!(back["result"]["name"], "ann", "{back}");
    let hold = json!({ "id": "hold-aaaaaaaaaaaaaaaa" });
    assert_eq!(code(&world.call(&ann, "holds_approve", &hold).await), 1402);
    let with = json!({ "id": "hold-aaaaaaaaaaaaaaaa", "pin": PIN });
    assert_eq!(code(&world.call(&ann, "holds_approve", &with).await), 1404, "the PIN is right; there is no such hold");
}

#[tokio::test]
async fn a_user_without_a_pin_reads_once_there_are_operators() {
    let world = World::start();
    let client = Client::connect(&world.state).await.unwrap();
    let newcomer: Value = client.ask("whoami", &[]).await.unwrap();
    assert_eq!((&newcomer["role"], &newcomer["pin"]), (&json!("admin"), &json!(false)));
    let first = client.ask::<Value>("operators_add", &[("name", "bob"), ("role", "operator"), ("new_pin", PIN)]).await;
    assert!(first.is_err_and(|error| error.to_string().contains("admin")), "nobody could add the second");
    let added: Value =
        client.ask("operators_add", &[("name", "ann"), ("role", "admin"), ("new_pin", PIN)]).await.unwrap();
    assert_eq!(added["name"], "ann");
    let now: Value = client.ask("whoami", &[]).await.unwrap();
    assert_eq!(now["role"], "reviewer");
    for (params, wanted) in [
        (&[("name", "ci")][..], 1403),
        (&[("name", "ci"), ("as", "ann")], 1402),
        (&[("name", "ci"), ("as", "ann"), ("pin", "000000")], 1411),
        (&[("name", "ci"), ("as", "nobody"), ("pin", PIN)], 1404),
    ] {
        let Err(AskError::Refused { code, .. }) = client.ask::<Value>("agents_add", params).await else {
            panic!("{params:?} added an agent")
        };
        assert_eq!(code, wanted, "{params:?}");
    }
    // A deed that takes no PIN takes one from who only says who they are.
    let denied =
        client.ask::<Value>("holds_deny", &[("id", "hold-aaaaaaaaaaaaaaaa"), ("reason", "no"), ("as", "ann")]).await;
    assert!(matches!(denied, Err(AskError::Refused { code: 1402, .. })));
    let last: Result<Value, _> = client.ask("operators_remove", &[("name", "ann"), ("as", "ann"), ("pin", PIN)]).await;
    assert_eq!(last.unwrap()["name"], "ann");
    let again: Value = client.ask("whoami", &[]).await.unwrap();
    assert_eq!(again["role"], "admin");
    world.stop.cancel();
    world.tasks.close();
}
