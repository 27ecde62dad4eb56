//! A secret in any encoding, cut anywhere, does not pass.
#![expect(clippy::string_slice, reason = "a wrong place fails the test")]

use std::collections::BTreeMap;
use std::sync::Arc;

use audit::{Raw, Redactor};
use policies::{Limits, Value};
use serde_json::Value as Json;

use super::encoded::{encoded, nested, redactor};

fn field<'r>(row: &'r Json, name: &str) -> &'r str {
    row[name].as_str().unwrap()
}

/// The text without replacements.
fn without_tags(text: &str) -> String {
    let mut rest = text;
    let mut out = String::new();
    while let Some(start) = rest.find("[secret:") {
        out.push_str(&rest[..start]);
        rest = &rest[start + rest[start..].find(']').unwrap() + 1..];
    }
    out + rest
}

/// Whether of the encoded secret less is left than eight of its characters, and the words around it are there but for a few words
/// that chance made part of the encoding.
fn is_clean(row: &Json, redacted: &str) -> bool {
    const CHANCE: usize = 48;
    let (secret, encoded) = (field(row, "secret"), field(row, "encoded"));
    let (before, after) = (field(row, "before"), field(row, "after"));
    let left = without_tags(redacted);
    let kept = left
        .chars()
        .zip(before.chars())
        .take_while(|(left, before)| left == before)
        .map(|(char, _)| char.len_utf8())
        .sum::<usize>();
    let rest = &left[kept..];
    let pairs = rest.bytes().rev().zip(after.bytes().rev());
    let kept_after = pairs.take_while(|(left, after)| left == after).count();
    // What fills up a group is of no secret.
    let middle = rest.get(..rest.len() - kept_after).unwrap_or(rest).replace("%3D", "").replace('=', "");
    let whole = kept + CHANCE >= before.len() && kept_after + CHANCE >= after.len();
    // What surrounds the secret inside of its encoding is not the secret.
    let around = usize::try_from(row["around"].as_u64().unwrap()).unwrap();
    let own = encoded.len().saturating_sub(around);
    let most = (own * 7 / secret.len()).max(7) + around;
    redacted.contains("[secret:") && whole && middle.len() <= most && !left.contains(encoded) && !left.contains(secret)
}

fn failures(rows: &[Json], redact: impl Fn(&Redactor, &Json) -> String) -> BTreeMap<String, (usize, String)> {
    let mut failures: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for row in rows {
        let redactor = redactor();
        let _learned = redactor.learn(field(row, "secret").as_bytes());
        let redacted = redact(&redactor, row);
        if !is_clean(row, &redacted) {
            let shown = format!("{row} => {redacted}");
            failures.entry(field(row, "name").to_owned()).or_insert((0, shown)).0 += 1;
        }
    }
    failures
}

fn joined(row: &Json) -> String {
    row["chunks"].as_array().unwrap().iter().map(|chunk| chunk.as_str().unwrap()).collect()
}

fn assert_none(failures: &BTreeMap<String, (usize, String)>) {
    for (name, (count, row)) in failures {
        println!("{name}: {count} times, such as {row}\n");
    }
    assert!(failures.is_empty(), "{:?}", failures.keys());
}

#[test]
fn no_encoding_of_a_live_secret_passes() {
    let rows = encoded(200, 41);
    let names: std::collections::BTreeSet<&str> = rows.iter().map(|row| field(row, "name")).collect();
    assert!(names.len() >= 50, "{}", names.len());
    assert_none(&failures(&rows, |redactor, row| redactor.redact_text(&joined(row)).into_owned()));
}

#[test]
fn no_encoding_of_an_encoding_passes() {
    let rows = [nested(40, 47, 2), nested(20, 48, 3)].concat();
    assert_none(&failures(&rows, |redactor, row| redactor.redact_text(&joined(row)).into_owned()));
}

#[test]
fn no_encoding_that_is_split_over_the_blocks_of_an_answer_passes() {
    let failures = failures(&encoded(30, 42), |redactor, row| {
        let block = |chunk: &Json| serde_json::json!({"type": "text", "text": chunk});
        let blocks: Vec<Json> = row["chunks"].as_array().unwrap().iter().map(block).collect();
        let value = serde_json::json!({"content": blocks, "isError": false}).to_string();
        let raw = Raw::new(Value::parse(value.as_bytes(), &Limits::ANSWER).unwrap());
        let redacted = redactor.redact(raw).into_value();
        let blocks = redacted.get("content").cloned();
        let Some(Value::Array(blocks)) = blocks else { panic!("{redacted}") };
        blocks.iter().map(|block| block.get("text").and_then(Value::as_str).unwrap()).collect()
    });
    assert_none(&failures);
}

#[test]
fn no_encoding_passes_in_a_stream_of_pieces() {
    let failures = failures(&encoded(10, 43), |_, row| {
        let redactor = Arc::new(redactor());
        let _learned = redactor.learn(field(row, "secret").as_bytes());
        let mut stream = redactor.stream();
        let mut shown = String::new();
        let noise = "nothing to see in this line of output\n".repeat(500);
        shown += &stream.push(&noise).unwrap();
        for chunk in row["chunks"].as_array().unwrap() {
            shown += &stream.push(chunk.as_str().unwrap()).unwrap();
        }
        shown += &stream.push(&noise).unwrap();
        shown += &stream.flush().unwrap();
        shown.strip_prefix(&noise).and_then(|shown| shown.strip_suffix(&noise)).unwrap_or_default().to_owned()
    });
    assert_none(&failures);
}

#[test]
fn a_secret_among_a_thousand_is_found_and_named_by_itself() {
    let rows = encoded(10, 44);
    let redactor = redactor();
    let others: Vec<_> =
        (0..1_000).map(|number| redactor.learn(format!("other-secret-number-{number:08x}-kept").as_bytes())).collect();
    for row in &rows {
        let _learned = redactor.learn(field(row, "secret").as_bytes());
        let (text, plain) = (joined(row), field(row, "secret"));
        let found = redactor.find(&text).unwrap();
        let wanted = &redactor.find(plain).unwrap()[0].fingerprint;
        assert!(found.iter().any(|finding| finding.fingerprint == *wanted), "{row}");
    }
    drop(others);
}
