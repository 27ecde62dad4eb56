//! `Metrics`: what is counted and timed on the way of a call, for whoever watches the gateway.
//!
//! ```text
//! a call ── atomics ──► Metrics ─┐
//! the log ────────────► Figures ─┼─► Watch ─► families ─► `/metrics`, and OTLP: the same figures
//! holds, servers, the gate ──────┘
//! ```
//!
//! No label holds anything that an agent made up: not its name, not an argument, not the name of a tool that nobody offers.
//! So nobody but an operator and the servers that they configured can make a series, and of a server's own names only so many.

mod family;
mod listener;
mod process;
mod text;
mod watch;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use audit::{Decided, Histogram};
use policies::decision::Verdict;
use policies::{Risk, ServerName, Tool};

use crate::liveness;

pub(crate) use family::{Family, Reading, double};
pub use listener::{Listener, OpenError};
pub use watch::Watch;

/// What is counted and timed on the way of a call.
pub struct Metrics {
    /// Decisions, by what is offered.
    tools: RwLock<HashMap<ServerName, HashMap<String, Arc<Verdicts>>>>,
    /// Calls of tools that nobody offers.
    unoffered: AtomicU64,
    evaluations: Histogram,
    waits: [Histogram; 3],
    /// How long requests took, by method.
    requests: BTreeMap<&'static str, Histogram>,
    /// How long tool servers took.
    runs: Histogram,
    unlent: AtomicU64,
}

/// How a hold ended for those who were asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// Enough people said yes.
    Approved,
    /// A person said no.
    Denied,
    /// Nobody said enough in time.
    Expired,
}

/// How often a tool's calls were decided so, by verdict, then by risk.
#[derive(Default)]
struct Verdicts([[AtomicU64; 4]; 3]);

/// The name of a tool or method that is nobody's.
pub(crate) const UNKNOWN: &str = "unknown";

/// The name of a server's tools beyond [`MOST`].
const OTHER: &str = "other";

/// The most tools of one server that are told apart: a server that invents names must not make a series of each.
const MOST: usize = 256;

/// A stream that listens is open for as long as its client likes: how long says nothing.
const STREAMS: [&str; 1] = ["subscriptions/listen"];

impl Metrics {
    /// Nothing has happened yet. Of requests, these methods are told apart.
    pub fn new(methods: impl Iterator<Item = &'static str>) -> Self {
        let methods = methods.filter(|method| !STREAMS.contains(method)).chain([UNKNOWN]);
        Self {
            tools: RwLock::default(),
            unoffered: AtomicU64::new(0),
            evaluations: Histogram::new(Histogram::TIMES),
            waits: [(); 3].map(|()| Histogram::new(Histogram::WAITS)),
            requests: methods.map(|method| (method, Histogram::new(Histogram::TIMES))).collect(),
            runs: Histogram::new(Histogram::TIMES),
            unlent: AtomicU64::new(0),
        }
    }

    /// A call was decided for the first time. One that was held is decided again when it is approved, which counts no more.
    pub fn decided(&self, verdict: &Verdict) {
        let (call, decided, risk) = match verdict {
            Verdict::Allow(permit) => (permit.call(), Decided::Allow, permit.assessment().risk),
            Verdict::Deny(denial) => (denial.call(), Decided::Deny, denial.assessment().risk),
            Verdict::Hold(held) => (held.call(), Decided::Hold, held.assessment().risk),
        };
        // The gateway's own trials are not what its agents do.
        if call.tool().server().as_str() != liveness::SERVER {
            self.of(call.tool()).add(decided, risk);
        }
    }

    /// A tool was called that nobody offers.
    pub fn unoffered(&self) {
        self.unoffered.fetch_add(1, Ordering::Relaxed);
    }

    /// The policies took so long.
    pub fn evaluated(&self, took: Duration) {
        self.evaluations.took(took);
    }

    /// People were waited for so long.
    pub fn waited(&self, how: Answered, took: Duration) {
        let [approved, denied, expired] = &self.waits;
        match how {
            Answered::Approved => approved.took(took),
            Answered::Denied => denied.took(took),
            Answered::Expired => expired.took(took),
        }
    }

    /// A request was answered.
    pub fn answered(&self, method: &str, took: Duration) {
        if STREAMS.contains(&method) {
            return;
        }
        if let Some(requests) = self.requests.get(self.method(method)) {
            requests.took(took);
        }
    }

    /// A tool server was waited for so long.
    pub fn ran(&self, took: Duration) {
        self.runs.took(took);
    }

    /// A secret that a call needs could not be lent.
    pub fn unlent(&self) {
        self.unlent.fetch_add(1, Ordering::Relaxed);
    }

    /// The method as it may be told: a method that does not exist is an agent's own text.
    pub(crate) fn method(&self, method: &str) -> &'static str {
        let known = self.requests.get_key_value(method).map(|(known, _)| *known);
        known.or_else(|| STREAMS.into_iter().find(|stream| *stream == method)).unwrap_or(UNKNOWN)
    }

    /// Most calls are of tools that were called before: then nothing is written but an atomic.
    fn of(&self, tool: &Tool) -> Arc<Verdicts> {
        let (server, name) = (tool.server(), tool.name());
        let find = |tools: &HashMap<ServerName, HashMap<String, Arc<Verdicts>>>| {
            let of_server = tools.get(server)?;
            let full = of_server.len() >= MOST;
            of_server.get(name).or_else(|| of_server.get(OTHER).filter(|_| full)).map(Arc::clone)
        };
        if let Some(found) = find(&self.tools.read().unwrap_or_else(PoisonError::into_inner)) {
            return found;
        }
        let mut tools = self.tools.write().unwrap_or_else(PoisonError::into_inner);
        let of_server = tools.entry(server.clone()).or_default();
        let name = if of_server.len() + 1 >= MOST { OTHER } else { name };
        Arc::clone(of_server.entry(name.to_owned()).or_default())
    }
}

impl Verdicts {
    fn add(&self, decided: Decided, risk: Risk) {
        if let Some(count) = self.0.get(place(decided)).and_then(|risks| risks.get(level(risk))) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn read(&self, decided: Decided, risk: Risk) -> u64 {
        let count = self.0.get(place(decided)).and_then(|risks| risks.get(level(risk)));
        count.map_or(0, |count| count.load(Ordering::Relaxed))
    }
}

fn place(decided: Decided) -> usize {
    match decided {
        Decided::Allow => 0,
        Decided::Deny => 1,
        Decided::Hold => 2,
    }
}

fn level(risk: Risk) -> usize {
    match risk {
        Risk::Low => 0,
        Risk::Medium => 1,
        Risk::High => 2,
        Risk::Critical => 3,
    }
}

#[cfg(test)]
mod tests;
