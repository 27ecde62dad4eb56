//! `Message`: what a person is told of a held call: who, what, how risky, until when, and where to answer. Never an argument.
//! And of a gate that does not hold: what the gateway found when it tried itself. And of broken glass: who let a call run
//! without the others, not why.

use audit::Redactor;
use jiff::Timestamp;
use policies::Hash;
use policies::approval::{Hold, Review};
use policies::risk::Risk;
use serde::Serialize;

use crate::cli::text;
use crate::liveness::Failing;

/// What a person is to be told of.
#[derive(Clone, Debug)]
pub(super) enum Subject {
    /// A call waits for them.
    Hold(Box<Hold>),
    /// Somebody let a call run without the others who were to be asked.
    Glass(Box<Review>),
    /// The gate does not hold.
    Gate(Failing),
    /// A witness of this name says, since then, that the log is not what it signed.
    Log(String, (Timestamp, String)),
}

/// What a person is told.
#[derive(Clone, Debug)]
pub struct Message {
    /// The same each time that it is sent: whoever takes it twice can tell.
    id: String,
    /// One line.
    title: String,
    /// Some lines.
    lines: Vec<String>,
    /// How much it matters.
    risk: Option<Risk>,
    event: Event,
}

/// The same for programs, in the form that Standard Webhooks recommends.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Event {
    r#type: &'static str,
    timestamp: Timestamp,
    data: Data,
}

#[derive(Clone, Debug, Default, Serialize)]
struct Data {
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    risk: Option<Risk>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failures: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

impl Subject {
    /// What tells it from every other one.
    pub(super) fn id(&self) -> String {
        match self {
            Self::Hold(hold) => hold.id().to_string(),
            Self::Glass(review) => format!("glass-{}", review.hold),
            Self::Gate(failing) => format!("gate-{}", failing.since.as_second()),
            Self::Log(witness, (since, _)) => {
                let witness = Hash::of(witness.as_bytes()).to_string();
                format!("log-{}-{}", witness.chars().take(12).collect::<String>(), since.as_second())
            }
        }
    }
}

impl Message {
    /// What is said of a subject.
    pub(super) fn of(subject: &Subject, channel: &str, console: Option<&str>, redactor: &Redactor) -> Self {
        // Servers name their own tools: a name may hold anything.
        let shown = |text: &str| text::harmless(&redactor.redact_text(text));
        let id = format!("{}-{channel}", subject.id());
        match subject {
            Subject::Hold(hold) => Self::of_hold(id, hold, console, shown),
            Subject::Glass(review) => Self::of_glass(id, review, console, shown),
            Subject::Gate(failing) => Self::of_gate(id, failing, console, shown),
            Subject::Log(witness, conflict) => Self::of_log(id, witness, conflict, console, shown),
        }
    }

    /// Everything in it is the same each time.
    fn of_hold(message: String, hold: &Hold, console: Option<&str>, shown: impl Fn(&str) -> String) -> Self {
        let (agent, tool) = (shown(hold.agent().as_str()), shown(&format!("{}.{}", hold.server(), hold.tool())));
        let (risk, id) = (hold.risk(), hold.id());
        let link = console.map(|console| format!("{console}/#holds/{id}"));
        let answer = match &link {
            Some(link) => format!("Answer: {link}"),
            None => format!("Answer: portcullis holds show {id}"),
        };
        let lines = vec![
            format!("Agent: {agent}"),
            format!("Tool: {tool}"),
            format!("Risk: {risk}"),
            format!("Until: {}", hold.expires().strftime("%Y-%m-%d %H:%M:%S UTC")),
            answer,
        ];
        Self {
            id: message,
            title: format!("{risk}: {agent} wants to call {tool}"),
            lines,
            risk: Some(risk),
            event: Event {
                r#type: "hold.opened",
                timestamp: hold.opened(),
                data: Data {
                    hold: Some(id.to_string()),
                    agent: Some(agent),
                    tool: Some(tool),
                    risk: Some(risk),
                    expires: Some(hold.expires()),
                    link,
                    ..Data::default()
                },
            },
        }
    }

