//! The Elastic Common Schema, 8.17: `event`, `user`, `source`, `service`, `gen_ai`; the whole record as one text in
//! `event.original`.

use std::net::IpAddr;

use audit::{Decided, Kind, Leaf};
use policies::Hash;
use serde::Serialize;

use super::Source;
use super::meaning::{Meaning, Outcome, Who, text, verdict};

const VERSION: &str = "8.17.0";

#[derive(Serialize)]
pub(super) struct Document<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: String,
    ecs: Version,
    message: &'a str,
    event: Event<'a>,
    observer: Observer,
    host: Name<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Address>,
    service: Name<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gen_ai: Option<GenAi<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Error<'a>>,
    portcullis: Portcullis<'a>,
}

#[derive(Serialize)]
struct Version {
    version: &'static str,
}

#[derive(Serialize)]
struct Name<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Event<'a> {
    /// What tells it from every other one.
    id: Hash,
    hash: Hash,
    sequence: u64,
    kind: &'static str,
    category: [&'static str; 1],
    r#type: Vec<&'static str>,
    outcome: &'static str,
    action: &'a str,
    module: &'static str,
    dataset: &'static str,
    severity: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    original: &'a str,
}

#[derive(Serialize)]
struct Observer {
    vendor: &'static str,
    product: &'static str,
    version: &'static str,
    r#type: &'static str,
}

#[derive(Serialize)]
struct User<'a> {
    name: &'a str,
    domain: &'static str,
}

#[derive(Serialize)]
struct Address {
    ip: IpAddr,
    address: String,
}

#[derive(Serialize)]
struct GenAi<'a> {
    operation: Name<'static>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<Name<'a>>,
    tool: Tool<'a>,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<Id<'a>>,
}

#[derive(Serialize)]
struct Id<'a> {
    id: &'a str,
}

#[derive(Serialize)]
struct Error<'a> {
    message: &'a str,
}

#[derive(Serialize)]
struct Portcullis<'a> {
    log: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<Hash>,
    leaf_index: u64,
    leaf: Hash,
    seq: u64,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    risk: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'static str>,
}

/// A record as a document.
pub(super) fn document<'a>(
    leaf: &Leaf,
    meaning: &'a Meaning<'a>,
    source: &'a Source,
    original: &'a str,
) -> Document<'a> {
    let record = meaning.record;
    let (category, types) = class(meaning);
    let failure = meaning.outcome == Outcome::Failure && record.kind == Kind::Outcome;
    let agent = record.agent.as_deref().map(|name| Name { name });
    let call = record.call.as_ref().map(|call| Id { id: call.as_str() });
    let tool = record.tool.as_deref().filter(|_| record.method.as_deref() == Some("tools/call"));
    Document {
        timestamp: format!("{:.6}", record.at),
        ecs: Version { version: VERSION },
        message: &meaning.message,
        event: Event {
            id: leaf.hash,
            hash: leaf.hash,
            sequence: record.seq,
            kind: if alerts(meaning) { "alert" } else { "event" },
            category: [category],
            r#type: types,
            outcome: meaning.outcome.as_str(),
            action: if record.kind == Kind::Event { meaning.action } else { record.kind.as_str() },
            module: "portcullis",
            dataset: "portcullis.audit",
            severity: meaning.severity as u32,
            reason: meaning.reason.as_deref(),
            original,
        },
        observer: Observer {
            vendor: "Portcullis",
            product: "Portcullis",
            version: env!("CARGO_PKG_VERSION"),
            r#type: "gateway",
        },
        host: Name { name: &source.host },
        user: match meaning.who {
            Who::Agent(name) => Some(User { name, domain: "agent" }),
            Who::Operator(name) => Some(User { name, domain: "operator" }),
            Who::Gateway => None,
        },
        source: meaning.peer.map(|ip| Address { ip, address: ip.to_string() }),
        service: Name { name: record.server.as_deref().unwrap_or("portcullis") },
        gen_ai: tool.map(|name| GenAi {
            operation: Name { name: "execute_tool" },
            agent,
            tool: Tool { name, r#type: "function", call },
        }),
        error: meaning.reason.as_deref().filter(|_| failure).map(|message| Error { message }),
        portcullis: Portcullis {
            log: &source.log,
            previous: leaf.before,
            leaf_index: record.seq.saturating_sub(1),
            leaf: leaf.hash,
            seq: record.seq,
            kind: record.kind.as_str(),
            call: record.call.as_ref().map(policies::CallId::as_str),
            session: record.session.as_deref(),
            method: record.method.as_deref(),
            risk: record.risk.map(policies::risk::Risk::as_str),
            verdict: record.verdict.map(Decided::as_str),
        },
    }
}

/// A gate that does not hold, a log that cannot be written, a tool that tried what it had not declared.
fn alerts(meaning: &Meaning<'_>) -> bool {
    let watched = ["liveness-checked", "log-outage"].contains(&meaning.action);
    let undeclared = meaning.record.detail.pointer("/sandbox/undeclared").and_then(policies::Value::as_bool);
    (watched && meaning.outcome == Outcome::Failure) || undeclared == Some(true)
}

/// Words that ECS allows, and no others: `event.category`, and the `event.type`s of that category.
fn class(meaning: &Meaning<'_>) -> (&'static str, Vec<&'static str>) {
    let decided = match meaning.record.verdict {
        Some(Decided::Hold) | None => None,
        Some(other) => Some(verdict(other)),
    };
    match meaning.record.kind {
        Kind::Intent => ("api", ["start"].into_iter().chain(decided).collect()),
        Kind::Outcome => ("api", vec!["end"]),
        Kind::Refusal => ("api", ["access"].into_iter().chain(decided).collect()),
        Kind::Hold | Kind::Relay => ("api", vec!["info"]),
        Kind::Step => match text(meaning.record, "/step/step") {
            Some("approve") => ("api", vec!["admin", "allowed"]),
            Some("deny") => ("api", vec!["admin", "denied"]),
            Some(_) | None => ("api", vec!["info"]),
        },
        Kind::Event => of_event(meaning.action),
    }
}

fn of_event(event: &str) -> (&'static str, Vec<&'static str>) {
    match event {
        "authentication-failed"
        | "pin-refused"
        | "pin-accepted"
        | "passkey-refused"
        | "passkey-used"
        | "signed-in"
        | "sign-in-refused"
        | "operator-seen" => ("authentication", vec!["start"]),
        "signed-out" => ("authentication", vec!["end"]),
        "agent-added" | "operator-added" => ("iam", vec!["user", "creation"]),
        "agent-removed" | "operator-removed" => ("iam", vec!["user", "deletion"]),
        "pin-changed" | "passkey-added" | "passkey-removed" | "delegation-made" | "delegation-ended" => {
            ("iam", vec!["user", "change"])
        }
        "request-refused" | "answer-refused" => ("api", vec!["access", "denied"]),
        "started" => ("process", vec!["start"]),
        "stopped" => ("process", vec!["end"]),
        "tool-pinned" | "package-added" | "log-created" => ("configuration", vec!["creation"]),
        "package-removed" | "pass-revoked" => ("configuration", vec!["deletion"]),
        "tool-changed" | "tool-accepted" | "tool-restored" | "quarantine-lifted" | "secret-changed"
        | "policies-loaded" | "reload-refused" | "server-changed" => ("configuration", vec!["change"]),
        _ => ("api", vec!["info"]),
    }
}
