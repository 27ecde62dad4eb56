//! What versions before 2026-07-28 need: sessions, questions answered by another POST, cancellation by id.
//!
//! A session is nothing but a sealed text that the client keeps: it says which version was agreed and what the client
//! can be asked for. Nothing is stored, so a restart ends no session.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::SignedDuration;
use policies::{AgentId, Limits, Object, Value};
use sandbox::Era;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Agents;
use super::asked::Asked;
use super::envelope::Id;
use crate::answer::RpcError;
use crate::clock;
use crate::seal::Purpose;

/// What a legacy client's session id says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    id: String,
    version: String,
    sampling: bool,
    elicitation: Option<String>,
    roots: bool,
}

/// A client is greeted again after this: longer than any agent's run.
const SESSION_LASTS: SignedDuration = SignedDuration::from_hours(24 * 7);

/// How many resources one agent may watch.
const WATCHED: usize = 64;

/// How many ended sessions and log levels are remembered.
const REMEMBERED: usize = 4_096;

impl Session {
    /// The version that was agreed.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What tells it from others.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the client can be asked for.
    #[must_use]
    pub fn capabilities(&self) -> Value {
        let mut declared = Object::new();
        if self.sampling {
            declared.insert("sampling", Object::new());
        }
        if let Some(forms) = &self.elicitation {
            let forms = Value::parse(forms.as_bytes(), &Limits::REQUEST).unwrap_or_else(|_| Object::new().into());
            declared.insert("elicitation", forms);
        }
        if self.roots {
            declared.insert("roots", Object::new());
        }
        declared.into()
    }
}

/// What legacy clients were asked, and which of their requests run.
#[derive(Default)]
pub struct Legacy {
    questions: Mutex<HashMap<String, (AgentId, Reply)>>,
    running: Mutex<HashMap<Running, Vec<CancellationToken>>>,
    ended: Mutex<VecDeque<String>>,
    levels: Mutex<VecDeque<(String, String)>>,
    watched: Mutex<HashMap<AgentId, HashSet<String>>>,
}

type Reply = oneshot::Sender<Result<Value, Value>>;

type Running = (AgentId, Option<String>, String);

/// A legacy request that can be cancelled by its id while this lives.
pub struct Cancellable<'a> {
    legacy: &'a Legacy,
    key: Running,
}

impl Drop for Cancellable<'_> {
    fn drop(&mut self) {
        let mut running = self.legacy.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tokens) = running.get_mut(&self.key) {
            tokens.pop();
            if tokens.is_empty() {
                running.remove(&self.key);
            }
        }
    }
}

impl Legacy {
    /// Asks the client: the question's id and the message to send; the answer comes through `reply`.
    pub fn question(&self, agent: &AgentId, method: &str, params: Value, reply: Reply) -> (String, Value) {
        let id = format!("ask-{:032x}", u128::from_be_bytes(clock::random()));
        let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        questions.retain(|_, (_, reply)| !reply.is_closed());
        questions.insert(id.clone(), (agent.clone(), reply));
        let message = [
            ("jsonrpc", Value::from("2.0")),
            ("id", id.as_str().into()),
            ("method", method.into()),
            ("params", params),
        ];
        (id, message.into_iter().collect::<Object>().into())
    }

    /// A question that could not be put to the client is refused.
    pub fn withdraw(&self, id: &str) {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// The client's answer to a question. Only the agent that was asked can answer.
    pub fn answered(&self, agent: &AgentId, id: &Id, answer: Result<Value, Value>) -> bool {
        let Some(id) = id.value().as_str() else { return false };
        let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        if questions.get(id).is_none_or(|(asked, _)| asked != agent) {
            return false;
        }
        questions.remove(id).is_some_and(|(_, reply)| reply.send(answer).is_ok())
    }

    /// Makes a request cancellable by its id.
    pub fn cancellable(&self, asked: &Asked, cancel: &CancellationToken) -> Cancellable<'_> {
        let key = running(&asked.origin.agent, asked.origin.session.as_ref(), asked.id.value());
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.entry(key.clone()).or_default().push(cancel.clone());
        Cancellable { legacy: self, key }
    }

    /// `notifications/cancelled`. Without a session two clients of one agent may use the same id: then neither is
    /// cancelled.
    pub fn cancel(&self, agent: &AgentId, session: Option<&Session>, request: &Value) {
        let running_now = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some([cancel]) = running_now.get(&running(agent, session, request)).map(Vec::as_slice) {
            cancel.cancel();
        }
    }

    /// `logging/setLevel`.
    pub fn set_level(&self, session: &Session, level: String) {
        let mut levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        levels.retain(|(id, _)| *id != session.id);
        levels.push_back((session.id.clone(), level));
        if levels.len() > REMEMBERED {
            levels.pop_front();
        }
    }

