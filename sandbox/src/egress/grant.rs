//! `Opening`: what one call was granted, while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use audit::Observed;
use policies::profile::{Destination, Resources, Way};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use vault::Placer;

use super::allow::Host;
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
    /// What the call was lent.
    pub(super) placer: Placer,
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
    pub(super) fn new(resources: Arc<Resources>, placer: Placer, ended: CancellationToken) -> Self {
        Self {
            resources,
            placer,
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

    /// Whether what is sent to a host and port must be read, whatever its routes say: something is placed there, or the tool
    /// holds what must not go there.
    pub(super) fn reads(&self, host: &str, port: u16) -> bool {
        let held = |way: &Way| way.is_weak() || matches!(way, Way::Edge { placeholder: Some(_), .. });
        self.placer.is_for(host, port)
            || (self.placer.lends() && self.resources.secrets.iter().any(|placement| held(&placement.way)))
    }

    /// Whether the call has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Whether a name holds a secret that the tool has, in plain or encoded.
    pub(super) fn gives_away(&self, host: &Host) -> bool {
        if !self.placer.is_weak() {
            return false;
        }
        let searched = self.placer.scrub().map(|mut scrub| {
            // Names are cut at dots, and what is cut there is one.
            let joined = host.as_str().replace('.', "");
            let text = format!("{}\n{joined}", host.as_str());
            scrub.push(text.as_bytes()).and_then(|_| scrub.finish()).map(|_| scrub.found() > 0)
        });
        searched.is_some_and(|found| found.unwrap_or(true))
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
