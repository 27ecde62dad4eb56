//! `Ledger`: every attempt of one call, also those that still run when it ends.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use audit::{Attempt, Observed};

/// Every attempt of one call.
#[derive(Default)]
pub(super) struct Ledger(Mutex<Lines>);

#[derive(Default)]
struct Lines {
    observed: Observed,
    /// Connections that have not ended. Their number is bounded by whoever accepts them.
    live: Vec<Arc<Flow>>,
}

/// One connection, from when it was accepted.
pub(super) struct Flow {
    attempt: Mutex<Attempt>,
    sent: AtomicU64,
    received: AtomicU64,
}

impl Ledger {
    /// Notes an attempt that is over already.
    pub(super) fn add(&self, attempt: Attempt) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).observed.add(attempt);
    }

    /// Notes what was seen before the call began.
    pub(super) fn merge(&self, observed: Observed) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).observed.merge(observed);
    }

    /// Notes a connection that begins.
    pub(super) fn begin(&self, attempt: Attempt) -> Arc<Flow> {
        let flow =
            Arc::new(Flow { attempt: Mutex::new(attempt), sent: AtomicU64::new(0), received: AtomicU64::new(0) });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).live.push(Arc::clone(&flow));
        flow
    }

    /// Notes that a connection ended.
    pub(super) fn end(&self, flow: &Arc<Flow>) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = lines.live.iter().position(|live| Arc::ptr_eq(live, flow)) {
            lines.live.swap_remove(at);
            lines.observed.add(flow.attempt());
        }
    }

    /// Everything so far; connections that still run are told as far as they got, and not again.
    pub(super) fn take(&self) -> Observed {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Lines { mut observed, live } = std::mem::take(&mut *lines);
        for flow in &live {
            observed.add(flow.attempt());
        }
        observed
    }
}

impl Flow {
    fn attempt(&self) -> Attempt {
        let mut attempt = self.attempt.lock().unwrap_or_else(PoisonError::into_inner).clone();
        attempt.sent = self.sent.load(Ordering::Relaxed);
        attempt.received = self.received.load(Ordering::Relaxed);
        attempt
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// The address that was dialled for it.
    pub(super) fn dialled(&self, address: IpAddr) {
        self.attempt.lock().unwrap_or_else(PoisonError::into_inner).address = Some(address);
    }

    /// Where it wants to go.
    pub(super) fn wants(&self, host: &str, port: u16) {
        let mut attempt = self.attempt.lock().unwrap_or_else(PoisonError::into_inner);
        (attempt.host, attempt.port) = (Some(host.to_owned()), Some(port));
    }

    /// What it turned out to speak.
    pub(super) fn speaks(&self, protocol: &str) {
        protocol.clone_into(&mut self.attempt.lock().unwrap_or_else(PoisonError::into_inner).protocol);
    }

    /// It is refused. The first reason stays.
    pub(super) fn denied(&self, why: impl Into<String>) {
        self.attempt.lock().unwrap_or_else(PoisonError::into_inner).denied.get_or_insert_with(|| why.into());
    }
}

/// An attempt of which nothing more is known than what it spoke.
pub(crate) fn attempt(protocol: &str) -> Attempt {
    Attempt {
        protocol: protocol.to_owned(),
        host: None,
        address: None,
        port: None,
        request: None,
        denied: None,
        sent: 0,
        received: 0,
        times: 1,
        at_rest: false,
    }
}
