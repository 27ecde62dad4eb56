//! stdio: for clients that start a command. Lines in, lines out, through the socket of a running gateway or of one that
//! this process runs itself.
//!
//! The bridge adds nothing and decides nothing: every line goes to the same endpoint that HTTP clients use, with the
//! token from `PORTCULLIS_TOKEN`, and takes the same path there.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use policies::{Limits, Value};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::asked::META_VERSION;
use super::envelope::{Id, Message, Request as Asked};
use crate::answer::{FAILED, INVALID_REQUEST, RpcError};
use crate::app::{AGENT_SOCKET, App};
use crate::config::Config;

/// Serves one client on standard input and output, until it closes them.
///
/// # Errors
/// If there is no token, or neither a running gateway nor a place for one of our own.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let token = std::env::var("PORTCULLIS_TOKEN").context(
        "PORTCULLIS_TOKEN is not set: make a token with `portcullis agent add NAME` and put it into the client's settings, under `env`",
    )?;
    let socket = config.state.join(AGENT_SOCKET);
    let app = if UnixStream::connect(&socket).await.is_ok() { None } else { embedded(config, &socket).await? };
    let bridge = Bridge::new(socket, token, tokio::io::stdout());
    bridge.carry(BufReader::new(tokio::io::stdin())).await;
    if let Some(app) = app {
        app.stop().await;
    }
    Ok(())
}

/// A gateway of our own, unless another took the state folder in the same moment.
async fn embedded(config: Config, socket: &PathBuf) -> anyhow::Result<Option<App>> {
    match App::start(config) {
        Ok(app) => Ok(Some(app)),
        Err(error) => {
            tokio::time::sleep(Duration::from_millis(500)).await;
            if UnixStream::connect(socket).await.is_ok() { Ok(None) } else { Err(error) }
        }
    }
}

/// The longest line: what the endpoint takes, and room to say that it is too long.
const LINE: u64 = (64 << 20) + 1;

struct Bridge<W> {
    socket: PathBuf,
    token: String,
    out: tokio::sync::Mutex<W>,
    /// What a legacy client agreed on: session and version.
    greeted: Mutex<(Option<String>, Option<String>)>,
    running: Mutex<HashMap<String, CancellationToken>>,
    tasks: TaskTracker,
    closed: CancellationToken,
}

