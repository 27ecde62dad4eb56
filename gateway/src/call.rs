//! The life of one call. Read this first.
//!
//! A call gains one proof at a time, each from the crate that owns it, and each step asks for the proof before it:
//! no entry without a permit, no lease and no run without an entry, no answer without a receipt.

use std::sync::{Arc, PoisonError};

use audit::{
    Answer, Audit, AuditError, Direction, Entry, Failure, FailureKind, Loans, Outcome, Raw, Receipt, Refusal,
    ResultType,
};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use policies::approval::{Approved, Hold, Step};
use policies::decision::{Because, Circumstances, Denial, Held, HoldTimes, Permit, Verdict};
use policies::{Call, HoldId, Object, Reason, Value};
use sandbox::{Era, Event, Line, Resume, Sandbox};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use vault::{Leases, Vault};

use crate::app::Reloadable;
use crate::catalog::Catalog;
use crate::clock;
use crate::hold::{Holds, Place, Settled};
use crate::sessions::Sessions;

/// Everything that a call passes through.
pub struct Calls {
    /// What may happen.
    pub policies: Arc<Reloadable>,
    /// What each agent has read.
    pub sessions: Sessions,
    /// What is offered, as it was pinned.
    pub catalog: Arc<Catalog>,
    /// Who is waited for.
    pub holds: Arc<Holds>,
    /// What happened.
    pub audit: Audit,
    /// What is lent.
    pub vault: Vault,
    /// Where it runs.
    pub sandbox: Arc<Sandbox>,
    /// How long people have to answer.
    pub hold_for: HoldTimes,
    /// Calls that still run are interrupted.
    pub halt: CancellationToken,
}

/// How a call ended for the agent that waited for it.
#[must_use]
#[expect(clippy::large_enum_variant, reason = "taken apart where it is made; never stored")]
pub enum End {
    /// It ran; the answer is recorded and redacted.
    Answered {
        /// The proof.
        receipt: Receipt,
        /// The server's own state, where it asks for input: opaque, and sealed before an agent sees it.
        state: Option<String>,
    },
    /// It will not run; the refusal is recorded.
    Refused(Refusal),
    /// It waits for a person, and the agent has stopped waiting.
    Held(HoldId),
}

/// The agent's side of one call.
pub struct Caller {
    /// Where the tool's words go while it runs, redacted.
    pub hears: mpsc::Sender<Heard>,
    /// The agent waits no longer: a held call stays held, a running one goes on.
    pub leave: CancellationToken,
    /// The agent gave the call up: if it runs, it is stopped.
    pub cancel: CancellationToken,
    /// What the sandbox must know to carry the call; its `events` are replaced.
    pub terms: Terms,
}

/// What an agent's request says beside the call itself.
#[derive(Clone)]
pub struct Terms {
    /// The era that the agent speaks.
    pub era: Era,
    /// When the call has to be over.
    pub deadline: tokio::time::Instant,
    /// Whether it asked for progress.
    pub progress: bool,
    /// What its client can be asked for.
    pub capabilities: Value,
    /// `traceparent` and `tracestate`.
    pub trace: Vec<(String, String)>,
    /// The lowest level of log messages it wants.
    pub log_level: Option<String>,
    /// It goes on where an `input_required` answer left it.
    pub resume: Option<Continued>,
}

/// A call that goes on with the input it asked for.
#[derive(Clone)]
pub struct Continued {
    /// The upstream server's own state.
    pub state: Option<String>,
    /// The agent's `inputResponses`.
    pub responses: Option<Value>,
    /// The call that asked.
    pub of: policies::CallId,
    /// The hold that it ran under, if it was held.
    pub hold: Option<HoldId>,
}

/// What an agent hears before its call has ended.
pub enum Heard {
    /// Its call waits for a person.
    Held(Box<policies::approval::Hold>),
    /// A person allowed it: it runs.
    Running,
    /// The tool says something: a notification, redacted.
    Notice {
        /// The notification's method.
        method: String,
        /// Its params.
        params: Value,
    },
    /// The tool asks the agent's client something.
    Ask {
        /// The request's method.
        method: String,
        /// Its params, redacted.
        params: Value,
        /// The result, or a JSON-RPC error object. Dropping it refuses.
        reply: oneshot::Sender<Result<Value, Value>>,
    },
}

