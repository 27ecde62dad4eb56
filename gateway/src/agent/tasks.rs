//! `Tasks`: held calls whose clients follow tasks (extension `io.modelcontextprotocol/tasks`).
//!
//! A task is its hold: it has the hold's id, which nobody can guess, and is as durable. After a restart its first
//! `tasks/get` takes the sealed call up again; it is decided anew, and its approvals count.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use audit::StepRefused;
use jiff::{SignedDuration, Timestamp};
use policies::approval::{Hold, HoldState, Step};
use policies::{AgentId, Call, HoldId, Object, Value};
use sandbox::Era;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Agents;
use super::asked::{Asked, TASKS};
use super::live::{Live, Next};
use super::tools::{session_key, terms};
use crate::answer::{self, INVALID_PARAMS, MISSING_CAPABILITY, RpcError};
use crate::call::{End, Heard, Terms};
use crate::clock;

/// Held calls that became tasks.
#[derive(Default)]
pub struct Tasks(Mutex<HashMap<HoldId, Arc<Task>>>, tokio::sync::Mutex<()>);

struct Task {
    agent: AgentId,
    created: Timestamp,
    cancel: CancellationToken,
    now: Mutex<Now>,
}

struct Now {
    since: Timestamp,
    state: State,
}

enum State {
    Working { question: Option<Question> },
    Ended(Result<Value, RpcError>),
    Cancelled,
}

struct Question {
    method: String,
    params: Value,
    reply: oneshot::Sender<Result<Value, Value>>,
}

/// How long the end of a task can be asked for.
const KEPT: SignedDuration = SignedDuration::from_mins(30);

/// How often a client should ask, in milliseconds.
const POLL_MS: u64 = 1_000;

/// The key under which a server's question stands in `inputRequests`.
const QUESTION: &str = "question";

impl Tasks {
    fn get(&self, id: &HoldId, agent: &AgentId) -> Option<Arc<Task>> {
        let tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.get(id).filter(|task| task.agent == *agent).cloned()
    }

    fn insert(&self, id: HoldId, task: Arc<Task>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, task);
    }

    /// Forgets ends that nobody asked for. Called every few seconds.
    pub fn sweep(&self) {
        let now = clock::now();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, task| {
            let state = task.lock();
            matches!(state.state, State::Working { .. }) || now.duration_since(state.since) < KEPT
        });
    }
}

impl Task {
    fn lock(&self) -> std::sync::MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) {
        *self.lock() = Now { since: clock::now(), state };
    }
}

impl Agents {
    /// Answers a held call with a task and follows it from now on.
    pub fn make_task(&self, asked: &Asked, live: Live, hold: &Hold) -> Value {
        let task = self.follow(asked.origin.agent.clone(), asked.era, live, hold);
        let mut result = described(hold.id(), &task);
        result.insert("resultType", "task");
        result.into()
    }

    /// `tasks/get`
    ///
    /// # Errors
    /// If there is no such task of this agent.
    pub async fn get_task(&self, asked: &Asked) -> Result<Value, RpcError> {
        let (id, task) = self.task(asked).await?;
        let mut result = described(&id, &task);
        match &task.lock().state {
            State::Working { question: None } | State::Cancelled => {}
            State::Working { question: Some(question) } => {
                let request = [("method", question.method.as_str().into()), ("params", question.params.clone())];
                let request = request.into_iter().collect::<Object>();
                result.insert("inputRequests", [(QUESTION, request)].into_iter().collect::<Object>());
            }
            State::Ended(Ok(answer)) => drop(result.insert("result", answer.clone())),
            State::Ended(Err(error)) => {
                result.insert("error", error.to_message(None).get("error").cloned().unwrap_or_default());
            }
        }
        Ok(answer::result_for(result.into(), asked.era))
    }

    /// `tasks/update`: the client's answer to what the task asks.
    ///
    /// # Errors
    /// If there is no such task of this agent.
    pub async fn update_task(&self, asked: &Asked) -> Result<Value, RpcError> {
        let (_, task) = self.task(asked).await?;
        let response = asked.take("inputResponses").and_then(|responses| responses.get(QUESTION).cloned());
        if let (State::Working { question }, Some(response)) = (&mut task.lock().state, response)
            && let Some(question) = question.take()
        {
            question.reply.send(Ok(response)).ok();
        }
        Ok(answer::result_for(Object::new().into(), asked.era))
    }

    /// `tasks/cancel`: a running call is stopped; a held one is withdrawn.
    ///
    /// # Errors
    /// If there is no such task of this agent.
    pub async fn cancel_task(&self, asked: &Asked) -> Result<Value, RpcError> {
        let (id, task) = self.task(asked).await?;
        task.cancel.cancel();
        // It may run or have ended already: then there is nothing to withdraw.
        let step = Step::Cancel { why: "the agent cancelled the task".to_owned() };
        match self.audit.step(id.clone(), step, clock::now()).await {
            Ok(hold) => {
                self.calls.holds.changed(hold);
                task.set(State::Cancelled);
            }
            Err(StepRefused::Audit(error)) => return Err((&error).into()),
            Err(StepRefused::Step(_) | StepRefused::Unknown) => {}
        }
        Ok(answer::result_for(Object::new().into(), asked.era))
    }

