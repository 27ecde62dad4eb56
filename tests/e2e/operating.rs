//! What an operator does from a terminal: check, reload, explain, read the log, stop.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::agent::Agent;
use tests::hostile::Mode;
use tests::ledger::{Kind, Ledger};
use tests::server::{Server, hostile_command};
use tests::world::{Setup, World};

use crate::operators::{ANN, add, own};
use crate::passes::{office, report, send};

fn counting(folder: &TempDir, policies: &str) -> World {
    let words = hostile_command(Mode::Count, &folder.path().join("record"));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let world = Setup::new().command_with("count", &words, "vouched = true").policies(policies).start();
    world.eventually("the tools", || (world.modern().names().len() == 2).then_some(()));
    world
}

const FORBID: &str = r#"
@id("nobody-reads-notes")
@reason("Notes are closed today.")
@next("Come back tomorrow.")
forbid (principal, action == Action::"call", resource == Tool::"count.read_note");
"#;

const NOTHING: &str = "// no rule of our own\n";

fn read(world: &World) -> tests::agent::Answer {
    world.modern().call("count.read_note", &json!({"note": "x"}))
}

#[test]
fn a_reload_swaps_policies_and_a_bad_file_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let world = counting(&folder, NOTHING);
    let file = world.folder().join("test.cedar");
    assert!(read(&world).ran());

    fs::write(&file, FORBID).unwrap();
    assert!(read(&world).ran(), "a policy was in force before anyone asked for it");
    drop(world.cli(&["reload"]).success());
    let refused = read(&world);
    assert!(!refused.ran(), "{}", refused.text);
    for told in ["nobody-reads-notes", "Notes are closed today.", "Come back tomorrow."] {
        assert!(refused.text.contains(told), "the agent is not told {told:?}: {}", refused.text);
    }

    fs::write(&file, "permit (principal, action == Action::\"nothing\", resource").unwrap();
    let failed = world.cli(&["reload"]);
    assert!(!failed.status.success(), "{}", failed.stdout);
    assert!(failed.stderr.contains("test.cedar") || failed.stdout.contains("test.cedar"), "{failed:?}");
    assert!(!read(&world).ran(), "a bad file changed the policies");

    fs::write(&file, NOTHING).unwrap();
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(i32::try_from(world.id()).unwrap()).unwrap(),
        Signal::HUP,
    )
    .unwrap();
    world.eventually("SIGHUP to have an effect", || read(&world).ran().then_some(()));
    world.verify();
}

#[test]
fn check_reports_every_problem_with_file_and_line() {
    let world = Setup::new().prepare();
    let config =
        "[listen]\naddress = \"nowhere\"\nunknown = 1\n[server.x]\ncommand = \"not a list\"\n[hold]\nhigh = \"soon\"\n";
    fs::write(world.folder().join("portcullis.toml"), config).unwrap();
    let output = world.cli(&["check", "--config", "portcullis.toml"]);
    assert!(!output.status.success());
    let said = format!("{}{}", output.stdout, output.stderr);
    for told in [
        "portcullis.toml:2",
        "portcullis.toml:3",
        "portcullis.toml:5",
        "portcullis.toml:7",
        "listen.unknown",
        "hold.high",
    ] {
        assert!(said.contains(told), "{told} is not in:\n{said}");
    }
}

#[test]
fn serve_needs_no_file() {
    let world = Setup::new().prepare();
    let fixture = Server::fixture(None);
    let server = format!("fixture={}", fixture.endpoint());
    let mut command = tests::program::command(tests::world::portcullis());
    command.args(["serve", "--listen", "127.0.0.1:0", "--server", &server, "--state"]).arg(world.state());
    let mut gateway = tests::program::Program::start(&mut command);
    let mut said = String::new();
    while !(said.contains("endpoint: http://127.0.0.1:") && said.contains("pcl_")) {
        said.push_str(&gateway.line(Duration::from_secs(20)));
        said.push('\n');
    }
    assert!(gateway.is_running());
}

#[test]
fn a_public_address_without_tls_is_refused() {
    let world = Setup::new().prepare();
    let output = world.cli(&["serve", "--listen", "0.0.0.0:0"]);
    assert!(!output.status.success());
    assert!(output.stderr.to_lowercase().contains("tls"), "{}", output.stderr);
}