impl Calls {
    /// The life of one call.
    ///
    /// Not cancel-safe: it runs in a task of its own, to its end, whatever the connection does. Only while it is held
    /// may it be left ([`Caller::leave`]).
    ///
    /// # Errors
    /// If something could not be recorded. Then nothing ran, or its answer is withheld.
    pub async fn run(&self, call: Call, caller: Caller) -> Result<End, AuditError> {
        let (permit, place) = match self.decide(call) {
            Verdict::Allow(permit) => (permit, None),
            Verdict::Deny(denial) => return self.audit.refuse(denial, clock::now()).await.map(End::Refused),
            Verdict::Hold(held) => match self.wait(held, &caller).await? {
                Waited::Run(permit, place) => (permit, place),
                Waited::Refused(denial) => return self.audit.refuse(denial, clock::now()).await.map(End::Refused),
                Waited::Open(hold) => return Ok(End::Held(hold)),
            },
        };
        let approved_by = approval(&permit);
        if let (Some(hold), true) = (&approved_by, caller.cancel.is_cancelled()) {
            return Ok(End::Held(hold.clone())); // the approval stays for whoever comes back
        }
        let reads = permit.assessment().facts.reads;
        let entry = self.audit.open(permit, clock::now()).await?; // the intent is on disk
        if let Some(hold) = approved_by {
            self.holds.consumed(&hold);
            caller.hears.try_send(Heard::Running).ok();
        }
        drop(place);
        let (mut outcome, loans) = self.execute(&entry, caller).await;
        let state = state_of(&mut outcome);
        let receipt = self.audit.close(entry, loans, outcome, clock::now()).await?; // redacted, and on disk
        if let Answer::Result(value) | Answer::Error(value) = receipt.outcome() {
            self.sessions.observe(receipt.call(), reads, value);
        }
        Ok(End::Answered { receipt, state })
    }

    fn decide(&self, call: Call) -> Verdict {
        let first_use = self.audit.first_use(&call);
        let session = self.sessions.of(&call);
        let session = session.read().unwrap_or_else(PoisonError::into_inner);
        let (now, hold_for) = (clock::now(), self.hold_for);
        let around = Circumstances { session: &session, first_use, anomaly: false, now, hold_for };
        let policies = self.policies.current();
        if self.catalog.stands(call.tool()) {
            return policies.decide(call, &around);
        }
        let text = "The tool's definition is not the one that was pinned.".to_owned();
        Verdict::Deny(policies.reject(call, &around, Reason { id: "changed-definition", text, at: None }))
    }

    /// Waits for a person; a call that goes on with input it asked for is covered by the approval it ran under.
    async fn wait(&self, held: Held, caller: &Caller) -> Result<Waited, AuditError> {
        let held = match self.go_on(held, caller).await {
            Ok(Ok(permit)) => return Ok(Waited::Run(permit, None)),
            Ok(Err(denial)) => return Ok(Waited::Refused(denial)),
            Err(held) => held,
        };
        // Who does not hear of the hold still waits for it.
        let opened = |hold: &Hold| drop(caller.hears.try_send(Heard::Held(Box::new(hold.clone()))));
        Ok(match self.holds.settle(held, [&caller.leave, &caller.cancel], opened).await? {
            Settled::Approved(held, approved, place) => match self.again(held, &approved) {
                Ok(permit) => Waited::Run(permit, Some(place)),
                Err(denial) => Waited::Refused(denial),
            },
            Settled::Refused(denial) => Waited::Refused(denial),
            Settled::Open(hold) => Waited::Open(hold),
        })
    }

    /// An approved call is decided again, by what holds now, and must be the approved deed in every bound field.
    #[expect(clippy::result_large_err, reason = "a denial carries the call on; it is not an error path to be shrunk")]
    fn again(&self, held: Held, approved: &Approved) -> Result<Permit, Denial> {
        match self.decide(held.into_call()) {
            Verdict::Allow(permit) => Ok(permit),
            Verdict::Deny(denial) => Err(denial),
            Verdict::Hold(held) => held.release(approved, clock::now()),
        }
    }

