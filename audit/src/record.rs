//! `Record`: one line of the log, versioned; the only schema, shared by the writer and by whoever checks it.
//!
//! A record is stored as JSON with the members below in this order, without spaces, absent members left out.
//!
//! ```text
//! {"v":2,"seq":7,"at":"2026-11-21T09:30:00.123456Z","kind":"intent","call":…,"agent":…,"session":…,"server":…,
//!  "tool":…,"method":…,"risk":…,"verdict":…,"detail":{…},"body":{"bytes":…,"sha256":…,"kept":…}}
//! leaf(n)  = SHA-256(0x00 ‖ canonical bytes)          as in RFC 6962: the tree is built over the leaves
//! chain(n) = SHA-256(0x02 ‖ chain(n-1) ‖ leaf(n))     chain(0) is 32 zero bytes
//! ```
//!
//! The canonical bytes of version 1 are the stored ones. Those of version 2 hold a salted commitment in place of each
//! member after `at` (see `fields`), and are made of the stored text as it is spelled; the seed of the salts lies beside it.
//!
//! The body (redacted arguments or results) lies beside its record, which holds its size and hash: it can be deleted one
//! day without breaking the chain.

pub(crate) mod fields;
mod read;

use std::fmt::Write as _;

use jiff::Timestamp;
use policies::{AgentId, Call, CallId, Hash, Hold, Risk, Value};
use ring::digest::{Context, SHA256};
use ring::error::Unspecified;
use ring::rand::{SecureRandom, SystemRandom};

use fields::{Plain, SEED};

pub use read::{BadRecord, Body, Record};

/// The version that this code writes.
pub const VERSION: u64 = 2;

/// The longest body that is kept; of a longer one the record has size and hash.
pub const BODY_KEPT: usize = 64 << 10;

/// The longest detail that is kept: facts and provenance of a call with very many arguments would fill the log.
const DETAIL_KEPT: usize = 64 << 10;

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A call is about to run.
    Intent,
    /// How a call ended.
    Outcome,
    /// A call was denied.
    Refusal,
    /// A call waits for people.
    Hold,
    /// Something happened to a hold.
    Step,
    /// A server's request to an agent's client, or the answer to it, passed through.
    Relay,
    /// Anything that is not about one call.
    Event,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Intent, Self::Outcome, Self::Refusal, Self::Hold, Self::Step, Self::Relay, Self::Event];

    /// The kind's name in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Outcome => "outcome",
            Self::Refusal => "refusal",
            Self::Hold => "hold",
            Self::Step => "step",
            Self::Relay => "relay",
            Self::Event => "event",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Intent => 1,
            Self::Outcome => 2,
            Self::Refusal => 3,
            Self::Hold => 4,
            Self::Step => 5,
            Self::Relay => 6,
            Self::Event => 7,
        }
    }
}

/// What was decided, as records name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decided {
    /// The call may run.
    Allow,
    /// The call waits for people.
    Hold,
    /// The call does not run.
    Deny,
}

impl Decided {
    /// Every verdict.
    pub const ALL: [Self; 3] = [Self::Allow, Self::Hold, Self::Deny];

    /// The verdict's name in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Hold => "hold",
            Self::Deny => "deny",
        }
    }

    /// The verdict of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == name)
    }

    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Allow => 1,
            Self::Hold => 2,
            Self::Deny => 3,
        }
    }
}

/// The call that a record is about, in names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) call: CallId,
    pub(crate) agent: AgentId,
    pub(crate) session: String,
    pub(crate) server: String,
    pub(crate) tool: String,
    pub(crate) method: String,
    pub(crate) risk: Option<Risk>,
}

impl Subject {
    /// `redact`: names come from servers and agents too, and one may hold a credential.
    pub(crate) fn of(call: &Call, risk: Risk, redact: impl Fn(&str) -> String) -> Self {
        let tool = call.tool();
        Self {
            call: call.id().clone(),
            agent: call.agent().clone(),
            session: redact(call.session().as_str()),
            server: tool.server().as_str().to_owned(),
            tool: redact(tool.name()),
            method: tool.method().as_str().to_owned(),
            risk: Some(risk),
        }
    }
}

