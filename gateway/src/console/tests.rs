//! Attacks on the console as it is, over real sockets and a real log.

mod methods;
mod passkeys;
mod replaced;
mod sessions;
mod world;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use jsonrpsee::core::client::{ClientT as _, SubscriptionClientT as _};
use jsonrpsee::core::params::ObjectParams;
use policies::{OperatorId, Role};
use serde_json::{Value, json};

use super::*;
use crate::app::open_log;
use crate::operator::client::{AskError, Client};
use crate::operator::pin::Pin;
use crate::operator::{Operators, Server, staff, tests::operators};
use world::{Browser, PIN, World, code};

#[tokio::test]
async fn who_has_no_cookie_is_answered_nothing() {
    let world = World::start();
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "health" });
    assert_eq!(world.send("GET /session", &[], "").await.status, 401);
    assert_eq!(world.post("/api", None, &call).await.status, 401);
    assert_eq!(world.post("/sign-out", None, &json!({})).await.status, 401);
    let nobody = Browser { cookie: "portcullis=AAAA".into(), csrf: "AAAA".into() };
    assert_eq!(world.post("/api", Some(&nobody), &call).await.status, 401);
    assert!(world.socket(&nobody, Some(&world.origin()), "AAAA").await.is_err());
}

#[tokio::test]
async fn a_cookie_without_its_own_token_changes_nothing() {
    let world = World::start();
    world.add("ann", Role::Admin).await;
    let (ann, other) = (world.browser("ann", Role::Admin).await, world.browser("ann", Role::Admin).await);
    for csrf in ["", "guess", other.csrf.as_str()] {
        let stolen = Browser { csrf: csrf.to_owned(), ..ann.clone() };
        let denied = world.post("/api", Some(&stolen), &json!({ "jsonrpc": "2.0", "id": 1, "method": "health" })).await;
        assert_eq!(denied.status, 403, "{csrf}");
        assert_eq!(world.post("/sign-out", Some(&stolen), &json!({})).await.status, 403);
        assert!(world.socket(&ann, Some(&world.origin()), csrf).await.is_err(), "{csrf}");
    }
    // Twice the cookie, or twice the token, is none: two readers could take different ones.
    let twice = Browser { cookie: format!("{}; {}", ann.cookie, other.cookie), ..ann.clone() };
    assert_eq!(world.post("/api", Some(&twice), &json!({})).await.status, 401);
    assert_eq!(world.call(&ann, "whoami", &json!({})).await["result"]["name"], "ann");
    assert!(world.recorded().contains("without the page's token"));
}

#[tokio::test]
async fn a_page_of_another_site_reaches_nothing() {
    let world = World::start();
    let ann = world.browser("uid:ann", Role::Admin).await;
    let port = world.address.port();
    let elsewhere = [
        "http://evil.example".to_owned(),
        "null".to_owned(),
        format!("http://localhost:{}", port.wrapping_add(1)),
        format!("https://localhost:{port}"),
        format!("http://127.0.0.1:{port}"),
        format!("http://localhost:{port}.evil.example"),
    ];
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "health" }).to_string();
    for origin in &elsewhere {
        let headers = [
            ("Origin", origin.as_str()),
            ("Cookie", &ann.cookie),
            ("X-CSRF-Token", &ann.csrf),
            ("Content-Type", "application/json"),
        ];
        assert_eq!(world.send("POST /api", &headers, &call).await.status, 403, "{origin}");
        assert_eq!(world.send("POST /sign-in", &headers, "{}").await.status, 403, "{origin}");
        assert!(world.socket(&ann, Some(origin), &ann.csrf).await.is_err(), "{origin}");
    }
    assert!(world.socket(&ann, None, &ann.csrf).await.is_err(), "a handshake that names no page");
    let cross = [("Cookie", ann.cookie.as_str()), ("Sec-Fetch-Site", "cross-site")];
    assert_eq!(world.send("GET /session", &cross, "").await.status, 403);
    // A form can be sent from anywhere, and not as JSON.
    let origin = world.origin();
    for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let headers =
            [("Origin", origin.as_str()), ("Cookie", &ann.cookie), ("X-CSRF-Token", &ann.csrf), ("Content-Type", kind)];
        assert_eq!(world.send("POST /api", &headers, &call).await.status, 415, "{kind}");
    }
    assert!(world.socket(&ann, Some(&origin), &ann.csrf).await.is_ok());
}

#[tokio::test]
async fn a_name_that_was_rebound_to_this_address_is_not_ours() {
    let world = World::start();
    let port = world.address.port();
    for host in [
        format!("evil.example:{port}"),
        "localhost".into(),
        "localhost:1".into(),
        format!("localhost.:{port}"),
        String::new(),
    ] {
        for line in ["GET /", "GET /session", "GET /app.js"] {
            assert_eq!(world.send(line, &[("Host", &host)], "").await.status, 403, "{line} {host}");
        }
    }
    let own = world.host();
    let twice = [("Host", own.as_str()), ("Host", "evil.example")];
    assert_ne!(world.send("GET /", &twice, "").await.status, 200);
    assert_eq!(world.send(&format!("GET http://evil.example:{port}/session"), &[], "").await.status, 403);
    assert_eq!(world.send("GET /", &[("Host", &format!("127.0.0.1:{port}"))], "").await.status, 200);
}

#[tokio::test]
async fn nothing_that_changes_anything_is_a_get() {
    let world = World::start();
    let code = world.code("uid:ann", Role::Admin);
    for line in [format!("GET /sign-in?code={code}"), format!("GET /sign-in?{code}"), "HEAD /sign-in".into()] {
        let page = world.send(&line, &[], "").await;
        assert_eq!(page.status, 200);
        assert!(!page.head.contains("set-cookie"), "{line}");
    }
    let ann = world.browser("uid:ann", Role::Admin).await;
    let with = [("Cookie", ann.cookie.as_str())];
    for line in
        ["GET /sign-out", "GET /api?method=policies_reload", "PUT /api", "DELETE /session", "POST /", "POST /app.js"]
    {
        assert_eq!(world.send(line, &with, "").await.status, 405, "{line}");
    }
    assert_eq!(world.send("GET /session", &with, "").await.status, 200, "a GET signed someone out");
    // The link was for one use, and that is still to come.
    assert_eq!(world.post("/sign-in", None, &json!({ "code": code })).await.status, 200);
}

#[tokio::test]
async fn every_answer_is_kept_from_other_sites_and_files_are_asked_for_once() {
    let world = World::start();
    let page = world.send("GET /", &[], "").await;
    let tag = page.head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    let same = world.send("GET /", &[("If-None-Match", &tag)], "").await;
    assert_eq!((page.status, same.status, same.body.as_str()), (200, 304, ""));
    let missing = world.send("GET /../portcullis.db", &[], "").await;
    let denied = world.send("GET /", &[("Host", "evil.example")], "").await;
    assert_eq!((missing.status, denied.status), (404, 403));
    for answer in [page, same, missing, denied, world.send("GET /session", &[], "").await] {
        for header in [
            "content-security-policy: default-src 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cross-origin-opener-policy: same-origin",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(answer.head.contains(header), "{header} is not in\n{}", answer.head);
        }
        assert!(!answer.head.contains("access-control-"), "{}", answer.head);
    }
}
