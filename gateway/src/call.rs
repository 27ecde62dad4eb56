//! The life of one call. Read this first.
//!
//! A call gains one proof at a time, each from the crate that owns it, and each step asks for the proof before it:
//! no entry without a permit, no lease and no run without an entry, no answer without a receipt.

mod caller;
mod converse;

use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use audit::{
    Answer, Audit, AuditError, Entry, Failure, FailureKind, Loans, MarkKind, NotOpened, Outcome, Ran, Receipt, Refusal,
    ResultType,
};
use policies::approval::{Approved, Hold, Step};
use policies::decision::{Because, Circumstances, Denial, Held, HoldTimes, Permit, Verdict};
use policies::{Call, HoldId, Reason};
use sandbox::Sandbox;
use tokio_util::sync::CancellationToken;
use vault::{Leases, Vault};

use crate::app::Reloadable;
use crate::catalog::Catalog;
use crate::clock;
use crate::hold::{Holds, Place, Settled};
use crate::metrics::Metrics;
use crate::sessions::Sessions;
use crate::telemetry::{Trace, Tracer};

pub use caller::{Caller, Continued, Heard, Terms};

/// Everything that a call passes through.
pub struct Calls {
    /// What may happen.
    pub policies: Arc<Reloadable>,
    /// What each agent has read.
    pub sessions: Sessions,
    /// What is offered, as it was pinned.
    pub catalog: Arc<Catalog>,
    /// Who is waited for.
    pub holds: Arc<Holds>,
    /// What happened.
    pub audit: Audit,
    /// What is lent.
    pub vault: Vault,
    /// Where it runs.
    pub sandbox: Arc<Sandbox>,
    /// How long people have to answer.
    pub hold_for: HoldTimes,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Which requests are traced; `None` for none.
    pub tracer: Option<Arc<Tracer>>,
    /// Calls that still run are interrupted.
    pub halt: CancellationToken,
}

/// How a call ended for the agent that waited for it.
#[must_use]
#[expect(clippy::large_enum_variant, reason = "taken apart where it is made; never stored")]
pub enum End {
    /// It ran; the answer is recorded and redacted.
    Answered {
        /// The proof.
        receipt: Receipt,
        /// The server's own state, where it asks for input: opaque, and sealed before an agent sees it.
        state: Option<String>,
    },
    /// It will not run; the refusal is recorded.
    Refused(Refusal),
    /// It waits for a person, and the agent has stopped waiting.
    Held(HoldId),
}

impl Calls {
    /// The life of one call.
    ///
    /// Not cancel-safe: it runs in a task of its own, to its end, whatever the connection does. Only while it is held
    /// may it be left ([`Caller::leave`]).
    ///
    /// # Errors
    /// If something could not be recorded. Then nothing ran, or its answer is withheld.
    pub async fn run(&self, call: Call, caller: Caller) -> Result<End, AuditError> {
        let trace = caller.terms.trace.clone();
        let (permit, place) = match self.decide_first(call, &trace) {
            Verdict::Allow(permit) => (permit, None),
            Verdict::Deny(denial) => return self.audit.refuse(denial, clock::now()).await.map(End::Refused),
            Verdict::Hold(held) => match self.wait(held, &caller).await? {
                Waited::Run(permit, place) => (permit, place),
                Waited::Refused(denial) => return self.audit.refuse(denial, clock::now()).await.map(End::Refused),
                Waited::Open(hold) => return Ok(End::Held(hold)),
            },
        };
        let approved_by = approval(&permit);
        if let (Some(hold), true) = (&approved_by, caller.cancel.is_cancelled()) {
            return Ok(End::Held(hold.clone())); // the approval stays for whoever comes back
        }
        let reads = permit.assessment().facts.reads;
        let span = trace.step("record intent");
        let entry = match self.audit.by(caller.terms.author.as_ref()).open(permit, clock::now()).await {
            Ok(entry) => entry, // the intent is on disk
            Err(not) => return self.not_opened(not).await,
        };
        drop(span);
        if let Some(hold) = approved_by {
            self.holds.consumed(&hold);
            caller.hears.try_send(Heard::Running).ok();
        }
        drop(place);
        let (mut ran, loans) = self.execute(&entry, caller).await;
        let state = state_of(&mut ran.outcome);
        let span = trace.step("redact, record outcome");
        let receipt = self.audit.close(entry, loans, ran, clock::now()).await?; // redacted, and on disk
        drop(span);
        if let Answer::Result(value) | Answer::Error(value) = receipt.outcome() {
            self.sessions.observe(receipt.call(), reads, value);
        }
        Ok(End::Answered { receipt, state })
    }

