//! `Audit`: opens an entry before a call runs, closes it before its answer leaves, and records all else that happens.

mod draft;
mod start;
mod view;

use std::sync::Arc;

use jiff::Timestamp;
use policies::approval::{Covering, Hold, Pass, Step, StepError};
use policies::decision::{Because, Denial, Held, Permit};
use policies::{Call, HoldId};
use thiserror::Error;

use crate::author::Author;
use crate::event::Event;
use crate::figures::Figures;
use crate::log::Log;
use crate::log::health::AuditError;
use crate::log::views::{Mark, MarkKind};
use crate::log::work::{Approval, Done, Guard, NotDone, Passing, Work};
use crate::observed::Ran;
use crate::outcome::{Loans, Receipt, Refusal};
use crate::raw::Raw;
use crate::record::Draft;
use crate::redact::{Redacted, Redactor, Tail};
use crate::seal::Seal;

pub(crate) use start::Ready;
pub use start::{Config, Recovered, StartError};

/// The log, to write to. Clones share one writer.
#[derive(Clone)]
pub struct Audit {
    log: Log,
    redactor: Arc<Redactor>,
    seal: Arc<Seal>,
    /// On whose behalf it writes; its own, where there is none.
    author: Option<Arc<Author>>,
}

/// The proof that a call's intent is on disk: what may run, and must be closed.
///
/// Only [`Audit::open`] makes one:
///
/// ```compile_fail
/// fn forge(permit: policies::Permit) -> audit::Entry {
///     audit::Entry { permit, seq: 1, guard: None }
/// }
/// ```
///
/// and it cannot be copied, so that one intent has one outcome:
///
/// ```compile_fail
/// fn twice(entry: audit::Entry) -> (audit::Entry, audit::Entry) {
///     (entry.clone(), entry)
/// }
/// ```
#[must_use = "an open entry must be closed with its outcome"]
pub struct Entry {
    permit: Permit,
    seq: u64,
    guard: Guard,
}

impl Entry {
    /// The call that may run.
    #[must_use]
    pub fn call(&self) -> &Call {
        self.permit.call()
    }

    /// What let it run.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// The number of the intent's record.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }
}

/// Which way a relayed message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// A server asks the agent's client.
    ToAgent,
    /// The agent's client answers the server.
    ToServer,
}

impl Direction {
    /// The direction's name in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ToAgent => "to-agent",
            Self::ToServer => "to-server",
        }
    }
}

/// A call that was not opened, and why. Its permit is handed back to be refused: it opens nothing else.
#[derive(Debug, Error)]
#[error("the call was not opened")]
pub struct NotOpened {
    /// What it would have run by.
    pub permit: Box<Permit>,
    /// Why it does not run.
    #[source]
    pub why: AuditError,
}

impl From<NotOpened> for AuditError {
    fn from(not: NotOpened) -> Self {
        not.why
    }
}

