//! A record as it is read back.

use jiff::Timestamp;
use policies::risk::Risk;
use policies::{CallId, Hash, Limits, Value};
use thiserror::Error;

use super::{Decided, Kind, VERSION};

/// One record of the log, read from its canonical bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its number: 1 for the first, without gaps.
    pub seq: u64,
    /// When it was made, by the gateway's clock, to the microsecond.
    pub at: Timestamp,
    /// What it is about.
    pub kind: Kind,
    /// The call it belongs to.
    pub call: Option<CallId>,
    /// The agent.
    pub agent: Option<String>,
    /// The session.
    pub session: Option<String>,
    /// The tool's server.
    pub server: Option<String>,
    /// The tool's name at its server.
    pub tool: Option<String>,
    /// The MCP request.
    pub method: Option<String>,
    /// The risk that was found.
    pub risk: Option<Risk>,
    /// What was decided.
    pub verdict: Option<Decided>,
    /// What only this kind of record has: an object.
    pub detail: Value,
    /// The body beside the record.
    pub body: Option<Body>,
}

/// What a record says of the body beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body {
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: Hash,
    /// Whether it was short enough to be kept.
    pub kept: bool,
}

/// Why bytes are not a record.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BadRecord {
    /// Not JSON, or JSON with equal keys.
    #[error("it is not one JSON object")]
    Json,
    /// Written by a later version.
    #[error("it has version {0}, which this program does not know")]
    Version(u64),
    /// A member is missing or of the wrong form.
    #[error("its `{0}` is missing or malformed")]
    Member(&'static str),
}

impl Record {
    /// Reads a stored record, or one of version 1 by its canonical bytes.
    ///
    /// # Errors
    /// [`BadRecord`] says what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadRecord> {
        let value = Value::parse(bytes, &Limits::ANSWER).map_err(|_| BadRecord::Json)?;
        let version = value.get("v").and_then(Value::as_u64).ok_or(BadRecord::Member("v"))?;
        // Version 1 has the same members; only what is hashed differs.
        if version == 0 || version > VERSION {
            return Err(BadRecord::Version(version));
        }
        let text = |name: &'static str| match value.get(name) {
            None => Ok(None),
            Some(member) => member.as_str().map(|text| Some(text.to_owned())).ok_or(BadRecord::Member(name)),
        };
        Ok(Self {
            seq: value.get("seq").and_then(Value::as_u64).ok_or(BadRecord::Member("seq"))?,
            at: text("at")?.and_then(|at| at.parse().ok()).ok_or(BadRecord::Member("at"))?,
            kind: text("kind")?.and_then(|kind| Kind::parse(&kind)).ok_or(BadRecord::Member("kind"))?,
            call: known("call", text("call")?, |call| CallId::parse(call).ok())?,
            agent: text("agent")?,
            session: text("session")?,
            server: text("server")?,
            tool: text("tool")?,
            method: text("method")?,
            risk: known("risk", text("risk")?, risk)?,
            verdict: known("verdict", text("verdict")?, Decided::parse)?,
            detail: value
                .get("detail")
                .filter(|detail| detail.as_object().is_some())
                .cloned()
                .ok_or(BadRecord::Member("detail"))?,
            body: value.get("body").map(|member| body(member).ok_or(BadRecord::Member("body"))).transpose()?,
        })
    }
}

fn known<T>(
    name: &'static str,
    text: Option<String>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, BadRecord> {
    text.map(|text| parse(&text).ok_or(BadRecord::Member(name))).transpose()
}

pub(crate) fn risk(name: &str) -> Option<Risk> {
    Risk::ALL.into_iter().find(|risk| risk.as_str() == name)
}

fn body(member: &Value) -> Option<Body> {
    Some(Body {
        bytes: member.get("bytes")?.as_u64()?,
        sha256: Hash::from_hex(member.get("sha256")?.as_str()?)?,
        kept: member.get("kept")?.as_bool()?,
    })
}
