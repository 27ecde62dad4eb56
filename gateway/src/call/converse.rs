//! What is said while a call runs: notices on the way, questions of its server and their answers, each recorded before it
//! goes on.

use std::time::Instant;

use audit::{Direction, Entry, Failure, FailureKind, Observed, Outcome, Ran, Raw, ResultType, Tail};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use policies::{Method, Object, Value};
use sandbox::{Era, Event, Kind, Resume};
use tokio::sync::{mpsc, oneshot};
use vault::Leases;

use super::{Caller, Calls, Heard};
use crate::clock;
use crate::telemetry::Span;

impl Calls {
    /// Runs the call, again for as long as its server asks for input that a legacy agent gives on its open stream.
    pub(super) async fn converse(&self, entry: &Entry, leases: &Leases, caller: Caller) -> Ran {
        let (mut observed, mut notices) = (Observed::default(), self.audit.notices());
        let outcome = self.rounds(entry, leases, &caller, (&mut observed, &mut notices)).await;
        Ran { outcome, observed }
    }

    async fn rounds(
        &self,
        entry: &Entry,
        leases: &Leases,
        caller: &Caller,
        (observed, notices): (&mut Observed, &mut Tail),
    ) -> Outcome {
        let mut resume = caller
            .terms
            .resume
            .as_ref()
            .map(|go_on| Resume { state: go_on.state.clone(), responses: go_on.responses.clone() });
        if let Some(said) = resume.as_ref().and_then(|resume| resume.responses.clone()) {
            let relayed =
                self.audit.relay(entry, Direction::ToServer, "inputResponses", Raw::new(said), clock::now()).await;
            if let Err(error) = relayed {
                return Outcome::Failed(Failure { kind: FailureKind::Declined, detail: error.to_string() });
            }
        }
        for _ in 0..MOST_ROUNDS {
            let ran = self.carry(entry, leases, caller, (resume.take(), &mut *notices)).await;
            observed.merge(ran.observed);
            let Outcome::Answered(raw) = ran.outcome else { return ran.outcome };
            match raw.result_type() {
                ResultType::InputRequired if caller.terms.era != Era::Modern => {}
                ResultType::Complete | ResultType::InputRequired => return Outcome::Answered(raw),
                // We never offer to follow a server's tasks, so nobody could collect the answer.
                ResultType::Task | ResultType::Other => return Outcome::Failed(unasked()),
            }
            let asked = tokio::select! {
                asked = self.ask_all(entry, raw, caller) => asked,
                () = caller.cancel.cancelled() => return Outcome::Cancelled,
                () = self.halt.cancelled() => return Outcome::Interrupted,
                () = tokio::time::sleep_until(caller.terms.deadline) => return Outcome::Failed(unanswered()),
            };
            match asked {
                Ok(next) => resume = Some(next),
                Err(failure) => return Outcome::Failed(failure),
            }
        }
        Outcome::Failed(Failure {
            kind: FailureKind::Malformed,
            detail: format!("the server asked for input more than {MOST_ROUNDS} times"),
        })
    }

