//! `portcullis why`: what became of a call, and why.

use std::process::ExitCode;

use audit::{Decided, Found, Kind, Life};
use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use policies::{Risk, Value};
use serde::{Serialize, Serializer};

use super::Global;
use super::line::{Ink, Line};
use super::log::{self, row};
use super::print::{self, Out, Trouble};
use super::when::long;

/// Say what became of a call, and why.
#[derive(Args)]
#[command(
    about = "Say what became of a call, and why",
    long_about = "Says what became of a call, and why: its risk with the reasons, the policies that decided, where its arguments came from, who \
        answered it, and how it ended.\n\n\
        The log is asked, so no gateway need run. `portcullis log show` has all that the records say.",
    after_help = "Examples:\n  portcullis why call-k3v7qx2m4n5p6r7s\n  portcullis why hold-olrs76zetnwtaili --json\n  portcullis why 4711"
)]
pub(crate) struct WhyCommand {
    /// A call's or a hold's id, or the beginning of one, or the number of one of its records
    #[arg(value_name = "ID")]
    id: String,
}

/// What became of a call.
#[derive(Serialize)]
struct Why {
    call: Option<String>,
    agent: Option<String>,
    tool: String,
    risk: Option<Risk>,
    reasons: Vec<String>,
    /// What was decided, each with the policies that did.
    decided: Vec<Decision>,
    /// Where values came from that were seen before, by their place in the arguments.
    came_from: Vec<(String, String)>,
    /// What happened, the oldest first.
    happened: Vec<Happened>,
    /// The rule that refused it, why, and what the agent was told to do.
    refused: Option<[String; 3]>,
}

#[derive(Serialize)]
struct Decision {
    at: Timestamp,
    #[serde(serialize_with = "name")]
    verdict: Decided,
    policies: Vec<String>,
}

