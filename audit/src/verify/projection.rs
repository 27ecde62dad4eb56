//! What the projections must be, by the records: who may connect, what is pinned, how holds stand.

mod columns;
mod people;
mod table;
mod uses;

use std::collections::{BTreeMap, BTreeSet};

use policies::approval::HoldState;
use policies::{Hash, HoldId, Value};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::carried::{Said, pairs};
use super::{Broken, Kind, Record, VerifyError, What};
use columns::Columns;
use table::compare_texts;
use uses::Uses;

pub(super) use table::{has_table, rows, same};

/// What the records seen so far lead to, each with the number of the last record about it.
/// Carried over where records are pruned: what a later version adds is empty in what an earlier one carried over, and maps
/// whose keys are no texts are written as `pairs`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Expected {
    /// Name → hash of the token's hash.
    agents: BTreeMap<String, (u64, Option<String>)>,
    /// Server, method, name → pinned hash and pending hash.
    #[serde(with = "pairs")]
    pins: BTreeMap<[String; 3], (u64, String, Option<String>)>,
    /// Hold → digest of its stored text.
    holds: BTreeMap<String, (u64, String)>,
    /// Hold → digest of the pass that was given with it, unless it was revoked.
    passes: BTreeMap<String, (u64, Option<String>)>,
    /// Hold → digest of the review that was opened with its glass, unless it was closed.
    reviews: BTreeMap<String, (u64, Option<String>)>,
    /// The number of its record → digest of the delegation, unless it ended.
    delegations: BTreeMap<String, (u64, Option<String>)>,
    /// Kind, server → what is noted of it, unless it was taken back.
    #[serde(with = "pairs")]
    marks: BTreeMap<[String; 2], (u64, Option<String>)>,
    /// Backend, hash of the lease → whether it is still borrowed.
    #[serde(with = "pairs")]
    leases: BTreeMap<[String; 2], (u64, bool)>,
    /// Agent → who answers for it.
    owners: BTreeMap<String, (u64, Option<String>)>,
    /// Operator → role, uid, and hash of the PIN's verifier.
    operators: BTreeMap<String, (u64, Option<[String; 3]>)>,
    /// Operator, door → failures in a row.
    #[serde(with = "pairs")]
    failures: BTreeMap<[String; 2], (u64, Option<u64>)>,
    /// Intents without an outcome.
    running: BTreeSet<u64>,
    erased: Erased,
    columns: Columns,
    #[serde(default = "Uses::unknown")]
    uses: Uses,
    /// The last record about a pruning; it always stays.
    #[serde(skip)]
    pruned: Option<Said>,
}

/// What records say of bodies that were erased.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Erased {
    /// The last record about it.
    seq: u64,
    /// Up to which record.
    to: u64,
    /// How many.
    count: u64,
}

impl Expected {
    /// What the last record about a pruning says.
    pub(super) fn pruned(&self) -> Option<&Said> {
        self.pruned.as_ref()
    }

    /// What an earlier version carried over up to this record does not say is unknown up to there.
    pub(super) fn unknown_to(&mut self, seq: u64) {
        self.uses.unknown_to(seq);
    }

    /// The last record about a hold.
    pub(crate) fn last_of(&self, hold: &HoldId) -> Option<u64> {
        self.holds.get(hold.as_str()).map(|(seq, _)| *seq)
    }

    /// A hold that goes with its records.
    pub(crate) fn without(&mut self, hold: &HoldId) {
        self.holds.remove(hold.as_str());
    }

    /// Without what is known to be gone: no row stands for it, and its name need not stay.
    pub(crate) fn compact(&mut self) {
        self.agents.retain(|_, (_, token)| token.is_some());
        self.passes.retain(|_, (_, digest)| digest.is_some());
        self.reviews.retain(|_, (_, digest)| digest.is_some());
        self.delegations.retain(|_, (_, digest)| digest.is_some());
        self.marks.retain(|_, (_, value)| value.is_some());
        self.leases.retain(|_, (_, open)| *open);
        self.owners.retain(|_, (_, owner)| owner.is_some());
        self.operators.retain(|_, (_, row)| row.is_some());
        self.failures.retain(|_, (_, count)| count.is_some());
    }

