//! What a call through the gateway costs, beside what HTTP and its upstream cost by themselves, in one run.
//!
//! Bare hyper echo; the upstream directly; through the gateway with policies, durable records and redaction on.
//! `PORTCULLIS_BENCH_SECONDS` is the time for each number (3). Loader and servers share the machine.

use std::io::{Write as _, stdout};
use std::time::Duration;

use serde_json::json;
use tests::agent::Agent;
use tests::load::{Load, Measured};
use tests::server::Server;
use tests::usage;
use tests::world::{Setup, World};
use tokio::runtime::Builder;

const CONNECTIONS: [usize; 3] = [1, 32, 128];
const TEXT: &str = "the quick brown fox";

struct Subject {
    name: &'static str,
    process: u32,
    load: Load,
}

fn main() -> std::io::Result<()> {
    let bare = Server::bare();
    let upstream = Server::fixture(None);
    let world = gateway(&upstream);
    let direct = Agent::modern(upstream.endpoint(), "unused");
    let through = Agent::modern(world.endpoint(), world.token());
    let subjects = [
        subject("bare hyper echo", bare.id(), &direct, "echo", bare.endpoint()),
        subject("upstream directly", upstream.id(), &direct, "echo", upstream.endpoint()),
        subject("through the gateway", world.id(), &through, "upstream.echo", world.endpoint()),
    ];
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut out = stdout();
    writeln!(
        out,
        "{:22} {:>5} {:>10} {:>9} {:>9} {:>11} {:>8} {:>8} {:>7}",
        "", "conns", "calls/s", "p50 ms", "p99 ms", "CPU µs/call", "RSS MB", "max MB", "failed"
    )?;
    let mut costs = Vec::new();
    for connections in CONNECTIONS {
        for subject in &subjects {
            let (measured, cost) = runtime.block_on(measure(subject, connections));
            line(&mut out, subject, connections, &measured, cost)?;
            costs.push((subject.name, connections, cost));
        }
        writeln!(out)?;
    }
    for connections in CONNECTIONS {
        let cost =
            |name| costs.iter().find(|(of, at, _)| (*of, *at) == (name, connections)).map_or(0.0, |(_, _, cost)| *cost);
        let factor = cost("through the gateway") / cost("bare hyper echo");
        writeln!(out, "CPU of the gateway per call at {connections} connections: {factor:.1} × bare hyper echo")?;
    }
    Ok(())
}

/// On embedded defaults but for the limits of one agent, which here is all agents in one.
fn gateway(upstream: &Server) -> World {
    let limits = "[agents]\nrate = 10000000\nmax_in_flight = 1000\n";
    let setup = Setup::new().remote_with("upstream", upstream.endpoint(), "vouched = true\nmax_in_flight = 1000");
    let world = setup.config(limits).start();
    world.eventually("list of tools", || (world.modern().names().len() > 20).then_some(()));
    world
}

fn subject(name: &'static str, process: u32, agent: &Agent, tool: &str, endpoint: &str) -> Subject {
    let body = agent.request("tools/call", json!({"name": tool, "arguments": {"text": TEXT}})).to_string();
    let request = String::from_utf8_lossy(&agent.posted(&body)).replace("Connection: close\r\n", "");
    let expected = if name == "bare hyper echo" { "hello" } else { TEXT };
    Subject { name, process, load: Load::new(endpoint, request.as_bytes(), expected) }
}

async fn measure(subject: &Subject, connections: usize) -> (Measured, f64) {
    let seconds = std::env::var("PORTCULLIS_BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    subject.load.run(connections, Duration::from_secs(1)).await; // warm
    let before = usage::cpu(subject.process);
    let measured = subject.load.run(connections, Duration::from_secs(seconds)).await;
    let used = usage::cpu(subject.process).saturating_sub(before);
    let cost = used.as_secs_f64() * 1e6 / f64::from(u32::try_from(measured.answers.max(1)).unwrap_or(u32::MAX));
    (measured, cost)
}

fn line(
    out: &mut impl std::io::Write,
    subject: &Subject,
    connections: usize,
    measured: &Measured,
    cost: f64,
) -> std::io::Result<()> {
    let (now, most) = usage::memory(subject.process);
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    writeln!(
        out,
        "{:22} {connections:>5} {:>10.0} {:>9.2} {:>9.2} {cost:>11.1} {:>8} {:>8} {:>7}",
        subject.name,
        measured.rate(),
        milliseconds(measured.within(500)),
        milliseconds(measured.within(990)),
        now / 1024,
        most / 1024,
        measured.failures,
    )?;
    match &measured.failure {
        Some(failure) => writeln!(out, "  one of the failures: {failure:.300}"),
        None => Ok(()),
    }
}
