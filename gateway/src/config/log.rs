//! `[audit]`: who signs the log, where its newest checkpoint is kept, and how long its disk is waited for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use audit::Signer;
use jiff::SignedDuration;
use serde_json::Value;
use vault::{TransitError, TransitName};

use super::section::{Section, Sheet};

/// Who signs the log, where its newest checkpoint is kept, and how long its disk is waited for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// The file that keeps the newest checkpoint; in the state folder where there is none.
    pub checkpoint: Option<PathBuf>,
    /// A backend's name and its transit key; a file in the state folder where there is none.
    pub key: Option<(String, TransitName)>,
    /// How long a call waits for the disk before it is refused; within two seconds where nothing is said.
    pub wait: Option<Duration>,
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
    let wait = section.json("wait").and_then(|(value, at)| {
        let text = value.as_str().unwrap_or_default();
        let wait = text.parse().ok().and_then(|wait: SignedDuration| Duration::try_from(wait).ok());
        let wait = wait.filter(|wait| (Duration::from_millis(100)..=Duration::from_mins(1)).contains(wait));
        if wait.is_none() {
            sheet.problem(at, section.key("wait"), "another value", "a time from \"100ms\" to \"1m\"");
        }
        wait
    });
    section.finish(&["checkpoint", "key", "wait"]);
    Log { checkpoint, key, wait }
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
