//! `Opening`: what one call was granted, while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use audit::Observed;
use policies::profile::{Destination, Resources};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::exit::Exit;
use super::ledger::Ledger;

/// An exit that is open for one call. Dropping it closes the exit and cuts every connection of the call.
#[must_use]
pub(crate) struct Opening {
    exit: Arc<Exit>,
    grant: Option<Arc<Grant>>,
}

/// Another call has this exit to itself.
#[derive(Debug, Error)]
#[error("the sandbox runs another call")]
pub(crate) struct InUse;

/// What one call may reach, and what it tried. The edge's tasks hold it; closed, it is worth nothing.
pub(super) struct Grant {
    resources: Arc<Resources>,
    pub(super) ledger: Ledger,
    /// Ends the call's tasks.
    ended: CancellationToken,
    closed: AtomicBool,
    /// A connection holds one.
    connections: Arc<Semaphore>,
    /// Names below wildcards that were asked for.
    wild: AtomicUsize,
}

/// Connections that one call may have open at once: more than a browser has, less than what would hurt the gateway.
const CONNECTIONS: usize = 256;

/// Names below wildcards that one call may ask for. The edge asks the world for each that is connected to, so that each
/// could carry a few bytes of somebody's secret to whoever answers for the domain.
const WILD: usize = 64;

impl Opening {
    pub(super) fn new(exit: Arc<Exit>, grant: Arc<Grant>) -> Self {
        Self { exit, grant: Some(grant) }
    }

    /// Ends the grant: nothing resolves or connects any more, every connection is cut. Returns what was tried.
    pub(crate) fn close(mut self) -> Observed {
        self.end()
    }

    fn end(&mut self) -> Observed {
        let Some(grant) = self.grant.take() else { return Observed::default() };
        self.exit.shut(&grant);
        grant.closed.store(true, Ordering::Release);
        grant.ended.cancel();
        grant.ledger.take()
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        drop(self.end());
    }
}

impl Grant {
    pub(super) fn new(resources: Arc<Resources>, ended: CancellationToken) -> Self {
        Self {
            resources,
            ledger: Ledger::default(),
            ended,
            closed: AtomicBool::new(false),
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
            wild: AtomicUsize::new(0),
        }
    }

    /// What may be reached.
    pub(super) fn destinations(&self) -> &[Destination] {
        &self.resources.egress
    }

    /// Whether the call has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Ends when the call does.
    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Room for one more connection.
    pub(super) fn connect(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.connections).try_acquire_owned().ok()
    }

    /// Room for one more name below a wildcard.
    pub(super) fn another_name(&self) -> bool {
        self.wild.fetch_add(1, Ordering::Relaxed) < WILD
    }
}
