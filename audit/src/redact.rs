//! `Redactor`: replaces live secrets, and what looks like a credential, and leaves all else as it was sent.
//!
//! A replacement names the kind and a keyed fingerprint, `[secret:github-token:7f3a]`: a reviewer can tell two leaks of one
//! secret from two secrets, and learns nothing else. Live secrets are found exactly, in every encoding that can be undone
//! (`live`). For the rest, one search for anchors over the whole text decides in most cases that there is nothing to do; only the
//! rows whose anchor was found run their pattern, at that place.

mod assign;
mod gather;
mod live;
mod name;
mod personal;
mod scrub;
mod shape;
mod span;
mod stream;
mod tail;
mod walk;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use policies::{Limits, Object, Value};
use ring::hmac;

use crate::raw::Raw;
use gather::Leaves;
pub use live::Learned;
use live::{Hit, Live, OutOfWork, Work};
pub use personal::{Personal, UnknownPersonal};
pub use scrub::Scrub;
use span::{Span, TAG};
pub use stream::Stream;
pub use tail::Tail;
use walk::Walk;

/// What has been redacted: it may be shown, written and answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Redacted {
    value: Value,
    redactions: usize,
    kinds: Kinds,
    withheld: bool,
}

/// How often something of each kind was replaced.
pub(crate) type Kinds = BTreeMap<&'static str, u64>;

/// The kind of what was withheld whole.
const WHOLE: &str = "withheld";

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

    /// What was replaced, by kind.
    pub(crate) fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// The same with all that it says hidden: what a protocol needs to know it by stays.
    pub(crate) fn hidden(mut self) -> Self {
        for name in ["message", "data"] {
            if let Some(members) = self.value.as_object_mut().filter(|members| members.contains_key(name)) {
                members.insert(name, Value::from(WITHHELD));
            }
        }
        *self.kinds.entry(WHOLE).or_default() += 1;
        Self { redactions: self.redactions + 1, withheld: true, ..self }
    }

    /// Whether the search came to no end within its bounds, so that this is a notice in place of what was to be redacted.
    #[must_use]
    pub fn withheld(&self) -> bool {
        self.withheld
    }
}

/// The search came to no end within its bounds: what was to be redacted must not be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it could not be redacted within its bounds of work and time")]
pub struct Withheld;

/// One part of a text that is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is, or looks like.
    pub kind: &'static str,
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
    /// The keyed fingerprint, as in the replacement.
    pub fingerprint: String,
}

/// Replaces live secrets and what looks like a credential.
pub struct Redactor {
    fingerprints: hmac::Key,
    live: Arc<Live>,
    personal: Personal,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

/// How long a value is looked for after nobody holds it: what a tool kept comes back late.
const GRACE: Duration = Duration::from_mins(15);

/// The kind of live secrets.
const LIVE: &str = "live";

impl Redactor {
    /// With a key for the fingerprints: see [`fingerprint_key`](crate::fingerprint_key).
    #[must_use]
    pub fn new(fingerprint_key: &[u8; 32]) -> Self {
        Self {
            fingerprints: hmac::Key::new(hmac::HMAC_SHA256, fingerprint_key),
            live: Live::new(GRACE),
            personal: Personal::default(),
        }
    }

    /// With another choice of what identifies people.
    #[must_use]
    pub fn with_personal(self, personal: Personal) -> Self {
        Self { personal, ..self }
    }

    /// With another time for which values are looked for after they were given back.
    #[must_use]
    pub fn with_grace(self, grace: Duration) -> Self {
        Self { live: Live::new(grace), ..self }
    }

