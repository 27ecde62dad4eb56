//! `portcullis holds`: the calls that wait for a person.

mod desk;
mod past;
mod watch;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use policies::approval::Review;
use serde::Serialize;
use serde_json::Value;

use super::card::{Page, draw};
use super::line::{Ink, Line};
use super::passes::Giving;
use super::print::{self, Out};
use super::table::Table;
use super::{Global, when};
use crate::clock;
use crate::operator::card::Card;
use crate::operator::client::Client;
use crate::operator::similar::Similar;

/// Answer held calls.
#[derive(Args)]
#[command(
    about = "Answer held calls",
    long_about = "Shows the calls that wait for a person, and answers them.\n\n\
        A held call has not happened yet. Approving lets it run once, exactly as shown: a call that differs in agent, tool, \
        arguments, definition or policy needs an approval of its own. A call that nobody answers in time is denied.\n\n\
        Answers go to the running gateway over STATE/operator.sock, which serves the gateway's own user, root, the uids in \
        `[operator]` of portcullis.toml, and those of operators. Where operators were added (`portcullis operator add`), \
        approving takes their PIN. Every answer is recorded with who gave it."
)]
pub(crate) struct HoldsCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List the open holds, oldest deadline first
    List,
    /// Show one hold with its complete arguments, and how calls like it were answered before
    #[command(
        long_about = "Shows one hold with its complete arguments, nothing folded, and how calls of the same tool were answered before.\n\n\
        Characters that would not show as themselves (control, bidirectional, zero-width) are spelled out: \\u{202e}. Live \
        secrets are shown as fingerprints."
    )]
    Show(Which),
    /// Let a held call run, once, or calls like it for a while
    #[command(
        after_help = "Examples:\n  portcullis holds approve hold-k3v7qx2m4n5p6r7s\n  portcullis holds approve k3v7qx\n  \
        portcullis holds approve k3v7qx --times 20 --for 2h --like 'path=/srv/notes/*' --any text\n      \
        and lets 20 further calls like it run; `portcullis passes` lists and revokes what was given so"
    )]
    Approve {
        #[command(flatten)]
        which: Which,
        /// Why, where a policy wants to know
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        pass: Giving,
    },
    /// Let a held call run without the others who were to be asked; everybody is told
    #[command(
        name = "break-glass",
        long_about = "Lets a held call run, once, without the others who were to be asked.\n\n\
            For an emergency in which nobody else answers. It waives how many people approve and nothing else: you must be one \
            who may approve this call, it takes your PIN and two reasons, and what policy denies stays denied. Everybody is \
            told through every channel, and a review stays open until somebody else has looked at it: `portcullis reviews`.",
        after_help = "Examples:\n  portcullis holds break-glass k3v7qx --reason 'customers cannot log in' \\\n    \
            --because 'bob and cyn are on a plane until 14:00'"
    )]
    BreakGlass {
        #[command(flatten)]
        which: Which,
        /// Why the call must run
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Why nobody else can be waited for
        #[arg(long, value_name = "TEXT")]
        because: String,
    },
    /// Refuse a held call; the agent is told the reason
    #[command(after_help = "Examples:\n  portcullis holds deny k3v7qx --reason 'wrong recipient; ask me first'")]
    Deny {
        #[command(flatten)]
        which: Which,
        /// Why: the agent is told, and can do better
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Be asked about each held call as it arrives; one key answers
    #[command(long_about = "Asks about each held call as it arrives; one key answers.\n\n\
        a approve   d deny (asks for a reason)   s skip   v view everything, page by page   r show skipped ones again   q quit\n\n\
        A key counts half a second after its card appeared, so that it cannot answer a card that was not read. Where stdin or \
        stdout is no terminal, or with --json, every change of a hold is printed as a line instead.")]
    Watch,
}

#[derive(Args)]
struct Which {
    /// The hold's id, or at least its first 6 characters after `hold-`
    #[arg(value_name = "ID")]
    id: String,
}

