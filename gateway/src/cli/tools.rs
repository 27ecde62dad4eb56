//! `portcullis tools`: what is offered, what changed, and taking a change.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use policies::{Limits, Value};
use serde_json::value::RawValue;

use super::Global;
use super::diff::unified;
use super::line::{Ink, Line};
use super::packages::{self, Add};
use super::print::{self, Out};
use super::servers;
use super::table::Table;
use super::when::long;
use crate::operator::client::Client;
use crate::operator::rows::{ServerRow, ToolDiff, ToolRow};

/// See what tools are offered, and accept changed ones.
#[derive(Args)]
#[command(
    about = "See which tools are offered, and accept changed ones",
    long_about = "Shows the tools behind the gateway.\n\n\
        A tool's definition (name, title, description, schemas, annotations) is pinned by its hash when it is first seen. One \
        that changes is withheld, because what agents were told to trust is no longer what they would get: read the \
        difference, then accept it."
)]
pub(crate) struct ToolsCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show what a tool package asks for and will get, and add it
    #[command(
        long_about = "Shows what a tool package asks for and what it will get, asks, copies it to the state folder and pins it by \
            its digest. One that is not what was added any more is withheld.\n\n\
            Nothing beyond its manifest is ever granted; `[server.NAME]` in the config can only narrow it. Which folders of \
            this machine it finds, only the config says. Takes effect when the gateway starts next.",
        after_help = "Examples:\n  portcullis tools add ./notes\n  portcullis tools add notes.tar --name notes2 --yes"
    )]
    Add(Add),
    /// Remove a package that was added
    Remove {
        /// The server's name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// List every server with what keeps it, and every tool: offered, changed, or withheld and why
    #[command(
        after_help = "With --json the tools alone; `portcullis servers --json` has the servers, and what each is granted."
    )]
    List,
    /// Show what changed in the definition of a tool, or of every changed tool
    Diff {
        /// The tool's name as agents see it
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
    /// Show and accept the changed definition of a tool, or every one of a server; take a server out of quarantine
    #[command(after_help = "Examples:\n  portcullis tools accept files.read_file\n  portcullis tools accept files")]
    Accept {
        /// The tool's name as agents see it, or a server's name
        #[arg(value_name = "NAME")]
        name: String,
    },
}

