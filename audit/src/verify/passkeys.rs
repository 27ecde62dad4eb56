//! Which keys sign for whom, by the records, and whether each decision, and each right that was lent, that was signed is signed by
//! one of them.
//!
//! A decision's record holds all that its signature is over, so whoever has the log needs nothing else to check it: the hold,
//! what was done to it, the deed's digest, the terms' hash, who did it, and the nonce. So does the record of a delegation.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use policies::approval::Within;
use policies::{Hash, Hold, HoldId, OperatorId, Value};
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use super::projection::{has_table, rows, same};
use super::{Broken, Kind, QueryError, Record, VerifyError, What};
use crate::assertion::{Act, Asked, Assertion, BadAssertion, Decision, Nonce, PublicKey, Request, counted};

/// The passkeys that the records so far name, and the decisions that they signed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Passkeys {
    /// Hash of the credential → the last record about it, and what it is, unless it was removed.
    known: BTreeMap<String, (u64, Option<Known>)>,
    /// Nonces of what was signed: each stands for one.
    nonces: BTreeSet<Nonce>,
    /// Record, hold, and the digest that was signed: of the records that are there.
    #[serde(skip)]
    signed: Vec<(u64, String, Hash)>,
    /// Rights that were lent by a signature, of the records that are there.
    #[serde(skip)]
    lent: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    operator: String,
    label: String,
    site: String,
    key: String,
    counter: u64,
}

impl Passkeys {
    /// Notes what a record says of passkeys, and checks the assertion of a decision.
    pub(super) fn follow(&mut self, record: &Record) -> Result<(), What> {
        match record.kind {
            Kind::Event => {
                self.event(record)?;
                let made = text(record, "/event") == Some("delegation-made");
                if made && text(record, "/proof/by") == Some("passkey") { self.lending(record) } else { Ok(()) }
            }
            Kind::Step if text(record, "/step/proof/by") == Some("passkey") => self.decision(record),
            Kind::Intent | Kind::Outcome | Kind::Refusal | Kind::Hold | Kind::Step | Kind::Relay => Ok(()),
        }
    }

    /// What the writer never writes was not written by it: a key of two people, a use of another's key, a count that did not rise.
    fn event(&mut self, record: &Record) -> Result<(), What> {
        let own = |pointer| text(record, pointer).unwrap_or_default().to_owned();
        let counter = record.detail.get("counter").and_then(Value::as_u64).unwrap_or(0);
        let (event, name, credential) = (text(record, "/event"), own("/name"), own("/credential"));
        match event {
            Some("passkey-added") => {
                if self.known.get(&credential).is_some_and(|(_, known)| known.is_some()) {
                    return Err(What::Assertion(BadAssertion::Unknown));
                }
                let (label, site, key) = (own("/label"), own("/site"), own("/public_key"));
                self.known.insert(credential, (record.seq, Some(Known { operator: name, label, site, key, counter })));
            }
            Some("passkey-used") => {
                let (seq, known) = self.of(&name, &credential)?;
                known.rises(counter)?;
                (*seq, known.counter) = (record.seq, counter);
            }
            Some("passkey-removed") => {
                self.of(&name, &credential)?;
                self.known.insert(credential, (record.seq, None));
            }
            Some("operator-removed") => {
                let of = |known: &Option<Known>| known.as_ref().is_some_and(|known| known.operator == name);
                self.known.values_mut().filter(|(_, known)| of(known)).for_each(|row| *row = (record.seq, None));
            }
            Some(_) | None => {}
        }
        Ok(())
    }

    /// A key that is this operator's.
    fn of(&mut self, name: &str, credential: &str) -> Result<(&mut u64, &mut Known), What> {
        let found = self.known.get_mut(credential).and_then(|(seq, known)| Some((seq, known.as_mut()?)));
        found.filter(|(_, known)| known.operator == name).ok_or(What::Assertion(BadAssertion::Unknown))
    }

    fn decision(&mut self, record: &Record) -> Result<(), What> {
        let (decision, nonce) = stated(record).ok_or(What::Assertion(BadAssertion::Form("statement")))?;
        self.asserted(record, "/step/proof", &decision.operator, (decision.challenge(&nonce), nonce))?;
        self.signed.push((record.seq, decision.hold.as_str().to_owned(), decision.digest));
        Ok(())
    }

    fn lending(&mut self, record: &Record) -> Result<(), What> {
        let (request, nonce) = lent(record).ok_or(What::Assertion(BadAssertion::Form("statement")))?;
        self.asserted(record, "/proof", &request.operator, (request.challenge(&nonce), nonce))?;
        self.lent += 1;
        Ok(())
    }

