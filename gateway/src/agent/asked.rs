//! `Asked`: one request of an agent with everything that its handler needs to know.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use audit::Redactor;
use http::HeaderMap;
use policies::{AgentId, Object, Value};
use sandbox::Era;
use tokio::sync::mpsc;

use super::envelope::{Id, Request};
use super::legacy::Session;
use crate::answer::{INVALID_PARAMS, RpcError, UNSUPPORTED_VERSION};
use crate::telemetry::{Remote, Span, Trace, Tracer};

/// One request of an agent.
pub struct Asked {
    /// Where it came from.
    pub origin: Origin,
    /// The agent's id for it.
    pub id: Id,
    /// The method.
    pub method: String,
    /// The protocol's era.
    pub era: Era,
    /// What the client can be asked for.
    pub capabilities: Value,
    /// The token under which it wants progress.
    pub progress_token: Option<Value>,
    /// The trace that the agent says it is part of.
    remote: Option<Remote>,
    /// In which it is answered, if it is traced.
    span: Mutex<Option<Span>>,
    /// The lowest level of log messages it wants.
    pub log_level: Option<String>,
    params: Mutex<Object>,
    greeted: Mutex<Option<String>>,
    noted: AtomicBool,
}

/// Where a request came from.
pub struct Origin {
    /// Who asks.
    pub agent: AgentId,
    /// A legacy client's session.
    pub session: Option<Session>,
    /// The HTTP headers; `None` where the transport has none (stdio).
    pub headers: Option<HeaderMap>,
    /// Whether the answer may be a stream.
    pub may_stream: bool,
    /// Where messages go that precede the answer.
    pub voice: mpsc::Sender<Value>,
}

/// The keys of `_meta` that every modern request has.
pub const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const META_LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";

/// The extension that lets a held call become a task.
pub const TASKS: &str = "io.modelcontextprotocol/tasks";

/// What a request says of itself.
pub struct Meta {
    /// The protocol's era.
    pub era: Era,
    capabilities: Value,
    progress_token: Option<Value>,
    remote: Option<Remote>,
    log_level: Option<String>,
}

impl Meta {
    /// Reads `params._meta`. A request is modern exactly if it names its protocol version there.
    ///
    /// # Errors
    /// If it is modern and not complete, or of a version that is not spoken here.
    pub fn read(params: &Object, header_version: Option<&str>, session: Option<&Session>) -> Result<Self, RpcError> {
        let meta = params.get("_meta");
        let member = |key: &str| meta.and_then(|meta| meta.get(key));
        let text = |key: &str| member(key).and_then(Value::as_str).map(str::to_owned);
        let modern = member(META_VERSION).is_some() || header_version == Some(Era::MODERN);
        let era = if modern {
            let version = text(META_VERSION).ok_or_else(|| missing(META_VERSION))?;
            match Era::of(&version) {
                Some(Era::Modern) => Era::Modern,
                _ => return Err(unsupported(&version)),
            }
        } else {
            legacy_era(header_version, session)?
        };
        let capabilities = match (member(META_CAPABILITIES), session) {
            (Some(declared @ Value::Object(_)), _) => declared.clone(),
            (_, _) if modern => return Err(missing(META_CAPABILITIES)),
            (_, Some(session)) => session.capabilities(),
            (_, None) => Object::new().into(),
        };
        Ok(Self {
            era,
            capabilities,
            progress_token: member("progressToken")
                .filter(|token| matches!(token, Value::String(_) | Value::Number(_)))
                .cloned(),
            remote: meta.and_then(Remote::read),
            log_level: text(META_LOG_LEVEL),
        })
    }
}

impl Asked {
    /// A request whose sender and era are known.
    #[must_use]
    pub fn new(origin: Origin, request: Request, meta: Meta) -> Self {
        let Meta { era, capabilities, progress_token, remote, log_level } = meta;
        let Request { id, method, params } = request;
        let (params, greeted, noted) = (Mutex::new(params), Mutex::default(), AtomicBool::default());
        let span = Mutex::default();
        Self { origin, id, method, era, capabilities, progress_token, remote, span, log_level, params, greeted, noted }
    }

    /// Begins the span that it is answered in, if it is one of those that are traced. `method` is its method, or stands for
    /// one that does not exist.
    pub fn begin(&mut self, tracer: Option<&Arc<Tracer>>, method: &'static str, redactor: &Redactor) {
        // An agent that knows a live secret must not carry it out as the digits of a trace, to a tool or a collector.
        let remote = self.remote.take();
        self.remote = remote
            .filter(|remote| remote.carried().into_iter().all(|(_, text)| !redactor.holds_live(&Value::from(text))));
        let Some(mut span) = tracer.and_then(|tracer| tracer.request(self.remote.as_ref(), method)) else { return };
        span.set("mcp.method.name", method);
        span.set("mcp.protocol.version", self.era.version());
        span.set("network.transport", if self.origin.headers.is_some() { "tcp" } else { "pipe" });
        // An id that is a text is an agent's own.
        if let Value::Number(id) = self.id.value() {
            span.set("jsonrpc.request.id", id.as_str().to_owned());
        }
        *self.span() = Some(span);
    }