    /// The lowest level of log messages that a session wants.
    #[must_use]
    pub fn level(&self, session: &Session) -> Option<String> {
        let levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        levels.iter().find(|(id, _)| *id == session.id).map(|(_, level)| level.clone())
    }

    /// `resources/subscribe`: `false` if the agent watches it already, or too much.
    pub fn watch(&self, agent: &AgentId, uri: &str) -> bool {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = watched.entry(agent.clone()).or_default();
        mine.len() < WATCHED && mine.insert(uri.to_owned())
    }

    /// `resources/unsubscribe`: whether the agent watched it.
    pub fn unwatch(&self, agent: &AgentId, uri: &str) -> bool {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.get_mut(agent).is_some_and(|mine| mine.remove(uri))
    }

    /// Whether the agent watches this resource.
    #[must_use]
    pub fn watches(&self, agent: &AgentId, uri: &str) -> bool {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.get(agent).is_some_and(|mine| mine.contains(uri))
    }

    fn end(&self, session: &Session) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.push_back(session.id.clone());
        if ended.len() > REMEMBERED {
            ended.pop_front();
        }
    }

    fn has_ended(&self, session: &Session) -> bool {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).contains(&session.id)
    }
}

impl Agents {
    /// `initialize`: the result, and the session id for the header.
    ///
    /// # Errors
    /// If the params are not those of `initialize`.
    pub fn initialize(&self, asked: &Asked) -> Result<(Value, Option<String>), RpcError> {
        let wanted = asked.text("protocolVersion")?;
        // An unknown version is answered with the newest legacy one; the client may then leave.
        let version = match Era::of(&wanted) {
            Some(Era::Legacy(version)) => version,
            Some(Era::Modern) | None => Era::LEGACY.first().copied().unwrap_or_default(),
        };
        let capabilities = asked.take("capabilities").unwrap_or_default();
        let declared = |key: &str| capabilities.get(key).filter(|value| !value.is_null());
        let session = Session {
            id: format!("{:032x}", u128::from_be_bytes(clock::random())),
            version: version.to_owned(),
            sampling: declared("sampling").is_some(),
            // A header must stay short: a client that declares more than a form is one that can do forms.
            elicitation: declared("elicitation")
                .map(|forms| forms.canonical().as_str().to_owned())
                .map(|forms| if forms.len() <= 256 { forms } else { "{}".to_owned() }),
            roots: declared("roots").is_some(),
        };
        let expires = clock::now().saturating_add(SESSION_LASTS).unwrap_or_default();
        let header = self.sealer.seal(Purpose::Session, &asked.origin.agent, expires, &session);
        let mut result = Object::new();
        result.insert("protocolVersion", version);
        result.insert("capabilities", self.capabilities(Era::Legacy(version)));
        result.insert("serverInfo", server_info());
        result.insert("instructions", INSTRUCTIONS);
        Ok((result.into(), header))
    }

    /// Opens a session id that a client sends; `None` if it is forged, expired or ended.
    #[must_use]
    pub fn session(&self, agent: &AgentId, header: &str) -> Option<Session> {
        let session: Session = self.sealer.open(Purpose::Session, agent, clock::now(), header)?;
        (!self.legacy.has_ended(&session)).then_some(session)
    }

    /// `DELETE`: the client ends its session.
    pub fn end_session(&self, session: &Session) {
        self.legacy.end(session);
    }

    /// What this server can do.
    #[must_use]
    pub fn capabilities(&self, era: Era) -> Value {
        let changing = || [("listChanged", true)].into_iter().collect::<Object>();
        let mut capabilities = Object::new();
        capabilities.insert("tools", changing());
        capabilities.insert("prompts", changing());
        let mut resources = changing();
        resources.insert("subscribe", true);
        capabilities.insert("resources", resources);
        capabilities.insert("completions", Object::new());
        capabilities.insert("logging", Object::new());
        if era == Era::Modern {
            let extensions = [(super::asked::TASKS, Object::new())].into_iter().collect::<Object>();
            capabilities.insert("extensions", extensions);
        }
        capabilities.into()
    }
}

/// `serverInfo`.
#[must_use]
pub fn server_info() -> Object {
    [("name", "portcullis"), ("title", "Portcullis"), ("version", env!("CARGO_PKG_VERSION"))].into_iter().collect()
}

/// What an agent should know of the gateway in front of its tools.
pub const INSTRUCTIONS: &str = "Tools are offered through a security gateway. A risky call may be held until a person allows \
it, or refused; the answer then says why and what to do next. Do not work around a refusal.";

fn running(agent: &AgentId, session: Option<&Session>, id: &Value) -> Running {
    (agent.clone(), session.map(|session| session.id.clone()), id.to_string())
}
