//! Policies that only watch: which they are, and what they would have changed, counted from the log.

use std::collections::{BTreeMap, HashSet};

use audit::{Filter, Found, Kind, QueryError, Reader};
use jiff::Timestamp;
use jsonrpsee::core::RegisterMethodError;
use policies::decision::Policies;
use policies::{CallId, Value};
use serde::{Deserialize, Serialize};

use super::method::{Module, method};
use super::people::Needs;
use super::rows::ObservedRow;
use super::trail::{read, unread};
use crate::liveness;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// From when on.
    #[serde(default)]
    since: Option<Timestamp>,
}

/// What they would have changed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Observations {
    /// Every policy that is observed now, or would have changed something when it was.
    pub policies: Vec<ObservedRow>,
    /// Calls that were looked at.
    pub calls: usize,
    /// There are older records than were read.
    pub partial: bool,
}

/// Records that are read at most, the newest: some seconds of work.
const MOST: usize = 100_000;

/// Records that are read at once.
const BATCH: usize = 1_000;

/// What to shout: a default that only watches leaves open what everybody believes to be shut.
#[must_use]
pub fn warnings(policies: &Policies) -> Vec<String> {
    let bundled = policies.observed().filter(|(_, bundled)| *bundled);
    bundled.map(|(id, _)| format!("the default policy `{id}` is only observed: it decides nothing")).collect()
}

pub(super) fn register(to: &mut Module) -> Result<(), RegisterMethodError> {
    method(to, "policies_observed", Needs::Read, |all, _, wanted: Wanted| async move {
        let policies = all.agents.calls.policies.current();
        read(&all.audit, move |log| observations(log, &policies, wanted.since).map_err(unread)).await
    })
}

fn observations(log: &Reader, policies: &Policies, since: Option<Timestamp>) -> Result<Observations, QueryError> {
    let row = |(id, bundled): (&str, bool)| {
        (id.to_owned(), ObservedRow { policy: id.to_owned(), observed: true, bundled, ..ObservedRow::default() })
    };
    let mut counted = Counted { rows: policies.observed().map(row).collect(), calls: HashSet::new() };
    let kinds = vec![Kind::Intent, Kind::Refusal, Kind::Hold, Kind::Step];
    let (mut before, mut seen) = (None, 0);
    loop {
        let filter = Filter { kinds: kinds.clone(), since, before, limit: Some(BATCH), ..Filter::default() };
        let page = log.list(&filter)?;
        for found in &page {
            counted.add(found);
        }
        (seen, before) = (seen + page.len(), page.last().map(|last| last.record.seq));
        if page.len() < BATCH || seen >= MOST {
            let partial = page.len() == BATCH;
            let (policies, calls) = (counted.rows.into_values().collect(), counted.calls.len());
            return Ok(Observations { policies, calls, partial });
        }
    }
}

struct Counted {
    rows: BTreeMap<String, ObservedRow>,
    /// A held call is decided again when it runs, and counts once: as it was decided last.
    calls: HashSet<CallId>,
}

impl Counted {
    fn add(&mut self, found: &Found) {
        let record = &found.record;
        if record.server.as_deref() == Some(liveness::SERVER) {
            return;
        }
        let approval = record.kind == Kind::Step;
        if !approval && !record.call.clone().is_some_and(|call| self.calls.insert(call)) {
            return;
        }
        let at = if approval { "/step/observed" } else { "/assessment/observed" };
        for one in record.detail.pointer(at).and_then(Value::as_array).unwrap_or_default() {
            let text = |name: &str| one.get(name).and_then(Value::as_str);
            let named = if approval { one.as_str() } else { text("policy") };
            let Some(policy) = named else { continue };
            let new = || ObservedRow { policy: policy.to_owned(), ..ObservedRow::default() };
            let row = self.rows.entry(policy.to_owned()).or_insert_with(new);
            match text("would") {
                _ if approval => row.refuse += 1,
                Some("allow") => row.allow += 1,
                Some("hold") => row.hold += 1,
                Some("deny") => row.deny += 1,
                Some(_) | None => continue,
            }
            // The newest come first.
            row.last.get_or_insert(record.at);
        }
    }
}
