//! `TransitKey`: signs the log by a key that never leaves the backend.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use audit::{Signer, VerifierKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use thiserror::Error;
use vaultrs::api::transit::requests::SignDataRequest;
use vaultrs::api::transit::responses::ReadKeyData;
use vaultrs::transit;

use super::client::quietly;
use super::fault::Fault;
use super::{ConnectorError, Hashicorp, Settings};
use crate::named::log_named_after;

/// Which key of which engine; as a config writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransitName {
    /// The engine.
    pub mount: String,
    /// Its key, of the type `ed25519`.
    pub key: String,
    /// Of the key: the log has one key until an operator changes it, also where the backend makes a newer version.
    pub version: u64,
}

/// A key of a transit engine. The log's thread waits for each signature, so a thread of its own asks for them, for a bounded
/// time, and not again at once where the backend fails.
pub struct TransitKey {
    verifier: VerifierKey,
    jobs: SyncSender<Job>,
}

/// Why a transit key cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TransitError {
    /// No backend of that name keeps keys.
    #[error("`{0}` is no backend of the kind `hashicorp`")]
    NoBackend(String),
    /// The backend cannot be spoken to as it is configured.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    /// It does not say which key it is.
    #[error("the backend does not show the transit key")]
    Backend(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Its signatures would not be the log's.
    #[error("the transit key is not of the type `ed25519`, or has no such version")]
    Kind,
    /// The thread cannot be started.
    #[error("cannot start the thread of the transit key")]
    Thread(#[source] io::Error),
}

struct Job {
    message: Vec<u8>,
    answer: SyncSender<Result<[u8; 64], Fault>>,
}

impl TransitKey {
    pub(crate) fn open(settings: &Settings, name: TransitName) -> Result<Self, TransitError> {
        let backend = Hashicorp::new(settings)?;
        let (jobs, queue) = sync_channel(1);
        let (shown, public) = sync_channel(1);
        std::thread::Builder::new()
            .name("transit".to_owned())
            .spawn(move || work(&backend, &name, &shown, &queue))
            .map_err(TransitError::Thread)?;
        let gone = |_| TransitError::Kind;
        let public = public.recv().map_err(gone)??;
        let verifier = log_named_after(public).map_err(|_| TransitError::Kind)?;
        Ok(Self { verifier, jobs })
    }
}

impl Signer for TransitKey {
    fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    fn sign(&self, message: &[u8]) -> io::Result<[u8; 64]> {
        let (answer, signed) = sync_channel(1);
        self.jobs.send(Job { message: message.to_vec(), answer }).map_err(io::Error::other)?;
        signed.recv().map_err(io::Error::other)?.map_err(io::Error::other)
    }
}

/// The log's thread waits for a signature, and calls wait for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// After a signature that did not come, none is asked for: calls would wait each time.
const REST: Duration = Duration::from_secs(10);

/// Shows the public key, and then signs until nobody asks any more.
fn work(
    backend: &Hashicorp,
    name: &TransitName,
    shown: &SyncSender<Result<[u8; 32], TransitError>>,
    queue: &Receiver<Job>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(shown.send(Err(TransitError::Thread(error)))),
    };
    let public = runtime.block_on(show(backend, name));
    let good = public.is_ok();
    drop(shown.send(public));
    let mut failed: Option<(Instant, Fault)> = None;
    for job in queue.iter().take_while(|_| good) {
        let rests = failed.as_ref().filter(|(at, _)| at.elapsed() < REST).map(|(_, fault)| fault.clone());
        let signed = match rests {
            Some(fault) => Err(fault),
            None => runtime.block_on(async {
                tokio::time::timeout(PATIENCE, sign(backend, name, &job.message)).await.unwrap_or(Err(Fault::Late))
            }),
        };
        match (&signed, &failed) {
            (Ok(_), _) => failed = None,
            (Err(fault), Some((at, _))) if at.elapsed() >= REST => failed = Some((Instant::now(), fault.clone())),
            (Err(fault), None) => failed = Some((Instant::now(), fault.clone())),
            (Err(_), Some(_)) => {}
        }
        drop(job.answer.send(signed));
    }
}

async fn show(backend: &Hashicorp, name: &TransitName) -> Result<[u8; 32], TransitError> {
    let read = backend
        .ask(|session| async move { quietly(transit::key::read(&session.client, &name.mount, &name.key)).await });
    let key = read.await.map_err(|fault| TransitError::Backend(Box::new(fault)))?;
    let ReadKeyData::Asymmetric(versions) = key.keys else { return Err(TransitError::Kind) };
    let version = versions.get(&name.version.to_string()).filter(|version| version.name == "ed25519");
    let public = version.and_then(|version| BASE64.decode(&version.public_key).ok());
    public.and_then(|bytes| bytes.try_into().ok()).ok_or(TransitError::Kind)
}

async fn sign(backend: &Hashicorp, name: &TransitName, message: &[u8]) -> Result<[u8; 64], Fault> {
    let input = BASE64.encode(message);
    let input = input.as_str();
    let signed = backend.ask(|session| async move {
        let mut options = SignDataRequest::builder();
        options.key_version(name.version);
        quietly(transit::data::sign(&session.client, &name.mount, &name.key, input, Some(&mut options))).await
    });
    // `vault:v1:BASE64`
    let text = signed.await?.signature;
    let bytes = text.rsplit(':').next().and_then(|coded| BASE64.decode(coded).ok());
    let signature = bytes.and_then(|bytes| bytes.try_into().ok());
    signature.ok_or_else(|| Fault::Malformed("its answer is no signature of an Ed25519 key".to_owned()))
}
