//! A tool server of our own that offers everything the conformance suite asks for, in both protocol eras.
//!
//! It shares no code with the gateway: it is the other side of the conversation, and must not share its misreadings.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tokio::sync::broadcast;

mod answers;
mod headers;
mod http;
mod peer;
mod prompts;
mod resources;
mod rounds;
mod stdio;
mod subscription;
mod tools;

pub use self::http::serve_http;
pub use self::peer::{Peer, Session};
pub use self::stdio::serve_stdio;

use self::rounds::Seal;
use self::subscription::Change;
use crate::invocations::Invocations;

/// The stateless revision.
pub const MODERN: &str = "2026-07-28";
/// The revisions that open with `initialize`, newest first.
pub const LEGACY: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];
/// Key of the protocol version in a modern request's `_meta`.
pub const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// Key of the client's capabilities in a modern request's `_meta`.
pub const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// Which of the two protocols one request speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// Stateless, `_meta` in every request.
    Modern,
    /// Opened with `initialize`.
    Legacy,
}

/// One JSON-RPC request, with what the transport knows about it.
#[derive(Clone, Debug)]
pub struct Request {
    /// As sent.
    pub id: Value,
    /// As sent.
    pub method: String,
    /// `{}` if absent.
    pub params: Value,
    /// By the body, and by the version header where the body does not say.
    pub era: Era,
    /// Names in lower case; empty on stdio.
    pub headers: Vec<(String, String)>,
}

impl Request {
    /// One entry of `params._meta`.
    #[must_use]
    pub fn meta(&self, key: &str) -> &Value {
        self.params.get("_meta").and_then(|meta| meta.get(key)).unwrap_or(&Value::Null)
    }

    /// One entry of `params`.
    #[must_use]
    pub fn param(&self, key: &str) -> &Value {
        self.params.get(key).unwrap_or(&Value::Null)
    }

    /// One entry of `params.arguments`.
    #[must_use]
    pub fn argument(&self, key: &str) -> &Value {
        self.param("arguments").get(key).unwrap_or(&Value::Null)
    }

    /// `params.name`, or the empty string.
    #[must_use]
    pub fn name(&self) -> &str {
        self.param("name").as_str().unwrap_or_default()
    }
}

/// A JSON-RPC error, which may also decide the HTTP status.
#[derive(Clone, Debug)]
pub struct Fault {
    code: i64,
    message: String,
    data: Option<Value>,
    status: u16,
}

impl Fault {
    /// `-32602`, answered with 200: the request was understood, its parameters were not.
    #[must_use]
    pub fn params(message: impl Into<String>) -> Self {
        Self { code: -32602, message: message.into(), data: None, status: 200 }
    }

    /// `-32601`, answered with 404 in the modern era.
    #[must_use]
    pub fn no_method(method: &str) -> Self {
        Self { code: -32601, message: format!("method not found: {method}"), data: None, status: 404 }
    }

    /// A fault that the modern transport answers with 400.
    #[must_use]
    pub fn bad(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None, status: 400 }
    }

    /// The same fault with `data`.
    #[must_use]
    pub fn with(self, data: Value) -> Self {
        Self { data: Some(data), ..self }
    }

    fn to_json(&self) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(data) = &self.data {
            error["data"] = data.clone();
        }
        error
    }
}

/// The server itself, without a transport.
pub struct Fixture {
    seal: Seal,
    changes: broadcast::Sender<Change>,
    extra_tool: AtomicBool,
    extra_prompt: AtomicBool,
    invocations: Invocations,
}

impl Fixture {
    /// A fresh server; `record` is the file in which the `slow` tool leaves its marks.
    #[must_use]
    pub fn new(record: Option<PathBuf>) -> Self {
        Self {
            seal: Seal::fresh(),
            changes: broadcast::Sender::new(64),
            extra_tool: AtomicBool::new(false),
            extra_prompt: AtomicBool::new(false),
            invocations: Invocations::new(record),
        }
    }

