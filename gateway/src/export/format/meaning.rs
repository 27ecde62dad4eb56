//! `Meaning`: what a record says, in the few words that SIEMs sort by: who, what, on what, how it ended.

use std::net::{IpAddr, SocketAddr};

use audit::{Decided, Found, Kind, Record};
use policies::Value;
use policies::risk::Risk;

use super::Severity;

/// What a record says.
pub(super) struct Meaning<'a> {
    pub(super) record: &'a Record,
    /// Who did it.
    pub(super) who: Who<'a>,
    /// What was done: the tool, or the name of the event.
    pub(super) action: &'a str,
    /// What the tool does, as the classifier found.
    pub(super) verb: Option<&'a str>,
    pub(super) outcome: Outcome,
    pub(super) severity: Severity,
    /// Why, in the words of the record.
    pub(super) reason: Option<String>,
    /// One sentence for people.
    pub(super) message: String,
    /// Where the connection came from, where that is recorded.
    pub(super) peer: Option<IpAddr>,
}

/// Who did what a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who<'a> {
    Agent(&'a str),
    Operator(&'a str),
    /// The gateway itself.
    Gateway,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Success,
    Failure,
    /// It has not ended, or nobody knows.
    Unknown,
}

impl Outcome {
    /// The word for it in most SIEMs.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Unknown => "unknown",
        }
    }
}

impl Who<'_> {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Agent(name) | Self::Operator(name) => name,
            Self::Gateway => "portcullis",
        }
    }
}

impl<'a> Meaning<'a> {
    pub(super) fn of(found: &'a Found) -> Self {
        let record = &found.record;
        let action = if record.kind == Kind::Event {
            text(record, "/event").unwrap_or("event")
        } else {
            record.tool.as_deref().or(record.method.as_deref()).unwrap_or(record.kind.as_str())
        };
        let (outcome, reason) = (outcome(found, action), reason(record));
        let who = who(record);
        Self {
            record,
            who,
            action,
            verb: text(record, "/assessment/facts/verb"),
            outcome,
            severity: severity(record, action, outcome),
            message: message(record, who, action, reason.as_deref()),
            reason,
            peer: text(record, "/peer").and_then(address),
        }
    }
}

/// A text of the record's detail.
pub(super) fn text<'a>(record: &'a Record, pointer: &str) -> Option<&'a str> {
    record.detail.pointer(pointer).and_then(Value::as_str)
}

/// People answer holds and change things; agents call.
fn who(record: &Record) -> Who<'_> {
    let person = match record.kind {
        // A call's id stands there when a hold is consumed.
        Kind::Step => text(record, "/step/by").filter(|by| !by.starts_with("call-")),
        Kind::Event => text(record, "/by"),
        Kind::Intent | Kind::Outcome | Kind::Refusal | Kind::Hold | Kind::Relay => None,
    };
    match (person, record.agent.as_deref()) {
        (Some(person), _) => Who::Operator(person),
        (None, Some(agent)) if record.kind != Kind::Step => Who::Agent(agent),
        (None, _) => Who::Gateway,
    }
}

fn outcome(found: &Found, event: &str) -> Outcome {
    let record = &found.record;
    match record.kind {
        Kind::Outcome => {
            let erred = found.body.as_ref().and_then(|body| body.get("isError")).and_then(Value::as_bool) == Some(true);
            if text(record, "/outcome") == Some("answered") && !erred { Outcome::Success } else { Outcome::Failure }
        }
        Kind::Refusal => Outcome::Failure,
        Kind::Intent | Kind::Hold | Kind::Step | Kind::Relay => Outcome::Unknown,
        Kind::Event => {
            let told = |pointer: &str| record.detail.pointer(pointer).and_then(Value::as_bool);
            let failed = FAILURES.contains(&event)
                || (event == "liveness-checked" && told("/passed") == Some(false))
                || (event == "log-outage" && told("/over") != Some(true));
            if failed { Outcome::Failure } else { Outcome::Success }
        }
    }
}

/// Events that say that something did not come to be.
const FAILURES: [&str; 8] = [
    "authentication-failed",
    "request-refused",
    "pin-refused",
    "passkey-refused",
    "sign-in-refused",
    "reload-refused",
    "answer-refused",
    "answer-withheld",
];

fn severity(record: &Record, event: &str, outcome: Outcome) -> Severity {
    let undeclared = record.detail.pointer("/sandbox/undeclared").and_then(Value::as_bool) == Some(true);
    let found = match (record.risk, record.kind) {
        (Some(Risk::Critical), _) => Severity::Critical,
        (Some(Risk::High), _) => Severity::High,
        (Some(Risk::Medium), _) => Severity::Medium,
        (Some(Risk::Low), _) => Severity::Low,
        (None, Kind::Event) if outcome == Outcome::Failure => match event {
            "liveness-checked" => Severity::Critical,
            "log-outage" | "answer-withheld" => Severity::High,
            _ => Severity::Medium,
        },
        (None, _) => Severity::Information,
    };
    if undeclared { found.max(Severity::High) } else { found }
}

fn reason(record: &Record) -> Option<String> {
    let single = ["/refused/reason", "/step/reason", "/step/why", "/reason", "/failure", "/detail"];
    let single = single.into_iter().find_map(|pointer| text(record, pointer)).map(str::to_owned);
    single.or_else(|| {
        let reasons = record.detail.pointer("/assessment/reasons").and_then(Value::as_array)?;
        let texts: Vec<&str> =
            reasons.iter().filter_map(|reason| reason.get("text")).filter_map(Value::as_str).collect();
        (!texts.is_empty()).then(|| texts.join("; "))
    })
}

fn message(record: &Record, who: Who<'_>, action: &str, reason: Option<&str>) -> String {
    let (who, because) = (who.name(), reason.map(|reason| format!(": {reason}")).unwrap_or_default());
    let server = record.server.as_deref().map(|server| format!("{server}.")).unwrap_or_default();
    let what = format!("{server}{action}");
    match record.kind {
        Kind::Intent => format!("{who} calls {what}"),
        Kind::Outcome => format!("{what} for {who}: {}{because}", text(record, "/outcome").unwrap_or("ended")),
        Kind::Refusal => format!("{who} was denied {what}{because}"),
        Kind::Hold => format!("{who} waits for a person to allow {what}{because}"),
        Kind::Step => {
            let step = text(record, "/step/step").or_else(|| text(record, "/step")).unwrap_or("changed");
            format!("the hold on {what}: {step} by {who}{because}")
        }
        Kind::Relay => format!("a message between {what} and {who}"),
        Kind::Event => format!("{action} ({who}){because}"),
    }
}

/// An address, or an address and a port.
fn address(text: &str) -> Option<IpAddr> {
    let socket = text.parse::<SocketAddr>().map(|socket| socket.ip());
    socket.or_else(|_| text.parse()).ok()
}

/// The word for a verdict in most SIEMs.
pub(super) fn verdict(verdict: Decided) -> &'static str {
    match verdict {
        Decided::Allow => "allowed",
        Decided::Hold => "held",
        Decided::Deny => "denied",
    }
}
