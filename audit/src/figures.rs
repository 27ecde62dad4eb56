//! `Figures`: what is counted and timed beside the records, for whoever watches the gateway. They are no records: a restart
//! begins them anew.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::redact::Kinds;

/// How many values fell within which bound. Counting one takes no lock.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One more than there are bounds: the last counts what is beyond them.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// What a [`Histogram`] held at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// The upper bounds, each within its count.
    pub bounds: &'static [u64],
    /// How many fell within each bound and not the one before; one more for those beyond the last.
    pub counts: Vec<u64>,
    /// All values together.
    pub sum: u64,
}

/// What the log counted and timed since it was started.
#[derive(Debug)]
pub struct Figures {
    commits: Histogram,
    groups: Histogram,
    redactions: Mutex<BTreeMap<&'static str, u64>>,
    denied: AtomicU64,
}

impl Histogram {
    /// Times, in microseconds: from what a decision takes to the longest a server may take.
    pub const TIMES: &'static [u64] = &[
        25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
        2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
    ];

    /// How long people take, in microseconds: from what is too fast to have been read to a day.
    pub const WAITS: &'static [u64] = &[
        1_000_000,
        3_000_000,
        10_000_000,
        30_000_000,
        60_000_000,
        120_000_000,
        300_000_000,
        600_000_000,
        1_800_000_000,
        3_600_000_000,
        14_400_000_000,
        86_400_000_000,
    ];

    /// Records in one transaction, of which there are 256 at most.
    pub const SIZES: &'static [u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256];

    /// An empty one with these upper bounds, the lowest first.
    #[must_use]
    pub fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }

    /// Counts a value.
    pub fn add(&self, value: u64) {
        let within = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(within) {
            count.fetch_add(1, Ordering::Relaxed);
            self.sum.fetch_add(value, Ordering::Relaxed);
        }
    }

    /// Counts a time, in microseconds.
    pub fn took(&self, time: Duration) {
        self.add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// What it holds.
    #[must_use]
    pub fn read(&self) -> Distribution {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        Distribution { bounds: self.bounds, counts, sum: self.sum.load(Ordering::Relaxed) }
    }
}

impl Distribution {
    /// How many values there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl Figures {
    pub(crate) fn new() -> Self {
        Self {
            commits: Histogram::new(Histogram::TIMES),
            groups: Histogram::new(Histogram::SIZES),
            redactions: Mutex::default(),
            denied: AtomicU64::new(0),
        }
    }

    /// How long transactions took until they were on the disk, in microseconds.
    #[must_use]
    pub fn commits(&self) -> Distribution {
        self.commits.read()
    }

    /// How many records were written in one transaction.
    #[must_use]
    pub fn groups(&self) -> Distribution {
        self.groups.read()
    }

    /// What was redacted from answers and from what was said while calls ran, by kind.
    #[must_use]
    pub fn redactions(&self) -> BTreeMap<&'static str, u64> {
        self.redactions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Connections that sandboxes were denied.
    #[must_use]
    pub fn denied(&self) -> u64 {
        self.denied.load(Ordering::Relaxed)
    }

    pub(crate) fn committed(&self, took: Duration, records: usize) {
        self.commits.took(took);
        self.groups.add(u64::try_from(records).unwrap_or(u64::MAX));
    }

    /// Most answers hold nothing to redact: the lock is for those that do.
    pub(crate) fn redacted(&self, kinds: &Kinds) {
        if kinds.is_empty() {
            return;
        }
        let mut redactions = self.redactions.lock().unwrap_or_else(PoisonError::into_inner);
        for (&kind, times) in kinds {
            *redactions.entry(kind).or_default() += times;
        }
    }

    pub(crate) fn refused(&self, connections: u64) {
        self.denied.fetch_add(connections, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_falls_within_the_lowest_bound_that_it_does_not_exceed() {
        let sizes = Histogram::new(Histogram::SIZES);
        for value in [1, 2, 3, 256, 257, u64::MAX - 1_000] {
            sizes.add(value);
        }
        let read = sizes.read();
        assert_eq!(read.counts, [1, 1, 1, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(read.count(), 6);
        let times = Histogram::new(Histogram::TIMES);
        times.took(Duration::from_millis(1));
        assert_eq!((times.read().counts[5], times.read().sum), (1, 1_000));
    }

    #[test]
    fn redactions_add_up_by_kind() {
        let figures = Figures::new();
        figures.redacted(&Kinds::from([("live", 2), ("github-token", 1)]));
        figures.redacted(&Kinds::from([("live", 1)]));
        assert_eq!(figures.redactions(), BTreeMap::from([("github-token", 1), ("live", 3)]));
    }
}