impl Subject {
    /// The call that opened this hold.
    pub(crate) fn of_hold(hold: &Hold) -> Self {
        Self {
            call: hold.call().clone(),
            agent: hold.agent().clone(),
            session: hold.session().as_str().to_owned(),
            server: hold.server().as_str().to_owned(),
            tool: hold.tool().to_owned(),
            method: hold.method().as_str().to_owned(),
            risk: Some(hold.risk()),
        }
    }
}

/// A record before it has its number: everything in it is redacted already.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) kind: Kind,
    pub(crate) at: Timestamp,
    pub(crate) subject: Option<Subject>,
    /// The agent of an event that is about one.
    pub(crate) agent: Option<String>,
    pub(crate) verdict: Option<Decided>,
    /// A JSON object.
    pub(crate) detail: Vec<u8>,
    pub(crate) body: Option<Vec<u8>>,
    /// All but the number, once it is made.
    prepared: Option<Prepared>,
}

/// A record but for its number.
#[derive(Clone, Debug)]
struct Prepared {
    /// The stored text after the number.
    plain: String,
    /// The canonical bytes after the number.
    committed: String,
    seed: [u8; SEED],
}

/// A record with its number, as it is stored.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) bytes: Vec<u8>,
    pub(crate) seed: [u8; SEED],
    pub(crate) leaf: Hash,
}

impl Draft {
    pub(crate) fn new(kind: Kind, at: Timestamp, detail: Vec<u8>) -> Self {
        Self { kind, at, subject: None, agent: None, verdict: None, detail, body: None, prepared: None }
    }

    pub(crate) fn about(self, subject: Subject) -> Self {
        Self { subject: Some(subject), ..self }
    }

    pub(crate) fn decided(self, verdict: Decided) -> Self {
        Self { verdict: Some(verdict), ..self }
    }

    pub(crate) fn with_body(self, body: Vec<u8>) -> Self {
        Self { body: Some(body), ..self }
    }

    /// The body as far as it is kept.
    pub(crate) fn kept_body(&self) -> Option<&[u8]> {
        self.body.as_deref().filter(|body| body.len() <= BODY_KEPT)
    }

    /// Makes all but the number: the caller's work, so that the one writer has less.
    ///
    /// # Errors
    /// If the system has no randomness: a salt that can be guessed hides nothing.
    pub(crate) fn prepare(&mut self) -> Result<(), Unspecified> {
        self.prepared = Some(self.prepared()?);
        Ok(())
    }

    /// This record as number `seq`.
    pub(crate) fn written(&self, seq: u64) -> Result<Written, Unspecified> {
        let made;
        let Prepared { plain, committed, seed } = match &self.prepared {
            Some(prepared) => prepared,
            None => {
                made = self.prepared()?;
                &made
            }
        };
        let begin = format!("{{\"v\":{VERSION},\"seq\":{seq}");
        let leaf = hash(&[&[0], begin.as_bytes(), committed.as_bytes()]);
        Ok(Written { bytes: [begin.as_bytes(), plain.as_bytes()].concat(), seed: *seed, leaf })
    }

    fn prepared(&self) -> Result<Prepared, Unspecified> {
        let mut seed = [0; SEED];
        SystemRandom::new().fill(&mut seed)?;
        self.prepared_with(seed)
    }

    fn prepared_with(&self, seed: [u8; SEED]) -> Result<Prepared, Unspecified> {
        let number = format!("{{\"v\":{VERSION},\"seq\":0");
        let mut whole = String::with_capacity(512 + self.detail.len());
        whole.push_str(&number);
        self.write(&mut whole);
        // What cannot be taken apart again could never be checked.
        let committed = Plain::parse(whole.as_bytes()).ok_or(Unspecified)?.committed_rest(&seed);
        let plain = whole.split_off(number.len());
        Ok(Prepared { plain, committed, seed })
    }

