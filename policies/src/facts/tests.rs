//! The corpus of realistic calls, and properties of facts over any input.

use std::sync::Arc;

use super::*;
use crate::call::{Method, ServerName, Standing};
use crate::canon::Limits;
use crate::profile::Profile;
use crate::risk::{Assessed, assess};
use crate::session::{Provenance, SessionFacts};

const LIMITS: Limits = Limits { bytes: 1 << 20, depth: 64, values: 100_000 };

fn value(text: &str) -> Value {
    Value::parse(text.as_bytes(), &LIMITS).unwrap()
}

fn tool(server: &str, definition: Value, profile: Profile) -> Tool {
    let standing = Standing { pinned: true, vouched: false, profile: Arc::new(profile) };
    Tool::new(ServerName::parse(server).unwrap(), Method::CallTool, definition, standing).unwrap()
}

fn judge(tool: &Tool, arguments: &Value) -> Assessed {
    let facts = Facts::of(tool, arguments);
    let session = SessionFacts { untrusted: false, sensitive: false };
    assess(&facts, tool.standing(), session, &Provenance::default(), false, false)
}

/// What is wrong about a corpus's judgements, a line each.
fn wrong(corpus: &str) -> Vec<String> {
    let judged = corpus.lines().filter(|line| !line.trim().is_empty()).map(|line| {
        let row = value(line);
        let text = |pointer: &str| row.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let tool = tool(&text("/server"), row.get("tool").unwrap().clone(), Profile::default());
        let found = judge(&tool, row.get("arguments").unwrap_or(&Value::Null));
        let ids: Vec<&str> = found.reasons.iter().map(|reason| reason.id).collect();
        let reason = text("/expect/reason");
        let right =
            found.risk.as_str() == text("/expect/risk") && (reason.is_empty() || ids.contains(&reason.as_str()));
        let call =
            format!("{} {} {}", text("/server"), text("/tool/name"), row.get("arguments").unwrap_or(&Value::Null));
        (!right).then(|| format!("{call}: wanted {} {reason}, found {} {ids:?}", text("/expect/risk"), found.risk))
    });
    judged.flatten().collect()
}

