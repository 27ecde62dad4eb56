//! What is refused before a schema is compiled: size, depth, references that leave it or run in circles.

use super::SchemaError;
use crate::canon::Value;

/// Real tools' schemas stay below a tenth of these.
const VALUES: usize = 20_000;
const BYTES: usize = 256 << 10;
const DEPTH: usize = 64;
const PATTERNS: usize = 256;
const REFERENCES: usize = 512;

/// A chain of references without an argument between is at most this long.
const CHAIN: usize = 32;

const REFERENCE_KEYS: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

pub(super) fn check(schema: &Value) -> Result<(), SchemaError> {
    let mut found = Found::default();
    schema.walk(&mut |pointer, value| found.visit(pointer, value));
    within(found.values, VALUES, "values")?;
    within(found.bytes, BYTES, "bytes of text")?;
    within(found.depth, DEPTH, "levels")?;
    within(found.patterns, PATTERNS, "patterns")?;
    within(found.references.len(), REFERENCES, "references")?;
    for (at, target) in &found.references {
        inside(schema, at, target)?;
        chain(schema, at, target)?;
    }
    Ok(())
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
}

impl Found {
    fn visit(&mut self, pointer: &str, value: &Value) {
        self.values += 1;
        self.depth = self.depth.max(pointer.matches('/').count());
        self.bytes += value.as_str().map_or(0, str::len);
        let Some(object) = value.as_object() else { return };
        self.bytes += object.keys().map(str::len).sum::<usize>();
        self.patterns += usize::from(object.get("pattern").is_some_and(|pattern| pattern.as_str().is_some()));
        self.patterns +=
            object.get("patternProperties").and_then(Value::as_object).map_or(0, crate::canon::Object::len);
        for key in REFERENCE_KEYS {
            let target = object.get(key).and_then(Value::as_str);
            self.references.extend(target.map(|target| (format!("{pointer}/{key}"), target.to_owned())));
        }
    }
}

/// `#…` alone stays inside. Anything else would be resolved against an `$id`, which the server chooses: a name that is
/// inside today may be fetched by another library tomorrow, so agent and gateway could disagree.
fn inside(schema: &Value, at: &str, target: &str) -> Result<(), SchemaError> {
    let drafts =
        target.starts_with("https://json-schema.org/draft/") || target.starts_with("http://json-schema.org/draft");
    let own = target.starts_with('#') || schema.get("$id").and_then(Value::as_str).is_some_and(|id| is_of(target, id));
    if own || drafts { Ok(()) } else { Err(SchemaError::RemoteReference { at: at.to_owned() }) }
}

fn is_of(target: &str, id: &str) -> bool {
    let id = id.trim_end_matches('#');
    !id.is_empty() && target.strip_prefix(id).is_some_and(|rest| rest.is_empty() || rest.starts_with('#'))
}

/// Follows references that lead straight to references: such a circle would be walked for every call.
fn chain(schema: &Value, at: &str, target: &str) -> Result<(), SchemaError> {
    let mut target = target.to_owned();
    for _ in 0..CHAIN {
        let Some(place) = target.strip_prefix('#').and_then(|pointer| schema.pointer(&unescaped(pointer))) else {
            return Ok(());
        };
        match place.get("$ref").and_then(Value::as_str) {
            Some(next) => target = next.to_owned(),
            None => return Ok(()),
        }
    }
    Err(SchemaError::Circular { at: at.to_owned() })
}

/// A pointer in a reference is percent-encoded.
fn unescaped(pointer: &str) -> String {
    pointer.replace("%24", "$").replace("%7E", "~").replace("%20", " ")
}
