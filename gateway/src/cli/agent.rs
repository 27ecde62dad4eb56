//! `portcullis agent`: who may connect.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::line::{Ink, Line};
use super::person::alone;
use super::print::{self, Out, Trouble};
use super::table::Table;
use super::when::{Length, long};
use super::{Global, advised};
use crate::clock;
use crate::operator::agents;
use crate::operator::client::{Client, ConnectError};
use crate::operator::people::Needs;
use crate::operator::rows::{AgentRow, NewAgent};

/// Say who may connect.
#[derive(Args)]
#[command(
    about = "Say which agents may connect",
    long_about = "Adds, lists and removes agents.\n\n\
        An agent is whoever presents its token as `Authorization: Bearer pcl_…` at the MCP endpoint, or in PORTCULLIS_TOKEN to \
        `portcullis stdio`. Give each agent its own: the log, the rate limits and the policies go by it.\n\n\
        With a gateway running this goes through its socket; without one, straight to the log."
)]
pub(crate) struct AgentCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make a token for an agent and print it, once
    #[command(after_help = "Examples:\n  portcullis agent add claude-desktop\n  portcullis agent add ci --expires 30d")]
    Add {
        /// The agent's name in log and policies
        #[arg(value_name = "NAME")]
        name: String,
        /// When the token ends: `12h`, `30d`, `8w`; never, unless given
        #[arg(long, value_name = "LENGTH")]
        expires: Option<Length>,
    },
    /// List the agents that may connect
    List,
    /// End an agent's token at once
    Remove {
        /// The agent's name
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// Where agents are kept: behind a running gateway, or in the log that nobody else has open.
enum Book {
    Running(Client),
    Alone(audit::Audit),
}

impl AgentCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let out = Out::stdout();
        super::block_on(async {
            let book = Book::open(global).await?;
            match self.action {
                Action::Add { name, expires } => {
                    let added = book.add(global, &name, expires.map(ends).transpose()?).await?;
                    tell_added(global, &out, &added)?;
                }
                Action::List => tell_all(global, &out, &book.list().await?)?,
                Action::Remove { name } => {
                    let removed = book.remove(global, &name).await?;
                    if global.json {
                        print::json(&removed)?;
                    } else {
                        out.say(format!("agent {} can no longer connect", removed.name))?;
                    }
                }
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

fn ends(length: Length) -> anyhow::Result<Timestamp> {
    Ok(length.after(clock::now()).ok_or_else(|| Trouble::new("the token would end after the end of time"))?)
}

impl Book {
    async fn open(global: &Global) -> anyhow::Result<Self> {
        let state = global.state()?;
        match Client::connect(&state).await {
            Ok(client) => Ok(Self::Running(client)),
            Err(ConnectError::NotRunning { .. }) => Ok(Self::Alone(crate::app::open_log(&state)?)),
            Err(error) => Err(advised(error.into())),
        }
    }

    async fn add(&self, global: &Global, name: &str, expires: Option<Timestamp>) -> anyhow::Result<NewAgent> {
        match self {
            Self::Running(client) => {
                let expires = expires.map(|expires| expires.to_string());
                let mut params = vec![("name", name)];
                params.extend(expires.as_deref().map(|expires| ("expires", expires)));
                global.ask(client, "agents_add", &params).await
            }
            Self::Alone(audit) => {
                let by = global.admit(audit, Needs::Change).await?;
                agents::add(audit, &by.id, name, expires).await.map_err(|refused| alone(&refused))
            }
        }
    }

    async fn list(&self) -> anyhow::Result<Vec<AgentRow>> {
        match self {
            Self::Running(client) => Ok(client.ask("agents_list", &[]).await?),
            Self::Alone(audit) => Ok(agents::list(audit)),
        }
    }

    async fn remove(&self, global: &Global, name: &str) -> anyhow::Result<AgentRow> {
        match self {
            Self::Running(client) => global.ask(client, "agents_remove", &[("name", name)]).await,
            Self::Alone(audit) => {
                let by = global.admit(audit, Needs::Change).await?;
                agents::remove(audit, &by.id, name).await.map_err(|refused| alone(&refused))
            }
        }
    }
}

fn tell_added(global: &Global, out: &Out, added: &NewAgent) -> anyhow::Result<()> {
    if global.json {
        return print::json(added);
    }
    let ends = added.expires.map_or_else(|| "never".to_owned(), |expires| long(expires, &TimeZone::system()));
    out.say(format!("agent:    {}", added.name))?;
    out.line(&Line::new().ours("token:    ").inked(Ink::Strong, &added.token))?;
    out.say(format!("expires:  {ends}"))?;
    out.say("")?;
    Ok(out
        .say("The token is shown once; only its hash is kept. The agent sends it as `Authorization: Bearer TOKEN`.")?)
}

fn tell_all(global: &Global, out: &Out, agents: &[AgentRow]) -> anyhow::Result<()> {
    if global.json {
        return agents.iter().try_for_each(print::json);
    }
    let (zone, now) = (TimeZone::system(), clock::now());
    let mut table = Table::new(&["AGENT", "ADDED", "EXPIRES"]);
    for agent in agents {
        let expires = match agent.expires {
            None => Line::new().ours("never"),
            Some(expires) if expires <= now => Line::new().inked(Ink::Danger, "expired"),
            Some(expires) => Line::new().ours(long(expires, &zone)),
        };
        table.row(vec![Line::new().theirs(&agent.name), Line::new().ours(long(agent.added, &zone)), expires]);
    }
    if table.is_empty() {
        return Ok(out.say("no agent may connect; add one: portcullis agent add NAME")?);
    }
    Ok(out.lines(&table.lines(out.width()))?)
}
