//! `portcullis log verify` and `log export`: whether the log is what was written, and its tiles for whoever checks that.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use audit::{Checkpoint, Note, Trusted, Verified, VerifierKey, VerifyError};
use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::Global;
use crate::cli::line::{Ink, Line};
use crate::cli::print::{self, Out, Trouble};
use crate::cli::when::long;

/// Check every record, every tile and the checkpoint
#[derive(Args)]
#[command(
    long_about = "Walks the whole log and checks that every record is what was written, in its place, that the tiles and the \
        signed checkpoint are those of its records, that what the gateway knows of agents, tools and holds follows from it, and \
        that decisions which passkeys signed are what was signed.\n\n\
        Give the public key that you noted (`portcullis log key` shows it): without it the key is what the log itself says. Give a \
        checkpoint that you kept, and a log that was rolled back or rewritten since does not lead to it. Exits with 1 if anything \
        was changed, and names the first.\n\n\
        Records that are not signed yet are named; whoever can write the database could have made them. A running gateway signs within a \
        fifth of a second. With --strict they fail too.",
    after_help = "Examples:\n  portcullis log verify --key portcullis/5d41402abc4b2a76+1b2c3d4e+AZ…\n  \
        portcullis log verify --tiles /srv/export --key portcullis/5d41402abc4b2a76+1b2c3d4e+AZ…\n  \
        portcullis log verify --state /mnt/copy --checkpoint checkpoint-of-monday"
)]
pub(super) struct Verify {
    /// The log's public key, of now or before
    #[arg(long, value_name = "VKEY")]
    key: Option<VerifierKey>,
    /// A checkpoint of this log that was kept [default: `checkpoint` in the state folder, if it is there]
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Fail too where records are not signed
    #[arg(long)]
    strict: bool,
    /// Check the tiles in this folder, not the database; needs the key that signs now
    #[arg(long, value_name = "DIR", requires = "key")]
    tiles: Option<PathBuf>,
}

impl Verify {
    pub(super) fn run(self, global: &Global, out: &Out) -> anyhow::Result<ExitCode> {
        let state = global.state()?;
        // The file in the state folder is read before the database: a gateway that runs is ahead of it, never behind.
        let kept = match (&self.checkpoint, &self.tiles) {
            (Some(path), _) => Ok(Some(kept(path)?)),
            (None, None) => audit::outside(&state),
            (None, Some(_)) => Ok(None),
        };
        let named = self.key.is_some();
        let place = self.tiles.clone().unwrap_or_else(|| state.clone());
        let result = kept.and_then(|checkpoint| {
            let trusted = Trusted { key: self.key.clone(), checkpoint };
            match (&self.tiles, &self.key) {
                (Some(tiles), Some(key)) => audit::verify_tiles(tiles, key, &trusted),
                (_, _) => audit::verify_with(&state, &trusted),
            }
        });
        match result {
            Ok(verified) => {
                let unsigned = verified.unsigned().filter(|_| self.strict);
                say(global, out, &verified, unsigned.is_none())?;
                if !named && verified.signed.is_some() {
                    print::aside("the key is the one that the log itself names: give --key to check that it is yours");
                }
                let Some((first, last)) = unsigned else { return Ok(ExitCode::SUCCESS) };
                let next =
                    "ask again while the gateway runs; where none runs, the next start signs them and records that";
                print::trouble(&Trouble::new(format!("records {first} to {last} are not signed")).next(next).into());
                Ok(ExitCode::FAILURE)
            }
            Err(VerifyError::Broken(broken)) => {
                if global.json {
                    let what = broken.what.to_string();
                    print::json(&serde_json::json!({ "ok": false, "seq": broken.seq, "what": what }))?;
                }
                let next =
                    "keep a copy of the folder, stop trusting what follows that record, and compare with a backup";
                print::trouble(&Trouble::new("the log was changed").because(broken).next(next).into());
                Ok(ExitCode::FAILURE)
            }
            Err(error @ VerifyError::Stopped) => Err(error.into()),
            Err(VerifyError::Read(error)) => {
                let what = format!("cannot read the log in {}", place.display());
                Err(Trouble::new(what).because(error).next("name the state folder that you mean: --state DIR").into())
            }
        }
    }
}

/// The checkpoint in a file. Its signature is not needed: it is what this person kept.
fn kept(path: &Path) -> anyhow::Result<Checkpoint> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let note = Note::parse(&text).with_context(|| format!("{} is no checkpoint", path.display()))?;
    Checkpoint::of(&note).with_context(|| format!("{} is no checkpoint", path.display()))
}

