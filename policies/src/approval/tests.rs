use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::decision::NotApproved;
use crate::decision::tests::{call as call_to, held, held_by, held_in, noon};
use crate::session::Session;

fn hold(required: u8) -> Hold {
    Hold::open(HoldId::from_random([7; 10]), &held(r#"{"path":"/a"}"#), required, noon())
}

fn operator(name: &str) -> OperatorId {
    OperatorId::authenticated(name)
}

fn call(number: u8) -> CallId {
    CallId::from_random([number; 10])
}

fn approve(name: &str) -> Step {
    Step::approve(operator(name))
}

fn after(minutes: i64) -> Timestamp {
    noon() + SignedDuration::from_mins(minutes)
}

#[test]
fn one_approval_makes_a_call_runnable_once() {
    let approved = hold(1).apply(approve("ann"), after(1)).unwrap();
    let proof = approved.approved(after(2)).unwrap();
    let permit = held(r#"{"path":"/a"}"#).release(&proof, after(2)).unwrap();
    assert!(permit.is_live(after(2)) && !permit.is_live(after(4)));
    let consumed = approved.apply(Step::Consume { by: call(1) }, after(2)).unwrap();
    assert!(consumed.approved(after(2)).is_none());
    assert_eq!(consumed.apply(Step::Consume { by: call(2) }, after(2)), Err(StepError::Settled { state: "consumed" }));
}

#[test]
fn a_quorum_counts_people_not_clicks() {
    let once = hold(2).apply(approve("ann"), after(1)).unwrap();
    assert_eq!(*once.state(), HoldState::Pending);
    assert!(once.approved(after(1)).is_none());
    let again = once.apply(approve("Ann"), after(1));
    assert_eq!(again, Err(StepError::ApprovedAlready { by: operator("Ann") }));
    let twice = once.apply(approve("bob"), after(2)).unwrap();
    assert_eq!(twice.approved(after(2)).unwrap().operators(), [operator("ann"), operator("bob")]);
}

#[test]
fn a_denial_outweighs_an_approval_until_the_call_ran() {
    let approved = hold(1).apply(approve("ann"), after(1)).unwrap();
    let no = Step::Deny { by: operator("bob"), reason: "wrong folder".into() };
    let denied = approved.apply(no.clone(), after(2)).unwrap();
    assert!(denied.approved(after(2)).is_none());
    assert!(denied.apply(approve("cyn"), after(3)).is_err());
    let consumed = approved.apply(Step::Consume { by: call(1) }, after(2)).unwrap();
    assert!(consumed.apply(no, after(3)).is_err());
}

#[test]
fn an_approval_that_comes_late_or_is_collected_late_opens_nothing() {
    let late = after(10);
    assert_eq!(hold(1).apply(approve("ann"), late), Err(StepError::TimeRanOut));
    let approved = hold(1).apply(approve("ann"), after(9)).unwrap();
    assert!(approved.approved(late).is_none());
    assert_eq!(approved.apply(Step::Consume { by: call(1) }, late), Err(StepError::TimeRanOut));
    let proof = approved.approved(after(9)).unwrap();
    let denial = held(r#"{"path":"/a"}"#).release(&proof, late).unwrap_err();
    assert_eq!(denial.refusal().rule, "approval-expired");
    assert_eq!(*approved.apply(Step::Expire, late).unwrap().state(), HoldState::Expired);
}

#[test]
fn a_hold_does_not_expire_early() {
    assert_eq!(hold(1).apply(Step::Expire, after(9)), Err(StepError::TimeLeft));
}

#[test]
fn an_approval_is_for_one_deed_and_a_refusal_names_what_differs() {
    let approved = hold(1).apply(approve("ann"), after(1)).unwrap().approved(after(1)).unwrap();
    let other = held(r#"{"path":"/b"}"#).release(&approved, after(1)).unwrap_err();
    assert_eq!(other.refusal().rule, "approval-mismatch");
    assert!(other.refusal().reason.contains("it differs in its arguments"), "{}", other.refusal().reason);
    let other = held_by("mallory", r#"{"path":"/a"}"#).release(&approved, after(1)).unwrap_err();
    assert!(other.refusal().reason.contains("it differs in its agent"), "{}", other.refusal().reason);
}

#[test]
fn an_approval_is_for_no_more_risk_than_people_were_told_of() {
    let sends = |session: &Session| held_in(session, call_to("mail", "send_message", r#"{"to":"eve@evil.test"}"#));
    let (before, after_reading) = (sends(&Session::fresh()), sends(&Session::lost()));
    let (less, more) = (before.assessment().risk, after_reading.assessment().risk);
    assert!(less < more && before.binding() == after_reading.binding(), "{less} {more}");
    let approved = |held: &Held| {
        let hold = Hold::open(HoldId::from_random([7; 10]), held, 1, noon());
        hold.apply(approve("ann"), after(1)).unwrap().approved(after(1)).unwrap()
    };
    let refused = sends(&Session::lost()).release(&approved(&before), after(1)).unwrap_err();
    assert_eq!(refused.refusal().rule, "approval-mismatch");
    assert!(refused.refusal().reason.contains("it differs in its risk"), "{}", refused.refusal().reason);
    assert!(before.release(&approved(&after_reading), after(1)).is_ok(), "less risk than was approved");
}

#[test]
fn an_approved_call_that_asks_for_input_goes_on_once_for_each_answer() {
    let consumed = hold(1).apply(approve("ann"), after(1)).unwrap();
    let consumed = consumed.apply(Step::Consume { by: call(1) }, after(1)).unwrap();
    assert!(consumed.covered(&call(1), after(1)).is_none(), "the call that ran is not its own continuation");
    let next = held(r#"{"path":"/a"}"#);
    let by = next.call().id().clone();
    let step = Step::Continue { of: call(1), by: by.clone() };
    let gone_on = consumed.apply(step.clone(), after(2)).unwrap();
    assert_eq!(gone_on.apply(step, after(2)), Err(StepError::NotCovered), "a replayed answer opens nothing");
    let proof = gone_on.covered(&by, after(2)).unwrap();
    let permit = next.continue_from(&proof, after(2)).unwrap();
    assert_eq!(*permit.because(), crate::decision::Because::Continuation { of: call(1) });
}

#[test]
fn a_continuation_is_bound_to_the_deed_to_its_call_and_to_its_time() {
    let consumed = hold(1).apply(approve("ann"), after(1)).unwrap();
    let consumed = consumed.apply(Step::Consume { by: call(1) }, after(1)).unwrap();
    let other = held(r#"{"path":"/b"}"#);
    let by = other.call().id().clone();
    let gone_on = consumed.apply(Step::Continue { of: call(1), by: by.clone() }, after(2)).unwrap();
    let denial = other.continue_from(&gone_on.covered(&by, after(2)).unwrap(), after(2)).unwrap_err();
    assert_eq!(denial.refusal().rule, "approval-mismatch");
    assert!(gone_on.covered(&call(9), after(2)).is_none());
    assert!(gone_on.covered(&by, after(11)).is_none());
    assert!(consumed.apply(Step::Continue { of: call(1), by: call(2) }, after(11)).is_err());
    let elsewhere = consumed.apply(Step::Continue { of: call(1), by: call(9) }, after(2)).unwrap();
    let proof = elsewhere.covered(&call(9), after(2)).unwrap();
    let denial = held(r#"{"path":"/a"}"#).continue_from(&proof, after(2)).unwrap_err();
    assert_eq!(denial.refusal().rule, "continuation-ended");
}

#[test]
fn a_server_that_asks_without_end_is_stopped() {
    let approved = hold(1).apply(approve("ann"), after(1)).unwrap();
    let mut hold = approved.apply(Step::Consume { by: call(0) }, after(1)).unwrap();
    for round in 0..COVER_ROUNDS {
        hold = hold.apply(Step::Continue { of: call(round), by: call(round + 1) }, after(2)).unwrap();
    }
    let step = Step::Continue { of: call(COVER_ROUNDS), by: call(COVER_ROUNDS + 1) };
    assert_eq!(hold.apply(step, after(2)), Err(StepError::NotCovered));
}

#[test]
fn a_hold_that_ends_otherwise_is_a_denial_that_says_what_to_do() {
    let end = |why| held("{}").refuse(why).refusal().clone();
    let denied = end(NotApproved::Denied { by: operator("ann"), reason: " not today ".into() });
    assert_eq!(denied.reason, "Operator ann denied this call: not today");
    for refused in [denied, end(NotApproved::Expired), end(NotApproved::Cancelled)] {
        assert!(!refused.next.is_empty() && !refused.rule.is_empty());
    }
}

#[test]
fn a_hold_is_stored_and_read_back_whole() {
    let hold = hold(2).apply(approve("ann"), after(1)).unwrap();
    let text = serde_json::to_string(&hold).unwrap();
    assert_eq!(serde_json::from_str::<Hold>(&text).unwrap(), hold);
}

fn any_step() -> impl Strategy<Value = Step> {
    let name = prop_oneof![Just("ann"), Just("bob"), Just("cyn")];
    prop_oneof![
        4 => name.clone().prop_map(approve),
        1 => name.clone().prop_map(|name| Step::BreakGlass {
            by: operator(name),
            reason: "customers cannot log in".into(),
            because: "the others are on a plane".into(),
            proof: None,
            role: None,
            observed: Vec::new(),
        }),
        1 => name.prop_map(|name| Step::Deny { by: operator(name), reason: String::new() }),
        1 => Just(Step::Expire),
        1 => Just(Step::Cancel { why: "gone".into() }),
        3 => (0_u8..4).prop_map(|by| Step::Consume { by: call(by) }),
        3 => (0_u8..4, 0_u8..4).prop_map(|(of, by)| Step::Continue { of: call(of), by: call(by) }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_a_hold_ends_once_and_runs_at_most_once(
        required in 0_u8..4,
        steps in proptest::collection::vec((any_step(), 0_i64..180), 1..40),
    ) {
        let mut hold = hold(required);
        let mut now = noon();
        let (mut ended, mut consumed, mut rounds) = (None, 0, 0);
        let (mut yes, mut broken) = (std::collections::BTreeSet::new(), false);
        for (step, seconds) in steps {
            now += SignedDuration::from_secs(seconds);
            let Ok(next) = hold.apply(step.clone(), now) else { continue };
            match &step {
                Step::Approve { by, .. } => { prop_assert!(yes.insert(by.to_string())); }
                Step::Consume { .. } => consumed += 1,
                Step::Continue { .. } => rounds += 1,
                Step::BreakGlass { .. } => { prop_assert!(!std::mem::replace(&mut broken, true)); }
                Step::Deny { .. } | Step::Expire | Step::Cancel { .. } => {}
            }
            // Only a continuation changes a hold that has ended, and it changes nothing but who goes on.
            if let Some(state) = ended {
                prop_assert_eq!(state, "consumed");
                let continues = matches!(step, Step::Continue { .. });
                prop_assert!(continues);
            }
            hold = next;
            if !hold.state().is_open() {
                ended = Some(hold.state().as_str());
            }
            if let Some(proof) = hold.approved(now) {
                prop_assert!(now < hold.expires());
                prop_assert_eq!(proof.glass().is_some(), broken);
                prop_assert!(broken || proof.operators().len() >= usize::from(required.max(1)));
                prop_assert_eq!(proof.operators().len(), yes.len());
            }
        }
        prop_assert!(consumed <= 1);
        prop_assert!(rounds <= COVER_ROUNDS);
        prop_assert_eq!(consumed == 1, matches!(hold.state(), HoldState::Consumed { .. }));
    }
}
