//! Delegations: recorded with their making, each use and their end, and asked for in the transaction of the approval.

use audit::{AuditError, Config, DelegationEnd, Event, Order, StepRefused, Trusted, Verifier, VerifyError};
use jiff::SignedDuration;
use policies::approval::{Delegation, Hold, HoldState, Lent, Step, StepError, Within};
use policies::{AgentId, OperatorId, Role};
use rusqlite::Connection;
use tokio::task::JoinSet;

use crate::world::{World, later, noon};

fn operator(name: &str) -> OperatorId {
    OperatorId::authenticated(name)
}

async fn people(world: &World) {
    for name in ["ann", "bob", "cyn"] {
        let pin = Verifier::new(format!("pin of {name}"));
        let event = Event::OperatorAdded { name: operator(name), role: Role::Operator, uid: None, pin, by: None };
        world.audit.note(event, noon()).await.unwrap();
    }
}

fn made(by: &str, to: &str, within: Within) -> Event {
    let (people, hour) = ((operator(by), operator(to)), SignedDuration::from_hours(1));
    let delegation = Delegation::new(people, within, hour, "on holiday".to_owned(), noon()).unwrap();
    Event::DelegationMade { delegation: Box::new(delegation), proof: None }
}

fn ended(delegation: u64) -> Event {
    Event::DelegationEnded { delegation, why: DelegationEnd::Revoked, by: Some(operator("ann")) }
}

fn approve(by: &str, of: &str, delegation: u64) -> Step {
    let lent = Some(Lent { by: operator(of), delegation });
    Step::Approve { by: operator(by), reason: None, proof: None, pass: None, lent, role: None, observed: Vec::new() }
}

