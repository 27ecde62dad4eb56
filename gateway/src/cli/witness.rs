//! `portcullis witness`: signs other machines' logs as long as they only grow; and `log submit`, which asks witnesses.

mod submit;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use audit::{BadKey, FileKey, KeyType, Signer as _, VerifierKey, Witness, WitnessAnswer};
use bytes::Bytes;
use clap::{Args, Subcommand};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Global;
use super::line::Line;
use super::print::{self, Out, Trouble};
use crate::clock;
use crate::drain::drained;

pub(crate) use submit::Submit;

/// Sign other machines' logs as long as they only grow.
#[derive(Args)]
#[command(
    about = "Sign the logs of gateways on other machines, as long as they only grow",
    long_about = "A witness as of c2sp.org/tlog-witness: it answers `POST /add-checkpoint`, remembers the newest checkpoint of each \
        log that it signed, and signs the next one only if the log proves that it grew from there. A gateway whose log was rolled \
        back, rewritten or shown in two versions gets no signature, and what its log signed is kept as evidence.\n\n\
        Run it on a machine that whoever runs the gateway does not control.",
    after_help = "Examples:\n  portcullis witness key --key /srv/witness/key --name witness.example/w1\n  \
        portcullis witness --listen 0.0.0.0:8080 --key /srv/witness/key --store /srv/witness --log portcullis/5d41402abc4b2a76+1b2c3d4e+AZ…",
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub(crate) struct WitnessCommand {
    #[command(subcommand)]
    action: Option<Action>,
    /// Where to listen for checkpoints
    #[arg(long, value_name = "ADDRESS", required = true)]
    listen: Option<SocketAddr>,
    /// The witness's key; `portcullis witness key` makes it
    #[arg(long, value_name = "FILE", required = true)]
    key: Option<PathBuf>,
    /// The folder that remembers what was signed
    #[arg(long, value_name = "DIR", required = true)]
    store: Option<PathBuf>,
    /// A log's public key; repeat it for each log, and after a rotation
    #[arg(long = "log", value_name = "VKEY", required = true)]
    logs: Vec<VerifierKey>,
}

#[derive(Subcommand)]
enum Action {
    /// Show a witness's public key; make the key if there is none and a name is given
    Key {
        /// The key's file
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The witness's name, such as `witness.example/w1`
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
}

/// How long the head of a request, or its body, may take.
const WITHIN: Duration = Duration::from_secs(10);

/// Connections at once: each log has one.
const CONNECTIONS: usize = 256;

impl WitnessCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let out = Out::stdout();
        if let Some(Action::Key { key, name }) = self.action {
            show_key(global, &out, &key, name.as_deref())?;
            return Ok(ExitCode::SUCCESS);
        }
        let (Some(listen), Some(key), Some(store)) = (self.listen, self.key, self.store) else {
            return Err(Trouble::new("a witness needs an address, a key and a store")
                .next("portcullis witness --help")
                .into());
        };
        let next = "make one: portcullis witness key --key FILE --name NAME";
        let key = FileKey::read(&key, KeyType::Witness)
            .map_err(|error| Trouble::new(format!("cannot use the key {}", key.display())).because(error).next(next))?;
        let witness = Witness::open(&store, key, self.logs)?;
        super::block_on(serve(global, &out, listen, Arc::new(witness)))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn show_key(global: &Global, out: &Out, path: &std::path::Path, name: Option<&str>) -> anyhow::Result<()> {
    let key = match (FileKey::read(path, KeyType::Witness), name) {
        (Err(BadKey::File(error)), Some(name)) if error.kind() == std::io::ErrorKind::NotFound => {
            FileKey::make(path, name, KeyType::Witness)
        }
        (read, _) => read,
    };
    let key = key.with_context(|| format!("cannot use the key {}", path.display()))?.verifier().to_string();
    if global.json {
        return print::json(&serde_json::json!({ "key": key }));
    }
    Ok(out.line(&Line::new().theirs(&key))?)
}

async fn serve(global: &Global, out: &Out, listen: SocketAddr, witness: Arc<Witness>) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let (url, key) = (format!("http://{}", listener.local_addr()?), witness.verifier().to_string());
    if global.json {
        print::json(&serde_json::json!({ "url": url, "key": key }))?;
    } else {
        out.line(&Line::new().ours(format!("witness at {url}, key ")).theirs(&key))?;
    }
    let (tasks, stop, places) = (TaskTracker::new(), CancellationToken::new(), Arc::new(Semaphore::new(CONNECTIONS)));
    let (mut interrupted, mut terminated) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = interrupted.recv() => break,
            _ = terminated.recv() => break,
        };
        match (accepted, Arc::clone(&places).try_acquire_owned()) {
            (Ok((stream, _)), Ok(place)) => {
                let (witness, stop) = (Arc::clone(&witness), stop.clone());
                tasks.spawn(async move {
                    connection(witness, stream, stop).await;
                    drop(place);
                });
            }
            // Full: the connection is closed at once. No descriptor is left: one may be soon.
            (Ok(_), Err(_)) => {}
            (Err(_), _) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    stop.cancel();
    tasks.close();
    // Whoever is answered now still gets the signature that is remembered.
    let _late: Result<(), _> = tokio::time::timeout(WITHIN, tasks.wait()).await;
    Ok(())
}

async fn connection(witness: Arc<Witness>, stream: TcpStream, stop: CancellationToken) {
    let service = service_fn(move |request| {
        let witness = Arc::clone(&witness);
        async move { Ok::<_, Infallible>(answer(&witness, request).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(WITHIN).max_headers(64);
    let served = http.serve_connection(TokioIo::new(stream), service);
    if let Err(error) = drained(served, http1::Connection::graceful_shutdown, &stop).await {
        tracing::debug!(%error, "a connection broke off");
    }
}

async fn answer(witness: &Witness, request: Request<Incoming>) -> Response<Full<Bytes>> {
    if request.uri().path() != "/add-checkpoint" {
        return plain(StatusCode::NOT_FOUND, "the endpoint is /add-checkpoint\n");
    }
    if request.method() != Method::POST {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "only POST\n");
    }
    let body = Limited::new(request.into_body(), Witness::LONGEST).collect();
    match tokio::time::timeout(WITHIN, body).await {
        Ok(Ok(body)) => {
            let WitnessAnswer { status, kind, body } = witness.add_checkpoint(&body.to_bytes(), clock::now());
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            response(status, kind, body)
        }
        Ok(Err(_)) => plain(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long, or broke off\n"),
        Err(_) => plain(StatusCode::REQUEST_TIMEOUT, "the body takes too long\n"),
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    response(status, "text/plain; charset=utf-8", text.to_owned())
}

fn response(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}
