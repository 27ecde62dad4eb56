//! What redaction costs. Run by `just bench-redact`.
#![expect(
    clippy::string_slice,
    clippy::cast_precision_loss,
    reason = "a wrong place fails, and megabytes a second are no money"
)]

use std::time::Instant;

use audit::Raw;
use policies::{Limits, Value};

use super::encoded::{encoded, redactor};

fn message(text: &str) -> Value {
    let text = serde_json::json!({"content": [{"type": "text", "text": text}], "isError": false}).to_string();
    Value::parse(text.as_bytes(), &Limits::ANSWER).unwrap()
}

/// What tools answer: prose, code, JSON, paths, ids.
fn sample(bytes: usize) -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/entry.rs");
    let code = std::fs::read_to_string(file).unwrap();
    let json = serde_json::json!({"id": "550e8400-e29b-41d4-a716-446655440000", "path": "/srv/data/report-2026.csv", "rows": 1204,
        "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "ok": true, "by": "ann@example.com"});
    let prose =
        "All tests passed in 3.2 s. See the report for details; the next run starts tomorrow at noon. ".repeat(40);
    let part = format!("{prose}\n{code}\n{}\n", serde_json::to_string_pretty(&json).unwrap().repeat(20));
    part.repeat(bytes / part.len() + 1)
}

#[test]
#[ignore = "prints times: run it with --release --nocapture"]
fn megabytes_a_second_with_a_thousand_live_secrets() {
    let secrets: Vec<String> = {
        let rows = encoded(1_000, 46);
        let mut secrets: Vec<String> = rows.iter().map(|row| row["secret"].as_str().unwrap().to_owned()).collect();
        secrets.dedup();
        secrets
    };
    // Of thirty characters and more, as tokens are; passwords of twelve to twenty-four need shorter windows.
    for (name, least) in [("tokens of 30 characters and more", 30), ("secrets of 12 characters and more", 12)] {
        let redactor = redactor();
        let chosen: Vec<&String> = secrets.iter().filter(|secret| secret.len() >= least).cycle().take(1_000).collect();
        let numbered: Vec<String> =
            chosen.iter().enumerate().map(|(number, secret)| format!("{secret}{number:04}")).collect();
        let started = Instant::now();
        let _learned: Vec<_> = numbered.iter().map(|secret| redactor.learn(secret.as_bytes())).collect();
        println!("{name}: the index of {} is built in {:?}", numbered.len(), started.elapsed());

        let text = sample(8 << 20);
        drop(redactor.find(&text).unwrap());
        let started = Instant::now();
        drop(redactor.find(&text).unwrap());
        let seconds = started.elapsed().as_secs_f64();
        println!("  text: {:.0} MB/s", text.len() as f64 / 1e6 / seconds);
        let value = message(&text);
        let started = Instant::now();
        drop(redactor.redact(Raw::new(value)));
        println!("  answer: {:.0} MB/s", text.len() as f64 / 1e6 / started.elapsed().as_secs_f64());

        let small = message(&text[..2_000]);
        let copies: Vec<Raw> = (0..2_000).map(|_| Raw::new(small.clone())).collect();
        let started = Instant::now();
        for raw in copies {
            drop(redactor.redact(raw));
        }
        println!("  a message of 2 KB: {:?}", started.elapsed() / 2_000);
    }
    let redactor = redactor();
    let text = sample(8 << 20);
    let started = Instant::now();
    drop(redactor.find(&text).unwrap());
    println!("no live secret: {:.0} MB/s", text.len() as f64 / 1e6 / started.elapsed().as_secs_f64());
}
