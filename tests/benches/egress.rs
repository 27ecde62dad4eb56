//! What the way out costs: one client, directly and from inside a jail, in one run. Needs root.

use std::io::{Write as _, stdout};
use std::time::Duration;

use serde_json::{Value, json};
use tests::internet::{Internet, internet};
use tests::world::{Setup, World};
use tests::{components, program};

/// One thing that is fetched, both ways.
struct Subject {
    name: &'static str,
    url: &'static str,
    times: u32,
}

const SUBJECTS: [Subject; 6] = [
    Subject { name: "HTTP, small", url: "http://web.test/x", times: 500 },
    Subject { name: "TLS carried, small", url: "https://a.web.test/x", times: 500 },
    Subject { name: "TLS read, small", url: "https://web.test/x", times: 500 },
    Subject { name: "HTTP, 16 MB", url: "http://web.test/bytes/16000000", times: 20 },
    Subject { name: "TLS carried, 16 MB", url: "https://a.web.test/bytes/16000000", times: 20 },
    Subject { name: "TLS read, 16 MB", url: "https://web.test/bytes/16000000", times: 20 },
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
        "{:20} {:>12} {:>12} {:>10} {:>10} {:>10} {:>7}",
        "", "direct µs", "through µs", "added µs", "direct", "through", "MB/s ×"
    )?;
    for subject in &SUBJECTS {
        let (direct, through) = (directly(net, &script, subject), jailed(&world, subject));
        let of = |measured: &Value, key: &str| measured[key].as_f64().unwrap_or_default();
        let (a, b) = (of(&direct, "p50_us"), of(&through, "p50_us"));
        let (c, d) = (of(&direct, "mb_s"), of(&through, "mb_s"));
        writeln!(out, "{:20} {a:12.0} {b:12.0} {:10.0} {c:10.1} {d:10.1} {:7.2}", subject.name, b - a, d / c)?;
    }
    Ok(())
}

fn directly(net: &Internet, script: &str, subject: &Subject) -> Value {
    let what = json!({"url": subject.url, "times": subject.times, "address": net.web().to_string(), "authority": net.authority()});
    let mut command = program::command("/usr/bin/python3");
    let told = program::run(command.arg(script).arg(what.to_string()), Duration::from_mins(5)).success();
    serde_json::from_str(&told).unwrap_or_default()
}

fn jailed(world: &World, subject: &Subject) -> Value {
    let answer = world.modern().call("fetcher.fetch", &json!({"url": subject.url, "times": subject.times}));
    serde_json::from_str(&answer.said()).unwrap_or_else(|_| json!(answer.text))
}
