//! `portcullis log submit`: has witnesses sign the newest checkpoint, once or again and again, beside a running gateway.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use audit::{KeyType, Submission, SubmitError, VerifierKey, WitnessAddress};
use bytes::Bytes;
use clap::Args;
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::task::TaskTracker;

use crate::cli::Global;
use crate::cli::print::{self, Out, Trouble};

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

/// The longest answer that is read.
const LONGEST: usize = 64 << 10;

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

/// Runs the connections of this command; they end with it.
#[derive(Clone, Default)]
struct Tasks(TaskTracker);

impl<F: Future<Output: Send + 'static> + Send + 'static> hyper::rt::Executor<F> for Tasks {
    fn execute(&self, connection: F) {
        self.0.spawn(connection);
    }
}

type Http = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

fn client() -> anyhow::Result<Http> {
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_native_roots()
        .context("cannot read the system's certificates")?
        .with_no_client_auth();
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
    Ok(Client::builder(Tasks::default()).build(connector))
}

/// Every witness is asked, whatever another one said; what was signed is kept even if one refused.
async fn round(http: &Http, state: &Path, witnesses: &[WitnessAddress]) -> anyhow::Result<Submission> {
    let mut submission = Submission::newest(state)?;
    let mut refused = None;
    for witness in witnesses {
        if let Err(error) = ask(http, state, &mut submission, witness).await {
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

async fn ask(http: &Http, state: &Path, submission: &mut Submission, witness: &WitnessAddress) -> anyhow::Result<()> {
    let uri: Uri = format!("{}/add-checkpoint", witness.url.trim_end_matches('/')).parse()?;
    let mut old = submission.likely_old(state, &witness.key);
    // Once with what is likely, once with what it says; more only if it signs for someone else meanwhile.
    for _ in 0..4 {
        let body = submission.body(state, old)?;
        let (status, answer) =
            tokio::time::timeout(WITHIN, post(http, &uri, body)).await.context("no answer in time")??;
        match submission.answered(old, status, &answer, &witness.key)? {
            None => return Ok(()),
            Some(known) => old = known,
        }
    }
    bail!("the witness names another size each time");
}

async fn post(http: &Http, uri: &Uri, body: String) -> anyhow::Result<(u16, String)> {
    let request = Request::post(uri).body(Full::new(Bytes::from(body)))?;
    let answer = http.request(request).await.context("no connection")?;
    let status = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), LONGEST).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!("the answer breaks off: {error}"))?.to_bytes();
    Ok((status, String::from_utf8(body.to_vec()).context("the answer is not text")?))
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
