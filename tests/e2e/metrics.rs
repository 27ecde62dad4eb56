//! What whoever watches the gateway is told: figures that Prometheus reads, and health.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tests::port;
use tests::scrape::{Scrape, get, said};
use tests::server::Server;
use tests::world::{Setup, World};

const CALLS: &str = "portcullis_tool_calls_total";

/// A gateway that is watched, before the fixture; and where it is asked.
fn watched(setup: Setup, fixture: &Server) -> (World, String) {
    let port = port::free();
    let setup = setup.config(&format!("[listen]\nmetrics = {port}"));
    let world = setup.remote_with("fixture", fixture.endpoint(), "vouched = true").start();
    world.eventually("list of tools", || (world.modern().names().len() > 20).then_some(()));
    (world, format!("http://127.0.0.1:{port}"))
}

fn counted(scrape: &Scrape, tool: &str, verdict: &str) -> f64 {
    scrape.sum(CALLS, &[("server", "fixture"), ("tool", tool), ("verdict", verdict)])
}

#[test]
#[expect(clippy::float_cmp, reason = "whole numbers")]
fn a_scrape_says_what_happened_and_prometheus_reads_it() {
    let fixture = Server::fixture(None);
    let (world, url) = watched(Setup::new().allow_all(), &fixture);
    let before = Scrape::of(&url);
    assert_eq!(before.sum(CALLS, &[]), 0.0);
    let token = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
    for text in ["one", "two", token] {
        assert!(world.modern().call("fixture.echo", &json!({"text": text})).ran());
    }
    let scrape = Scrape::of(&url);
    assert_eq!(counted(&scrape, "echo", "allow"), 3.0);
    for (name, labels) in [
        ("portcullis_policy_eval_seconds_count", &[][..]),
        ("portcullis_audit_commit_seconds_count", &[]),
        ("portcullis_audit_group_size_count", &[]),
        ("mcp_client_operation_duration_seconds_count", &[]),
        ("mcp_server_operation_duration_seconds_count", &[("mcp_method_name", "tools/call")]),
        ("process_resident_memory_bytes", &[]),
        ("process_start_time_seconds", &[]),
        ("portcullis_uptime_seconds", &[]),
    ] {
        assert!(scrape.value(name, labels).is_some_and(|value| value > 0.0), "{name}: {scrape:?}");
    }
    assert!(scrape.sum("portcullis_redactions_total", &[]) >= 1.0, "{scrape:?}");
    assert_eq!(scrape.value("portcullis_open_holds", &[]), Some(0.0));
    assert_eq!(scrape.value("portcullis_log_writable", &[]), Some(1.0));
    assert_eq!(scrape.value("portcullis_server_up", &[("server", "fixture"), ("sandbox", "remote")]), Some(1.0));
    assert_eq!(scrape.value("portcullis_denied_connections_total", &[]), Some(0.0));

    // Nothing in a label is an agent's, and nothing is an argument.
    let allowed = ["server", "tool", "verdict", "risk", "kind", "answer", "sandbox", "le", "mcp_method_name"];
    for (name, value) in scrape.labels() {
        assert!(allowed.contains(&name.as_str()), "{name}");
        assert!(!value.contains("default") && !value.contains("ghp_") && value != "one", "{name}={value}");
    }
}

#[test]
fn a_held_call_is_counted_once_and_its_wait_is_timed() {
    let fixture = Server::fixture(None);
    let hold = "@id(\"ask\")\nforbid (principal, action == Action::\"call_unattended\", resource);\n";
    let (world, url) = watched(Setup::new().policies(hold), &fixture);
    let agent = world.modern();
    std::thread::scope(|scope| {
        let call = scope.spawn(|| agent.call("fixture.echo", &json!({"text": "held"})));
        let id = world.hold();
        assert_eq!(Scrape::of(&url).value("portcullis_open_holds", &[]), Some(1.0));
        drop(world.cli(&["holds", "approve", &id]).success());
        // Whoever polls sends the same call again until it is answered.
        let first = call.join().unwrap();
        assert!(first.ran() || first.result()["resultType"] == "input_required", "{}", first.text);
    });
    let scrape = Scrape::of(&url);
    assert_eq!((counted(&scrape, "echo", "hold"), counted(&scrape, "echo", "allow")), (1.0, 0.0));
    assert_eq!(scrape.value("portcullis_approval_wait_seconds_count", &[("answer", "approved")]), Some(1.0));
    assert_eq!(scrape.value("portcullis_approval_wait_seconds_count", &[("answer", "denied")]), Some(0.0));
}

#[test]
fn ten_thousand_names_that_an_agent_makes_up_make_no_series() {
    let (threads, each) = (20, 500);
    let fixture = Server::fixture(None);
    let (world, url) = watched(Setup::new().allow_all().config("[agents]\nrate = 1000000"), &fixture);
    drop(world.modern().call("no.such.tool", &json!({})));
    drop(world.modern().ask("no/such/method", json!({})));
    let before = Scrape::of(&url);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let world = &world;
            scope.spawn(move || {
                let agent = world.modern();
                for number in 0..each {
                    drop(agent.call(&format!("made-up-{thread}-{number}"), &json!({})));
                }
                drop(agent.ask(&format!("made/up{thread}"), json!({})));
            });
        }
    });
    let after = Scrape::of(&url);
    assert_eq!(before.len(), after.len(), "{:?}", after.labels());
    let unknown = [("server", "unknown"), ("tool", "unknown"), ("verdict", "deny"), ("risk", "unknown")];
    assert_eq!(after.value(CALLS, &unknown), Some(10_001.0));
    assert!(after.labels().iter().all(|(_, value)| !value.contains("made")), "{:?}", after.labels());
}

