//! The tables of backends that are files on this machine.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::{Reader, Tables, kind};
use crate::backend::file::KeySource;
use crate::backend::{file, sops};

/// Reports every key that is not one of these.
pub(super) fn known(reader: &mut Reader, key: &str, table: &Map<String, Value>, known: &[&str]) {
    for name in table.keys().filter(|name| !known.contains(&name.as_str())) {
        reader.problem::<()>(format!("{key}.{name}"), "an unknown key", format!("one of {}", known.join(", ")));
    }
}

/// `kind = "file"`.
pub(super) fn file(
    tables: &Tables<'_>,
    reader: &mut Reader,
    key: &str,
    table: &Map<String, Value>,
) -> Option<file::Settings> {
    known(reader, key, table, &["kind", "path", "key"]);
    let default = file::Settings::in_state(tables.state);
    let path = path(tables, reader, &format!("{key}.path"), table.get("path")).unwrap_or(default.path);
    let source = source(tables, reader, &format!("{key}.key"), table.get("key"), &path)?;
    Some(file::Settings { path, key: source })
}

/// `kind = "sops"`.
pub(super) fn sops(
    tables: &Tables<'_>,
    reader: &mut Reader,
    key: &str,
    table: &Map<String, Value>,
) -> Option<sops::Settings> {
    known(reader, key, table, &["kind", "file", "key", "program"]);
    let mut of = |member: &str| path(tables, reader, &format!("{key}.{member}"), table.get(member));
    let (file, identities, program) = (of("file"), of("key"), of("program"));
    for (member, missing) in [("file", file.is_none()), ("key", identities.is_none())] {
        if missing && !table.contains_key(member) {
            reader.problem::<()>(format!("{key}.{member}"), "nothing", "a path");
        }
    }
    Some(sops::Settings { file: file?, key: identities?, program })
}

fn path(tables: &Tables<'_>, reader: &mut Reader, key: &str, value: Option<&Value>) -> Option<PathBuf> {
    match value? {
        Value::String(text) if !text.is_empty() => Some(tables.path(text)),
        other @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_)) => reader.problem(key, kind(other), "a path"),
    }
}

/// What opens the file at `path`.
fn source(
    tables: &Tables<'_>,
    reader: &mut Reader,
    key: &str,
    value: Option<&Value>,
    path: &std::path::Path,
) -> Option<KeySource> {
    // The identity that a passphrase opens, or that stands in the clear with mode 0600.
    let beside = |suffix: &str| path.with_extension(suffix);
    let Some(value) = value else { return Some(KeySource::File(beside("key"))) };
    if value.as_str() == Some("passphrase") {
        return Some(KeySource::Passphrase(beside("key.age")));
    }
    let only = value.as_object().filter(|table| table.len() == 1).and_then(|table| table.iter().next());
    match only.map(|(name, value)| (name.as_str(), value)) {
        Some(("file", Value::String(file))) if !file.is_empty() => Some(KeySource::File(tables.path(file))),
        Some(("keyring", Value::String(name))) if !name.is_empty() => Some(KeySource::Keyring(name.clone())),
        Some(("descriptor", Value::Number(number))) => {
            match number.as_u64().and_then(|number| u32::try_from(number).ok()) {
                Some(number) if number > 2 => Some(KeySource::Descriptor(beside("key.age"), number)),
                Some(_) | None => reader.problem(key, "another number", "a file descriptor above 2"),
            }
        }
        Some(_) | None => reader.problem(key, kind(value), KEY),
    }
}

const KEY: &str = "\"passphrase\", { file = \"PATH\" }, { descriptor = NUMBER } or { keyring = \"NAME\" }";
