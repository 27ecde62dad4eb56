//! A client of our own, which speaks both eras by hand: what an agent sends, and all that it sees.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::fixture::{META_CAPABILITIES, META_VERSION, MODERN};
use crate::wire::{Response, Wire, post};

/// An agent: an endpoint, a token and an era.
#[derive(Debug)]
pub struct Agent {
    endpoint: String,
    token: String,
    version: &'static str,
    capabilities: Value,
    next: AtomicU64,
}

/// What came back for one request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The JSON-RPC response; null if there was none.
    pub message: Value,
    /// What came on the stream before it.
    pub events: Vec<Value>,
    /// The response as it was written.
    pub text: String,
}

impl Answer {
    /// The result; null if it is an error.
    #[must_use]
    pub fn result(&self) -> &Value {
        &self.message["result"]
    }

    /// The texts of the result's content, joined.
    #[must_use]
    pub fn said(&self) -> String {
        let blocks = self.result()["content"].as_array().cloned().unwrap_or_default();
        blocks.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n")
    }

    /// Whether a tool answered, and without failing.
    #[must_use]
    pub fn ran(&self) -> bool {
        self.result()["content"].is_array() && self.result()["isError"] != true
    }

    /// The code of a JSON-RPC error.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        self.message["error"]["code"].as_i64()
    }

    /// Waits for what comes back on a connection.
    ///
    /// # Errors
    /// When it breaks.
    pub fn read(wire: &mut Wire) -> io::Result<Self> {
        Ok(Self::of(&wire.response()?))
    }

    fn of(response: &Response) -> Self {
        let sse = response.head.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
        let texts: Vec<&str> = if sse {
            response.body.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim).collect()
        } else {
            vec![response.body.as_str()]
        };
        let text = texts.last().copied().unwrap_or_default().to_owned();
        let mut events: Vec<Value> = texts.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
        let message = events.pop().unwrap_or_default();
        Self { status: response.head.status, message, events, text }
    }
}

impl Agent {
    /// A stateless agent whose client declares no capability.
    #[must_use]
    pub fn modern(endpoint: &str, token: &str) -> Self {
        Self::new(endpoint, token, MODERN)
    }

    /// An agent of the era before, without a session.
    #[must_use]
    pub fn legacy(endpoint: &str, token: &str) -> Self {
        Self::new(endpoint, token, "2025-11-25")
    }

    /// The same agent with a client that can do more.
    #[must_use]
    pub fn with(self, capabilities: Value) -> Self {
        Self { capabilities, ..self }
    }

    fn new(endpoint: &str, token: &str, version: &'static str) -> Self {
        let next = AtomicU64::new(1);
        Self { endpoint: endpoint.to_owned(), token: token.to_owned(), version, capabilities: json!({}), next }
    }

    /// The tools that it is offered.
    #[must_use]
    pub fn tools(&self) -> Vec<Value> {
        self.ask("tools/list", json!({})).result()["tools"].as_array().cloned().unwrap_or_default()
    }

    /// The names of the tools that it is offered.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.tools().iter().filter_map(|tool| tool["name"].as_str().map(ToOwned::to_owned)).collect()
    }

    /// Calls a tool and waits for the end.
    #[must_use]
    pub fn call(&self, tool: &str, arguments: &Value) -> Answer {
        self.ask("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// Sends one request and waits for the end.
    ///
    /// # Panics
    /// When the gateway does not answer.
    #[must_use]
    #[track_caller]
    pub fn ask(&self, method: &str, params: Value) -> Answer {
        self.try_ask(method, params).unwrap_or_else(|error| panic!("{method} got no answer: {error}"))
    }

    /// Sends one request and waits for the end.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn try_ask(&self, method: &str, params: Value) -> io::Result<Answer> {
        Answer::read(&mut self.begin(method, params)?)
    }

    /// Sends one request and returns the connection, for a test that wants to break it off.
    ///
    /// # Errors
    /// When the gateway does not listen.
    pub fn begin(&self, method: &str, params: Value) -> io::Result<Wire> {
        let body = self.request(method, params).to_string();
        let mut wire = Wire::connect(&self.endpoint)?;
        wire.patience(Duration::from_mins(2));
        wire.send(&self.posted(&body))?;
        Ok(wire)
    }

    /// The JSON-RPC request as this agent would send it.
    #[must_use]
    pub fn request(&self, method: &str, mut params: Value) -> Value {
        if self.version == MODERN {
            params["_meta"][META_VERSION] = json!(MODERN);
            params["_meta"][META_CAPABILITIES] = self.capabilities.clone();
        }
        json!({"jsonrpc": "2.0", "id": self.next.fetch_add(1, Ordering::Relaxed), "method": method, "params": params})
    }

    /// A body posted with every header that belongs to it. A body that is no JSON gets the headers of `tools/list`.
    #[must_use]
    pub fn posted(&self, body: &str) -> Vec<u8> {
        self.posted_as(&serde_json::from_str(body).unwrap_or_default(), body)
    }

    /// A body posted with the headers that belong to `message`.
    #[must_use]
    pub fn posted_as(&self, message: &Value, body: &str) -> Vec<u8> {
        let method = message["method"].as_str().unwrap_or("tools/list").to_owned();
        let named = ["name", "uri", "taskId"].map(|key| message["params"][key].as_str());
        let name = named.into_iter().flatten().next().map(ToOwned::to_owned);
        let bearer = format!("Bearer {}", self.token);
        let mut headers = vec![
            ("Content-Type", "application/json"),
            ("Accept", "application/json, text/event-stream"),
            ("Authorization", bearer.as_str()),
            ("MCP-Protocol-Version", self.version),
            ("Connection", "close"),
        ];
        if self.version == MODERN {
            headers.push(("Mcp-Method", &method));
            headers.extend(name.as_deref().map(|name| ("Mcp-Name", name)));
        }
        post(&self.endpoint, &headers, body.as_bytes())
    }

    /// Posts a body as it is and waits for the end.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn post(&self, body: &str) -> io::Result<Answer> {
        let mut wire = Wire::connect(&self.endpoint)?;
        wire.send(&self.posted(body))?;
        Answer::read(&mut wire)
    }
}
