//! `Watch`: everything that whoever watches the gateway is told, read at the moment they ask.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use sandbox::Status;
use serde::Serialize;

use super::family::{self, Family, Labels, Reading, double};
use super::{Metrics, process};
use crate::agent::Agents;
use crate::config::Origin;
use crate::liveness::{Pulse, is_synthetic};

/// Everything that is told.
pub struct Watch {
    agents: Arc<Agents>,
    pulse: Arc<Pulse>,
    started: Timestamp,
    since: Instant,
}

/// What keeps the gateway from serving.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct NotReady {
    what: &'static str,
    why: String,
}

impl Watch {
    /// From now on.
    #[must_use]
    pub fn new(agents: Arc<Agents>, pulse: Arc<Pulse>, now: Timestamp) -> Self {
        Self { agents, pulse, started: now, since: Instant::now() }
    }

    /// Every figure there is.
    pub(crate) fn families(&self) -> Vec<Family> {
        let audit = &self.agents.audit;
        let open = self.agents.calls.holds.list().iter().filter(|hold| !is_synthetic(hold)).count();
        let open = u64::try_from(open).unwrap_or(u64::MAX);
        let mut families = self.metrics().families(audit.redactor());
        families.extend(family::of_log(audit.figures()));
        families.extend([
            Family::level("portcullis_open_holds", "Calls that wait for a person", double(open)),
            Family::level(
                "portcullis_log_writable",
                "Whether the log takes records: 0 means that every call is refused",
                truth(audit.healthy().is_ok()),
            ),
            self.servers(),
            self.gate(),
            self.spans(),
        ]);
        families.extend(process::families());
        families.extend([
            Family::level(
                "process_start_time_seconds",
                "When the gateway was started, in seconds since 1970",
                self.started.as_duration().as_secs_f64(),
            ),
            Family::level("portcullis_uptime_seconds", "For how long it runs", self.since.elapsed().as_secs_f64()),
        ]);
        families
    }

    /// What keeps the gateway from serving, if anything does. The reasons are its own words. Policies are no part of it: a
    /// start without them fails before anything listens, and a reload that fails leaves those that were in force.
    pub(super) fn not_ready(&self) -> Vec<NotReady> {
        let log = self.agents.audit.healthy().err().map(|error| NotReady { what: "log", why: error.to_string() });
        let gate = self.pulse.failing().map(|_| NotReady {
            what: "gate",
            why: "the gate does not hold; `portcullis doctor` says what was found".to_owned(),
        });
        let draining = self.agents.stop.is_cancelled().then(|| NotReady {
            what: "draining",
            why: "the gateway was told to stop, and takes no more calls".to_owned(),
        });
        [log, gate, draining].into_iter().flatten().collect()
    }

    /// When what is counted began.
    pub(crate) fn started(&self) -> Timestamp {
        self.started
    }

    fn metrics(&self) -> &Metrics {
        &self.agents.calls.metrics
    }

    fn servers(&self) -> Family {
        let shown = self.agents.config.servers.iter().filter(|(_, server)| server.origin != Origin::Hidden);
        let series = shown.filter_map(|(name, _)| {
            let state = self.agents.calls.sandbox.server(name)?;
            let up = truth(matches!(state.status, Status::Ready(_)));
            let labels: Labels = vec![("server", name.to_string()), ("sandbox", state.kind.to_string())];
            Some((labels, Reading::Level(up)))
        });
        Family::new("portcullis_server_up", "Whether a tool server can be called, and what keeps it", series.collect())
    }

    /// Absent where the gate is not tried, or has not been yet.
    fn gate(&self) -> Family {
        let holds = self.pulse.holds().map(truth);
        let series = holds.map(|holds| (Vec::new(), Reading::Level(holds)));
        Family::new(
            "portcullis_gate_holds",
            "Whether the gate held when the gateway last tried itself",
            series.into_iter().collect(),
        )
    }

    /// Absent where no spans are sent.
    fn spans(&self) -> Family {
        let series = self.agents.calls.tracer.iter().flat_map(|tracer| {
            let told = |what: &str, count| (vec![("outcome", what.to_owned())], Reading::Count(count));
            [told("sent", tracer.sent()), told("dropped", tracer.dropped())]
        });
        Family::new("portcullis_spans", "Spans of traces that were sent, and that were dropped", series.collect())
    }
}

fn truth(truth: bool) -> f64 {
    if truth { 1.0 } else { 0.0 }
}
