//! `portcullis restore`: makes a log of a backup, and says so in it.

use std::path::PathBuf;
use std::process::ExitCode;

use audit::{Order, RestoreError, Restored, Trusted, VerifierKey};
use clap::Args;

use super::Global;
use super::backup::watched;
use super::line::{Ink, Line};
use super::log::Kept;
use super::print::{self, Out, Trouble};

/// Make a log of a backup
#[derive(Args)]
#[command(
    about = "Make a log of a backup, in an empty state folder",
    long_about = "Copies a backup into the state folder, after comparing it with its listing and verifying the log in it. The gateway \
        must not run.\n\n\
        What happened after the backup was made is not in it, so: a record says that the log was restored, from what, why, and \
        which newer checkpoint was found; every open hold is cancelled and every pass revoked, since an approval may have been \
        used meanwhile; and the log gets a new name and key, since no log may sign two histories. All that is one transaction, \
        and no gateway starts before it.\n\n\
        Agents, operators, accepted tools and quarantines are as they were when the backup was made.",
    after_help = "Examples:\n  portcullis restore /mnt/backup/portcullis-monday --reason 'the disk died'\n  \
        portcullis restore /mnt/backup/portcullis-monday --reason 'test' --force --config /etc/portcullis.toml"
)]
pub(crate) struct RestoreCommand {
    /// The backup's folder
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Why: it is recorded
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Move what is in the state folder to a folder `replaced-TIME` in it; nothing is deleted
    #[arg(long)]
    force: bool,
    /// End the tokens of all agents: one that was removed after the backup was made would be good again
    #[arg(long)]
    revoke_agents: bool,
    /// The log's public key, of then or before
    #[arg(long, value_name = "VKEY")]
    key: Option<VerifierKey>,
    #[command(flatten)]
    kept: Kept,
}

impl RestoreCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let out = Out::stdout();
        let Self { folder, reason, force, revoke_agents, key, kept } = self;
        let config = kept.config(global)?;
        let restored = watched(move |watch| {
            let trusted = Trusted { key, checkpoint: None };
            let order = Order { from: &folder, config, aside: force, revoke_agents, trusted, reason: &reason };
            audit::restore(&order, watch)
        })?;
        say(global, &out, &restored.map_err(advised)?)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn advised(error: RestoreError) -> anyhow::Error {
    let next = match &error {
        RestoreError::Occupied(_) => "name an empty one (--state DIR), or have it moved aside: --force",
        RestoreError::Running(_) => "stop the gateway first",
        RestoreError::NoBackup { .. } | RestoreError::Unsound(_) => "take another backup, or another copy of this one",
        RestoreError::File { .. } | RestoreError::Start(_) | RestoreError::StillOpen | RestoreError::Stopped => {
            return error.into();
        }
    };
    Trouble::new("nothing was restored").because(error).next(next).into()
}

fn say(global: &Global, out: &Out, restored: &Restored) -> anyhow::Result<()> {
    let Restored { listing, record, renewed, lost, holds, passes, delegations, agents, operators, replaced } = restored;
    if global.json {
        return print::json(&serde_json::json!({ "records": listing.records, "made": listing.made, "record": record,
            "key": renewed.now.to_string(), "lost": lost.as_ref().map(|lost| lost.size), "holds": holds, "passes": passes,
            "delegations": delegations, "agents": agents, "operators": operators, "replaced": replaced }));
    }
    out.say(format!("restored {} records, as of {}; record {record} says so", listing.records, listing.made))?;
    let newer = match lost {
        Some(lost) => {
            format!("{} records: a checkpoint of {} was found", lost.size.saturating_sub(listing.records), lost.size)
        }
        None => "no newer checkpoint was found here; a witness may know of more records".to_owned(),
    };
    out.line(&Line::new().inked(Ink::Warning, "lost: ").ours(newer))?;
    out.say(format!("ended: {holds} holds, {passes} passes, {delegations} delegations"))?;
    names(out, "agents", &agents.iter().map(ToString::to_string).collect::<Vec<_>>(), "portcullis agent remove NAME")?;
    let people: Vec<String> = operators.iter().map(ToString::to_string).collect();
    names(out, "operators", &people, "portcullis operator remove NAME")?;
    if !listing.keys {
        out.say("keys: none were in the backup; stored secrets have to be set again")?;
    }
    if let Some(replaced) = replaced {
        out.line(&Line::new().ours("what was there is in ").theirs(&replaced.display().to_string()))?;
    }
    let key = Line::new().ours("the log has a new name and key, for witnesses and reviewers: ");
    Ok(out.line(&key.theirs(&renewed.now.to_string()))?)
}

/// Who can connect as before; one that was removed after the backup was made must be removed again.
fn names(out: &Out, what: &str, names: &[String], next: &str) -> anyhow::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let line = Line::new().ours(format!("{what} as they were then: ")).theirs(&names.join(", "));
    Ok(out.line(&line.ours(format!("   (remove again whom you removed since: {next})")))?)
}
