//! `Exporter`: sends spans and figures to a collector, beside the calls: OTLP over HTTP, through our own TLS.
//!
//! ```text
//! spans ─ bounded queue, full: dropped and counted ─► batches ─► POST …/v1/traces    tried a few times, then dropped and counted
//! Watch ─ every minute ─────────────────────────────────────────► POST …/v1/metrics   not tried again: the next says it all
//! ```
//!
//! A collector that is down, slow or hostile costs its spans, and no call a moment: nothing on a call's way waits here.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use audit::{Learned, Redactor};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use prost::Message;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::otlp::Sender;
use super::span::Told;
use super::tracer::Tracer;
use crate::clock;
use crate::config::{Telemetry, Word};
use crate::endpoint::{Endpoint, OpenError, Reply, SendError, credential};
use crate::metrics::Watch;

/// Sends spans and figures to a collector.
pub struct Exporter {
    spans: mpsc::Receiver<Told>,
    tracer: Arc<Tracer>,
    to: Collector,
    every: Duration,
}

/// Who takes them.
struct Collector {
    traces: Endpoint,
    metrics: Endpoint,
    headers: HeaderMap,
    service: String,
    redactor: Arc<Redactor>,
    _learned: Vec<Learned>,
}

/// Spans in one message: well below what collectors take by themselves (4 MiB), with room for the longest names.
const BATCH: usize = 512;

/// How long a batch waits for more.
const GATHER: Duration = Duration::from_millis(500);

/// How long one message may take.
const WITHIN: Duration = Duration::from_secs(5);

/// The shortest word of a header that is taken for a token: a scheme or a tenant is no secret, and would be redacted everywhere.
const TOKEN: usize = 8;

/// How often a batch is tried, later and later: together under a minute, in which the queue holds what comes.
const TRIES: u32 = 5;

/// The longest a collector is left alone because it asks for it.
const PAUSE: Duration = Duration::from_secs(20);

/// How long calls that were just interrupted may take to end their spans.
const AFTERMATH: Duration = Duration::from_millis(100);

/// How long the last messages may take when the gateway stops.
const LAST: Duration = Duration::from_millis(1_700);

impl Exporter {
    /// Reads what it needs. The redactor knows its credentials from now on.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open(settings: &Telemetry, redactor: &Arc<Redactor>) -> Result<(Arc<Tracer>, Self), OpenError> {
        let (tracer, spans) = Tracer::new(settings.sample);
        let to = Collector::open(settings, redactor)?;
        Ok((Arc::clone(&tracer), Self { spans, tracer, to, every: settings.every }))
    }

    /// Sends until `halt`, and then what is left, for no longer than two seconds. Not cancel-safe.
    pub async fn run(self, watch: Watch, halt: CancellationToken) {
        let Self { mut spans, tracer, to, every } = self;
        let mut batch = Vec::new();
        let sending = Box::pin(async {
            tokio::join!(to.send_spans(&mut spans, &mut batch, &tracer), to.send_figures(&watch, every));
        });
        halt.run_until_cancelled(sending).await;
        tokio::time::sleep(AFTERMATH).await;
        while let Ok(span) = spans.try_recv() {
            batch.push(span);
        }
        let (mut left, mut figures) = (pin!(to.last_spans(&batch, &tracer)), pin!(to.post_figures(&watch)));
        let ended = tokio::time::timeout(LAST, async { tokio::join!(&mut left, &mut figures) }).await;
        if !matches!(ended, Ok(((), Ok(())))) {
            tracing::warn!("a collector did not take what was left when the gateway stopped");
        }
    }
}