#[test]
fn another_sites_name_is_refused_and_nothing_but_reading_is_served() {
    let fixture = Server::fixture(None);
    let (world, url) = watched(Setup::new(), &fixture);
    let port = url.rsplit(':').next().unwrap().to_owned();
    let status = |request: &str| said(&url, request).unwrap().head.status;
    for path in ["/metrics", "/health/live", "/health/ready"] {
        for host in ["evil.example".to_owned(), format!("evil.example:{port}"), "127.0.0.1:1".to_owned()] {
            assert_eq!(status(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")), 403, "{host}");
        }
        assert_eq!(status(&format!("GET {path} HTTP/1.0\r\n\r\n")), 403);
        let twice = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: evil.example\r\n\r\n");
        assert!([400, 403].contains(&status(&twice)));
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            let request =
                format!("{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: 5\r\n\r\nhello");
            let response = said(&url, &request).unwrap();
            assert_eq!(response.head.status, 405, "{method}");
            assert_eq!(response.head.header("allow"), Some("GET, HEAD"));
        }
        let head = said(&url, &format!("HEAD {path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"));
        // Its length is told, and no body comes.
        assert!(head.is_err() || head.unwrap().body.is_empty());
        assert_eq!(status(&format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n")), 200);
    }
    assert_eq!(get(&url, "/mcp").unwrap().head.status, 404);
    let long = format!("GET /metrics HTTP/1.1\r\nHost: localhost:{port}\r\nX-Long: {}\r\n\r\n", "x".repeat(20_000));
    assert!(said(&url, &long).map_or(431, |response| response.head.status) >= 400);
    let many = "X-Many: x\r\n".repeat(100);
    let many = format!("GET /metrics HTTP/1.1\r\nHost: localhost:{port}\r\n{many}\r\n");
    assert!(said(&url, &many).map_or(431, |response| response.head.status) >= 400);
    // An attempt is in the log, and the listener is still there.
    let told = |record: &Value| record["detail"].to_string().contains("metrics, from 127.0.0.1");
    assert!(world.log().iter().any(told), "no record of it");
    assert!(!Scrape::of(&url).is_empty());
}

#[test]
fn readiness_says_that_the_log_cannot_be_written_while_the_process_lives() {
    let fixture = Server::fixture(None);
    let (world, url) = watched(Setup::new().allow_all(), &fixture);
    let ready = || get(&url, "/health/ready").unwrap();
    let body = || serde_json::from_str::<Value>(&ready().body).unwrap();
    assert_eq!((ready().head.status, body()), (200, json!({"ready": true, "not_ready": []})));
    let (there, gone) = (world.state().join("portcullis.db"), world.state().join("moved.db"));
    fs::rename(&there, &gone).unwrap();
    world.eventually("a log that is not writable", || (ready().head.status == 503).then_some(()));
    assert_eq!(body()["not_ready"][0]["what"], "log", "{}", body());
    assert_eq!(Scrape::of(&url).value("portcullis_log_writable", &[]), Some(0.0));
    assert_eq!(get(&url, "/health/live").unwrap().head.status, 200);
    fs::rename(&gone, &there).unwrap();
    world.eventually("a log that is writable", || (ready().head.status == 200).then_some(()));
}

#[test]
fn a_gateway_that_drains_is_alive_and_not_ready() {
    let fixture = Server::fixture(None);
    let (mut world, url) = watched(Setup::new().allow_all(), &fixture);
    let agent = world.modern();
    std::thread::scope(|scope| {
        let call = scope.spawn(|| agent.call("fixture.slow", &json!({"ms": 5_000, "note": "drained"})));
        world.eventually("a call that runs", || (counted(&Scrape::of(&url), "slow", "allow") > 0.0).then_some(()));
        world.gateway().signal(Signal::TERM);
        world.eventually("a gateway that drains", || {
            let ready = get(&url, "/health/ready").ok()?;
            let body: Value = serde_json::from_str(&ready.body).ok()?;
            (ready.head.status == 503 && body["not_ready"][0]["what"] == "draining").then_some(())
        });
        assert_eq!(get(&url, "/health/live").unwrap().head.status, 200);
        assert!(call.join().unwrap().ran());
    });
    assert!(world.gateway().wait(Duration::from_secs(30)).success());
}

#[test]
fn a_gate_that_does_not_hold_is_not_ready() {
    let port = port::free();
    let shut = "@id(\"nobody-calls\")\nforbid (principal, action == Action::\"call\", resource);\n";
    let world = Setup::new().liveness("5s").policies(shut).config(&format!("[listen]\nmetrics = {port}")).start();
    let url = format!("http://127.0.0.1:{port}");
    // A component is compiled first, in a debug build: this may take longer than what is waited for elsewhere.
    let failed = || (get(&url, "/health/ready").ok()?.head.status == 503).then_some(());
    for _ in 0..60 {
        if failed().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    world.eventually("a gate that fails", failed);
    assert_eq!(Scrape::of(&url).value("portcullis_gate_holds", &[]), Some(0.0));
    assert!(Scrape::of(&url).sum(CALLS, &[]) < 1.0, "the gateway's own trials are counted as calls");
}
