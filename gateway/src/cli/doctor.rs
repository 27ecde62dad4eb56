//! `portcullis doctor`: what this machine has and lacks for the gateway, each with what to do.

mod block;
mod engine;
mod exporters;
mod images;
mod key;
mod machine;
mod state;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::Global;
use super::line::{Ink, Line};
use super::print::{self, Out};
use super::table::Table;
use crate::config::{Config, Overrides};

/// Check this machine and the running gateway.
#[derive(Args)]
#[command(
    about = "Check this machine and the running gateway, and say what to do",
    long_about = "Checks what the gateway needs of this machine (kernel, jails, firewall, container engine, disk, clock, keys), the \
        log, and, where a gateway runs, how it fares: each with what was found and what to do.\n\n\
        Changes nothing. What is only needed for some kinds of tools is a warning. Exits with 1 if something is broken."
)]
pub(crate) struct DoctorCommand {
    #[arg(
        long,
        value_name = "FILE",
        help = "The config [default: $XDG_CONFIG_HOME/portcullis/portcullis.toml, if there]"
    )]
    config: Option<PathBuf>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Check {
    what: &'static str,
    health: Health,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Health {
    Ok,
    /// Some kinds of tools cannot run, or run less well kept.
    Warning,
    Broken,
}

impl Check {
    fn ok(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, health: Health::Ok, found: found.into(), next: None }
    }

    fn warning(what: &'static str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self { what, health: Health::Warning, found: found.into(), next: Some(next.into()) }
    }

    fn broken(what: &'static str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self { what, health: Health::Broken, found: found.into(), next: Some(next.into()) }
    }
}

impl DoctorCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let out = Out::stdout();
        super::block_on(async {
            let folder = global.state()?;
            let mut checks = machine::checks();
            checks.extend(engine::checks().await);
            checks.extend(sandboxes(self.config.as_deref(), folder.clone()).await);
            checks.extend(state::checks(&folder).await);
            if global.json {
                checks.iter().try_for_each(print::json)?;
            } else {
                tell(&out, &checks)?;
            }
            let broken = checks.iter().any(|check| check.health == Health::Broken);
            Ok(if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        })
    }
}

/// What the config's tools run in. Without a config that can be read, what would be there by itself.
async fn sandboxes(file: Option<&Path>, state: PathBuf) -> Vec<Check> {
    let overrides = Overrides { state: Some(state), ..Overrides::default() };
    match Config::load(file, overrides) {
        Ok(config) => {
            let mut checks = block::checks(config.sandbox.guard.as_deref()).await;
            checks.extend(images::checks(&config));
            checks.extend(exporters::checks(&config));
            checks.extend(key::check(&config));
            checks
        }
        Err(problems) => {
            let found = format!("{} problems in it", problems.len());
            let mut checks = vec![Check::broken("config", found, "portcullis check says what is wrong, and where")];
            checks.extend(block::checks(None).await);
            checks
        }
    }
}

fn tell(out: &Out, checks: &[Check]) -> anyhow::Result<()> {
    let mut table = Table::new(&["", "WHAT", "FOUND"]);
    for check in checks {
        let (word, ink) = match check.health {
            Health::Ok => ("ok", Ink::Good),
            Health::Warning => ("warning", Ink::Warning),
            Health::Broken => ("broken", Ink::Alarm),
        };
        table.row(vec![Line::new().inked(ink, word), Line::new().ours(check.what), Line::new().theirs(&check.found)]);
    }
    out.lines(&table.lines(None))?;
    let advice: Vec<&Check> = checks.iter().filter(|check| check.next.is_some()).collect();
    if !advice.is_empty() {
        out.say("")?;
    }
    for check in advice {
        let next = check.next.as_deref().unwrap_or_default();
        out.line(&Line::new().inked(Ink::Strong, check.what).ours(": ").ours(next))?;
    }
    Ok(())
}
