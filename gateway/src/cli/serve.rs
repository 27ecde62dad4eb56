//! `portcullis serve`: the gateway itself.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::Global;
use super::line::{Ink, Line};
use super::print::{self, Out, Trouble};
use crate::app::Announcement;
use crate::config::{Config, Overrides, Problem};
use crate::telemetry;

/// Run the gateway.
#[derive(Args)]
#[command(
    about = "Run the gateway",
    long_about = "Runs the gateway until it is told to stop (Ctrl-C or SIGTERM: no new calls, running ones finish).\n\n\
        Without a file it listens on http://127.0.0.1:8700/mcp, keeps its state in ~/.local/state/portcullis, and uses the \
        built-in policies. On its first start it makes an agent named `default` and prints its token, once. SIGHUP reloads \
        the policies.\n\n\
        stdout has what to paste into an agent's settings; logs go to stderr.",
    after_help = "Examples:\n  \
        portcullis serve --server notes='node /srv/tools/notes/index.js /srv/notes'\n  \
        portcullis serve --server docs=https://mcp.example.com/mcp --listen 127.0.0.1:0 --json\n  \
        portcullis serve --config /etc/portcullis/portcullis.toml"
)]
pub(crate) struct ServeCommand {
    #[command(flatten)]
    options: Options,
    /// Where agents connect: ADDRESS:PORT; port 0 takes a free one [default: 127.0.0.1:8700]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
}

/// What `serve` and `stdio` both take.
#[derive(Args)]
pub(super) struct Options {
    #[arg(
        long,
        value_name = "FILE",
        help = "The config [default: $XDG_CONFIG_HOME/portcullis/portcullis.toml, if there]"
    )]
    config: Option<PathBuf>,
    /// A tool server: a command to start, or the URL of its MCP endpoint. May be given more than once
    #[arg(long = "server", value_name = "NAME=COMMAND|URL", value_parser = server)]
    servers: Vec<(String, String)>,
    /// Run local tool servers as what they are, with everything that the gateway's user may do
    #[arg(long)]
    no_jail: bool,
    /// Do not try every minute whether the gate holds
    #[arg(long)]
    no_liveness: bool,
    /// How logs are written to stderr
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: telemetry::Format,
}

fn server(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, reach)) if !name.is_empty() && !reach.trim().is_empty() => {
            Ok((name.to_owned(), reach.trim().to_owned()))
        }
        Some(_) | None => Err("wanted NAME='COMMAND ARG…' or NAME=URL".to_owned()),
    }
}

impl Options {
    /// The config that file and command line make, with logging on.
    pub(super) fn prepare(self, global: &Global, listen: Option<String>) -> anyhow::Result<Config> {
        telemetry::start(self.log_format);
        let (no_jail, no_liveness) = (self.no_jail, self.no_liveness);
        let overrides = Overrides { state: global.state.clone(), listen, servers: self.servers, no_jail, no_liveness };
        let config = Config::load(self.config.as_deref(), overrides).map_err(|problems| refused(&problems))?;
        vault::forget(&config.vault).context("the environment cannot be freed of its secrets")?;
        Ok(config)
    }
}

/// A config that cannot be used, with all that is wrong with it.
pub(super) fn refused(problems: &[Problem]) -> anyhow::Error {
    let told: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
    for line in &told {
        print::aside(line);
    }
    Trouble::new(format!("the config has {} problem{}", told.len(), if told.len() == 1 { "" } else { "s" }))
        .next("mend what is listed above; `portcullis check` reads it again without starting anything")
        .into()
}

impl ServeCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let config = self.options.prepare(global, self.listen)?;
        let json = global.json;
        let announce = move |started: &Announcement| announce(started, json);
        runtime()?.block_on(crate::app::serve(config, announce))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A runtime with a thread for every core.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}

/// Says that the gateway is ready. It serves whether anyone reads this or not.
fn announce(started: &Announcement, json: bool) {
    let out = Out::stdout();
    let told = if json {
        print::json(&Started::from(started))
    } else {
        out.lines(&block(started)).map_err(anyhow::Error::from)
    };
    if let Err(error) = told {
        tracing::warn!(%error, "nobody reads what was to be pasted into the agent's settings");
    }
}

#[derive(Serialize)]
struct Started<'a> {
    endpoint: &'a str,
    state: &'a std::path::Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    servers: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    console: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<&'a str>,
}

impl<'a> From<&'a Announcement> for Started<'a> {
    fn from(started: &'a Announcement) -> Self {
        Self {
            endpoint: &started.endpoint,
            state: &started.state,
            agent: started.agent.as_ref().map(|(agent, _)| agent.as_str()),
            token: started.agent.as_ref().map(|(_, token)| token.as_str()),
            servers: &started.servers,
            console: started.console.as_deref(),
            metrics: started.metrics.as_deref(),
        }
    }
}