    pub(super) fn follow(&mut self, record: &Record) {
        self.columns.follow(record);
        self.uses.follow(record);
        let text = |name: &str| record.detail.get(name).and_then(Value::as_str).map(str::to_owned);
        match record.kind {
            Kind::Intent => {
                self.running.insert(record.seq);
            }
            Kind::Outcome => {
                if let Some(intent) = record.detail.get("intent").and_then(Value::as_u64) {
                    self.running.remove(&intent);
                }
                let undeclared = record.detail.pointer("/sandbox/undeclared").and_then(Value::as_bool) == Some(true);
                if let (true, Some(server)) = (undeclared, &record.server) {
                    let value = record.tool.clone().unwrap_or_default();
                    self.marks.insert(["quarantine".to_owned(), server.clone()], (record.seq, Some(value)));
                }
            }
            Kind::Hold | Kind::Step => {
                let digest = text("projection").or_else(|| text("digest"));
                if let (Some(hold), Some(digest)) = (text("hold"), digest) {
                    self.holds.insert(hold, (record.seq, digest));
                }
                let of = |name: &str| record.detail.pointer(name).and_then(Value::as_str).map(str::to_owned);
                if let (Some(pass), Some(digest)) = (of("/pass/hold"), of("/pass/digest")) {
                    self.passes.insert(pass, (record.seq, Some(digest)));
                }
                if let (Some(review), Some(digest)) = (of("/review/hold"), of("/review/digest")) {
                    self.reviews.insert(review, (record.seq, Some(digest)));
                }
            }
            Kind::Event => {
                self.event(record.seq, &text);
                self.people(record.seq, &text, record.detail.get("uid").and_then(Value::as_u64));
                let number = |name: &str| record.detail.get(name).and_then(Value::as_u64).unwrap_or(0);
                match text("event").as_deref() {
                    Some("delegation-made") => {
                        self.delegations.insert(record.seq.to_string(), (record.seq, text("digest")));
                    }
                    Some("delegation-ended") => {
                        self.delegations.insert(number("delegation").to_string(), (record.seq, None));
                    }
                    Some("records-pruned") => {
                        let state = text("state").unwrap_or_default();
                        self.pruned = Some(Said { record: record.seq, to: number("to"), state });
                    }
                    Some(_) | None => {}
                }
                if text("event").as_deref() == Some("bodies-erased") {
                    let Erased { to, count, .. } = self.erased;
                    self.erased = Erased {
                        seq: record.seq,
                        to: to.max(number("to")),
                        count: count.saturating_add(number("count")),
                    };
                }
            }
            Kind::Refusal | Kind::Relay => {}
        }
    }

    fn event(&mut self, seq: u64, text: &impl Fn(&str) -> Option<String>) {
        let pin = || Some([text("server")?, text("method")?, text("name")?]);
        match (text("event").as_deref(), text("name"), pin()) {
            (Some("agent-added"), Some(name), _) => {
                self.agents.insert(name, (seq, text("token")));
            }
            (Some("agent-removed"), Some(name), _) => {
                self.agents.insert(name, (seq, None));
            }
            (Some("tool-pinned" | "tool-accepted"), _, Some(key)) => {
                self.pins.insert(key, (seq, text("hash").unwrap_or_default(), None));
            }
            (Some("tool-changed" | "tool-restored"), _, Some(key)) => {
                if let Some(pin) = self.pins.get_mut(&key) {
                    (pin.0, pin.2) = (seq, text("hash"));
                }
            }
            (Some("pass-revoked"), _, _) => {
                self.passes.insert(text("hold").unwrap_or_default(), (seq, None));
            }
            (Some("review-closed"), _, _) => {
                self.reviews.insert(text("hold").unwrap_or_default(), (seq, None));
            }
            (Some("package-added"), Some(name), _) => {
                self.marks.insert(["package".to_owned(), name], (seq, Some(text("digest").unwrap_or_default())));
            }
            (Some("package-removed"), Some(name), _) => {
                self.marks.insert(["package".to_owned(), name], (seq, None));
            }
            (Some("quarantine-lifted"), Some(name), _) => {
                self.marks.insert(["quarantine".to_owned(), name], (seq, None));
            }
            (Some(event @ ("lease-taken" | "lease-ended")), _, _) => {
                let key = [text("backend").unwrap_or_default(), text("lease").unwrap_or_default()];
                self.leases.insert(key, (seq, event == "lease-taken"));
            }
            (_, _, _) => {}
        }
    }

    /// `gone`: up to which record bodies are erased, and how many are.
    pub(super) fn compare(&self, db: &Connection, gone: (u64, u64)) -> Result<(), VerifyError> {
        if gone != (self.erased.to, self.erased.count) {
            let what = What::Projection("extent of what was erased");
            return Err(Broken { seq: self.erased.seq.max(1), what }.into());
        }
        self.compare_agents(db)?;
        self.compare_pins(db)?;
        self.compare_holds(db)?;
        compare_texts(db, "pass", "SELECT hold, pass FROM pass", &self.passes)?;
        compare_texts(db, "review", "SELECT hold, review FROM review", &self.reviews)?;
        let sql = "SELECT CAST(id AS TEXT), delegation FROM delegation";
        compare_texts(db, "delegation", sql, &self.delegations)?;
        self.compare_marks(db)?;
        self.compare_leases(db)?;
        self.compare_people(db)?;
        self.columns.compare(db)?;
        self.uses.compare(db)?;
        self.compare_running(db)
    }

