//! Requests that are calls, and how each waiting client is answered while a person decides.
//!
//! A held call is answered by what its client can do: a task, if it follows tasks; else, in 2026-07-28, `input_required`
//! with a sealed state that the client sends back at once and that is answered again when there is news; before that, a
//! stream with progress; and where there is neither, an error before the minute after which clients give up, which says
//! that the same call collects the answer.

use std::sync::Arc;
use std::time::Duration;

use audit::{AuditError, Event};
use policies::approval::Hold;
use policies::{Call, Method, Object, SessionKey, Tool, Value};
use sandbox::Era;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Agents;
use super::asked::Asked;
use super::headers;
use super::live::{Live, Next};
use super::state::{Asks, State, Then, stale};
use crate::answer::{self, INVALID_PARAMS, NO_RESOURCE, RpcError};
use crate::call::{Caller, Continued, End, Heard, Terms};
use crate::clock;

/// How long one long poll waits: under the minute after which TypeScript clients give up.
const POLL: Duration = Duration::from_secs(45);

/// How long a client that can only wait is kept waiting.
const WAIT: Duration = Duration::from_secs(50);

/// How often a waiting client hears that its call is still held.
const TICK: Duration = Duration::from_secs(10);

/// Every client library gives up after ten rounds; the last one says how to go on.
const LAST_ROUND: u8 = 9;

/// The key under which a legacy server's question stands in `inputRequests`.
const QUESTION: &str = "question";

/// How long a call may take, whatever its server's own limit is.
const LONGEST: Duration = Duration::from_hours(1);

impl Agents {
    /// `tools/call`
    ///
    /// # Errors
    /// If the request is not one, or its end is an error.
    pub async fn call_tool(&self, asked: &Asked) -> Result<Value, RpcError> {
        let name = asked.text("name")?;
        let arguments = asked.take("arguments").unwrap_or_else(|| Object::new().into());
        if arguments.as_object().is_none() {
            return Err(RpcError::new(INVALID_PARAMS, "`params.arguments` must be an object"));
        }
        let Some(offered) = self.catalog.tool(&name).await else { return self.not_offered(asked, &name).await };
        asked.calls(&name);
        if let Some(sent) = &asked.origin.headers
            && asked.era == Era::Modern
        {
            headers::check_params(sent, offered.tool.input_schema(), &arguments)?;
        }
        let valid = match &offered.schema {
            Ok(schema) => schema.validate(&arguments).map_err(|wrong| {
                wrong.iter().map(|wrong| format!("`{}`: {}", wrong.at, wrong.message)).collect::<Vec<_>>().join("; ")
            }),
            Err(why) => Err(why.clone()),
        };
        if let Err(why) = valid {
            self.note_refused(asked, "invalid-arguments", &format!("{name}: {why}")).await?;
            return answer::invalid_arguments(&why, asked.era);
        }
        self.go(asked, Arc::clone(&offered.tool), arguments).await
    }

    /// `resources/read`
    ///
    /// # Errors
    /// If the request is not one, or its end is an error.
    pub async fn read_resource(&self, asked: &Asked) -> Result<Value, RpcError> {
        let uri = asked.text("uri")?;
        match self.catalog.reading(&uri).await {
            Some(found) => self.go(asked, found.tool, found.arguments).await,
            None => {
                self.note_refused(asked, "unknown-resource", "no server offers the resource").await?;
                let code = if asked.era == Era::Modern { INVALID_PARAMS } else { NO_RESOURCE };
                let data = [("uri", uri)].into_iter().collect::<Object>();
                Err(RpcError::new(code, "no server offers this resource").with(data))
            }
        }
    }

    /// `prompts/get`
    ///
    /// # Errors
    /// If the request is not one, or its end is an error.
    pub async fn get_prompt(&self, asked: &Asked) -> Result<Value, RpcError> {
        let name = asked.text("name")?;
        match self.catalog.prompting(&name, asked.take("arguments")).await {
            Some(found) => self.go(asked, found.tool, found.arguments).await,
            None => {
                self.note_refused(asked, "unknown-prompt", &name).await?;
                Err(RpcError::new(INVALID_PARAMS, "there is no such prompt"))
            }
        }
    }

    /// `completion/complete`
    ///
    /// # Errors
    /// If the request is not one, or its end is an error.
    pub async fn complete(&self, asked: &Asked) -> Result<Value, RpcError> {
        match self.catalog.completing(&asked.params()).await {
            Some(found) => self.go(asked, found.tool, found.arguments).await,
            None => {
                self.note_refused(asked, "unknown-reference", "no server offers what is to be completed").await?;
                Err(RpcError::new(INVALID_PARAMS, "`params.ref` names nothing that is offered"))
            }
        }
    }