    /// Somebody may have denied a call in the moment between its approval and its dispatch: that is their answer, no failure.
    async fn not_opened(&self, not: NotOpened) -> Result<End, AuditError> {
        let hold = approval(&not.permit).filter(|_| not.why == AuditError::NotApproved);
        let ended = hold.and_then(|hold| self.holds.ended(&hold));
        match ended {
            Some(why) => self.audit.refuse(not.permit.refuse(why), clock::now()).await.map(End::Refused),
            None => Err(not.why),
        }
    }

    /// Decides a call that was not decided before: this counts.
    fn decide_first(&self, call: Call, trace: &Trace) -> Verdict {
        let mut span = trace.step("decide");
        if let Some(span) = &mut span {
            span.set("portcullis.call", call.id().as_str().to_owned());
        }
        let verdict = self.decide(call);
        self.metrics.decided(&verdict);
        if let Some(span) = &mut span {
            let (word, risk) = match &verdict {
                Verdict::Allow(permit) => ("allow", permit.assessment().risk),
                Verdict::Deny(denial) => ("deny", denial.assessment().risk),
                Verdict::Hold(held) => ("hold", held.assessment().risk),
            };
            span.set("portcullis.verdict", word);
            span.set("portcullis.risk", risk.as_str());
        }
        verdict
    }

    fn decide(&self, call: Call) -> Verdict {
        let first_use = self.audit.first_use(&call);
        let session = self.sessions.of(&call);
        let session = session.read().unwrap_or_else(PoisonError::into_inner);
        let (now, hold_for) = (clock::now(), self.hold_for);
        let undeclared = self.audit.mark(MarkKind::Quarantine, call.tool().server()).is_some();
        let live_secret = self.audit.redactor().holds_live(call.arguments());
        let around =
            Circumstances { session: &session, first_use, anomaly: false, undeclared, live_secret, now, hold_for };
        let policies = self.policies.current();
        if self.catalog.stands(call.tool()) {
            let begun = Instant::now();
            let verdict = policies.decide(call, &around);
            self.metrics.evaluated(begun.elapsed());
            return verdict;
        }
        let text = "The tool's definition is not the one that was pinned.".to_owned();
        Verdict::Deny(policies.reject(call, &around, Reason { id: "changed-definition", text, at: None }))
    }

    /// Waits for a person; a call that goes on with input it asked for is covered by the approval it ran under.
    async fn wait(&self, held: Held, caller: &Caller) -> Result<Waited, AuditError> {
        let held = match self.go_on(held, caller).await {
            Ok(Ok(permit)) => return Ok(Waited::Run(permit, None)),
            Ok(Err(denial)) => return Ok(Waited::Refused(denial)),
            Err(held) => held,
        };
        let _span = caller.terms.trace.step("hold");
        // Who does not hear of the hold still waits for it.
        let opened = |hold: &Hold| drop(caller.hears.try_send(Heard::Held(Box::new(hold.clone()))));
        let task = caller.terms.task.as_ref();
        Ok(match self.holds.settle(held, task, [&caller.leave, &caller.cancel], opened).await? {
            Settled::Approved(held, approved, place) => match self.again(held, &approved).await? {
                Ok(permit) => Waited::Run(permit, Some(place)),
                Err(denial) => Waited::Refused(denial),
            },
            Settled::Refused(denial) => Waited::Refused(denial),
            Settled::Open(hold) => Waited::Open(hold),
        })
    }

