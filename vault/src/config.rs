//! `Config`: the backends and the secrets that a config names, parsed with every problem at once.

mod local;
mod problem;
mod reader;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

pub use problem::Problem;
pub use reader::{Reader, kind};

use crate::backend::hashicorp::{self, TransitError, TransitKey, TransitName};
use crate::backend::{file, sops};

/// Which backends there are, and which secret is kept where. Holds names, never values.
#[derive(Clone, Default)]
pub struct Config {
    pub(crate) backends: BTreeMap<String, Kind>,
    pub(crate) secrets: BTreeMap<String, Source>,
}

/// One backend, as it was configured.
#[derive(Clone)]
pub(crate) enum Kind {
    /// One encrypted file, which this program writes.
    File(file::Settings),
    /// The environment that the gateway was started in.
    Env,
    /// A file that SOPS encrypted.
    Sops(sops::Settings),
    /// An OpenBao or a Vault.
    Hashicorp(Box<hashicorp::Settings>),
}

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// A backend's name.
    pub(crate) backend: String,
    /// As the backend writes it, without the field.
    pub(crate) path: String,
    /// What stands after the last `#`.
    pub(crate) field: Option<String>,
}

/// The tables of the config, and where it is.
pub struct Tables<'a> {
    /// `[vault.NAME]`.
    pub vault: &'a Map<String, Value>,
    /// `[secret.NAME]`.
    pub secret: &'a Map<String, Value>,
    /// What relative paths start from: the folder of the config.
    pub base: &'a Path,
    /// The state folder.
    pub state: &'a Path,
}

impl Tables<'_> {
    /// A path as it is meant.
    pub(crate) fn path(&self, text: &str) -> PathBuf {
        self.base.join(text)
    }
}

impl Config {
    /// Reads the tables.
    ///
    /// # Errors
    /// Every problem, with keys such as `secret.github-token.from`.
    pub fn parse(tables: &Tables<'_>) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::default();
        let mut backends: BTreeMap<String, Kind> = tables
            .vault
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), backend(tables, &mut reader, name, value)?)))
            .collect();
        let known: Vec<&str> = tables.vault.keys().map(String::as_str).chain(IMPLIED).collect();
        let secrets: BTreeMap<String, Source> = tables
            .secret
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), source(&mut reader, &known, name, value)?)))
            .collect();
        backends.entry("file".to_owned()).or_insert_with(|| Kind::File(file::Settings::in_state(tables.state)));
        backends.entry("env".to_owned()).or_insert(Kind::Env);
        for (name, source) in &secrets {
            if let (Some(Kind::Hashicorp(_)), Err(bad)) =
                (backends.get(&source.backend), hashicorp::check(&source.path))
            {
                reader.problem::<()>(format!("secret.{name}.path"), "another text", bad.to_string());
            }
        }
        reader.finish(Some(Self { backends, secrets }))
    }

    /// A key of a backend, which signs the log.
    ///
    /// # Errors
    /// [`TransitError`], if there is no such backend, or it does not show such a key.
    pub fn transit(&self, backend: &str, key: TransitName) -> Result<TransitKey, TransitError> {
        match self.backends.get(backend) {
            Some(Kind::Hashicorp(settings)) => TransitKey::open(settings, key),
            Some(Kind::File(_) | Kind::Env | Kind::Sops(_)) | None => Err(TransitError::NoBackend(backend.to_owned())),
        }
    }

    /// The names of the secrets.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.keys().map(String::as_str)
    }

    /// What is kept at a backend, by path.
    pub(crate) fn paths<'a>(&'a self, backend: &'a str) -> impl Iterator<Item = &'a str> {
        self.secrets.values().filter(move |source| source.backend == backend).map(|source| source.path.as_str())
    }

    /// The variables that are secrets.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        let of_env = |source: &&Source| matches!(self.backends.get(&source.backend), Some(Kind::Env));
        self.secrets.values().filter(of_env).map(|source| source.path.as_str())
    }
}

/// Backends that need no table.
const IMPLIED: [&str; 2] = ["file", "env"];

/// One `[vault.NAME]`: each kind parses its own keys.
fn backend(tables: &Tables<'_>, reader: &mut Reader, name: &str, value: &Value) -> Option<Kind> {
    let key = format!("vault.{name}");
    let Some(table) = value.as_object() else { return reader.problem(key, kind(value), "a table") };
    let at = format!("{key}.kind");
    match table.get("kind").map_or(Some(name), Value::as_str) {
        Some("file") => local::file(tables, reader, &key, table).map(Kind::File),
        Some("sops") => local::sops(tables, reader, &key, table).map(Kind::Sops),
        Some("env") => {
            local::known(reader, &key, table, &["kind"]);
            Some(Kind::Env)
        }
        Some("hashicorp") => {
            hashicorp::Settings::parse(reader, &key, table, tables.base).map(Box::new).map(Kind::Hashicorp)
        }
        Some(other) => reader.problem(at, format!("`{other}`"), KINDS),
        None => reader.problem(at, "no string", KINDS),
    }
}

const KINDS: &str = "file, hashicorp, sops or env";

/// One `[secret.NAME]`.
fn source(reader: &mut Reader, backends: &[&str], name: &str, value: &Value) -> Option<Source> {
    let key = format!("secret.{name}");
    let Some(table) = value.as_object() else { return reader.problem(key, kind(value), "a table") };
    if !is_name(name) {
        return reader.problem(key, "a name with other characters", NAME);
    }
    for unknown in table.keys().filter(|member| !["from", "path"].contains(&member.as_str())) {
        reader.problem::<()>(format!("{key}.{unknown}"), "an unknown key", "from or path");
    }
    let mut text = |member: &str, default: &str| match table.get(member) {
        None => Some(default.to_owned()),
        Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
        Some(other) => reader.problem(format!("{key}.{member}"), kind(other), "a text that is not empty"),
    };
    let (backend, path) = (text("from", "file")?, text("path", name)?);
    if !backends.contains(&backend.as_str()) {
        let wanted = format!("a backend: one of {}", backends.join(", "));
        return reader.problem(format!("{key}.from"), format!("`{backend}`"), wanted);
    }
    let (path, field) = match path.rsplit_once('#') {
        Some((path, field)) => (path.to_owned(), Some(field.to_owned())),
        None => (path, None),
    };
    Some(Source { backend, path, field })
}

/// Names stand in files, records and command lines.
pub(crate) fn is_name(name: &str) -> bool {
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    letters && (1..=64).contains(&name.len()) && !name.starts_with(['-', '.'])
}

const NAME: &str = "letters, digits, `-`, `_` and `.`, at most 64, not beginning with `-` or `.`";