    /// Answers one request in full.
    ///
    /// # Errors
    /// Whatever the protocol asks for.
    pub async fn answer(&self, request: &Request, peer: &Peer) -> Result<Value, Fault> {
        let result = match request.method.as_str() {
            "tools/call" => tools::call(self, request, peer).await,
            "prompts/get" => prompts::get(self, request, peer).await,
            _ => self.list_or_read(request, peer),
        }?;
        Ok(dressed(result, request))
    }

    /// The answer if it needs neither waiting nor the client: the path that the benchmark loads.
    #[must_use]
    pub fn at_once(&self, request: &Request) -> Option<Result<Value, Fault>> {
        if request.method != "tools/call" {
            return None;
        }
        let result = answers::plain(request)?;
        Some(Ok(dressed(result, request)))
    }

    fn list_or_read(&self, request: &Request, peer: &Peer) -> Result<Value, Fault> {
        match (request.era, request.method.as_str()) {
            (Era::Modern, "server/discover") => Ok(discover()),
            (Era::Legacy, "initialize") => Ok(initialize(request, peer)),
            (Era::Legacy, "ping") => Ok(json!({})),
            (Era::Legacy, "logging/setLevel") => peer.session().set_level(request.param("level")),
            (Era::Legacy, "resources/subscribe") => peer.session().watch(request.param("uri")),
            (Era::Legacy, "resources/unsubscribe") => peer.session().unwatch(request.param("uri")),
            (_, "tools/list") => Ok(json!({"tools": tools::list(self.extra_tool.load(Ordering::Relaxed))})),
            (_, "prompts/list") => Ok(json!({"prompts": prompts::list(self.extra_prompt.load(Ordering::Relaxed))})),
            (_, "resources/list") => Ok(json!({"resources": resources::list()})),
            (_, "resources/templates/list") => Ok(json!({"resourceTemplates": resources::templates()})),
            (_, "resources/read") => resources::read(request),
            (_, "completion/complete") => Ok(prompts::complete(request)),
            _ => Err(Fault::no_method(&request.method)),
        }
    }

    fn toggle_tool(&self) {
        self.extra_tool.fetch_xor(true, Ordering::Relaxed);
        self.announce(Change::Tools);
    }

    fn toggle_prompt(&self) {
        self.extra_prompt.fetch_xor(true, Ordering::Relaxed);
        self.announce(Change::Prompts);
    }

    fn announce(&self, change: Change) {
        drop(self.changes.send(change)); // nobody listening is no failure
    }
}

fn discover() -> Value {
    let mut versions = vec![MODERN];
    versions.extend(LEGACY);
    json!({
        "supportedVersions": versions,
        "capabilities": capabilities(),
        "instructions": "A fixture: every tool is safe to call.",
    })
}

fn initialize(request: &Request, peer: &Peer) -> Value {
    peer.session().set_capabilities(request.param("capabilities").clone());
    let asked = request.param("protocolVersion").as_str().unwrap_or_default();
    let version = LEGACY.into_iter().find(|known| *known == asked).unwrap_or(LEGACY[0]);
    let mut capabilities = capabilities();
    capabilities["logging"] = json!({});
    json!({
        "protocolVersion": version,
        "capabilities": capabilities,
        "serverInfo": server_info(),
        "instructions": "A fixture: every tool is safe to call.",
    })
}

fn capabilities() -> Value {
    json!({
        "tools": {"listChanged": true},
        "prompts": {"listChanged": true},
        "resources": {"listChanged": true, "subscribe": true},
        "completions": {},
    })
}

fn server_info() -> Value {
    json!({"name": "portcullis-fixture", "version": "1.0.0"})
}

/// What the modern era asks of every result, and the legacy era knows nothing of.
fn dressed(mut result: Value, request: &Request) -> Value {
    if request.era == Era::Legacy {
        return result;
    }
    if result.get("resultType").is_none() {
        result["resultType"] = json!("complete");
    }
    result["_meta"]["io.modelcontextprotocol/serverInfo"] = server_info();
    let cacheable =
        request.method.ends_with("/list") || matches!(request.method.as_str(), "server/discover" | "resources/read");
    if cacheable {
        // `public`: nothing here depends on who asks. The gateway must say `private` all the same.
        result["ttlMs"] = json!(0);
        result["cacheScope"] = json!("public");
    }
    result
}