#[test]
fn an_orderly_stop_ends_what_runs_or_records_it_as_interrupted() {
    let folder = TempDir::new().unwrap();
    let mut world = counting(&folder, NOTHING);
    let params = json!({"name": "count.read_note", "arguments": {"note": "last", "ms": 700}});
    let mut wire = world.modern().begin("tools/call", params).unwrap();
    world.eventually("the call", || (Ledger::open(world.state())?.count(Kind::Intent) == 1).then_some(()));
    world.gateway().signal(Signal::TERM);
    let body = wire.response().map(|response| response.body).unwrap_or_default();
    assert!(body.contains("done: last"), "a running call was cut off: {body}");
    assert!(world.gateway().wait(Duration::from_secs(30)).success());
    world.verify();
    let ledger = Ledger::open(world.state()).unwrap();
    assert_eq!(ledger.count(Kind::Intent), ledger.count(Kind::Outcome));
}

#[test]
fn the_log_says_who_asked_for_what_and_what_became_of_it() {
    let folder = TempDir::new().unwrap();
    let world = counting(&folder, FORBID);
    let other = tests::agent::Agent::modern(world.endpoint(), &world.add_agent("other"));
    assert!(!read(&world).ran());
    assert!(!other.call("count.read_note", &json!({"note": "y"})).ran());
    let refused = world.list(&["log", "list", "--verdict", "deny"]);
    assert_eq!(refused.len(), 2, "{refused:?}");
    let mine = world.list(&["log", "list", "--verdict", "deny", "--agent", "other"]);
    assert_eq!(mine.len(), 1, "{mine:?}");
    assert!(mine[0].to_string().contains("count.read_note") || mine[0]["tool"] == "read_note", "{mine:?}");
    assert!(world.list(&["log", "list", "--tool", "no-such-tool"]).is_empty());
    world.verify();
}

#[test]
fn a_log_that_was_changed_does_not_verify() {
    let folder = TempDir::new().unwrap();
    let mut world = counting(&folder, NOTHING);
    assert!(read(&world).ran());
    world.verify();
    world.kill();
    let database = rusqlite::Connection::open(world.state().join("portcullis.db")).unwrap();
    let changed =
        database.execute("UPDATE entry SET record = CAST(replace(CAST(record AS TEXT), 'read_note', 'loud_note') AS BLOB) WHERE kind = 1", []);
    assert_eq!(changed.unwrap(), 1);
    drop(database);
    let verified = world.cli(&["log", "verify"]);
    assert!(!verified.status.success(), "{}", verified.stdout);
}

/// What the default policies say of a set of calls: changed only on purpose.
#[test]
fn explain_gives_the_verdicts_of_the_golden_file() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let world = Setup::new().newcomer().prepare();
    let calls = golden.join("calls.jsonl");
    let explained = world.cli(&["explain", "--calls", calls.to_str().unwrap(), "--json"]).success();
    let rows: Vec<Value> =
        fs::read_to_string(&calls).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let explained: Vec<Value> = explained.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), explained.len());
    let mut found = Vec::new();
    for (row, said) in rows.iter().zip(&explained) {
        for key in ["risk", "reasons", "verdict", "policies", "provenance"] {
            assert!(said.get(key).is_some(), "{key} is missing in {said}");
        }
        assert!(said["reasons"].as_array().is_some_and(|reasons| !reasons.is_empty()), "no reason: {said}");
        let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        writeln!(
            found,
            "{:8} {:5} {}  {}.{}",
            text(&said["risk"]),
            text(&said["verdict"]),
            text(&row["session"]),
            text(&row["server"]),
            text(&row["tool"]["name"])
        )
        .unwrap();
    }
    let found = String::from_utf8(found).unwrap();
    let expected = fs::read_to_string(golden.join("decisions.txt")).unwrap_or_default();
    if std::env::var_os("PORTCULLIS_BLESS").is_some() {
        fs::write(golden.join("decisions.txt"), &found).unwrap();
    } else {
        assert_eq!(found, expected, "PORTCULLIS_BLESS=1 writes the file anew, if that is what you mean");
    }
}

