//! `Sops`: files encrypted by SOPS for `age` keys. JSON is read in this process; other forms by the `sops` program.

mod document;
mod program;

use std::path::PathBuf;
use std::time::Instant;

use age::x25519::Identity;
use futures_util::future::BoxFuture;
use policies::{Limits, Value};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{Backend, BackendError, Fetched};
use crate::secret::Secret;

/// Which file, and what opens it.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) file: PathBuf,
    /// A file of `age` identities, as `age-keygen` writes them.
    pub(crate) key: PathBuf,
    /// The program to read it with; for JSON none is needed.
    pub(crate) program: Option<PathBuf>,
}

/// One file, read again for every call: whoever changes it needs to tell nobody.
pub(crate) struct Sops {
    settings: Settings,
}

/// Why a file cannot be read.
#[derive(Debug, Error)]
pub(crate) enum SopsError {
    #[error("cannot read `{0}`")]
    Read(PathBuf, #[source] std::io::Error),
    #[error("it is not what SOPS writes: {0}")]
    Form(&'static str),
    #[error("no key opens it")]
    NoKey,
    #[error("it was changed since SOPS wrote it")]
    Changed,
    #[error("only the `sops` program reads it: {0}")]
    NeedsProgram(&'static str),
    #[error("`sops` failed")]
    Program(#[source] std::io::Error),
    #[error("`sops` took too long")]
    Late,
}

impl Sops {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// What stands at a path such as `github/token`, and when SOPS last wrote the file.
    pub(crate) fn read(&self, path: &str, deadline: Instant) -> Result<Option<(Secret, String)>, SopsError> {
        let (document, version) = match &self.settings.program {
            Some(program) => program::decrypt(program, &self.settings, deadline)?,
            None => document::decrypt(&self.text()?, &self.identities()?)?,
        };
        let at = path.split('/').try_fold(&document, |at, name| at.get(name));
        let value = match at {
            Some(Value::String(text)) => text.clone().into_bytes(),
            Some(other @ (Value::Number(_) | Value::Bool(_))) => other.to_string().into_bytes(),
            Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => return Ok(None),
        };
        Ok(Some((Secret::new(value), version)))
    }

    fn text(&self) -> Result<Value, SopsError> {
        let file = &self.settings.file;
        let bytes = std::fs::read(file).map_err(|error| SopsError::Read(file.clone(), error))?;
        Value::parse(&bytes, &LIMITS).map_err(|_| SopsError::NeedsProgram("it is not JSON"))
    }

    fn identities(&self) -> Result<Vec<Identity>, SopsError> {
        let key = &self.settings.key;
        let text = Zeroizing::new(std::fs::read_to_string(key).map_err(|error| SopsError::Read(key.clone(), error))?);
        Ok(text.lines().filter_map(|line| line.trim().parse().ok()).collect())
    }
}

impl Backend for Sops {
    fn fetch<'a>(&'a self, path: &'a str, deadline: Instant) -> BoxFuture<'a, Result<Fetched, BackendError>> {
        let (this, path) = (Self::new(self.settings.clone()), path.to_owned());
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || this.read(&path, deadline)).await;
            match read.map_err(|error| BackendError::Malformed(error.into()))? {
                Ok(Some((value, version))) => Ok(Fetched::kept(value, version)),
                Ok(None) => Err(BackendError::Missing),
                Err(SopsError::NoKey) => Err(BackendError::Sealed),
                Err(SopsError::Late) => Err(BackendError::Late),
                Err(error @ (SopsError::Read(..) | SopsError::Program(_))) => {
                    Err(BackendError::Unreachable(error.into()))
                }
                Err(error @ (SopsError::Form(_) | SopsError::Changed | SopsError::NeedsProgram(_))) => {
                    Err(BackendError::Malformed(error.into()))
                }
            }
        })
    }
}

/// A file of secrets is small.
const LIMITS: Limits = Limits { bytes: 4 << 20, depth: 32, values: 100_000 };
