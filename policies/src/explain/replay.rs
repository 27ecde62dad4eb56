//! `Replay`: recorded or imagined calls, decided in order as the gateway would have decided them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use thiserror::Error;

use super::Explanation;
use crate::call::{AgentId, Call, CallId, Method, ServerName, SessionKey, Standing, Tool};
use crate::canon::{Limits, Object, ParseError, Value};
use crate::decision::{Circumstances, HoldTimes, Policies};
use crate::facts::Facts;
use crate::profile::Profile;
use crate::session::Session;

/// Decides rows of calls in order; rows with the same `session` form one session.
///
/// A row is `{"session", "agent", "server", "tool": {"name", "description"?, "inputSchema"?, "annotations"?},
/// "arguments", "result"?}`. Its tool counts as pinned and known. What it answered is seen by the rows after it.
pub struct Replay<'a> {
    policies: &'a Policies,
    standing: Box<Standings<'a>>,
    sessions: HashMap<SessionKey, Session>,
    now: Timestamp,
}

/// How far each server's tool is trusted.
type Standings<'a> = dyn Fn(&ServerName, &str) -> Standing + 'a;

/// Why a row cannot be decided. Later rows go on.
#[derive(Debug, Error)]
#[error("line {line}: {problem}")]
pub struct RowError {
    /// The number of the row, from 1.
    pub line: usize,
    /// What is wrong with it.
    #[source]
    pub problem: RowProblem,
}

/// What is wrong with a row.
#[derive(Debug, Error)]
pub enum RowProblem {
    /// It is not JSON that the gateway would take.
    #[error("not usable JSON")]
    Json(#[from] ParseError),
    /// It is not an object.
    #[error("a row is an object")]
    NotAnObject,
    /// A member is missing or of another type.
    #[error("`{key}` must be {wanted}")]
    Member {
        /// The member.
        key: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// A member that no row has: a typing error would change what is decided.
    #[error("no row has `{key}`; it has `session`, `agent`, `server`, `tool`, `arguments` and `result`")]
    UnknownMember {
        /// The member, shortened.
        key: String,
    },
}

impl<'a> Replay<'a> {
    /// A replay under these policies.
    #[must_use]
    pub fn new(policies: &'a Policies) -> Self {
        let standing = |_: &ServerName, _: &str| Standing { pinned: true, ..Standing::default() };
        Self { policies, standing: Box::new(standing), sessions: HashMap::new(), now: Timestamp::UNIX_EPOCH }
    }

    /// With the profiles that a config declares, by server and tool.
    #[must_use]
    pub fn with_profiles(self, profile: impl Fn(&ServerName, &str) -> (Arc<Profile>, bool) + 'a) -> Self {
        let standing = move |server: &ServerName, tool: &str| {
            let (profile, vouched) = profile(server, tool);
            Standing { pinned: true, vouched, profile }
        };
        Self { standing: Box::new(standing), ..self }
    }

    /// At this time instead of the beginning of 1970, for policies that look at the clock.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        Self { now, ..self }
    }

    /// Decides one line of text.
    ///
    /// # Errors
    /// [`RowError`] with this line's number.
    pub fn line(&mut self, line: usize, text: &[u8]) -> Result<Explanation, RowError> {
        let row = Value::parse(text, &Limits::ANSWER).map_err(|error| RowError { line, problem: error.into() })?;
        self.row(line, &row)
    }

    /// Decides one row.
    ///
    /// # Errors
    /// [`RowError`] with this line's number.
    pub fn row(&mut self, line: usize, row: &Value) -> Result<Explanation, RowError> {
        self.decide(line, row).map_err(|problem| RowError { line, problem })
    }

    fn decide(&mut self, line: usize, row: &Value) -> Result<Explanation, RowProblem> {
        let row = row.as_object().ok_or(RowProblem::NotAnObject)?;
        let known = HashSet::from(["session", "agent", "server", "tool", "arguments", "result"]);
        if let Some(key) = row.keys().find(|key| !known.contains(key)) {
            return Err(RowProblem::UnknownMember { key: key.chars().take(40).collect() });
        }
        let tool = Arc::new(self.tool(row)?);
        let key = session_key(row)?;
        let again = || Call::new(call_id(line), agent(row), key.clone(), Arc::clone(&tool), arguments(row));
        let session = self.sessions.entry(key.clone()).or_default();
        let around = Circumstances {
            session,
            first_use: false,
            anomaly: false,
            undeclared: false,
            live_secret: false,
            now: self.now,
            hold_for: HoldTimes::default(),
        };
        let explanation = Explanation::of(&self.policies.decide(again(), &around));
        if let Some(result) = row.get("result").filter(|result| !result.is_null()) {
            let call = again();
            session.observe(&call, Facts::of(&tool, call.arguments()).reads, result);
        }
        Ok(explanation)
    }

    fn tool(&self, row: &Object) -> Result<Tool, RowProblem> {
        let wrong = |key, wanted| RowProblem::Member { key, wanted };
        let server = row.get("server").and_then(Value::as_str).ok_or(wrong("server", "a string"))?;
        let server = ServerName::parse(server).map_err(|_| wrong("server", "a server's name without a dot"))?;
        let definition = match row.get("tool") {
            Some(Value::String(name)) => Value::Object(Object::from_iter([("name", name.as_str())])),
            Some(definition @ Value::Object(_)) => definition.clone(),
            _ => return Err(wrong("tool", "an object with `name`")),
        };
        let name = definition.get("name").and_then(Value::as_str).unwrap_or_default();
        let (method, standing) = (method(name), (self.standing)(&server, name));
        Tool::new(server, method, definition, standing).map_err(|_| wrong("tool", "an object with a usable `name`"))
    }
}

/// MCP's other requests stand in rows under their own names.
fn method(name: &str) -> Method {
    let others = [Method::ReadResource, Method::GetPrompt, Method::Complete];
    others.into_iter().find(|method| method.as_str() == name).unwrap_or(Method::CallTool)
}

/// Rows without a session are one session; ids that are numbers are names too.
fn session_key(row: &Object) -> Result<SessionKey, RowProblem> {
    let named = row.get("session").map(|key| key.as_str().map_or_else(|| key.to_string(), str::to_owned));
    let named = named.filter(|key| !key.is_empty()).unwrap_or_else(|| "-".to_owned());
    SessionKey::parse(&named).map_err(|_| RowProblem::Member { key: "session", wanted: "of 1 to 256 bytes" })
}

fn agent(row: &Object) -> AgentId {
    AgentId::authenticated(row.get("agent").and_then(Value::as_str).unwrap_or("agent"))
}

fn arguments(row: &Object) -> Value {
    match row.get("arguments") {
        None | Some(Value::Null) => Value::Object(Object::default()),
        Some(arguments) => arguments.clone(),
    }
}

fn call_id(line: usize) -> CallId {
    let mut bits = [0; 10];
    bits.iter_mut().skip(2).zip(line.to_be_bytes()).for_each(|(bit, byte)| *bit = byte);
    CallId::from_random(bits)
}
