//! `Leases`: what one recorded call has borrowed.

use std::sync::Arc;

use audit::{AuditError, Entry, Loans};
use futures_util::future::join_all;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::backend::BackendError;
use crate::lent::Shared;
use crate::outbox::Borrowed;
use crate::place::Placer;

/// Why a call cannot be given what it needs. Agents may read it: it names the backend, never the secret.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct LeaseError(pub(crate) Why);

#[derive(Debug, Error)]
pub(crate) enum Why {
    /// The tool's profile names a secret that is placed nowhere, or that no `[secret.NAME]` describes.
    #[error("what this tool needs a secret for is not configured")]
    Unknown { secret: String },
    /// The backend does not give it.
    #[error("the secrets of this tool are kept at `{backend}`, which gives nothing now: {source}")]
    Backend { backend: String, secret: String, source: BackendError },
    /// What was made for the call cannot be recorded.
    #[error("a lease could not be recorded")]
    Audit(#[source] AuditError),
}

impl LeaseError {
    /// Which secret it is about: for operators.
    #[must_use]
    pub fn secret(&self) -> Option<&str> {
        match &self.0 {
            Why::Unknown { secret } | Why::Backend { secret, .. } => Some(secret),
            Why::Audit(_) => None,
        }
    }
}

/// What one recorded call has borrowed. The log cannot close the call's entry before these are ended.
///
/// Dropped, nothing can be placed any more, and what was made for the call is revoked: by the outbox, which goes on after
/// a crash.
#[must_use]
pub struct Leases {
    shared: Arc<Shared>,
    borrowed: Vec<Borrowed>,
}

impl Leases {
    pub(crate) fn new(shared: Arc<Shared>, borrowed: Vec<Borrowed>) -> Self {
        Self { shared, borrowed }
    }

    /// What the edge needs to place them: names and numbers, good while the call runs.
    #[must_use]
    pub fn placer(&self) -> Placer {
        Placer::new(Arc::clone(&self.shared))
    }

    /// Cancelled when an operator revokes a secret that this call holds: then the call must end.
    #[must_use]
    pub fn revoked(&self) -> &CancellationToken {
        self.shared.revoked()
    }

    /// Ends every lease; the proof of it closes the entry. What a backend does not take back in time stays recorded as
    /// borrowed, and is revoked as soon as the backend answers.
    pub async fn end(mut self, entry: &Entry) -> Loans {
        let loans = self.shared.end();
        join_all(std::mem::take(&mut self.borrowed).into_iter().map(Borrowed::give_back)).await;
        Loans::returned(entry, loans)
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        // What was borrowed hands itself to the outbox.
        self.shared.end();
    }
}