/// Without a config, what comes with the gateway is declared, as it is for the gateway itself.
#[test]
fn explain_without_a_config_knows_what_comes_with_the_gateway() {
    let world = Setup::new().newcomer().prepare();
    let rows = [
        (r#""server":"files","tool":{"name":"write"},"arguments":{"path":"a.txt","content":"x"}"#, "allow"),
        (r#""server":"files","tool":{"name":"delete"},"arguments":{"path":"a.txt"}"#, "hold"),
        // Another server's, which nobody has declared.
        (r#""server":"files","tool":{"name":"write_file"},"arguments":{"path":"/srv/a.txt","content":"x"}"#, "hold"),
    ];
    let calls: String = rows.iter().flat_map(|(row, _)| ["{\"session\":\"s\",\"agent\":\"a\",", row, "}\n"]).collect();
    fs::write(world.folder().join("calls.jsonl"), calls).unwrap();
    let explained = world.list(&["explain", "--calls", "calls.jsonl"]);
    for ((row, verdict), said) in rows.iter().zip(&explained) {
        assert_eq!(said["verdict"], *verdict, "{row}: {said}");
    }
    assert_eq!(explained.len(), rows.len());
}

#[test]
fn a_terminal_is_told_what_the_console_shows() {
    let world = office();
    let agent = world.modern();
    let nobody = world.json(&["whoami"]);
    assert_eq!((&nobody["role"], &nobody["pin"]), (&json!("admin"), &json!(false)));
    add(&world, "ann", "admin", Some(own()), ANN);
    let ann = world.json(&["whoami"]);
    assert_eq!((&ann["name"], &ann["role"], &ann["pin"]), (&json!("ann"), &json!("admin"), &json!(true)));
    let said = world.cli(&["whoami"]).success();
    assert!(said.contains("ann, admin, approving takes a PIN; 1 person approves calls"), "{said}");
    let stranger = world.cli(&["whoami", "--as", "eve"]);
    assert!(!stranger.status.success() && stranger.stderr.contains("eve"), "{stranger:?}");

    // Before: the one that `office` approved, and one that ann denies.
    waits_for_ann(&world, &agent, &report(2));
    assert!(!agent.ask("tools/call", json!({"name": "mail.send_message", "arguments": report(3)})).ran());
    let hold = world.hold();
    let card = world.json(&["holds", "show", &hold]);
    assert_eq!(card["id"], hold.as_str());
    let similar = &card["similar"];
    assert_eq!((&similar["approved"], &similar["denied"]), (&json!(1), &json!(1)), "{card}");
    assert_eq!(similar["latest"][0]["reason"], "not this one");
    let shown = world.cli(&["holds", "show", &hold]).success();
    assert!(shown.contains("1 approved, 1 denied") && shown.contains("denied by ann"), "{shown}");

    let steps = world.list(&["log", "list", "--operator", "ann", "--kind", "step"]);
    assert_eq!(steps.len(), 1, "{steps:?}");
    assert_eq!(steps[0]["detail"]["step"]["reason"], "not this one");
    let kinds: Vec<Value> = world.list(&["log", "list", "--kind", "hold,step"]);
    assert!(
        kinds.len() >= 5 && kinds.iter().all(|record| ["hold", "step"].contains(&record["kind"].as_str().unwrap()))
    );
    assert!(world.list(&["log", "list", "--operator", "nobody"]).is_empty());
    assert_eq!(world.cli(&["log", "list", "--kind", "answer"]).status.code(), Some(2));

    let servers = world.list(&["servers"]);
    let mail = servers.iter().find(|server| server["name"] == "mail").expect("the mail's server");
    assert_eq!((&mail["status"], &mail["grant"]["sandbox"]), (&json!("ready"), &json!("jail")), "{mail}");
    let whole = world.cli(&["servers", "mail"]).success();
    assert!(whole.contains("mail  ready") && whole.contains("sandbox") && whole.contains("limits"), "{whole}");
    assert!(!world.cli(&["servers", "nothing"]).status.success());
    assert!(world.cli(&["servers"]).success().contains("customers"));

    let now = world.json(&["now"]);
    assert_eq!((&now["health"]["log"], &now["health"]["holds"]), (&json!("ok"), &json!(1)));
    let said = world.cli(&["now"]).success();
    for part in ["log ok", "1 call waits: portcullis holds list", "CRITICAL", "PER HOUR"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    world.verify();
}

fn waits_for_ann(world: &World, agent: &Agent, message: &Value) {
    thread::scope(|scope| {
        let call = scope.spawn(|| send(agent, message));
        let words = ["holds", "deny", &world.hold(), "--reason", "not this one"];
        drop(world.cli(&words).success());
        assert!(!call.join().unwrap().ran());
    });
}
