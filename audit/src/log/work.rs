//! `Work`: what the writer is asked to do, all of it or nothing, and what it answers.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use policies::approval::{Covering, Delegation, Hold, Pass, Step, StepError};
use policies::decision::Binding;
use policies::{AgentId, CallId, Hash, HoldId, OperatorId, ServerName};
use ring::error::Unspecified;
use tokio::sync::oneshot;

use super::health::AuditError;
use super::views::{Agent, Borrowed, Mark, MarkKind, Pending, Pin, PinKey};
use crate::author::Author;
use crate::note::VerifierKey;
use crate::operator::{Door, Operator, Verifier};
use crate::passkey::{Credential, Passkey};
use crate::record::{Draft, Subject};

/// One request to the writer. Everything in it is redacted.
pub(crate) enum Work {
    /// What somebody asked for: done if they are still who they were.
    By { author: Arc<Author>, work: Box<Work> },
    /// A record and nothing else.
    Record(Draft),
    /// A call is about to run.
    Intent {
        draft: Draft,
        /// The approval that it uses up.
        approval: Option<Box<Approval>>,
    },
    /// A call has ended.
    Outcome {
        draft: Draft,
        intent: u64,
        /// Its server tried what it had not declared.
        quarantine: Option<Mark>,
    },
    /// A call waits.
    Hold { draft: Draft, hold: Box<Hold>, sealed: Vec<u8> },
    /// Something happens to a hold.
    Step {
        hold: HoldId,
        step: Step,
        /// The pass that the step gives or uses.
        pass: Option<Box<Passing>>,
        at: Timestamp,
    },
    /// A pass is revoked.
    NoPass { draft: Draft, hold: HoldId },
    /// A review is closed.
    NoReview { draft: Draft, hold: HoldId, by: OperatorId },
    /// An agent is added.
    Agent { draft: Draft, agent: Agent },
    /// An agent is removed.
    NoAgent { draft: Draft, name: AgentId },
    /// An operator is added.
    Operator { draft: Draft, operator: Operator },
    /// An operator has another PIN.
    OperatorPin { draft: Draft, name: OperatorId, pin: Verifier },
    /// An operator is removed.
    NoOperator { draft: Draft, name: OperatorId },
    /// An operator lends another the right to approve.
    Delegate { draft: Draft, delegation: Box<Delegation>, proof: Option<serde_json::Value> },
    /// They do no more.
    NoDelegation { draft: Draft, id: u64 },
    /// An operator proved who they are, or failed to at this time.
    Tried { draft: Draft, name: OperatorId, door: Door, failed: Option<Timestamp> },
    /// An operator has another passkey.
    Passkey { draft: Draft, passkey: Box<Passkey> },
    /// It signs for nobody any more.
    NoPasskey { draft: Draft, name: OperatorId, credential: Credential },
    /// It signed.
    PasskeyUsed { draft: Draft, name: OperatorId, credential: Credential, counter: u32, door: Door, at: Timestamp },
    /// A pin is made or replaced.
    Pin { draft: Draft, pin: Box<Pin> },
    /// A pinned tool differs.
    Pending { draft: Draft, key: PinKey, pending: Option<Pending> },
    /// Something is noted of a server.
    Mark { draft: Draft, mark: Mark },
    /// It is noted no more.
    NoMark { draft: Draft, kind: MarkKind, name: ServerName },
    /// A backend made something for one call.
    Borrow { draft: Draft, borrowed: Borrowed },
    /// The backend has it back.
    Return { draft: Draft, backend: String, lease: String },
    /// A pending definition is accepted.
    Accept { draft: Draft, key: PinKey, hash: Hash, at: Timestamp },
    /// From this record on, this key signs.
    Key { draft: Draft, key: VerifierKey },
    /// The bodies up to this record are erased.
    Erase { draft: Draft, last: u64 },
    /// The records up to this one are to go, and with them these holds, which ended in them.
    Prune {
        draft: Draft,
        minimum: u64,
        /// What the records led to.
        state: String,
        ended: Vec<HoldId>,
    },
}

/// What a step has to do with a pass.
pub(crate) enum Passing {
    /// It is given with this approval.
    Given(Pass),
    /// This approval is one of its uses.
    Used(Covering),
}

