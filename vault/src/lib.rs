//! Lends secrets to recorded calls.
//!
//! The edge `vault → audit` is the guarantee: nothing is lent without an [`Entry`](audit::Entry), the proof that the
//! call's intent is on disk, nor before the redactor knows the value. The bytes of a secret are reachable in this crate
//! only: `gateway` and `sandbox` hold [`Leases`] and a [`Placer`], which are names and numbers.

mod backend;
mod config;
mod health;
mod keep;
mod known;
mod lease;
mod lent;
mod named;
mod open;
mod outbox;
mod own;
mod pkcs11;
mod place;
mod secret;
mod vault;

pub use backend::env::forget;
pub use backend::file::{FileError, Passphrase};
pub use backend::hashicorp::{ConnectorError, TransitError, TransitKey, TransitName};
pub use config::{Config, Problem, Reader, Tables, kind};
pub use health::Answer;
pub use keep::{KeepError, Listed, Sealed, seal};
pub use lease::{LeaseError, Leases};
pub use open::OpenError;
pub use pkcs11::{Pkcs11Error, Pkcs11Key, Pkcs11Name};
pub use place::{Handed, PlaceError, Placer, Target, WHOLE};
pub use vault::{Around, Clock, Vault};