impl Collector {
    fn open(settings: &Telemetry, redactor: &Arc<Redactor>) -> Result<Self, OpenError> {
        let authority = settings.authority.as_deref();
        let mut headers = HeaderMap::new();
        let mut learned = Vec::new();
        for (name, word) in &settings.headers {
            let text = match word {
                Word::File(path) => credential::line(path, "the value of a header")?,
                Word::Env(name) => credential::variable(name)?,
            };
            let mut value = HeaderValue::from_str(&text).map_err(|error| OpenError::Client(Box::new(error)))?;
            value.set_sensitive(true);
            // A scheme stands before a token, and the token alone is as good.
            let words = text.split(' ').filter(|word| word.len() >= TOKEN);
            learned.extend(words.map(|word| redactor.learn(word.as_bytes())));
            headers.insert(name.clone(), value);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let traces = Endpoint::open(&below(&settings.endpoint, "traces"), authority)?;
        let metrics = Endpoint::open(&below(&settings.endpoint, "metrics"), authority)?;
        let (service, redactor) = (settings.service.clone(), Arc::clone(redactor));
        Ok(Self { traces, metrics, headers, service, redactor, _learned: learned })
    }

    /// Until nobody makes spans any more. Cancel-safe: what is not sent stays in `batch`.
    async fn send_spans(&self, spans: &mut mpsc::Receiver<Told>, batch: &mut Vec<Told>, tracer: &Tracer) {
        while spans.recv_many(batch, BATCH).await > 0 {
            tokio::time::sleep(GATHER).await;
            while batch.len() < BATCH
                && let Ok(span) = spans.try_recv()
            {
                batch.push(span);
            }
            match self.deliver(batch).await {
                Ok(()) => tracer.send_all(batch.len()),
                Err(error) => {
                    tracer.drop_all(batch.len());
                    tracing::warn!(%error, spans = batch.len(), "a collector did not take these spans; they are dropped");
                }
            }
            batch.clear();
        }
    }

    /// Cancel-safe, but for that the last try may have been taken.
    async fn deliver(&self, batch: &[Told]) -> Result<(), SendError> {
        let mut tried = 1;
        loop {
            match self.post_spans(batch).await {
                Err(error) if tried < TRIES && may_pass(&error) => {
                    let usual = Duration::from_secs(1 << tried.min(4));
                    tokio::time::sleep(error.after().unwrap_or(usual).min(PAUSE)).await;
                    tried += 1;
                }
                ended => return ended,
            }
        }
    }

    async fn last_spans(&self, batch: &[Told], tracer: &Tracer) {
        for part in batch.chunks(BATCH) {
            match self.post_spans(part).await {
                Ok(()) => tracer.send_all(part.len()),
                Err(_) => tracer.drop_all(part.len()),
            }
        }
    }

    async fn post_spans(&self, batch: &[Told]) -> Result<(), SendError> {
        if batch.is_empty() {
            return Ok(());
        }
        let message = self.sender().traces(batch).encode_to_vec();
        self.post(&self.traces, message).await
    }

    /// A collector that is away is told of once, and once when it is back.
    async fn send_figures(&self, watch: &Watch, every: Duration) {
        let mut away = false;
        loop {
            tokio::time::sleep(every).await;
            match self.post_figures(watch).await {
                Ok(()) => away = false,
                Err(error) if !away => {
                    away = true;
                    tracing::warn!(%error, "a collector did not take the figures");
                }
                Err(_) => {}
            }
        }
    }

    async fn post_figures(&self, watch: &Watch) -> Result<(), SendError> {
        let message = self.sender().figures(&watch.families(), watch.started(), clock::now()).encode_to_vec();
        self.post(&self.metrics, message).await
    }

    fn sender(&self) -> Sender<'_> {
        Sender { service: &self.service, redactor: &self.redactor }
    }

    async fn post(&self, endpoint: &Endpoint, message: Vec<u8>) -> Result<(), SendError> {
        let sent = tokio::time::timeout(WITHIN, endpoint.post(self.headers.clone(), message)).await;
        let taken = sent.unwrap_or(Err(SendError::Late)).and_then(Reply::taken);
        taken.map_err(|error| error.redacted(&self.redactor))
    }
}

/// The signal's own path, below what the config names.
fn below(endpoint: &Url, signal: &str) -> Url {
    let mut url = endpoint.clone();
    url.set_path(&format!("{}/v1/{signal}", endpoint.path().trim_end_matches('/')));
    url
}

/// Whether another try could help: a message that was not understood will not be the next time.
fn may_pass(error: &SendError) -> bool {
    match error {
        SendError::Connect(_) | SendError::Broken(_) | SendError::Late => true,
        SendError::Refused { status, .. } => matches!(status, 408 | 429 | 502 | 503 | 504),
        SendError::Unfit { .. } | SendError::Form(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_its_path_below_the_endpoint() {
        for (endpoint, wanted) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://o.test/otlp/", "https://o.test/otlp/v1/traces"),
            ("https://o.test/otlp?x=1", "https://o.test/otlp/v1/traces?x=1"),
        ] {
            assert_eq!(below(&endpoint.parse().unwrap(), "traces").as_str(), wanted);
        }
    }

    #[test]
    fn what_was_not_understood_is_not_said_again() {
        let refused = |status| SendError::Refused { status, said: String::new(), after: None };
        assert!(may_pass(&refused(429)) && may_pass(&refused(503)) && may_pass(&SendError::Late));
        assert!(!may_pass(&refused(400)) && !may_pass(&refused(401)) && !may_pass(&refused(301)));
    }
}
