//! What no client should send: each row gets a clear error, the gateway lives, and the log has it.

use std::io::Read as _;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::agent::Agent;
use tests::ledger::{Kind, Ledger};
use tests::server::Server;
use tests::wire::{Response, Wire, post};
use tests::world::{Setup, World};

struct Row {
    name: &'static str,
    bytes: Vec<u8>,
    status: &'static [u16],
    /// The JSON-RPC error code; `None` where the refusal is HTTP's alone.
    code: Option<i64>,
    /// False where it is no message that was refused, and the log keeps nothing of it.
    recorded: bool,
}

fn world(fixture: &Server) -> World {
    let world = Setup::new().remote_with("fixture", fixture.endpoint(), "vouched = true").allow_all().start();
    world.eventually("list of tools", || (world.modern().names().len() > 20).then_some(()));
    world
}

/// A request as the agent would send it, with one thing put in place of another.
fn spoilt(agent: &Agent, method: &str, params: Value, from: &str, to: &str) -> Vec<u8> {
    let body = agent.request(method, params).to_string();
    assert!(body.contains(from), "{from} is not in {body}");
    agent.posted(&body.replacen(from, to, 1))
}

/// The same with the headers spoilt, not the body.
fn misheaded(agent: &Agent, from: &str, to: &str) -> Vec<u8> {
    let call = json!({"name": "fixture.echo", "arguments": {"text": "x"}});
    let text = String::from_utf8(agent.posted(&agent.request("tools/call", call).to_string())).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    text.replacen(from, to, 1).into_bytes()
}

fn rows(world: &World) -> Vec<Row> {
    let agent = world.modern();
    [malformed(&agent), misshapen(&agent, &world.legacy()), mistyped(&agent), misrouted(&agent), intruding(&agent)]
        .into_iter()
        .flatten()
        .collect()
}

fn call(agent: &Agent, from: &str, to: &str) -> Vec<u8> {
    spoilt(agent, "tools/call", json!({"name": "fixture.echo", "arguments": {"text": "x"}}), from, to)
}