    /// One run in the sandbox; what its server says meanwhile goes to the agent, redacted.
    async fn carry(
        &self,
        entry: &Entry,
        leases: &Leases,
        caller: &Caller,
        (resume, notices): (Option<Resume>, &mut Tail),
    ) -> Ran {
        let (events, mut said) = mpsc::channel(WORDS);
        let (mut asking, begun) = (self.asks(entry, caller), Instant::now());
        let trace = caller.terms.trace.carried(asking.as_ref());
        let line = caller.terms.line(events, caller.cancel.clone(), resume, trace);
        let mut run = std::pin::pin!(self.sandbox.run(entry, leases, line));
        let mut questions = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased; // what was said before the answer reaches the agent before it
                Some(event) = said.recv() => match event {
                    Event::Notice { method, params } => {
                        self.pass(entry, method, notices.notice(params).into_value(), caller);
                    }
                    Event::Ask { method, params, reply } => questions.push(self.ask(entry, method, params, reply, caller)),
                },
                Some(()) = questions.next(), if !questions.is_empty() => {}
                ran = &mut run => {
                    self.metrics.ran(begun.elapsed());
                    if let (Some(asking), Some(why)) = (&mut asking, failed(&ran.outcome)) {
                        asking.fail(why);
                    }
                    return ran;
                }
            }
        }
    }

    /// The span in which a tool server is asked: with the names that it was offered by, and nothing of what it is asked.
    fn asks(&self, entry: &Entry, caller: &Caller) -> Option<Span> {
        let tool = entry.call().tool();
        let (method, name) = (tool.method().as_str(), tool.name());
        let calls = tool.method() == Method::CallTool;
        let title = if calls { format!("{method} {name}") } else { method.to_owned() };
        let mut span = caller.terms.trace.ask(title)?;
        span.set("mcp.method.name", method);
        span.set("portcullis.server", tool.server().as_str().to_owned());
        if calls {
            span.set("gen_ai.operation.name", "execute_tool");
            span.set("gen_ai.tool.name", name.to_owned());
        }
        if let Some(state) = self.sandbox.server(tool.server()) {
            span.set("network.transport", if state.kind == Kind::Remote { "tcp" } else { "pipe" });
        }
        Some(span)
    }

    /// What a tool says on the way can steer an agent as well as its answer can.
    fn pass(&self, entry: &Entry, method: String, params: Value, caller: &Caller) {
        self.sessions.observe(entry.call(), entry.permit().assessment().facts.reads, &params);
        // An agent that reads slowly loses progress, not its answer.
        caller.hears.try_send(Heard::Notice { method, params }).ok();
    }

    /// A question of the server to the agent's client. Dropping `reply` refuses it.
    async fn ask(
        &self,
        entry: &Entry,
        method: String,
        params: Raw,
        reply: oneshot::Sender<Result<Value, Value>>,
        caller: &Caller,
    ) {
        let Ok(params) = self.audit.relay(entry, Direction::ToAgent, &method, params, clock::now()).await else {
            return;
        };
        let params = params.into_value();
        self.sessions.observe(entry.call(), entry.permit().assessment().facts.reads, &params);
        if let Some(answer) = self.question(entry, &method, params, caller).await {
            // The server may have withdrawn its question meanwhile.
            reply.send(answer).ok();
        }
    }

    /// Puts a recorded question to the agent and records the answer before it goes on.
    async fn question(
        &self,
        entry: &Entry,
        method: &str,
        params: Value,
        caller: &Caller,
    ) -> Option<Result<Value, Value>> {
        let (reply, answer) = oneshot::channel();
        caller.hears.send(Heard::Ask { method: method.to_owned(), params, reply }).await.ok()?;
        let answer = tokio::select! {
            answer = answer => answer.ok()?,
            // Nobody is left who could pass the question on or bring the answer.
            () = caller.hears.closed() => return None,
        };
        let (Ok(said) | Err(said)) = &answer;
        self.audit.relay(entry, Direction::ToServer, method, Raw::new(said.clone()), clock::now()).await.ok()?;
        Some(answer)
    }

    /// Everything that an `input_required` answer asks for, one question after the other.
    async fn ask_all(&self, entry: &Entry, mut raw: Raw, caller: &Caller) -> Result<Resume, Failure> {
        let state = raw.take_state();
        let asked = self.audit.relay(entry, Direction::ToAgent, "input_required", raw, clock::now()).await;
        let asked =
            asked.map_err(|error| Failure { kind: FailureKind::Declined, detail: error.to_string() })?.into_value();
        self.sessions.observe(entry.call(), entry.permit().assessment().facts.reads, &asked);
        let mut responses = Object::new();
        for (key, request) in
            asked.get("inputRequests").and_then(Value::as_object).map(Object::iter).into_iter().flatten()
        {
            let method = request.get("method").and_then(Value::as_str).unwrap_or_default();
            let params = request.get("params").cloned().unwrap_or_default();
            match self.question(entry, method, params, caller).await {
                Some(Ok(response)) => responses.insert(key, response),
                Some(Err(_)) | None => {
                    let detail = format!("the agent's client did not answer the server's `{method}`");
                    return Err(Failure { kind: FailureKind::Declined, detail });
                }
            };
        }
        Ok(Resume { state, responses: Some(responses.into()) })
    }
}

/// Why asking failed, in one of a few words.
fn failed(outcome: &Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Answered(raw) => raw.is_error().then_some("tool_error"),
        Outcome::Errored(_) => Some("rpc_error"),
        Outcome::Failed(failure) => Some(failure.kind.as_str()),
        Outcome::Cancelled => Some("cancelled"),
        Outcome::Interrupted => Some("interrupted"),
    }
}

fn unanswered() -> Failure {
    let detail = "the agent's client did not answer the server's question in time".to_owned();
    Failure { kind: FailureKind::Declined, detail }
}

fn unasked() -> Failure {
    let detail = "the server answered with a kind of result that it was not asked for".to_owned();
    Failure { kind: FailureKind::Malformed, detail }
}

/// How many notices may wait for a slow agent.
const WORDS: usize = 64;

/// How often a server may ask for input in one call: what every client library of today allows.
const MOST_ROUNDS: usize = 10;
