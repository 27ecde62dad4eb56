use super::*;
use crate::approval::{HoldState, Lent, Step};
use crate::call::{HoldId, OperatorId};
use crate::decision::tests::{held, noon};

const ADMINS: Option<OfRole> = Some(OfRole { people: 2, role: Role::Admin });
const AN_ADMIN: Option<OfRole> = Some(OfRole { people: 1, role: Role::Admin });

fn hold(people: u8, of_role: Option<OfRole>) -> Hold {
    let quorum = Quorum::new(people, of_role).unwrap();
    Hold::open(HoldId::from_random([7; 10]), &held("{}"), quorum, noon())
}

fn yes(by: &str, role: Option<Role>) -> Step {
    let by = OperatorId::authenticated(by);
    Step::Approve { by, reason: None, proof: None, pass: None, lent: None, role, observed: Vec::new() }
}

fn smash(by: &str, role: Option<Role>) -> Step {
    let (reason, because) = ("customers cannot log in".to_owned(), "the others are on a plane".to_owned());
    Step::BreakGlass { by: OperatorId::authenticated(by), reason, because, proof: None, role, observed: Vec::new() }
}

fn needs(hold: &Hold) -> (u8, u8) {
    let missing = hold.missing();
    (missing.people, missing.of_role.map_or(0, |of| of.people))
}

#[test]
fn what_was_set_is_asked_for_and_else_two_for_critical_where_there_are_two() {
    let usual = Quorums::default();
    assert_eq!([0, 1, 2, 9].map(|people| usual.of(Risk::Critical, people).people()), [1, 1, 2, 2]);
    assert_eq!(usual.of(Risk::High, 9), 1.into());
    let two = Quorum::new(2, ADMINS).unwrap();
    let set = Quorums { high: Some(two), ..usual };
    // It is not lowered where there are fewer.
    assert_eq!([0, 9].map(|people| set.of(Risk::High, people)), [two, two]);
    assert_eq!(set.of(Risk::Critical, 2), 2.into());
}

#[test]
fn a_quorum_that_nobody_could_ever_reach_is_none() {
    for (people, of_role, why) in [
        (0, None, QuorumError::People),
        (17, None, QuorumError::People),
        (1, ADMINS, QuorumError::OfRole { people: 1 }),
        (2, Some(OfRole { people: 0, role: Role::Admin }), QuorumError::OfRole { people: 2 }),
        (2, Some(OfRole { people: 1, role: Role::Reviewer }), QuorumError::Reviewer),
    ] {
        assert_eq!(Quorum::new(people, of_role), Err(why), "{people} {of_role:?}");
    }
}

#[test]
fn so_many_of_the_role_approve_and_nobody_else_takes_their_place() {
    let two = hold(2, ADMINS);
    for role in [None, Some(Role::Reviewer), Some(Role::Operator)] {
        assert_eq!(two.apply(yes("bob", role), noon()), Err(StepError::NotOfRole(Role::Admin)), "{role:?}");
    }
    let one = two.apply(yes("ann", Some(Role::Admin)), noon()).unwrap();
    assert_eq!((one.state(), needs(&one)), (&HoldState::Pending, (1, 1)));
    assert!(one.apply(yes("ANN", Some(Role::Admin)), noon()).is_err(), "one person, two votes");
    let both = one.apply(yes("dan", Some(Role::Admin)), noon()).unwrap();
    assert_eq!((both.state(), needs(&both)), (&HoldState::Approved, (0, 0)));
}

#[test]
fn where_some_are_to_have_the_role_others_take_the_other_places_only() {
    let three = hold(3, AN_ADMIN);
    let two = ["bob", "cyn"]
        .into_iter()
        .fold(three.clone(), |hold, name| hold.apply(yes(name, Some(Role::Operator)), noon()).unwrap());
    assert_eq!((two.state(), needs(&two)), (&HoldState::Pending, (1, 1)));
    assert_eq!(two.apply(yes("eve", Some(Role::Operator)), noon()), Err(StepError::NotOfRole(Role::Admin)));
    assert_eq!(*two.apply(yes("ann", Some(Role::Admin)), noon()).unwrap().state(), HoldState::Approved);
    // More of the role than are asked for are as good as others.
    let admins = ["ann", "dan", "fay"]
        .into_iter()
        .fold(three, |hold, name| hold.apply(yes(name, Some(Role::Admin)), noon()).unwrap());
    assert_eq!(*admins.state(), HoldState::Approved);
}

