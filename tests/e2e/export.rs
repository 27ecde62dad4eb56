//! Exporters: every record reaches its SIEM, in order, whatever the collector does; repetitions have the same leaf.

mod bytes;
mod faults;
mod schema;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};
use tests::receiver::{Heard, Receiver};
use tests::world::{Setup, World};

const TOKEN: &str = "6e1f2f6c-9a57-4f0e-8f3b-1c7c5f6a7d90";

/// Names what every format could trip over; an agent may ask for a tool of any name.
const HOSTILE: &str = "a|b\\c=d\"e\nf \u{202e}g cs6=0";

/// A credential, by its form.
const SECRET: &str = "ghp_Zx8vQ2mN4kL6jH1gF3dS5aP7oI9uY0tRwEqB";

/// Long enough for a machine that is busy, short enough to wait for a collector that hangs.
const HASTY: &str = "timeout = \"3s\"\n";

fn prepare(config: &str) -> World {
    let world = Setup::new().config(config).prepare();
    write(&world.folder().join("token"), TOKEN, 0o600);
    world
}

fn start(config: &str) -> World {
    let mut world = prepare(config);
    world.start();
    world
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn splunk(name: &str, receiver: &Receiver) -> String {
    let port = receiver.port();
    format!("[export.{name}]\nkind = \"splunk\"\nurl = \"http://127.0.0.1:{port}\"\ntoken = {{ file = \"token\" }}\n")
}

fn elasticsearch(receiver: &Receiver) -> String {
    format!("[export.elasticsearch]\nurl = \"http://127.0.0.1:{}\"\nindex = \"audit\"\n", receiver.port())
}

const SUCCESS: &str = "{\"text\":\"Success\",\"code\":0}";

/// A few more records.
fn some(world: &World, name: &str) {
    for number in 0..3 {
        drop(world.add_agent(&format!("{name}{number}")));
    }
}

/// The log as exporters send it, oldest first.
fn lines(world: &World, format: &str) -> Vec<String> {
    let text = world.cli(&["log", "list", "--limit", "1000", "--format", format]).success();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.reverse();
    lines
}

/// The log in JSON, oldest first.
fn objects(world: &World) -> Vec<Value> {
    lines(world, "json").iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn status(world: &World) -> Vec<Value> {
    let output = world.cli(&["export", "status", "--config", "portcullis.toml", "--json"]);
    output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Waits until every exporter has passed on what the log holds.
#[track_caller]
fn caught_up(world: &World) {
    world.eventually("all records to be exported", || {
        let rows = status(world);
        (!rows.is_empty() && rows.iter().all(|row| row["behind"] == 0 && row.get("trouble").is_none())).then_some(())
    });
}

fn body(text: &str) -> &str {
    text.split_once("\r\n\r\n").unwrap().1
}

/// Number and leaf of every event that was sent to Splunk in this request.
fn events(heard: &Heard) -> Vec<(u64, String)> {
    let all = serde_json::Deserializer::from_str(body(&heard.text)).into_iter::<Value>();
    all.map(|event| event.unwrap()["event"].take()).map(|event| named(&event)).collect()
}

fn named(record: &Value) -> (u64, String) {
    (record["seq"].as_u64().unwrap(), record["leaf"].as_str().unwrap().to_owned())
}

/// Every record is there, none out of order but for repetitions, and each of them has the leaf of the log.
#[track_caller]
fn assert_all(world: &World, sent: &[(u64, String)]) {
    let log: BTreeMap<u64, String> = objects(world).iter().map(named).collect();
    let mut last = 0;
    for (seq, leaf) in sent {
        assert!(*seq <= last + 1, "{seq} after {last}: something was left out");
        last = last.max(*seq);
        assert_eq!(log.get(seq), Some(leaf), "record {seq}");
    }
    assert_eq!(last, *log.keys().last().unwrap());
}

#[test]
fn every_record_reaches_a_file_and_a_file_that_was_moved_away_is_made_again() {
    let world = start(
        "[export.file]\npath = \"audit.jsonl\"\n[export.cef]\nkind = \"file\"\npath = \"audit.cef\"\nformat = \"cef\"\n",
    );
    let path = world.folder().join("audit.jsonl");
    some(&world, "a");
    caught_up(&world);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().collect::<Vec<_>>(), lines(&world, "json"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let before = text.lines().count();
    fs::rename(&path, world.folder().join("audit.jsonl.1")).unwrap();
    some(&world, "b");
    caught_up(&world);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().collect::<Vec<_>>(), lines(&world, "json")[before..]);
    let cef = fs::read_to_string(world.folder().join("audit.cef")).unwrap();
    assert_eq!(cef.lines().collect::<Vec<_>>(), lines(&world, "cef"));
}

#[test]
fn no_format_shows_a_secret_and_no_name_leaves_its_field() {
    let folder = tempfile::TempDir::new().unwrap();
    let notes = tests::server::Server::hostile(tests::hostile::Mode::Count, &folder.path().join("record"));
    let files: String = ["json", "ocsf", "ecs", "cef"]
        .map(|format| format!("[export.{format}]\nkind = \"file\"\npath = \"out.{format}\"\nformat = \"{format}\"\n"))
        .concat();
    let world = Setup::new().config(&files).remote("count", notes.endpoint()).start();
    world.eventually("the tools", || (world.modern().names().len() == 2).then_some(()));
    let agent = world.modern();
    let call = agent.begin("tools/call", agent_params("count.delete_note")).unwrap();
    world.eventually("its record", || {
        objects(&world).iter().any(|record| record["tool"] == "delete_note").then_some(())
    });
    drop(call);
    // Without a header that repeats the name: no header could.
    drop(world.legacy().call(HOSTILE, &json!({"x": SECRET})));
    world.eventually("the refusal", || {
        objects(&world).iter().any(|record| record["detail"]["rule"] == "unknown-tool").then_some(())
    });
    caught_up(&world);
    for format in ["json", "ocsf", "ecs", "cef"] {
        let text = fs::read_to_string(world.folder().join(format!("out.{format}"))).unwrap();
        assert!(!text.contains(SECRET) && !text.contains('\u{202e}'), "{format}");
        assert_eq!(text.lines().collect::<Vec<_>>(), lines(&world, format), "{format}");
        assert!(text.contains("unknown-tool") || format == "cef", "{format}: {text}");
        if format != "cef" {
            assert!(text.contains("[secret:github"), "the call was to be recorded, redacted: {text}");
            assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{format}");
        }
    }
    let cef = fs::read_to_string(world.folder().join("out.cef")).unwrap();
    let refused = cef.lines().find(|line| line.contains("|request-refused|")).unwrap();
    assert!(refused.contains(r"a|b\\c\=d") && refused.contains(r"cs6\=0"), "{refused}");
    assert_eq!(refused.matches(" cs6=").count(), 1, "{refused}");
}

fn agent_params(tool: &str) -> Value {
    json!({"name": tool, "arguments": {"note": format!("keep {SECRET}")}})
}

#[test]
fn an_exporter_is_tried_out_from_a_terminal() {
    let receiver = Receiver::saying(200, SUCCESS);
    let world = prepare(&splunk("siem", &receiver));
    let test = |name: &str| world.cli(&["export", "test", name, "--config", "portcullis.toml", "--json"]);
    let told: Value = serde_json::from_str(&test("siem").success()).unwrap();
    let sent: Value = serde_json::from_str(body(&receiver.heard().remove(0).text)).unwrap();
    assert_eq!((&told["exporter"], &told["kind"]), (&json!("siem"), &json!("splunk")));
    assert_eq!((&sent["event"]["leaf"], &sent["event"]["seq"]), (&told["leaf"], &json!(0)));
    assert_eq!(sent["event"]["detail"]["event"], "export-test");
    // A server that answers with what it was sent shows it to nobody.
    let echo: &'static str = format!("\n\nunknown token {TOKEN}\u{1b}[31m").leak();
    receiver.set(&[tests::receiver::Mood::Refuse(403, echo)]);
    let output = test("siem");
    assert!(!output.status.success() && output.stderr.contains("403"), "{}", output.stderr);
    assert!(!output.stderr.contains(TOKEN) && !output.stderr.contains('\u{1b}'), "{}", output.stderr);
    let output = test("nobody");
    assert!(!output.status.success() && output.stderr.contains("take one of: siem"), "{}", output.stderr);
}

#[test]
fn an_exporter_that_cannot_be_used_is_told_before_and_stops_the_start() {
    let receiver = Receiver::saying(200, SUCCESS);
    let world = prepare(&splunk("siem", &receiver));
    write(&world.folder().join("token"), TOKEN, 0o644);
    let checked = world.cli(&["check", "--config", "portcullis.toml"]).success();
    assert!(checked.contains("exporter `siem`") && checked.contains("open to others"), "{checked}");
    let served = world.cli(&["serve", "--config", "portcullis.toml", "--listen", "127.0.0.1:0"]);
    assert!(!served.status.success() && served.stderr.contains("open to others"), "{}", served.stderr);
}