    /// An approved call is decided again, by what holds now, and must be the approved deed in every bound field, and no riskier
    /// than people were told. One that is not uses the approval up.
    async fn again(&self, held: Held, approved: &Approved) -> Result<Result<Permit, Denial>, AuditError> {
        match self.decide(held.into_call()) {
            Verdict::Allow(permit) => Ok(Ok(permit)),
            Verdict::Deny(denial) => Ok(Err(denial)),
            Verdict::Hold(held) => {
                if let Some(changed) = held.first_difference(approved.binding(), approved.risk()) {
                    self.holds.withdraw(approved.hold(), changed).await?;
                }
                Ok(held.release(approved, clock::now()))
            }
        }
    }

    /// `Err` gives a call back that no approval covers: it waits as any other.
    async fn go_on(&self, held: Held, caller: &Caller) -> Result<Result<Permit, Denial>, Held> {
        let Some(Continued { of, hold: Some(hold), .. }) = &caller.terms.resume else { return Err(held) };
        let (by, now) = (held.call().id().clone(), clock::now());
        let Ok(hold) = self.audit.step(hold.clone(), Step::Continue { of: of.clone(), by: by.clone() }, now).await
        else {
            return Err(held);
        };
        match hold.covered(&by, now) {
            Some(covered) => Ok(held.continue_from(&covered, now)),
            None => Err(held),
        }
    }

    /// A call whose secret is revoked is stopped, and its record says so.
    async fn while_lent(&self, entry: &Entry, leases: &Leases, caller: Caller) -> Ran {
        let (revoked, stop) = (leases.revoked(), caller.cancel.child_token());
        let mut running = pin!(self.converse(entry, leases, Caller { cancel: stop.clone(), ..caller }));
        let mut ran = tokio::select! {
            ran = &mut running => return ran,
            () = revoked.cancelled() => {
                stop.cancel();
                running.await
            }
        };
        if matches!(ran.outcome, Outcome::Cancelled) {
            let detail = "an operator revoked a secret that this call was lent".to_owned();
            ran.outcome = Outcome::Failed(Failure { kind: FailureKind::Lease, detail });
        }
        ran
    }

    /// Runs a recorded call with what it was lent, and carries what is said meanwhile.
    async fn execute(&self, entry: &Entry, caller: Caller) -> (Ran, Loans) {
        let mut span = caller.terms.trace.step("lease");
        let leases = match self.vault.lease(entry, caller.terms.deadline.into_std()).await {
            Ok(leases) => leases,
            Err(error) => {
                self.metrics.unlent();
                if let Some(span) = &mut span {
                    span.fail("lease");
                }
                tracing::warn!(call = %entry.call().id(), secret = error.secret(), %error, "a call was lent nothing");
                let failure = Failure { kind: FailureKind::Lease, detail: error.to_string() };
                return (Outcome::Failed(failure).into(), Loans::none(entry));
            }
        };
        drop(span);
        let ran = self.while_lent(entry, &leases, caller).await;
        (ran, leases.end(entry).await)
    }
}

/// How waiting for a person ended.
#[expect(clippy::large_enum_variant, reason = "taken apart where it is made; never stored")]
enum Waited {
    Run(Permit, Option<Place>),
    Refused(Denial),
    Open(HoldId),
}

/// The server's own state, where it asks for input: it goes round the log, sealed, since only the server can read it.
fn state_of(outcome: &mut Outcome) -> Option<String> {
    match outcome {
        Outcome::Answered(raw) if raw.result_type() == ResultType::InputRequired => raw.take_state(),
        Outcome::Answered(_) | Outcome::Errored(_) | Outcome::Failed(_) | Outcome::Cancelled | Outcome::Interrupted => {
            None
        }
    }
}

fn approval(permit: &Permit) -> Option<HoldId> {
    match permit.because() {
        Because::Approval { hold, .. } | Because::BreakGlass { hold, .. } => Some(hold.clone()),
        Because::Policy | Because::Continuation { .. } => None,
    }
}
