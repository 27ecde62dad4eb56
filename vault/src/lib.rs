//! Lends secrets to recorded calls.
//!
//! The edge `vault → audit` is the guarantee: nothing is lent without an [`Entry`](audit::Entry), the proof that the
//! call's intent is on disk. No backend exists yet, so a tool whose profile names a secret is refused rather than run
//! without it.

mod lease;

pub use lease::{LeaseError, Leases, Vault};
