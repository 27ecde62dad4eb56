//! `portcullis now`: how things are going, as the console plots it.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;

use super::Global;
use super::line::{Ink, Line};
use super::print::{self, Out, Trouble};
use super::table::Table;
use super::when::{Length, short};
use crate::operator::client::Client;

/// See how things are going.
#[derive(Args)]
#[command(
    about = "See how things are going: calls, their latency, and who answers them",
    long_about = "Counts what happened, as the console's page *Now* plots it: calls by verdict, how long they ran, what was redacted, \
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
            let said: Value = global.ask_with(&client, "now", params).await?;
            if global.json {
                print::json(&said)?;
            } else {
                tell(&out, &serde_json::from_value(said)?)?;
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

fn tell(out: &Out, now: &Now) -> anyhow::Result<()> {
    out.lines(&calls(now).lines(out.width()))?;
    if !now.operators.is_empty() {
        out.say("")?;
        out.lines(&answers(&now.operators).lines(out.width()))?;
    }
    if now.partial {
        print::aside("there was more than is read at once: these are the newest records and answers");
    }
    Ok(())
}

fn calls(now: &Now) -> Table {
    let mut table =
        Table::new(&["FROM", "ALLOWED", "HELD", "DENIED", "ENDED", "P50 MS", "P95 MS", "REDACTED", "NOT CONNECTED"]);
    let whole = now.until.duration_since(now.since);
    let length = whole / i32::try_from(now.parts.len().max(1)).unwrap_or(1);
    let mut begins = now.since;
    for part in &now.parts {
        let of = |verdict: &str| part.decided.get(verdict).map_or(0, |risks| risks.values().sum::<u64>());
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

fn answers(loads: &[Load]) -> Table {
    let mut table = Table::new(&["OPERATOR", "APPROVED", "DENIED", "MEDIAN WAIT", "UNDER 3 S"]);
    for load in loads {
        let hasty = if load.hasty > 0 { Ink::Warning } else { Ink::Faint };
        table.row(vec![
            Line::new().theirs(&load.operator),
            Line::new().ours(load.approved.to_string()),
            Line::new().ours(load.denied.to_string()),
            Line::new().ours(format!("{:.0} s", load.median)),
            Line::new().inked(hasty, load.hasty.to_string()),
        ]);
    }
    table
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
        assert_eq!(cells(1), "9 0 1 9 1.2 80.0 3 0");
        assert_eq!(cells(2), "0 0 0 0 0 4");
        assert!(text(&answers(&now.operators).lines(None)).contains("ann\\u{1b}[2J"));
    }
}
