//! Recorded calls as rows that can be decided again.

use std::collections::{HashMap, HashSet};

use audit::{Audit, Filter, Found, Kind, QueryError, Reader, Record};
use jiff::Timestamp;
use policies::{CallId, Method, Object, ServerName, Value};
use serde::Serialize;

use crate::liveness;

/// A recorded call.
#[derive(Clone, Serialize)]
pub(super) struct Recorded {
    seq: u64,
    at: Timestamp,
    call: CallId,
    agent: String,
    server: String,
    tool: String,
    /// What was decided about it when it was made.
    was: &'static str,
}

/// The last calls, the oldest first, and how many of them cannot be decided again.
pub(super) fn rows(log: &Reader, audit: &Audit, last: usize) -> Result<(Vec<(Recorded, Value)>, usize), QueryError> {
    let decided = Filter { kinds: vec![Kind::Intent, Kind::Refusal, Kind::Hold], ..newest(last.saturating_mul(2)) };
    let mut decided = log.list(&decided)?;
    decided.reverse();
    let mut results = results(log, last)?;
    let (mut seen, mut rows, mut skipped) = (HashSet::new(), Vec::new(), 0);
    for found in &decided {
        // A held call is decided again when it runs: what was decided first is what counts.
        let Some(call) = found.record.call.clone().filter(|call| seen.insert(call.clone())) else { continue };
        if found.record.server.as_deref() == Some(liveness::SERVER) {
            continue;
        }
        let result = results.remove(&call);
        match row(audit, found, call, result) {
            Some(row) => rows.push(row),
            None => skipped += 1,
        }
    }
    Ok((rows.split_off(rows.len().saturating_sub(last)), skipped))
}

fn newest(limit: usize) -> Filter {
    Filter { limit: Some(limit), ..Filter::default() }
}

/// What calls answered: the calls after them have seen it.
fn results(log: &Reader, last: usize) -> Result<HashMap<CallId, Value>, QueryError> {
    let ended = log.list(&Filter { kinds: vec![Kind::Outcome], ..newest(last) })?;
    Ok(ended.into_iter().filter_map(|found| Some((found.record.call?, found.body?))).collect())
}

fn row(audit: &Audit, found: &Found, call: CallId, result: Option<Value>) -> Option<(Recorded, Value)> {
    let record = &found.record;
    let (agent, server) = (record.agent.clone()?, record.server.clone()?);
    let (tool, was) = (record.tool.clone()?, record.verdict?.as_str());
    let mut row = Object::new();
    row.insert("session", record.session.as_deref().unwrap_or("-"));
    row.insert("agent", agent.as_str());
    row.insert("server", server.as_str());
    row.insert("tool", definition(audit, record, &server, &tool));
    row.insert("arguments", found.body.clone()?);
    if let Some(result) = result {
        row.insert("result", result);
    }
    let recorded = Recorded { seq: record.seq, at: record.at, call, agent, server, tool, was };
    Some((recorded, Value::Object(row)))
}

/// As it is pinned today: the record has only the hash of what it was. MCP's other requests go by their own names.
fn definition(audit: &Audit, record: &Record, server: &str, tool: &str) -> Value {
    let method = record.method.as_deref().unwrap_or_default();
    if method != Method::CallTool.as_str() {
        return Value::String(method.to_owned());
    }
    let pin = ServerName::parse(server).ok().and_then(|server| audit.pin(&server, Method::CallTool, tool));
    pin.map_or_else(|| Value::String(tool.to_owned()), |pin| pin.definition)
}