async fn refused(world: &World, hold: &Hold, step: Step, seconds: i64) -> bool {
    let refused = world.audit.step(hold.id().clone(), step, later(seconds)).await;
    matches!(refused, Err(StepRefused::Step(StepError::NoDelegation)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegation_lets_its_delegate_approve_and_nobody_else_nor_after_its_end() {
    let mut world = World::new();
    people(&world).await;
    let id = world.audit.note(made("ann", "bob", Within::default()), noon()).await.unwrap();
    let cyns = world.audit.note(made("ann", "cyn", Within::default()), noon()).await.unwrap();
    world.restart().await;
    let kept = world.audit.delegations();
    assert_eq!(kept.iter().map(|(id, one)| (*id, one.to().as_str())).collect::<Vec<_>>(), [(id, "bob"), (cyns, "cyn")]);
    let hold = world.hold("{}").await;
    for (step, what) in [
        (approve("cyn", "ann", id), "another's"),
        (approve("bob", "ann", cyns), "another's"),
        (approve("bob", "cyn", id), "of somebody else"),
        (approve("bob", "ann", 1), "a record that is none"),
        (approve("bob", "ann", u64::MAX), "none"),
    ] {
        assert!(refused(&world, &hold, step, 1).await, "{what}");
    }
    let approved = world.audit.step(hold.id().clone(), approve("bob", "ann", id), later(1)).await.unwrap();
    assert_eq!(*approved.state(), HoldState::Approved);
    assert_eq!(approved.approvals()[0].lent, Some(Lent { by: operator("ann"), delegation: id }));
    world.audit.note(ended(id), later(2)).await.unwrap();
    assert_eq!(world.audit.note(ended(id), later(2)).await.unwrap_err(), AuditError::Unknown);
    let next = world.hold(r#"{"n":2}"#).await;
    assert!(refused(&world, &next, approve("bob", "ann", id), 3).await, "it was ended");
    world.restart().await;
    assert!(refused(&world, &next, approve("bob", "ann", id), 3).await, "a restart brought it back");
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegation_is_for_what_it_says_and_ends_with_its_time() {
    let world = World::new();
    people(&world).await;
    let other = Within { agents: [AgentId::authenticated("other")].into(), ..Within::default() };
    let other = world.audit.note(made("ann", "bob", other), noon()).await.unwrap();
    let all = world.audit.note(made("ann", "bob", Within::default()), noon()).await.unwrap();
    let hold = world.hold("{}").await;
    assert!(refused(&world, &hold, approve("bob", "ann", other), 1).await);
    // The hold would still wait: its delegation is over first where the clock of an approval says so.
    let late = Delegation::new(
        (operator("ann"), operator("bob")),
        Within::default(),
        SignedDuration::from_mins(1),
        "short".to_owned(),
        noon(),
    );
    let late = Event::DelegationMade { delegation: Box::new(late.unwrap()), proof: None };
    let late = world.audit.note(late, noon()).await.unwrap();
    assert!(refused(&world, &hold, approve("bob", "ann", late), 60).await, "its time was over");
    world.audit.step(hold.id().clone(), approve("bob", "ann", all), later(60)).await.unwrap();
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_no_operator_any_more_lends_nothing_and_stands_in_for_nobody() {
    let world = World::new();
    people(&world).await;
    let hold = world.hold("{}").await;
    for (by, to, gone) in [("ann", "bob", "ann"), ("ann", "bob", "bob")] {
        let id = world.audit.note(made(by, to, Within::default()), noon()).await.unwrap();
        world.audit.note(Event::OperatorRemoved { name: operator(gone), by: None }, noon()).await.unwrap();
        assert!(world.audit.delegations().is_empty(), "{gone} was removed");
        let name = operator(gone);
        let pin = Verifier::new("another".to_owned());
        let unknown = world.audit.note(made(by, to, Within::default()), noon()).await.unwrap_err();
        assert_eq!(unknown, AuditError::Unknown, "{gone} is nobody");
        // Another person of the same name.
        let event = Event::OperatorAdded { name, role: Role::Operator, uid: None, pin, by: None };
        world.audit.note(event, noon()).await.unwrap();
        assert!(refused(&world, &hold, approve("bob", "ann", id), 1).await);
        let record = world.audit.reader().unwrap().list(&audit::Filter::default()).unwrap();
        let ends = record.iter().filter(|found| {
            let text = |name: &str| found.record.detail.get(name).map(ToString::to_string).unwrap_or_default();
            text("event") == "\"delegation-ended\""
                && text("why") == "\"removed\""
                && text("delegation") == id.to_string()
        });
        assert_eq!(ends.count(), 1, "its end is a record");
    }
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_approve_by_one_right_at_once_one_counts() {
    let world = World::new();
    people(&world).await;
    let mut ids = Vec::new();
    for to in ["bob", "cyn"] {
        ids.push((to, world.audit.note(made("ann", to, Within::default()), noon()).await.unwrap()));
    }
    let held = crate::world::held("ann", "delete", "{}");
    let hold = Hold::open(policies::HoldId::from_random(crate::world::random()), &held, 2, noon());
    world.audit.hold(&held, hold.clone(), noon()).await.unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        for (to, id) in &ids {
            let (audit, hold, step) = (world.audit.clone(), hold.id().clone(), approve(to, "ann", *id));
            tasks.spawn(async move { audit.step(hold, step, noon()).await.is_ok() });
        }
        let (audit, hold) = (world.audit.clone(), hold.id().clone());
        tasks.spawn(async move { audit.step(hold, Step::approve(operator("ann")), noon()).await.is_ok() });
    }
    assert_eq!(tasks.join_all().await.into_iter().filter(|counted| *counted).count(), 1);
    let hold = world.audit.find_hold(hold.id()).unwrap().unwrap();
    assert_eq!((hold.state(), hold.approvals().len()), (&HoldState::Pending, 1));
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegation_that_is_in_no_record_is_found() {
    let world = World::new();
    people(&world).await;
    let id = world.audit.note(made("ann", "bob", Within::default()), noon()).await.unwrap();
    assert!(world.audit.stop().await);
    let changes = [
        "DELETE FROM delegation".to_owned(),
        "DROP TABLE delegation".to_owned(),
        "UPDATE delegation SET delegation = replace(delegation, 'bob', 'eve')".to_owned(),
        "UPDATE delegation SET delegation = replace(delegation, '13:00', '23:00')".to_owned(),
        "UPDATE delegation SET id = id + 1".to_owned(),
        format!("INSERT INTO delegation (id, delegation) SELECT {id} + 1, delegation FROM delegation"),
    ];
    for change in changes {
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(world.state.path().join("portcullis.db"), copy.path().join("portcullis.db")).unwrap();
        Connection::open(copy.path().join("portcullis.db")).unwrap().execute_batch(&change).unwrap();
        let found = audit::verify(copy.path());
        assert!(matches!(found, Err(VerifyError::Broken(_) | VerifyError::Read(_))), "{change}: {found:?}");
    }
    audit::verify(world.state.path()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_log_lends_nothing_and_a_log_from_before_is_continued() {
    let mut world = World::new();
    people(&world).await;
    world.audit.note(made("ann", "bob", Within::default()), noon()).await.unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let (copy, state) = (elsewhere.path().join("copy"), elsewhere.path().join("state"));
    audit::backup(world.state.path(), &copy, true, noon(), &mut |_| true).unwrap();
    let (config, trusted) = (Config::new(&state, noon).reserve(1 << 20), Trusted::default());
    let order = Order { from: &copy, config, aside: false, revoke_agents: false, trusted, reason: "the disk died" };
    assert_eq!(audit::restore(&order, &mut |_| true).unwrap().delegations, 1);
    let (restored, _) = crate::world::start(&state);
    assert!(restored.delegations().is_empty(), "what may have been taken back since is lent again");
    assert!(restored.stop().await);
    audit::verify(&state).unwrap();

    world.audit.note(Event::OperatorRemoved { name: operator("ann"), by: None }, noon()).await.unwrap();
    assert!(world.audit.stop().await);
    let other = tempfile::tempdir().unwrap();
    let fresh = crate::world::start(other.path()).0;
    assert!(fresh.stop().await);
    Connection::open(other.path().join("portcullis.db")).unwrap().execute_batch("DROP TABLE delegation").unwrap();
    audit::verify(other.path()).unwrap();
    let (again, _) = crate::world::start(other.path());
    assert!(again.delegations().is_empty());
    assert!(again.stop().await);
    world.audit = crate::world::start(world.state.path()).0;
    world.verify().unwrap();
}
