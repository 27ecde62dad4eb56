//! Remote servers that misbehave.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use audit::{Answer, FailureKind};
use policies::{Method, Value};
use sandbox::{Change, Era, Event, Line, Listing, Status};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::web::{Request, Web, Wire};
use crate::world::{World, config, failure, json, line, server, text};

const DISCOVERED: &str = r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true}}}"#;

fn world(web: &Web) -> World {
    World::start(config(&format!("url = '{}'\nmax_answer = '1 MiB'\nheaders = {{ X-Key = 'k' }}", web.url)))
}

fn modern_line() -> (Line, mpsc::Receiver<Event>) {
    let (mut line, events) = line();
    line.agent_era = Era::Modern;
    (line, events)
}

/// What every modern server of these tests says; `Err` is what it leaves to the test.
async fn modern(request: Request, wire: Wire) -> Result<Option<Wire>, (Request, Wire)> {
    match request.method() {
        "server/discover" => Ok(wire.result(&request, DISCOVERED).await),
        "subscriptions/listen" => Ok(wire.respond("404 Not Found", "").await),
        "initialize" => Ok(wire.respond("404 Not Found\r\ncontent-type: application/json", UNKNOWN).await),
        _ => Err((request, wire)),
    }
}

const UNKNOWN: &str = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"unknown"}}"#;

/// What every legacy server of these tests says.
async fn legacy(request: Request, wire: Wire) -> Result<Option<Wire>, (Request, Wire)> {
    match request.method() {
        "server/discover" => Ok(wire.respond("400 Bad Request", "no session").await),
        "initialize" => {
            let result = r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{},"logging":{},"resources":{"subscribe":true}},"serverInfo":{"name":"n"}}"#;
            let body = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, request.id());
            Ok(wire.respond("200 OK\r\ncontent-type: application/json\r\nmcp-session-id: s-1", &body).await)
        }
        "notifications/initialized" | "notifications/cancelled" | "answer" => {
            Ok(wire.respond("202 Accepted", "").await)
        }
        "GET" | "DELETE" => Ok(wire.respond("405 Method Not Allowed", "").await),
        _ => Err((request, wire)),
    }
}

async fn call(world: &World, tool: &str) -> Answer {
    world.call_on(tool, "{}", modern_line().0).await
}

async fn call_within(world: &World, tool: &str, limit: Duration) -> Answer {
    let (mut line, _events) = modern_line();
    line.deadline = Instant::now() + limit;
    world.call_on(tool, "{}", line).await
}

