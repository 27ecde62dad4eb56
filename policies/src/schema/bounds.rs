//! What is refused before a schema is compiled: size, depth, and references that leave it.

use super::SchemaError;
use crate::canon::{Object, Value};

/// Real tools' schemas stay below a tenth of these.
const VALUES: usize = 20_000;
const BYTES: usize = 256 << 10;
const DEPTH: usize = 64;
const PATTERNS: usize = 256;
const REFERENCES: usize = 512;

const REFERENCE_KEYS: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];
const ANCHOR_KEYS: [&str; 2] = ["$anchor", "$dynamicAnchor"];

pub(super) fn check(schema: &Value) -> Result<(), SchemaError> {
    let mut found = Found::default();
    schema.walk(&mut |pointer, value| found.visit(pointer, value));
    within(found.values, VALUES, "values")?;
    within(found.bytes, BYTES, "bytes of text")?;
    within(found.depth, DEPTH, "levels")?;
    within(found.patterns, PATTERNS, "patterns")?;
    within(found.references.len(), REFERENCES, "references")?;
    if let Some(at) = found.inner_id.filter(|_| !found.references.is_empty()) {
        let why = "an `$id` below the top would change where references lead".to_owned();
        return Err(SchemaError::Invalid { at, why });
    }
    found.references.iter().try_for_each(|(at, target)| inside(schema, at, target))
}

fn within(found: usize, limit: usize, what: &'static str) -> Result<(), SchemaError> {
    if found > limit { Err(SchemaError::TooLarge { limit, what }) } else { Ok(()) }
}

#[derive(Default)]
struct Found {
    values: usize,
    bytes: usize,
    depth: usize,
    patterns: usize,
    references: Vec<(String, String)>,
    inner_id: Option<String>,
}

impl Found {
    fn visit(&mut self, pointer: &str, value: &Value) {
        self.values += 1;
        self.depth = self.depth.max(pointer.matches('/').count());
        self.bytes += value.as_str().map_or(0, str::len);
        let Some(object) = value.as_object() else { return };
        self.bytes += object.keys().map(str::len).sum::<usize>();
        let text = |key| object.get(key).and_then(Value::as_str);
        self.patterns += usize::from(text("pattern").is_some());
        self.patterns += object.get("patternProperties").and_then(Value::as_object).map_or(0, Object::len);
        if !pointer.is_empty() && (text("$id").is_some() || text("id").is_some_and(|id| id.contains(':'))) {
            self.inner_id.get_or_insert_with(|| pointer.to_owned());
        }
        for key in REFERENCE_KEYS {
            self.references.extend(text(key).map(|target| (format!("{pointer}/{key}"), target.to_owned())));
        }
    }
}

/// `#…` alone stays inside. Anything else would be resolved against an `$id`, which the server chooses: a name that is
/// inside today may be fetched by another library tomorrow, so agent and gateway could disagree.
fn inside(schema: &Value, at: &str, target: &str) -> Result<(), SchemaError> {
    let remote = || SchemaError::RemoteReference { at: at.to_owned() };
    local(schema, target).map(|_| ()).ok_or_else(remote)
}

/// The part of a reference behind `#`, if it leads into this schema.
fn local<'a>(schema: &Value, target: &'a str) -> Option<&'a str> {
    let id = schema.get("$id").and_then(Value::as_str).map_or("", |id| id.trim_end_matches('#'));
    match target.split_once('#') {
        Some((base, fragment)) => (base.is_empty() || base == id).then_some(fragment),
        None => (target == id && !id.is_empty()).then_some(""),
    }
}

/// The places that a reference may lead to: one by pointer, or all that bear its anchor.
pub(super) fn resolve<'a>(schema: &'a Value, target: &str) -> Vec<&'a Value> {
    let Some(fragment) = local(schema, target) else { return Vec::new() };
    let fragment = decoded(fragment);
    if fragment.is_empty() || fragment.starts_with('/') {
        return schema.pointer(&fragment).into_iter().collect();
    }
    let mut found = Vec::new();
    anchored(schema, &fragment, &mut found);
    found
}

fn anchored<'a>(value: &'a Value, name: &str, found: &mut Vec<&'a Value>) {
    if let Some(object) = value.as_object() {
        if ANCHOR_KEYS.iter().any(|key| object.get(key).and_then(Value::as_str) == Some(name)) {
            found.push(value);
        }
        object.iter().for_each(|(_, inner)| anchored(inner, name, found));
    }
    value.as_array().into_iter().flatten().for_each(|inner| anchored(inner, name, found));
}

/// A pointer in a reference is percent-encoded.
fn decoded(fragment: &str) -> String {
    let mut plain = Vec::with_capacity(fragment.len());
    let mut rest = fragment.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let pair = after.get(..2).and_then(|two| str::from_utf8(two).ok()).filter(|_| *byte == b'%');
        let decoded = pair.and_then(|two| u8::from_str_radix(two, 16).ok());
        plain.push(decoded.unwrap_or(*byte));
        rest = after.get(if decoded.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    String::from_utf8_lossy(&plain).into_owned()
}