/// Bodies that are not one JSON text, read alike by everyone.
fn malformed(agent: &Agent) -> Vec<Row> {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let twice = |from: &str, to: &str| call(agent, from, to);
    vec![
        row("a body that is no JSON", agent.posted("hello"), &[400], -32700),
        row("an empty body", agent.posted(""), &[400], -32700),
        row("JSON that ends early", agent.posted(r#"{"jsonrpc":"2.0","id":1,"method":"tools/li"#), &[400], -32700),
        row("two values in one body", agent.posted("{}{}"), &[400], -32700),
        row("depth 10,000", call(agent, r#""x""#, &deep), &[400], -32700),
        row("a lone surrogate", call(agent, r#""x""#, r#""\ud800""#), &[400], -32700),
        row("a duplicate version", twice(r#""jsonrpc":"2.0""#, r#""jsonrpc":"2.0","jsonrpc":"2.0""#), &[400], -32700),
        row("a duplicate name", twice(r#""fixture.echo""#, r#""fixture.echo","name":"fixture.slow""#), &[400], -32700),
        row("a duplicate key in the arguments", twice(r#""text":"x""#, r#""text":"x","text":"y""#), &[400], -32700),
        row("a duplicate key spelt otherwise", twice(r#""text":"x""#, r#""text":"x","\u0074ext":"y""#), &[400], -32700),
    ]
}

/// JSON that is no request.
fn misshapen(agent: &Agent, legacy: &Agent) -> Vec<Row> {
    let batch = |agent: &Agent| agent.posted(&format!("[{}]", agent.request("tools/list", json!({}))));
    let with_id = |id: &str| spoilt(agent, "tools/list", json!({}), r#""id":"#, &format!(r#""id":{id},"x":"#));
    let posted = |body: &str| agent.posted(body);
    vec![
        row("a batch", batch(agent), &[400], -32600),
        row("a batch from a legacy client", batch(legacy), &[400], -32600),
        row("a number as the method", posted(r#"{"jsonrpc":"2.0","id":1,"method":5}"#), &[400], -32600),
        row("no method", posted(r#"{"jsonrpc":"2.0","id":1,"params":{}}"#), &[400], -32600),
        row(
            "a string as params",
            posted(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":"x"}"#),
            &[400],
            -32600,
        ),
        row("another version", call(agent, r#""jsonrpc":"2.0""#, r#""jsonrpc":"1.0""#), &[400], -32600),
        row("null as the id", with_id("null"), &[400], -32600),
        row("a fraction as the id", with_id("1.5"), &[400], -32600),
        row("a huge power as the id", with_id("1e400"), &[400], -32600),
        row("an object as the id", with_id("{}"), &[400], -32600),
        row("true as the id", with_id("true"), &[400], -32600),
    ]
}

/// Requests with params that their method cannot take, and methods that are not there.
fn mistyped(agent: &Agent) -> Vec<Row> {
    let ask = |method: &str, params: Value| agent.posted(&agent.request(method, params).to_string());
    let bare_list = agent.posted(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#);
    vec![
        row("arguments that are an array", call(agent, r#"{"text":"x"}"#, "[1]"), &[200, 400], -32602),
        row("a number as the tool's name", ask("tools/call", json!({"name": 5})), &[200, 400], -32602),
        row("a call without a name", ask("tools/call", json!({})), &[200, 400], -32602),
        row("an unknown tool", ask("tools/call", json!({"name": "fixture.nothing", "arguments": {}})), &[200], -32602),
        row("no `_meta` in a modern request", bare_list, &[400], -32602),
        row("an unknown method", ask("tools/destroy", json!({})), &[404], -32601),
        row("a legacy method in the modern era", ask("initialize", json!({})), &[404], -32601),
    ]
}

/// Headers that say something else than the body.
fn misrouted(agent: &Agent) -> Vec<Row> {
    let name = "Mcp-Name: fixture.echo";
    let version = "MCP-Protocol-Version: 2026-07-28";
    let twice = "Mcp-Name: fixture.echo\r\nMcp-Name: fixture.slow";
    vec![
        row("another Mcp-Method", misheaded(agent, "Mcp-Method: tools/call", "Mcp-Method: tools/list"), &[400], -32020),
        row("another Mcp-Name", misheaded(agent, name, "Mcp-Name: fixture.slow"), &[400], -32020),
        row("no Mcp-Name", misheaded(agent, "Mcp-Name: fixture.echo\r\n", ""), &[400], -32020),
        row("Mcp-Name twice", misheaded(agent, name, twice), &[400], -32020),
        row("another version", misheaded(agent, version, "MCP-Protocol-Version: 2025-11-25"), &[400], -32020),
    ]
}

/// Requests from where none may come, or of the wrong kind.
fn intruding(agent: &Agent) -> Vec<Row> {
    let host = "Host: evil.example.com\r\nContent-Type:";
    let origin = "Origin: http://evil.example.com\r\nContent-Type:";
    let second = "Authorization: Bearer pcl_other\r\nAccept:";
    vec![
        bare("an evil Host", misheaded(agent, "Host: 127.0.0.1", "Host: evil.example.com"), &[400, 403, 421]),
        bare("two Hosts", misheaded(agent, "Content-Type:", host), &[400, 403, 421]),
        bare("an evil Origin", misheaded(agent, "Content-Type:", origin), &[403]),
        bare("a null Origin", misheaded(agent, "Content-Type:", "Origin: null\r\nContent-Type:"), &[403]),
        bare("no token", misheaded(agent, "Authorization:", "X-Authorization:"), &[401]),
        bare("a wrong token", misheaded(agent, "Bearer pcl_", "Bearer pcl_x"), &[401]),
        bare("another scheme", misheaded(agent, "Bearer ", "Basic "), &[401]),
        bare("two tokens", misheaded(agent, "Accept:", second), &[400, 401]),
        bare("another content type", misheaded(agent, "application/json\r\nAccept", "text/plain\r\nAccept"), &[415]),
        bare("a body over the limit", oversized(agent), &[413]),
        Row { recorded: false, ..bare("a GET", misheaded(agent, "POST /mcp", "GET /mcp"), &[405]) },
        Row { recorded: false, ..bare("another path", misheaded(agent, "POST /mcp", "POST /admin"), &[404]) },
    ]
}

fn row(name: &'static str, bytes: Vec<u8>, status: &'static [u16], code: i64) -> Row {
    Row { name, bytes, status, code: Some(code), recorded: true }
}

fn bare(name: &'static str, bytes: Vec<u8>, status: &'static [u16]) -> Row {
    Row { name, bytes, status, code: None, recorded: true }
}

fn oversized(agent: &Agent) -> Vec<u8> {
    let long = "x".repeat(5 << 20);
    agent.posted(&agent.request("tools/call", json!({"name": "fixture.echo", "arguments": {"text": long}})).to_string())
}

/// The code of the JSON-RPC error, wherever it stands: a tool's own error carries its refusal in `_meta`.
fn code(response: &Response) -> Option<i64> {
    let body: Value = serde_json::from_str(&response.body).ok()?;
    body["error"]["code"].as_i64()
}

fn records(world: &World) -> usize {
    let ledger = Ledger::open(world.state()).unwrap();
    ledger.count(Kind::Event) + ledger.count(Kind::Refusal)
}

#[test]
fn every_row_gets_a_clear_error_and_a_record_and_the_gateway_lives() {
    let fixture = Server::fixture(None);
    let world = world(&fixture);
    let mut wrong = Vec::new();
    for row in rows(&world) {
        if row.code.is_none() {
            std::thread::sleep(Duration::from_millis(1_100)); // strangers of one second share a record
        }
        let before = records(&world);
        let mut wire = Wire::connect(world.endpoint()).unwrap();
        wire.patience(Duration::from_secs(10));
        drop(wire.send(&row.bytes)); // a body over the limit is not read to its end
        match wire.response() {
            Ok(response) => {
                if !row.status.contains(&response.head.status) || (row.code.is_some() && code(&response) != row.code) {
                    wrong.push(format!("{}: {} {}", row.name, response.head.status, response.body));
                }
            }
            Err(error) => wrong.push(format!("{}: no response: {error}", row.name)),
        }
        let recorded = || {
            std::thread::sleep(Duration::from_millis(20));
            records(&world) > before
        };
        if row.recorded && !(0..50).any(|_| recorded()) {
            wrong.push(format!("{}: not in the log", row.name));
        }
        assert!(world.modern().call("fixture.echo", &json!({"text": "alive"})).ran(), "not alive after {}", row.name);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    world.verify();
}

#[test]
fn a_body_that_is_not_utf8_is_refused() {
    let fixture = Server::fixture(None);
    let world = world(&fixture);
    let agent = world.modern();
    let body = agent.request("tools/call", json!({"name": "fixture.echo", "arguments": {"text": "~"}})).to_string();
    let at = body.find('~').unwrap();
    let mut bytes = agent.posted(&body);
    let start = bytes.len() - body.len();
    bytes[start + at] = 0xff;
    let mut wire = Wire::connect(world.endpoint()).unwrap();
    wire.send(&bytes).unwrap();
    let response = wire.response().unwrap();
    assert_eq!((response.head.status, code(&response)), (400, Some(-32700)), "{}", response.body);
}

#[test]
fn ids_come_back_as_they_were_sent() {
    let fixture = Server::fixture(None);
    let world = world(&fixture);
    let agent = world.modern();
    for id in [
        "-1",
        "0",
        "9007199254740993",
        "\"a string\"",
        "\"\"",
        "-9223372036854775808",
        "123456789012345678901234567890",
    ] {
        let body = spoilt_id(&agent, id);
        let mut wire = Wire::connect(world.endpoint()).unwrap();
        wire.send(&agent.posted(&body)).unwrap();
        let response = wire.response().unwrap();
        assert!(response.body.contains(&format!("\"id\":{id}")), "{id}: {}", response.body);
        assert!(response.body.contains("\"result\""), "{id}: {}", response.body);
    }
}

fn spoilt_id(agent: &Agent, id: &str) -> String {
    let mut request = agent.request("tools/list", json!({}));
    request["id"] = json!("PLACE");
    request.to_string().replace("\"PLACE\"", id)
}

#[test]
fn an_expired_or_removed_token_is_refused() {
    let fixture = Server::fixture(None);
    let world = world(&fixture);
    let short = world.json(&["agent", "add", "short-lived", "--expires", "1s"])["token"].as_str().unwrap().to_owned();
    let gone = world.add_agent("gone");
    assert!(!Agent::modern(world.endpoint(), &gone).names().is_empty());
    drop(world.cli(&["agent", "remove", "gone"]).success());
    std::thread::sleep(Duration::from_millis(1_500));
    for token in [short, gone] {
        let answer = Agent::modern(world.endpoint(), &token).ask("tools/list", json!({}));
        assert_eq!(answer.status, 401, "{}", answer.text);
    }
}

#[test]
fn a_body_that_never_ends_does_not_hold_its_connection() {
    let fixture = Server::fixture(None);
    let world = world(&fixture);
    let mut half = post(world.endpoint(), &[("Authorization", &format!("Bearer {}", world.token()))], b"{\"jsonrpc\":");
    let text = String::from_utf8(half.clone()).unwrap().replace("Content-Length: 11", "Content-Length: 500");
    half = text.into_bytes();
    for bytes in [half, b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ".to_vec()] {
        let begun = Instant::now();
        let mut wire = Wire::connect(world.endpoint()).unwrap();
        wire.patience(Duration::from_mins(2));
        wire.send(&bytes).unwrap();
        // Closed, or answered and then closed: either way it ends.
        drop(wire.response());
        assert!(begun.elapsed() < Duration::from_secs(90), "still open after {:?}", begun.elapsed());
        assert!(world.modern().call("fixture.echo", &json!({"text": "alive"})).ran());
    }
}

#[test]
fn a_body_cut_off_by_its_sender_leaves_nothing_behind() {
    let fixture = Server::fixture(None);
    let world = world(&fixture);
    let agent = world.modern();
    let bytes = agent.posted(
        &agent.request("tools/call", json!({"name": "fixture.echo", "arguments": {"text": "cut"}})).to_string(),
    );
    let mut stream = std::net::TcpStream::connect(tests::wire::authority(world.endpoint())).unwrap();
    std::io::Write::write_all(&mut stream, &bytes[..bytes.len() - 10]).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut answer = String::new();
    drop(stream.read_to_string(&mut answer));
    assert!(!answer.contains("\"result\""), "{answer}");
    assert_eq!(Ledger::open(world.state()).unwrap().mentions(Kind::Intent, "cut"), 0);
    assert!(world.modern().call("fixture.echo", &json!({"text": "alive"})).ran());
}

#[test]
fn a_modern_client_that_goes_away_cancels_its_call_and_a_legacy_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("invocations");
    let fixture = Server::fixture(Some(&record));
    let world = world(&fixture);
    for (agent, note, step) in [(world.modern(), "modern", "dropped"), (world.legacy(), "legacy", "end")] {
        let params = json!({"name": "fixture.slow", "arguments": {"ms": 1500, "note": note}});
        let wire = agent.begin("tools/call", params).unwrap();
        world
            .eventually("start of the call", || (tests::invocations::count(&record, "start", note) == 1).then_some(()));
        drop(wire);
        world.eventually("end of the call", || (tests::invocations::count(&record, step, note) == 1).then_some(()));
    }
    world.eventually("both outcomes", || (Ledger::open(world.state())?.count(Kind::Outcome) == 2).then_some(()));
    world.verify();
}

#[test]
fn an_agent_that_asks_too_much_is_told_so_and_others_are_served() {
    let fixture = Server::fixture(None);
    let setup = Setup::new().remote_with("fixture", fixture.endpoint(), "vouched = true").allow_all();
    let world = setup.config("[agents]\nmax_in_flight = 2\n").start();
    world.eventually("list of tools", || (world.modern().names().len() > 20).then_some(()));
    let slow = || json!({"name": "fixture.slow", "arguments": {"ms": 3000, "note": "busy"}});
    let (one, two) =
        (world.modern().begin("tools/call", slow()).unwrap(), world.modern().begin("tools/call", slow()).unwrap());
    world.eventually("both calls", || (Ledger::open(world.state())?.count(Kind::Intent) == 2).then_some(()));
    let third = world.modern().call("fixture.echo", &json!({"text": "x"}));
    assert_eq!(third.status, 429, "{}", third.text);
    let other = Agent::modern(world.endpoint(), &world.add_agent("other"));
    assert!(other.call("fixture.echo", &json!({"text": "x"})).ran());
    drop((one, two));
}
