//! What we send, written straight into bytes: the call's canonical arguments are copied once and never parsed again.

use policies::{Call, Method, Object, Value};

use crate::line::{Era, Line, Resume};

/// What a request asks.
pub(crate) enum Body<'a> {
    /// A recorded call, perhaps going on after `input_required`.
    Call(&'a Call, Option<&'a Resume>),
    /// Anything else.
    Plain(&'static str, &'a Object),
}

/// What a request says of itself beside its params.
#[derive(Clone, Copy)]
pub(crate) struct Meta<'a> {
    /// What is spoken.
    pub(crate) era: Era,
    /// Whether to ask for progress; our token is the request's id.
    pub(crate) progress: bool,
    /// What the agent's client can be asked for.
    pub(crate) capabilities: Option<&'a Value>,
    /// `traceparent` and `tracestate`.
    pub(crate) trace: &'a [(String, String)],
    /// The lowest level of log messages wanted.
    pub(crate) log_level: Option<&'a str>,
}

impl<'a> Meta<'a> {
    /// Of an agent's call.
    pub(crate) fn of(line: &'a Line, era: Era) -> Self {
        Self {
            era,
            progress: line.progress,
            capabilities: Some(&line.capabilities),
            trace: &line.trace,
            log_level: line.log_level.as_deref(),
        }
    }

    /// Of a request that no agent made.
    pub(crate) fn own(era: Era) -> Self {
        Self { era, progress: false, capabilities: None, trace: &[], log_level: None }
    }
}

/// The method that gives a request up.
pub(crate) const CANCELLED: &str = "notifications/cancelled";

/// The capabilities that can be passed on to an agent. Extensions cannot: `tasks` above all would bring answers that
/// nobody here waits for.
const PASSED_ON: [&str; 3] = ["sampling", "elicitation", "roots"];

/// Members of params that are the gateway's to set.
const OURS: [&str; 3] = ["_meta", "inputResponses", "requestState"];

