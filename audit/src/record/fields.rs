//! `Fields`: a record's members, each as a salted commitment, so that one can be shown without the others.
//!
//! ```text
//! stored    {"v":2,"seq":7,"at":"…","kind":"intent","agent":"ann","detail":{"because":{…}},"body":{…}}      and a seed
//! canonical {"v":2,"seq":7,"at":"…","fields":{"kind":"HEX","agent":"HEX","detail.because":"HEX","body":"HEX"}}
//! HEX       = SHA-256(0x03 ‖ salt ‖ name ‖ 0x00 ‖ value)        value is the member's JSON as it is stored
//! salt      = the first 16 bytes of HMAC-SHA256(seed, name)     so whoever is shown one salt can work out no other
//! leaf      = SHA-256(0x00 ‖ canonical)
//! ```
//!
//! Names stay readable: hidden, one name could be committed twice and shown with either value.
//!
//! INVARIANT: a list of fields belongs to one stored text. A record's own members are those below, each once and in their
//! order, and none of their names has a dot: so `detail.event` is the member `event` of the detail and nothing else. Were
//! other names let in, a member `detail.event` beside an empty detail would be committed to as the one inside it, and whoever
//! writes the database could hide what a record says without changing its leaf.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use policies::Hash;
use ring::hmac;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;

/// What a record's salts are made of; kept beside it.
pub(crate) const SEED: usize = 32;

/// A record's members after `at`, in their order.
const MEMBERS: [&str; 11] =
    ["kind", "call", "agent", "session", "server", "tool", "method", "risk", "verdict", DETAIL, "body"];

/// The one whose members are fields of their own.
const DETAIL: &str = "detail";

/// How many bytes a field's salt has: nobody guesses 2^128 salts to test what a short value is.
pub(crate) const SALT: usize = 16;

/// A record of version 2 as it is stored, taken apart.
#[derive(Debug)]
pub(crate) struct Plain<'a> {
    pub(crate) seq: u64,
    /// A JSON string.
    pub(crate) at: &'a str,
    /// Name and JSON value of each field, in the record's order.
    pub(crate) fields: Vec<(String, &'a str)>,
}

impl<'a> Plain<'a> {
    /// Takes a stored record apart; `None` if it is not to the byte what a writer of version 2 would store, so that no byte
    /// of it is outside the commitments.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut members = serde_json::from_str::<Members<'a>>(text).ok()?.0.into_iter();
        let mut first = |wanted: &str| members.next().filter(|(name, _)| name == wanted).map(|(_, value)| value);
        let (version, seq, at) = (first("v")?, first("seq")?.parse().ok()?, first("at")?);
        let mut again = format!("{{\"v\":{version},\"seq\":{seq},\"at\":{at}");
        let (mut fields, mut detailed) = (Vec::new(), false);
        let mut order = MEMBERS.iter();
        for (name, value) in members {
            // Passed over is what comes before it: each at most once, and in this order.
            order.find(|known| **known == name)?;
            // Writing to a `String` cannot fail.
            if name == DETAIL {
                detailed = true;
                let _ = write!(again, ",\"{DETAIL}\":{}", detail(value, &mut fields)?);
            } else {
                let _ = write!(again, ",\"{name}\":{value}");
                fields.push((name, value));
            }
        }
        again.push('}');
        let names: BTreeSet<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        // Without a detail, and with an empty one, the fields would be the same.
        let exact = version == "2" && detailed && again.as_bytes() == bytes && names.len() == fields.len();
        exact.then_some(Self { seq, at, fields })
    }

    /// The canonical bytes.
    pub(crate) fn committed(&self, seed: &[u8; SEED]) -> String {
        let seq = self.seq;
        format!("{{\"v\":2,\"seq\":{seq}{}", self.committed_rest(seed))
    }

    /// The canonical bytes after the number.
    pub(crate) fn committed_rest(&self, seed: &[u8; SEED]) -> String {
        let mut out = String::with_capacity(64 + 96 * self.fields.len());
        let _ = write!(out, ",\"at\":{},\"fields\":{{", self.at);
        let key = hmac::Key::new(hmac::HMAC_SHA256, seed);
        for (place, (name, value)) in self.fields.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let _ = write!(out, "{comma}\"{name}\":\"{}\"", commitment(&salted(&key, name), name, value));
        }
        out.push_str("}}");
        out
    }
}

/// The members of a detail as fields, and the detail as they spell it.
fn detail<'a>(value: &'a str, fields: &mut Vec<(String, &'a str)>) -> Option<String> {
    let mut again = String::with_capacity(value.len());
    again.push('{');
    for (name, value) in serde_json::from_str::<Members<'a>>(value).ok()?.0 {
        let comma = if again.len() == 1 { "" } else { "," };
        let _ = write!(again, "{comma}\"{name}\":{value}");
        fields.push((format!("{DETAIL}.{name}"), value));
    }
    again.push('}');
    Some(again)
}

/// Whether these bytes can be a record's detail: an object whose every byte the commitments cover.
pub(super) fn is_detail(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let mut fields = Vec::new();
    let same = detail(text, &mut fields).is_some_and(|again| again == text);
    let names: BTreeSet<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    same && names.len() == fields.len()
}

/// The salt of a record's field.
pub(crate) fn salt(seed: &[u8; SEED], name: &str) -> [u8; SALT] {
    salted(&hmac::Key::new(hmac::HMAC_SHA256, seed), name)
}

fn salted(key: &hmac::Key, name: &str) -> [u8; SALT] {
    let mut salt = [0; SALT];
    let tag = hmac::sign(key, name.as_bytes());
    salt.iter_mut().zip(tag.as_ref()).for_each(|(salt, tag)| *salt = *tag);
    salt
}

/// What a record holds of a field. No name holds a zero byte, so no two fields are spelled alike.
pub(crate) fn commitment(salt: &[u8; SALT], name: &str, value: &str) -> Hash {
    super::hash(&[&[3], salt, name.as_bytes(), &[0], value.as_bytes()])
}

/// The members of a JSON object in their order, values as they are spelled.
pub(crate) struct Members<'a>(pub(crate) Vec<(String, &'a str)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Visit)
    }
}

struct Visit;

impl<'de> Visitor<'de> for Visit {
    type Value = Members<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            // Names are ours, and plain: then a name is spelled in one way.
            if name.is_empty() || name.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
                return Err(de::Error::custom("a name that is not plain"));
            }
            members.push((name, map.next_value::<&'de RawValue>()?.get()));
        }
        Ok(Members(members))
    }
}