fn say(global: &Global, out: &Out, verified: &Verified, ok: bool) -> anyhow::Result<()> {
    let signed = verified.signed.as_ref();
    let unsigned = verified.unsigned();
    if global.json {
        let unsigned = unsigned.map(|(from, to)| serde_json::json!({ "from": from, "to": to }));
        return print::json(&serde_json::json!({ "ok": ok, "records": verified.records, "head": verified.head,
            "first": verified.first, "last": verified.last, "signed": signed.map(|(checkpoint, _)| checkpoint.size),
            "root": signed.map(|(checkpoint, _)| checkpoint.root), "key": signed.map(|(_, key)| key.to_string()), "accepted": verified.accepted,
            "restored": verified.restored, "continued": verified.continued, "unsigned": unsigned, "erased": verified.erased, "asserted": verified.asserted,
            "pruned": verified.pruned }));
    }
    let zone = TimeZone::system();
    let time = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| long(at, &zone));
    let begin = Line::new();
    let begin = if ok { begin.inked(Ink::Good, "ok: ") } else { begin.inked(Ink::Warning, "not all signed: ") };
    let line = begin.ours(format!("{} records", verified.records));
    out.line(&line.ours(format!(", {} to {}", time(verified.first), time(verified.last))))?;
    if verified.pruned > 0 {
        let said = format!(
            "records up to {} were pruned, as a record says: verified from {} on",
            verified.pruned,
            verified.pruned + 1
        );
        out.line(&Line::new().inked(Ink::Warning, "note: ").ours(said))?;
    }
    if *verified.head.as_bytes() != audit::record::GENESIS {
        out.say(format!("head: {}", verified.head))?;
    }
    if let Some((checkpoint, key)) = signed {
        out.say(format!("signed: {} records, root {}", checkpoint.size, checkpoint.root))?;
        out.line(&Line::new().ours("key: ").theirs(&key.to_string()))?;
    }
    if let Some((first, last)) = unsigned {
        let said = format!(
            "records {first} to {last} are not signed yet: whoever can write the database could have made them"
        );
        out.line(&Line::new().inked(Ink::Warning, "note: ").ours(said))?;
    }
    if verified.erased > 0 {
        out.say(format!("erased: arguments and results up to record {}, as records say", verified.erased))?;
    }
    if verified.asserted > 0 {
        out.say(format!(
            "passkeys: {} answers and delegations were signed, and each signature holds",
            verified.asserted
        ))?;
    }
    for seq in &verified.accepted {
        let said = format!(
            "record {seq}: the log was accepted although it was not what was signed last; see `log show {seq}`"
        );
        out.line(&Line::new().inked(Ink::Warning, "note: ").ours(said))?;
    }
    for seq in &verified.restored {
        let said = format!("record {seq}: the log was restored from a backup; see `log show {seq}`");
        out.line(&Line::new().inked(Ink::Warning, "note: ").ours(said))?;
    }
    for seq in &verified.continued {
        let said = format!(
            "record {seq}: a start went on from records that nobody had signed: a crash leaves such, and so does whoever adds them; see `log show {seq}`"
        );
        out.line(&Line::new().inked(Ink::Warning, "note: ").ours(said))?;
    }
    Ok(())
}

/// Write the log as static files that anyone can check
#[derive(Args)]
#[command(
    long_about = "Writes the log, up to its newest checkpoint, as C2SP `tlog-tiles`: `checkpoint`, `tile/LEVEL/INDEX` and \
        `tile/entries/INDEX`. Any web server can offer them, and anyone can check them with the log's public key.\n\n\
        Entries hold salted commitments, not what was recorded; records of version 1, made before the log had a tree, are whole."
)]
pub(super) struct Export {
    /// The folder to write to; what is there is brought up to date
    #[arg(long, value_name = "DIR")]
    tiles: PathBuf,
}

impl Export {
    pub(super) fn run(self, global: &Global, out: &Out) -> anyhow::Result<()> {
        let exported = audit::export(&global.state()?, &self.tiles)?;
        let Checkpoint { size, root, origin } = exported.checkpoint;
        if global.json {
            return print::json(
                &serde_json::json!({ "records": size, "root": root, "origin": origin, "files": exported.files }),
            );
        }
        Ok(out.say(format!("{size} records in {} files, root {root}", exported.files))?)
    }
}
