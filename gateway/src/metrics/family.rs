//! `Family`: one figure with all its series, before it is written in the one format or the other.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use audit::{Decided, Distribution, Figures, Redactor};
use policies::Risk;

use super::{Metrics, UNKNOWN};

/// One figure with all its series.
#[derive(Debug)]
pub(crate) struct Family {
    /// Its name as Prometheus has it, without the endings that it adds itself.
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) series: Vec<(Labels, Reading)>,
}

/// Names and values.
pub(crate) type Labels = Vec<(&'static str, String)>;

/// What a series says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reading {
    /// It only grows.
    Count(u64),
    /// It goes up and down.
    Level(f64),
    /// Values by their size.
    Spread {
        values: Distribution,
        /// How much of a value is one of the figure's unit: a million microseconds are a second.
        scale: f64,
    },
}

/// What microseconds are told in.
const SECOND: f64 = 1_000_000.0;

impl Family {
    pub(crate) fn new(name: &'static str, help: &'static str, series: Vec<(Labels, Reading)>) -> Self {
        Self { name, help, series }
    }

    pub(crate) fn count(name: &'static str, help: &'static str, count: u64) -> Self {
        Self::new(name, help, vec![(Vec::new(), Reading::Count(count))])
    }

    pub(crate) fn level(name: &'static str, help: &'static str, level: f64) -> Self {
        Self::new(name, help, vec![(Vec::new(), Reading::Level(level))])
    }

    pub(crate) fn times(name: &'static str, help: &'static str, values: Distribution) -> Self {
        Self::new(name, help, vec![(Vec::new(), Reading::Spread { values, scale: SECOND })])
    }
}

/// A name of a server's own, as it may leave.
fn label(text: &str, redactor: &Redactor) -> String {
    redactor.redact_text(text).into_owned()
}

impl Metrics {
    /// What was counted on the way of calls.
    pub(super) fn families(&self, redactor: &Redactor) -> Vec<Family> {
        let times = |values| Reading::Spread { values, scale: SECOND };
        let waits = self.waits.iter().zip(["approved", "denied", "expired"]);
        let waits = waits.map(|(wait, answer)| (vec![("answer", answer.to_owned())], times(wait.read()))).collect();
        let requests = self.requests.iter().filter(|(_, requests)| requests.read().count() > 0);
        let requests = requests
            .map(|(method, requests)| (vec![("mcp_method_name", (*method).to_owned())], times(requests.read())))
            .collect();
        vec![
            Family::new(
                "portcullis_tool_calls",
                "Calls that were decided, by tool, verdict and risk",
                self.decisions(redactor),
            ),
            Family::times("portcullis_policy_eval_seconds", "How long the policies took", self.evaluations.read()),
            Family::new("portcullis_approval_wait_seconds", "How long a held call waited for people", waits),
            Family::new("mcp_server_operation_duration_seconds", "How long agents waited for an answer", requests),
            Family::times(
                "mcp_client_operation_duration_seconds",
                "How long tool servers took to answer",
                self.runs.read(),
            ),
            Family::count(
                "portcullis_lease_failures",
                "Calls that did not run because a secret could not be lent",
                self.unlent.load(Ordering::Relaxed),
            ),
        ]
    }

    /// Two names that are redacted to one are one series: a name that stands twice would make all of it unreadable.
    fn decisions(&self, redactor: &Redactor) -> Vec<(Labels, Reading)> {
        let mut counts: BTreeMap<[String; 4], u64> = BTreeMap::new();
        let unoffered = self.unoffered.load(Ordering::Relaxed);
        if unoffered > 0 {
            let labels = [UNKNOWN, UNKNOWN, Decided::Deny.as_str(), UNKNOWN].map(str::to_owned);
            counts.insert(labels, unoffered);
        }
        for (server, tools) in &*self.tools.read().unwrap_or_else(PoisonError::into_inner) {
            for (tool, verdicts) in tools {
                for decided in Decided::ALL {
                    for risk in Risk::ALL {
                        let count = verdicts.read(decided, risk);
                        if count > 0 {
                            let (server, tool) = (label(server.as_str(), redactor), label(tool, redactor));
                            let labels = [server, tool, decided.as_str().to_owned(), risk.as_str().to_owned()];
                            *counts.entry(labels).or_default() += count;
                        }
                    }
                }
            }
        }
        let named = |[server, tool, verdict, risk]: [String; 4]| {
            vec![("server", server), ("tool", tool), ("verdict", verdict), ("risk", risk)]
        };
        counts.into_iter().map(|(labels, count)| (named(labels), Reading::Count(count))).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for a plot, of which nobody sees the sixteenth digit")]
pub(crate) fn double(number: u64) -> f64 {
    number as f64
}

/// What the log counted.
pub(super) fn of_log(figures: &Figures) -> Vec<Family> {
    let kinds = figures.redactions().into_iter();
    let kinds = kinds.map(|(kind, count)| (vec![("kind", kind.to_owned())], Reading::Count(count))).collect();
    let groups = Reading::Spread { values: figures.groups(), scale: 1.0 };
    vec![
        Family::times("portcullis_audit_commit_seconds", "How long a transaction of the log took", figures.commits()),
        Family::new("portcullis_audit_group_size", "Records in one transaction of the log", vec![(Vec::new(), groups)]),
        Family::new("portcullis_redactions", "What was redacted from answers, by kind", kinds),
        Family::count("portcullis_denied_connections", "Connections that sandboxes were denied", figures.denied()),
    ]
}
