//! What operators and reviewers ask of the log: records by filter, a call's whole life, the proof of a record.

use audit::{Audit, Decided, Filter, Found, Kind, Life, QueryError, Reader, ShowError, VerifierKey};
use jiff::Timestamp;
use jsonrpsee::core::RegisterMethodError;
use policies::Risk;
use serde::{Deserialize, Serialize};

use super::Operators;
use super::method::{Asked, Module, method};
use super::params::Which;
use super::people::Needs;
use super::refused::Refused;

/// Which records. All that is given must hold.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wanted {
    agent: Option<String>,
    server: Option<String>,
    tool: Option<String>,
    operator: Option<String>,
    risk: Option<Risk>,
    verdict: Option<String>,
    kinds: Vec<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    text: Option<String>,
    before: Option<u64>,
    limit: Option<usize>,
    /// With arguments, results and assessments, for an export.
    whole: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proved {
    seq: u64,
    #[serde(default)]
    fields: Option<Vec<String>>,
}

/// Some records, the newest first.
#[derive(Clone, Serialize)]
pub(super) struct Page {
    records: Vec<Found>,
    /// What `before` is to be for the records before these, if there may be any.
    #[serde(skip_serializing_if = "Option::is_none")]
    older: Option<u64>,
}

/// A record's proof.
#[derive(Clone, Serialize)]
pub(super) struct ProofFile {
    /// The file, in the form `c2sp.org/tlog-proof@v1`.
    file: String,
    /// The log's name.
    origin: String,
    /// How many records the signed checkpoint covers.
    size: u64,
    /// The key that it was checked with just now.
    key: String,
}

/// The most records of one answer: with their bodies they are some 30 MB.
const MOST: usize = 500;

/// With bodies of up to 64 KiB each, an answer must stay below what the socket lets through.
const MOST_WHOLE: usize = 100;

pub(super) fn register(to: &mut Module) -> Result<(), RegisterMethodError> {
    method(to, "trail_list", Needs::Read, |all, _, wanted: Wanted| async move { list(&all.audit, wanted).await })?;
    method(to, "trail_show", Needs::Read, |all, _, asked: Which| async move { show(&all.audit, asked.id).await })?;
    method(to, "trail_prove", Needs::Read, |all, _, asked: Proved| async move { prove(&all, asked).await })
}

async fn list(audit: &Audit, wanted: Wanted) -> Asked<Page> {
    let whole = wanted.whole;
    let filter = wanted.filter()?;
    read(audit, move |log| {
        let limit = filter.limit.unwrap_or(Filter::PAGE);
        let mut records = log.list(&filter).map_err(unread)?;
        if !whole {
            records.iter_mut().for_each(shorten);
        }
        let older = records.last().filter(|_| records.len() >= limit).map(|last| last.record.seq);
        Ok(Page { records, older })
    })
    .await
}

async fn show(audit: &Audit, id: String) -> Asked<Life> {
    read(audit, move |log| {
        log.show(&id).map_err(|error| match error {
            ShowError::Ambiguous { wanted, calls } => Refused::State {
                what: format!("{} calls are named `{wanted}…`", calls.len()),
                next: calls.iter().map(policies::CallId::as_str).collect::<Vec<_>>().join(", "),
            },
            error @ ShowError::Pruned { missing, .. } => {
                Refused::State { what: error.to_string(), next: format!("portcullis log show {}", missing.record) }
            }
            ShowError::Query(error) => unread(error),
            ShowError::Unknown(_) | _ => Refused::Unknown {
                what: "call, hold or record",
                name: id.clone(),
                next: "`portcullis log list` shows ids and numbers",
            },
        })
    })
    .await
}

async fn prove(all: &Operators, asked: Proved) -> Asked<ProofFile> {
    let state = all.agents.config.state.clone();
    let work = move || {
        let proof = audit::prove(&state, asked.seq, asked.fields.as_deref()).map_err(|error| unproved(&error))?;
        let key = audit::log_key(&state).map_err(|error| unproved(&error))?;
        checked(&proof, &key)
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(crashed()))
}

/// Checked as whoever gets the file will check it, so that the page says what was proved and not what we believe.
fn checked(proof: &audit::Proof, key: &VerifierKey) -> Asked<ProofFile> {
    let proven = proof.check(key, &[]).map_err(|error| unproved(&error))?;
    Ok(ProofFile { file: proof.to_string(), origin: proven.origin, size: proven.size, key: key.to_string() })
}

impl Wanted {
    fn filter(self) -> Asked<Filter> {
        let verdict = self.verdict.map(|name| Decided::parse(&name).ok_or_else(|| unknown("verdict", &name)));
        let kinds = self.kinds.iter().map(|name| Kind::parse(name).ok_or_else(|| unknown("kind", name)));
        let most = if self.whole { MOST_WHOLE } else { MOST };
        Ok(Filter {
            agent: self.agent,
            server: self.server,
            tool: self.tool,
            operator: self.operator,
            risk: self.risk,
            verdict: verdict.transpose()?,
            kinds: kinds.collect::<Asked<_>>()?,
            since: self.since,
            until: self.until,
            text: self.text.filter(|text| !text.is_empty()),
            before: self.before,
            limit: Some(self.limit.unwrap_or(Filter::PAGE).clamp(1, most)),
        })
    }
}

/// A row of a list says what happened; `trail_show` has why, with what, and the result.
fn shorten(found: &mut Found) {
    found.body = None;
    if let Some(detail) = found.record.detail.as_object_mut() {
        let assessment = detail.remove("assessment");
        // Few calls have it, and whoever tries a policy out looks for just those.
        if let Some(observed) = assessment.and_then(|assessment| assessment.get("observed").cloned()) {
            detail.insert("observed", observed);
        }
    }
}

/// Asks the log where waiting for the disk stops nobody else.
pub(super) async fn read<T: Send + 'static>(
    audit: &Audit,
    ask: impl FnOnce(&Reader) -> Asked<T> + Send + 'static,
) -> Asked<T> {
    let audit = audit.clone();
    let work = move || ask(&audit.reader().map_err(unread)?);
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(crashed()))
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that `map_err` takes")]
pub(super) fn unread(error: QueryError) -> Refused {
    Refused::State { what: format!("the log does not answer: {error}"), next: "check it: portcullis log verify".into() }
}

fn unproved(error: &dyn std::error::Error) -> Refused {
    Refused::State { what: error.to_string(), next: "check the log: portcullis log verify".into() }
}

fn crashed() -> Refused {
    Refused::State { what: "reading the log broke off".into(), next: "see the gateway's own log".into() }
}

fn unknown(what: &str, name: &str) -> Refused {
    Refused::Params(format!("there is no {what} `{name}`"))
}
