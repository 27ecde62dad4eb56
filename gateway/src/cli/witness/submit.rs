//! `portcullis log submit`: has witnesses sign the newest checkpoint, once or again and again, beside a running gateway.

use std::path::Path;
use std::time::Duration;

use audit::{KeyType, Submission, SubmitError, VerifierKey, WitnessAddress};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Global;
use crate::cli::print::{self, Out, Trouble};
use crate::witness::{Http, ask, client};

/// Have witnesses sign the newest checkpoint
#[derive(Args)]
#[command(
    long_about = "Sends the newest checkpoint to witnesses, with the proof that the log grew from what they signed last, and keeps \
        their signatures beside the log: proofs carry them from then on. It works beside a running gateway.\n\n\
        A witness that has signed more records than there are, or others, means that the log was rolled back or rewritten. Exits \
        with 1 if any witness does not sign.",
    after_help = "Examples:\n  portcullis log submit --witness http://192.0.2.7:8080=witness.example/w1+8a2b3c4d+BF…\n  \
        portcullis log submit --every 30 --witness https://witness.example=witness.example/w1+8a2b3c4d+BF…"
)]
pub(crate) struct Submit {
    /// A witness: its address, `=`, its public key; repeat it for several
    #[arg(long = "witness", value_name = "URL=VKEY", required = true, value_parser = address)]
    witnesses: Vec<WitnessAddress>,
    /// Again every so many seconds, until Ctrl-C
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    every: Option<u64>,
}

/// An address has no `=` before the key that we know of, and a key has none but at its end.
fn address(text: &str) -> Result<WitnessAddress, String> {
    let (url, key) = text.split_once('=').ok_or("write URL=VKEY")?;
    let key: VerifierKey = key.parse().map_err(|error: audit::BadKey| error.to_string())?;
    if key.kind() != KeyType::Witness {
        return Err("that is a log's key, not a witness's".to_owned());
    }
    Ok(WitnessAddress { url: url.to_owned(), key })
}

/// How long a witness may take.
const WITHIN: Duration = Duration::from_secs(20);

impl Submit {
    pub(crate) fn run(self, global: &Global, out: &Out) -> anyhow::Result<()> {
        crate::cli::block_on(self.rounds(global, out))
    }

    async fn rounds(self, global: &Global, out: &Out) -> anyhow::Result<()> {
        let (state, http) = (global.state()?, client()?);
        let mut interrupted = signal(SignalKind::interrupt())?;
        loop {
            let done = round(&http, &state, &self.witnesses).await;
            let Some(every) = self.every else {
                let submission = done?;
                return say(global, out, &submission, self.witnesses.len());
            };
            match done {
                Ok(submission) => say(global, out, &submission, self.witnesses.len())?,
                Err(error) => print::trouble(&error),
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(every)) => {}
                _ = interrupted.recv() => return Ok(()),
            }
        }
    }
}

fn say(global: &Global, out: &Out, submission: &Submission, asked: usize) -> anyhow::Result<()> {
    let (size, signed) = (submission.checkpoint().size, submission.witnesses());
    if global.json {
        return print::json(&serde_json::json!({ "records": size, "witnesses": signed }));
    }
    Ok(out.say(format!("signed by {signed} of {asked} witnesses: {size} records"))?)
}

/// Every witness is asked, whatever another one said; what was signed is kept even if one refused.
async fn round(http: &Http, state: &Path, witnesses: &[WitnessAddress]) -> anyhow::Result<Submission> {
    let mut submission = Submission::newest(state)?;
    let mut refused = None;
    for witness in witnesses {
        if let Err(error) = ask(http, state, &mut submission, witness, WITHIN).await {
            let next = match error.downcast_ref::<SubmitError>() {
                Some(SubmitError::RolledBack { .. } | SubmitError::SplitView) => {
                    "stop the gateway, keep a copy of its state folder, and compare with what the witness kept"
                }
                Some(_) | None => "see that the witness runs, and knows this log's key: portcullis log key",
            };
            let trouble = Trouble::new(format!("{} does not sign", witness.key.name())).next(next);
            let cause = std::io::Error::other(format!("{error:#}"));
            refused.get_or_insert(trouble.because(cause));
        }
    }
    if submission.witnesses() > 0 {
        submission.keep(state)?;
    }
    refused.map_or(Ok(submission), |refused| Err(refused.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witness_is_an_address_and_its_key() {
        let log = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        assert!(address(&format!("http://192.0.2.7={log}")).unwrap_err().contains("log's key"));
        assert!(address("http://192.0.2.7").is_err());
        assert!(address("http://192.0.2.7=x").is_err());
    }
}
