//! `Allowance`: how much of what nobody asked for is read per second.

use std::time::Duration;

use tokio::time::Instant;

/// A token bucket that says how long to wait instead of refusing: what waits is the pipe, and so whoever fills it.
pub(crate) struct Allowance {
    per_second: u32,
    /// When everything spent so far will have been earned.
    settled: Instant,
}

/// How far spending may run ahead.
const BURST: Duration = Duration::from_secs(2);

impl Allowance {
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        Self { per_second, settled: now }
    }

    /// Spends, and says how long to wait before going on.
    pub(crate) fn spend(&mut self, amount: usize, now: Instant) -> Duration {
        let cost = Duration::from_secs(1) * u32::try_from(amount).unwrap_or(u32::MAX) / self.per_second;
        self.settled = self.settled.max(now) + cost;
        self.owed(now)
    }

    /// How long to wait before going on.
    pub(crate) fn owed(&self, now: Instant) -> Duration {
        self.settled.saturating_duration_since(now + BURST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_a_flood_waits() {
        let now = Instant::now();
        let mut allowance = Allowance::new(1000, now);
        assert_eq!(allowance.spend(2000, now), Duration::ZERO);
        assert_eq!(allowance.spend(500, now), Duration::from_millis(500));
        assert_eq!(allowance.spend(2000, now + Duration::from_secs(10)), Duration::ZERO);
    }
}
