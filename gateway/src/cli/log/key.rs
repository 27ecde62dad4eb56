//! `portcullis log key` and `log accept`: who signs the log, and what is taken for it.

use std::path::PathBuf;

use anyhow::Context as _;
use audit::{Config, Renewed};
use clap::{Args, Subcommand};

use crate::cli::Global;
use crate::cli::line::Line;
use crate::cli::print::{self, Out};
use crate::cli::serve::refused;
use crate::clock;
use crate::config::{self, Overrides};

/// Show the log's public key, or change the key
#[derive(Args)]
#[command(
    long_about = "Shows the public key that checkpoints and proofs are checked with. Note it where the gateway's machine cannot \
        change it."
)]
pub(super) struct Key {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Have a new key sign from here on; a record, signed by the old key, says so
    #[command(
        long_about = "Makes a new key, or takes the one that a config's `[audit]` table names. A record, signed by the old key, \
        names it, so whoever knows the old key can follow; the old key is removed. Witnesses must be told the new key. The gateway must not run."
    )]
    Rotate {
        #[command(flatten)]
        kept: Kept,
    },
}

/// Where the newest checkpoint is.
#[derive(Args)]
pub(crate) struct Kept {
    /// Where the config keeps the newest checkpoint, if not in the state folder
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// A config whose table `[audit]` says so, and which key takes over
    #[arg(long, value_name = "FILE", conflicts_with = "checkpoint")]
    config: Option<PathBuf>,
}

impl Kept {
    pub(crate) fn config(self, global: &Global) -> anyhow::Result<Config> {
        let Some(config) = self.config else {
            return Ok(Config::new(global.state()?, clock::now).checkpoint(self.checkpoint));
        };
        let overrides = Overrides { state: global.state.clone(), ..Overrides::default() };
        let config = config::Config::load(Some(config.as_path()), overrides).map_err(|problems| refused(&problems))?;
        crate::app::log_config(&config)
    }
}

impl Key {
    pub(super) fn run(self, global: &Global, out: &Out) -> anyhow::Result<()> {
        let Some(Action::Rotate { kept }) = self.action else {
            let key =
                audit::log_key(&global.state()?).context("there is no key: a gateway makes it at its first start")?;
            if global.json {
                return print::json(&serde_json::json!({ "key": key.to_string() }));
            }
            return Ok(out.line(&Line::new().theirs(&key.to_string()))?);
        };
        let renewed = audit::rotate_key(&kept.config(global)?).context("the key was not changed")?;
        say(global, out, &renewed)
    }
}

/// Take what is in the database for the log, although it is not what was signed last
#[derive(Args)]
#[command(
    long_about = "A gateway does not start with a log that is older than what was signed, another one, or one whose key or newest \
        checkpoint is lost. If that is meant (a backup was restored), this takes the database as it is. A record says what was \
        expected, what is there and why; the log gets a new name and key, since no log may sign two histories. The gateway must \
        not run."
)]
pub(super) struct Accept {
    /// Why: it is recorded
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    kept: Kept,
}

impl Accept {
    pub(super) fn run(self, global: &Global, out: &Out) -> anyhow::Result<()> {
        let config = self.kept.config(global)?;
        let renewed = audit::accept(&config, &self.reason).context("the log was not accepted")?;
        say(global, out, &renewed)
    }
}

fn say(global: &Global, out: &Out, renewed: &Renewed) -> anyhow::Result<()> {
    let (before, now) = (renewed.before.as_ref().map(ToString::to_string), renewed.now.to_string());
    if global.json {
        return print::json(&serde_json::json!({ "before": before, "now": now }));
    }
    if let Some(before) = before {
        out.line(&Line::new().ours("until now: ").theirs(&before))?;
    }
    Ok(out.line(&Line::new().ours("from now:  ").theirs(&now))?)
}