    /// It calls this tool, which is offered.
    pub fn calls(&self, tool: &str) {
        if let Some(span) = &mut *self.span() {
            span.rename(format!("tools/call {tool}"));
            span.set("gen_ai.operation.name", "execute_tool");
            span.set("gen_ai.tool.name", tool.to_owned());
        }
    }

    /// A tool's answer says whether it failed.
    pub fn told(&self, answer: &Result<Value, RpcError>) {
        let failed = answer.as_ref().is_ok_and(|result| result.get("isError").and_then(Value::as_bool) == Some(true));
        if let (true, Some(span)) = (failed, &mut *self.span()) {
            span.fail("tool_error");
        }
    }

    /// It is answered: with this error, if it is one. One that is never answered was given up.
    pub fn ended(&self, code: Option<i32>) {
        let Some(mut span) = self.span().take() else { return };
        if let Some(code) = code {
            span.set("rpc.response.status_code", code.to_string());
            span.fail(code.to_string());
        }
    }

    /// What its call carries of the trace.
    #[must_use]
    pub fn trace(&self) -> Trace {
        Trace::new(self.remote.as_ref(), self.span().as_ref().map(Span::scope))
    }

    fn span(&self) -> MutexGuard<'_, Option<Span>> {
        self.span.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the session id that `initialize` made for the response's header.
    pub fn greet(&self, session: Option<String>) {
        *self.greeted.lock().unwrap_or_else(PoisonError::into_inner) = session;
    }

    /// The session id that `initialize` made.
    pub fn greeted(&self) -> Option<String> {
        self.greeted.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// A refusal of it is in the log.
    pub fn note(&self) {
        self.noted.store(true, Ordering::Relaxed);
    }

    /// Whether a refusal of it is in the log.
    #[must_use]
    pub fn is_noted(&self) -> bool {
        self.noted.load(Ordering::Relaxed)
    }

    /// Says something before the answer; `false` if nobody listens or too much waits already.
    pub fn say(&self, message: Value) -> bool {
        self.origin.voice.try_send(message).is_ok()
    }

    /// Takes a member out of the params; each can be taken once.
    pub fn take(&self, key: &str) -> Option<Value> {
        self.params.lock().unwrap_or_else(PoisonError::into_inner).remove(key)
    }

    /// The params.
    #[must_use]
    pub fn params(&self) -> Object {
        self.params.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes a string out of the params.
    ///
    /// # Errors
    /// If it is missing or something else.
    pub fn text(&self, key: &str) -> Result<String, RpcError> {
        match self.take(key) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(RpcError::new(INVALID_PARAMS, format!("`params.{key}` must be a string"))),
        }
    }

    /// Whether the client can follow a task.
    #[must_use]
    pub fn follows_tasks(&self) -> bool {
        self.era == Era::Modern
            && self.capabilities.get("extensions").is_some_and(|extensions| extensions.get(TASKS).is_some())
    }

    /// Whether the client can be asked with this method.
    #[must_use]
    pub fn answers(&self, method: &str) -> bool {
        let capability = match method {
            "sampling/createMessage" => "sampling",
            "elicitation/create" => "elicitation",
            "roots/list" => "roots",
            _ => return false,
        };
        self.capabilities.get(capability).is_some_and(|declared| !declared.is_null())
    }
}

fn legacy_era(header_version: Option<&str>, session: Option<&Session>) -> Result<Era, RpcError> {
    // Before 2025-06-18 there was no header: absent means 2025-03-26, or what the session negotiated.
    let version = header_version.or(session.map(Session::version)).unwrap_or("2025-03-26");
    match Era::of(version) {
        Some(era @ Era::Legacy(_)) => Ok(era),
        Some(Era::Modern) | None => Err(unsupported(version)),
    }
}

fn missing(key: &str) -> RpcError {
    RpcError::new(INVALID_PARAMS, format!("`params._meta` must have `{key}`"))
}

fn unsupported(version: &str) -> RpcError {
    let mut supported: Vec<Value> = vec![Era::MODERN.into()];
    supported.extend(Era::LEGACY.iter().map(|version| Value::from(*version)));
    let requested: String = version.chars().take(64).collect();
    let data = [("supported", Value::from(supported)), ("requested", requested.into())].into_iter().collect::<Object>();
    RpcError::new(UNSUPPORTED_VERSION, "this protocol version is not spoken here").with(data)
}
