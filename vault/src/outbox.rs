//! `Outbox`: revokes what was made for a call that did not give it back.
//!
//! ```text
//!   made ─ recorded, live ─► used ─ the call ends ─► revoked ─► recorded as ended
//!                              └─ dropped, a crash, a backend that is down ─► owed ─ until the backend answers ─┘
//! ```
//!
//! What is owed is the projection of the log minus what running calls hold: a start after a crash owes all of it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use audit::{Audit, AuditError, Event};
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::sync::Notify;

use crate::backend::{BackendError, Stores};
use crate::vault::Clock;

/// What one backend calls one lease.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Handle {
    backend: String,
    lease: String,
}

pub(crate) struct Outbox {
    stores: Arc<Stores>,
    audit: Audit,
    clock: Clock,
    /// Running calls hold these.
    live: Mutex<BTreeSet<Handle>>,
    /// Nobody holds these; they may not have been recorded.
    dropped: Mutex<BTreeSet<Handle>>,
    wake: Notify,
}

/// What was made for one running call.
pub(crate) struct Borrowed {
    outbox: Arc<Outbox>,
    handle: Option<Handle>,
}

impl Outbox {
    pub(crate) fn new(stores: Arc<Stores>, audit: Audit, clock: Clock) -> Arc<Self> {
        let (live, dropped) = (Mutex::default(), Mutex::default());
        Arc::new(Self { stores, audit, clock, live, dropped, wake: Notify::new() })
    }

    /// Records what was made for a call, before it is used.
    ///
    /// # Errors
    /// If it cannot be recorded: then it is revoked.
    pub(crate) async fn take(
        self: &Arc<Self>,
        backend: &str,
        lease: String,
        intent: u64,
    ) -> Result<Borrowed, AuditError> {
        let handle = Handle { backend: backend.to_owned(), lease };
        lock(&self.live).insert(handle.clone());
        let borrowed = Borrowed { outbox: Arc::clone(self), handle: Some(handle.clone()) };
        let Handle { backend, lease } = handle;
        self.audit.note(Event::LeaseTaken { backend, lease, intent }, (self.clock)()).await?;
        Ok(borrowed)
    }

    /// Revokes what is owed, again and again: what a crash left first.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut pause = FIRST_PAUSE;
        loop {
            if self.sweep().await {
                pause = FIRST_PAUSE;
                self.wake.notified().await;
            } else {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    /// Whether nothing is owed any more.
    async fn sweep(&self) -> bool {
        let revoked = stream::iter(self.owed()).map(|handle| self.revoke(handle)).buffer_unordered(AT_ONCE);
        // Each is asked for: one that fails must not hold up the others.
        revoked.fold(true, |all, revoked| async move { all && revoked }).await
    }

    fn owed(&self) -> BTreeSet<Handle> {
        let recorded = self.audit.borrowed().into_iter();
        let recorded = recorded.map(|borrowed| Handle { backend: borrowed.backend, lease: borrowed.lease });
        let mut owed: BTreeSet<Handle> = recorded.collect();
        owed.extend(lock(&self.dropped).iter().cloned());
        let live = lock(&self.live);
        owed.retain(|handle| !live.contains(handle));
        owed
    }

    async fn revoke(&self, handle: Handle) -> bool {
        if let Err(error) = self.ask(&handle).await {
            tracing::warn!(backend = handle.backend, %error, "a lease is not revoked yet");
            return false;
        }
        self.ended(handle).await
    }

    async fn ask(&self, handle: &Handle) -> Result<(), BackendError> {
        // A backend that left the config, or makes no leases any more: an operator has to bring it back.
        let store = self.stores.get(&handle.backend).and_then(|store| store.revoke.as_ref());
        let revoke = store.ok_or(BackendError::Missing)?;
        let by = Instant::now() + PATIENCE;
        tokio::time::timeout_at(by.into(), revoke.revoke(&handle.lease, by)).await.unwrap_or(Err(BackendError::Late))
    }

    /// Records that it has ended; one that was never recorded needs no record.
    async fn ended(&self, handle: Handle) -> bool {
        let Handle { backend, lease } = handle.clone();
        match self.audit.note(Event::LeaseEnded { backend, lease }, (self.clock)()).await {
            Ok(_) | Err(AuditError::Unknown) => {
                lock(&self.dropped).remove(&handle);
                true
            }
            Err(error) => {
                tracing::warn!(backend = handle.backend, %error, "the end of a lease is not recorded yet");
                false
            }
        }
    }
}

impl Borrowed {
    /// Revokes it now. Where the backend does not answer in time, the outbox goes on.
    pub(crate) async fn give_back(mut self) {
        let Some(handle) = self.handle.clone() else { return };
        if self.outbox.revoke(handle.clone()).await {
            lock(&self.outbox.live).remove(&handle);
            self.handle = None;
        }
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take() {
            lock(&self.outbox.dropped).insert(handle.clone());
            lock(&self.outbox.live).remove(&handle);
            self.outbox.wake.notify_one();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a backend may take to revoke before the call's outcome is recorded without it.
const PATIENCE: Duration = Duration::from_secs(5);

/// After a backend did not revoke.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// A backend that is down for long is not asked more often.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How many are revoked at the same time.
const AT_ONCE: usize = 8;

#[cfg(test)]
mod tests;
