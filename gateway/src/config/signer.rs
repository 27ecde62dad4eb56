//! `KeyPlace`: `[audit] key`, where the key is that signs the log.

use std::path::Path;
use std::sync::Arc;

use audit::Signer;
use serde_json::{Map, Value};
use thiserror::Error;
use vault::{Pkcs11Error, Pkcs11Key, Pkcs11Name, TransitError, TransitName};

use super::section::{Section, Sheet};

/// Where the key is that signs the log, if it is in no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// A backend's name, and the key of its transit engine.
    Transit(String, TransitName),
    /// On a token.
    Pkcs11(Pkcs11Name),
}

/// Why the key is not to be had.
#[derive(Debug, Error)]
pub enum SignerError {
    /// Of a backend.
    #[error(transparent)]
    Transit(#[from] TransitError),
    /// Of a token.
    #[error(transparent)]
    Pkcs11(#[from] Pkcs11Error),
}

impl KeyPlace {
    /// The key, asked for now.
    pub(super) fn open(&self, vault: &vault::Config) -> Result<Arc<dyn Signer + Sync>, SignerError> {
        Ok(match self {
            Self::Transit(backend, name) => Arc::new(vault.transit(backend, name.clone())?),
            Self::Pkcs11(name) => Arc::new(Pkcs11Key::open(name)?),
        })
    }

    /// Whether the key answers, as often as anyone likes to know.
    pub(crate) fn probe(&self, vault: &vault::Config) -> Result<String, SignerError> {
        Ok(match self {
            Self::Transit(backend, name) => vault.transit(backend, name.clone())?.verifier().to_string(),
            Self::Pkcs11(name) => Pkcs11Key::probe(name)?.to_string(),
        })
    }
}

/// `[audit] key`
pub(super) fn place(sheet: &Sheet<'_>, section: &Section<'_>, value: &Value, at: usize) -> Option<KeyPlace> {
    let key = section.key("key");
    let table = value.as_object();
    if let Some(table) = table.filter(|table| table.contains_key("pkcs11")) {
        let base = sheet.file.parent().unwrap_or(Path::new(""));
        let named = Pkcs11Name::parse(&key, table, base);
        let tell = |problems: Vec<vault::Problem>| {
            for problem in problems {
                sheet.problem(at, problem.key, problem.found, problem.wanted);
            }
        };
        return named.map_err(tell).ok().map(KeyPlace::Pkcs11);
    }
    let named = table.and_then(transit);
    if named.is_none() {
        let wanted = "`{ vault = \"NAME\", transit = \"KEY\" }`, and where needed `mount` and `version`; or \
                      `{ pkcs11 = \"MODULE\", token = \"LABEL\", key = \"LABEL\", pin = { file = \"FILE\" } }`";
        sheet.problem(at, key, "another value", wanted);
    }
    named
}

fn transit(table: &Map<String, Value>) -> Option<KeyPlace> {
    let known = |name: &String| ["vault", "transit", "mount", "version"].contains(&name.as_str());
    let text = |name: &str| table.get(name).map(|value| value.as_str().map(str::to_owned));
    let (vault, key) = (text("vault")??, text("transit")??);
    let mount = text("mount").unwrap_or_else(|| Some("transit".to_owned()))?;
    let version = table.get("version").map_or(Some(1), Value::as_u64)?;
    table.keys().all(known).then_some(KeyPlace::Transit(vault, TransitName { mount, key, version }))
}
