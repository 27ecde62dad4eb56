//! `portcullis now`: how things are going, as the console plots it.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use policies::Risk;
use serde::Deserialize;
use serde_json::Value;

use super::Global;
use super::line::{Ink, Line};
use super::print::{self, Out, Trouble};
use super::table::Table;
use super::when::{Length, short};
use crate::operator::client::Client;
use crate::operator::health::Health;

/// See how things are going.
#[derive(Args)]
#[command(
    about = "See how things are going: whether the gate is well, calls, their latency, and who answers them",
    long_about = "Says how log and gate are and how many calls wait, and counts what happened, as the console's page *Now* plots it: calls by \
        verdict and by risk, how long they ran, what was redacted, \
        connections that sandboxes were denied; and for each operator how many calls they answered, how long those waited, and how many \
        were approved within three seconds, too soon to have been read.",
    after_help = "Examples:\n  portcullis now\n  portcullis now --last 7d --parts 7\n  portcullis now --json"
)]
pub(crate) struct NowCommand {
    /// How far back: `90m`, `8h`, `7d`; 31 days at most
    #[arg(long, value_name = "TIME", default_value = "1h")]
    last: Length,
    /// In how many parts of one length, at most: whole minutes, half hours, or three hours
    #[arg(long, value_name = "PARTS", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=500))]
    parts: u32,
}

/// What the gateway answers.
#[derive(Deserialize)]
struct Now {
    since: Timestamp,
    until: Timestamp,
    parts: Vec<Part>,
    operators: Vec<Load>,
    partial: bool,
}

#[derive(Deserialize)]
struct Part {
    decided: BTreeMap<String, BTreeMap<String, u64>>,
    ended: u64,
    p50: Option<f64>,
    p95: Option<f64>,
    redactions: u64,
    denied: u64,
}

#[derive(Deserialize)]
struct Load {
    operator: String,
    approved: u64,
    denied: u64,
    median: f64,
    hasty: u64,
}

