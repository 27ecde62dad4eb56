//! Asks one witness for its signature, over HTTP.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use audit::{Submission, WitnessAddress};
use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use tokio_util::task::TaskTracker;

/// The longest answer that is read.
const LONGEST: usize = 64 << 10;

/// Runs the connections; they end with it.
#[derive(Clone, Default)]
pub(crate) struct Tasks(TaskTracker);

impl<F: Future<Output: Send + 'static> + Send + 'static> hyper::rt::Executor<F> for Tasks {
    fn execute(&self, connection: F) {
        self.0.spawn(connection);
    }
}

pub(crate) type Http = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// What speaks to witnesses: HTTPS by the system's certificates, or HTTP, since what they sign is checked by their keys.
pub(crate) fn client() -> anyhow::Result<Http> {
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_native_roots()
        .context("cannot read the system's certificates")?
        .with_no_client_auth();
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
    Ok(Client::builder(Tasks::default()).build(connector))
}

/// Has one witness sign the submission; each of its answers may take so long.
pub(crate) async fn ask(
    http: &Http,
    state: &Path,
    submission: &mut Submission,
    witness: &WitnessAddress,
    within: Duration,
) -> anyhow::Result<()> {
    let uri: Uri = format!("{}/add-checkpoint", witness.url.trim_end_matches('/')).parse()?;
    let mut old = submission.likely_old(state, &witness.key);
    // Once with what is likely, once with what it says; more only if it signs for someone else meanwhile.
    for _ in 0..4 {
        let body = submission.body(state, old)?;
        let (status, answer) =
            tokio::time::timeout(within, post(http, &uri, body)).await.context("no answer in time")??;
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