impl<W: AsyncWrite + Unpin + Send + 'static> Bridge<W> {
    fn new(socket: PathBuf, token: String, out: W) -> Arc<Self> {
        Arc::new(Self {
            socket,
            token,
            out: tokio::sync::Mutex::new(out),
            greeted: Mutex::default(),
            running: Mutex::default(),
            tasks: TaskTracker::new(),
            closed: CancellationToken::new(),
        })
    }

    async fn carry(self: Arc<Self>, mut lines: impl AsyncBufRead + Unpin) {
        loop {
            let mut line = Vec::new();
            match (&mut lines).take(LINE).read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => break,
                Ok(_) if line.trim_ascii().is_empty() => {}
                Ok(_) => self.line(line.trim_ascii().to_vec()).await,
            }
        }
        // The client has gone: in stdio that ends everything it asked for.
        self.closed.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn line(self: &Arc<Self>, line: Vec<u8>) {
        let message = match Message::parse(&line) {
            Ok(message) => message,
            Err(refused) => {
                return self.say(&RpcError::from(&refused.error).to_message(refused.id.as_ref()).to_string()).await;
            }
        };
        match message {
            Message::Notification { method, params }
                if method == "notifications/cancelled" && self.cancelled(&params) => {}
            Message::Request(request) => {
                let cancel = self.closed.child_token();
                self.running().insert(request.id.value().to_string(), cancel.clone());
                let bridge = Arc::clone(self);
                self.tasks.spawn(async move {
                    cancel.run_until_cancelled(bridge.request(&request, line)).await;
                    bridge.running().remove(&request.id.value().to_string());
                });
            }
            Message::Notification { method, .. } => {
                let greeted = method == "notifications/initialized";
                self.forward(line).await;
                if greeted {
                    let bridge = Arc::clone(self);
                    self.tasks.spawn(async move { bridge.closed.run_until_cancelled(bridge.listen()).await });
                }
            }
            Message::Answer { .. } => self.forward(line).await,
        }
    }

    /// A modern request is cancelled by breaking it off; a legacy one by passing the notification on.
    fn cancelled(&self, params: &policies::Object) -> bool {
        let modern = self.greeted.lock().unwrap_or_else(PoisonError::into_inner).1.is_none();
        let request = params.get("requestId").map(ToString::to_string).unwrap_or_default();
        if modern && let Some(cancel) = self.running().get(&request) {
            cancel.cancel();
        }
        modern
    }

    async fn request(&self, request: &Asked, line: Vec<u8>) {
        let version = request.params.get("_meta").and_then(|meta| meta.get(META_VERSION)).and_then(Value::as_str);
        match self.send(Method::POST, line, version).await {
            Ok(response) => self.pass(response, Some(request)).await,
            Err(error) => self.lost(&request.id, &error).await,
        }
    }

    async fn forward(&self, line: Vec<u8>) {
        if let Err(error) = self.send(Method::POST, line, None).await {
            tracing::warn!(%error, "a message could not be passed on");
        }
    }

    async fn listen(&self) {
        if let Ok(response) = self.send(Method::GET, Vec::new(), None).await
            && response.status() == StatusCode::OK
        {
            self.pass(response, None).await;
        }
    }

    async fn send(&self, method: Method, body: Vec<u8>, version: Option<&str>) -> anyhow::Result<Response<Incoming>> {
        let stream = UnixStream::connect(&self.socket).await.context("the gateway is gone")?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let closed = self.closed.clone();
        self.tasks.spawn(async move { closed.run_until_cancelled(connection).await });
        let mut request = Request::builder()
            .method(method)
            .uri("/mcp")
            .header(HOST, "localhost")
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, text/event-stream");
        let (session, agreed) = self.greeted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if version.is_none() {
            for (name, value) in [("mcp-session-id", session), ("mcp-protocol-version", agreed)] {
                if let Some(value) = value {
                    request = request.header(name, value);
                }
            }
        }
        Ok(sender.send_request(request.body(Full::new(Bytes::from(body)))?).await?)
    }

    async fn pass(&self, response: Response<Incoming>, request: Option<&Asked>) {
        let (head, mut body) = response.into_parts();
        let streamed =
            head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        if !streamed {
            match (body.collect().await, request) {
                (Ok(body), Some(request)) => self.whole(&head.headers, request, &body.to_bytes()).await,
                (Err(error), Some(request)) => self.lost(&request.id, &error.into()).await,
                (_, None) => {}
            }
            return;
        }
        let mut buffer = Vec::new();
        let mut answered = request.is_none();
        while let Some(Ok(frame)) = body.frame().await {
            buffer.extend_from_slice(frame.data_ref().map(Bytes::as_ref).unwrap_or_default());
            // Events of our own endpoint: one `data:` line each, ended by an empty line.
            while let Some(end) = buffer.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = buffer.drain(..end + 2).collect();
                for data in String::from_utf8_lossy(&event).lines().filter_map(|line| line.strip_prefix("data: ")) {
                    answered |=
                        Value::parse(data.as_bytes(), &Limits::ANSWER).is_ok_and(|said| said.get("method").is_none());
                    self.say(data).await;
                }
            }
        }
        if let (false, Some(request)) = (answered, request) {
            self.lost(&request.id, &anyhow::anyhow!("its answer broke off")).await;
        }
    }

    async fn whole(&self, headers: &HeaderMap, request: &Asked, body: &[u8]) {
        let Ok(text) = std::str::from_utf8(body) else { return };
        let session = headers.get("mcp-session-id").and_then(|session| session.to_str().ok());
        if request.method == "initialize" {
            let answer = Value::parse(body, &Limits::ANSWER).unwrap_or_default();
            let version = answer.pointer("/result/protocolVersion").and_then(Value::as_str).map(str::to_owned);
            *self.greeted.lock().unwrap_or_else(PoisonError::into_inner) = (session.map(str::to_owned), version);
        }
        // What is refused before the body is read has no id; here the reader needs one.
        match Value::parse(body, &Limits::ANSWER) {
            Ok(mut answer) if answer.get("id").is_some_and(Value::is_null) => {
                if let Some(members) = answer.as_object_mut() {
                    members.insert("id", request.id.value().clone());
                }
                self.say(&answer.to_string()).await;
            }
            Ok(_) => self.say(text).await,
            Err(_) => {
                let error = RpcError::new(INVALID_REQUEST, "the gateway gave no answer");
                self.say(&error.to_message(Some(&request.id)).to_string()).await;
            }
        }
    }

    async fn lost(&self, id: &Id, error: &anyhow::Error) {
        let error = RpcError::new(FAILED, format!("the gateway cannot be reached ({error}); start it and try again"));
        self.say(&error.to_message(Some(id)).to_string()).await;
    }

    async fn say(&self, line: &str) {
        let mut out = self.out.lock().await;
        // A client that does not read any more has gone; its closed input ends us.
        if out.write_all(format!("{line}\n").as_bytes()).await.is_ok() {
            out.flush().await.ok();
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<String, CancellationToken>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
