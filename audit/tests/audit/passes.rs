//! Passes: they end with whoever gave them, each with a record, and one of a time to come is none.

use audit::{Audit, Event, Filter, StepRefused, Verifier};
use jiff::{SignedDuration, Timestamp};
use policies::approval::{Covering, Hold, Leeway, Pass, Step, StepError};
use policies::decision::Held;
use policies::{HoldId, OperatorId, Role};

use crate::world::{World, held, json, later, noon, random};

fn operator(name: &str) -> OperatorId {
    OperatorId::authenticated(name)
}

fn added(name: &str) -> Event {
    let pin = Verifier::new(format!("pin of {name}"));
    Event::OperatorAdded { name: operator(name), role: Role::Admin, uid: None, pin, by: None }
}

/// A hold that this operator approves with a pass for two more calls like it.
async fn given(audit: &Audit, by: &str, at: Timestamp) -> Pass {
    let held = held("ann", "delete", "{}");
    let hold = Hold::open(HoldId::from_random(random()), &held, 1, at);
    audit.hold(&held, hold.clone(), at).await.unwrap();
    let leeway = Leeway { times: 2, lasts: SignedDuration::from_hours(1), arguments: [].into() };
    let pass = Pass::new(&hold, &json("{}"), (operator(by), None), &leeway, at).unwrap();
    let proof = Some(serde_json::json!({ "by": "pin" }));
    let by = operator(by);
    let step = Step::Approve { by, reason: None, proof, pass: None, lent: None, role: None, observed: Vec::new() };
    audit.approve_with(hold.id().clone(), step, pass.clone(), at).await.unwrap();
    pass
}

/// Another hold like it, and the proof that the pass covers its call.
async fn covered(audit: &Audit, pass: &Pass, at: Timestamp) -> (Hold, Covering) {
    let held: Held = held("ann", "delete", "{}");
    let hold = Hold::open(HoldId::from_random(random()), &held, 1, at);
    audit.hold(&held, hold.clone(), at).await.unwrap();
    (hold, pass.covers(&held, at).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_end_with_whoever_gave_them_each_with_a_record() {
    let mut world = World::new();
    for name in ["bob", "cyn"] {
        world.audit.note(added(name), noon()).await.unwrap();
    }
    let bobs = [given(&world.audit, "bob", noon()).await, given(&world.audit, "bob", noon()).await];
    let cyns = given(&world.audit, "cyn", noon()).await;
    let (hold, covering) = covered(&world.audit, &bobs[0], noon()).await;
    let (other, still) = covered(&world.audit, &cyns, noon()).await;
    world.audit.note(Event::OperatorRemoved { name: operator("bob"), by: None }, noon()).await.unwrap();
    // The next who has the name did not say it.
    world.audit.note(added("bob"), noon()).await.unwrap();
    let refused = world.audit.pass(hold.id().clone(), covering, noon()).await;
    assert!(matches!(refused, Err(StepRefused::Step(StepError::NoPass))), "{refused:?}");
    let records = world.audit.reader().unwrap().list(&Filter::default()).unwrap();
    for pass in &bobs {
        let ends = records.iter().filter(|found| {
            let is =
                |name: &str, value: &str| found.record.detail.get(name).and_then(|said| said.as_str()) == Some(value);
            is("event", "pass-revoked") && is("hold", pass.hold().as_str())
        });
        assert_eq!(ends.count(), 1);
    }
    world.restart().await;
    let left = world.audit.passes(noon());
    assert_eq!(left.iter().map(Pass::hold).collect::<Vec<_>>(), [cyns.hold()]);
    world.audit.pass(other.id().clone(), still, noon()).await.unwrap();
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_of_a_clock_that_ran_ahead_is_none_until_then() {
    let world = World::new();
    world.audit.note(added("bob"), noon()).await.unwrap();
    let pass = given(&world.audit, "bob", later(60)).await;
    let (hold, covering) = covered(&world.audit, &pass, later(60)).await;
    assert!(pass.covers(&held("ann", "delete", "{}"), noon()).is_none());
    assert!(world.audit.passes(noon()).is_empty());
    let refused = world.audit.pass(hold.id().clone(), covering, noon()).await;
    assert!(matches!(refused, Err(StepRefused::Step(StepError::NoPass))), "{refused:?}");
    assert_eq!(world.audit.passes(later(60)).len(), 1);
    world.verify().unwrap();
}