const CLIENT_INFO: &str = concat!(r#"{"name":"portcullis","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#);

impl Body<'_> {
    /// The MCP method.
    pub(crate) fn method(&self) -> &'static str {
        match self {
            Self::Call(call, _) => call.tool().method().as_str(),
            Self::Plain(method, _) => method,
        }
    }

    /// The whole request.
    ///
    /// # Errors
    /// With a sentence, where the call's arguments would overwrite what is the gateway's to set.
    pub(crate) fn write(&self, id: u64, meta: &Meta<'_>) -> Result<Vec<u8>, &'static str> {
        let mut out = Out(Vec::with_capacity(512 + self.length()));
        out.raw(r#"{"jsonrpc":"2.0","id":"#);
        out.raw(&id.to_string());
        out.raw(r#","method":""#);
        out.raw(self.method());
        out.raw(r#"","params":{"#);
        self.params(&mut out)?;
        meta.write(id, &mut out);
        out.raw("}}");
        Ok(out.0)
    }

    fn length(&self) -> usize {
        match self {
            Self::Call(call, resume) => {
                call.canonical().len() + resume.and_then(|resume| resume.state.as_ref()).map_or(0, String::len)
            }
            Self::Plain(..) => 0,
        }
    }

    fn params(&self, out: &mut Out) -> Result<(), &'static str> {
        match self {
            Self::Call(call, resume) => {
                match call.tool().method() {
                    Method::CallTool => tool_params(call, out),
                    Method::ReadResource | Method::GetPrompt | Method::Complete => spliced_params(call, out)?,
                }
                if let Some(resume) = resume {
                    resumed(resume, out);
                }
            }
            Self::Plain(_, params) => params.iter().for_each(|(key, value)| out.member(key, &value.to_string())),
        }
        Ok(())
    }
}

fn tool_params(call: &Call, out: &mut Out) {
    out.key("name");
    out.string(call.tool().name());
    // A call without arguments is sent without them: some servers tell the two apart.
    if !call.arguments().is_null() {
        out.member("arguments", call.canonical().as_str());
    }
}

/// Of the other methods, the arguments are the params.
fn spliced_params(call: &Call, out: &mut Out) -> Result<(), &'static str> {
    let Some(arguments) = call.arguments().as_object() else { return Err("the request's params are no object") };
    if OURS.iter().any(|key| arguments.contains_key(key)) {
        return Err("the request's params hold a member that is the gateway's to set");
    }
    let canonical = call.canonical().as_str();
    let members = canonical.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
    out.raw(members);
    Ok(())
}

fn resumed(resume: &Resume, out: &mut Out) {
    if let Some(responses) = &resume.responses {
        out.member("inputResponses", &responses.to_string());
    }
    if let Some(state) = &resume.state {
        out.key("requestState");
        out.string(state);
    }
}

impl Meta<'_> {
    fn write(&self, id: u64, out: &mut Out) {
        let mut meta = Out(Vec::new());
        if self.progress {
            meta.member("progressToken", &id.to_string());
        }
        for (name, value) in self.trace.iter().filter(|(name, _)| matches!(name.as_str(), "traceparent" | "tracestate"))
        {
            meta.key(name);
            meta.string(value);
        }
        match self.era {
            Era::Modern => self.describe(&mut meta),
            Era::Legacy(_) if meta.0.is_empty() => return,
            Era::Legacy(_) => {}
        }
        out.key("_meta");
        out.raw("{");
        out.0.append(&mut meta.0);
        out.raw("}");
    }

    fn describe(&self, out: &mut Out) {
        out.key("io.modelcontextprotocol/protocolVersion");
        out.string(Era::MODERN);
        out.member("io.modelcontextprotocol/clientInfo", CLIENT_INFO);
        out.key("io.modelcontextprotocol/clientCapabilities");
        out.raw("{");
        let declared = self.capabilities.and_then(Value::as_object);
        for (name, value) in declared.iter().flat_map(|declared| declared.iter()) {
            if PASSED_ON.contains(&name) && value.as_object().is_some() {
                out.member(name, &value.to_string());
            }
        }
        out.raw("}");
        if let Some(level) = self.log_level {
            out.key("io.modelcontextprotocol/logLevel");
            out.string(level);
        }
    }
}

/// `initialize`, declaring only what can be passed on.
pub(crate) fn initialize(id: u64, capabilities: &str) -> Vec<u8> {
    let version = Era::LEGACY.first().copied().unwrap_or_default();
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"initialize","params":{{"protocolVersion":"{version}","capabilities":{capabilities},"clientInfo":{CLIENT_INFO}}}}}"#
    )
    .into_bytes()
}

/// A notification; `params` is JSON text.
pub(crate) fn notification(method: &str, params: &str) -> Vec<u8> {
    format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#).into_bytes()
}

/// A result for a server's request.
pub(crate) fn result(id: &Value, result: &Value) -> Vec<u8> {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#).into_bytes()
}

/// An error for a server's request; `error` is the JSON-RPC error object.
pub(crate) fn error(id: &Value, error: &Value) -> Vec<u8> {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#).into_bytes()
}

/// JSON text in the making; commas follow from the last byte.
struct Out(Vec<u8>);

impl Out {
    fn raw(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn key(&mut self, key: &str) {
        if !matches!(self.0.last(), None | Some(b'{')) {
            self.0.push(b',');
        }
        self.string(key);
        self.0.push(b':');
    }

    fn member(&mut self, key: &str, json: &str) {
        self.key(key);
        self.raw(json);
    }

    fn string(&mut self, text: &str) {
        let at = self.0.len();
        if serde_json::to_writer(&mut self.0, text).is_err() {
            // Writing a string into memory cannot fail; were it to, half a string must not stay.
            self.0.truncate(at);
            self.raw("\"\"");
        }
    }
}

#[cfg(test)]
mod tests;
