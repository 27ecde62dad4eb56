//! `Log`: one writer thread over one database; what is acknowledged is on the disk.
//!
//! ```text
//!  call ─┐ bounded queue                ┌─ BEGIN IMMEDIATE ─ records, projections ─ COMMIT ─┐
//!  call ─┼──────────────► writer thread ┤  up to 256 that are queued, or what is owed       ├─► views, acknowledgements
//!  call ─┘ full: `Slow`                 └─ any error: roll back, latch the fault, probe ────┘
//! ```
//!
//! Nobody waits longer than `patience`. While a fault is latched, new work is refused at once; the writer probes every
//! [`TICK`] by recording the outage, and the first probe that reaches the disk ends it.

mod approver;
mod delegations;
pub(crate) mod files;
pub(crate) mod health;
pub(crate) mod keys;
pub(crate) mod notary;
mod passes;
mod passkeys;
pub(crate) mod pen;
mod people;
pub(crate) mod pruned;
pub(crate) mod recover;
pub(crate) mod renew;
pub(crate) mod retention;
mod reviews;
pub(crate) mod tables;
pub(crate) mod views;
pub(crate) mod work;
mod write;

use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;

use health::{AuditError, Health};
use views::{Change, Views};
use work::{Done, Job, NotDone, Owed, Work};

use crate::figures::Figures;

pub(crate) use write::{Opened, Writer};

/// How long anyone waits for the disk where a config says nothing: within the two seconds that are promised.
pub(crate) const PATIENCE: Duration = Duration::from_millis(1_800);

/// How often the writer looks at its files when idle, and probes a fault.
pub(crate) const TICK: Duration = Duration::from_millis(200);

/// The most records in one transaction: at 128 callers a group is what is queued; beyond this only latency grows.
pub(crate) const GROUP: usize = 256;

/// How many requests may wait. At ten groups a second, the slowest disk worth having, all are answered in time.
pub(crate) const QUEUE: usize = 4_096;

/// Time, as the gateway's clock tells it.
pub(crate) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the writer and everyone else share.
pub(crate) struct Shared {
    pub(crate) state: PathBuf,
    pub(crate) health: Health,
    pub(crate) figures: Figures,
    pub(crate) owed: Arc<Owed>,
    views: RwLock<Views>,
}

impl Shared {
    pub(crate) fn new(state: PathBuf, patience: Duration, views: Views) -> Self {
        let (health, figures) = (Health::new(patience), Figures::new());
        Self { state, health, figures, owed: Arc::new(Owed::new()), views: RwLock::new(views) }
    }

    pub(crate) fn views(&self) -> RwLockReadGuard<'_, Views> {
        self.views.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn apply(&self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        let mut views = self.views.write().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            views.apply(change);
        }
    }
}

/// What reaches the writer.
pub(crate) enum Message {
    Job(Box<Job>),
    /// Write what is queued, close the database, give up the lock, and say so.
    Stop(oneshot::Sender<()>),
}

/// The writer's end that everyone holds.
#[derive(Clone)]
pub(crate) struct Log {
    queue: SyncSender<Message>,
    shared: Arc<Shared>,
    patience: Duration,
}

impl Log {
    pub(crate) fn new(queue: SyncSender<Message>, shared: Arc<Shared>, patience: Duration) -> Self {
        Self { queue, shared, patience }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Has the writer do this, and waits until it is on the disk. Dropped before that, it may or may not be done; an intent
    /// whose answer nobody took is closed as interrupted.
    pub(crate) async fn submit(&self, mut work: Work) -> Result<Done, NotDone> {
        if work.ends().is_none() {
            self.shared.health.check()?;
        }
        work.prepare().map_err(|_| AuditError::Failed)?;
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Message::Job(Box::new(Job { work, reply }))).map_err(|error| match error {
            TrySendError::Full(_) => AuditError::Slow,
            TrySendError::Disconnected(_) => AuditError::Stopped,
        })?;
        match tokio::time::timeout(self.patience, answer).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err(AuditError::Stopped.into()),
            Err(_) => Err(AuditError::Slow.into()),
        }
    }

    /// Has the writer finish; true if it did in time.
    pub(crate) async fn stop(&self) -> bool {
        let (reply, answer) = oneshot::channel();
        match self.queue.try_send(Message::Stop(reply)) {
            Ok(()) => matches!(tokio::time::timeout(self.patience * 2, answer).await, Ok(Ok(()))),
            Err(TrySendError::Disconnected(_)) => true,
            Err(TrySendError::Full(_)) => false,
        }
    }
}
