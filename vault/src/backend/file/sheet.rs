//! `Sheet`: what stands in the file of secrets.

use std::collections::BTreeMap;
use std::time::Duration;

use age::x25519::Identity;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::key::FileError;
use crate::secret::Secret;

/// What stands in the file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sheet {
    format: u8,
    secrets: BTreeMap<String, Kept>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    used: Option<Timestamp>,
    /// The oldest first; never empty.
    versions: Vec<Version>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Version {
    number: u64,
    created: Timestamp,
    /// When a newer one took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaced: Option<Timestamp>,
    /// In base64; wiped when it has been replaced for the grace time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Text>,
}

/// Wiped when it is dropped.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
struct Text(String);

impl Drop for Text {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// What is kept of a secret, without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// The newest version.
    pub(crate) version: u64,
    /// When it was set.
    pub(crate) created: Timestamp,
    /// When any version was last lent.
    pub(crate) used: Option<Timestamp>,
}

impl Default for Sheet {
    fn default() -> Self {
        Self { format: FORMAT, secrets: BTreeMap::new() }
    }
}

impl Sheet {
    pub(super) fn unseal(sealed: &[u8], identity: &Identity) -> Result<Self, FileError> {
        let text = Zeroizing::new(age::decrypt(identity, sealed).map_err(FileError::sealed)?);
        let sheet: Self = serde_json::from_slice(&text).map_err(|_| FileError::Malformed)?;
        if sheet.format == FORMAT { Ok(sheet) } else { Err(FileError::Format(sheet.format)) }
    }

    pub(super) fn seal(&self, identity: &Identity) -> Result<Vec<u8>, FileError> {
        let text = Zeroizing::new(serde_json::to_vec(self).map_err(|_| FileError::Malformed)?);
        age::encrypt(&identity.to_public(), &text).map_err(FileError::unsealed)
    }

    pub(super) fn set(&mut self, name: &str, value: &Secret, now: Timestamp) -> u64 {
        let kept = self.secrets.entry(name.to_owned()).or_insert(Kept { used: None, versions: Vec::new() });
        let number = kept.versions.last().map_or(0, |newest| newest.number) + 1;
        if let Some(newest) = kept.versions.last_mut() {
            newest.replaced = Some(now);
        }
        let value = Some(Text(STANDARD.encode(value.expose())));
        kept.versions.push(Version { number, created: now, replaced: None, value });
        let old = kept.versions.len().saturating_sub(VERSIONS);
        kept.versions.drain(..old);
        number
    }

    pub(super) fn remove(&mut self, name: &str) -> bool {
        self.secrets.remove(name).is_some()
    }

    /// The newest value and its number; it has been used now.
    pub(super) fn newest(&mut self, name: &str, now: Timestamp) -> Option<(Secret, u64)> {
        let kept = self.secrets.get_mut(name)?;
        let newest = kept.versions.last()?;
        let found = (newest.value()?, newest.number);
        kept.used = Some(now);
        Some(found)
    }

    /// Every value that must not be seen, by name: those that were replaced first.
    pub(super) fn values(&self, now: Timestamp, grace: Duration) -> Vec<(String, Secret)> {
        let live = |(name, kept): (&String, &Kept)| {
            let versions = kept.versions.iter().filter(|version| !version.is_over(now, grace));
            versions.filter_map(|version| Some((name.clone(), version.value()?))).collect::<Vec<_>>()
        };
        self.secrets.iter().flat_map(live).collect()
    }

    /// Wipes the values that were replaced long enough ago.
    pub(super) fn wipe(&mut self, now: Timestamp, grace: Duration) {
        let versions = self.secrets.values_mut().flat_map(|kept| &mut kept.versions);
        versions.filter(|version| version.is_over(now, grace)).for_each(|version| version.value = None);
    }

    pub(super) fn list(&self) -> BTreeMap<String, Written> {
        let row = |(name, kept): (&String, &Kept)| {
            let newest = kept.versions.last()?;
            Some((name.clone(), Written { version: newest.number, created: newest.created, used: kept.used }))
        };
        self.secrets.iter().filter_map(row).collect()
    }
}

impl Version {
    fn value(&self) -> Option<Secret> {
        STANDARD.decode(&self.value.as_ref()?.0).ok().map(Secret::new)
    }

    fn is_over(&self, now: Timestamp, grace: Duration) -> bool {
        let grace = SignedDuration::try_from(grace).unwrap_or(SignedDuration::MAX);
        self.replaced.is_some_and(|replaced| now.duration_since(replaced) >= grace)
    }
}

/// What this program writes and reads.
const FORMAT: u8 = 1;

/// How many versions are remembered, with or without their value.
const VERSIONS: usize = 10;
