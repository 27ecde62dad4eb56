//! `Shown`: one record with the fields that its owner chose to show, and what a third party reads from it.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use policies::{Hash, Limits, Value};
use serde::{Deserialize, Serialize};

use super::BadProof;
use crate::record::fields::{Members, Plain, SALT, SEED, commitment, salt};
use crate::record::{self, Record};

/// A record's canonical bytes and some of its fields with their salts: the extra data of a proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// The canonical bytes.
    entry: String,
    /// Name → salt in base64, and the value as it is spelled.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    fields: BTreeMap<String, (String, String)>,
    /// The arguments, result or message beside the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

/// What a shown record says, checked against its canonical bytes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Disclosed {
    /// Its number.
    pub seq: u64,
    /// When it was made.
    pub at: String,
    /// The fields that were shown.
    pub fields: BTreeMap<String, Value>,
    /// The names of those that were not.
    pub withheld: Vec<String>,
    /// The body, if it was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}

impl Shown {
    /// A stored record with these fields, or with all and its body. A name stands for itself and for what lies below it:
    /// `detail` for every `detail.…`. Answers the names that are not there as an error.
    pub(super) fn of(
        stored: &[u8],
        seed: Option<&[u8]>,
        body: Option<&[u8]>,
        wanted: Option<&[String]>,
    ) -> Result<Self, BTreeSet<String>> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let entry = text(&record::canonical(stored, seed));
        let seed: Option<&[u8; SEED]> = seed.and_then(|seed| seed.try_into().ok());
        let (Some(plain), Some(seed)) = (Plain::parse(stored), seed) else {
            // Of a record of version 1 the bytes are the proof: all of it is shown, or nothing can be.
            let body = body.filter(|_| wanted.is_none()).map(text);
            return Ok(Self { entry, fields: BTreeMap::new(), body });
        };
        let mut missing: BTreeSet<String> = wanted.unwrap_or_default().iter().cloned().collect();
        let mut fields = BTreeMap::new();
        for (name, value) in &plain.fields {
            let asked = |asked: &String| {
                asked == name || name.strip_prefix(asked.as_str()).is_some_and(|rest| rest.starts_with('.'))
            };
            missing.retain(|name| !asked(name));
            if wanted.is_none_or(|wanted| wanted.iter().any(asked)) {
                fields.insert(name.clone(), (BASE64.encode(salt(seed, name)), (*value).to_owned()));
            }
        }
        let body = body.filter(|_| fields.contains_key("body")).map(text);
        if missing.is_empty() { Ok(Self { entry, fields, body }) } else { Err(missing) }
    }

    /// Whether it says that a body was kept, and does not show it.
    pub(super) fn lacks_body(&self) -> bool {
        let of = |value: &str| Value::parse(value.as_bytes(), &Limits::ANSWER).ok();
        let body = match self.fields.get("body") {
            Some((_, value)) => of(value),
            None => of(&self.entry).and_then(|entry| entry.get("body").cloned()),
        };
        let kept = body.is_some_and(|body| body.get("kept").and_then(Value::as_bool) == Some(true));
        kept && self.body.is_none()
    }

    /// The record's leaf.
    pub(super) fn leaf(&self) -> Hash {
        record::leaf(self.entry.as_bytes())
    }

    /// What is shown, each field checked against its commitment.
    pub(super) fn read(&self) -> Result<Disclosed, BadProof> {
        let members = members(&self.entry)?;
        let of = |wanted: &str| members.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
        match of("v") {
            Some("1") => self.read_whole(),
            Some("2") => {
                let number = |value: Option<&str>| value.and_then(crate::checkpoint::decimal);
                let at = of("at").and_then(|at| serde_json::from_str(at).ok());
                self.read_committed(number(of("seq")), at, of("fields").ok_or(BadProof::Entry)?)
            }
            Some(_) | None => Err(BadProof::Entry),
        }
    }

    fn read_committed(&self, seq: Option<u64>, at: Option<String>, committed: &str) -> Result<Disclosed, BadProof> {
        let committed = members(committed)?;
        let mut fields = BTreeMap::new();
        for (name, (salt, value)) in &self.fields {
            let wrong = || BadProof::Field(name.clone());
            let salt: [u8; SALT] = BASE64.decode(salt).ok().and_then(|salt| salt.try_into().ok()).ok_or_else(wrong)?;
            let wanted = format!("\"{}\"", commitment(&salt, name, value));
            if !committed.iter().any(|(known, hash)| known == name && *hash == wanted) {
                return Err(wrong());
            }
            fields.insert(name.clone(), Value::parse(value.as_bytes(), &Limits::ANSWER).map_err(|_| wrong())?);
        }
        let hash = fields.get("body").and_then(|body| body.get("sha256")).and_then(Value::as_str);
        Ok(Disclosed {
            seq: seq.ok_or(BadProof::Entry)?,
            at: at.ok_or(BadProof::Entry)?,
            body: self.body(hash)?,
            withheld: committed.into_iter().map(|(name, _)| name).filter(|name| !fields.contains_key(name)).collect(),
            fields,
        })
    }

    fn read_whole(&self) -> Result<Disclosed, BadProof> {
        let record = Record::parse(self.entry.as_bytes()).map_err(|_| BadProof::Entry)?;
        let value = Value::parse(self.entry.as_bytes(), &Limits::ANSWER).map_err(|_| BadProof::Entry)?;
        let members = value.as_object().into_iter().flat_map(policies::Object::iter);
        let fields = members.map(|(name, value)| (name.to_string(), value.clone()));
        let fields = fields.filter(|(name, _)| !["v", "seq", "at"].contains(&name.as_str())).collect();
        let hash = record.body.map(|body| body.sha256.to_string());
        let body = self.body(hash.as_deref())?;
        Ok(Disclosed { seq: record.seq, at: record.at.to_string(), fields, withheld: Vec::new(), body })
    }

    /// The body, if its hash is the one that the record has.
    fn body(&self, hash: Option<&str>) -> Result<Option<Value>, BadProof> {
        let Some(body) = &self.body else { return Ok(None) };
        if hash != Some(Hash::of(body.as_bytes()).to_string().as_str()) {
            return Err(BadProof::Field("body".to_owned()));
        }
        Value::parse(body.as_bytes(), &Limits::ANSWER).map(Some).map_err(|_| BadProof::Field("body".to_owned()))
    }
}

/// The members of an object whose names are all different.
fn members(text: &str) -> Result<Vec<(String, &str)>, BadProof> {
    let members = serde_json::from_str::<Members<'_>>(text).map_err(|_| BadProof::Entry)?.0;
    let names: BTreeSet<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    if names.len() == members.len() { Ok(members) } else { Err(BadProof::Entry) }
}
