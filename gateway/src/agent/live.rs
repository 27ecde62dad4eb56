//! `Live`: a call on its way, seen from its agent's side; it may be left, parked between two requests, or become a task.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use audit::AuditError;
use jiff::{SignedDuration, Timestamp};
use policies::{AgentId, CallId, Method, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::state::Asks;
use crate::call::{End, Heard};
use crate::clock;

/// A call on its way. Dropping it leaves a held call to wait on, and cancels a running one where the era says so.
pub struct Live {
    /// Which call.
    pub call: CallId,
    /// Which request of MCP.
    pub method: Method,
    /// What is asked for: a retry must ask for the same.
    pub asks: Asks,
    /// The hold that it runs under.
    pub hold: Option<policies::HoldId>,
    /// The hold whose approval covers it, if it goes on with the input it asked for.
    pub covered_by: Option<policies::HoldId>,
    run: JoinHandle<Result<End, AuditError>>,
    heard: mpsc::Receiver<Heard>,
    leave: CancellationToken,
    cancel: CancellationToken,
    /// Whether the agent's going away cancels it (2026-07-28), or not (before).
    cancels: bool,
}

/// What happens next to a call on its way.
#[expect(clippy::large_enum_variant, reason = "taken apart where it is made; never stored")]
pub enum Next {
    /// Its agent hears something.
    Heard(Heard),
    /// It ended.
    End(Result<End, AuditError>),
}

impl Live {
    /// A call that was just started.
    #[expect(clippy::too_many_arguments, reason = "made in one place; each is a part of the same call")]
    #[must_use]
    pub fn new(
        call: CallId,
        method: Method,
        asks: Asks,
        run: JoinHandle<Result<End, AuditError>>,
        heard: mpsc::Receiver<Heard>,
        leave: CancellationToken,
        cancel: CancellationToken,
        cancels: bool,
    ) -> Self {
        Self { call, method, asks, hold: None, covered_by: None, run, heard, leave, cancel, cancels }
    }

    /// What happens next. What was said before the end comes before it. Cancel-safe.
    pub async fn next(&mut self) -> Next {
        tokio::select! {
            biased;
            Some(heard) = self.heard.recv() => Next::Heard(heard),
            ended = &mut self.run => Next::End(ended.unwrap_or(Err(AuditError::Stopped))),
        }
    }

    /// Stops waiting for a person; the next thing that happens is the end.
    pub fn leave(&self) {
        self.leave.cancel();
    }

    /// What cancels it.
    #[must_use]
    pub fn cancellation(&self) -> &CancellationToken {
        &self.cancel
    }

    /// From now on the call outlives the request that made it.
    pub fn outlive(&mut self) {
        self.cancels = false;
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.leave.cancel();
        if self.cancels {
            self.cancel.cancel();
        }
    }
}

/// Calls that asked their agent's client something, and wait for its next request to bring the answer.
#[derive(Default)]
pub struct Parked(Mutex<HashMap<String, Place>>);

struct Place {
    agent: AgentId,
    until: Timestamp,
    live: Live,
    reply: oneshot::Sender<Result<Value, Value>>,
}

/// How long a question may wait: time for a person to fill in a form.
pub const PARKED: SignedDuration = SignedDuration::from_mins(10);

/// Each parked call holds a connection to its server.
const MOST: usize = 1_024;

impl Parked {
    /// Keeps a call until its agent comes back; `None` if too many wait already, which cancels it.
    #[must_use]
    pub fn park(
        &self,
        agent: &AgentId,
        mut live: Live,
        reply: oneshot::Sender<Result<Value, Value>>,
    ) -> Option<String> {
        let now = clock::now();
        let until = now.saturating_add(PARKED).unwrap_or(now);
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|_, place| place.until > now);
        if places.len() >= MOST {
            return None;
        }
        live.cancels = true;
        let id = format!("{:032x}", u128::from_be_bytes(clock::random()));
        places.insert(id.clone(), Place { agent: agent.clone(), until, live, reply });
        Some(id)
    }

    /// Takes a call out, if it is this agent's and asks for the same.
    #[must_use]
    pub fn take(&self, id: &str, agent: &AgentId, asks: Asks) -> Option<(Live, oneshot::Sender<Result<Value, Value>>)> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = places.get(id).is_some_and(|place| place.agent == *agent && place.live.asks == asks);
        mine.then(|| places.remove(id)).flatten().map(|place| (place.live, place.reply))
    }

    /// Cancels what waited too long. Called every few seconds.
    pub fn sweep(&self) {
        let now = clock::now();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, place| place.until > now);
    }

    /// Cancels everything: the gateway stops.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
