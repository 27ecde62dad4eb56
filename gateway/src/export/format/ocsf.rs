//! OCSF 1.8.0: API Activity (class 6003), with the profile `security_control`.
//!
//! The profile `record_integrity` comes with 1.9, which is not released: its attestation stands in `unmapped`, in its shape, so that
//! an event is valid by 1.8.0 and whoever reads 1.9 finds what it needs. `raw_data` is the whole record.

use audit::{Decided, Leaf};
use policies::Hash;
use serde::Serialize;

use super::meaning::{Meaning, Outcome, Who};
use super::{Severity, Source};

const VERSION: &str = "1.8.0";
const CLASS: u32 = 6_003;

#[derive(Serialize)]
pub(super) struct Event<'a> {
    activity_id: u32,
    activity_name: &'a str,
    category_uid: u32,
    category_name: &'static str,
    class_uid: u32,
    class_name: &'static str,
    type_uid: u32,
    type_name: String,
    /// In milliseconds.
    time: i64,
    severity_id: u32,
    severity: &'static str,
    status_id: u32,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_detail: Option<&'a str>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    action_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    metadata: Metadata<'a>,
    actor: Actor<'a>,
    api: Api<'a>,
    src_endpoint: Endpoint<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dst_endpoint: Option<Service<'a>>,
    unmapped: Unmapped<'a>,
    raw_data: &'a str,
}

#[derive(Serialize)]
struct Metadata<'a> {
    version: &'static str,
    product: Product,
    profiles: [&'static str; 1],
    uid: Hash,
    sequence: u64,
    log_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_uid: Option<&'a str>,
}

#[derive(Serialize)]
struct Product {
    name: &'static str,
    vendor_name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Actor<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User<'a>>,
    app_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Uid<'a>>,
}

#[derive(Serialize)]
struct User<'a> {
    name: &'a str,
    type_id: u32,
    r#type: &'static str,
}

#[derive(Serialize)]
struct Uid<'a> {
    uid: &'a str,
}

#[derive(Serialize)]
struct Name<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Api<'a> {
    operation: &'a str,
    service: Name<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Name<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Uid<'a>>,
}

#[derive(Serialize)]
struct Endpoint<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<std::net::IpAddr>,
}

#[derive(Serialize)]
struct Service<'a> {
    svc_name: &'a str,
}

#[derive(Serialize)]
struct Unmapped<'a> {
    record_integrity: Integrity<'a>,
}

#[derive(Serialize)]
struct Integrity<'a> {
    attestation_list: [Attestation<'a>; 1],
}

#[derive(Serialize)]
struct Attestation<'a> {
    uid: String,
    authority_uid: &'a str,
    chain_uid: &'a str,
    fingerprint: Fingerprint,
    #[serde(skip_serializing_if = "Option::is_none")]
    prev_event: Option<Previous>,
    /// Where the fingerprint stands in the tree that the log's checkpoints sign.
    leaf_index: u64,
}

#[derive(Serialize)]
struct Previous {
    uid: Hash,
    fingerprint: Fingerprint,
}

#[derive(Serialize)]
struct Fingerprint {
    algorithm_id: u32,
    algorithm: &'static str,
    value: Hash,
}

/// A record as an event.
pub(super) fn event<'a>(leaf: &Leaf, meaning: &'a Meaning<'a>, source: &'a Source, raw_data: &'a str) -> Event<'a> {
    let record = meaning.record;
    let (activity_id, activity_name) = activity(meaning);
    let (status_id, status) = match meaning.outcome {
        Outcome::Success => (1, "Success"),
        Outcome::Failure => (2, "Failure"),
        Outcome::Unknown => (0, "Unknown"),
    };
    let (action_id, action) = record.verdict.map(action).unzip();
    Event {
        activity_id,
        activity_name,
        category_uid: 6,
        category_name: "Application Activity",
        class_uid: CLASS,
        class_name: "API Activity",
        type_uid: CLASS * 100 + activity_id,
        type_name: format!("API Activity: {}", if activity_id == 99 { "Other" } else { activity_name }),
        time: record.at.as_millisecond(),
        severity_id: meaning.severity as u32,
        severity: severity(meaning.severity),
        status_id,
        status,
        status_detail: meaning.reason.as_deref(),
        message: &meaning.message,
        action_id,
        action,
        metadata: Metadata {
            version: VERSION,
            product: Product { name: "Portcullis", vendor_name: "Portcullis", version: env!("CARGO_PKG_VERSION") },
            profiles: ["security_control"],
            uid: leaf.hash,
            sequence: record.seq,
            log_name: &source.log,
            correlation_uid: record.call.as_ref().map(policies::CallId::as_str),
        },
        actor: actor(meaning),
        api: Api {
            operation: meaning.action,
            service: Name { name: record.server.as_deref().unwrap_or("portcullis") },
            group: record.method.as_deref().map(|name| Name { name }),
            request: record.call.as_ref().map(|call| Uid { uid: call.as_str() }),
        },
        src_endpoint: Endpoint { name: meaning.who.name(), ip: meaning.peer },
        dst_endpoint: record.server.as_deref().map(|svc_name| Service { svc_name }),
        unmapped: Unmapped { record_integrity: integrity(leaf, source) },
        raw_data,
    }
}

/// What a tool does to things, as far as the classifier found; else the record's kind.
fn activity<'a>(meaning: &Meaning<'a>) -> (u32, &'a str) {
    match meaning.verb {
        Some("read") => (2, "Read"),
        Some("write" | "overwrite") => (3, "Update"),
        Some("delete") => (4, "Delete"),
        Some(other) => (99, other),
        None => (99, meaning.record.kind.as_str()),
    }
}

fn action(verdict: Decided) -> (u32, &'static str) {
    match verdict {
        Decided::Allow => (1, "Allowed"),
        Decided::Deny => (2, "Denied"),
        // Nobody has decided yet.
        Decided::Hold => (0, "Unknown"),
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Information => "Informational",
        Severity::Low => "Low",
        Severity::Medium => "Medium",
        Severity::High => "High",
        Severity::Critical => "Critical",
    }
}

fn actor<'a>(meaning: &'a Meaning<'a>) -> Actor<'a> {
    let user = match meaning.who {
        Who::Agent(name) => Some(User { name, type_id: 99, r#type: "Agent" }),
        Who::Operator(name) => Some(User { name, type_id: 1, r#type: "User" }),
        Who::Gateway => None,
    };
    let session = meaning.record.session.as_deref().map(|uid| Uid { uid });
    Actor { user, app_name: meaning.who.name(), session }
}

fn integrity<'a>(leaf: &Leaf, source: &'a Source) -> Integrity<'a> {
    let seq = leaf.found.record.seq;
    let fingerprint = |value| Fingerprint { algorithm_id: 3, algorithm: "SHA-256", value };
    let attestation = Attestation {
        uid: format!("{}#{seq}", source.log),
        authority_uid: &source.log,
        chain_uid: &source.log,
        fingerprint: fingerprint(leaf.hash),
        prev_event: leaf.before.map(|before| Previous { uid: before, fingerprint: fingerprint(before) }),
        leaf_index: seq.saturating_sub(1),
    };
    Integrity { attestation_list: [attestation] }
}