#[tokio::test]
async fn a_modern_request_is_whole_and_connections_are_kept() {
    let web = Web::start(async |request, wire| match modern(request, wire).await {
        Ok(wire) => wire,
        Err((request, wire)) => wire.result(&request, r#"{"content":[{"type":"x-new","n":1.0}],"x":{}}"#).await,
    })
    .await;
    let world = world(&web);
    assert_eq!(world.ready().await.era, Era::Modern);
    for _ in 0..5 {
        let Answer::Result(result) = call(&world, "echo").await else { panic!() };
        assert_eq!(result.to_string(), r#"{"content":[{"type":"x-new","n":1.0}],"x":{}}"#);
    }
    let definition =
        r#"{"name":"marked","inputSchema":{"properties":{"r":{"type":"string","x-mcp-header":"Region"}}}}"#;
    world.call_of(Method::CallTool, definition, r#"{"r":"eu"}"#, modern_line().0).await;
    let request = web.seen.last("tools/call");
    let headers =
        ["mcp-protocol-version", "mcp-method", "mcp-name", "mcp-param-region", "accept", "x-key", "authorization"];
    let expected = [
        Some("2026-07-28"),
        Some("tools/call"),
        Some("marked"),
        Some("eu"),
        Some("application/json, text/event-stream"),
        Some("k"),
        None,
    ];
    assert_eq!(headers.map(|name| request.header(name)), expected);
    assert!(request.header("mcp-session-id").is_none());
    assert!(*web.connections.lock().unwrap() <= 2, "one for calls, one for the stream of changes");
}

#[tokio::test]
async fn an_event_stream_is_read_however_it_is_cut() {
    let web = Web::start(async |request, wire| match modern(request, wire).await {
        Ok(wire) => wire,
        Err((request, mut wire)) => {
            let id = request.id();
            wire.events().await;
            let stream = format!(
                ": hello\r\n\r\ndata: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\r\ndata: \"params\":{{\"progressToken\":{id},\"progress\":1}}}}\r\n\r\nid: 1\rdata: {{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"content\":[{{\"text\":\"ä\"}}]}}}}\r\r"
            );
            for byte in stream.as_bytes() {
                wire.chunk([*byte]).await;
            }
            wire.end().await
        }
    })
    .await;
    let world = world(&web);
    let (mut asking, mut events) = modern_line();
    asking.progress = true;
    assert_eq!(text(&world.call_on("t", "{}", asking).await), "ä");
    assert!(matches!(events.try_recv(), Ok(Event::Notice { method, .. }) if method == "notifications/progress"));
}

#[tokio::test]
async fn what_is_no_answer_is_a_clear_failure() {
    let web = Web::start(async |request, wire| match modern(request, wire).await {
        Ok(wire) => wire,
        Err((request, mut wire)) => {
            let id = request.id();
            match request.tool() {
                "redirect" => wire.respond("307 Temporary Redirect\r\nlocation: /elsewhere", "").await,
                "html" => wire.respond("200 OK\r\ncontent-type: text/html", "<p>").await,
                "accepted" => wire.respond("202 Accepted", "").await,
                "encoded" => {
                    wire.respond("200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip", "x").await
                }
                "wrong-id" => wire.json(r#"{"jsonrpc":"2.0","id":4711,"result":{}}"#).await,
                "request" => wire.json(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).await,
                "twice" => wire.json(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}},"result":{{}}}}"#)).await,
                "batch" => wire.json(&format!(r#"[{{"jsonrpc":"2.0","id":{id},"result":{{}}}}]"#)).await,
                "unauthorized" => wire.respond("401 Unauthorized\r\ncontent-type: application/json", "{}").await,
                "broken" => wire.respond("502 Bad Gateway\r\ncontent-type: text/html", "<p>").await,
                "cut" => {
                    wire.raw("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{").await;
                    None
                }
                "closed" => None,
                "events-end" => {
                    wire.events().await;
                    wire.event(r#"{"jsonrpc":"2.0","method":"notifications/x"}"#).await;
                    wire.end().await
                }
                "events-garbage" => {
                    wire.events().await;
                    wire.event("garbage").await;
                    wire.end().await
                }
                _ => wire.respond("400 Bad Request\r\ncontent-type: application/json", HEADER_MISMATCH).await,
            }
        }
    })
    .await;
    let world = world(&web);
    for (tool, kind) in [
        ("redirect", FailureKind::Malformed),
        ("html", FailureKind::Malformed),
        ("accepted", FailureKind::Malformed),
        ("encoded", FailureKind::Malformed),
        ("wrong-id", FailureKind::Malformed),
        ("request", FailureKind::Malformed),
        ("twice", FailureKind::Malformed),
        ("batch", FailureKind::Malformed),
        ("unauthorized", FailureKind::Unreachable),
        ("broken", FailureKind::Exited),
        ("cut", FailureKind::Exited),
        ("closed", FailureKind::Exited),
        ("events-end", FailureKind::Exited),
        ("events-garbage", FailureKind::Malformed),
    ] {
        let before = web.seen.count("tools/call");
        assert_eq!(failure(&call(&world, tool).await), kind, "{tool}");
        assert_eq!(web.seen.count("tools/call"), before + 1, "{tool} was sent once");
    }
    let Answer::Error(error) = call(&world, "mismatch").await else { panic!() };
    assert_eq!(error.get("code").and_then(Value::as_i64), Some(-32020));
}

const HEADER_MISMATCH: &str = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32020,"message":"mismatch"}}"#;

#[tokio::test]
async fn answers_over_the_limit_are_cut_off() {
    let web = Web::start(async |request, wire| match modern(request, wire).await {
        Ok(wire) => wire,
        Err((request, mut wire)) => {
            let chunk = "x".repeat(100_000);
            match request.tool() {
                "declared" => {
                    wire.raw("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000000\r\n\r\n")
                        .await;
                }
                "chunked" => {
                    wire.raw("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
                        .await;
                }
                _ => {
                    wire.events().await;
                    wire.chunk("data: ").await;
                }
            }
            for _ in 0..1000 {
                if request.tool() == "declared" { wire.raw(&chunk).await } else { wire.chunk(&chunk).await }
            }
            None
        }
    })
    .await;
    let world = world(&web);
    for tool in ["declared", "chunked", "events"] {
        assert_eq!(failure(&call(&world, tool).await), FailureKind::TooLarge, "{tool}");
    }
}

#[tokio::test]
async fn a_slow_answer_runs_out_of_time_and_the_server_sees_the_connection_close() {
    let (gone, mut went) = mpsc::channel(8);
    let web = Web::start(move |request: Request, wire| {
        let gone = gone.clone();
        async move {
            match modern(request, wire).await {
                Ok(wire) => wire,
                Err((request, mut wire)) => {
                    match request.tool() {
                        "no-head" => wire.raw("HTTP/1.1 200 OK\r\nx: ").await,
                        "no-end" => {
                            wire.events().await;
                            wire.chunk(": still here\n\n").await;
                        }
                        _ => {
                            wire.raw(
                                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{",
                            )
                            .await;
                        }
                    }
                    wire.gone().await;
                    gone.send(()).await.ok();
                    None
                }
            }
        }
    })
    .await;
    let world = world(&web);
    world.ready().await;
    for tool in ["no-head", "no-end", "no-body"] {
        let began = Instant::now();
        let answer = call_within(&world, tool, Duration::from_millis(500)).await;
        assert_eq!(failure(&answer), FailureKind::OutOfTime, "{tool}");
        assert!(began.elapsed() < Duration::from_secs(2), "{tool}");
        tokio::time::timeout(Duration::from_secs(2), went.recv()).await.unwrap();
    }
}

#[tokio::test]
async fn a_session_that_was_forgotten_is_replaced_once() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let web = Web::start(move |request: Request, wire| {
        let calls = Arc::clone(&counted);
        async move {
            match legacy(request, wire).await {
                Ok(wire) => wire,
                Err((request, wire)) if request.tool() == "never" || calls.fetch_add(1, Ordering::SeqCst) == 0 => {
                    wire.respond("404 Not Found", "").await
                }
                Err((request, wire)) => wire.result(&request, r#"{"content":[{"text":"ok"}]}"#).await,
            }
        }
    })
    .await;
    let world = world(&web);
    assert_eq!(world.ready().await.era, Era::Legacy("2025-06-18"));
    assert_eq!(text(&call(&world, "t").await), "ok");
    assert_eq!((web.seen.count("initialize"), web.seen.count("tools/call")), (2, 2));
    let request = web.seen.last("tools/call");
    assert_eq!(request.header("mcp-session-id"), Some("s-1"));
    assert_eq!(request.header("mcp-protocol-version"), Some("2025-06-18"));
    assert!(request.header("mcp-name").is_none() && request.body.pointer("/params/_meta").is_none());

    assert_eq!(failure(&call(&world, "never").await), FailureKind::Unreachable);
    assert_eq!(web.seen.count("tools/call"), 4);
    assert_eq!(text(&call(&world, "t").await), "ok");
    world.end().await;
    assert_eq!(web.seen.last("DELETE").header("mcp-session-id"), Some("s-1"));
}

#[tokio::test]
async fn a_question_on_a_calls_stream_goes_to_its_agent() {
    let web = Web::start(async |request, wire| match legacy(request, wire).await {
        Ok(wire) => wire,
        Err((request, mut wire)) => {
            wire.events().await;
            wire.event(r#"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"m"}}"#).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            wire.event(&format!(
                r#"{{"jsonrpc":"2.0","id":{},"result":{{"content":[{{"text":"ok"}}]}}}}"#,
                request.id()
            ))
            .await;
            wire.end().await
        }
    })
    .await;
    let world = world(&web);
    let (mut able, mut events) = line();
    able.capabilities = json(r#"{"elicitation":{}}"#);
    let agent = async {
        let Some(Event::Ask { reply, .. }) = events.recv().await else { panic!() };
        reply.send(Ok(json(r#"{"action":"decline"}"#))).unwrap();
    };
    let (answer, ()) = tokio::join!(world.call_on("t", "{}", able), agent);
    assert_eq!(text(&answer), "ok");
    let answered = web.seen.wait("answer").await;
    assert_eq!(answered.body.to_string(), r#"{"jsonrpc":"2.0","id":"q","result":{"action":"decline"}}"#);
    let declared = web.seen.last("initialize").body.pointer("/params/capabilities").unwrap().to_string();
    assert_eq!(declared, r#"{"elicitation":{"form":{}}}"#);
}

#[tokio::test]
async fn a_legacy_server_is_told_of_a_cancellation() {
    let web = Web::start(async |request, wire| match legacy(request, wire).await {
        Ok(wire) => wire,
        Err((_, mut wire)) => {
            wire.events().await;
            wire.gone().await;
            None
        }
    })
    .await;
    let world = world(&web);
    world.ready().await;
    let (line, _events) = line();
    let cancel = line.cancel.clone();
    let cancelling = async {
        web.seen.wait("tools/call").await;
        cancel.cancel();
    };
    let (answer, ()) = tokio::join!(world.call_on("t", "{}", line), cancelling);
    assert_eq!(answer, Answer::Cancelled);
    let told = web.seen.wait("notifications/cancelled").await;
    let id = web.seen.last("tools/call").id();
    assert_eq!(told.body.pointer("/params/requestId").unwrap().to_string(), id);
}

#[tokio::test]
async fn a_legacy_stream_that_breaks_off_is_taken_up_again() {
    let web = Web::start(async |request: Request, mut wire: Wire| {
        if request.method() == "GET" && request.header("last-event-id") == Some("e-1") {
            wire.events().await;
            wire.event(r#"{"jsonrpc":"2.0","id":2,"result":{"content":[{"text":"resumed"}]}}"#).await;
            return wire.end().await;
        }
        match legacy(request, wire).await {
            Ok(wire) => wire,
            Err((_, mut wire)) => {
                wire.events().await;
                wire.chunk("id: e-1\nretry: 10\ndata:\n\n").await;
                wire.end().await
            }
        }
    })
    .await;
    let world = world(&web);
    assert_eq!(text(&world.call("t", "{}").await), "resumed");
    assert_eq!(web.seen.count("tools/call"), 1);
}

#[tokio::test]
async fn a_server_of_both_eras_is_spoken_to_in_the_agents() {
    let web = Web::start(async |request: Request, wire: Wire| {
        let is_modern = request.header("mcp-protocol-version") == Some("2026-07-28");
        let left = if is_modern { modern(request, wire).await } else { legacy(request, wire).await };
        match left {
            Ok(wire) => wire,
            Err((request, wire)) => wire.result(&request, r#"{"content":[]}"#).await,
        }
    })
    .await;
    let world = world(&web);
    assert_eq!(world.ready().await.era, Era::Modern);
    call(&world, "t").await;
    assert_eq!((web.seen.count("initialize"), web.seen.last("tools/call").header("mcp-name")), (0, Some("t")));
    world.call("t", "{}").await;
    world.call("t", "{}").await;
    assert_eq!((web.seen.count("initialize"), web.seen.last("tools/call").header("mcp-session-id")), (1, Some("s-1")));
}

#[tokio::test]
async fn a_modern_only_server_is_spoken_to_in_its_own_era() {
    let web = Web::start(async |request, wire| match modern(request, wire).await {
        Ok(wire) => wire,
        Err((request, wire)) => wire.result(&request, r#"{"content":[]}"#).await,
    })
    .await;
    let world = world(&web);
    for _ in 0..3 {
        assert!(matches!(world.call("t", "{}").await, Answer::Result(_)));
    }
    assert_eq!(web.seen.count("initialize"), 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_down_until_it_is() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let world = World::start(config(&format!("url = 'http://{address}/mcp'")));
    assert!(world.down().await.starts_with("it cannot be reached"));
    let (mut impatient, _events) = line();
    impatient.deadline = Instant::now() + Duration::from_millis(100);
    let kind = failure(&world.call_on("t", "{}", impatient).await);
    assert!(matches!(kind, FailureKind::Unreachable | FailureKind::OutOfTime));

    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let _web = Web::serve(listener, async |request: Request, wire: Wire| match modern(request, wire).await {
        Ok(wire) => wire,
        Err((request, wire)) => wire.result(&request, r#"{"content":[]}"#).await,
    });
    assert_eq!(world.ready().await.era, Era::Modern);
    assert!(matches!(call(&world, "t").await, Answer::Result(_)));
    assert!(matches!(world.sandbox.server(&server()).unwrap().status, Status::Ready(_)));
}

#[tokio::test]
async fn changes_are_heard_in_both_eras() {
    let web = Web::start(async |request: Request, mut wire: Wire| {
        if request.method() == "subscriptions/listen" {
            wire.events().await;
            wire.event(r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{}}"#).await;
            if request.body.pointer("/params/notifications/resourceSubscriptions/0").is_some() {
                wire.event(r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u"}}"#)
                    .await;
            }
            wire.gone().await;
            return None;
        }
        modern(request, wire).await.unwrap_or_default()
    })
    .await;
    let of_modern = world(&web);
    of_modern.ready().await;
    hears_of_resource(&of_modern).await;

    let web = Web::start(async |request: Request, mut wire: Wire| {
        if request.method() == "GET" {
            wire.events().await;
            wire.event(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            wire.event(r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u"}}"#).await;
            wire.gone().await;
            return None;
        }
        match legacy(request, wire).await {
            Ok(wire) => wire,
            Err((request, wire)) => wire.result(&request, "{}").await,
        }
    })
    .await;
    let of_legacy = world(&web);
    let mut changes = of_legacy.sandbox.changes();
    of_legacy.ready().await;
    let expected = Change::List { server: server(), what: Listing::Tools };
    while changes.recv().await.unwrap() != expected {}
    hears_of_resource(&of_legacy).await;
    assert_eq!(web.seen.count("resources/subscribe"), 1);
}

async fn hears_of_resource(world: &World) {
    let mut changes = world.sandbox.changes();
    world.sandbox.watch(&server(), "u").await.unwrap();
    let expected = Change::Resource { server: server(), uri: "u".to_owned() };
    tokio::time::timeout(Duration::from_secs(5), async { while changes.recv().await.unwrap() != expected {} })
        .await
        .unwrap();
}
