//! `Policies::decide`: from a call and what surrounds it to a verdict.
//!
//! Facts and risk are found first; then the Cedar policies are asked. May this agent `call` this? No: deny. May it
//! `call_unattended`? Yes: allow. Else: hold. What cannot be asked or answered is denied.

mod ask;
mod binding;
mod held;
mod load;
mod observe;
mod permit;
mod slice;

use jiff::Timestamp;
use serde::Serialize;

use crate::approval::{Approver, Hold};
use crate::call::{Call, Hash, Tool};
use crate::facts::Facts;
use crate::risk::{self, Assessed, Reason, Risk};
use crate::session::{Provenance, Session};

pub(crate) use ask::tool_id;
use ask::{Answer, Answering, Question};
pub use binding::{Binding, Field};
pub use held::{Held, HoldTimes, NotApproved};
pub use load::{OBSERVE, Problem, Source, schema_text, shipped_policies};
use observe::Says;
pub use observe::{Observed, Would};
pub use permit::{Because, Denial, PERMIT_LASTS, Permit, Refused};
use slice::{Policy, Slices};

/// The policies in force. Immutable: a reload makes a new value and swaps it whole.
#[derive(Debug)]
pub struct Policies {
    slices: Slices,
}

/// What surrounds a call.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own, which policies can ask")]
pub struct Circumstances<'a> {
    /// What the agent has read.
    pub session: &'a Session,
    /// The agent has not used this tool before.
    pub first_use: bool,
    /// The call is unlike what the agent usually does.
    pub anomaly: bool,
    /// The server was seen trying what it had not declared, and no operator has looked at it since.
    pub undeclared: bool,
    /// An argument holds, in plain or encoded, a secret that the gateway keeps.
    pub live_secret: bool,
    /// The time.
    pub now: Timestamp,
    /// How long held calls wait.
    pub hold_for: HoldTimes,
}

/// What may happen to a call.
#[derive(Debug)]
#[must_use = "a verdict must be carried out"]
pub enum Verdict {
    /// It may run.
    Allow(Permit),
    /// It will not run.
    Deny(Denial),
    /// It may run when people say so.
    Hold(Held),
}

/// What was found out about a call: kept, shown and recorded with every verdict.
#[derive(Clone, Debug, Serialize)]
pub struct Assessment {
    /// How dangerous it is.
    pub risk: Risk,
    /// Why, the weightiest first.
    pub reasons: Vec<Reason>,
    /// What it does.
    pub facts: Facts,
    /// Where each argument value was seen first.
    pub provenance: Provenance,
    /// The ids of the policies that determined the verdict.
    pub policies: Vec<String>,
    /// The policies that only watch and would have changed it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub observed: Vec<Observed>,
}

impl Verdict {
    /// The call.
    #[must_use]
    pub fn call(&self) -> &Call {
        match self {
            Self::Allow(permit) => permit.call(),
            Self::Deny(denial) => denial.call(),
            Self::Hold(held) => held.call(),
        }
    }

    /// What was found out about it.
    #[must_use]
    pub fn assessment(&self) -> &Assessment {
        match self {
            Self::Allow(permit) => permit.assessment(),
            Self::Deny(denial) => denial.assessment(),
            Self::Hold(held) => held.assessment(),
        }
    }

    /// `allow`, `deny` or `hold`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Allow(_) => "allow",
            Self::Deny(_) => "deny",
            Self::Hold(_) => "hold",
        }
    }
}

/// Why an operator may not approve a hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotYours {
    /// The policy that forbids it; `None` where none permits it.
    pub rule: Option<String>,
    /// Why, in the policy's words.
    pub reason: Option<String>,
    /// What to do, in the policy's words.
    pub next: Option<String>,
}

impl NotYours {
    fn of(forbid: Option<&Policy>) -> Self {
        Self {
            rule: forbid.map(|policy| policy.id().to_owned()),
            reason: forbid.and_then(Policy::reason).map(str::to_owned),
            next: forbid.and_then(Policy::next).map(str::to_owned),
        }
    }
}

impl Policies {
    /// Decides what may happen to a call.
    pub fn decide(&self, call: Call, around: &Circumstances<'_>) -> Verdict {
        let assessment = assess(&call, around);
        self.judge(call, assessment, around)
    }