    async fn task(&self, asked: &Asked) -> Result<(HoldId, Arc<Task>), RpcError> {
        if !asked.follows_tasks() {
            let extension = [(TASKS, Object::new())].into_iter().collect::<Object>();
            let required = [("extensions", extension)].into_iter().collect::<Object>();
            let data = [("requiredCapabilities", required)].into_iter().collect::<Object>();
            return Err(RpcError::new(MISSING_CAPABILITY, "the client does not declare the tasks extension").with(data));
        }
        let unknown = || RpcError::new(INVALID_PARAMS, "there is no such task");
        let id = HoldId::parse(&asked.text("taskId")?).map_err(|_| unknown())?;
        if let Some(task) = self.tasks.get(&id, &asked.origin.agent) {
            return Ok((id, task));
        }
        // One at a time: two that take the same call up would ask for two approvals.
        let _turn = self.tasks.1.lock().await;
        if let Some(task) = self.tasks.get(&id, &asked.origin.agent) {
            return Ok((id, task));
        }
        let hold =
            self.calls.holds.stored(&id).filter(|hold| *hold.agent() == asked.origin.agent).ok_or_else(unknown)?;
        let task = self.revive(asked, &hold).await;
        Ok((id, task))
    }

    /// A task that the gateway lost in a restart: taken up again where its hold still stands.
    async fn revive(&self, asked: &Asked, hold: &Hold) -> Arc<Task> {
        let ended = |text: &str| {
            let state = State::Ended(answer::lost(text, hold.method(), asked.era));
            let now = Mutex::new(Now { since: clock::now(), state });
            Arc::new(Task {
                agent: hold.agent().clone(),
                created: hold.opened(),
                cancel: CancellationToken::new(),
                now,
            })
        };
        let task = match hold.state() {
            HoldState::Pending | HoldState::Approved => match self.stored_call(hold).await {
                Some(call) => {
                    let terms = Terms { task: Some(hold.id().clone()), ..terms(asked, None) };
                    self.follow(hold.agent().clone(), asked.era, self.start(call, terms, false), hold)
                }
                None => ended("the tool is not offered any more by the definition that it was held with; nothing ran"),
            },
            HoldState::Denied { reason, .. } => ended(&format!("an operator denied the call: {reason}")),
            HoldState::Expired => ended("nobody allowed the call in time; nothing ran"),
            HoldState::Cancelled => ended("the call was withdrawn; nothing ran"),
            HoldState::Consumed { by } => {
                ended(&format!("the call ran as {by}; its answer was lost in a restart, and it is not run again"))
            }
        };
        self.tasks.insert(hold.id().clone(), Arc::clone(&task));
        task
    }

    /// The call as it was sealed: this is what runs, if it still means what was approved.
    async fn stored_call(&self, hold: &Hold) -> Option<Call> {
        let stored = self.audit.held_call(hold.id()).ok()?;
        let tool = self.catalog.as_stored(&stored).await?;
        Some(Call::new(clock::call_id(), hold.agent().clone(), session_key().ok()?, tool, stored.arguments))
    }

    fn follow(&self, agent: AgentId, era: Era, mut live: Live, hold: &Hold) -> Arc<Task> {
        live.outlive();
        let now = Mutex::new(Now { since: clock::now(), state: State::Working { question: None } });
        let task = Arc::new(Task { agent, created: hold.opened(), cancel: live.cancellation().clone(), now });
        self.tasks.insert(hold.id().clone(), Arc::clone(&task));
        let followed = Arc::clone(&task);
        self.tracker.spawn(async move {
            loop {
                match live.next().await {
                    Next::Heard(Heard::Held(_) | Heard::Running | Heard::Notice { .. }) => {}
                    Next::Heard(Heard::Ask { method, params, reply }) => {
                        followed.set(State::Working { question: Some(Question { method, params, reply }) });
                    }
                    Next::End(end) => {
                        if !matches!(followed.lock().state, State::Cancelled) {
                            followed.set(State::Ended(ended(end, &live, era)));
                        }
                        return;
                    }
                }
            }
        });
        task
    }
}

fn ended(end: Result<End, audit::AuditError>, live: &Live, era: Era) -> Result<Value, RpcError> {
    match end {
        Ok(End::Answered { receipt, .. }) => {
            let result = answer::receipt(receipt, live.method, era)?;
            if result.get("resultType").and_then(Value::as_str) != Some("input_required") {
                return Ok(result);
            }
            answer::lost(
                "the tool asked for input in a way that a task cannot carry; call it without tasks",
                live.method,
                era,
            )
        }
        Ok(End::Refused(refusal)) => answer::refusal(&refusal, live.method, era),
        Ok(End::Held(hold)) => answer::pending(&hold, live.method, era),
        Err(error) => Err((&error).into()),
    }
}

fn described(id: &HoldId, task: &Task) -> Object {
    let now = task.lock();
    let (status, said) = match &now.state {
        State::Working { question: None } => ("working", "held until a person allows it, or running"),
        State::Working { question: Some(_) } => ("input_required", "the tool asks something"),
        State::Ended(Ok(_)) => ("completed", "ended"),
        State::Ended(Err(_)) => ("failed", "ended with an error"),
        State::Cancelled => ("cancelled", "withdrawn"),
    };
    let mut described = Object::new();
    described.insert("taskId", id.as_str());
    described.insert("status", status);
    described.insert("statusMessage", said);
    described.insert("createdAt", task.created.to_string());
    described.insert("lastUpdatedAt", now.since.to_string());
    described.insert("ttlMs", u64::try_from(KEPT.as_millis()).unwrap_or_default());
    described.insert("pollIntervalMs", POLL_MS);
    described
}
