//! Attacks on the console as it is, over real sockets and a real log.

mod passkeys;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use jsonrpsee::core::client::{ClientT as _, SubscriptionClientT as _};
use jsonrpsee::core::params::ObjectParams;
use jsonrpsee::ws_client::{HeaderMap, HeaderValue, WsClient, WsClientBuilder};
use policies::{OperatorId, Role};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::app::open_log;
use crate::operator::client::{AskError, Client};
use crate::operator::people::Person;
use crate::operator::pin::Pin;
use crate::operator::{Operators, Server, staff, tests::operators};

const PIN: &str = "294017";

struct World {
    _folder: TempDir,
    state: std::path::PathBuf,
    audit: Audit,
    front: Arc<Front>,
    address: SocketAddr,
    methods: BTreeSet<&'static str>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// An answer, taken apart.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{}", self.body))
    }

    fn cookie(&self) -> String {
        let line = self.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie is set");
        line.split(';').next().unwrap().to_owned()
    }
}

/// A browser that is signed in.
#[derive(Clone)]
struct Browser {
    cookie: String,
    csrf: String,
}

impl World {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let audit = open_log(&state).unwrap();
        let at = ConsoleAt { address: "127.0.0.1:0".parse().unwrap(), chosen: true, hosts: vec![], tls: None };
        let console = Console::bind(&at, None).unwrap();
        let (front, address) = (console.front(), console.listener.local_addr().unwrap());
        let all = Operators { console: Some(Arc::clone(&front)), ..operators(Path::new(&state), &audit) };
        let people = Arc::clone(&all.people);
        let server = Server::bind(&state, all).unwrap();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let methods = server.methods();
        let names = methods.method_names().collect();
        let run = console.run(people, audit.clone(), methods, tasks.clone(), stop.clone());
        tasks.spawn(async move { run.await.unwrap() });
        tasks.spawn(server.run(tasks.clone(), stop.clone()));
        Self { _folder: folder, state, audit, front, address, methods: names, tasks, stop }
    }

    async fn add(&self, name: &str, role: Role) {
        let (name, pin) = (OperatorId::authenticated(name), Pin::typed(PIN).quick_verifier());
        let event = || Event::OperatorAdded { name: name.clone(), role, uid: None, pin: pin.clone(), by: None };
        // A loaded machine's disk may be late.
        while self.audit.operator(&name).is_none() {
            self.audit.note(event(), clock::now()).await.ok();
        }
    }

    fn host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    fn origin(&self) -> String {
        format!("http://{}", self.host())
    }

    /// What a program of any kind could send.
    async fn send(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut request = format!("{line} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        let host = self.host();
        let given = headers.iter().any(|(name, _)| *name == "Host");
        let headers = headers.iter().copied().chain((!given).then_some(("Host", host.as_str())));
        for (name, value) in headers {
            request += name;
            request += ": ";
            request += value;
            request += "\r\n";
        }
        stream.write_all(format!("{request}\r\n{body}").as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let lines = head.lines().map(|line| match line.split_once(": ") {
            Some((name, value)) => format!("{}: {value}", name.to_ascii_lowercase()),
            None => line.to_owned(),
        });
        Answer { status, head: lines.collect::<Vec<_>>().join("\n"), body: body.to_owned() }
    }

    /// As a page of the console sends it.
    async fn post(&self, path: &str, browser: Option<&Browser>, body: &Value) -> Answer {
        let origin = self.origin();
        let mut headers = vec![("Origin", origin.as_str()), ("Content-Type", "application/json")];
        if let Some(browser) = browser {
            headers.extend([("Cookie", browser.cookie.as_str()), ("X-CSRF-Token", browser.csrf.as_str())]);
        }
        self.send(&format!("POST {path}"), &headers, &body.to_string()).await
    }

    fn code(&self, name: &str, role: Role, added: bool) -> String {
        let person = Person { id: OperatorId::authenticated(name), role, added, proved: false, signed: None };
        let operator = self.audit.operator(&person.id);
        let who = operator.map_or_else(|| Who::user(&person), |operator| Who::operator(&operator));
        self.front.link(who, false).split_once('#').unwrap().1.to_owned()
    }

    /// Signed in by a link.
    async fn browser(&self, name: &str, role: Role) -> Browser {
        let answer = self.post("/sign-in", None, &json!({ "code": self.code(name, role, true) })).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        Browser { cookie: answer.cookie(), csrf: answer.json()["csrf"].as_str().unwrap().to_owned() }
    }

    /// Whoever has this person's PIN, in a session of their own.
    async fn by_pin(&self, name: &str) -> Browser {
        let answer = self.post("/sign-in", None, &json!({ "name": name, "pin": PIN })).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        Browser { cookie: answer.cookie(), csrf: answer.json()["csrf"].as_str().unwrap().to_owned() }
    }

    async fn call(&self, browser: &Browser, method: &str, params: &Value) -> Value {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        self.post("/api", Some(browser), &body).await.json()
    }

    async fn socket(&self, browser: &Browser, origin: Option<&str>, csrf: &str) -> Result<WsClient, String> {
        let mut headers = HeaderMap::new();
        headers.insert("cookie", HeaderValue::from_str(&browser.cookie).unwrap());
        if let Some(origin) = origin {
            headers.insert("origin", HeaderValue::from_str(origin).unwrap());
        }
        let url = format!("ws://{}/api?csrf={csrf}", self.host());
        let opened = WsClientBuilder::new().set_headers(headers).build(url).await;
        opened.map_err(|error| error.to_string())
    }

    fn recorded(&self) -> String {
        serde_json::to_string(&self.audit.reader().unwrap().list(&audit::Filter::default()).unwrap()).unwrap()
    }
}

fn code(answer: &Value) -> i64 {
    answer["error"]["code"].as_i64().unwrap_or(0)
}

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
    let code = world.code("uid:ann", Role::Admin, false);
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
async fn a_link_signs_in_once() {
    let world = World::start();
    let code = world.code("uid:ann", Role::Admin, false);
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
    let body = json!({ "code": world.code("uid:ann", Role::Admin, false) }).to_string();
    let headers = [("Origin", origin.as_str()), ("Content-Type", "application/json"), ("Cookie", planted)];
    let answer = world.send("POST /sign-in", &headers, &body).await;
    assert_eq!(answer.status, 200);
    let cookie = answer.cookie();
    assert_ne!(cookie, planted);
    assert_eq!(world.send("GET /session", &[("Cookie", planted)], "").await.status, 401);
    // Signing in again in the same browser ends the session before.
    let body = json!({ "code": world.code("uid:ann", Role::Admin, false) }).to_string();
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
    let (bob, unspent) = (world.by_pin("bob").await, world.code("bob", Role::Operator, true));
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
    let unspent = world.code("ann", Role::Admin, true);
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
