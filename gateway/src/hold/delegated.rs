//! By whose right somebody approves: their own, or, where that does not suffice, one that another operator lent them.

use audit::{AuditError, DelegationEnd, Event};
use policies::approval::{Approver, Delegation, Hold, Lent};
use policies::decision::NotYours;
use policies::{OperatorId, Role};

use super::{AnswerError, Holds, asked, not_allowed};
use crate::clock;
use crate::operator::people::Person;

/// What lets somebody approve a hold.
pub(super) struct Right {
    /// Whose it is, where it is not their own.
    pub(super) lent: Option<Lent>,
    /// The role that it counts for, where the hold asks for one: by a right that was lent, the lesser one of the two. Who
    /// stands in for an admin is none, and an admin who stands in for somebody else has no more than they have.
    pub(super) role: Option<Role>,
    /// The policies that only watch and would not have let them.
    pub(super) observed: Vec<String>,
}

impl Holds {
    /// The right by which this person approves this hold, now.
    ///
    /// # Errors
    /// [`AnswerError::NotAllowed`] if they have none.
    pub(super) fn right(&self, by: &Person, approver: &Approver<'_>, hold: &Hold) -> Result<Right, AnswerError> {
        let policies = self.policies.current();
        let Err(own) = policies.may_approve(approver, hold) else {
            let observed = policies.would_not_approve(approver, hold);
            return Ok(Right { lent: None, role: asked(hold, approver.role), observed });
        };
        // A pass answers calls that nobody looks at: a right is lent to somebody who looks.
        if approver.pass || !by.is_added() {
            return Err(not_allowed(&by.id, own));
        }
        let now = clock::now();
        let theirs = |(_, one): &(u64, Delegation)| one.to() == &by.id && one.covers(hold, now);
        let mut lent: Vec<(u64, Delegation)> = self.audit.delegations().into_iter().filter(theirs).collect();
        // A right whose owner has approved already counts for nobody more: any other comes first.
        lent.sort_by_key(|(id, delegation)| (hold.counts(delegation.by()), *id));
        let mut refused = None;
        for (delegation, of) in lent.iter().map(|(id, delegation)| (*id, delegation)) {
            match self.lent(approver, of, hold) {
                Ok((role, observed)) => {
                    let lent = Some(Lent { by: of.by().clone(), delegation });
                    return Ok(Right { lent, role: asked(hold, role.min(approver.role)), observed });
                }
                Err(not) => refused = refused.or(Some((delegation, not))),
            }
        }
        Err(neither(&by.id, own, refused))
    }

    /// Asks for both, as they are now: each must be whom the delegation meant, and the one who lent the right must be able to
    /// approve by themselves. What they were lent is not asked for, so that no right is lent on. Yields the role of whoever lent
    /// it, and who only watches and would not have let them.
    fn lent(
        &self,
        approver: &Approver<'_>,
        delegation: &Delegation,
        hold: &Hold,
    ) -> Result<(Role, Vec<String>), NotYours> {
        let gone = || NotYours {
            rule: None,
            reason: Some("one of the two is no operator any more who answers calls".to_owned()),
            next: None,
        };
        let of = self.people.who_was(delegation.by(), delegation.made()).filter(Person::is_added).ok_or_else(gone)?;
        self.people.who_was(delegation.to(), delegation.made()).ok_or_else(gone)?;
        let of = self.people.approver(&of, hold);
        let policies = self.policies.current();
        policies.may_stand_in(approver, &of, hold)?;
        Ok((of.role, policies.would_not_stand_in(approver, &of, hold)))
    }

    /// Ends what ran out of time, with a record.
    pub(super) async fn sweep_delegations(&self) {
        let now = clock::now();
        for (id, delegation) in self.audit.delegations() {
            if now < delegation.expires() {
                continue;
            }
            let event = Event::DelegationEnded { delegation: id, why: DelegationEnd::Expired, by: None };
            match self.audit.note(event, now).await {
                // Somebody ended it just now.
                Ok(_) | Err(AuditError::Unknown) => {}
                Err(error) => tracing::error!(id, %error, "the end of a delegation could not be recorded"),
            }
        }
    }
}

/// What their own right lacks, and what the first of the rights lacks that they were lent.
fn neither(by: &OperatorId, own: NotYours, lent: Option<(u64, NotYours)>) -> AnswerError {
    let Some((id, not)) = lent else { return not_allowed(by, own) };
    let NotYours { rule, reason, next } = not;
    let why = match (rule, reason) {
        (Some(rule), Some(reason)) => format!("policy `{rule}`: {reason}"),
        (Some(rule), None) => format!("policy `{rule}`"),
        (None, Some(reason)) => reason,
        (None, None) => "no policy permits it".to_owned(),
    };
    let next = next.or_else(|| own.next.clone());
    AnswerError::NotAllowed { why: format!("{}; nor does delegation {id} ({why})", not_allowed(by, own)), next }
}
