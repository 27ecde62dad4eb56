//! `portcullis policy`: which policies are in force, what changed ones would have decided, and what those that only watch would have
//! changed.

mod replay;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use serde_json::Value;

use super::Global;
use super::line::{Ink, Line};
use super::print::{self, Out};
use super::table::Table;
use super::when::{When, long};
use crate::clock;
use crate::operator::client::Client;
use crate::operator::observed::Observations;
use crate::operator::rows::ObservedRow;

/// Try policies out before they decide.
#[derive(Args)]
#[command(
    about = "Show the policies in force, and try changed ones out before they decide",
    long_about = "Shows the policies in force, decides recorded calls again by changed ones, and says what policies that only watch would \
        have changed.\n\n\
        A policy is observed if it says so, `@mode(\"observe\")`, or if `[policy] observe` in portcullis.toml lists its id. It \
        is asked about each call and decides nothing. `portcullis log list` shows beside each call what it would have done."
)]
pub(crate) struct PolicyCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show the policies in force
    Show,
    /// See what changed policies would have decided about recorded calls
    #[command(
        long_about = "Decides the last recorded calls again, by the policies in force and by those of FILE in place of the config's own, and \
            shows the calls about which they differ, the newest first. Nothing runs and nothing changes.\n\n\
            Each call is decided with what its session had read by then, as far as results were kept, and by the tool as it is defined \
            today.",
        after_help = "Examples:\n  portcullis policy replay stricter.cedar\n  portcullis policy replay stricter.cedar --last 2000 --json"
    )]
    Replay(replay::ReplayArgs),
    /// Count what each observed policy would have changed
    #[command(
        long_about = "Counts, for each observed policy, the calls that it alone would have had allowed, held or denied, each call \
            as it was decided last, and the approvals that it would have refused.",
        after_help = "Examples:\n  portcullis policy observed\n  portcullis policy observed --since 7d --json"
    )]
    Observed {
        /// Not before this time: `2h`, `7d` (ago), a day `2026-11-20`, or an instant
        #[arg(long, value_name = "TIME")]
        since: Option<When>,
    },
}

impl PolicyCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let out = Out::stdout();
        super::block_on(async {
            let since = match self.action {
                Action::Show => {
                    let client = Client::connect(&global.state()?).await?;
                    show(global, &out, &global.ask_with(&client, "policies_show", Vec::new()).await?)?;
                    return Ok(ExitCode::SUCCESS);
                }
                Action::Replay(wanted) => {
                    wanted.run(global, &out).await?;
                    return Ok(ExitCode::SUCCESS);
                }
                Action::Observed { since } => since,
            };
            let client = Client::connect(&global.state()?).await?;
            let since = since.and_then(|since| since.instant(clock::now(), &TimeZone::system()));
            let params: Vec<(&'static str, Value)> =
                since.map(|since| ("since", Value::from(since.to_string()))).into_iter().collect();
            tell(global, &out, &global.ask_with(&client, "policies_observed", params).await?)?;
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// The texts, each under its name.
fn show(global: &Global, out: &Out, shown: &Value) -> anyhow::Result<()> {
    if global.json {
        return print::json(shown);
    }
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    out.line(&Line::new().ours("digest ").theirs(&text(shown, "hash")))?;
    for source in shown.get("sources").and_then(Value::as_array).into_iter().flatten() {
        let built_in = source.get("built_in").and_then(Value::as_bool) == Some(true);
        let whose = if built_in { ", built in" } else { "" };
        out.say("")?;
        out.line(&Line::new().ours("// ").theirs_in(Ink::Strong, &text(source, "name")).ours(whose))?;
        for line in text(source, "text").lines() {
            out.line(&Line::new().theirs(line))?;
        }
    }
    Ok(())
}

fn tell(global: &Global, out: &Out, found: &Observations) -> anyhow::Result<()> {
    if global.json {
        return found.policies.iter().try_for_each(print::json);
    }
    if found.policies.is_empty() {
        return Ok(out.say("no policy is observed: every one decides")?);
    }
    out.lines(&table(&found.policies).lines(out.width()))?;
    let read = if found.partial { "the newest" } else { "all" };
    Ok(out.say(format!("of {read} {} calls that were looked at", found.calls))?)
}

fn table(rows: &[ObservedRow]) -> Table {
    let mut table =
        Table::new(&["POLICY", "NOW", "WOULD ALLOW", "WOULD HOLD", "WOULD DENY", "WOULD NOT APPROVE", "LAST"]);
    for row in rows {
        let now = match (row.observed, row.bundled) {
            (true, true) => Line::new().inked(Ink::Alarm, "observed, a default"),
            (true, false) => Line::new().ours("observed"),
            (false, _) => Line::new().inked(Ink::Faint, "not observed"),
        };
        let count = |number: usize| Line::new().ours(number.to_string());
        let last = row.last.map(|last| long(last, &TimeZone::system())).unwrap_or_default();
        table.row(vec![
            Line::new().theirs(&row.policy),
            now,
            count(row.allow),
            count(row.hold),
            count(row.deny),
            count(row.refuse),
            Line::new().ours(last),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::line::text;

    #[test]
    fn a_default_that_is_observed_stands_out_and_a_name_cannot_paint() {
        let row = |policy: &str, bundled| ObservedRow {
            policy: policy.to_owned(),
            observed: true,
            bundled,
            deny: 3,
            ..ObservedRow::default()
        };
        let shown = text(&table(&[row("mine\u{1b}[2J", false), row("quarantine", true)]).lines(None));
        assert!(shown.contains("mine\\u{1b}[2J") && shown.contains("observed, a default"), "{shown}");
    }
}
