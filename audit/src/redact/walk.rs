//! `Walk`: redacts a value in place, leaf by leaf.

use policies::{Object, Value};

use super::gather::Leaves;
use super::live::Hit;
use super::span::Span;
use super::{Kinds, LIVE, Redactor, name};

/// One pass over a value. Leaves are counted as in `gather`.
pub(super) struct Walk<'r> {
    redactor: &'r Redactor,
    live: Leaves,
    next: usize,
    kinds: Kinds,
}

impl<'r> Walk<'r> {
    pub(super) fn new(redactor: &'r Redactor, live: Leaves) -> Self {
        Self { redactor, live, next: 0, kinds: Kinds::new() }
    }

    /// What was replaced.
    pub(super) fn into_kinds(self) -> Kinds {
        self.kinds
    }

    fn count(&mut self, kind: &'static str) {
        *self.kinds.entry(kind).or_default() += 1;
    }

    /// Redacts; the number of places.
    pub(super) fn value(&mut self, value: &mut Value) -> usize {
        match value {
            Value::Null | Value::Bool(_) => 0,
            Value::Number(_) => {
                if self.hits().is_empty() {
                    return 0;
                }
                // One of the numbers that are a secret's bytes. A number it stays: the output schema says so.
                *value = Value::from(0_i64);
                self.count(LIVE);
                1
            }
            Value::String(text) => self.string(text, true),
            Value::Array(items) => items.iter_mut().map(|item| self.value(item)).sum(),
            Value::Object(object) => self.object(object),
        }
    }

    /// What is live in the next leaf.
    fn hits(&mut self) -> Vec<Hit> {
        let leaf = self.next;
        self.next += 1;
        self.live.remove(&leaf).unwrap_or_default()
    }

    fn string(&mut self, text: &mut String, shapes: bool) -> usize {
        let hits = self.hits();
        let spans = self.redactor.spans(text, &hits, shapes);
        if !spans.is_empty() {
            *text = self.redactor.replace(text, &spans);
        }
        for span in &spans {
            self.count(span.kind);
        }
        spans.len()
    }

    fn object(&mut self, object: &mut Object) -> usize {
        let media = media_member(object);
        let labelled = labelled(object);
        let mut count = 0;
        for (key, member) in object.iter_mut() {
            count += match member {
                // Pictures and sounds are large, and must arrive as they were sent, unless a live secret is in them.
                Value::String(text) if media == Some(key) && is_blob(text) => self.string(text, false),
                Value::String(text) => {
                    let kind = if key == "value" { labelled } else { None }.or_else(|| name::secret(key));
                    match kind.filter(|kind| name::plausible(kind, text)) {
                        Some(kind) => self.named(kind.kind, text),
                        None => self.string(text, true),
                    }
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    self.value(member)
                }
            };
        }
        count + self.keys(object)
    }

    /// A value that its name gives away: all of it is replaced.
    fn named(&mut self, kind: &'static str, text: &mut String) -> usize {
        let whole = Span { start: 0, end: text.len(), kind, certain: false, print: None };
        // Unless it is a live secret: then it is called that, as everywhere.
        let live = self.hits().first().map(|hit| Span { kind: LIVE, print: Some(hit.print), ..whole });
        let span = live.unwrap_or(whole);
        *text = self.redactor.replace(text, &[span]);
        self.count(span.kind);
        1
    }

    /// Credentials that are keys. Two that become one key would make the object invalid, so later ones are numbered.
    fn keys(&mut self, object: &mut Object) -> usize {
        let spans: Vec<Vec<Span>> = object
            .keys()
            .map(|key| {
                let hits = self.hits();
                self.redactor.spans(key, &hits, true)
            })
            .collect();
        for span in spans.iter().flatten() {
            self.count(span.kind);
        }
        let found = spans.iter().filter(|spans| !spans.is_empty()).count();
        if found == 0 {
            return 0;
        }
        let mut renamed = Object::new();
        for (number, ((key, member), spans)) in std::mem::take(object).into_iter().zip(spans).enumerate() {
            let mut new = self.redactor.replace(&key, &spans);
            if renamed.contains_key(&new) {
                new = format!("{new}#{number}");
            }
            renamed.insert(new, member);
        }
        *object = renamed;
        found
    }
}

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
