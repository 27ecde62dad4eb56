//! `portcullis log prune`: takes the oldest records out of the log, as a policy allows.

use std::path::PathBuf;

use anyhow::Context as _;
use audit::{Gone, Need, PruneError, Pruning, StartError, Submission};
use clap::Args;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::key::load;
use crate::cli::Global;
use crate::cli::line::{Ink, Line};
use crate::cli::print::{self, Out, Trouble};
use crate::cli::when::{When, long};
use crate::clock;
use crate::config::Config;
use crate::export::Cursor;

/// Remove the oldest records for good, as a policy allows
#[derive(Args)]
#[command(
    long_about = "Removes whole records that are older than the config's `[audit] records`, or made before --before: with it, --reason \
        states the policy that allows it. Without a policy nothing is pruned. Records go by 256, the last of which must be old enough.\n\n\
        The log is verified first. Then a record says what goes, by which policy and who asked for it; it is signed, and only then records \
        are removed. What is left still verifies, and all proofs of it hold; `log verify` says from which record on. Agents, \
        operators with their passkeys, delegations, pins, passes and holds that are needed stay as they are. Nothing can bring the records back: see that you have what you must keep \
        (`portcullis backup`).\n\nThe gateway must not run.",
    after_help = "Examples:\n  portcullis log prune --config /etc/portcullis/portcullis.toml --dry-run\n  \
        portcullis log prune --before 2026-01-01 --reason 'the works council agreed on one year' --config portcullis.toml"
)]
pub(super) struct Prune {
    /// The config: its `[audit] records`, exporters and witnesses
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only what was made before this time
    #[arg(long, value_name = "TIME", requires = "reason")]
    before: Option<When>,
    /// The policy that allows it: it is recorded
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Also what an exporter has not sent yet, or a witness not signed
    #[arg(long)]
    force: bool,
    /// Say what would go, and remove nothing
    #[arg(long)]
    dry_run: bool,
}

impl Prune {
    pub(super) fn run(self, global: &Global, out: &Out) -> anyhow::Result<()> {
        let config = load(global, &self.config)?;
        let needed = if self.force { Vec::new() } else { needed(&config)? };
        let pruning = self.pruning(&config, needed)?;
        let gone = audit::prune(&crate::app::log_config(&config)?, &pruning).map_err(refused)?;
        say(global, out, &gone, self.dry_run)
    }

    /// By which policy, and what that is from now.
    fn pruning(&self, config: &Config, needed: Vec<Need>) -> anyhow::Result<Pruning> {
        let now = clock::now();
        let kept = config.log.records.map(|kept| (kept, now.saturating_sub(kept).unwrap_or(Timestamp::MIN)));
        let asked = match &self.before {
            Some(when) => Some(
                when.instant(now, &TimeZone::system())
                    .ok_or_else(|| Trouble::new("there is no such time: it is too far away"))?,
            ),
            None => None,
        };
        let reason = self.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
        let (before, policy) = match (asked, kept, reason) {
            (Some(asked), Some((kept, until)), _) if asked > until => {
                let what = format!("the config keeps records for {kept:#}, and those are younger");
                return Err(Trouble::new(what).next("change `[audit] records`, or name an earlier time").into());
            }
            (Some(asked), _, Some(reason)) => (asked, reason.to_owned()),
            (None, Some((kept, until)), reason) => (until, policy(kept, reason)),
            (_, None, _) | (Some(_), _, None) => {
                let next = "state one: `[audit] records = \"400d\"` in the config, or --before TIME with --reason TEXT";
                return Err(Trouble::new("no policy says which records may go").next(next).into());
            }
        };
        let by = format!("uid {}", rustix::process::getuid().as_raw());
        Ok(Pruning { before, policy, by, needed, trial: self.dry_run })
    }
}

fn policy(kept: SignedDuration, reason: Option<&str>) -> String {
    let policy = format!("[audit] records = \"{kept:#}\"");
    reason.map_or_else(|| policy.clone(), |reason| format!("{policy}: {reason}"))
}

/// What exporters have not sent, and witnesses not signed.
fn needed(config: &Config) -> anyhow::Result<Vec<Need>> {
    let mut needed = Vec::new();
    for name in config.export.keys() {
        let cursor = Cursor::load(&config.state, name).with_context(|| format!("the cursor of exporter `{name}`"))?;
        // The last one that was taken is looked at again before the next is sent.
        needed.push(Need { what: format!("the exporter `{name}`"), after: cursor.seq.saturating_sub(1) });
    }
    let newest = Submission::newest(&config.state);
    for witness in &config.log.witness {
        // The next signature takes a proof that the log grew from what was signed last.
        let after = newest.as_ref().map_or(0, |newest| newest.likely_old(&config.state, &witness.key));
        needed
            .push(Need { what: format!("the witness {}, which signed the records before", witness.key.name()), after });
    }
    Ok(needed)
}

fn refused(error: PruneError) -> anyhow::Error {
    let next = match &error {
        PruneError::Needed(_) => {
            "answer holds, close reviews, let exporters and witnesses catch up (`portcullis doctor`), or name an earlier \
             time with --before; --force leaves exporters and witnesses behind, and nothing else"
        }
        PruneError::Unsound(_) => "`portcullis log verify` says more; keep a copy of the state folder",
        PruneError::Start(StartError::NoSignature(_)) => {
            "see that the key that signs the log can be reached (`portcullis doctor` says why it cannot), and prune again"
        }
        PruneError::Start(_) | PruneError::Unsigned | _ => "stop the gateway first, and run this as its user",
    };
    Trouble::new("nothing was pruned").because(error).next(next).into()
}

fn say(global: &Global, out: &Out, gone: &Gone, trial: bool) -> anyhow::Result<()> {
    let count = (gone.to + 1).saturating_sub(gone.from);
    if global.json {
        return print::json(
            &serde_json::json!({ "from": gone.from, "to": gone.to, "count": count, "record": gone.record,
            "whole": gone.whole, "dry_run": trial }),
        );
    }
    if count == 0 {
        return Ok(out.say("nothing to prune: no 256 records at the beginning of the log are old enough")?);
    }
    let records = format!("{count} records, {} to {}", gone.from, gone.to);
    if trial {
        return Ok(out.say(format!("would prune {records}"))?);
    }
    out.line(
        &Line::new()
            .inked(Ink::Good, "pruned ")
            .ours(format!("{records}; record {} says so", gone.record.unwrap_or(0))),
    )?;
    if !gone.whole {
        print::aside("they are not off the disk yet: a gateway was started just then, and it removes them");
    }
    Ok(())
}

/// Where a list ends in a log that was pruned.
pub(super) fn note(reader: &audit::Reader) -> Option<String> {
    let missing = reader.pruned().ok().flatten()?;
    let at = long(missing.at, &TimeZone::system());
    Some(format!("records up to {} were pruned on {at}: portcullis log show {}", missing.minimum, missing.record))
}