    /// Whether a key of this operator's signed this, which was signed for nothing else.
    fn asserted(
        &mut self,
        record: &Record,
        proof: &str,
        by: &OperatorId,
        (challenge, nonce): (Hash, Nonce),
    ) -> Result<(), What> {
        let key = text(record, &format!("{proof}/credential")).and_then(|id| self.known.get(id));
        let key = key.and_then(|(_, known)| known.as_ref());
        let key = key.filter(|known| known.operator == by.as_str());
        let key = key.ok_or(What::Assertion(BadAssertion::Unknown))?;
        let public: PublicKey = key.key.parse().map_err(|_| What::Assertion(BadAssertion::Unknown))?;
        let asked = Asked { challenge, site: &key.site, origin: None };
        let assertion = assertion(record, proof).ok_or(What::Assertion(BadAssertion::Form("statement")))?;
        let shown = assertion.check(&public, &asked).map_err(What::Assertion)?;
        // Its use was recorded first, with this count: a higher one was never looked at.
        if u64::from(shown) > key.counter {
            return Err(What::Assertion(BadAssertion::Counter));
        }
        if self.nonces.insert(nonce) { Ok(()) } else { Err(What::Assertion(BadAssertion::Challenge)) }
    }

    /// Without those that were removed: no row stands for them.
    pub(crate) fn compact(&mut self) {
        self.known.retain(|_, (_, known)| known.is_some());
    }

    /// How many decisions were signed, and how many rights that were lent.
    pub(super) fn signed(&self) -> u64 {
        self.signed.len() as u64 + self.lent
    }

    /// Whether the stored passkeys are those of the records, and the digests that were signed are their holds'.
    pub(super) fn compare(&self, db: &Connection) -> Result<(), VerifyError> {
        for (seq, hold, digest) in &self.signed {
            let sql = "SELECT hold FROM hold WHERE id = ?1";
            let stored: Option<String> =
                db.query_row(sql, [hold], |row| row.get(0)).optional().map_err(QueryError::from)?;
            let stored = stored.and_then(|text| serde_json::from_str::<Hold>(&text).ok());
            if stored.is_none_or(|hold| hold.binding().digest() != *digest) {
                return Err(Broken { seq: *seq, what: What::Assertion(BadAssertion::Challenge) }.into());
            }
        }
        // A log that an older version wrote has no such table, and nothing that belongs in it.
        if self.known.is_empty() && !has_table(db, "passkey")? {
            return Ok(());
        }
        let stored = rows(db, "SELECT credential, operator, label, site, key, counter FROM passkey", |row| {
            let texts: [String; 4] = [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
            let id = Hash::of(&row.get::<_, Vec<u8>>(0)?).to_string();
            Ok((id, format!("{} {}", texts.join("\n"), row.get::<_, i64>(5)?)))
        })?;
        let wanted = self.known.iter().filter_map(|(id, (seq, known))| Some((id, *seq, known.as_ref()?.text())));
        let last = |id: &String| self.known.get(id).map_or(0, |(seq, _)| *seq);
        same("passkey", wanted, &stored.into_iter().collect(), last)
    }
}

impl Known {
    fn rises(&self, counter: u64) -> Result<(), What> {
        let whole = |count| u32::try_from(count).map_err(|_| What::Assertion(BadAssertion::Counter));
        counted(whole(self.counter)?, whole(counter)?).map_err(What::Assertion)
    }

    fn text(&self) -> String {
        let texts = [&self.operator, &self.label, &self.site, &self.key].map(String::as_str);
        format!("{} {}", texts.join("\n"), self.counter)
    }
}

/// What a step says that was signed. What was done must be what the step did.
fn stated(record: &Record) -> Option<(Decision, Nonce)> {
    let hash = |pointer| Hash::try_from(text(record, pointer)?.to_owned()).ok();
    let gives = record.detail.pointer("/pass").is_some();
    let act = match (text(record, "/step/step")?, gives) {
        ("approve", false) => Act::Approve,
        ("approve", true) => Act::ApproveWithPass,
        ("break-glass", _) => Act::BreakGlass,
        (_, _) => return None,
    };
    let decision = Decision {
        hold: HoldId::parse(text(record, "/hold")?).ok()?,
        digest: hash("/step/proof/digest")?,
        act: Act::parse(text(record, "/step/proof/act")?).filter(|said| *said == act)?,
        terms: hash("/step/proof/terms")?,
        operator: OperatorId::parse(text(record, "/step/by")?).ok()?,
    };
    Some((decision, Nonce::parse(text(record, "/step/proof/nonce")?)?))
}

/// What the record of a delegation says that was signed, made again of what it keeps.
fn lent(record: &Record) -> Option<(Request, Nonce)> {
    let time = |pointer| text(record, pointer)?.parse::<Timestamp>().ok();
    let within: Within = serde_json::from_str(&record.detail.get("within")?.to_string()).ok()?;
    let lasts = time("/expires")?.duration_since(time("/made")?);
    let by = OperatorId::parse(text(record, "/by")?).ok()?;
    let reason = Hash::try_from(text(record, "/proof/reason")?.to_owned()).ok()?;
    let request = Request::lending(by, text(record, "/to")?, &within, lasts, reason);
    Some((request, Nonce::parse(text(record, "/proof/nonce")?)?))
}

fn assertion(record: &Record, proof: &str) -> Option<Assertion> {
    let part = |name: &str| text(record, &format!("{proof}/{name}")).map(str::to_owned);
    Some(Assertion {
        authenticator_data: part("authenticator_data")?,
        client_data: part("client_data")?,
        signature: part("signature")?,
    })
}

fn text<'a>(record: &'a Record, pointer: &str) -> Option<&'a str> {
    record.detail.pointer(pointer).and_then(Value::as_str)
}
