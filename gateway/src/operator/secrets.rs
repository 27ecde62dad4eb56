//! Setting, listing, removing and revoking secrets: the same through the socket and, where no gateway runs, directly on the
//! vault. Values pass through here sealed to a key that the vault alone has.

use audit::Audit;
use policies::OperatorId;
use serde::{Deserialize, Serialize};
use vault::{KeepError, Listed, Sealed, Vault};

use super::refused::Refused;

/// A new value of a secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// The secret's name.
    pub name: String,
    /// The value, sealed by [`vault::seal`].
    pub sealed: Sealed,
    /// Also a value that is too short to be told from ordinary text.
    #[serde(default)]
    pub force: bool,
    /// Only where there is an older version.
    #[serde(default)]
    pub rotate: bool,
}

/// What became of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Its name.
    pub name: String,
    /// Its newest version, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// How many calls were ended that held it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<usize>,
}

/// The vault, as operators see it.
pub struct Shelf<'a> {
    /// It.
    pub vault: &'a Vault,
    /// Where every change is recorded.
    pub audit: &'a Audit,
}

impl Shelf<'_> {
    /// Every secret, without values.
    ///
    /// # Errors
    /// [`Refused`] where there is no vault.
    pub fn list(&self) -> Result<Vec<Listed>, Refused> {
        self.vault.list().map_err(refused)
    }

    /// The key to seal a value to.
    ///
    /// # Errors
    /// [`Refused`] where such a secret is not kept here.
    pub fn recipient(&self, name: &str) -> Result<String, Refused> {
        self.vault.recipient(name).map_err(refused)
    }

    /// Keeps a new version.
    ///
    /// # Errors
    /// [`Refused`]; then nothing has changed.
    pub async fn set(&self, by: &OperatorId, setting: Setting) -> Result<Changed, Refused> {
        let Setting { name, sealed, force, rotate } = setting;
        if rotate && !self.list()?.iter().any(|listed| listed.name == name && listed.version.is_some()) {
            return Err(refused(KeepError::Unknown(name)));
        }
        let set = self.vault.set(self.audit, &name, &sealed, force, Some(by.clone())).await;
        let version = set.map_err(refused)?;
        Ok(Changed { name, version: Some(version), ended: None })
    }

    /// Forgets a secret.
    ///
    /// # Errors
    /// [`Refused`]; then nothing has changed.
    pub async fn remove(&self, by: &OperatorId, name: &str) -> Result<Changed, Refused> {
        self.vault.remove(self.audit, name, Some(by.clone())).await.map_err(refused)?;
        Ok(Changed { name: name.to_owned(), version: None, ended: None })
    }

    /// Takes a secret from every call that runs; they end.
    ///
    /// # Errors
    /// [`Refused`] if it is not one, or it could not be recorded.
    pub async fn revoke(&self, by: &OperatorId, name: &str) -> Result<Changed, Refused> {
        // Calls end before that is recorded.
        self.audit.acts()?;
        let ended = self.vault.revoke(self.audit, name, Some(by.clone())).await.map_err(refused)?;
        Ok(Changed { name: name.to_owned(), version: None, ended: Some(ended) })
    }
}

fn refused(error: KeepError) -> Refused {
    let next = "`portcullis secret list` shows every secret";
    match error {
        KeepError::Unknown(name) => Refused::Unknown { what: "secret", name, next },
        KeepError::Audit(error) => error.into(),
        KeepError::Name(_) | KeepError::Value(_) => Refused::Params(error.to_string()),
        KeepError::Short(_) => {
            Refused::State { what: error.to_string(), next: "take a longer one, or insist: --force".to_owned() }
        }
        KeepError::Elsewhere { .. } | KeepError::File(_) | KeepError::Read(_) | KeepError::Closed => {
            Refused::State { what: chain(&error), next: next.to_owned() }
        }
    }
}

/// With its causes: an operator can mend a disk.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}
