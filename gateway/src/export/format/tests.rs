use std::fs;
use std::path::Path;

use audit::{Found, Record};
use policies::{Hash, Limits};
use serde_json::Value;

use super::*;

/// A tool whose name tries everything that a format could trip over.
const HOSTILE: &str = "a|b\\c=d\"e\nf\r\u{202e}g cs6=0";

const CALL: &str = r#""call":"call-k3v7qx2m4n5p6r7s","agent":"claude","session":"agent","server":"files","#;

fn stored() -> Vec<(String, &'static str)> {
    let hostile = serde_json::to_string(HOSTILE).unwrap();
    let assessed = r#"{"assessment":{"risk":"HIGH","reasons":[{"id":"deletes","text":"`delete` deletes"},{"id":"x","text":"a | b = c"}],"facts":{"verb":"delete"}},"because":{"rule":"r"}}"#;
    let refused = r#"{"refused":{"rule":"guard|1","reason":"no = never\nat all","next":"ask"}}"#;
    let texts = [
        (r#""kind":"event","detail":{"event":"log-created","log":"24b0","replaces":false}"#.to_owned(), ""),
        (format!(r#""kind":"intent",{CALL}"tool":"delete","method":"tools/call","risk":"HIGH","verdict":"allow","detail":{assessed},"body":{{"bytes":14,"sha256":"{0}","kept":true}}"#, "ab".repeat(32)), r#"{"n":1.50e3}"#),
        (format!(r#""kind":"outcome",{CALL}"tool":"delete","method":"tools/call","risk":"HIGH","detail":{{"intent":2,"outcome":"answered","redactions":1}},"body":{{"bytes":60,"sha256":"{0}","kept":true}}"#, "cd".repeat(32)), r#"{"content":[{"type":"text","text":"[secret:github-token:7f3a]"}]}"#),
        (format!(r#""kind":"outcome",{CALL}"tool":"delete","method":"tools/call","risk":"LOW","detail":{{"intent":2,"outcome":"failed","failure":"out-of-time","detail":"the call's time ran out","redactions":0,"sandbox":{{"undeclared":true}}}}"#), ""),
        (format!(r#""kind":"refusal",{CALL}"tool":{hostile},"method":"tools/call","risk":"CRITICAL","verdict":"deny","detail":{refused}"#), ""),
        (format!(r#""kind":"hold",{CALL}"tool":"write","method":"tools/call","risk":"MEDIUM","verdict":"hold","detail":{{"hold":"hold-iyuatnmayct7xdjb","assessment":{{"facts":{{"verb":"write"}}}}}}"#), ""),
        (format!(r#""kind":"step",{CALL}"tool":"write","method":"tools/call","risk":"MEDIUM","detail":{{"hold":"hold-iyuatnmayct7xdjb","step":{{"step":"approve","by":"ann","reason":"fine"}},"state":"approved"}}"#), ""),
        (r#""kind":"event","detail":{"event":"authentication-failed","peer":"192.0.2.7:5151","reason":"unknown token"}"#.to_owned(), ""),
        (r#""kind":"event","agent":"claude","detail":{"event":"agent-added","name":"claude","by":"uid:root"}"#.to_owned(), ""),
        (r#""kind":"event","detail":{"event":"liveness-checked","passed":false,"failures":["it ran"]}"#.to_owned(), ""),
    ];
    texts.into_iter().collect()
}

fn leaves() -> Vec<Leaf> {
    let mut before = None;
    let leaf = |(at, (rest, body)): (usize, (String, &str))| {
        let seq = at + 1;
        let text = format!(r#"{{"v":2,"seq":{seq},"at":"2026-11-27T10:00:00.12345{at}Z",{rest}}}"#);
        let record = Record::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
        let body = (!body.is_empty()).then(|| policies::Value::parse(body.as_bytes(), &Limits::ANSWER).unwrap());
        let hash = Hash::of(text.as_bytes());
        let before = before.replace(hash);
        Leaf { hash, before, found: Found { record, body } }
    };
    stored().into_iter().enumerate().map(leaf).collect()
}

fn source() -> Source {
    Source { log: "portcullis/cb9eb6f7f4ac3215".to_owned(), host: "gate.example".to_owned() }
}

fn lines(format: Format) -> Vec<String> {
    leaves().iter().map(|leaf| line(format, leaf, &source()).unwrap()).collect()
}

fn objects(format: Format) -> Vec<Value> {
    lines(format).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// `PORTCULLIS_BLESS=1` writes them anew.
#[test]
fn every_format_is_what_it_was() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/export/format/golden");
    for format in Format::ALL {
        let file = folder.join(format!("records.{}", format.as_str()));
        let found: String = lines(format).iter().flat_map(|line| [line, "\n"]).collect();
        let found = found.replace(env!("CARGO_PKG_VERSION"), "VERSION");
        if std::env::var_os("PORTCULLIS_BLESS").is_some() {
            fs::write(&file, &found).unwrap();
        }
        assert_eq!(found, fs::read_to_string(&file).unwrap(), "{}", file.display());
    }
}

#[test]
fn every_line_is_one_line_and_shows_nothing_that_hides() {
    for format in Format::ALL {
        for line in lines(format) {
            assert!(!line.contains(['\n', '\r', '\u{202e}', '\u{1b}']), "{line}");
        }
    }
}

#[test]
fn json_is_the_record_as_the_log_shows_it_with_its_leaf() {
    for (leaf, line) in leaves().iter().zip(lines(Format::Json)) {
        let shown = serde_json::to_string(&leaf.found).unwrap();
        let begin = format!("{{\"log\":\"portcullis/cb9eb6f7f4ac3215\",\"leaf\":\"{}\",", leaf.hash);
        assert_eq!(line.strip_prefix(&begin).unwrap(), text::harmless_json(shown.strip_prefix('{').unwrap()));
    }
    // A number is spelled as its agent spelled it.
    assert!(lines(Format::Json)[1].contains("1.50e3") && lines(Format::Ocsf)[1].contains("1.50e3"));
    assert_eq!(objects(Format::Json)[4]["tool"], HOSTILE);
}

#[test]
fn an_ocsf_event_has_what_its_class_requires() {
    let mut before = None;
    for (leaf, event) in leaves().iter().zip(objects(Format::Ocsf)) {
        let number = |name: &str| event[name].as_u64().unwrap_or_else(|| panic!("no {name}: {event}"));
        assert_eq!((number("class_uid"), number("category_uid")), (6_003, 6));
        assert_eq!(number("type_uid"), 600_300 + number("activity_id"));
        assert!([0, 1, 2, 3, 4, 99].contains(&number("activity_id")) && (1..=5).contains(&number("severity_id")));
        assert!(number("status_id") <= 2 && number("time") == 1_795_773_600_123);
        assert_eq!(event["metadata"]["version"], "1.8.0");
        assert_eq!(event["metadata"]["product"]["vendor_name"], "Portcullis");
        assert_eq!(event["metadata"]["uid"], leaf.hash.to_string());
        let texts = [&event["actor"]["app_name"], &event["api"]["operation"], &event["src_endpoint"]["name"]];
        assert!(texts.iter().all(|text| text.as_str().is_some_and(|text| !text.is_empty())), "{event}");
        let attestation = &event["unmapped"]["record_integrity"]["attestation_list"][0];
        assert_eq!(attestation["fingerprint"]["value"], leaf.hash.to_string());
        assert_eq!(attestation["fingerprint"]["algorithm_id"], 3);
        assert_eq!(attestation["leaf_index"], leaf.found.record.seq - 1);
        let previous = attestation["prev_event"]["fingerprint"]["value"].as_str().map(str::to_owned);
        assert_eq!(previous, before.replace(leaf.hash.to_string()));
    }
    let activities: Vec<_> = objects(Format::Ocsf).iter().map(|event| event["activity_id"].clone()).collect();
    assert_eq!(activities[1..3], [4, 99]);
    assert_eq!(objects(Format::Ocsf)[7]["src_endpoint"]["ip"], "192.0.2.7");
}

#[test]
fn an_ecs_document_keeps_to_the_words_of_the_schema() {
    let allowed = |category: &str| -> &[&str] {
        match category {
            "api" => &[
                "access", "admin", "allowed", "change", "creation", "deletion", "denied", "end", "info", "start",
                "user",
            ],
            "authentication" | "process" => &["start", "end", "info"],
            "configuration" => &["access", "change", "creation", "deletion", "info"],
            "iam" => &["admin", "change", "creation", "deletion", "group", "info", "user"],
            other => panic!("`{other}` is no category that we use"),
        }
    };
    for (leaf, document) in leaves().iter().zip(objects(Format::Ecs)) {
        let event = &document["event"];
        let words = allowed(event["category"][0].as_str().unwrap());
        for found in event["type"].as_array().unwrap() {
            assert!(words.contains(&found.as_str().unwrap()), "{event}");
        }
        assert!(["success", "failure", "unknown"].contains(&event["outcome"].as_str().unwrap()));
        assert_eq!((&event["hash"], &event["id"]), (&document["portcullis"]["leaf"], &event["hash"]));
        assert_eq!(event["hash"], leaf.hash.to_string());
        assert_eq!(event["sequence"], leaf.found.record.seq);
        assert!(document["@timestamp"].as_str().unwrap().starts_with("2026-11-27T10:00:00.12345"));
    }
    let documents = objects(Format::Ecs);
    assert_eq!(documents[1]["gen_ai"]["tool"]["name"], "delete");
    assert_eq!(documents[1]["gen_ai"]["operation"]["name"], "execute_tool");
    assert_eq!((&documents[3]["event"]["kind"], &documents[9]["event"]["kind"]), (&"alert".into(), &"alert".into()));
    assert_eq!((&documents[6]["user"]["name"], &documents[6]["user"]["domain"]), (&"ann".into(), &"operator".into()));
}

/// As its specification reads it: seven bars that no backslash stands before, then keys and values.
fn read_cef(line: &str) -> (Vec<String>, Vec<(String, String)>) {
    let (mut header, mut field, mut rest) = (Vec::new(), String::new(), line.chars());
    while header.len() < 7 {
        match rest.next().unwrap() {
            '\\' => field.push(rest.next().unwrap()),
            '|' => header.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    let rest: String = rest.collect();
    let mut fields: Vec<(String, String)> = Vec::new();
    for word in rest.split(' ') {
        let pairs = word.match_indices('=').filter_map(|(at, _)| Some((word.get(..at)?, word.get(at + 1..)?)));
        let pair = pairs.into_iter().find(|(key, _)| !key.ends_with('\\'));
        match (pair, fields.last_mut()) {
            (Some((key, value)), _) => fields.push((key.to_owned(), value.to_owned())),
            (None, Some((_, value))) => {
                value.push(' ');
                value.push_str(word);
            }
            (None, None) => panic!("{line}"),
        }
    }
    let plain = |value: String| value.replace("\\n", "\n").replace("\\=", "=").replace("\\\\", "\\");
    (header, fields.into_iter().map(|(key, value)| (key, plain(value))).collect())
}

#[test]
fn nothing_that_an_agent_names_becomes_a_field_of_cef() {
    let line = &lines(Format::Cef)[4];
    let (header, fields) = read_cef(line);
    assert_eq!(header[..2], ["CEF:0", "Portcullis"]);
    assert_eq!(header[4..], ["refusal", "denied", "10"]);
    let value = |key: &str| {
        let found: Vec<&str> = fields.iter().filter(|(name, _)| name == key).map(|(_, value)| value.as_str()).collect();
        assert_eq!(found.len(), 1, "{key}: {line}");
        found[0].to_owned()
    };
    let leaf = leaves()[4].hash.to_string();
    assert_eq!(value("cs6"), leaf);
    assert_eq!(Some(value("externalId").as_str()), leaf.get(..40));
    assert_eq!(value("reason"), "no = never\nat all");
    assert!(value("cs2").starts_with("a|b"), "{line}");
    assert_eq!((value("suser"), value("act"), value("cn1")), ("claude".into(), "deny".into(), "5".into()));
}

#[test]
fn a_record_that_is_too_long_keeps_its_names_and_says_that_it_was_shortened() {
    let mut leaf = leaves().remove(1);
    leaf.found.record.detail.as_object_mut().unwrap().insert("long", "x".repeat(2_000));
    let form = Form { format: Format::Json, longest: Some(1_500) };
    let short = form.line(&leaf, &source()).unwrap();
    let value: Value = serde_json::from_str(&short.text).unwrap();
    assert_eq!((&value["detail"]["shortened"], &value["tool"]), (&true.into(), &"delete".into()));
    assert!(value["detail"].get("long").is_none() && value.get("body").is_none());
    assert_eq!(value["leaf"], leaf.hash.to_string());
    assert!(form.line(&leaves()[1], &source()).unwrap().text.contains("1.50e3"));
}
