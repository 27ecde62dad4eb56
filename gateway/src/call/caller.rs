//! `Caller`: the agent's side of one call.

use std::sync::Arc;

use audit::Author;
use policies::{HoldId, Value};
use sandbox::{Era, Event, Line, Resume};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::telemetry::Trace;

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
    /// The trace that it is part of.
    pub trace: Trace,
    /// The lowest level of log messages it wants.
    pub log_level: Option<String>,
    /// It goes on where an `input_required` answer left it.
    pub resume: Option<Continued>,
    /// The hold whose task it is: it waits for that one and no other.
    pub task: Option<HoldId>,
    /// Who asks, where it is an operator: it does not run if they are not who they were.
    pub author: Option<Arc<Author>>,
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

impl Terms {
    /// `trace` is what goes on of the trace.
    pub(super) fn line(
        &self,
        events: mpsc::Sender<Event>,
        cancel: CancellationToken,
        resume: Option<Resume>,
        trace: Vec<(String, String)>,
    ) -> Line {
        Line {
            agent_era: self.era,
            events,
            cancel,
            deadline: self.deadline,
            progress: self.progress,
            capabilities: self.capabilities.clone(),
            resume,
            trace,
            log_level: self.log_level.clone(),
        }
    }
}