    fn judge(&self, call: Call, mut assessment: Assessment, around: &Circumstances<'_>) -> Verdict {
        let slice = self.slices.of(call.tool());
        let Some(question) = Question::new(&call, &assessment, around, slice) else {
            return Verdict::Deny(Denial::new(call, assessment, unaskable()));
        };
        assessment.observed = observe::observed(slice, &question);
        let called = slice.may_call(&question);
        assessment.policies.clone_from(&called.ids());
        match called {
            Answer::Yes(_) => {}
            Answer::No(forbids) => return deny(call, assessment, &forbids),
            Answer::Broken(_) => return Verdict::Deny(Denial::new(call, assessment, broken())),
        }
        let unattended = slice.may_call_unattended(&question);
        assessment.policies.extend(unattended.ids());
        let binding = Binding::of(&call, slice.hash());
        match unattended {
            Answer::Yes(_) => Verdict::Allow(Permit::new(call, assessment, binding, Because::Policy, around.now)),
            Answer::No(_) => Verdict::Hold(Held::new(call, assessment, binding, around.hold_for)),
            Answer::Broken(_) => Verdict::Deny(Denial::new(call, assessment, broken())),
        }
    }

    /// Denies a call for something that only the gateway knows, such as a changed definition or an unknown tool. No
    /// policy can allow it.
    pub fn reject(&self, call: Call, around: &Circumstances<'_>, reason: Reason) -> Denial {
        let mut assessment = assess(&call, around);
        let guard = self.slices.of(call.tool()).find(reason.id);
        let next = guard.and_then(Policy::next).unwrap_or(ASK_AN_OPERATOR).to_owned();
        let refused = Refused { rule: reason.id.to_owned(), reason: reason.text.clone(), next };
        assessment.risk = Risk::Critical;
        assessment.policies.extend(guard.map(|policy| policy.id().to_owned()));
        assessment.reasons.insert(0, reason);
        Denial::new(call, assessment, refused)
    }

    /// Whether this operator may approve this hold.
    ///
    /// # Errors
    /// The policy that forbids it, if one does; what cannot be answered is no.
    pub fn may_approve(&self, approver: &Approver<'_>, hold: &Hold) -> Result<(), NotYours> {
        self.may_answer(Answering::Approve, approver, hold)
    }

    /// Whether this operator may let this hold's call run without the others who were to be asked: only who may approve
    /// it may.
    ///
    /// # Errors
    /// The policy that forbids it, if one does; what cannot be answered is no.
    pub fn may_break_glass(&self, approver: &Approver<'_>, hold: &Hold) -> Result<(), NotYours> {
        self.may_approve(approver, hold)?;
        self.may_answer(Answering::BreakGlass, approver, hold)
    }

    /// The policies that only watch and would not have let this operator approve this hold, whom those in force let.
    #[must_use]
    pub fn would_not_approve(&self, approver: &Approver<'_>, hold: &Hold) -> Vec<String> {
        self.would_refuse(&[Answering::Approve], approver, hold)
    }

    /// The policies that only watch and would not have let this operator break the glass, whom those in force let.
    #[must_use]
    pub fn would_not_break_glass(&self, approver: &Approver<'_>, hold: &Hold) -> Vec<String> {
        self.would_refuse(&[Answering::Approve, Answering::BreakGlass], approver, hold)
    }

    /// Whether this operator may approve this hold by the right that another lent them: the other may approve it, and they
    /// may stand in for the other. An agent of either is an agent of both: what keeps one from approving their own agents'
    /// calls is not got round by having somebody else do it.
    ///
    /// # Errors
    /// The policy that forbids it, if one does; what cannot be answered is no.
    pub fn may_stand_in(&self, delegate: &Approver<'_>, of: &Approver<'_>, hold: &Hold) -> Result<(), NotYours> {
        let [delegate, of] = as_one(delegate, of, hold);
        self.may_approve(&of, hold)?;
        self.may_answer(Answering::StandIn, &delegate, hold)
    }

    /// The policies that only watch and would not have let this operator stand in for that one, whom those in force let.
    #[must_use]
    pub fn would_not_stand_in(&self, delegate: &Approver<'_>, of: &Approver<'_>, hold: &Hold) -> Vec<String> {
        let [delegate, of] = as_one(delegate, of, hold);
        let mut ids = self.would_refuse(&[Answering::Approve], &of, hold);
        ids.extend(self.would_refuse(&[Answering::StandIn], &delegate, hold));
        ids.sort();
        ids.dedup();
        ids
    }

    fn may_answer(&self, how: Answering, approver: &Approver<'_>, hold: &Hold) -> Result<(), NotYours> {
        let slice = self.slices.named(hold.server(), hold.method(), hold.tool());
        let request = ask::answering(how, approver, hold).ok_or_else(NotYours::default)?;
        match slice.may_answer(how, &request) {
            Answer::Yes(_) => Ok(()),
            Answer::No(forbids) | Answer::Broken(forbids) => Err(NotYours::of(forbids.first().copied())),
        }
    }

