//! `portcullis log prove` and `log check-proof`: one record, or some of its fields, for someone who has nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use audit::{Proof, Proven, VerifierKey};
use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::open;
use crate::cli::Global;
use crate::cli::line::{Ink, Line};
use crate::cli::print::{self, Out, Trouble};
use crate::cli::when::long;

/// Prove to a third party that a record is in the log
#[derive(Args)]
#[command(
    long_about = "Writes a `c2sp.org/tlog-proof@v1` file: the record, the path to the log's root, and the signed checkpoint, with \
        the signatures of witnesses if there are any. Whoever has the log's public key checks it without the log and without a \
        network, and learns of the record what you show and nothing else.\n\n\
        Without --fields, all of the record is shown, and its arguments or result.",
    after_help = "Examples:\n  portcullis log prove 4711 > 4711.tlog-proof\n  \
        portcullis log prove 4711 --fields tool,verdict,detail.because --out 4711.tlog-proof\n  \
        portcullis log prove call-k3v7qx2m4n5p6r7s --out proofs/"
)]
pub(super) struct Prove {
    /// A record's number; or a call's id or its hold's, for every record of the call
    #[arg(value_name = "ID")]
    id: String,
    /// Show only these fields, such as `agent`, `tool`, `verdict`, `body`, `detail`, `detail.because`
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    fields: Option<Vec<String>>,
    /// The file to write; for several records, the folder [default: standard output]
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
}

impl Prove {
    pub(super) fn run(self, global: &Global, out: &Out) -> anyhow::Result<()> {
        let state = global.state()?;
        let seqs = match self.id.parse::<u64>() {
            Ok(seq) => vec![seq],
            Err(_) => open(global)?.show(&self.id)?.records.iter().map(|found| found.record.seq).collect(),
        };
        let prove = |seq| -> anyhow::Result<String> {
            let next = "`portcullis log show` shows what a record holds";
            let proof = audit::prove(&state, seq, self.fields.as_deref());
            let proof =
                proof.map_err(|error| Trouble::new(format!("no proof of record {seq}")).because(error).next(next))?;
            if proof.lacks_body() {
                print::aside(format!(
                    "what lay beside record {seq} was erased, as `[audit] bodies` says: the proof has its size and hash alone"
                ));
            }
            Ok(proof.to_string())
        };
        match (seqs.as_slice(), &self.out) {
            ([seq], None) => Ok(print::raw(prove(*seq)?.as_bytes())?),
            ([seq], Some(file)) if !file.is_dir() => save(out, file, &prove(*seq)?),
            (seqs, Some(folder)) => {
                fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
                seqs.iter().try_for_each(|seq| save(out, &folder.join(format!("{seq}.tlog-proof")), &prove(*seq)?))
            }
            (_, None) => {
                let what = format!("{} records belong to that call", seqs.len());
                Err(Trouble::new(what).next("name a folder for the files: --out DIR").into())
            }
        }
    }
}

fn save(out: &Out, path: &Path, proof: &str) -> anyhow::Result<()> {
    fs::write(path, proof).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(out.say(path.display().to_string())?)
}

/// Check a proof, without the log
#[derive(Args)]
#[command(
    long_about = "Checks a file that `log prove` wrote, with nothing but the log's public key, and prints what it proves: the \
        fields that are shown, and the names of those that are not. Exits with 1 if it proves nothing."
)]
pub(super) struct CheckProof {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The log's public key
    #[arg(long, value_name = "VKEY")]
    key: VerifierKey,
    /// A witness's public key; every one that is given must have signed
    #[arg(long, value_name = "VKEY")]
    witness: Vec<VerifierKey>,
}

impl CheckProof {
    pub(super) fn run(self, global: &Global, out: &Out) -> anyhow::Result<ExitCode> {
        let text = fs::read_to_string(&self.file).with_context(|| format!("cannot read {}", self.file.display()))?;
        let proven = match Proof::parse(&text).and_then(|proof| proof.check(&self.key, &self.witness)) {
            Ok(proven) => proven,
            Err(bad) => {
                print::trouble(&Trouble::new("this proves nothing").because(bad).into());
                return Ok(ExitCode::FAILURE);
            }
        };
        if let Some(missing) =
            self.witness.iter().find(|key| !proven.witnesses.iter().any(|(name, _)| name == key.name()))
        {
            let what = format!("the witness {} has not signed", missing.name());
            print::trouble(&Trouble::new(what).into());
            return Ok(ExitCode::FAILURE);
        }
        if global.json {
            print::json(&proven)?;
        } else {
            say(out, &proven)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn say(out: &Out, proven: &Proven) -> anyhow::Result<()> {
    let record = &proven.record;
    let ok = Line::new().inked(Ink::Good, "ok: ").ours(format!("record {} of {} in the log ", record.seq, proven.size));
    out.line(&ok.theirs(&proven.origin))?;
    out.line(&Line::new().ours("  at: ").theirs(&record.at))?;
    for (name, value) in &record.fields {
        out.line(&Line::new().ours("  ").theirs(name).ours(": ").theirs(&value.to_string()))?;
    }
    if let Some(body) = &record.body {
        out.line(&Line::new().ours("  arguments or result: ").theirs(&body.to_string()))?;
    }
    if !record.withheld.is_empty() {
        out.line(&Line::new().ours("not shown: ").theirs(&record.withheld.join(", ")))?;
    }
    for (name, time) in &proven.witnesses {
        let at = i64::try_from(*time).ok().and_then(|time| Timestamp::from_second(time).ok());
        let at = at.map_or_else(|| "an unknown time".to_owned(), |at| long(at, &TimeZone::system()));
        out.line(&Line::new().ours("signed by the witness ").theirs(name).ours(format!(" at {at}")))?;
    }
    Ok(())
}
