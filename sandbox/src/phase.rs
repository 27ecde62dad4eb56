//! `Phase`: whether a server is there, and how long it pays to wait for it.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use audit::{Failure, FailureKind};
use policies::ServerName;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

use crate::instance::Ended;
use crate::server::Change;

/// Whether a server is there; `C` is what it is reached by.
pub(crate) enum Phase<C> {
    /// It is being started or greeted.
    Starting,
    /// It was greeted.
    Ready(Arc<C>),
    /// It is not there.
    Down {
        /// What that is to a call.
        kind: FailureKind,
        /// One sentence, in our own words.
        why: String,
        /// When it is tried again.
        retry_at: Instant,
    },
}

impl<C> Phase<C> {
    /// It ended like this. Where it ran before, that is to the next call only that it is not there.
    pub(crate) fn down(ended: Ended, retry_at: Instant) -> Self {
        let kind = if ended.kind == FailureKind::NoSandbox { ended.kind } else { FailureKind::Unreachable };
        Self::Down { kind, why: ended.why, retry_at }
    }
}

impl<C> Clone for Phase<C> {
    fn clone(&self) -> Self {
        match self {
            Self::Starting => Self::Starting,
            Self::Ready(connection) => Self::Ready(Arc::clone(connection)),
            Self::Down { kind, why, retry_at } => Self::Down { kind: *kind, why: why.clone(), retry_at: *retry_at },
        }
    }
}

/// The phase of one server, announced as it changes.
pub(crate) struct Phases<C> {
    server: ServerName,
    current: watch::Sender<Phase<C>>,
    changes: broadcast::Sender<Change>,
}

/// A call waits for a server that comes back within this time rather than fail.
const WORTH_WAITING: Duration = Duration::from_secs(2);

impl<C> Phases<C> {
    pub(crate) fn new(server: ServerName, changes: broadcast::Sender<Change>) -> Self {
        Self { server, current: watch::Sender::new(Phase::Starting), changes }
    }

    /// The phase, now.
    pub(crate) fn current(&self) -> Phase<C> {
        self.current.borrow().clone()
    }

    /// Enters a phase. Starting again after a failure is not announced: nothing that anyone could do changes by it.
    pub(crate) fn enter(&self, phase: Phase<C>) {
        match &phase {
            Phase::Starting => {}
            Phase::Ready(_) => tracing::info!(server = %self.server, "the server is ready"),
            Phase::Down { why, .. } => tracing::warn!(server = %self.server, why, "the server is down"),
        }
        let announced = !matches!(phase, Phase::Starting);
        self.current.send_replace(phase);
        if announced {
            // An error means that nobody listens.
            self.changes.send(Change::Status { server: self.server.clone() }).ok();
        }
    }

    /// What the server is reached by, once it is there. Waits while it starts, and over a short absence; the caller's
    /// deadline ends the wait. Cancel-safe.
    ///
    /// # Errors
    /// With a [`Failure`] that says that nothing ran.
    pub(crate) async fn ready(&self) -> Result<Arc<C>, Failure> {
        if let Phase::Ready(connection) = &*self.current.borrow() {
            return Ok(Arc::clone(connection));
        }
        self.ready_after(None).await
    }

    /// The same, but something else than this, which turned out to be over.
    pub(crate) async fn ready_after(&self, over: Option<&Arc<C>>) -> Result<Arc<C>, Failure> {
        let mut phases = self.current.subscribe();
        loop {
            match &*phases.borrow_and_update() {
                Phase::Ready(connection) if over.is_none_or(|over| !Arc::ptr_eq(over, connection)) => {
                    return Ok(Arc::clone(connection));
                }
                Phase::Ready(_) | Phase::Starting => {}
                Phase::Down { kind, why, retry_at } => self.worth_waiting(*kind, why, *retry_at)?,
            }
            if phases.changed().await.is_err() {
                return Err(self.failure(FailureKind::Unreachable, "the gateway stops", None));
            }
        }
    }

    fn worth_waiting(&self, kind: FailureKind, why: &str, retry_at: Instant) -> Result<(), Failure> {
        let wait = retry_at.saturating_duration_since(Instant::now());
        // A sandbox that cannot be made will not be made a second later either.
        let waits = wait <= WORTH_WAITING && kind != FailureKind::NoSandbox;
        if waits { Ok(()) } else { Err(self.failure(kind, why, Some(wait))) }
    }

    fn failure(&self, kind: FailureKind, why: &str, retry: Option<Duration>) -> Failure {
        let retry = retry.map(|wait| format!("; it is tried again in {} s", wait.as_secs().max(1))).unwrap_or_default();
        let detail = format!("the server `{}` is down: {why}{retry}", self.server);
        Failure { kind, detail }
    }
}

/// How long to wait before the next attempt: doubling, with jitter, so that many servers do not come back in step.
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(200);
    const LONGEST: Duration = Duration::from_mins(1);
    /// A connection that lasted this long was a good one.
    const GOOD: Duration = Duration::from_mins(1);

    pub(crate) fn new() -> Self {
        Self { next: Self::FIRST }
    }

    /// The wait after a connection that lasted so long.
    pub(crate) fn after(&mut self, lasted: Duration) -> Duration {
        if lasted >= Self::GOOD {
            self.next = Self::FIRST;
        }
        let wait = self.next;
        self.next = (wait * 2).min(Self::LONGEST);
        // 75 % to 125 %; the standard library's hash keys are random enough for jitter.
        let percent = 75 + RandomState::new().hash_one(0) % 51;
        wait * u32::try_from(percent).unwrap_or(100) / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_start_over_after_a_good_connection() {
        let mut backoff = Backoff::new();
        let waits: Vec<_> = (0..20).map(|_| backoff.after(Duration::ZERO)).collect();
        assert!(waits[0] <= Duration::from_millis(250) && waits[3] >= Duration::from_millis(1200));
        assert!(waits[19] <= Duration::from_secs(75) && waits[19] >= Duration::from_secs(45));
        assert!(backoff.after(Backoff::GOOD) <= Duration::from_millis(250));
    }
}
