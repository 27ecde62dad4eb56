//! The role that an approval counts for is asked for in the transaction of the approval.

use audit::{Event, StepRefused, Verifier};
use policies::approval::{Hold, HoldState, OfRole, Quorum, Step, StepError};
use policies::{HoldId, OperatorId, Role};

use crate::world::{World, held, noon, random};

fn operator(name: &str) -> OperatorId {
    OperatorId::authenticated(name)
}

async fn add(world: &World, name: &str, role: Role) {
    let pin = Verifier::new(format!("pin of {name}"));
    let event = Event::OperatorAdded { name: operator(name), role, uid: None, pin, by: None };
    world.audit.note(event, noon()).await.unwrap();
}

async fn hold(world: &World) -> Hold {
    let held = held("agent", "delete", "{}");
    let quorum = Quorum::new(2, Some(OfRole { people: 1, role: Role::Admin })).unwrap();
    let hold = Hold::open(HoldId::from_random(random()), &held, quorum, noon());
    world.audit.hold(&held, hold.clone(), noon()).await.unwrap();
    hold
}

fn yes(by: &str, role: Role) -> Step {
    let by = operator(by);
    Step::Approve { by, reason: None, proof: None, pass: None, lent: None, role: Some(role), observed: Vec::new() }
}

async fn answer(world: &World, hold: &Hold, step: Step) -> Result<Hold, StepRefused> {
    world.audit.step(hold.id().clone(), step, noon()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_counts_for_no_role_that_its_operator_has_not_when_it_is_written() {
    let mut world = World::new();
    for (name, role) in [("ann", Role::Admin), ("bob", Role::Operator), ("dan", Role::Admin)] {
        add(&world, name, role).await;
    }
    let hold = hold(&world).await;
    // Dan was an admin when he was asked who he is, and is an operator by now.
    world.audit.note(Event::OperatorRemoved { name: operator("dan"), by: None }, noon()).await.unwrap();
    add(&world, "dan", Role::Operator).await;
    for name in ["bob", "dan"] {
        let refused = answer(&world, &hold, yes(name, Role::Admin)).await;
        assert!(matches!(refused, Err(StepRefused::Step(StepError::NoRole))), "{name}");
    }
    let refused = answer(&world, &hold, yes("nobody", Role::Admin)).await;
    assert!(matches!(refused, Err(StepRefused::Step(StepError::NoOperator { .. }))), "{refused:?}");
    answer(&world, &hold, yes("bob", Role::Operator)).await.unwrap();
    world.restart().await;
    let approved = answer(&world, &hold, yes("ann", Role::Admin)).await.unwrap();
    assert_eq!(*approved.state(), HoldState::Approved);
    assert_eq!(
        approved.approvals().iter().map(|given| given.role).collect::<Vec<_>>(),
        [Some(Role::Operator), Some(Role::Admin)]
    );
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn until_somebody_is_added_the_gateways_own_user_is_an_admin() {
    let world = World::new();
    let hold = hold(&world).await;
    answer(&world, &hold, yes("uid:1000", Role::Admin)).await.unwrap();
    let approved = answer(&world, &hold, yes("uid:1001", Role::Admin)).await.unwrap();
    assert_eq!(*approved.state(), HoldState::Approved);
    world.verify().unwrap();
}