/// What a person reads. Tests and scripts parse it: keep it stable.
fn block(started: &Announcement) -> Vec<Line> {
    let ours = |text: String| Line::new().ours(text);
    let state = started.state.display();
    let mut lines = vec![
        Line::new().inked(Ink::Strong, "portcullis ").ours(env!("CARGO_PKG_VERSION")),
        ours(format!("endpoint: {}", started.endpoint)),
        ours(format!("state:    {state}")),
    ];
    let names = ["servers:  ", "          "].into_iter().chain(std::iter::repeat("          "));
    lines.extend(started.servers.iter().zip(names).map(|(server, name)| ours(format!("{name}{server}"))));
    if started.servers.is_empty() {
        lines.push(ours("servers:  none; name one: --server NAME='COMMAND ARG…'".into()));
    }
    if let Some(metrics) = &started.metrics {
        lines.push(ours(format!("metrics:  {metrics}/metrics")));
    }
    match &started.agent {
        Some((agent, token)) => {
            lines.push(ours(format!("agent:    {agent}")));
            lines.push(ours(format!("token:    {token}   (shown once; only its hash is kept)")));
            lines.push(Line::new());
            lines.push(ours("client settings (paste into your MCP client):".into()));
            lines.push(ours(settings(&started.endpoint, token)));
        }
        None => lines.push(ours("agent:    make another token with: portcullis agent add NAME".into())),
    }
    lines.push(Line::new());
    lines.push(ours("answer held calls in another terminal:  portcullis holds watch".into()));
    if started.console.is_some() {
        lines.push(ours("or in a browser, by the link of:        portcullis console".into()));
    }
    lines
}

/// What MCP clients take, by hand: the order of members is for people.
fn settings(endpoint: &str, token: &str) -> String {
    format!(
        "{{ \"mcpServers\": {{ \"portcullis\": {{ \"type\": \"http\", \"url\": \"{endpoint}\", \
         \"headers\": {{ \"Authorization\": \"Bearer {token}\" }} }} }} }}"
    )
}

#[cfg(test)]
mod tests {
    use policies::AgentId;

    use super::*;

    fn started(agent: bool) -> Announcement {
        Announcement {
            endpoint: "http://127.0.0.1:8700/mcp".into(),
            state: "/home/me/.local/state/portcullis".into(),
            agent: agent.then(|| (AgentId::authenticated("default"), "pcl_abc".to_owned())),
            servers: vec!["files (process, not jailed)".into(), "docs (remote)".into()],
            console: Some("http://localhost:7733".into()),
            metrics: Some("http://127.0.0.1:9464".into()),
        }
    }

    fn text(started: &Announcement) -> String {
        crate::cli::line::text(&block(started))
    }

    #[test]
    fn a_first_start_says_everything_a_client_needs() {
        assert_eq!(
            text(&started(true)),
            concat!(
                "portcullis ",
                env!("CARGO_PKG_VERSION"),
                "\n",
                "endpoint: http://127.0.0.1:8700/mcp\n",
                "state:    /home/me/.local/state/portcullis\n",
                "servers:  files (process, not jailed)\n",
                "          docs (remote)\n",
                "metrics:  http://127.0.0.1:9464/metrics\n",
                "agent:    default\n",
                "token:    pcl_abc   (shown once; only its hash is kept)\n",
                "\n",
                "client settings (paste into your MCP client):\n",
                "{ \"mcpServers\": { \"portcullis\": { \"type\": \"http\", \"url\": \"http://127.0.0.1:8700/mcp\", ",
                "\"headers\": { \"Authorization\": \"Bearer pcl_abc\" } } } }\n",
                "\n",
                "answer held calls in another terminal:  portcullis holds watch\n",
                "or in a browser, by the link of:        portcullis console\n",
            )
        );
    }

    #[test]
    fn the_settings_are_json() {
        let settings: serde_json::Value = serde_json::from_str(&settings("http://[::1]:1/mcp", "pcl_x")).unwrap();
        assert_eq!(settings["mcpServers"]["portcullis"]["headers"]["Authorization"], "Bearer pcl_x");
    }

    #[test]
    fn a_later_start_shows_no_token() {
        assert!(!text(&started(false)).contains("token:"));
        assert!(text(&started(false)).contains("portcullis agent add NAME"));
    }

    #[test]
    fn a_server_is_a_name_and_how_to_reach_it() {
        assert_eq!(server("a=npx -y b --x=1").unwrap(), ("a".into(), "npx -y b --x=1".into()));
        assert!(server("npx").is_err() && server("=x").is_err() && server("a= ").is_err());
    }
}
