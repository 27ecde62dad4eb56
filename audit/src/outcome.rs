//! `Outcome` and what becomes of it: how a call ended, before and after redaction.

use std::fmt;

use policies::decision::Refused;
use policies::risk::Reason;
use policies::{Call, CallId, Permit, Risk, Value};

use crate::entry::Entry;
use crate::raw::Raw;

/// How a call ended, as the sandbox saw it.
#[must_use = "an outcome must be recorded"]
pub enum Outcome {
    /// The server's JSON-RPC result.
    Answered(Raw),
    /// The server's JSON-RPC error object.
    Errored(Raw),
    /// No answer that can be passed on.
    Failed(Failure),
    /// The agent cancelled it; an effect may have happened.
    Cancelled,
    /// The gateway stopped while it ran; an effect may have happened.
    Interrupted,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub kind: FailureKind,
    /// In the gateway's own words; it may be shown to the agent.
    pub detail: String,
}

/// What can go wrong on the way to a tool and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// The server could not be reached; the call did not run.
    Unreachable,
    /// The server ended while the call ran.
    Exited,
    /// The call's time ran out.
    OutOfTime,
    /// What came back is not an answer by the protocol.
    Malformed,
    /// The answer is larger than allowed.
    TooLarge,
    /// The server has no place for another call.
    Busy,
    /// A secret that the call needs could not be lent; the call did not run.
    Lease,
    /// The server offers no such thing any more.
    Unsupported,
    /// The agent's client did not give the input that the server asked for.
    Declined,
    /// The tool used more memory than its sandbox has.
    OutOfMemory,
    /// The tool came to an end that is no answer: a trap, an exit, a signal.
    Crashed,
    /// No sandbox could be made for it; the call did not run.
    NoSandbox,
}

impl FailureKind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Unreachable,
        Self::Exited,
        Self::OutOfTime,
        Self::Malformed,
        Self::TooLarge,
        Self::Busy,
        Self::Lease,
        Self::Unsupported,
        Self::Declined,
        Self::OutOfMemory,
        Self::Crashed,
        Self::NoSandbox,
    ];

    /// The kind's name in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Exited => "exited",
            Self::OutOfTime => "out-of-time",
            Self::Malformed => "malformed",
            Self::TooLarge => "too-large",
            Self::Busy => "busy",
            Self::Lease => "lease",
            Self::Unsupported => "unsupported",
            Self::Declined => "declined",
            Self::OutOfMemory => "out-of-memory",
            Self::Crashed => "crashed",
            Self::NoSandbox => "no-sandbox",
        }
    }
}

/// The proof that everything which one entry borrowed has been given back: the entry cannot close without it.
///
/// ```compile_fail
/// fn forge() -> audit::Loans {
///     audit::Loans { entry: 1, lent: vec![] }
/// }
/// ```
#[derive(Debug)]
#[must_use = "an entry closes only with its loans"]
pub struct Loans {
    entry: u64,
    lent: Vec<Loan>,
}

/// One secret that was lent and given back: which, never what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loan {
    /// The secret's name in the config.
    pub secret: String,
    /// Its version at the backend.
    pub version: String,
    /// Where it was placed.
    pub placed: String,
}

impl Loans {
    /// The entry borrowed nothing.
    pub fn none(entry: &Entry) -> Self {
        Self::returned(entry, Vec::new())
    }

    /// The entry borrowed these, and their lender has them back.
    pub fn returned(entry: &Entry, lent: Vec<Loan>) -> Self {
        Self { entry: entry.seq(), lent }
    }

    pub(crate) fn is_of(&self, entry: &Entry) -> bool {
        self.entry == entry.seq()
    }

    pub(crate) fn into_lent(self) -> Vec<Loan> {
        self.lent
    }
}

/// The only answer that a call may be given: its outcome is on disk, redacted, and this is what was written.
///
/// ```compile_fail
/// fn forge(answer: audit::Answer) -> audit::Receipt {
///     audit::Receipt { permit: todo!(), seq: 1, answer, redactions: 0 }
/// }
/// ```
///
/// ```compile_fail
/// fn twice(receipt: audit::Receipt) -> (audit::Receipt, audit::Receipt) {
///     (receipt.clone(), receipt)
/// }
/// ```
#[must_use = "the agent waits for this answer"]
pub struct Receipt {
    permit: Permit,
    seq: u64,
    answer: Answer,
    redactions: usize,
}

/// A recorded, redacted outcome.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// The server's result.
    Result(Value),
    /// The server's error object.
    Error(Value),
    /// No answer that can be passed on.
    Failed(Failure),
    /// The agent cancelled the call.
    Cancelled,
    /// The gateway stopped while the call ran.
    Interrupted,
}

impl Answer {
    /// The outcome's name in records.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Result(_) => "answered",
            Self::Error(_) => "errored",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }
}

impl Receipt {
    pub(crate) fn new(permit: Permit, seq: u64, answer: Answer, redactions: usize) -> Self {
        Self { permit, seq, answer, redactions }
    }

    /// The call that was answered.
    #[must_use]
    pub fn call_id(&self) -> &CallId {
        self.call().id()
    }

    /// The call that was answered.
    #[must_use]
    pub fn call(&self) -> &Call {
        self.permit.call()
    }

    /// The number of the outcome's record.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// What was written and may be answered.
    #[must_use]
    pub fn outcome(&self) -> &Answer {
        &self.answer
    }

    /// What was written and may be answered, to send on.
    #[must_use]
    pub fn into_answer(self) -> Answer {
        self.answer
    }

    /// How many places were redacted in it.
    #[must_use]
    pub fn redactions(&self) -> usize {
        self.redactions
    }
}

impl fmt::Debug for Receipt {
    /// Without the permit, whose call has unredacted arguments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Receipt");
        text.field("call", self.call_id()).field("seq", &self.seq).field("answer", &self.answer);
        text.field("redactions", &self.redactions).finish_non_exhaustive()
    }
}

/// A recorded denial: what the agent may now be told.
///
/// ```compile_fail
/// fn forge(honest: audit::Refusal) -> audit::Refusal {
///     audit::Refusal { seq: 1, ..honest }
/// }
/// ```
#[derive(Debug)]
#[must_use = "the agent waits for this answer"]
pub struct Refusal {
    pub(crate) call: CallId,
    pub(crate) seq: u64,
    pub(crate) refused: Refused,
    pub(crate) risk: Risk,
    pub(crate) reasons: Vec<Reason>,
}

impl Refusal {
    /// The call that was refused.
    #[must_use]
    pub fn call_id(&self) -> &CallId {
        &self.call
    }

    /// The number of the refusal's record.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// What the agent is told.
    #[must_use]
    pub fn refused(&self) -> &Refused {
        &self.refused
    }

    /// How dangerous the call was found.
    #[must_use]
    pub fn risk(&self) -> Risk {
        self.risk
    }

    /// Why it was found so.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }
}
