//! How the log is opened: with the config's key, and with the redactor that nothing is recorded without.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use audit::{Audit, Recovered, Redactor};

use crate::config::{Config, Redaction};
use crate::{clock, telemetry};

/// Opens the log of a state folder: one process at a time.
///
/// # Errors
/// If it is in use, broken, or cannot be written.
pub fn open_log(state: &Path) -> anyhow::Result<Audit> {
    open(audit::Config::new(state, clock::now), state, Redaction::default()).map(|(audit, _)| audit)
}

/// The log as a config has it: a key that is kept elsewhere is asked for now.
///
/// # Errors
/// If it is not to be had.
pub fn log_config(config: &Config) -> anyhow::Result<audit::Config> {
    let signer = config.log.signer(&config.vault).context("the key that signs the log is not to be had")?;
    let log = audit::Config::new(&config.state, clock::now);
    let log = log.checkpoint(config.log.checkpoint.clone()).signer(signer).bodies(config.log.bodies);
    Ok(match config.log.wait {
        Some(wait) => log.wait(wait),
        None => log,
    })
}

pub(super) fn open(config: audit::Config, state: &Path, redact: Redaction) -> anyhow::Result<(Audit, Recovered)> {
    let mut folder = fs::DirBuilder::new();
    folder.recursive(true).mode(0o700).create(state).with_context(|| format!("cannot make {}", state.display()))?;
    let key = audit::fingerprint_key(state).context("the redactor's key cannot be used")?;
    let redactor = Redactor::new(&key).with_grace(redact.grace).with_personal(redact.personal);
    let redactor = Arc::new(redactor);
    telemetry::redact(&redactor);
    let (audit, recovered) = Audit::start(config, redactor).context("the log cannot be opened")?;
    for call in &recovered.interrupted {
        tracing::warn!(%call, "was running when the gateway last stopped; recorded as interrupted, never run again by itself");
    }
    Ok((audit, recovered))
}