    /// Starts a call and stays with it until its agent is answered.
    async fn go(&self, asked: &Asked, tool: Arc<Tool>, arguments: Value) -> Result<Value, RpcError> {
        let call = Call::new(clock::call_id(), asked.origin.agent.clone(), session_key()?, tool, arguments);
        let asks = Asks::of(&call);
        let responses = asked.take("inputResponses");
        let (live, round) = match self.reopen(asked, asks).await? {
            None => (self.start(call, terms(asked, None), asked.era == Era::Modern), 0),
            Some(State { round, then: Then::Wait, .. }) => (self.start(call, terms(asked, None), true), round),
            Some(State { round, then: Then::Resume { of, hold, state }, .. }) => {
                let resume = Continued { state, responses, of, hold: hold.clone() };
                let mut live = self.start(call, terms(asked, Some(resume)), true);
                live.covered_by = hold;
                (live, round)
            }
            Some(State { round, then: Then::Answer(place), .. }) => {
                let (live, reply) = self.parked.take(&place, &asked.origin.agent, asks).ok_or_else(stale)?;
                let response = responses.as_ref().and_then(|responses| responses.get(QUESTION)).cloned();
                // Without an answer the question is refused, which its server is told.
                if let Some(response) = response {
                    reply.send(Ok(response)).ok();
                }
                (live, round)
            }
        };
        asked.note(); // whatever comes of it now is recorded as the call's own
        self.attend(asked, live, round).await
    }

    /// Starts the life of a call in a task of its own: no hang-up can skip the record of its end.
    pub fn start(&self, call: Call, terms: Terms, cancels: bool) -> Live {
        let (hears, heard) = mpsc::channel(64);
        let (leave, cancel) = (self.stop.child_token(), CancellationToken::new());
        let (id, method, asks) = (call.id().clone(), call.tool().method(), Asks::of(&call));
        let caller = Caller { hears, leave: leave.clone(), cancel: cancel.clone(), terms };
        let calls = Arc::clone(&self.calls);
        let run = self.tracker.spawn(async move { calls.run(call, caller).await });
        Live::new(id, method, asks, run, heard, leave, cancel, cancels)
    }

    async fn attend(&self, asked: &Asked, mut live: Live, round: u8) -> Result<Value, RpcError> {
        let _cancellable = (asked.era != Era::Modern).then(|| self.legacy.cancellable(asked, live.cancellation()));
        let (mut until, mut ticks) = (None, 0_u32);
        loop {
            let wake = Instant::now() + TICK;
            let next = tokio::select! {
                next = live.next() => next,
                () = tokio::time::sleep_until(until.unwrap_or(wake).min(wake)), if live.hold.is_some() => {
                    ticks += 1;
                    tick(asked, ticks);
                    if until.is_some_and(|until| until <= Instant::now()) {
                        live.leave();
                        until = None;
                    }
                    continue;
                }
            };
            match next {
                Next::Heard(Heard::Held(hold)) if asked.follows_tasks() => {
                    return Ok(self.make_task(asked, live, &hold));
                }
                Next::Heard(Heard::Held(hold)) => {
                    until = patience(asked, live.method, &hold).map(|patience| Instant::now() + patience);
                    live.hold = Some(hold.id().clone());
                }
                Next::Heard(Heard::Running) => until = None,
                Next::Heard(Heard::Notice { method, params }) => pass(asked, &method, params),
                // Dropping the reply refuses the question.
                Next::Heard(Heard::Ask { method, .. }) if !asked.answers(&method) => {}
                Next::Heard(Heard::Ask { method, params, reply }) => match asked.era {
                    Era::Modern => return self.park(asked, live, &method, params, reply, round),
                    Era::Legacy(_) => {
                        let (id, question) = self.legacy.question(&asked.origin.agent, &method, params, reply);
                        if !asked.say(question) {
                            self.legacy.withdraw(&id);
                        }
                    }
                },
                Next::End(end) => return self.finish(asked, &live, end, round),
            }
        }
    }

    fn finish(&self, asked: &Asked, live: &Live, end: Result<End, AuditError>, round: u8) -> Result<Value, RpcError> {
        match end {
            Ok(End::Answered { receipt, state }) => {
                let result = answer::receipt(receipt, live.method, asked.era)?;
                if result.get("resultType").and_then(Value::as_str) != Some("input_required") {
                    return Ok(result);
                }
                let hold = live.hold.clone().or_else(|| live.covered_by.clone());
                let then = Then::Resume { of: live.call.clone(), hold, state };
                self.input_required(asked, live.asks, round, then, result)
            }
            Ok(End::Refused(refusal)) => answer::refusal(&refusal, live.method, asked.era),
            Ok(End::Held(_)) if polls(asked, live.method) && round < LAST_ROUND && !self.stop.is_cancelled() => {
                let result = [("resultType", "input_required")].into_iter().collect::<Object>();
                self.input_required(asked, live.asks, round, Then::Wait, result.into())
            }
            Ok(End::Held(hold)) => answer::pending(&hold, live.method, asked.era),
            Err(error) => Err((&error).into()),
        }
    }