impl HoldsCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let out = Out::stdout();
        super::block_on(async {
            match self.action {
                Action::List => list(global, &out).await?,
                Action::Show(which) => show(global, &out, &which.id).await?,
                Action::Approve { which, reason, pass } => {
                    let mut params = vec![("id", Value::from(which.id))];
                    params.extend(reason.map(|reason| ("reason", Value::from(reason))));
                    params.extend(pass.leeway().map(|pass| ("pass", pass)));
                    answer(global, &out, "holds_approve", params).await?;
                }
                Action::BreakGlass { which, reason, because } => {
                    let params = [("id", which.id), ("reason", reason), ("because", because)];
                    let params = params.map(|(name, text)| (name, Value::from(text))).to_vec();
                    answer(global, &out, "holds_break_glass", params).await?;
                }
                Action::Deny { which, reason } => {
                    let params = vec![("id", Value::from(which.id)), ("reason", Value::from(reason))];
                    answer(global, &out, "holds_deny", params).await?;
                }
                Action::Watch if global.json || !super::print::interactive() => {
                    watch::lines(&global.state()?, &out, global.json).await?;
                }
                Action::Watch => watch::prompt(&global.state()?, global.acting.clone(), out).await?,
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

async fn list(global: &Global, out: &Out) -> anyhow::Result<()> {
    let client = Client::connect(&global.state()?).await?;
    let cards: Vec<Card> = client.ask("holds_list", &[]).await?;
    if global.json {
        return cards.iter().try_for_each(print::json);
    }
    if cards.is_empty() {
        out.say("no call waits for an answer")?;
    } else {
        out.lines(&table(&cards, clock::now()).lines(out.width()))?;
    }
    let open: Vec<Review> = client.ask("reviews_list", &[]).await?;
    if !open.is_empty() {
        let count = if open.len() == 1 { "1 call".to_owned() } else { format!("{} calls", open.len()) };
        out.line(&Line::new().inked(Ink::Alarm, format!("{count} let through by broken glass: portcullis reviews")))?;
    }
    Ok(())
}

fn table(cards: &[Card], now: jiff::Timestamp) -> Table {
    let mut table = Table::new(&["ID", "RISK", "AGENT", "TOOL", "STATE", "LEFT", "WHY"]);
    for card in cards {
        let state = if card.required > 1 {
            format!("{} {}/{}", card.state, card.approvals.len(), card.required)
        } else {
            card.state.clone()
        };
        let state = card.needs.as_ref().map_or_else(|| state.clone(), |needs| format!("{state}, {needs}"));
        let state = match &card.glass {
            Some(glass) => Line::new().inked(Ink::Alarm, format!("{state}, glass broken by {}", glass.by)),
            None => Line::new().ours(state),
        };
        table.row(vec![
            Line::new().ours(card.id.as_str()),
            Line::new().inked(card.risk.into(), card.risk.as_str()),
            Line::new().ours(card.agent.as_str()),
            Line::new().ours(format!("{}.", card.server)).theirs(&card.tool),
            state,
            Line::new().ours(when::left(card.expires, now).to_string()),
            card.reasons.first().map_or_else(Line::new, |why| Line::new().theirs(&why.text)),
        ]);
    }
    table
}

async fn show(global: &Global, out: &Out, id: &str) -> anyhow::Result<()> {
    let client = Client::connect(&global.state()?).await?;
    let card: Card = client.ask("holds_show", &[("id", id)]).await?;
    // The hold is what was asked for: it is shown where its like cannot be read.
    let similar = client.ask("holds_similar", &[("id", card.id.as_str())]).await.ok();
    if global.json {
        return print::json(&Shown { card, similar });
    }
    let page = Page { now: clock::now(), zone: TimeZone::system(), width: out.text_width(), fold: false };
    out.lines(&draw(&card, &page).rows)?;
    Ok(out.lines(&similar.map(|similar| past::draw(&similar, &page)).unwrap_or_default())?)
}

/// A hold, and what became of others like it.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    card: Card,
    #[serde(skip_serializing_if = "Option::is_none")]
    similar: Option<Similar>,
}

async fn answer(global: &Global, out: &Out, method: &str, params: Vec<(&'static str, Value)>) -> anyhow::Result<()> {
    let client = Client::connect(&global.state()?).await?;
    let card: Card = global.ask_with(&client, method, params).await?;
    if global.json {
        return print::json(&card);
    }
    let what = Line::new().inked(Ink::Strong, format!("{}.", card.server)).theirs_in(Ink::Strong, &card.tool);
    out.line(&what.ours(format!(" for agent {}", card.agent)))?;
    Ok(out.line(&watch::outcome(&card))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::card::tests::hostile;

    #[test]
    fn a_tool_s_name_cannot_paint_the_list() {
        let now = "2026-11-21T10:00:30Z".parse().unwrap();
        let painted: Vec<String> = table(&[hostile()], now).lines(None).iter().map(Line::painted).collect();
        let text = painted.join("\n");
        assert!(text.contains("send\u{1b}[7m\\u{1b}\u{1b}[0m[2J"), "{text:?}");
        assert!(text.contains("pending 0/2"));
        assert!(text.contains("4 min 30 s"));
    }
}