/// An approval that an intent uses up.
pub(crate) struct Approval {
    pub(crate) hold: HoldId,
    pub(crate) by: CallId,
    pub(crate) binding: Binding,
    pub(crate) at: Timestamp,
}

impl Work {
    /// Does beforehand what needs no database.
    pub(crate) fn prepare(&mut self) -> Result<(), Unspecified> {
        match self {
            Self::By { work, .. } => work.prepare(),
            Self::Record(draft)
            | Self::Intent { draft, .. }
            | Self::Outcome { draft, .. }
            | Self::Hold { draft, .. }
            | Self::Agent { draft, .. }
            | Self::NoAgent { draft, .. }
            | Self::Operator { draft, .. }
            | Self::OperatorPin { draft, .. }
            | Self::NoOperator { draft, .. }
            | Self::Delegate { draft, .. }
            | Self::NoDelegation { draft, .. }
            | Self::Tried { draft, .. }
            | Self::Passkey { draft, .. }
            | Self::NoPasskey { draft, .. }
            | Self::PasskeyUsed { draft, .. }
            | Self::Pin { draft, .. }
            | Self::Pending { draft, .. }
            | Self::Mark { draft, .. }
            | Self::NoMark { draft, .. }
            | Self::Borrow { draft, .. }
            | Self::Return { draft, .. }
            | Self::NoPass { draft, .. }
            | Self::NoReview { draft, .. }
            | Self::Accept { draft, .. }
            | Self::Key { draft, .. }
            | Self::Erase { draft, .. }
            | Self::Prune { draft, .. } => draft.prepare(),
            Self::Step { .. } => Ok(()),
        }
    }

    /// Whether this ends something that runs already: such work may use the reserve of a full disk, and waits for a slow one.
    pub(crate) fn ends(&self) -> Option<u64> {
        if let Self::Outcome { intent, .. } = self { Some(*intent) } else { None }
    }
}

/// What was written.
pub(crate) struct Done {
    /// The number of the record.
    pub(crate) seq: u64,
    /// Of an intent.
    pub(crate) guard: Option<Guard>,
    /// Of a step: the hold after it.
    pub(crate) hold: Option<Box<Hold>>,
}

/// Why nothing was written.
#[derive(Debug)]
pub(crate) enum NotDone {
    Audit(AuditError),
    Step(StepError),
    NoHold,
}

impl From<AuditError> for NotDone {
    fn from(error: AuditError) -> Self {
        Self::Audit(error)
    }
}

pub(crate) type Reply = oneshot::Sender<Result<Done, NotDone>>;

/// A request with whoever waits for it.
pub(crate) struct Job {
    pub(crate) work: Work,
    pub(crate) reply: Reply,
}

impl Job {
    /// Whether whoever asked has given up.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }
}

/// What must still be written because an open entry was left: by a future that was dropped, or by a record that could not
/// be written in time.
pub(crate) struct Owed(Mutex<Vec<Debt>>);

pub(crate) enum Debt {
    /// Close this intent as interrupted.
    Interrupted { intent: u64, subject: Subject, why: &'static str },
    /// This outcome was written, and its answer was not given.
    Withheld { outcome: u64 },
}

impl Owed {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    pub(crate) fn add(&self, debt: Debt) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(debt);
    }

    pub(crate) fn take(&self) -> Vec<Debt> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Belongs to one open entry. Dropped without `close`, it leaves a debt: no intent stays without an outcome while the
/// gateway lives.
pub(crate) struct Guard {
    owed: Arc<Owed>,
    debt: Option<(u64, Subject)>,
    why: &'static str,
}

impl Guard {
    pub(crate) fn new(owed: Arc<Owed>, intent: u64, subject: Subject) -> Self {
        Self { owed, debt: Some((intent, subject)), why: "the call was given up before its outcome" }
    }

    /// From here on the outcome is on its way to the writer.
    pub(crate) fn closing(&mut self) {
        self.why = "the outcome could not be recorded";
    }

    /// The outcome is on disk.
    pub(crate) fn settle(mut self) {
        self.debt = None;
    }

    pub(crate) fn subject(&self) -> Option<&Subject> {
        self.debt.as_ref().map(|(_, subject)| subject)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some((intent, subject)) = self.debt.take() {
            self.owed.add(Debt::Interrupted { intent, subject, why: self.why });
        }
    }
}