    /// Parks a call of a legacy server that asks a modern client something.
    fn park(
        &self,
        asked: &Asked,
        live: Live,
        method: &str,
        params: Value,
        reply: oneshot::Sender<Result<Value, Value>>,
        round: u8,
    ) -> Result<Value, RpcError> {
        let asks = live.asks;
        let place = self.parked.park(&asked.origin.agent, live, reply);
        let place = place.ok_or_else(|| RpcError::new(answer::BUSY, "too many calls wait for their agents' input"))?;
        let question = [("method", method.into()), ("params", params)].into_iter().collect::<Object>();
        let requests = [(QUESTION, question)].into_iter().collect::<Object>();
        let result = [("resultType", "input_required".into()), ("inputRequests", Value::from(requests))];
        self.input_required(asked, asks, round, Then::Answer(place), result.into_iter().collect::<Object>().into())
    }

    async fn not_offered(&self, asked: &Asked, name: &str) -> Result<Value, RpcError> {
        self.calls.metrics.unoffered();
        let withheld = self.catalog.tools().into_iter().find(|offer| offer.shown_name == name);
        let Some(offer) = withheld else {
            self.note_refused(asked, "unknown-tool", name).await?;
            return Err(RpcError::new(INVALID_PARAMS, "there is no such tool; `tools/list` shows what is offered"));
        };
        let why = offer.why.unwrap_or_default();
        let rule = if offer.status == "changed" { "changed-definition" } else { "withheld-tool" };
        self.note_refused(asked, rule, &format!("{name}: {why}")).await?;
        answer::withheld(rule, &why, asked.era)
    }

    pub(super) async fn note_refused(&self, asked: &Asked, rule: &str, reason: &str) -> Result<(), RpcError> {
        asked.note();
        let event = Event::RequestRefused {
            agent: Some(asked.origin.agent.clone()),
            method: Some(asked.method.clone()),
            rule: rule.to_owned(),
            reason: reason.to_owned(),
        };
        self.audit.note(event, clock::now()).await.map(drop).map_err(|error| (&error).into())
    }
}

/// How long this client is kept waiting for a person; `None` for as long as the hold lasts.
fn patience(asked: &Asked, method: Method, hold: &Hold) -> Option<Duration> {
    let hears = asked.progress_token.is_some() && asked.origin.may_stream;
    match asked.era {
        Era::Modern if polls(asked, method) => Some(POLL),
        Era::Legacy(_) if hears && hold.state().is_open() => None,
        Era::Modern | Era::Legacy(_) => Some(WAIT),
    }
}

/// Whether this client sends the same request again by itself when it is told so.
fn polls(asked: &Asked, method: Method) -> bool {
    asked.era == Era::Modern && method != Method::Complete
}

fn tick(asked: &Asked, ticks: u32) {
    let Some(token) = &asked.progress_token else { return };
    // A millionth a tick: progress must grow, and the tool's own shall still be more.
    let params = [
        ("progressToken", token.clone()),
        ("progress", serde_json::Value::from(f64::from(ticks) / 1e6).into()),
        ("message", "held: waiting for a person to allow this call".into()),
    ];
    asked.say(notification("notifications/progress", params.into_iter().collect()));
}

fn pass(asked: &Asked, method: &str, params: Value) {
    let mut params = match params {
        Value::Object(params) => params,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => return,
    };
    if method == "notifications/progress" {
        let Some(token) = &asked.progress_token else { return };
        params.insert("progressToken", token.clone());
    }
    asked.say(notification(method, params));
}

/// A JSON-RPC notification.
#[must_use]
pub fn notification(method: &str, params: Object) -> Value {
    let message = [("jsonrpc", Value::from("2.0")), ("method", method.into()), ("params", params.into())];
    message.into_iter().collect::<Object>().into()
}

/// What a request says beside the call itself.
#[must_use]
pub fn terms(asked: &Asked, resume: Option<Continued>) -> Terms {
    Terms {
        era: asked.era,
        deadline: Instant::now() + LONGEST,
        progress: asked.progress_token.is_some(),
        capabilities: asked.capabilities.clone(),
        trace: asked.trace(),
        log_level: asked.log_level.clone(),
        resume,
        task: None,
        author: None,
    }
}

/// One session an agent: what it says of itself must not wash it clean.
///
/// # Errors
/// Never, as the key is a constant.
pub fn session_key() -> Result<SessionKey, RpcError> {
    SessionKey::parse("agent").map_err(|_| stale())
}
