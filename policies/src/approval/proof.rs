//! `Approved` and `Covered`: what a hold can prove, and for how long.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Approval, Hold, HoldState, Lent};
use crate::call::{CallId, HoldId, OperatorId};
use crate::decision::Binding;
use crate::risk::Risk;

/// The proof that enough people approved one deed, or that one broke the glass, in time. Only [`Hold::approved`] makes one.
///
/// ```compile_fail
/// fn forge(honest: policies::Approved) -> policies::Approved {
///     policies::Approved { operators: vec![], ..honest }
/// }
/// ```
///
/// ```compile_fail
/// fn read(text: &str) -> policies::Approved {
///     serde_json::from_str(text).unwrap()
/// }
/// ```
#[derive(Debug)]
#[must_use = "an approval lets a call run through `Held::release`"]
pub struct Approved {
    hold: HoldId,
    binding: Binding,
    risk: Risk,
    operators: Vec<OperatorId>,
    lent: BTreeMap<OperatorId, Lent>,
    glass: Option<OperatorId>,
    expires: Timestamp,
}

/// The proof that an approved call which asked its client for input may go on as this call. Only [`Hold::covered`] makes
/// one.
///
/// ```compile_fail
/// fn forge(honest: policies::approval::Covered, by: policies::CallId) -> policies::approval::Covered {
///     policies::approval::Covered { by, ..honest }
/// }
/// ```
#[derive(Debug)]
#[must_use = "a cover lets a call go on through `Held::continue_from`"]
pub struct Covered {
    of: CallId,
    by: CallId,
    binding: Binding,
    until: Timestamp,
}

/// How long after it ran an approved call may go on with input that it asked for: time for a person to fill in a form.
pub const COVER_LASTS: SignedDuration = SignedDuration::from_mins(10);

/// How many times: servers ask once or twice; a server that asks without end is using one approval for many deeds.
pub const COVER_ROUNDS: u8 = 8;

impl Hold {
    /// The proof that this hold lets its call run, if it does so at this time.
    #[must_use]
    pub fn approved(&self, now: Timestamp) -> Option<Approved> {
        if self.state != HoldState::Approved || now >= self.expires {
            return None;
        }
        let operators = self.approvals.iter().map(|approval| approval.operator.clone()).collect();
        let lent = |given: &Approval| Some((given.operator.clone(), given.lent.clone()?));
        Some(Approved {
            hold: self.id.clone(),
            binding: self.binding.clone(),
            risk: self.risk,
            operators,
            lent: self.approvals.iter().filter_map(lent).collect(),
            glass: self.glass.as_ref().map(|glass| glass.by.clone()),
            expires: self.expires,
        })
    }

    /// The proof that `by` goes on with an approved call, if the step [`Continue`](super::Step::Continue) let just this
    /// one go on and the time is not over.
    #[must_use]
    pub fn covered(&self, by: &CallId, now: Timestamp) -> Option<Covered> {
        let until = self.covered_until().filter(|until| now < *until)?;
        let last = matches!(&self.state, HoldState::Consumed { by: last } if last == by);
        let of = self.before.clone().filter(|_| last)?;
        Some(Covered { of, by: by.clone(), binding: self.binding.clone(), until })
    }

    pub(super) fn covered_until(&self) -> Option<Timestamp> {
        self.settled?.saturating_add(COVER_LASTS).ok()
    }
}

impl Approved {
    /// The hold that was answered.
    #[must_use]
    pub fn hold(&self) -> &HoldId {
        &self.hold
    }

    /// The deed that was approved.
    #[must_use]
    pub fn binding(&self) -> &Binding {
        &self.binding
    }

    /// How dangerous it was when people were asked.
    #[must_use]
    pub fn risk(&self) -> Risk {
        self.risk
    }

    /// Who approved.
    #[must_use]
    pub fn operators(&self) -> &[OperatorId] {
        &self.operators
    }

    /// Of those who approved by another's right, whose.
    #[must_use]
    pub fn lent(&self) -> &BTreeMap<OperatorId, Lent> {
        &self.lent
    }

    /// Who let it run without the others who were to be asked.
    #[must_use]
    pub fn glass(&self) -> Option<&OperatorId> {
        self.glass.as_ref()
    }

    /// When the approval is void.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
}

impl Covered {
    /// The call that asked for input.
    #[must_use]
    pub fn of(&self) -> &CallId {
        &self.of
    }

    /// The call that goes on.
    #[must_use]
    pub fn by(&self) -> &CallId {
        &self.by
    }

    /// The deed that was approved.
    #[must_use]
    pub fn binding(&self) -> &Binding {
        &self.binding
    }

    /// When it ends.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        self.until
    }
}