#[derive(Serialize)]
struct Happened {
    at: Timestamp,
    record: u64,
    #[serde(serialize_with = "text")]
    what: Line,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn name<S: Serializer>(verdict: &Decided, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(verdict.as_str())
}

fn text<S: Serializer>(line: &Line, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(line)
}

impl WhyCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let life = log::life(global, &self.id)?;
        let why = Why::of(&life).ok_or_else(|| {
            let what = format!("{} is no call: no decision was asked for", self.id);
            Trouble::new(what).next(format!("portcullis log show {}", self.id))
        })?;
        if global.json {
            print::json(&why)?;
        } else {
            let out = Out::stdout();
            out.lines(&why.lines(&TimeZone::system(), out.text_width()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Why {
    /// `None` for what is no call.
    fn of(life: &Life) -> Option<Self> {
        let assessed = |found: &&Found| found.record.detail.get("assessment").is_some();
        // A call that is held is looked at again when it runs: what counts is what was found last.
        let last = &life.records.iter().rfind(assessed)?.record;
        let list = |pointer: &str| last.detail.pointer(pointer).and_then(Value::as_array).unwrap_or_default();
        let reasons = list("/assessment/reasons").iter().filter_map(|reason| reason.get("text")?.as_str());
        let tool = [last.server.as_deref(), last.tool.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(".");
        let came_from = last.detail.pointer("/assessment/provenance").and_then(Value::as_object);
        let came_from = came_from.into_iter().flat_map(policies::Object::iter).filter_map(|(place, from)| {
            let seen = from.as_str() != Some("unseen");
            seen.then(|| (place.to_owned(), from.as_str().map_or_else(|| from.to_string(), str::to_owned)))
        });
        let refused = life.records.iter().rev().find_map(|found| {
            let refused = found.record.detail.get("refused")?;
            let text = |name: &str| refused.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            Some([text("rule"), text("reason"), text("next")])
        });
        Some(Self {
            call: last.call.as_ref().map(ToString::to_string),
            agent: last.agent.clone(),
            tool,
            risk: last.risk,
            reasons: reasons.map(str::to_owned).collect(),
            decided: life.records.iter().filter_map(decision).collect(),
            came_from: came_from.collect(),
            happened: life.records.iter().map(happened).collect(),
            refused,
        })
    }

    fn lines(&self, zone: &TimeZone, width: usize) -> Vec<Line> {
        let mut lines = Vec::new();
        let head = Line::new().inked(Ink::Faint, self.call.as_deref().unwrap_or_default()).ours("  ");
        let head = head.theirs(self.agent.as_deref().unwrap_or("somebody")).ours(" asked for ");
        lines.push(head.theirs_in(Ink::Strong, &self.tool));
        let mut part = |name: &str, line: Line| {
            let named = Line::new().ours("  ").inked(Ink::Faint, format!("{name:<10}")).then(line);
            lines.extend(named.wrap(width, &Line::new().ours(" ".repeat(12))));
        };
        if let Some(risk) = self.risk {
            part("risk", Line::new().inked(risk.into(), risk.as_str()));
        }
        for reason in &self.reasons {
            part("because", Line::new().theirs(reason));
        }
        for (place, from) in &self.came_from {
            part("seen", Line::new().theirs(place).ours(": ").theirs(from));
        }
        for decision in &self.decided {
            let by = Line::new().ours(" by ").theirs(&decision.policies.join(", "));
            part("decided", row::verdict(decision.verdict).then(by));
        }
        for happened in &self.happened {
            let when = Line::new().inked(Ink::Faint, long(happened.at, zone));
            part("", when.ours("  ").then(happened.what.clone()));
        }
        if let Some([rule, reason, next]) = &self.refused {
            part("refused", Line::new().theirs(rule).ours(": ").theirs(reason));
            part("told", Line::new().theirs(next));
        }
        lines
    }
}

fn decision(found: &Found) -> Option<Decision> {
    let record = &found.record;
    let verdict = record.verdict?;
    let policies = record.detail.pointer("/assessment/policies").and_then(Value::as_array)?;
    let policies = policies.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    Some(Decision { at: record.at, verdict, policies })
}

fn happened(found: &Found) -> Happened {
    let record = &found.record;
    let reason = record.detail.pointer("/step/reason").and_then(Value::as_str);
    let what = match (record.kind, reason) {
        (Kind::Step, Some(reason)) => row::what(found).ours(": ").theirs(reason),
        (_, _) => row::what(found),
    };
    Happened { at: record.at, record: record.seq, what }
}

#[cfg(test)]
mod tests {
    use audit::Record;

    use super::*;
    use crate::cli::line;

    fn life(records: &[&str]) -> Life {
        let found = |json: &&str| Found { record: Record::parse(json.as_bytes()).unwrap(), body: None };
        Life { call: None, records: records.iter().map(found).collect() }
    }

    const HELD: &str = r#"{"v":1,"seq":7,"at":"2026-11-21T09:30:00Z","kind":"hold","call":"call-abcdefghijklmnop","agent":"claude",
        "session":"s","server":"mail","tool":"send\u001b[2J","method":"tools/call","risk":"HIGH","verdict":"hold","detail":{"hold":"hold-abcdefghijklmnop",
        "assessment":{"risk":"HIGH","reasons":[{"id":"sends","text":"`send` sends to \u202eeve"}],"provenance":{"/to":"untrusted","/text":"unseen"},
        "policies":["agents-may-ask"]}}}"#;
    const DENIED: &str = r#"{"v":1,"seq":8,"at":"2026-11-21T09:31:00Z","kind":"step","call":"call-abcdefghijklmnop","agent":"claude","detail":{
        "hold":"hold-abcdefghijklmnop","step":{"step":"deny","by":"ann","reason":"not to eve"}}}"#;
    const TOLD: &str = r#"{"v":1,"seq":9,"at":"2026-11-21T09:31:01Z","kind":"refusal","call":"call-abcdefghijklmnop","agent":"claude",
        "detail":{"refused":{"rule":"denied","reason":"An operator denied it.","next":"Ask them."}}}"#;

    #[test]
    fn a_denied_call_is_told_with_its_reasons_and_cannot_paint() {
        let why = Why::of(&life(&[HELD, DENIED, TOLD])).unwrap();
        let said = line::text(&why.lines(&TimeZone::UTC, 100));
        for part in [
            "claude asked for mail.send\\u{1b}[2J",
            "HIGH",
            "because   `send` sends to \\u{202e}eve",
            "seen      /to: untrusted",
            "hold by agents-may-ask",
            "deny by ann hold-abcdefghijklmnop: not to eve",
            "refused   denied: An operator denied it.",
            "told      Ask them.",
        ] {
            assert!(said.contains(part), "{part} is not in\n{said}");
        }
        assert!(!said.contains("/text"), "what was not seen before came from nowhere:\n{said}");
        let json = serde_json::to_value(&why).unwrap();
        assert_eq!(json["refused"][0], "denied");
        assert_eq!(json["decided"][0]["policies"][0], "agents-may-ask");
    }

    #[test]
    fn what_is_no_call_has_no_why() {
        let event = r#"{"v":1,"seq":1,"at":"2026-11-21T09:30:00Z","kind":"event","detail":{"event":"started"}}"#;
        assert!(Why::of(&life(&[event])).is_none());
    }
}
