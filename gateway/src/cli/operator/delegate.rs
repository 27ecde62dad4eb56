//! `portcullis operator delegate`: one's own right to approve, lent to another operator for a time.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use policies::AgentId;
use policies::approval::Within;
use policies::risk::Risk;
use serde_json::{Value, json};

use super::Book;
use crate::cli::Global;
use crate::cli::line::Line;
use crate::cli::person::alone;
use crate::cli::print::{self, Out};
use crate::cli::table::Table;
use crate::cli::when::{Length, left, long};
use crate::clock;
use crate::operator::delegations::{self, DelegationRow, Lending};
use crate::operator::people::Needs;

/// Lend your right to approve to another operator for a time.
#[derive(Args)]
pub(super) struct Delegate {
    /// Who is to have it: an operator or an admin
    #[arg(long, value_name = "NAME")]
    to: String,
    /// For so long, a minute to a week
    #[arg(long = "for", value_name = "TIME")]
    lasts: Length,
    /// Not for calls that are riskier than this
    #[arg(long, value_name = "RISK", ignore_case = true, value_parser = PossibleValuesParser::new(Risk::ALL.map(Risk::as_str)).map(|name| risk(&name)))]
    risk: Option<Risk>,
    /// For calls of this agent alone; may be given more than once
    #[arg(long, value_name = "NAME", value_parser = AgentId::parse)]
    agent: Vec<AgentId>,
    /// For this tool alone: SERVER.TOOL, or SERVER for all of its tools; may be given more than once
    #[arg(long, value_name = "NAME")]
    tool: Vec<String>,
    /// Why: it is kept in the log
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

fn risk(name: &str) -> Risk {
    Risk::ALL.into_iter().find(|risk| risk.as_str().eq_ignore_ascii_case(name)).unwrap_or(Risk::Low)
}

impl Delegate {
    pub(super) async fn run(self, global: &Global, out: &Out, book: &Book) -> anyhow::Result<()> {
        let Self { to, lasts, risk, agent, tool, reason } = self;
        let within = Within { risk, agents: agent.into_iter().collect(), tools: tool.into_iter().collect() };
        let lasts = SignedDuration::from_secs(lasts.seconds());
        let row = match book {
            Book::Running(client) => {
                let params = vec![
                    ("to", Value::from(to)),
                    ("lasts", Value::from(format!("{}s", lasts.as_secs()))),
                    ("for", json!(within)),
                    ("reason", Value::from(reason)),
                ];
                global.ask_with(client, "delegations_add", params).await?
            }
            Book::Alone(audit) => {
                let by = global.admit(audit, Needs::Keyed).await?;
                let asked = Lending { to, lasts, within, reason };
                delegations::lend(audit, &by, asked).await.map_err(|refused| alone(&refused))?
            }
        };
        told(global, out, &row, "may approve for")
    }
}

/// Ends one.
pub(super) async fn end(global: &Global, out: &Out, book: &Book, id: &str) -> anyhow::Result<()> {
    let row: DelegationRow = match book {
        Book::Running(client) => global.ask(client, "delegations_end", &[("id", id)]).await?,
        Book::Alone(audit) => {
            let by = global.admit(audit, Needs::Operate).await?;
            delegations::end(audit, &by, id).await.map_err(|refused| alone(&refused))?
        }
    };
    told(global, out, &row, "approves no more for")
}

/// Lists those that are not over.
pub(super) async fn list(global: &Global, out: &Out, book: &Book) -> anyhow::Result<()> {
    let rows: Vec<DelegationRow> = match book {
        Book::Running(client) => client.ask("delegations_list", &[]).await?,
        Book::Alone(audit) => delegations::list(audit),
    };
    if global.json {
        return rows.iter().try_for_each(print::json);
    }
    if rows.is_empty() {
        return Ok(out.say("nobody has lent their right to approve")?);
    }
    let (now, zone) = (clock::now(), TimeZone::system());
    let mut table = Table::new(&["ID", "LENT BY", "TO", "FOR", "LEFT", "SINCE", "WHY"]);
    for row in &rows {
        table.row(vec![
            Line::new().ours(row.id.to_string()),
            Line::new().theirs(row.by.as_str()),
            Line::new().theirs(row.to.as_str()),
            Line::new().theirs(&row.extent()),
            Line::new().ours(left(row.expires, now).to_string()),
            Line::new().ours(long(row.made, &zone)),
            Line::new().theirs(&row.reason),
        ]);
    }
    Ok(out.lines(&table.lines(out.width()))?)
}

fn told(global: &Global, out: &Out, row: &DelegationRow, what: &str) -> anyhow::Result<()> {
    if global.json {
        return print::json(row);
    }
    let line = Line::new().theirs(row.to.as_str()).ours(format!(" {what} ")).theirs(row.by.as_str());
    Ok(out.line(&line.ours(format!(": delegation {}, ", row.id)).theirs(&row.extent()))?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_a_right_is_lent_for_is_said_in_words() {
        let row = |within: &str| -> DelegationRow {
            let text = format!(
                r#"{{"id":7,"by":"ann","to":"bob",{within}"reason":"x","made":"2026-11-21T10:00:00Z","expires":"2026-11-22T10:00:00Z"}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        assert_eq!(row("").extent(), "every call");
        let limits = r#""risk":"HIGH","agents":["ci","cd"],"tools":["mail"],"#;
        assert_eq!(row(limits).extent(), "risk up to HIGH; agents cd, ci; tools mail");
        let read: BTreeSet<AgentId> = row(limits).agents;
        assert!(read.contains(&AgentId::parse("ci").unwrap()));
    }
}
