use super::*;
use crate::approval::{HoldState, Step, StepError};
use crate::call::HoldId;
use crate::decision::tests::{held, noon};

fn operator(name: &str) -> OperatorId {
    OperatorId::authenticated(name)
}

fn after(minutes: i64) -> Timestamp {
    noon() + SignedDuration::from_mins(minutes)
}

fn hold(required: u8) -> Hold {
    Hold::open(HoldId::from_random([7; 10]), &held("{}"), required, noon())
}

fn lent(to: &str, within: Within, lasts: SignedDuration) -> Result<Delegation, DelegationError> {
    Delegation::new((operator("ann"), operator(to)), within, lasts, "on holiday".to_owned(), noon())
}

fn hour(within: Within) -> Result<Delegation, DelegationError> {
    lent("bob", within, SignedDuration::from_hours(1))
}

fn for_another(by: &str, of: &str) -> Step {
    let lent = Some(Lent { by: operator(of), delegation: 3 });
    Step::Approve { by: operator(by), reason: None, proof: None, pass: None, lent, role: None, observed: Vec::new() }
}

#[test]
fn nobody_lends_to_themselves_nor_for_longer_than_a_week_nor_what_no_tool_is_called() {
    for oneself in ["ann", "Ann", "ANN"] {
        assert_eq!(lent(oneself, Within::default(), SignedDuration::from_hours(1)), Err(DelegationError::Oneself));
    }
    for lasts in [-1, 0, 59, 7 * 24 * 3600 + 1, i64::MAX] {
        let lasts = SignedDuration::from_secs(lasts);
        assert_eq!(lent("bob", Within::default(), lasts), Err(DelegationError::Lasts), "{lasts}");
    }
    assert!(lent("bob", Within::default(), LENT_LONGEST).is_ok());
    let tools = |name: &str| Within { tools: BTreeSet::from([name.to_owned()]), ..Within::default() };
    for name in ["", ".", "mail.", ".send", "mail server.send", "mail:"] {
        assert_eq!(hour(tools(name)), Err(DelegationError::Tool(name.to_owned())));
    }
    for name in ["mail", "mail.send", "mail.send.now", "mail:resources/read"] {
        assert!(hour(tools(name)).is_ok(), "{name}");
    }
    let many = (0..=MOST_NAMES).map(|number| format!("mail.tool-{number}")).collect();
    assert_eq!(hour(Within { tools: many, ..Within::default() }), Err(DelegationError::Names));
}

#[test]
fn a_delegation_ends_with_its_time_and_is_for_what_it_says() {
    let hold = hold(1);
    let all = hour(Within::default()).unwrap();
    assert!(all.covers(&hold, noon()) && all.covers(&hold, after(59)));
    assert!(!all.covers(&hold, after(60)) && !all.is_live(after(60)), "it is over");
    assert!(!all.covers(&hold, after(-1)), "a clock that went back makes none live before it was made");
    let covers = |within: Within| hour(within).unwrap().covers(&hold, noon());
    let agent = hold.agent().clone();
    let tool = format!("{}.{}", hold.server(), hold.tool());
    let tools = |name: &str| Within { tools: BTreeSet::from([name.to_owned()]), ..Within::default() };
    assert!(covers(Within { agents: BTreeSet::from([agent.clone()]), ..Within::default() }));
    assert!(!covers(Within { agents: BTreeSet::from([AgentId::authenticated("other")]), ..Within::default() }));
    assert!(covers(tools(&tool)) && covers(tools(hold.server().as_str())));
    for other in [format!("{tool}s"), format!("other.{}", hold.tool()), "other".to_owned(), tool.to_uppercase()] {
        assert!(!covers(tools(&other)), "{other}");
    }
    for risk in [Risk::Low, Risk::Medium, Risk::High, Risk::Critical] {
        assert_eq!(covers(Within { risk: Some(risk), ..Within::default() }), hold.risk() <= risk, "{risk}");
    }
    let both = Within { agents: BTreeSet::from([agent]), ..tools("other.tool") };
    assert!(!covers(both), "one limit that fits outweighs none that does not");
}

#[test]
fn whoever_lent_their_right_and_whoever_has_it_count_as_one_person() {
    let refused = |hold: &Hold, step: Step| hold.apply(step, after(2)).unwrap_err();
    let (ann, bob) = (operator("ann"), operator("bob"));
    let by_bob = hold(2).apply(for_another("bob", "ann"), after(1)).unwrap();
    assert_eq!(*by_bob.state(), HoldState::Pending);
    let (by, given) = (ann.clone(), bob.clone());
    assert_eq!(refused(&by_bob, Step::approve(ann.clone())), StepError::OnePerson { by, given });
    let (by, given) = (operator("ANN"), bob.clone());
    assert_eq!(refused(&by_bob, Step::approve(operator("ANN"))), StepError::OnePerson { by, given });
    assert_eq!(refused(&by_bob, Step::approve(bob.clone())), StepError::ApprovedAlready { by: bob.clone() });
    // Neither with another's right, nor by another who has hers, nor by one who has bob's.
    for (by, of) in [("bob", "cyn"), ("Bob", "cyn"), ("cyn", "ann"), ("cyn", "Ann"), ("cyn", "bob"), ("ann", "cyn")] {
        let step = for_another(by, of);
        assert!(by_bob.apply(step, after(2)).is_err(), "{by} for {of} was a second person");
    }
    let by_ann = hold(2).apply(Step::approve(ann.clone()), after(1)).unwrap();
    let (by, given) = (bob.clone(), ann.clone());
    assert_eq!(refused(&by_ann, for_another("bob", "ann")), StepError::OnePerson { by, given });
    // Each by a right of their own, they are two.
    assert_eq!(*by_ann.apply(Step::approve(bob.clone()), after(2)).unwrap().state(), HoldState::Approved);
    let two = by_bob.apply(for_another("cyn", "dan"), after(2)).unwrap();
    assert_eq!(*two.state(), HoldState::Approved);
    for name in ["ann", "Bob", "cyn", "dan"] {
        assert!(two.counts(&operator(name)), "{name}");
    }
    assert!(!two.counts(&operator("eve")));
}

#[test]
fn a_delegation_does_not_count_for_the_glass() {
    let by_bob = hold(2).apply(for_another("bob", "ann"), after(1)).unwrap();
    // Ann's own approval would be no second one: there is glass to break, by her as by anybody.
    assert!(!by_bob.takes_only(&operator("ann")) && !by_bob.takes_only(&operator("bob")));
    assert!(by_bob.takes_only(&operator("cyn")));
}

#[test]
fn the_permit_names_both() {
    let by_bob = hold(1).apply(for_another("bob", "ann"), after(1)).unwrap();
    let permit = held("{}").release(&by_bob.approved(after(2)).unwrap(), after(2)).unwrap();
    let said = serde_json::to_value(permit.because()).unwrap();
    assert_eq!(said["operators"], serde_json::json!(["bob"]));
    assert_eq!(said["lent"], serde_json::json!({ "bob": { "by": "ann", "delegation": 3 } }));
    let own = hold(1).apply(Step::approve(operator("bob")), after(1)).unwrap();
    let permit = held("{}").release(&own.approved(after(2)).unwrap(), after(2)).unwrap();
    assert!(serde_json::to_value(permit.because()).unwrap().get("lent").is_none());
}
