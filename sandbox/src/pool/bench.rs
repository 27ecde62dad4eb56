//! `Bench`: the instances that no call holds, and how many there are in all.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use policies::AgentId;
use tokio::time::Instant;

use crate::instance::Instance;

/// The instances that no call holds.
pub(super) struct Bench {
    seats: usize,
    taken: Arc<AtomicUsize>,
    sitting: Mutex<Sitting>,
}

#[derive(Default)]
struct Sitting {
    /// Never lent to anyone.
    spares: Vec<Tenant>,
    /// Each waits for the agent that it was lent to first, and never serves another.
    kept: Vec<(AgentId, Tenant)>,
}

/// One instance and what is known of it. Dropping it kills it.
pub(super) struct Tenant {
    pub(super) instance: Instance,
    /// How many calls it ran.
    pub(super) calls: u32,
    since: Instant,
    _seat: Seat,
}

/// The right of one instance to be there.
pub(super) struct Seat(Arc<AtomicUsize>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Tenant {
    pub(super) fn new(instance: Instance, seat: Seat) -> Self {
        Self { instance, calls: 0, since: Instant::now(), _seat: seat }
    }
}

impl Bench {
    pub(super) fn new(seats: usize) -> Self {
        Self { seats, taken: Arc::default(), sitting: Mutex::default() }
    }

    /// The agent's own instance, else a spare.
    pub(super) fn take(&self, agent: &AgentId) -> Option<Tenant> {
        let mut sitting = self.sitting();
        // The latest first: the others get a chance to be idle for long.
        while let Some(at) = sitting.kept.iter().rposition(|(of, _)| of == agent) {
            let (_, tenant) = sitting.kept.remove(at);
            if tenant.instance.is_whole() {
                return Some(tenant);
            }
        }
        std::iter::from_fn(|| sitting.spares.pop()).find(|tenant| tenant.instance.is_whole())
    }

    /// A place for one more. Where there is none, `urgent` ends whoever was kept the longest.
    pub(super) fn seat(&self, urgent: bool) -> Option<Seat> {
        let claim = |taken| (taken < self.seats).then_some(taken + 1);
        let claimed = || self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, claim).is_ok();
        if claimed() || (urgent && self.make_room() && claimed()) { Some(Seat(Arc::clone(&self.taken))) } else { None }
    }

    fn make_room(&self) -> bool {
        let mut sitting = self.sitting();
        let oldest = sitting.kept.iter().enumerate().min_by_key(|(_, (_, tenant))| tenant.since).map(|(at, _)| at);
        oldest.map(|at| drop(sitting.kept.remove(at))).is_some()
    }

    pub(super) fn keep(&self, agent: AgentId, mut tenant: Tenant) {
        tenant.since = Instant::now();
        self.sitting().kept.push((agent, tenant));
    }

    pub(super) fn spare(&self, tenant: Tenant) {
        self.sitting().spares.push(tenant);
    }

    pub(super) fn spares(&self) -> usize {
        self.sitting().spares.len()
    }

    /// Ends what is dead or was idle for long.
    pub(super) fn sweep(&self, now: Instant, idle: Duration) {
        let mut sitting = self.sitting();
        sitting.spares.retain(|tenant| tenant.instance.is_whole());
        sitting.kept.retain(|(_, tenant)| tenant.instance.is_whole() && now.duration_since(tenant.since) < idle);
    }

    /// Ends all of them.
    pub(super) fn clear(&self) {
        *self.sitting() = Sitting::default();
    }

    fn sitting(&self) -> MutexGuard<'_, Sitting> {
        // Nothing that holds the lock can leave it half changed.
        self.sitting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
