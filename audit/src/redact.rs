//! `Redactor`: replaces what looks like a credential, and leaves all else as it was sent.
//!
//! A replacement names the kind and a keyed fingerprint, `[secret:github-token:7f3a]`: a reviewer can tell two leaks of one
//! secret from two secrets, and learns nothing else. One search for anchors over the whole text decides in most cases that
//! there is nothing to do; only the rows whose anchor was found run their pattern, at that place.

mod assign;
mod name;
mod shape;
mod span;

use std::borrow::Cow;

use policies::{Limits, Object, Value};
use ring::hmac;

use crate::raw::Raw;
use span::{Span, TAG};

/// What has been redacted: it may be shown, written and answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Redacted {
    value: Value,
    redactions: usize,
}

impl Redacted {
    /// The value.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The value, to send on.
    #[must_use]
    pub fn into_value(self) -> Value {
        self.value
    }

    /// How many places were replaced.
    #[must_use]
    pub fn redactions(&self) -> usize {
        self.redactions
    }
}

/// Replaces what looks like a credential. Building one is cheap: the tables are built once for all.
pub struct Redactor {
    fingerprints: hmac::Key,
}

impl Redactor {
    /// With a key for the fingerprints: see [`fingerprint_key`](crate::fingerprint_key).
    #[must_use]
    pub fn new(fingerprint_key: &[u8; 32]) -> Self {
        Self { fingerprints: hmac::Key::new(hmac::HMAC_SHA256, fingerprint_key) }
    }

    /// Redacts what came from outside. A value in which nothing is replaced is unchanged to the byte.
    #[must_use]
    pub fn redact(&self, raw: Raw) -> Redacted {
        self.redact_with_text(raw).0
    }

    /// Redacts, and gives the JSON text of the result too: it had to be made for the search.
    pub(crate) fn redact_with_text(&self, raw: Raw) -> (Redacted, Vec<u8>) {
        let mut value = raw.into_value();
        let text = value.to_bytes();
        if !shape::may_hold(&text) {
            return (Redacted { value, redactions: 0 }, text);
        }
        match self.walk(&mut value) {
            0 => (Redacted { value, redactions: 0 }, text),
            redactions => {
                let text = value.to_bytes();
                (Redacted { value, redactions }, text)
            }
        }
    }

    /// Redacts a value; says how many places were replaced.
    #[must_use]
    pub fn redact_value(&self, value: &Value) -> (Value, usize) {
        let mut value = value.clone();
        let redactions = self.walk(&mut value);
        (value, redactions)
    }

    /// Redacts a text that is not JSON, or is JSON inside a string.
    #[must_use]
    pub fn redact_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let spans = span::find(text);
        if spans.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(self.replace(text, &spans)) }
    }

    pub(crate) fn text(&self, text: &str) -> String {
        self.redact_text(text).into_owned()
    }

    /// Redacts JSON text of our own making. Text that cannot be read back is not kept.
    pub(crate) fn redact_json(&self, text: Vec<u8>) -> Vec<u8> {
        if !shape::may_hold(&text) {
            return text;
        }
        match Value::parse(&text, &LIMITS) {
            Ok(mut value) => match self.walk(&mut value) {
                0 => text,
                _ => value.to_bytes(),
            },
            Err(_) => b"null".to_vec(),
        }
    }

    /// Redacts a value whose JSON text is known.
    pub(crate) fn redact_json_of(&self, text: &[u8], value: &Value) -> Vec<u8> {
        if !shape::may_hold(text) {
            return text.to_vec();
        }
        match self.redact_value(value) {
            (_, 0) => text.to_vec(),
            (redacted, _) => redacted.canonical().as_bytes().to_vec(),
        }
    }

    /// Redacts in place; the number of places.
    fn walk(&self, value: &mut Value) -> usize {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => self.string(text),
            Value::Array(items) => items.iter_mut().map(|item| self.walk(item)).sum(),
            Value::Object(object) => self.object(object),
        }
    }

    fn string(&self, text: &mut String) -> usize {
        let spans = span::find(text);
        if !spans.is_empty() {
            *text = self.replace(text, &spans);
        }
        spans.len()
    }

    fn object(&self, object: &mut Object) -> usize {
        let media = media_member(object);
        let labelled = labelled(object);
        let mut count = 0;
        for (key, member) in object.iter_mut() {
            count += match member {
                // Pictures and sounds are large, and must arrive as they were sent.
                Value::String(text) if media == Some(key) && is_blob(text) => 0,
                Value::String(text) => {
                    let kind = if key == "value" { labelled } else { None }.or_else(|| name::secret(key));
                    match kind.filter(|kind| name::plausible(kind, text)) {
                        Some(kind) => {
                            *text = self.tag(kind.kind, text);
                            1
                        }
                        None => self.string(text),
                    }
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    self.walk(member)
                }
            };
        }
        count + self.keys(object)
    }

    /// Credentials that are keys. Two that become one key would make the object invalid, so later ones are numbered.
    fn keys(&self, object: &mut Object) -> usize {
        let found = object.keys().filter(|key| !span::find(key).is_empty()).count();
        if found == 0 {
            return 0;
        }
        let mut renamed = Object::new();
        for (number, (key, member)) in std::mem::take(object).into_iter().enumerate() {
            let mut new = self.text(&key);
            if renamed.contains_key(&new) {
                new = format!("{new}#{number}");
            }
            renamed.insert(new, member);
        }
        *object = renamed;
        found
    }

    fn replace(&self, text: &str, spans: &[Span]) -> String {
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for span in spans {
            out.push_str(text.get(from..span.start).unwrap_or_default());
            out.push_str(&self.tag(span.kind, text.get(span.start..span.end).unwrap_or_default()));
            from = span.end;
        }
        out.push_str(text.get(from..).unwrap_or_default());
        out
    }

    fn tag(&self, kind: &str, secret: &str) -> String {
        let fingerprint = hmac::sign(&self.fingerprints, secret.as_bytes());
        let digits = fingerprint.as_ref().iter().take(2).map(|byte| format!("{byte:02x}"));
        format!("{TAG}{kind}:{}]", digits.collect::<String>())
    }
}

/// For text of our own making, which grows by redaction.
const LIMITS: Limits = Limits { bytes: 64 << 20, depth: 256, values: 4_000_000 };

/// The member of a content block or resource that holds base64 of a picture, a sound or a file.
fn media_member(object: &Object) -> Option<&'static str> {
    match object.get("type").and_then(Value::as_str) {
        Some("image" | "audio") => Some("data"),
        Some(_) => None,
        None => object.contains_key("uri").then_some("blob"),
    }
}

/// Base64, long and strict: a credential of ordinary length does not pass for one.
fn is_blob(text: &str) -> bool {
    const SHORTEST: usize = 512;
    let unpadded = text.trim_end_matches('=');
    text.len() >= SHORTEST
        && text.len().is_multiple_of(4)
        && text.len() - unpadded.len() <= 2
        && unpadded.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

/// Of `{"name": "Authorization", "value": "…"}`, what the name says of the value.
fn labelled(object: &Object) -> Option<name::Named> {
    let label = ["name", "key", "header"].into_iter().find_map(|label| object.get(label)?.as_str())?;
    name::secret(label)
}

#[cfg(test)]
mod tests;
