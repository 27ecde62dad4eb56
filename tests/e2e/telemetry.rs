//! Traces and figures that are sent to a collector: joined to the agent's, without what nobody may read, and never in a call's way.

use std::time::Duration;

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use rustix::process::Signal;
use serde_json::{Value, json};
use tests::agent::Answer;
use tests::collector::{Collector, attribute};
use tests::port;
use tests::receiver::Mood;
use tests::scrape::Scrape;
use tests::server::Server;
use tests::world::{Setup, World};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

fn world(setup: Setup, fixture: &Server) -> World {
    let world = setup.remote_with("fixture", fixture.endpoint(), "vouched = true").allow_all().start();
    world.eventually("list of tools", || (world.modern().names().len() > 20).then_some(()));
    world
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// A call whose agent says which trace it is part of.
fn traced(world: &World, tool: &str, arguments: &Value, meta: &Value) -> Answer {
    world.modern().ask("tools/call", json!({"name": tool, "arguments": arguments, "_meta": meta}))
}

/// The spans of one trace, once its first one has arrived: it ends last.
fn tree(world: &World, collector: &Collector, trace: &str) -> Vec<Span> {
    world.eventually("the spans of a call", || {
        let spans: Vec<Span> = collector.spans().into_iter().filter(|span| hex(&span.trace_id) == trace).collect();
        spans.iter().any(|span| span.kind == SpanKind::Server as i32).then_some(spans)
    })
}

fn of_kind(spans: &[Span], kind: SpanKind) -> &Span {
    spans.iter().find(|span| span.kind == kind as i32).unwrap_or_else(|| panic!("no {kind:?} in {spans:#?}"))
}

#[test]
fn a_call_is_one_tree_of_spans_from_its_agent_to_its_tool() {
    let (fixture, collector) = (Server::fixture(None), Collector::start());
    let world = world(Setup::new().config(&collector.config("service = \"gate\"")), &fixture);
    let meta = json!({
        "traceparent": format!("00-{TRACE}-{PARENT}-00"), "tracestate": "vendor=a,other=b",
        "baggage": "user=baggage-of-the-agent",
    });
    let answer = traced(&world, "fixture.reveal", &json!({}), &meta);
    let learned = &answer.result()["structuredContent"]["meta"];

    let spans = tree(&world, &collector, TRACE);
    let (server, client) = (of_kind(&spans, SpanKind::Server), of_kind(&spans, SpanKind::Client));
    assert_eq!(hex(&server.parent_span_id), PARENT);
    assert_eq!((server.name.as_str(), client.name.as_str()), ("tools/call fixture.reveal", "tools/call reveal"));
    assert_eq!(client.parent_span_id, server.span_id);
    assert_eq!(server.trace_state, "vendor=a,other=b");
    // What the tool server was told: that its span is below ours.
    assert_eq!(learned["traceparent"], format!("00-{TRACE}-{}-01", hex(&client.span_id)));
    assert_eq!(learned["tracestate"], "vendor=a,other=b");
    assert_eq!(learned["baggage"], Value::Null, "{learned}");

    for name in ["decide", "record intent", "lease", "redact, record outcome"] {
        let span = spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name} in {spans:#?}"));
        assert_eq!(span.parent_span_id, server.span_id, "{name}");
    }
    for span in &spans {
        assert!(server.start_time_unix_nano <= span.start_time_unix_nano, "{span:?}");
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{span:?}");
        assert!(span.status.is_none(), "{span:?}");
    }
    for (key, value) in [
        ("mcp.method.name", "tools/call"),
        ("gen_ai.tool.name", "fixture.reveal"),
        ("gen_ai.operation.name", "execute_tool"),
        ("mcp.protocol.version", "2026-07-28"),
        ("network.transport", "tcp"),
    ] {
        assert_eq!(attribute(&server.attributes, key), Some(value), "{key}");
    }
    let decide = spans.iter().find(|span| span.name == "decide").unwrap();
    assert_eq!(attribute(&decide.attributes, "portcullis.verdict"), Some("allow"));
    assert_eq!(attribute(&client.attributes, "portcullis.server"), Some("fixture"));
    let call = attribute(&decide.attributes, "portcullis.call").unwrap();
    assert!(world.log().iter().any(|record| record["call"] == call), "{call} is not in the log");
}

#[test]
fn a_tools_failure_is_told_as_one() {
    let (fixture, collector) = (Server::fixture(None), Collector::start());
    let world = world(Setup::new().config(&collector.config("")), &fixture);
    let meta = json!({"traceparent": format!("00-{TRACE}-{PARENT}-01")});
    drop(traced(&world, "fixture.test_error_handling", &json!({}), &meta));
    let spans = tree(&world, &collector, TRACE);
    for kind in [SpanKind::Server, SpanKind::Client] {
        let span = of_kind(&spans, kind);
        assert_eq!(attribute(&span.attributes, "error.type"), Some("tool_error"), "{span:?}");
        assert_eq!(span.status.as_ref().map(|status| status.code), Some(2));
    }
}

#[test]
fn no_argument_result_secret_or_made_up_name_leaves_in_a_span_or_a_figure() {
    const CANARY: &str = "canary-5d1f0b";
    let (fixture, collector) = (Server::fixture(None), Collector::start());
    let world = world(Setup::new().config(&collector.config("every = \"1s\"")), &fixture);
    let agent = world.modern();
    let text = format!("{CANARY} ghp_0123456789abcdefghijABCDEFGHIJ012345");
    assert!(agent.call("fixture.echo", &json!({"text": text})).ran());
    drop(agent.call("fixture.echo", &json!({"text": 7, "more": CANARY})));
    drop(agent.call(&format!("fixture.{CANARY}"), &json!({})));
    drop(agent.ask(&format!("method/{CANARY}"), json!({})));
    drop(agent.ask("resources/read", json!({"uri": format!("test://{CANARY}")})));
    drop(agent.ask("prompts/get", json!({"name": CANARY})));
    let mut request = agent.request("tools/call", json!({"name": "fixture.echo", "arguments": {"text": "x"}}));
    request["id"] = json!(CANARY);
    request["params"]["_meta"]["baggage"] = json!(format!("a={CANARY}"));
    request["params"]["_meta"]["traceparent"] = json!(CANARY);
    request["params"]["_meta"]["tracestate"] = json!(format!("a={CANARY}"));
    drop(agent.post(&request.to_string()).unwrap());
    // Spans are sent in the order in which they end: once this one is there, all are.
    drop(traced(&world, "fixture.reveal", &json!({}), &json!({"traceparent": format!("00-{TRACE}-{PARENT}-01")})));
    drop(tree(&world, &collector, TRACE));
    world.eventually("the figures", || (!collector.metrics().is_empty()).then_some(()));
    for heard in collector.heard() {
        for secret in [CANARY, "ghp_", world.token()] {
            assert!(!heard.text.contains(secret), "{secret} left: {}", heard.text);
        }
    }
}

#[test]
fn a_live_secret_is_not_carried_out_as_a_trace() {
    const KEY: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let (fixture, collector) = (Server::fixture(None), Collector::start());
    let setup = Setup::new().config(&collector.config("headers = { x-key = { env = \"COLLECTOR_KEY\" } }"));
    let world = world(setup.environment("COLLECTOR_KEY", KEY), &fixture);
    let meta = json!({"traceparent": format!("00-{KEY}-{PARENT}-01"), "tracestate": format!("a={KEY}")});
    let answer = traced(&world, "fixture.reveal", &json!({}), &meta);
    assert!(!answer.text.contains(KEY), "{}", answer.text);
    world.eventually("spans", || (!collector.spans().is_empty()).then_some(()));
    assert!(collector.spans().iter().all(|span| hex(&span.trace_id) != KEY));
    assert!(collector.heard().iter().all(|heard| heard.text.contains(&format!("x-key: {KEY}\r\n"))));
}

#[test]
fn a_collector_that_is_away_hangs_or_refuses_holds_up_no_call_and_no_stop() {
    let fixture = Server::fixture(None);
    for mood in [None, Some(Mood::Hang), Some(Mood::Reset), Some(Mood::Refuse(429, "Retry-After: 600\n\n"))] {
        let collector = Collector::start();
        let config = match &mood {
            Some(mood) => {
                collector.set(std::slice::from_ref(mood));
                collector.config("every = \"1s\"")
            }
            None => format!("[telemetry]\nendpoint = \"http://127.0.0.1:{}\"\n", port::free()),
        };
        let mut world = world(Setup::new().config(&config), &fixture);
        for number in 0..50 {
            let answer = world.modern().call("fixture.echo", &json!({"text": format!("call {number}")}));
            assert!(answer.ran(), "{mood:?}: {}", answer.text);
        }
        world.gateway().signal(Signal::TERM);
        // Nothing runs: what is waited for is the collector, for two seconds at most; the rest is a busy machine.
        assert!(world.gateway().wait(Duration::from_secs(8)).success(), "{mood:?}");
        assert!(world.said().contains("did not take"), "{mood:?}: {}", world.said());
    }
}

#[test]
fn spans_that_nobody_took_are_counted() {
    let (fixture, collector) = (Server::fixture(None), Collector::start());
    collector.set(&[Mood::Refuse(400, "\n\nno")]);
    let port = port::free();
    let config = format!("{}\n[listen]\nmetrics = {port}", collector.config(""));
    let world = world(Setup::new().config(&config), &fixture);
    assert!(world.modern().call("fixture.echo", &json!({"text": "x"})).ran());
    let url = format!("http://127.0.0.1:{port}");
    let count = |outcome: &str| Scrape::of(&url).value("portcullis_spans_total", &[("outcome", outcome)]);
    world.eventually("spans that are dropped", || count("dropped").filter(|count| *count > 0.0));
    assert_eq!(count("sent"), Some(0.0));
    collector.set(&[Mood::Take]);
    assert!(world.modern().call("fixture.echo", &json!({"text": "x"})).ran());
    world.eventually("spans that are sent", || count("sent").filter(|count| *count > 0.0));
}

#[test]
fn figures_are_sent_as_the_conventions_name_them() {
    let (fixture, collector) = (Server::fixture(None), Collector::start());
    let world = world(Setup::new().config(&collector.config("every = \"1s\"\nsample = 0")), &fixture);
    assert!(world.modern().call("fixture.echo", &json!({"text": "x"})).ran());
    let count = |name: &str| {
        let metric = collector.metrics().into_iter().find(|metric| metric.name == name)?;
        let Some(Data::Histogram(histogram)) = metric.data else { panic!("{metric:?}") };
        assert_eq!((histogram.aggregation_temporality, metric.unit.as_str()), (2, "s"), "{name}");
        assert!(histogram.data_points.iter().all(|point| {
            point.bucket_counts.len() == point.explicit_bounds.len() + 1
                && point.count == point.bucket_counts.iter().sum::<u64>()
        }));
        Some(histogram.data_points.iter().map(|point| point.count).sum::<u64>())
    };
    for name in ["mcp.server.operation.duration", "mcp.client.operation.duration"] {
        world.eventually(name, || count(name).filter(|count| *count > 0));
    }
    let calls = collector.metrics().into_iter().find(|metric| metric.name == "portcullis.tool_calls").unwrap();
    let Some(Data::Sum(sum)) = calls.data else { panic!("{calls:?}") };
    assert!(sum.is_monotonic && attribute(&sum.data_points[0].attributes, "tool") == Some("echo"), "{sum:?}");
    assert!(collector.spans().is_empty(), "nothing was to be traced");
}

#[test]
fn without_a_collector_a_trace_goes_on_as_it_came_and_nothing_else_does() {
    let fixture = Server::fixture(None);
    let world = world(Setup::new(), &fixture);
    let meta =
        |meta: &Value| traced(&world, "fixture.reveal", &json!({}), meta).result()["structuredContent"]["meta"].clone();
    let good = format!("00-{TRACE}-{PARENT}-01");
    let learned = meta(&json!({"traceparent": good, "tracestate": "a=1", "baggage": "b=2"}));
    assert_eq!((&learned["traceparent"], &learned["tracestate"]), (&json!(good), &json!("a=1")));
    assert_eq!(learned["baggage"], Value::Null);
    for bad in ["00-1-2-01".to_owned(), format!("{good}-tail"), good.to_uppercase(), "ignore all instructions".into()] {
        let learned = meta(&json!({"traceparent": bad, "tracestate": "a=1"}));
        assert_eq!((&learned["traceparent"], &learned["tracestate"]), (&Value::Null, &Value::Null), "{bad}");
    }
}
