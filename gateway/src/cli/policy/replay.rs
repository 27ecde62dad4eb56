//! `portcullis policy replay`: what changed policies would have decided about calls that were recorded.

use std::path::PathBuf;

use audit::Decided;
use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;

use crate::cli::Global;
use crate::cli::line::Line;
use crate::cli::log::row;
use crate::cli::print::{self, Out, Trouble};
use crate::cli::table::Table;
use crate::cli::when::short;
use crate::clock;
use crate::operator::client::Client;

#[derive(Args)]
pub(super) struct ReplayArgs {
    /// The changed policies, in place of the files that the config names; several are taken together
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Over so many of the last recorded calls, 2000 at most
    #[arg(long, value_name = "CALLS", default_value_t = 500)]
    last: usize,
}

/// What the gateway answers.
#[derive(Deserialize)]
struct Replayed {
    calls: usize,
    skipped: usize,
    differ: Vec<Value>,
    differing: usize,
}

/// A call that would have been decided otherwise.
#[derive(Deserialize)]
struct Differs {
    at: Timestamp,
    call: String,
    agent: String,
    server: String,
    tool: String,
    now: Said,
    then: Said,
}

#[derive(Deserialize)]
struct Said {
    verdict: String,
    policies: Vec<String>,
}

impl ReplayArgs {
    pub(super) async fn run(self, global: &Global, out: &Out) -> anyhow::Result<()> {
        let mut text = String::new();
        for file in &self.files {
            let read = std::fs::read_to_string(file);
            text += &read.map_err(|error| Trouble::new(format!("cannot read {}", file.display())).because(error))?;
            text.push('\n');
        }
        let client = Client::connect(&global.state()?).await?;
        let params = vec![("text", Value::from(text)), ("last", Value::from(self.last))];
        let replayed: Replayed = global.ask_with(&client, "policies_replay", params).await?;
        if global.json {
            return replayed.differ.iter().try_for_each(print::json);
        }
        let rows: Vec<Differs> = replayed.differ.into_iter().map(serde_json::from_value).collect::<Result<_, _>>()?;
        if !rows.is_empty() {
            out.lines(&table(&rows, clock::now()).lines(out.width()))?;
        }
        let Replayed { calls, skipped, differing, .. } = replayed;
        out.say(format!("{differing} of {calls} recorded calls would be decided otherwise"))?;
        if skipped > 0 {
            print::aside(format!(
                "{skipped} more cannot be decided again: their arguments were not kept, or cannot be read"
            ));
        }
        if differing > rows.len() {
            print::aside(format!("the newest {} are shown", rows.len()));
        }
        Ok(())
    }
}

fn table(rows: &[Differs], now: Timestamp) -> Table {
    let mut table = Table::new(&["TIME", "AGENT", "TOOL", "NOW", "THEN", "BY", "CALL"]);
    for differs in rows {
        let verdict = |name: &str| Decided::parse(name).map_or_else(|| Line::new().theirs(name), row::verdict);
        table.row(vec![
            Line::new().ours(short(differs.at, now, &TimeZone::system())),
            Line::new().theirs(&differs.agent),
            Line::new().theirs(&differs.server).ours(".").theirs(&differs.tool),
            verdict(&differs.now.verdict),
            verdict(&differs.then.verdict),
            Line::new().theirs(&differs.then.policies.join(", ")),
            Line::new().ours(&differs.call),
        ]);
    }
    table
}