impl ToolsCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let out = Out::stdout();
        super::block_on(async {
            let action = match self.action {
                Action::Add(add) => return packages::add(global, &out, add).await.map(|()| ExitCode::SUCCESS),
                Action::Remove { name } => {
                    return packages::remove(global, &out, &name).await.map(|()| ExitCode::SUCCESS);
                }
                other @ (Action::List | Action::Diff { .. } | Action::Accept { .. }) => other,
            };
            let client = Client::connect(&global.state()?).await?;
            match action {
                Action::Add(_) | Action::Remove { .. } => {}
                Action::List => list(global, &out, &client).await?,
                Action::Diff { name } => diff(global, &out, &client, name).await?,
                Action::Accept { name } => accept(global, &out, &client, &name).await?,
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

async fn list(global: &Global, out: &Out, client: &Client) -> anyhow::Result<()> {
    let tools: Vec<ToolRow> = client.ask("tools_list", &[]).await?;
    if global.json {
        return tools.iter().try_for_each(print::json);
    }
    let servers = servers::all(client).await?;
    if !servers.is_empty() {
        out.lines(&servers::table(&servers).lines(out.width()))?;
        out.say("")?;
    }
    if tools.is_empty() {
        return Ok(out.say("no server has offered a tool yet")?);
    }
    let mut table = Table::new(&["TOOL", "SERVER", "STATUS", "DEFINITION", "WHY"]);
    for tool in &tools {
        let ink = if tool.status == "offered" { Ink::Good } else { Ink::Danger };
        let hash: String = tool.hash.iter().flat_map(|hash| hash.chars()).take(12).collect();
        table.row(vec![
            Line::new().theirs(&tool.name),
            Line::new().theirs(&tool.server),
            Line::new().inked(ink, &tool.status),
            Line::new().inked(Ink::Faint, hash),
            tool.why.as_deref().map_or_else(Line::new, |why| Line::new().theirs(why)),
        ]);
    }
    out.lines(&table.lines(out.width()))?;
    if tools.iter().any(|tool| tool.status == "changed") {
        out.say("")?;
        out.say(
            "changed tools are withheld: read them with `portcullis tools diff`, then `portcullis tools accept NAME`",
        )?;
    }
    Ok(())
}

async fn diff(global: &Global, out: &Out, client: &Client, name: Option<String>) -> anyhow::Result<()> {
    let diffs = match name {
        Some(name) => vec![client.ask("tools_diff", &[("name", &name)]).await?],
        None => changed(client, |_| true).await?,
    };
    if diffs.is_empty() && !global.json {
        return Ok(out.say("no definition differs from what was pinned")?);
    }
    diffs.iter().try_for_each(|diff| tell(global, out, diff))
}

/// The differences of every changed tool that is wanted.
async fn changed(client: &Client, wanted: impl Fn(&ToolRow) -> bool) -> anyhow::Result<Vec<ToolDiff>> {
    let tools: Vec<ToolRow> = client.ask("tools_list", &[]).await?;
    let mut diffs = Vec::new();
    for tool in tools.iter().filter(|tool| tool.status == "changed" && wanted(tool)) {
        diffs.push(client.ask("tools_diff", &[("name", &tool.name)]).await?);
    }
    Ok(diffs)
}

/// Lifts the quarantine of a server, after saying what it did.
async fn lift(global: &Global, out: &Out, client: &Client, name: &str) -> anyhow::Result<bool> {
    let servers: Vec<ServerRow> = client.ask("servers_list", &[]).await?;
    let found = servers.iter().find(|server| server.name == name).and_then(|server| server.quarantine.as_ref());
    let Some(quarantine) = found else { return Ok(false) };
    let () = global.ask(client, "quarantine_lift", &[("name", name)]).await?;
    if global.json {
        print::json(&serde_json::json!({ "accepted": name, "quarantine": quarantine }))?;
    } else {
        let since = long(quarantine.since, &TimeZone::system());
        let said = Line::new().ours(format!("since {since}, when ")).theirs(&quarantine.tool);
        out.line(&said.ours(" tried what it had not declared; `portcullis log list --server` shows what"))?;
        out.line(&Line::new().inked(Ink::Good, "accepted ").theirs(name).ours(": it is out of quarantine"))?;
    }
    Ok(true)
}

/// Accepts what is shown, by its hash: a definition that changes while it is read is not accepted.
async fn accept(global: &Global, out: &Out, client: &Client, name: &str) -> anyhow::Result<()> {
    let lifted = lift(global, out, client, name).await?;
    let diffs = changed(client, |tool| tool.name == name || tool.server == name).await?;
    if diffs.is_empty() && !lifted {
        // The gateway knows best why there is nothing to accept.
        let _accepted: Vec<String> = global.ask(client, "tools_accept", &[("name", name)]).await?;
    }
    for diff in &diffs {
        tell(global, out, diff)?;
        let hash = diff.hash.to_string();
        let accepted: Vec<String> =
            global.ask(client, "tools_accept", &[("name", &diff.name), ("hash", &hash)]).await?;
        if !global.json {
            for name in &accepted {
                out.line(&Line::new().inked(Ink::Good, "accepted ").theirs(name))?;
            }
        }
    }
    Ok(())
}

fn tell(global: &Global, out: &Out, diff: &ToolDiff) -> anyhow::Result<()> {
    if global.json {
        return print::json(diff);
    }
    let (old, new) = (parsed(&diff.pinned)?, parsed(&diff.now)?);
    let (pinned, now) = (format!("{} (pinned)", diff.name), format!("{} (now, {})", diff.name, diff.hash));
    let lines = unified((&pinned, &old), (&now, &new));
    if lines.is_empty() {
        let alike = "the definitions differ only in what is redacted here";
        return Ok(out.line(&Line::new().theirs(&diff.name).ours(": ").ours(alike))?);
    }
    // A long description wraps behind a mark of ours: it must not begin a row of its own.
    let goes_on = Line::new().inked(Ink::Faint, "  ┆ ");
    let rows: Vec<Line> = match out.width() {
        Some(width) => lines.iter().flat_map(|line| line.wrap(width, &goes_on)).collect(),
        None => lines,
    };
    Ok(out.lines(&rows)?)
}

fn parsed(raw: &RawValue) -> anyhow::Result<Value> {
    let bounds = Limits { bytes: 32 << 20, depth: 512, values: 4 << 20 };
    Value::parse(raw.get().as_bytes(), &bounds).context("the gateway sent a definition that cannot be read")
}
