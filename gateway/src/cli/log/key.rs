//! `portcullis log key` and `log accept`: who signs the log, and what is taken for it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use audit::{Config, Renewed};
use clap::{Args, Subcommand};
use vault::Pkcs11Key;

use crate::cli::Global;
use crate::cli::line::Line;
use crate::cli::print::{self, Out, Trouble};
use crate::cli::serve::refused;
use crate::clock;
use crate::config::{self, KeyPlace, Overrides};

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
        names it, so whoever knows the old key can follow; the old key is removed, unless it is kept elsewhere. Witnesses must be told the new \
        key. The gateway must not run."
    )]
    Rotate {
        #[command(flatten)]
        kept: Kept,
        /// The config whose `[audit]` table names the key that signs until now, if that is in no file
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
    },
    /// Make the key on the PKCS#11 token that a config names; it cannot be read from there
    #[command(
        long_about = "Makes an Ed25519 key of the label, on the token, that the table `[audit]` of the config names, and shows its public \
        half. It never leaves the token. A key of that label that is there already is left as it is. The log's key changes by `log key rotate`."
    )]
    Make {
        /// The config
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
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
        crate::app::log_config(&load(global, &config)?)
    }
}

pub(super) fn load(global: &Global, file: &Path) -> anyhow::Result<config::Config> {
    let overrides = Overrides { state: global.state.clone(), ..Overrides::default() };
    config::Config::load(Some(file), overrides).map_err(|problems| refused(&problems))
}

impl Key {
    pub(super) fn run(self, global: &Global, out: &Out) -> anyhow::Result<()> {
        let key = match self.action {
            None => {
                audit::log_key(&global.state()?).context("there is no key: a gateway makes it at its first start")?
            }
            Some(Action::Make { config }) => make(&load(global, &config)?)?,
            Some(Action::Rotate { kept, from }) => {
                let renewed = rotate(&kept.config(global)?, from.as_deref(), global)?;
                return say(global, out, &renewed);
            }
        };
        if global.json {
            return print::json(&serde_json::json!({ "key": key.to_string() }));
        }
        Ok(out.line(&Line::new().theirs(&key.to_string()))?)
    }
}

fn make(config: &config::Config) -> anyhow::Result<audit::VerifierKey> {
    match &config.log.key {
        Some(KeyPlace::Pkcs11(name)) => Ok(Pkcs11Key::make(name).context("the key was not made")?),
        Some(KeyPlace::Transit(_, name)) => {
            let next = format!("bao write -f {}/keys/{} type=ed25519", name.mount, name.key);
            Err(Trouble::new("the config names a transit key, which its backend makes").next(next).into())
        }
        None => {
            let next = "add `key = { pkcs11 = …, token = …, key = …, pin = … }` to `[audit]`; without it the gateway makes a \
                        key in a file by itself";
            Err(Trouble::new("the config names no key on a token").next(next).into())
        }
    }
}

fn rotate(config: &Config, from: Option<&Path>, global: &Global) -> anyhow::Result<Renewed> {
    let failed = "the key was not changed";
    let Some(from) = from else { return audit::rotate_key(config).context(failed) };
    let from = load(global, from)?;
    let old = from.log.signer(&from.vault).context("the key that signs until now is not to be had")?;
    let old = old.ok_or_else(|| Trouble::new("the config given with --from names no key that is kept elsewhere"))?;
    audit::rotate_key_from(config, &old).context(failed)
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