impl NowCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let out = Out::stdout();
        let minutes = self.last.seconds() / 60;
        if minutes < 1 {
            return Err(Trouble::new("a minute is the least").next("portcullis now --last 1h").into());
        }
        super::block_on(async {
            let client = Client::connect(&global.state()?).await?;
            let params = vec![("minutes", Value::from(minutes)), ("parts", Value::from(self.parts))];
            let mut said: Value = global.ask_with(&client, "now", params).await?;
            let health: Health = client.ask("health", &[]).await?;
            if global.json {
                if let Some(members) = said.as_object_mut() {
                    members.insert("health".to_owned(), serde_json::to_value(&health)?);
                }
                print::json(&said)?;
            } else {
                out.line(&state(&health))?;
                out.say("")?;
                tell(&out, &serde_json::from_value(said)?)?;
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// How the gateway is, and what waits for whoever reads this.
fn state(health: &Health) -> Line {
    let word = |line: Line, what: &str, state: &str| {
        let ink = match state {
            "ok" => Ink::Good,
            "off" | "not tried yet" => Ink::Warning,
            _ => Ink::Alarm,
        };
        line.ours(format!("{what} ")).inked(ink, state).ours("; ")
    };
    let line = word(word(Line::new(), "log", &health.log), "gate", &health.liveness);
    match health.holds {
        0 => line.ours("no call waits"),
        1 => line.inked(Ink::Warning, "1 call waits: portcullis holds list"),
        holds => line.inked(Ink::Warning, format!("{holds} calls wait: portcullis holds list")),
    }
}

fn tell(out: &Out, now: &Now) -> anyhow::Result<()> {
    out.lines(&calls(now).lines(out.width()))?;
    if !now.operators.is_empty() {
        out.say("")?;
        let hours = now.until.duration_since(now.since).as_secs_f64() / 3600.0;
        out.lines(&answers(&now.operators, hours).lines(out.width()))?;
    }
    if now.partial {
        print::aside("there was more than is read at once: these are the newest records and answers");
    }
    Ok(())
}

fn calls(now: &Now) -> Table {
    let mut table = Table::new(&[
        "FROM",
        "ALLOWED",
        "HELD",
        "DENIED",
        "LOW",
        "MEDIUM",
        "HIGH",
        "CRITICAL",
        "ENDED",
        "P50 MS",
        "P95 MS",
        "REDACTED",
        "NOT CONNECTED",
    ]);
    let whole = now.until.duration_since(now.since);
    let length = whole / i32::try_from(now.parts.len().max(1)).unwrap_or(1);
    let mut begins = now.since;
    for part in &now.parts {
        let of = |verdict: &str| part.decided.get(verdict).map_or(0, |risks| risks.values().sum::<u64>());
        let risk = |risk: Risk| part.decided.values().filter_map(|risks| risks.get(risk.as_str())).sum::<u64>();
        let count = |ink: Ink, number: u64| match number {
            0 => Line::new().inked(Ink::Faint, "0"),
            number => Line::new().inked(ink, number.to_string()),
        };
        let time =
            |millis: Option<f64>| millis.map_or_else(Line::new, |millis| Line::new().ours(format!("{millis:.1}")));
        table.row(vec![
            Line::new().ours(short(begins, now.until, &TimeZone::system())),
            count(Ink::Good, of("allow")),
            count(Ink::Warning, of("hold")),
            count(Ink::Danger, of("deny")),
            count(Risk::Low.into(), risk(Risk::Low)),
            count(Risk::Medium.into(), risk(Risk::Medium)),
            count(Risk::High.into(), risk(Risk::High)),
            count(Risk::Critical.into(), risk(Risk::Critical)),
            count(Ink::Strong, part.ended),
            time(part.p50),
            time(part.p95),
            count(Ink::Strong, part.redactions),
            count(Ink::Alarm, part.denied),
        ]);
        begins = begins.checked_add(length).unwrap_or(now.until);
    }
    table
}

fn answers(loads: &[Load], hours: f64) -> Table {
    let mut table = Table::new(&["OPERATOR", "APPROVED", "DENIED", "PER HOUR", "MEDIAN WAIT", "UNDER 3 S"]);
    for load in loads {
        let hasty = if load.hasty > 0 { Ink::Warning } else { Ink::Faint };
        table.row(vec![
            Line::new().theirs(&load.operator),
            Line::new().ours(load.approved.to_string()),
            Line::new().ours(load.denied.to_string()),
            Line::new().ours(format!("{:.1}", per_hour(load, hours))),
            Line::new().ours(format!("{:.0} s", load.median)),
            Line::new().inked(hasty, load.hasty.to_string()),
        ]);
    }
    table
}

/// How many calls an operator answered in an hour: who answers hundreds reads none.
fn per_hour(load: &Load, hours: f64) -> f64 {
    let answers = u32::try_from(load.approved.saturating_add(load.denied)).unwrap_or(u32::MAX);
    if hours > 0.0 { f64::from(answers) / hours } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::line::text;

    #[test]
    fn each_part_is_a_row_and_an_operators_name_cannot_paint() {
        let said = serde_json::json!({"since": "2026-11-21T09:00:00Z", "until": "2026-11-21T10:00:00Z", "partial": false,
            "parts": [
                {"decided": {"allow": {"LOW": 7, "MEDIUM": 2}, "deny": {"HIGH": 1}}, "ended": 9, "p50": 1.25, "p95": 80.0, "redactions": 3, "denied": 0},
                {"decided": {}, "ended": 0, "redactions": 0, "denied": 4},
            ],
            "operators": [{"operator": "ann\u{1b}[2J", "approved": 3, "denied": 1, "median": 12.4, "hasty": 2}]});
        let now: Now = serde_json::from_value(said).unwrap();
        let rows = calls(&now).lines(None);
        assert_eq!(rows.len(), 3);
        let words: Vec<String> = rows.iter().map(ToString::to_string).collect();
        let cells = |row: usize| words[row].split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
        assert_eq!(cells(1), "9 0 1 7 2 1 0 9 1.2 80.0 3 0");
        assert_eq!(cells(2), "0 0 0 0 0 0 0 0 0 4");
        let answers = text(&answers(&now.operators, 0.5).lines(None));
        assert!(answers.contains("ann\\u{1b}[2J") && answers.contains("8.0"), "{answers}");
    }

    #[test]
    fn how_the_gateway_is_comes_first() {
        let health = |log: &str, holds: usize| {
            let text =
                format!(r#"{{"version":"1","log":"{log}","holds":{holds},"liveness":"ok","offered":1,"withheld":0}}"#);
            state(&serde_json::from_str(&text).unwrap()).to_string()
        };
        assert_eq!(health("ok", 0), "log ok; gate ok; no call waits");
        assert_eq!(health("the disk is full", 2), "log the disk is full; gate ok; 2 calls wait: portcullis holds list");
    }
}
