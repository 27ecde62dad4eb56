//! `Leases`: what one recorded call has borrowed.

use audit::{Entry, Loans};
use thiserror::Error;

/// Where secrets are kept.
#[derive(Debug, Default)]
pub struct Vault {}

/// Why a call cannot be given what it needs.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeaseError {
    /// The tool's profile names a secret that no backend holds.
    #[error("no backend holds the secret `{0}`")]
    Unknown(String),
}

impl Vault {
    /// Lends a recorded call every secret that its tool's profile names.
    ///
    /// # Errors
    /// [`LeaseError`] where one cannot be lent; then the call does not run.
    pub fn lease(&self, entry: &Entry) -> Result<Leases, LeaseError> {
        match entry.call().tool().standing().profile.secrets().first() {
            Some(name) => Err(LeaseError::Unknown(name.clone())),
            None => Ok(Leases {}),
        }
    }
}

/// What one recorded call has borrowed. The log cannot close the call's entry before these are ended.
#[must_use]
pub struct Leases {}

impl Leases {
    /// Ends every lease; the proof of it closes the entry.
    pub fn end(self, entry: &Entry) -> Loans {
        Loans::none(entry)
    }
}
