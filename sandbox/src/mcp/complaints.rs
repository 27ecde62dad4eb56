//! `Complaints`: what a server does wrong, counted always and logged seldom.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use policies::ServerName;
use tokio::time::Instant;

/// What a server does wrong without any one call being at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Complaint {
    /// Text that is no message.
    Garbage,
    /// An answer to nothing that was ever asked.
    UnknownId,
    /// An answer to what is over: a duplicate, or one that came too late.
    LateAnswer,
    /// A message over the limit.
    Oversized,
    /// A request that we refused.
    RefusedRequest,
    /// A notice that no call wants, or that its agent was too slow for.
    DroppedNotice,
    /// More of what nobody asked for than one connection may send.
    Flood,
}

impl Complaint {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Garbage, "text that is no message"),
        (Self::UnknownId, "an answer to nothing that was asked"),
        (Self::LateAnswer, "a duplicate or late answer"),
        (Self::Oversized, "a message over the limit"),
        (Self::RefusedRequest, "a request that was refused"),
        (Self::DroppedNotice, "a notice that reached nobody"),
        (Self::Flood, "messages faster than they are read"),
    ];
}

/// Counts per kind; a hostile server can make each of them log once in ten seconds, no more.
pub(crate) struct Complaints {
    server: ServerName,
    kinds: [Count; Complaint::ALL.len()],
}

#[derive(Default)]
struct Count {
    total: AtomicU64,
    logged: Mutex<Option<Instant>>,
}

const QUIET: Duration = Duration::from_secs(10);

impl Complaints {
    pub(crate) fn new(server: ServerName) -> Self {
        Self { server, kinds: std::array::from_fn(|_| Count::default()) }
    }

    /// Counts one more. `detail` must hold nothing that the server wrote.
    pub(crate) fn note(&self, complaint: Complaint, detail: &str) {
        let kinds = self.kinds.iter().zip(Complaint::ALL);
        let Some((count, (_, text))) = kinds.into_iter().find(|(_, (kind, _))| *kind == complaint) else { return };
        let total = count.total.fetch_add(1, Ordering::Relaxed) + 1;
        let now = Instant::now();
        let mut logged = count.logged.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if logged.is_none_or(|at| now.duration_since(at) >= QUIET) {
            *logged = Some(now);
            tracing::warn!(server = %self.server, total, detail, "the server sent {text}");
        }
    }

    /// How many there were of this kind.
    #[cfg(test)]
    pub(crate) fn total(&self, complaint: Complaint) -> u64 {
        let kinds = self.kinds.iter().zip(Complaint::ALL);
        kinds.filter(|(_, (kind, _))| *kind == complaint).map(|(count, _)| count.total.load(Ordering::Relaxed)).sum()
    }
}