    fn write(&self, out: &mut String) {
        // Writing to a `String` cannot fail.
        let _ = write!(out, ",\"at\":\"{:.6}\"", self.at);
        member(out, "kind", Some(self.kind.as_str()));
        if let Some(subject) = &self.subject {
            member(out, "call", Some(subject.call.as_str()));
            member(out, "agent", Some(subject.agent.as_str()));
            member(out, "session", Some(&subject.session));
            member(out, "server", Some(&subject.server));
            member(out, "tool", Some(&subject.tool));
            member(out, "method", Some(&subject.method));
            member(out, "risk", subject.risk.map(Risk::as_str));
        } else {
            member(out, "agent", self.agent.as_deref());
        }
        member(out, "verdict", self.verdict.map(Decided::as_str));
        out.push_str(",\"detail\":");
        self.write_detail(out);
        if let Some(body) = &self.body {
            let kept = body.len() <= BODY_KEPT;
            let _ =
                write!(out, ",\"body\":{{\"bytes\":{},\"sha256\":\"{}\",\"kept\":{kept}}}", body.len(), Hash::of(body));
        }
        out.push('}');
    }

    fn write_detail(&self, out: &mut String) {
        match std::str::from_utf8(&self.detail) {
            Ok(detail) if detail.len() <= DETAIL_KEPT && fields::is_detail(&self.detail) => out.push_str(detail),
            Ok(_) | Err(_) => {
                let _ = write!(out, "{{\"bytes\":{},\"sha256\":\"{}\"}}", self.detail.len(), Hash::of(&self.detail));
            }
        }
    }
}

fn member(out: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        let _ = write!(out, ",\"{name}\":{}", Value::from(value));
    }
}

/// The leaf of canonical bytes, in the sense of RFC 6962.
#[must_use]
pub fn leaf(bytes: &[u8]) -> Hash {
    hash(&[&[0], bytes])
}

/// The canonical bytes of a stored record. What is no record of version 2 stands for itself, and does not lead to the hash
/// of one.
pub(crate) fn canonical(stored: &[u8], seed: Option<&[u8]>) -> Vec<u8> {
    let seed = seed.and_then(|seed| seed.try_into().ok());
    match (Plain::parse(stored), seed) {
        (Some(plain), Some(seed)) => plain.committed(seed).into_bytes(),
        (None, _) | (_, None) => stored.to_vec(),
    }
}

/// The chain's value after a record with this leaf.
#[must_use]
pub fn chain(before: &Hash, leaf: &Hash) -> Hash {
    hash(&[&[2], before.as_bytes(), leaf.as_bytes()])
}

/// The chain's value before the first record.
pub const GENESIS: [u8; 32] = [0; 32];

pub(crate) fn hash(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    Hash::from_bytes(bytes)
}

/// The first 60 of a call id's 80 bits, as the database's index has them: an integer, so that a prefix of an id is a
/// range. Two calls may share one; the record has the whole id.
pub(crate) fn call_key(call: &CallId) -> i64 {
    prefix_range(call.as_str()).map_or(0, |(first, _)| first)
}

/// The keys of all call ids that begin with this text; `None` if none can.
pub(crate) fn prefix_range(prefix: &str) -> Option<(i64, i64)> {
    const DIGITS: usize = 12;
    let digits = prefix.strip_prefix("call-").unwrap_or(prefix);
    if digits.len() > 16 {
        return None;
    }
    let mut first = 0_i64;
    for digit in digits.bytes().take(DIGITS) {
        let value = match digit {
            b'a'..=b'z' => digit - b'a',
            b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        first = first << 5 | i64::from(value);
    }
    let missing = 5 * u32::try_from(DIGITS.saturating_sub(digits.len())).ok()?;
    let first = first.checked_shl(missing)?;
    Some((first, first | ((1_i64 << missing) - 1)))
}

#[cfg(test)]
mod tests;
