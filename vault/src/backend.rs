//! `Backend`: where secrets are kept.

pub(crate) mod env;
pub(crate) mod file;
pub(crate) mod hashicorp;
pub(crate) mod sops;

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use thiserror::Error;

use crate::secret::Secret;

/// Where secrets are kept.
pub(crate) trait Backend: Send + Sync {
    /// Fetches what stands at `path`, or makes it, before `deadline`. Dropping the future leaves nothing lent, or what the
    /// backend ends by itself.
    fn fetch<'a>(&'a self, path: &'a str, deadline: Instant) -> BoxFuture<'a, Result<Fetched, BackendError>>;
}

/// A backend whose secrets were made for one call, and end with it.
pub(crate) trait Revoke: Send + Sync {
    /// Ends what the backend calls `lease`. Ending what has ended is no error.
    fn revoke<'a>(&'a self, lease: &'a str, deadline: Instant) -> BoxFuture<'a, Result<(), BackendError>>;
}

/// A backend, and how what it makes for one call is ended.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) backend: Arc<dyn Backend>,
    /// `None` where it makes nothing.
    pub(crate) revoke: Option<Arc<dyn Revoke>>,
}

/// Every backend, by its name in the config.
pub(crate) type Stores = BTreeMap<String, Store>;

/// What a backend gave.
pub(crate) struct Fetched {
    /// By name. Secrets whose paths differ only after the last `#` are fetched once, so that a user and a password belong to
    /// one lease; what stands after the `#` chooses the field.
    pub(crate) fields: BTreeMap<String, Secret>,
    /// As the backend counts.
    pub(crate) version: String,
    /// What the backend calls the lease, where it was made for this call.
    pub(crate) lease: Option<String>,
}

impl Fetched {
    /// One value that is kept there.
    pub(crate) fn kept(value: Secret, version: impl Into<String>) -> Self {
        Self { fields: BTreeMap::from([(String::new(), value)]), version: version.into(), lease: None }
    }
}

/// Why a backend gives nothing. Says nothing of the secret.
#[derive(Debug, Error)]
pub(crate) enum BackendError {
    /// Nobody answers.
    #[error("it cannot be reached")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// It did not answer in time.
    #[error("it did not answer in time")]
    Late,
    /// It is sealed, or its key is not to be had.
    #[error("it is sealed")]
    Sealed,
    /// Our credential is not good any more.
    #[error("it does not accept the gateway's own credential")]
    Unauthenticated,
    /// Our credential is good, but not for this.
    #[error("it forbids this")]
    Forbidden,
    /// There is nothing there.
    #[error("it holds no such secret")]
    Missing,
    /// What it answered makes no sense.
    #[error("its answer makes no sense")]
    Malformed(#[source] Box<dyn Error + Send + Sync>),
    /// What it holds is too short to be kept from answers: the redactor could not find it.
    #[error("what it holds is too short to be kept from answers")]
    Short,
}