    /// Learns a value before it is lent or stored. It is replaced wherever it appears, in plain or encoded, whole or in parts of
    /// twelve characters, until the [`Learned`] is dropped and the grace time is over. Values under four bytes cannot be found.
    pub fn learn(&self, value: &[u8]) -> Learned {
        self.live.learn(value, &self.fingerprints)
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
        if self.holds_nothing(&text) {
            return (Redacted { value, redactions: 0, kinds: Kinds::new(), withheld: false }, text);
        }
        match self.in_place(&mut value) {
            Ok((0, kinds)) => (Redacted { value, redactions: 0, kinds, withheld: false }, text),
            Ok((redactions, kinds)) => {
                let text = value.to_bytes();
                (Redacted { value, redactions, kinds, withheld: false }, text)
            }
            Err(OutOfWork) => {
                let value = notice(&value);
                let text = value.to_bytes();
                (Redacted { value, redactions: 1, kinds: Kinds::from([(WHOLE, 1)]), withheld: true }, text)
            }
        }
    }

    /// Redacts a value; says how many places were replaced. One that cannot be redacted within its bounds becomes a notice.
    #[must_use]
    pub fn redact_value(&self, value: &Value) -> (Value, usize) {
        let mut redacted = value.clone();
        match self.in_place(&mut redacted) {
            Ok((redactions, _)) => (redacted, redactions),
            Err(OutOfWork) => (notice(value), 1),
        }
    }

    /// Redacts a text that is not JSON, or is JSON inside a string. One that cannot be redacted within its bounds becomes a
    /// notice.
    #[must_use]
    pub fn redact_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.spans_of(text) {
            Ok(spans) if spans.is_empty() => Cow::Borrowed(text),
            Ok(spans) => Cow::Owned(self.replace(text, &spans)),
            Err(OutOfWork) => Cow::Borrowed(WITHHELD),
        }
    }

    /// Whether a value holds a live secret, in plain or encoded. One that cannot be searched within its bounds may hold one.
    #[must_use]
    pub fn holds_live(&self, value: &Value) -> bool {
        self.leaves(value).map_or(true, |leaves| !leaves.is_empty())
    }

    /// What of a text would be replaced, in order.
    ///
    /// # Errors
    ///
    /// The text could not be searched within its bounds.
    pub fn find(&self, text: &str) -> Result<Vec<Finding>, Withheld> {
        let spans = self.spans_of(text).map_err(|OutOfWork| Withheld)?;
        Ok(spans.iter().map(|span| self.finding(text, span)).collect())
    }

