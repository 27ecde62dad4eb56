//! What the way out costs: one client, directly and from inside a jail, in one run. Needs root.

use std::io::{Write as _, stdout};
use std::time::Duration;

use serde_json::{Value, json};
use tests::internet::{Internet, internet};
use tests::world::{Setup, World};
use tests::{components, program, usage};

/// One thing that is fetched, both ways.
struct Subject {
    name: &'static str,
    url: &'static str,
    times: u32,
}

const SUBJECTS: [Subject; 6] = [
    Subject { name: "HTTP, small", url: "http://web.test/x", times: 2000 },
    Subject { name: "TLS carried, small", url: "https://a.web.test/x", times: 2000 },
    Subject { name: "TLS read, small", url: "https://web.test/x", times: 2000 },
    Subject { name: "HTTP, 16 MB", url: "http://web.test/bytes/16000000", times: 40 },
    Subject { name: "TLS carried, 16 MB", url: "https://a.web.test/bytes/16000000", times: 40 },
    Subject { name: "TLS read, 16 MB", url: "https://web.test/bytes/16000000", times: 40 },
];

const EGRESS: &str = r#"egress = [{ host = "web.test", protocol = "http" }, { host = "*.web.test" }, { host = "web.test", paths = ["/*"] }]"#;

fn main() -> std::io::Result<()> {
    let net = internet();
    let script = components::script("fetcher.py");
    let keys = format!("vouched = true\ncall_timeout = \"300s\"\n{EGRESS}\n");
    let setup = Setup::new().allow_all().command_with("fetcher", &["/usr/bin/python3", &script], &keys);
    let world = setup.config(&net.config()).start();
    world.eventually("the tool", || (!world.modern().names().is_empty()).then_some(()));
    let mut out = stdout();
    writeln!(
        out,
        "{:20} {:>5} {:>10} {:>10} {:>10} {:>10} {:>9} {:>8} {:>8} {:>6} {:>12}",
        "", "n", "direct p50", "p99 µs", "edge p50", "p99 µs", "added p50", "MB/s", "edge", "×", "gateway CPU"
    )?;
    for subject in &SUBJECTS {
        line(&mut out, subject, &directly(net, &script, subject), &jailed(&world, subject))?;
    }
    Ok(())
}

fn line(
    out: &mut impl std::io::Write,
    subject: &Subject,
    direct: &Value,
    edge: &(Value, Duration),
) -> std::io::Result<()> {
    let (edge, processor) = edge;
    let of = |measured: &Value, key: &str| measured[key].as_f64().unwrap_or_default();
    let times =
        [direct, edge].map(|measured| format!("{:10.0} {:10.0}", of(measured, "p50_us"), of(measured, "p99_us")));
    let added = of(edge, "p50_us") - of(direct, "p50_us");
    let rates = [direct, edge].map(|measured| of(measured, "mb_s"));
    let [straight, around] = rates;
    let each = processor.as_secs_f64() * 1e6 / f64::from(subject.times);
    writeln!(
        out,
        "{:20} {:>5} {} {added:9.0} {straight:8.1} {around:8.1} {:6.2} {each:9.0} µs",
        subject.name,
        subject.times,
        times.join(" "),
        around / straight
    )
}

fn directly(net: &Internet, script: &str, subject: &Subject) -> Value {
    let what = json!({"url": subject.url, "times": subject.times, "address": net.web().to_string()});
    let mut command = program::command("/usr/bin/python3");
    let told = program::run(command.arg(script).arg(what.to_string()), Duration::from_mins(5)).success();
    serde_json::from_str(&told).unwrap_or_default()
}

/// What it says of itself, and what the gateway's processors did meanwhile.
fn jailed(world: &World, subject: &Subject) -> (Value, Duration) {
    let before = usage::cpu(world.id());
    let answer = world.modern().call("fetcher.fetch", &json!({"url": subject.url, "times": subject.times}));
    let used = usage::cpu(world.id()).saturating_sub(before);
    (serde_json::from_str(&answer.said()).unwrap_or_else(|_| json!(answer.text)), used)
}