/// Why a hold did not take a step.
#[derive(Debug, Error)]
pub enum StepRefused {
    /// The log could not record it.
    #[error("the step could not be recorded")]
    Audit(#[source] AuditError),
    /// The hold does not allow it.
    #[error("the hold does not allow this step")]
    Step(#[source] StepError),
    /// There is no such hold.
    #[error("there is no such hold")]
    Unknown,
}

impl Audit {
    /// The same log for what this person asks for: whatever is written through it is refused with [`AuditError::NoAuthor`] if they
    /// are not who they were, which is asked in the transaction that writes it. Only the outcome of what runs is recorded for
    /// anybody. What the gateway does by itself is nobody's.
    #[must_use]
    pub fn by(&self, author: Option<&Arc<Author>>) -> Self {
        Self { author: author.map(Arc::clone), ..self.clone() }
    }

    /// Whether whoever it writes for is still who they were, for what is done before it is recorded: only the record knows for
    /// certain.
    ///
    /// # Errors
    /// [`AuditError::NoAuthor`].
    pub fn acts(&self) -> Result<(), AuditError> {
        let views = self.log.shared().views();
        let stands = match self.author.as_deref() {
            None => true,
            Some(Author::User) => views.operators.is_empty(),
            Some(author @ Author::Operator { name, .. }) => {
                views.operators.get(name).is_some_and(|operator| author.is(operator))
            }
        };
        if stands { Ok(()) } else { Err(AuditError::NoAuthor) }
    }

    /// Records that a permitted call is about to run. When this returns, the intent is on disk; a permit that comes from an
    /// approval has used the approval up in the same transaction.
    ///
    /// Not cancel-safe: dropped midway, the intent may be on disk. Then it is closed as interrupted, and nothing runs.
    ///
    /// # Errors
    /// [`NotOpened`]: [`AuditError::AlreadyConsumed`] if the call or its approval has run, [`AuditError::NotApproved`] and
    /// [`AuditError::PermitExpired`] if the permit is not good any more; else the disk. Then the call must not run.
    pub async fn open(&self, permit: Permit, now: Timestamp) -> Result<Entry, NotOpened> {
        match self.intend(&permit, now).await {
            Ok((seq, guard)) => Ok(Entry { permit, seq, guard }),
            Err(why) => Err(NotOpened { permit: Box::new(permit), why }),
        }
    }

    async fn intend(&self, permit: &Permit, now: Timestamp) -> Result<(u64, Guard), AuditError> {
        if !permit.is_live(now) {
            return Err(AuditError::PermitExpired);
        }
        let draft = self.intent(permit, now);
        let approval = match permit.because() {
            Because::Approval { hold, .. } | Because::BreakGlass { hold, .. } => Some(Box::new(Approval {
                hold: hold.clone(),
                by: permit.call().id().clone(),
                binding: permit.binding().clone(),
                at: now,
            })),
            Because::Policy | Because::Continuation { .. } => None,
        };
        let done = self.record(Work::Intent { draft, approval }).await?;
        let guard = done.guard.ok_or(AuditError::Failed)?;
        Ok((done.seq, guard))
    }

    /// Redacts and records how a call ended, and yields the only answer it may be given.
    ///
    /// Not cancel-safe: dropped midway, the outcome may be recorded without being answered.
    ///
    /// # Errors
    /// [`AuditError`] if the outcome is not on disk. Then the answer is withheld for good; the record says `interrupted` as
    /// soon as the log can be written again.
    pub async fn close(
        &self,
        mut entry: Entry,
        loans: Loans,
        ran: impl Into<Ran>,
        now: Timestamp,
    ) -> Result<Receipt, AuditError> {
        if !loans.is_of(&entry) {
            return Err(AuditError::ForeignLoans);
        }
        entry.guard.closing();
        let ran = ran.into();
        let sandboxed = entry.call().tool().standing().profile.resources().is_some();
        let quarantine = (sandboxed && ran.observed.undeclared()).then(|| self.quarantine(&entry, now));
        self.figures().refused(ran.observed.denied());
        let (draft, answer, redactions) = self.outcome(&entry, loans, ran, now);
        let done = self.record(Work::Outcome { draft, intent: entry.seq, quarantine }).await?;
        entry.guard.settle();
        Ok(Receipt::new(entry.permit, done.seq, answer, redactions))
    }

    /// Records that a call was denied; the agent may be told what is in the [`Refusal`].
    ///
    /// # Errors
    /// [`AuditError`] if the refusal is not on disk. The call does not run either way.
    pub async fn refuse(&self, denial: Denial, now: Timestamp) -> Result<Refusal, AuditError> {
        let (draft, refused) = self.refusal(&denial, now);
        let done = self.record(Work::Record(draft)).await?;
        Ok(Refusal {
            call: denial.call().id().clone(),
            seq: done.seq,
            refused,
            risk: denial.assessment().risk,
            reasons: denial.assessment().reasons.clone(),
        })
    }

    /// Records that a call waits, and keeps its bytes, sealed, until the hold ends.
    ///
    /// # Errors
    /// [`AuditError::IdTaken`] if there is a hold of this id; else the disk. Then there is no hold.
    pub async fn hold(&self, held: &Held, opened: Hold, now: Timestamp) -> Result<(), AuditError> {
        let sealed = self.seal.seal(opened.id(), held.call()).map_err(|_| AuditError::Failed)?;
        let opened = self.redacted_hold(opened)?;
        let draft = self.waits(held, &opened, now);
        self.record(Work::Hold { draft, hold: Box::new(opened), sealed }).await.map(|_| ())
    }

    /// Applies a step to a hold: the state machine's answer, its record and the stored hold are one transaction, so each
    /// transition happens once, whoever asks for it at the same time. The end of a hold erases its sealed call.
    ///
    /// # Errors
    /// [`StepRefused`]; then the hold is as it was.
    pub async fn step(&self, hold: HoldId, step: Step, now: Timestamp) -> Result<Hold, StepRefused> {
        self.stepped(hold, step, None, now).await
    }

    /// An approval, and a pass that is given with it: in one transaction, so that there is no pass without the approval.
    ///
    /// # Errors
    /// [`StepRefused`]; then the hold is as it was, and there is no pass.
    pub async fn approve_with(
        &self,
        hold: HoldId,
        step: Step,
        pass: Pass,
        now: Timestamp,
    ) -> Result<Hold, StepRefused> {
        self.stepped(hold, step, Some(Passing::Given(pass)), now).await
    }

    /// The approval that a pass gives: it is counted in the same transaction.
    ///
    /// # Errors
    /// [`StepRefused`]: the hold is not the one that the proof is for, or the pass has nothing left. Then nothing changed.
    pub async fn pass(&self, hold: HoldId, covering: Covering, now: Timestamp) -> Result<Hold, StepRefused> {
        let step = covering.step();
        self.stepped(hold, step, Some(Passing::Used(covering)), now).await
    }

    async fn stepped(
        &self,
        hold: HoldId,
        step: Step,
        pass: Option<Passing>,
        now: Timestamp,
    ) -> Result<Hold, StepRefused> {
        let (step, pass) = (self.redacted_step(step), pass.map(Box::new));
        match self.submit(Work::Step { hold, step, pass, at: now }).await {
            Ok(done) => done.hold.map(|hold| *hold).ok_or(StepRefused::Audit(AuditError::Failed)),
            Err(NotDone::Audit(error)) => Err(StepRefused::Audit(error)),
            Err(NotDone::Step(error)) => Err(StepRefused::Step(error)),
            Err(NotDone::NoHold) => Err(StepRefused::Unknown),
        }
    }

    /// Records and redacts a message that is passed through while a call runs: a server's question to the agent's client
    /// (sampling, elicitation, roots), or the answer.
    ///
    /// # Errors
    /// [`AuditError`] if it is not on disk. Then it must not be passed on.
    pub async fn relay(
        &self,
        entry: &Entry,
        direction: Direction,
        method: &str,
        message: Raw,
        now: Timestamp,
    ) -> Result<Redacted, AuditError> {
        let (draft, redacted) = self.relayed(entry, direction, method, message, now);
        self.record(Work::Record(draft)).await?;
        Ok(redacted)
    }

    /// Redacts the notifications of one call (progress, log messages), one after the other: these are not recorded.
    #[must_use]
    pub fn notices(&self) -> Tail {
        self.redactor.tail()
    }

    /// Records an event and changes the projection that it is about in the same transaction. Answers the record's number.
    ///
    /// # Errors
    /// [`AuditError::Unknown`] if the event is about something that is not there, [`AuditError::Unnamable`] if it pins what no record
    /// can name, [`AuditError::NoAuthor`] as [`Audit::by`] says; else the disk. Then nothing changed.
    pub async fn note(&self, event: Event, now: Timestamp) -> Result<u64, AuditError> {
        let work = self.event(event, now)?;
        Ok(self.record(work).await?.seq)
    }

    /// Whether the log would take a record now.
    ///
    /// # Errors
    /// The [`AuditError`] that calls are refused with.
    pub fn healthy(&self) -> Result<(), AuditError> {
        self.log.shared().health.check()
    }

    /// What was counted and timed since the start.
    #[must_use]
    pub fn figures(&self) -> &Figures {
        &self.log.shared().figures
    }

    /// The redactor that the log writes through.
    #[must_use]
    pub fn redactor(&self) -> &Arc<Redactor> {
        &self.redactor
    }

    /// Writes what is queued, closes the database and gives up the state folder. Entries that are still open stay so, to be
    /// closed as interrupted at the next start. True if it was done in time.
    pub async fn stop(&self) -> bool {
        self.log.stop().await
    }

    fn quarantine(&self, entry: &Entry, now: Timestamp) -> Mark {
        let tool = entry.call().tool();
        // As the record has it: what is known to be secret may have become more while it ran.
        let recorded = entry.guard.subject().map(|subject| subject.tool.clone());
        let value = recorded.unwrap_or_else(|| self.redactor.text(tool.name()));
        Mark { kind: MarkKind::Quarantine, name: tool.server().clone(), value, at: now }
    }

    async fn submit(&self, work: Work) -> Result<Done, NotDone> {
        match &self.author {
            // What runs has an end, whoever asked for it.
            Some(author) if work.ends().is_none() => {
                self.log.submit(Work::By { author: Arc::clone(author), work: Box::new(work) }).await
            }
            Some(_) | None => self.log.submit(work).await,
        }
    }

    async fn record(&self, work: Work) -> Result<Done, AuditError> {
        self.submit(work).await.map_err(|why| match why {
            NotDone::Audit(error) => error,
            NotDone::Step(_) | NotDone::NoHold => AuditError::NotApproved,
        })
    }

    fn about(&self, call: &Call, assessment: &policies::Assessment, draft: Draft) -> Draft {
        let subject = crate::record::Subject::of(call, assessment.risk, |name| self.redactor.text(name));
        draft.about(subject)
    }
}
