//! `Observed`: what policies that only watch would have changed.
//!
//! A policy with `@mode("observe")`, or whose id the config lists, is asked beside those in force and decides nothing: it
//! lends no permit and forbids no call. What the verdict would have been with it, and no other observed one, is kept with
//! the assessment where that differs.

use serde::{Deserialize, Serialize};

use super::ask::{Answer, Question};
use super::slice::{Policy, Slice};

/// An observed policy that would have changed a verdict, had it been in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// Its id.
    pub policy: String,
    /// The verdict with it.
    pub would: Would,
}

/// What an observed policy would have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Would {
    /// Let the call run.
    Allow,
    /// Have it wait for a person.
    Hold,
    /// Refuse it.
    Deny,
}

impl Would {
    /// The verdict's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Hold => "hold",
            Self::Deny => "deny",
        }
    }
}

/// What policies come to, the weightier last: one `forbid` outweighs every `permit`, and what cannot be evaluated, both.
/// So what two sets come to together is the greater of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Says {
    Nothing,
    Permits,
    Forbids,
    Broken,
}

impl Says {
    pub(super) fn of(answer: &Answer<'_>) -> Self {
        match answer {
            Answer::Yes(_) => Self::Permits,
            Answer::No(forbids) if forbids.is_empty() => Self::Nothing,
            Answer::No(_) => Self::Forbids,
            Answer::Broken(_) => Self::Broken,
        }
    }
}

/// As [`Policies::decide`](super::Policies::decide) has it.
fn verdict(call: Says, unattended: Says) -> Would {
    match (call, unattended) {
        (Says::Permits, Says::Permits) => Would::Allow,
        (Says::Permits, Says::Nothing | Says::Forbids) => Would::Hold,
        (Says::Permits, Says::Broken) | (Says::Nothing | Says::Forbids | Says::Broken, _) => Would::Deny,
    }
}

/// The observed policies of a slice that would have changed what those in force say.
pub(super) fn observed(slice: &Slice, question: &Question) -> Vec<Observed> {
    if slice.observed().next().is_none() {
        return Vec::new();
    }
    let call = Says::of(&slice.may_call(question));
    let unattended = Says::of(&slice.may_call_unattended(question));
    let now = verdict(call, unattended);
    let with = |policy: &Policy| {
        // In force, it would have had the call refused as one that cannot be put to the policies.
        if question.is_short() && policy.looks_at_arguments() {
            return Would::Deny;
        }
        let [by_call, by_unattended] = slice.alone(policy, question);
        verdict(call.max(by_call), unattended.max(by_unattended))
    };
    let differs = |policy: &Policy| Some(with(policy)).filter(|would| *would != now);
    slice
        .observed()
        .filter_map(|policy| Some(Observed { policy: policy.id().to_owned(), would: differs(policy)? }))
        .collect()
}