#[test]
fn an_approval_by_a_lent_right_counts_for_both_and_for_one_place() {
    let lent = |by: &str, of: &str, role| {
        let lent = Some(Lent { by: OperatorId::authenticated(of), delegation: 7 });
        let by = OperatorId::authenticated(by);
        Step::Approve { by, reason: None, proof: None, pass: None, lent, role: Some(role), observed: Vec::new() }
    };
    // Bob, an operator, stands in for ann, an admin: he counts as an operator.
    let by_bob = hold(2, AN_ADMIN).apply(lent("bob", "ann", Role::Operator), noon()).unwrap();
    assert_eq!(needs(&by_bob), (1, 1));
    assert!(matches!(by_bob.apply(yes("ann", Some(Role::Admin)), noon()), Err(StepError::OnePerson { .. })));
    assert_eq!(*by_bob.apply(yes("dan", Some(Role::Admin)), noon()).unwrap().state(), HoldState::Approved);
}

#[test]
fn broken_glass_waives_how_many_are_asked_and_not_as_what() {
    let two = hold(2, ADMINS);
    assert_eq!(two.apply(smash("bob", Some(Role::Operator)), noon()), Err(StepError::NotOfRole(Role::Admin)));
    assert_eq!(two.apply(smash("bob", None), noon()), Err(StepError::NotOfRole(Role::Admin)));
    assert_eq!(*two.apply(smash("ann", Some(Role::Admin)), noon()).unwrap().state(), HoldState::Approved);
    // An admin's yes is there, and the second that is asked for is not bob's to give.
    let second = two.apply(yes("ann", Some(Role::Admin)), noon()).unwrap();
    assert_eq!(*second.apply(smash("bob", Some(Role::Operator)), noon()).unwrap().state(), HoldState::Approved);
    assert_eq!(second.apply(smash("dan", Some(Role::Admin)), noon()), Err(StepError::NoGlass));
    let one_more = hold(3, AN_ADMIN).apply(yes("ann", Some(Role::Admin)), noon()).unwrap();
    assert_eq!(*one_more.apply(smash("bob", Some(Role::Operator)), noon()).unwrap().state(), HoldState::Approved);
}

#[test]
fn whether_those_who_are_left_suffice_is_counted_by_place() {
    use Role::{Admin, Operator};
    for (people, of_role, left, enough) in [
        (2, None, [Operator, Admin].as_slice(), true),
        (2, None, &[Operator], false),
        (2, ADMINS, &[Admin, Operator, Operator], false),
        (2, ADMINS, &[Admin, Admin], true),
        (3, AN_ADMIN, &[Operator, Operator, Operator], false),
        (3, AN_ADMIN, &[Operator, Admin, Operator], true),
        (1, None, &[], false),
    ] {
        assert_eq!(hold(people, of_role).missing().is_within(left), enough, "{people} {of_role:?} {left:?}");
        assert_eq!(Quorum::new(people, of_role).unwrap().is_within(left), enough);
    }
}

#[test]
fn a_hold_that_was_opened_before_there_were_roles_asks_for_none() {
    let hold = hold(2, AN_ADMIN);
    let mut stored = serde_json::to_value(&hold).unwrap();
    assert_eq!(serde_json::from_value::<Hold>(stored.clone()).unwrap(), hold);
    assert_eq!(stored["of_role"], serde_json::json!({ "people": 1, "role": "admin" }));
    stored.as_object_mut().unwrap().remove("of_role");
    let old: Hold = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(serde_json::to_value(&old).unwrap(), stored, "it is written as it was read");
    let step: Step = serde_json::from_str(r#"{"step":"approve","by":"bob"}"#).unwrap();
    let one = old.apply(step, noon()).unwrap();
    assert_eq!(*one.apply(yes("cyn", None), noon()).unwrap().state(), HoldState::Approved);
    assert!(
        !serde_json::to_string(&one).unwrap().contains("\"role\""),
        "an approval that counts for no role names none"
    );
}
