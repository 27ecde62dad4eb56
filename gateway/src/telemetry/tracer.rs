//! `Tracer`: which requests are traced, and the queue in which their spans wait to be sent.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use super::context::Remote;
use super::span::{Span, Told};
use crate::clock;

/// Which requests are traced, and where their spans wait.
pub struct Tracer {
    queue: mpsc::Sender<Told>,
    /// Of a million requests.
    sample: u64,
    key: RandomState,
    sent: AtomicU64,
    dropped: AtomicU64,
}

/// How many spans may wait for a collector that is away: some seconds of a busy gateway, and about two megabytes.
const QUEUE: usize = 4_096;

/// What a sample is a part of.
pub(crate) const ALL: u32 = 1_000_000;

impl Tracer {
    /// One that traces so many of a million requests.
    pub(super) fn new(sample: u32) -> (Arc<Self>, mpsc::Receiver<Told>) {
        let (queue, spans) = mpsc::channel(QUEUE);
        let (sent, dropped) = (AtomicU64::new(0), AtomicU64::new(0));
        (Arc::new(Self { queue, sample: u64::from(sample), key: RandomState::new(), sent, dropped }), spans)
    }

    /// The span in which a request is answered, if it is one of those that are traced.
    ///
    /// An agent's own flag counts for nothing: it could have everything traced, or nothing. All requests of one trace are
    /// chosen together, by a key that no agent knows.
    #[must_use]
    pub fn request(self: &Arc<Self>, remote: Option<&Remote>, name: &'static str) -> Option<Span> {
        let trace = remote.map_or_else(clock::random::<16>, |remote| remote.trace);
        let chosen = self.key.hash_one(trace) % u64::from(ALL) < self.sample;
        chosen.then(|| Span::first(self, trace, remote, name))
    }

    /// Where nobody takes them, spans are lost and counted: no call waits for them.
    pub(super) fn tell(&self, span: Told) {
        if self.queue.try_send(span).is_err() {
            self.drop_all(1);
        }
    }

    pub(super) fn drop_all(&self, spans: usize) {
        self.dropped.fetch_add(u64::try_from(spans).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn send_all(&self, spans: usize) {
        self.sent.fetch_add(u64::try_from(spans).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How many spans a collector took.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// How many spans were lost.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_nobody_empties_drops_and_counts() {
        let (tracer, spans) = Tracer::new(ALL);
        for _ in 0..QUEUE + 7 {
            drop(tracer.request(None, "ping"));
        }
        assert_eq!((tracer.dropped(), spans.len()), (7, QUEUE));
    }

    #[test]
    fn of_a_sample_as_many_are_traced_and_of_none_none() {
        let (none, _spans) = Tracer::new(0);
        assert!(none.request(None, "ping").is_none());
        let (half, _spans) = Tracer::new(ALL / 2);
        let traced = (0..1_000).filter(|_| half.request(None, "ping").is_some()).count();
        assert!((350..650).contains(&traced), "{traced}");
    }
}
