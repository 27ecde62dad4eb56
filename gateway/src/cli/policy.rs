//! `portcullis policy`: what policies that only watch would have changed.

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
use crate::operator::card::ObservedRow;
use crate::operator::client::Client;
use crate::operator::observed::Observations;

/// See what observed policies would have changed.
#[derive(Args)]
#[command(
    about = "See what observed policies would have changed",
    long_about = "Says what policies that only watch would have changed, so that one can be tried out before it decides.\n\n\
        A policy is observed if it says so, `@mode(\"observe\")`, or if `[policy] observe` in portcullis.toml lists its id. It \
        is asked about each call and decides nothing. `portcullis log list` shows beside each call what it would have done."
)]
pub(crate) struct PolicyCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
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
        let Action::Observed { since } = self.action;
        super::block_on(async {
            let client = Client::connect(&global.state()?).await?;
            let since = since.and_then(|since| since.instant(clock::now(), &TimeZone::system()));
            let params: Vec<(&'static str, Value)> =
                since.map(|since| ("since", Value::from(since.to_string()))).into_iter().collect();
            tell(global, &out, &global.ask_with(&client, "policies_observed", params).await?)?;
            Ok(ExitCode::SUCCESS)
        })
    }
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