    /// The text with what was found in it replaced.
    #[must_use]
    pub fn replaced<'f>(&self, text: &str, found: impl IntoIterator<Item = &'f Finding>) -> String {
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for Finding { kind, start, end, fingerprint } in found {
            out.push_str(text.get(from..*start).unwrap_or_default());
            out.extend([TAG, kind, ":", fingerprint, "]"]);
            from = *end;
        }
        out.push_str(text.get(from..).unwrap_or_default());
        out
    }

    /// Redacts words that follow each other and cannot wait for one another.
    #[must_use]
    pub fn tail(self: &Arc<Self>) -> Tail {
        Tail::new(Arc::clone(self))
    }

    /// Redacts text that arrives in pieces.
    #[must_use]
    pub fn stream(self: &Arc<Self>) -> Stream {
        Stream::new(Arc::clone(self))
    }

    /// Replaces live secrets alone, in bytes that arrive in pieces.
    #[must_use]
    pub fn scrub(self: &Arc<Self>) -> Scrub {
        Scrub::new(Arc::clone(self))
    }

    pub(crate) fn text(&self, text: &str) -> String {
        self.redact_text(text).into_owned()
    }

    /// Redacts JSON text of our own making. Text that cannot be read back is not kept.
    pub(crate) fn redact_json(&self, text: Vec<u8>) -> Vec<u8> {
        if self.holds_nothing(&text) {
            return text;
        }
        match Value::parse(&text, &LIMITS) {
            Ok(value) => match self.redact_value(&value) {
                (_, 0) => text,
                (redacted, _) => redacted.to_bytes(),
            },
            Err(_) => b"null".to_vec(),
        }
    }

    /// Redacts a value whose JSON text is known.
    pub(crate) fn redact_json_of(&self, text: &[u8], value: &Value) -> Vec<u8> {
        if self.holds_nothing(text) {
            return text.to_vec();
        }
        match self.redact_value(value) {
            (_, 0) => text.to_vec(),
            (redacted, _) => redacted.canonical().as_bytes().to_vec(),
        }
    }

    /// Whether a value with this JSON text needs no look at its strings.
    fn holds_nothing(&self, text: &[u8]) -> bool {
        self.live.is_empty() && !shape::may_hold(text) && !self.personal.may_stand_in(text)
    }

    /// Redacts in place; the number of places, and what was replaced.
    fn in_place(&self, value: &mut Value) -> Result<(usize, Kinds), OutOfWork> {
        let live = self.leaves(value)?;
        let mut walk = Walk::new(self, live);
        let redactions = walk.value(value);
        Ok((redactions, walk.into_kinds()))
    }

    /// The live secrets in each leaf of a value.
    fn leaves(&self, value: &Value) -> Result<Leaves, OutOfWork> {
        let mut leaves = Leaves::new();
        if self.live.is_empty() {
            return Ok(leaves);
        }
        for gathered in gather::gather(value) {
            let mut work = Work::for_text(gathered.text.len());
            let hits = self.live.find(&gathered.text, &mut work)?;
            gathered.share(&hits, &mut leaves);
        }
        Ok(leaves)
    }

    fn spans_of(&self, text: &str) -> Result<Vec<Span>, OutOfWork> {
        let hits = self.live.find(text.as_bytes(), &mut Work::for_text(text.len()))?;
        Ok(self.spans(text, &hits, true))
    }

    /// What is replaced of a text in which these live secrets were found.
    fn spans(&self, text: &str, hits: &[Hit], shapes: bool) -> Vec<Span> {
        let mut spans = if shapes { span::find(text) } else { Vec::new() };
        if shapes {
            self.personal.find(text, &mut spans);
        }
        spans.extend(hits.iter().map(|hit| Span::live(text, hit)));
        span::merge(spans)
    }

    fn finding(&self, text: &str, span: &Span) -> Finding {
        let found = text.get(span.start..span.end).unwrap_or_default();
        let print = span.print.unwrap_or_else(|| live::print(&self.fingerprints, found.as_bytes()));
        let fingerprint = format!("{:04x}", u16::from_be_bytes(print));
        Finding { kind: span.kind, start: span.start, end: span.end, fingerprint }
    }

    fn replace(&self, text: &str, spans: &[Span]) -> String {
        let found: Vec<Finding> = spans.iter().map(|span| self.finding(text, span)).collect();
        self.replaced(text, &found)
    }
}

/// For text of our own making, which grows by redaction.
const LIMITS: Limits = Limits { bytes: 64 << 20, depth: 256, values: 4_000_000 };

/// What stands for a text that could not be redacted.
const WITHHELD: &str = "[withheld: it could not be redacted within its bounds]";

/// What stands for a value that could not be redacted: of the same form where the protocol asks for one.
fn notice(value: &Value) -> Value {
    let text = || Value::from(WITHHELD);
    let error = value.as_object().filter(|object| object.contains_key("code") && object.contains_key("message"));
    if let Some(code) = error.and_then(|error| error.get("code")).and_then(Value::as_i64) {
        return [("code", Value::from(code)), ("message", text())].into_iter().collect::<Object>().into();
    }
    if value.get("content").is_none() {
        return if value.as_object().is_some() {
            [("withheld", text())].into_iter().collect::<Object>().into()
        } else {
            text()
        };
    }
    let block = [("type", Value::from("text")), ("text", text())].into_iter().collect::<Object>();
    let members = [("content", Value::from(vec![block.into()])), ("isError", Value::Bool(true))];
    members.into_iter().collect::<Object>().into()
}

#[cfg(test)]
mod tests;