    /// `Err` gives a call back that no approval covers: it waits as any other.
    async fn go_on(&self, held: Held, caller: &Caller) -> Result<Result<Permit, Denial>, Held> {
        let Some(Continued { of, hold: Some(hold), .. }) = &caller.terms.resume else { return Err(held) };
        let (by, now) = (held.call().id().clone(), clock::now());
        let Ok(hold) = self.audit.step(hold.clone(), Step::Continue { of: of.clone(), by: by.clone() }, now).await
        else {
            return Err(held);
        };
        match hold.covered(&by, now) {
            Some(covered) => Ok(held.continue_from(&covered, now)),
            None => Err(held),
        }
    }

    /// Runs a recorded call with what it was lent, and carries what is said meanwhile.
    async fn execute(&self, entry: &Entry, caller: Caller) -> (Outcome, Loans) {
        let leases = match self.vault.lease(entry) {
            Ok(leases) => leases,
            Err(error) => {
                let failure = Failure { kind: FailureKind::Lease, detail: error.to_string() };
                return (Outcome::Failed(failure), Loans::none(entry));
            }
        };
        let outcome = self.converse(entry, &leases, caller).await;
        (outcome, leases.end(entry))
    }

    /// Runs the call, again for as long as its server asks for input that a legacy agent gives on its open stream.
    async fn converse(&self, entry: &Entry, leases: &Leases, caller: Caller) -> Outcome {
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
            let outcome = self.carry(entry, leases, &caller, resume.take()).await;
            let Outcome::Answered(raw) = outcome else { return outcome };
            match raw.result_type() {
                ResultType::InputRequired if caller.terms.era != Era::Modern => {}
                ResultType::Complete | ResultType::InputRequired => return Outcome::Answered(raw),
                // We never offer to follow a server's tasks, so nobody could collect the answer.
                ResultType::Task | ResultType::Other => return Outcome::Failed(unasked()),
            }
            let asked = tokio::select! {
                asked = self.ask_all(entry, raw, &caller) => asked,
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
    async fn carry(&self, entry: &Entry, leases: &Leases, caller: &Caller, resume: Option<Resume>) -> Outcome {
        let (events, mut said) = mpsc::channel(WORDS);
        let line = caller.terms.line(events, caller.cancel.clone(), resume);
        let mut run = std::pin::pin!(self.sandbox.run(entry, leases, line));
        let mut questions = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased; // what was said before the answer reaches the agent before it
                Some(event) = said.recv() => match event {
                    Event::Notice { method, params } => self.pass(entry, method, params, caller),
                    Event::Ask { method, params, reply } => questions.push(self.ask(entry, method, params, reply, caller)),
                },
                Some(()) = questions.next(), if !questions.is_empty() => {}
                outcome = &mut run => return outcome,
            }
        }
    }

    /// What a tool says on the way can steer an agent as well as its answer can.
    fn pass(&self, entry: &Entry, method: String, params: Raw, caller: &Caller) {
        let params = self.audit.notice(params).into_value();
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

/// How waiting for a person ended.
#[expect(clippy::large_enum_variant, reason = "taken apart where it is made; never stored")]
enum Waited {
    Run(Permit, Option<Place>),
    Refused(Denial),
    Open(HoldId),
}

impl Terms {
    fn line(&self, events: mpsc::Sender<Event>, cancel: CancellationToken, resume: Option<Resume>) -> Line {
        Line {
            agent_era: self.era,
            events,
            cancel,
            deadline: self.deadline,
            progress: self.progress,
            capabilities: self.capabilities.clone(),
            resume,
            trace: self.trace.clone(),
            log_level: self.log_level.clone(),
        }
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

/// The server's own state, where it asks for input: it goes round the log, sealed, since only the server can read it.
fn state_of(outcome: &mut Outcome) -> Option<String> {
    match outcome {
        Outcome::Answered(raw) if raw.result_type() == ResultType::InputRequired => raw.take_state(),
        Outcome::Answered(_) | Outcome::Errored(_) | Outcome::Failed(_) | Outcome::Cancelled | Outcome::Interrupted => {
            None
        }
    }
}

fn approval(permit: &Permit) -> Option<HoldId> {
    match permit.because() {
        Because::Approval { hold, .. } => Some(hold.clone()),
        Because::Policy | Because::Continuation { .. } => None,
    }
}

/// How many notices may wait for a slow agent.
const WORDS: usize = 64;

/// How often a server may ask for input in one call: what every client library of today allows.
const MOST_ROUNDS: usize = 10;
