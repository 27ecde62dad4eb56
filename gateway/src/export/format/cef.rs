//! `ArcSight`'s Common Event Format: one line of names and of what happened; arguments and results have no place in it.
//!
//! ```text
//! CEF:0|Portcullis|Portcullis|0.1.0|refusal|denied|8|rt=1795774200123 suser=claude act=deny … cs6Label=leaf cs6=HASH
//! ```
//!
//! In the header `|` and `\` are escaped; in the extension `=`, `\` and line ends. What would move, hide or reorder text is spelled
//! out first: names are an agent's or a server's to choose.

use audit::{Decided, Kind, Leaf};

use super::meaning::{Meaning, Outcome, Who, verdict};
use super::{Severity, Source};
use crate::cli::text;

/// Readers of CEF cut longer values, anywhere.
const LONGEST: usize = 1_023;

/// The specification's own length of `externalId`: 160 bits of the leaf tell records apart. `cs6` has all of it.
const EXTERNAL: usize = 40;

/// A record as a line.
pub(super) fn line(leaf: &Leaf, meaning: &Meaning<'_>, source: &Source) -> String {
    let record = meaning.record;
    let signature = if record.kind == Kind::Event { meaning.action } else { record.kind.as_str() };
    let name = match (record.kind, record.verdict) {
        (Kind::Event | Kind::Intent | Kind::Outcome | Kind::Relay, _) | (_, None) => meaning.action,
        (Kind::Refusal | Kind::Hold | Kind::Step, Some(decided)) => verdict(decided),
    };
    let (signature, name, version) = (header(signature), header(name), env!("CARGO_PKG_VERSION"));
    let (severity, extension) = (severity(meaning.severity), extension(&fields(leaf, meaning, source)));
    format!("CEF:0|Portcullis|Portcullis|{version}|{signature}|{name}|{severity}|{extension}")
}

fn fields(leaf: &Leaf, meaning: &Meaning<'_>, source: &Source) -> Vec<(&'static str, String)> {
    let record = meaning.record;
    let hash = leaf.hash.to_string();
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let (role, who) = match meaning.who {
        Who::Agent(name) => ("agent", name),
        Who::Operator(name) => ("operator", name),
        Who::Gateway => ("gateway", "portcullis"),
    };
    let mut fields = vec![
        ("rt", record.at.as_millisecond().to_string()),
        ("dvchost", source.host.clone()),
        ("deviceExternalId", source.log.clone()),
        ("externalId", hash.chars().take(EXTERNAL).collect()),
        ("cat", record.kind.as_str().to_owned()),
        ("suser", who.to_owned()),
        ("spriv", role.to_owned()),
        ("src", meaning.peer.map(|peer| peer.to_string()).unwrap_or_default()),
        ("destinationServiceName", text(record.server.as_deref())),
        ("requestMethod", text(record.method.as_deref())),
        ("act", text(record.verdict.map(Decided::as_str))),
        ("outcome", text(Some(meaning.outcome.as_str()).filter(|_| meaning.outcome != Outcome::Unknown))),
        ("reason", meaning.reason.clone().unwrap_or_default()),
        ("msg", meaning.message.clone()),
        ("cn1", record.seq.to_string()),
        ("cn1Label", "seq".to_owned()),
    ];
    let custom = [
        ("cs1", "cs1Label", "risk", record.risk.map(|risk| risk.as_str().to_owned())),
        ("cs2", "cs2Label", "tool", record.tool.clone()),
        ("cs3", "cs3Label", "call", record.call.as_ref().map(|call| call.as_str().to_owned())),
        ("cs4", "cs4Label", "session", record.session.clone()),
        ("cs5", "cs5Label", "previous", leaf.before.map(|before| before.to_string())),
        ("cs6", "cs6Label", "leaf", Some(hash)),
    ];
    for (key, labelled, label, value) in custom {
        let Some(value) = value else { continue };
        fields.push((key, value));
        fields.push((labelled, label.to_owned()));
    }
    fields
}

/// From 0 to 10: 0–3 is low, 4–6 medium, 7–8 high, 9–10 very high.
fn severity(severity: Severity) -> u8 {
    match severity {
        Severity::Information => 1,
        Severity::Low => 3,
        Severity::Medium => 5,
        Severity::High => 8,
        Severity::Critical => 10,
    }
}

/// A field of the header: line ends may not stand there at all.
fn header(value: &str) -> String {
    lines(value).join(" ").replace('\\', "\\\\").replace('|', "\\|")
}

fn extension(fields: &[(&str, String)]) -> String {
    let given = fields.iter().filter(|(_, value)| !value.is_empty());
    given.map(|(key, value)| format!("{key}={}", escaped(value))).collect::<Vec<_>>().join(" ")
}

fn escaped(value: &str) -> String {
    lines(value).join("\n").replace('\\', "\\\\").replace('=', "\\=").replace('\n', "\\n")
}

/// Its lines, as long as readers take, each safe to show.
fn lines(value: &str) -> Vec<String> {
    let cut: String = value.chars().take(LONGEST).collect();
    cut.split(['\n', '\r']).map(text::harmless).collect()
}