    fn compare_agents(&self, db: &Connection) -> Result<(), VerifyError> {
        let rows =
            rows(db, "SELECT name, token FROM agent", |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
        let stored: BTreeMap<String, String> =
            rows.into_iter().map(|(name, token)| (name, Hash::of(&token).to_string())).collect();
        let wanted = self.agents.iter().filter_map(|(name, (seq, token))| Some((name, *seq, token.clone()?)));
        same("agent", wanted, &stored, |name| self.agents.get(name).map_or(0, |(seq, _)| *seq))
    }

    fn compare_pins(&self, db: &Connection) -> Result<(), VerifyError> {
        let sql = "SELECT server, method, name, hex(hash), hex(pending_hash) FROM pin";
        let rows = rows(db, sql, |row| {
            let pending: String = row.get(4)?;
            let hashes = format!("{} {}", row.get::<_, String>(3)?, pending).to_lowercase();
            Ok(([row.get::<_, String>(0)?, row.get(1)?, row.get(2)?], hashes))
        })?;
        let stored: BTreeMap<[String; 3], String> = rows.into_iter().collect();
        let wanted = self.pins.iter().map(|(key, (seq, hash, pending))| {
            (key, *seq, format!("{hash} {}", pending.as_deref().unwrap_or_default()))
        });
        same("pin", wanted, &stored, |key| self.pins.get(key).map_or(0, |(seq, _, _)| *seq))
    }

    fn compare_holds(&self, db: &Connection) -> Result<(), VerifyError> {
        let stored = rows(db, "SELECT id, hold, open, sealed IS NOT NULL FROM hold", |row| {
            let hold: String = row.get(1)?;
            let (open, sealed) = (row.get::<_, i64>(2)?, row.get::<_, bool>(3)?);
            Ok((row.get::<_, String>(0)?, (Hash::of(hold.as_bytes()).to_string(), stands(&hold), open, sealed)))
        })?;
        let stored: BTreeMap<String, (String, bool, i64, bool)> = stored.into_iter().collect();
        let last = |id: &String| self.holds.get(id).map_or(0, |(seq, _)| *seq);
        let digests = stored.iter().map(|(id, (digest, ..))| (id.clone(), digest.clone())).collect();
        let wanted = self.holds.iter().map(|(id, (seq, digest))| (id, *seq, digest.clone()));
        same("hold", wanted, &digests, last)?;
        // Starts go by these columns. A sealed call is kept just as long as its hold is open; what is in it only `seal.key` tells.
        let differs =
            stored.iter().find(|(_, (_, open, column, sealed))| i64::from(*open) != *column || open != sealed);
        match differs {
            Some((id, _)) => Err(Broken { seq: last(id), what: What::Projection("hold") }.into()),
            None => Ok(()),
        }
    }

    fn compare_marks(&self, db: &Connection) -> Result<(), VerifyError> {
        let wanted = self.marks.iter().filter_map(|(key, (seq, value))| Some((key, *seq, value.clone()?)));
        // A log that an older version wrote has no such table, and nothing that belongs in it.
        if self.marks.is_empty() && !has_table(db, "mark")? {
            return Ok(());
        }
        let stored = rows(db, "SELECT kind, name, value FROM mark", |row| {
            Ok(([row.get::<_, String>(0)?, row.get(1)?], row.get::<_, String>(2)?))
        })?;
        let stored: BTreeMap<[String; 2], String> = stored.into_iter().collect();
        same("mark", wanted, &stored, |key| self.marks.get(key).map_or(0, |(seq, _)| *seq))
    }

    fn compare_leases(&self, db: &Connection) -> Result<(), VerifyError> {
        if self.leases.is_empty() && !has_table(db, "lease")? {
            return Ok(());
        }
        let stored = rows(db, "SELECT backend, lease FROM lease", |row| {
            let hash = Hash::of(row.get::<_, String>(1)?.as_bytes());
            Ok(([row.get::<_, String>(0)?, hash.to_string()], String::new()))
        })?;
        let stored: BTreeMap<[String; 2], String> = stored.into_iter().collect();
        let open = self.leases.iter().filter(|(_, (_, open))| *open);
        let wanted = open.map(|(key, (seq, _))| (key, *seq, String::new()));
        same("lease", wanted, &stored, |key| self.leases.get(key).map_or(0, |(seq, _)| *seq))
    }

    fn compare_running(&self, db: &Connection) -> Result<(), VerifyError> {
        let rows = rows(db, "SELECT intent FROM running", |row| row.get::<_, i64>(0))?;
        let stored: BTreeSet<u64> = rows.into_iter().filter_map(|intent| u64::try_from(intent).ok()).collect();
        match self.running.symmetric_difference(&stored).next() {
            Some(seq) => Err(Broken { seq: *seq, what: What::Projection("list of running calls") }.into()),
            None => Ok(()),
        }
    }
}

/// Whether a stored hold is open.
fn stands(hold: &str) -> bool {
    #[derive(Deserialize)]
    struct Stands {
        state: HoldState,
    }
    serde_json::from_str::<Stands>(hold).is_ok_and(|stored| stored.state.is_open())
}