    /// Whose call ran and who let it: everything in it is the same each time.
    fn of_glass(message: String, review: &Review, console: Option<&str>, shown: impl Fn(&str) -> String) -> Self {
        let (agent, tool) = (shown(review.agent.as_str()), shown(&format!("{}.{}", review.server, review.tool)));
        let (by, risk, id) = (shown(review.glass.by.as_str()), review.risk, &review.hold);
        let link = console.map(|console| format!("{console}/#now"));
        let see = match &link {
            Some(link) => format!("Review: {link}"),
            None => "Review: portcullis reviews".to_owned(),
        };
        let lines = vec![
            format!("By: {by}, without the others who were to be asked"),
            format!("Agent: {agent}"),
            format!("Tool: {tool}"),
            format!("Risk: {risk}"),
            format!("At: {}", review.glass.at.strftime("%Y-%m-%d %H:%M:%S UTC")),
            see,
        ];
        Self {
            id: message,
            title: format!("ALERT: {by} broke the glass: {agent} may call {tool}"),
            lines,
            risk: Some(Risk::Critical),
            event: Event {
                r#type: "glass.broken",
                timestamp: review.glass.at,
                data: Data {
                    hold: Some(id.to_string()),
                    by: Some(by),
                    agent: Some(agent),
                    tool: Some(tool),
                    risk: Some(risk),
                    link,
                    ..Data::default()
                },
            },
        }
    }

    fn of_gate(message: String, failing: &Failing, console: Option<&str>, shown: impl Fn(&str) -> String) -> Self {
        let failures: Vec<String> = failing.failures.iter().map(|failure| shown(failure)).collect();
        let link = console.map(|console| format!("{console}/#now"));
        let see = link.as_deref().unwrap_or("portcullis doctor");
        let since = format!("Since: {}", failing.since.strftime("%Y-%m-%d %H:%M:%S UTC"));
        Self {
            id: message,
            title: "ALERT: the gate does not hold".to_owned(),
            lines: failures.iter().cloned().chain([since, format!("See: {see}")]).collect(),
            risk: Some(Risk::Critical),
            event: Event {
                r#type: "gate.failing",
                timestamp: failing.since,
                data: Data { failures: Some(failures), link, ..Data::default() },
            },
        }
    }

    fn of_log(
        message: String,
        witness: &str,
        (since, why): &(Timestamp, String),
        console: Option<&str>,
        shown: impl Fn(&str) -> String,
    ) -> Self {
        let (said, link) = (format!("{}: {}", shown(witness), shown(why)), console.map(|at| format!("{at}/#now")));
        let see = link.as_deref().unwrap_or("portcullis doctor");
        let when = format!("Since: {}", since.strftime("%Y-%m-%d %H:%M:%S UTC"));
        Self {
            id: message,
            title: "ALERT: the log is not what a witness signed".to_owned(),
            lines: vec![said.clone(), when, format!("See: {see}")],
            risk: Some(Risk::Critical),
            event: Event {
                r#type: "log.conflict",
                timestamp: *since,
                data: Data { failures: Some(vec![said]), link, ..Data::default() },
            },
        }
    }

    /// What is said to try a channel out. `unique` tells one try from another.
    #[must_use]
    pub fn test(channel: &str, unique: &str, now: Timestamp) -> Self {
        Self {
            id: format!("test-{unique}-{channel}"),
            title: "Portcullis: a test".to_owned(),
            lines: vec![format!("The channel {channel} works: held calls are told here.")],
            risk: None,
            event: Event { r#type: "test", timestamp: now, data: Data::default() },
        }
    }

    /// The same each time that it is sent.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// One line.
    pub(super) fn title(&self) -> &str {
        &self.title
    }

    /// Some lines, without the title.
    pub(super) fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// Where a person reads it all and answers, once they have signed in.
    pub(super) fn link(&self) -> Option<&str> {
        self.event.data.link.as_deref()
    }

    pub(super) fn risk(&self) -> Option<Risk> {
        self.risk
    }

    /// When it came to be told.
    pub(super) fn at(&self) -> Timestamp {
        self.event.timestamp
    }

    pub(super) fn event(&self) -> &Event {
        &self.event
    }
}
