//! Records every call before and after it runs, and lets nothing out unredacted.
//!
//! The edge `audit → policies` is the guarantee: [`Audit::open`] takes a [`Permit`](policies::Permit), so no call has an
//! entry without the rule or the people that allowed it; [`Audit::close`] alone makes a [`Receipt`], so no answer leaves
//! before its record is on disk.

mod entry;
mod event;
mod log;
mod observed;
mod outcome;
mod query;
mod raw;
pub mod record;
mod redact;
mod seal;
mod verify;

pub use entry::{Audit, Config, Direction, Entry, Recovered, StartError, StepRefused};
pub use event::Event;
pub use log::health::AuditError;
pub use log::views::{Agent, Pending, Pin};
pub use observed::{Attempt, Observed, Ran};
pub use outcome::{Answer, Failure, FailureKind, Loan, Loans, Outcome, Receipt, Refusal};
pub use query::{Filter, Found, Life, QueryError, Reader, ShowError};
pub use raw::{Raw, ResultType};
pub use record::{Decided, Kind, Record};
pub use redact::{Redacted, Redactor};
pub use seal::{HeldCall, KeyError, SealError, fingerprint_key};
pub use verify::{Broken, Verified, VerifyError, What, verify};