    fn would_refuse(&self, how: &[Answering], approver: &Approver<'_>, hold: &Hold) -> Vec<String> {
        let slice = self.slices.named(hold.server(), hold.method(), hold.tool());
        let asked: Vec<_> = how.iter().filter_map(|how| ask::answering(*how, approver, hold)).collect();
        let refuses = |policy: &&Policy| asked.iter().any(|one| slice.alone_on_answer(policy, one) > Says::Permits);
        slice.observed().filter(refuses).map(|policy| policy.id().to_owned()).collect()
    }

    /// The policies that only watch, each with whether it comes with the gateway.
    pub fn observed(&self) -> impl Iterator<Item = (&str, bool)> {
        let observed = self.slices.policies().iter().filter(|policy| policy.is_observed());
        observed.map(|policy| (policy.id(), policy.is_bundled()))
    }

    /// The hash of the policies that apply to this tool: what an approval is bound to. It stays the same when policies
    /// that cannot concern the tool change.
    #[must_use]
    pub fn hash_for(&self, tool: &Tool) -> Hash {
        self.slices.of(tool).hash()
    }

    /// The ids of all policies, in the order they were read.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.slices.policies().iter().map(Policy::id)
    }
}

/// Both as the policies see them where one stands in for the other. Neither gives a pass, and where one of them has a passkey both
/// have: a right that its owner uses with a passkey is not worth less in the hands of somebody who has none.
fn as_one<'a>(delegate: &Approver<'a>, of: &Approver<'a>, hold: &Hold) -> [Approver<'a>; 2] {
    let own = ask::owns(delegate, hold) || ask::owns(of, hold);
    let Approver { by, reasoned, .. } = *delegate;
    let passkeys = delegate.passkeys.max(of.passkeys);
    [delegate, of].map(|person| Approver { own, by, passkeys, reasoned, pass: false, ..*person })
}

fn assess(call: &Call, around: &Circumstances<'_>) -> Assessment {
    let mut facts = Facts::of(call.tool(), call.arguments());
    if around.live_secret {
        facts.hold_live_secret();
    }
    let provenance = around.session.provenance(call.arguments());
    let Assessed { risk, mut reasons } = risk::assess(
        &facts,
        call.tool().standing(),
        around.session.facts(),
        &provenance,
        around.first_use,
        around.anomaly,
    );
    if around.undeclared {
        let text = format!("The server `{}` was seen trying what it had not declared.", call.tool().server());
        reasons.push(Reason { id: "undeclared", text, at: None });
    }
    Assessment { risk, reasons, facts, provenance, policies: Vec::new(), observed: Vec::new() }
}

fn deny(call: Call, assessment: Assessment, forbids: &[&Policy]) -> Verdict {
    let refused = match forbids.first() {
        Some(policy) => forbidden(policy, &assessment),
        None => Refused::new(
            "not-permitted",
            format!("No policy permits agent `{}` to call this.", call.agent()),
            ASK_AN_OPERATOR,
        ),
    };
    Verdict::Deny(Denial::new(call, assessment, refused))
}

/// The policy's own words; else the reason that bears its name; else everything found.
fn forbidden(policy: &Policy, assessment: &Assessment) -> Refused {
    let found = || assessment.reasons.iter().find(|reason| reason.id == policy.id()).map(|reason| reason.text.clone());
    let all = || {
        let reasons: Vec<&str> = assessment.reasons.iter().map(|reason| reason.text.as_str()).take(3).collect();
        format!("Policy `{}` forbids this call ({} risk: {}).", policy.id(), assessment.risk, reasons.join("; "))
    };
    let reason = policy.reason().map(str::to_owned).or_else(found).unwrap_or_else(all);
    Refused::new(policy.id(), reason, policy.next().unwrap_or(ASK_AN_OPERATOR))
}

const ASK_AN_OPERATOR: &str =
    "Do not send this call again as it is. Do it another way, or ask your user to talk to an operator.";

fn unaskable() -> Refused {
    Refused::new(
        "undecidable",
        "The call could not be put to the policies: it has more argument values than they can be asked about.",
        "Send fewer values in one call.",
    )
}

fn broken() -> Refused {
    Refused::new(
        "policy-error",
        "A policy could not be evaluated for this call, and what cannot be decided is denied.",
        "Ask your user to tell an operator: the log names the policy.",
    )
}

#[cfg(test)]
pub(crate) mod tests;
