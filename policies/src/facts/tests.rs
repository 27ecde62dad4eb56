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
        let right = found.risk.as_str() == text("/expect/risk") && (reason.is_empty() || ids.contains(&reason.as_str()));
        let call = format!("{} {} {}", text("/server"), text("/tool/name"), row.get("arguments").unwrap_or(&Value::Null));
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
