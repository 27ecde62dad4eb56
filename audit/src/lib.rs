//! Records every call before and after it runs, and lets nothing out unredacted.
//!
//! The edge `audit → policies` is the guarantee: [`Audit::open`] takes a [`Permit`](policies::Permit), so no call has an
//! entry without the rule or the people that allowed it; [`Audit::close`] alone makes a [`Receipt`], so no answer leaves
//! before its record is on disk.

pub mod assertion;
mod author;
mod backup;
mod checkpoint;
mod entry;
mod event;
mod export;
mod figures;
mod index;
mod log;
mod note;
mod observed;
mod operator;
mod outcome;
mod passkey;
mod proof;
mod prune;
mod query;
mod raw;
pub mod record;
mod redact;
mod seal;
mod tile;
mod tree;
mod verify;
mod witness;

pub use author::Author;
pub use backup::{BackupError, Listed, Listing, Order, Progress, RestoreError, Restored, Watch, backup, restore};
pub use checkpoint::{BadCheckpoint, Checkpoint, Settings, WitnessAddress};
pub use entry::{Audit, Config, Direction, Entry, NotOpened, Recovered, StartError, StepRefused};
pub use event::{DelegationEnd, Event};
pub use export::{ExportError, Exported, export};
pub use figures::{Distribution, Figures, Histogram};
pub use log::health::AuditError;
pub use log::keys::NotOurs;
pub use log::renew::{Renewed, accept, log_key, rotate_key, rotate_key_from};
pub use log::views::{Agent, Borrowed, Mark, MarkKind, Pending, Pin};
pub use note::{BadKey, BadNote, FileKey, KeyType, Note, Signer, VerifierKey};
pub use observed::{Attempt, Observed, Ran};
pub use operator::{Door, Failures, Operator, Verifier};
pub use outcome::{Answer, Failure, FailureKind, Loan, Loans, Outcome, Receipt, Refusal};
pub use passkey::{Credential, MOST_PASSKEYS, Passkey};
pub use proof::{BadProof, Disclosed, Proof, ProveError, Proven, Shown, prove};
pub use prune::{Gone, Missing, Need, PruneError, Pruning, prune};
pub use query::{Activity, Answered, Filter, Found, Leaf, Life, Part, QueryError, Reader, ShowError, Span};
pub use raw::{Raw, ResultType};
pub use record::{Body, Decided, Kind, Record};
pub use redact::{Finding, Learned, Personal, Redacted, Redactor, Scrub, Stream, Tail, UnknownPersonal, Withheld};
pub use seal::{HeldCall, KeyError, SealError, fingerprint_key};
pub use verify::{Broken, Trusted, Verified, VerifyError, What, outside, verify, verify_tiles, verify_with};
pub use witness::{Answer as WitnessAnswer, Submission, SubmitError, Witness, WitnessError};
