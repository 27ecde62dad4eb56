//! What operators do with stored secrets: set, list, remove, rotate, revoke.

use std::io::Read;
use std::sync::Arc;

use age::x25519::Recipient;
use audit::{Audit, AuditError, Event};
use jiff::Timestamp;
use policies::OperatorId;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::backend::file::{FileError, FileStore};
use crate::config::is_name;
use crate::secret::Secret;
use crate::vault::{Lender, Vault};

/// A value on its way to the vault: nothing else can read it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(String);

/// A secret, without its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Where it is kept.
    pub backend: String,
    /// The newest version, where this program keeps it.
    pub version: Option<u64>,
    /// When that was set.
    pub created: Option<Timestamp>,
    /// When it was last lent.
    pub used: Option<Timestamp>,
    /// Whether the config describes it: else no tool can be lent it.
    pub configured: bool,
}

/// Why a stored secret is not changed.
#[derive(Debug, Error)]
pub enum KeepError {
    /// No name.
    #[error("`{0}` is no name of a secret: letters, digits, `-`, `_` and `.`, at most 64")]
    Name(String),
    /// Nothing is kept under it.
    #[error("there is no secret `{0}`")]
    Unknown(String),
    /// Somebody else keeps it.
    #[error("`{name}` is kept at `{backend}`: change it there")]
    Elsewhere {
        /// Its name.
        name: String,
        /// Where it is kept.
        backend: String,
    },
    /// Too short to be told from ordinary text.
    #[error("the value has {0} bytes: under {SHORT} it cannot be told from ordinary text in answers")]
    Short(usize),
    /// It is no value of a secret.
    #[error("the value is {0}")]
    Value(&'static str),
    /// The file.
    #[error("the file of secrets cannot be used")]
    File(#[from] FileError),
    /// The log.
    #[error("the change could not be recorded")]
    Audit(#[from] AuditError),
    /// What was read.
    #[error("the value cannot be read")]
    Read(#[source] std::io::Error),
    /// There is no vault.
    #[error("no secrets are kept here")]
    Closed,
}

/// Reads a value and seals it to the key that [`Vault::recipient`] told: the caller never holds it. One line feed at the end
/// does not belong to it.
///
/// # Errors
/// [`KeepError::Read`] and [`KeepError::Value`].
pub fn seal(value: impl Read, recipient: &str) -> Result<Sealed, KeepError> {
    let mut bytes = Zeroizing::new(Vec::new());
    value.take(LONGEST + 1).read_to_end(&mut bytes).map_err(KeepError::Read)?;
    if bytes.len() as u64 > LONGEST {
        return Err(KeepError::Value("longer than 32 KiB"));
    }
    let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let recipient: Recipient = recipient.parse().map_err(|_| KeepError::Value("sealed to no key"))?;
    age::encrypt_and_armor(&recipient, line).map(Sealed).map_err(|_| KeepError::Value("not to be sealed"))
}

impl Vault {
    /// The key to seal a value of this secret to.
    ///
    /// # Errors
    /// [`KeepError`] where such a secret is not kept here.
    pub fn recipient(&self, name: &str) -> Result<String, KeepError> {
        let (file, _) = self.lender()?.file(name)?;
        Ok(file.recipient()?)
    }

    /// Keeps a new version of a secret: calls from now on are lent it, those that run keep the one that they have. Short
    /// values only where `force` is set. The record of it is written first: a change that nobody recorded did not happen.
    ///
    /// # Errors
    /// [`KeepError`]; then nothing has changed.
    pub async fn set(
        &self,
        audit: &Audit,
        name: &str,
        sealed: &Sealed,
        force: bool,
        by: Option<OperatorId>,
    ) -> Result<u64, KeepError> {
        let lender = self.lender()?;
        let (file, path) = lender.file(name)?;
        let value = file.unseal(&sealed.0)?;
        check(&value, force)?;
        let action = if file.list().contains_key(&path) { "rotated" } else { "set" };
        // Known before it is on disk: no gap in which it could be lent, or seen, unknown. The old one stays known as the
        // newest until it is not.
        let early = lender.known.learn(None, &value);
        lender.note(audit, name, action, by).await?;
        let place = format!("{}/{path}#", lender.backend(name));
        let kept = tokio::task::spawn_blocking(move || file.set(&path, &value).map(|number| (number, value))).await;
        let (number, value) = kept.map_err(|_| KeepError::Closed)??;
        drop(lender.known.learn(Some(place), &value));
        drop(early);
        Ok(number)
    }

    /// Forgets a secret. Calls that run keep what they have.
    ///
    /// # Errors
    /// [`KeepError`]; then nothing has changed.
    pub async fn remove(&self, audit: &Audit, name: &str, by: Option<OperatorId>) -> Result<(), KeepError> {
        let lender = self.lender()?;
        let (file, path) = lender.file(name)?;
        if !file.list().contains_key(&path) {
            return Err(KeepError::Unknown(name.to_owned()));
        }
        lender.note(audit, name, "removed", by).await?;
        lender.known.forget(&format!("{}/{path}#", lender.backend(name)));
        tokio::task::spawn_blocking(move || file.remove(&path)).await.map_err(|_| KeepError::Closed)??;
        Ok(())
    }

    /// Takes a secret from every running call, whoever keeps it; those calls end. Answers how many there were.
    ///
    /// # Errors
    /// [`KeepError`], if it could not be recorded: the calls have ended all the same.
    pub async fn revoke(&self, audit: &Audit, name: &str, by: Option<OperatorId>) -> Result<usize, KeepError> {
        let lender = self.lender()?;
        if !lender.secrets.contains_key(name) {
            return Err(KeepError::Unknown(name.to_owned()));
        }
        let ended = lender.revoke(name);
        lender.note(audit, name, "revoked", by).await?;
        Ok(ended)
    }

    /// Every secret that is configured or kept, by name.
    ///
    /// # Errors
    /// [`KeepError::Closed`].
    pub fn list(&self) -> Result<Vec<Listed>, KeepError> {
        Ok(self.lender()?.list())
    }

    fn lender(&self) -> Result<&Arc<Lender>, KeepError> {
        self.0.as_ref().ok_or(KeepError::Closed)
    }
}

impl Lender {
    /// Where a secret of this name is kept, if this program keeps it: one that the config does not know, in the default file.
    fn file(&self, name: &str) -> Result<(Arc<FileStore>, String), KeepError> {
        if !is_name(name) {
            return Err(KeepError::Name(name.to_owned()));
        }
        let backend = self.backend(name);
        let path = self.secrets.get(name).map_or(name, |source| &source.path);
        match self.files.get(backend) {
            Some(file) => Ok((Arc::clone(file), path.to_owned())),
            None => Err(KeepError::Elsewhere { name: name.to_owned(), backend: backend.to_owned() }),
        }
    }

    fn backend(&self, name: &str) -> &str {
        self.secrets.get(name).map_or("file", |source| &source.backend)
    }

    async fn note(&self, audit: &Audit, name: &str, action: &str, by: Option<OperatorId>) -> Result<(), AuditError> {
        let event = Event::SecretChanged { name: name.to_owned(), action: action.to_owned(), by };
        audit.note(event, (self.clock)()).await.map(drop)
    }

    fn list(&self) -> Vec<Listed> {
        let mut listed: Vec<Listed> = self.secrets.keys().map(|name| self.listed(name, true)).collect();
        let used: Vec<(&str, &str)> =
            self.secrets.values().map(|source| (source.backend.as_str(), source.path.as_str())).collect();
        for (backend, file) in &self.files {
            let paths = file.list().into_keys().filter(|path| !used.contains(&(backend.as_str(), path.as_str())));
            // Only what stands in the default file can be named without a config.
            listed.extend(paths.filter(|_| backend == "file").map(|path| self.listed(&path, false)));
        }
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        listed
    }

    fn listed(&self, name: &str, configured: bool) -> Listed {
        let written = self.file(name).ok().and_then(|(file, path)| file.list().remove(&path));
        Listed {
            name: name.to_owned(),
            backend: self.backend(name).to_owned(),
            version: written.as_ref().map(|written| written.version),
            created: written.as_ref().map(|written| written.created),
            used: written.and_then(|written| written.used),
            configured,
        }
    }
}

fn check(value: &Secret, force: bool) -> Result<(), KeepError> {
    let length = value.expose().len();
    if length == 0 {
        return Err(KeepError::Value("empty"));
    }
    // What the redactor cannot find is not kept, whoever insists.
    if length < SHORT && (!force || length < 4) { Err(KeepError::Short(length)) } else { Ok(()) }
}

/// A shorter value is found in ordinary text.
const SHORT: usize = 12;

/// A key with its certificates.
const LONGEST: u64 = 32 << 10;