#[test]
fn the_corpus_of_common_calls_is_judged_as_people_did() {
    let wrong = wrong(include_str!("../../tests/corpus/common.jsonl"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_held_out_corpus_is_judged_as_people_did() {
    let wrong = wrong(include_str!("../../tests/corpus/held-out.jsonl"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_corpus_of_hard_spellings_is_judged_as_people_did() {
    let wrong = wrong(include_str!("../../tests/corpus/adversarial.jsonl"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn with(profile: &str, server: &str, name: &str, arguments: &str) -> Assessed {
    let definition = value(&format!(r#"{{"name":"{name}"}}"#));
    judge(&tool(server, definition, serde_json::from_str(profile).unwrap()), &value(arguments))
}

#[test]
fn a_write_inside_the_declared_folders_is_medium_and_one_beside_them_high() {
    let scope = r#"{"scope":["/home/me/work"]}"#;
    for (name, arguments, risk) in [
        ("write_file", r#"{"path":"/home/me/work/a.txt","content":"x"}"#, "MEDIUM"),
        ("write_file", r#"{"path":"/home/me/work/sub/../a.txt","content":"x"}"#, "MEDIUM"),
        ("write_file", r#"{"path":"/home/me/workshop/a.txt","content":"x"}"#, "HIGH"),
        ("write_file", r#"{"path":"a.txt","content":"x"}"#, "HIGH"),
        ("write_file", r#"{"path":"~/work/a.txt","content":"x"}"#, "HIGH"),
        ("move_file", r#"{"source":"/home/me/work/a","destination":"/tmp/a"}"#, "HIGH"),
        ("move_file", r#"{"source":"/home/me/work/a","destination":"/home/me/work/b"}"#, "MEDIUM"),
        ("write_file", r#"{"path":"/home/me/work/../.bashrc","content":"x"}"#, "CRITICAL"),
        ("write_file", r#"{"path":"/home/me/work/.git/hooks/pre-commit","content":"x"}"#, "CRITICAL"),
        ("delete_file", r#"{"path":"/home/me/work/a"}"#, "CRITICAL"),
        ("read_file", r#"{"path":"/home/me/work/a"}"#, "LOW"),
        ("read_file", r#"{"path":"/home/you/a"}"#, "HIGH"),
        ("write_file", r#"{"path":"/home/me/work/a","content":"x","overwrite":true}"#, "CRITICAL"),
        ("run_command", r#"{"command":"touch /home/me/work/a"}"#, "MEDIUM"),
        ("run_command", r#"{"command":"touch /home/me/b"}"#, "HIGH"),
    ] {
        let found = with(scope, "files", name, arguments);
        assert_eq!(found.risk.as_str(), risk, "{name} {arguments}: {:?}", found.reasons);
    }
    let git = with(scope, "git", "git_commit", r#"{"repo_path":"/home/me/work/app","message":"Fix"}"#);
    assert_eq!(git.risk.as_str(), "MEDIUM", "{:?}", git.reasons);
    let added = with(scope, "git", "git_add", r#"{"repo_path":"/home/me/work/app","files":["a.rs"]}"#);
    assert_eq!(added.risk.as_str(), "MEDIUM", "{:?}", added.reasons);
}

#[test]
fn a_path_that_leaves_its_declared_folder_by_dots_is_a_traversal() {
    let found = with(r#"{"scope":["/home/me/work"]}"#, "files", "read_file", r#"{"path":"/home/me/work/../other/a"}"#);
    assert!(found.reasons.iter().any(|reason| reason.id == "path-traversal"), "{:?}", found.reasons);
}

#[test]
fn declared_hosts_and_recipients_are_told_from_others() {
    let profile = r#"{"hosts":["api.example.com"],"recipients":["@example.com"]}"#;
    for (name, arguments, risk) in [
        ("fetch", r#"{"url":"https://api.example.com/"}"#, "LOW"),
        ("fetch", r#"{"url":"https://example.com/"}"#, "HIGH"),
        ("send_email", r#"{"to":"ann@example.com","body":"x"}"#, "MEDIUM"),
        ("send_email", r#"{"to":"ann@example.com, eve@evil.test","body":"x"}"#, "HIGH"),
        ("send_email", r#"{"to":["ann@example.com"],"bcc":["eve@evil.test"],"body":"x"}"#, "HIGH"),
        ("send_email", r#"{"to":"ann@example.com@evil.test","body":"x"}"#, "HIGH"),
    ] {
        let found = with(profile, "net", name, arguments);
        assert_eq!(found.risk.as_str(), risk, "{name} {arguments}: {:?}", found.reasons);
    }
}

#[test]
fn the_operators_word_raises_and_a_server_that_he_vouches_for_may_settle_an_unknown() {
    assert_eq!(with(r#"{"risk":"HIGH"}"#, "x", "get_item", "{}").risk.as_str(), "HIGH");
    let definition = value(r#"{"name":"zorp","annotations":{"readOnlyHint":true}}"#);
    for (vouched, risk) in [(false, "HIGH"), (true, "LOW")] {
        let standing = Standing { pinned: true, vouched, profile: Arc::default() };
        let tool = Tool::new(ServerName::parse("x").unwrap(), Method::CallTool, definition.clone(), standing).unwrap();
        assert_eq!(judge(&tool, &value("{}")).risk.as_str(), risk);
    }
}

#[test]
fn reading_a_resource_reads_what_others_wrote_and_is_held_where_it_reads_keys() {
    for (uri, risk) in [
        ("memo://insights", "LOW"),
        ("file:///home/me/a.txt", "LOW"),
        ("file:///home/me/.ssh/id_rsa", "HIGH"),
        ("file:///a/../../etc/shadow", "CRITICAL"),
        ("http://169.254.169.254/", "CRITICAL"),
    ] {
        let definition = value(r#"{"name":"resources/read"}"#);
        let tool = Tool::new(
            ServerName::parse("x").unwrap(),
            Method::ReadResource,
            definition,
            Standing { pinned: true, ..Standing::default() },
        )
        .unwrap();
        let arguments = value(&format!(r#"{{"uri":"{uri}"}}"#));
        assert_eq!(judge(&tool, &arguments).risk.as_str(), risk, "{uri}");
        assert!(Facts::of(&tool, &arguments).reads.untrusted());
    }
}

#[test]
fn huge_arguments_are_judged_in_bounded_time() {
    let long = "a".repeat(1 << 17);
    let many: Vec<Value> = (0..50_000).map(Value::from).collect();
    let started = std::time::Instant::now();
    for key in [
        "path",
        "url",
        "sql",
        "command",
        "code",
        "to",
        "body",
        "query",
        "name",
        "action",
        "amount",
        "element",
        "host",
        "attachments",
    ] {
        for text in [
            long.clone(),
            "../".repeat(30_000),
            "$(".repeat(50_000),
            "'".repeat(1 << 17),
            "%25".repeat(30_000),
            "AKIA".repeat(20_000),
            "`".repeat(1 << 17),
            ";rm ".repeat(20_000),
            "[".repeat(1 << 17),
        ] {
            for name in ["run_command", "query", "browser_click", "send_email"] {
                let tool = tool("database", value(&format!(r#"{{"name":"{name}"}}"#)), Profile::default());
                drop(judge(&tool, &Value::from_iter_of(key, Value::from(text.as_str()))));
            }
        }
    }
    let tool = tool("x", value(r#"{"name":"get_item"}"#), Profile::default());
    assert_eq!(judge(&tool, &Value::from(many)).risk.as_str(), "HIGH", "what is not read whole is not harmless");
    assert!(started.elapsed() < std::time::Duration::from_mins(1), "{:?}", started.elapsed());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(400))]

    #[test]
    fn no_call_is_too_strange_to_be_judged(server in "[a-z]{1,8}", name in "\\PC{1,40}", key in "\\PC{0,20}", text in "\\PC{0,200}") {
        let mut definition = crate::canon::Object::new();
        definition.insert("name", name.as_str());
        definition.insert("description", text.as_str());
        let standing = Standing { pinned: true, vouched: false, profile: Arc::default() };
        if let Ok(tool) = Tool::new(ServerName::parse(&server).unwrap(), Method::CallTool, definition.into(), standing) {
            for key in [key.as_str(), "path", "url", "sql", "command", "code", "to", "action", "host", "element", "query"] {
                let found = judge(&tool, &Value::from_iter_of(key, Value::from(text.as_str())));
                assert!(!found.reasons.is_empty());
            }
        }
    }

    #[test]
    fn a_climb_is_seen_in_every_mix_of_spellings(parts in proptest::collection::vec((0usize..6, 0usize..5), 2..6)) {
        const DOTS: [&str; 6] = ["..", "%2e%2e", "%2E.", ".%2e", "%252e%252e", "\u{ff0e}\u{ff0e}"];
        const SLASHES: [&str; 5] = ["/", "\\", "%2f", "%5c", "//"];
        let path: String = parts.iter().flat_map(|(dot, slash)| [DOTS[*dot], SLASHES[*slash]]).chain(["etc/passwd"]).collect();
        assert!(path::Place::of(&path).climbs.is_some(), "{path}");
    }

    #[test]
    fn the_metadata_address_is_one_in_every_base(bases in proptest::collection::vec(0usize..4, 4), parts in 1usize..=4) {
        let octets = [169u32, 254, 169, 254];
        // The last part stands for all octets that are left.
        let (head, tail) = octets.split_at(parts - 1);
        let last = tail.iter().fold(0u32, |all, octet| (all << 8) | octet);
        let written = |number: u32, base: usize| match base { 0 => number.to_string(), 1 => format!("0x{number:x}"), 2 => format!("0X{number:08X}"), _ => format!("0{number:o}") };
        let host: Vec<String> = head.iter().copied().chain([last]).zip(&bases).map(|(number, base)| written(number, *base)).collect();
        let url = format!("http://{}/", host.join("."));
        assert_eq!(url::Address::parse(&url).map(|address| address.zone), Some(Zone::Metadata), "{url}");
    }
}

impl Value {
    fn from_iter_of(key: &str, value: Value) -> Value {
        let mut object = crate::canon::Object::new();
        object.insert(key, value);
        object.into()
    }
}

/// A tool of a guest that comes with the gateway, with one folder.
fn bundled(server: &str, definitions: &str, name: &str) -> Tool {
    let definitions = value(definitions);
    let tools = definitions.get("tools").and_then(Value::as_array).unwrap();
    let definition = tools.iter().find(|tool| tool.get("name").and_then(Value::as_str) == Some(name)).unwrap();
    let resources = r#"{"sandbox":"wasm","folders":[{"folder":"/state/files","at":"/files","writable":true}],
        "limits":{"time":{"secs":1,"nanos":0},"memory":1,"cpu":1,"output":1,"processes":1,"disk":1}}"#;
    let scope = vec![crate::profile::Folder::parse("/state/files").unwrap()];
    let profile = Profile::default().with_scope(scope).with_resources(serde_json::from_str(resources).unwrap());
    tool(server, definition.clone(), profile)
}

#[test]
fn the_tools_that_come_with_the_gateway_are_judged_by_the_folder_they_have() {
    let files = include_str!("../../../sandbox/guests/files/src/definitions.json");
    for (name, arguments, risk) in [
        ("list", "{}", "LOW"),
        ("read", r#"{"path":"a.txt"}"#, "LOW"),
        ("search", r#"{"text":"x","path":"b"}"#, "LOW"),
        ("write", r#"{"path":"a.txt","content":"x"}"#, "MEDIUM"),
        ("write", r#"{"path":"/files/a.txt","content":"x"}"#, "MEDIUM"),
        ("write", r#"{"path":"/srv/a.txt","content":"x"}"#, "HIGH"),
        ("write", r#"{"path":"a.txt","content":"x","overwrite":true}"#, "CRITICAL"),
        ("move", r#"{"path":"a.txt","new_path":"b/c.txt"}"#, "MEDIUM"),
        ("delete", r#"{"path":"a.txt"}"#, "CRITICAL"),
    ] {
        let found = judge(&bundled("files", files, name), &value(arguments));
        assert_eq!(found.risk.as_str(), risk, "{name} {arguments}: {:?}", found.reasons);
    }
    for (name, path) in [("read", "../x"), ("write", "a/../../x"), ("delete", "%2e%2e/x")] {
        let facts = Facts::of(&bundled("files", files, name), &value(&format!(r#"{{"path":"{path}","content":"x"}}"#)));
        assert!(facts.findings.iter().any(|found| found.effect == Effect::PathTraversal), "{path}");
    }
    let http = include_str!("../../../sandbox/guests/http/src/definitions.json");
    let fetch = Facts::of(&bundled("http", http, "fetch"), &value(r#"{"url":"https://example.com/a"}"#));
    assert!(fetch.verb == Verb::Read && fetch.reads.untrusted(), "{fetch:?}");
    let time = include_str!("../../../sandbox/guests/time/src/definitions.json");
    assert_eq!(judge(&bundled("time", time, "now"), &value("{}")).risk.as_str(), "LOW");
}
