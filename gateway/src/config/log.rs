//! `[audit]`: who signs the log, and where its newest checkpoint is kept.

use std::path::PathBuf;
use std::sync::Arc;

use audit::Signer;
use serde_json::Value;
use vault::{TransitError, TransitName};

use super::section::{Section, Sheet};

/// Who signs the log, and where its newest checkpoint is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// The file that keeps the newest checkpoint; in the state folder where there is none.
    pub checkpoint: Option<PathBuf>,
    /// A backend's name and its transit key; a file in the state folder where there is none.
    pub key: Option<(String, TransitName)>,
}

impl Log {
    /// The key that is kept elsewhere, asked for now.
    ///
    /// # Errors
    /// [`TransitError`].
    pub fn signer(&self, vault: &vault::Config) -> Result<Option<Arc<dyn Signer + Sync>>, TransitError> {
        let Some((backend, key)) = self.key.clone() else { return Ok(None) };
        Ok(Some(Arc::new(vault.transit(&backend, key)?)))
    }
}

/// `[audit]`
pub(super) fn log(sheet: &Sheet<'_>, section: Section<'_>) -> Log {
    let checkpoint = section.string("checkpoint").map(|(text, _)| sheet.path(&text));
    let key = section.json("key").and_then(|(value, at)| {
        let key = transit(&value);
        if key.is_none() {
            let wanted = "`{ vault = \"NAME\", transit = \"KEY\" }`, and where needed `mount` and `version`";
            sheet.problem(at, section.key("key"), "another value", wanted);
        }
        key
    });
    section.finish(&["checkpoint", "key"]);
    Log { checkpoint, key }
}

fn transit(value: &Value) -> Option<(String, TransitName)> {
    let table = value.as_object()?;
    let known = |name: &String| ["vault", "transit", "mount", "version"].contains(&name.as_str());
    let text = |name: &str| table.get(name).map(|value| value.as_str().map(str::to_owned));
    let (vault, key) = (text("vault")??, text("transit")??);
    let mount = text("mount").unwrap_or_else(|| Some("transit".to_owned()))?;
    let version = table.get("version").map_or(Some(1), Value::as_u64)?;
    table.keys().all(known).then_some((vault, TransitName { mount, key, version }))
}
