//! Operators, their PINs and their failures: written with their record, in memory at once, there after a restart.

use audit::{AuditError, Door, Event, Failures, Filter, StepRefused, Verifier, VerifyError};
use policies::approval::{Hold, Step, StepError};
use policies::{AgentId, Hash, HoldId, OperatorId, Role};
use rusqlite::Connection;

use crate::world::{World, held, later, noon, random, start};

fn ann() -> OperatorId {
    OperatorId::authenticated("ann")
}

fn added(name: &str, role: Role, uid: Option<u32>) -> Event {
    let pin = Verifier::new(format!("verifier of {name}"));
    Event::OperatorAdded { name: OperatorId::authenticated(name), role, uid, pin, by: None }
}

fn tried(failed: bool, door: Door) -> Event {
    if failed { Event::PinRefused { name: ann(), door } } else { Event::PinAccepted { name: ann(), door } }
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_come_and_go_with_their_records() {
    let mut world = World::new();
    world.audit.note(added("ann", Role::Admin, Some(1000)), noon()).await.unwrap();
    assert_eq!(world.audit.note(added("Ann", Role::Reviewer, None), noon()).await.unwrap_err(), AuditError::IdTaken);
    world.audit.note(added("bob", Role::Admin, None), noon()).await.unwrap();
    let pin = Verifier::new("another".to_owned());
    world.audit.note(Event::PinChanged { name: ann(), pin: pin.clone(), by: Some(ann()) }, noon()).await.unwrap();
    world.restart().await;
    let known = world.audit.operator(&ann()).unwrap();
    assert_eq!((known.role, known.uid, known.pin), (Role::Admin, Some(1000), pin));
    let records = world.audit.reader().unwrap().list(&Filter::default()).unwrap();
    let records = serde_json::to_string(&records).unwrap();
    assert!(records.contains("operator-added"), "{records}");
    assert!(!records.contains("verifier of bob"), "a record has what a PIN could be tried on");
    world.verify().unwrap();

    let removed = || Event::OperatorRemoved { name: ann(), by: None };
    world.audit.note(removed(), noon()).await.unwrap();
    assert_eq!(world.audit.note(removed(), noon()).await.unwrap_err(), AuditError::Unknown);
    world.restart().await;
    assert_eq!(world.audit.operators().len(), 1);
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_removed_since_they_proved_who_they_are_approves_nothing() {
    let world = World::new();
    let bob = || OperatorId::authenticated("bob");
    let by_pin = |by| {
        let proof = Some(serde_json::json!({ "by": "pin" }));
        Step::Approve { by, reason: None, proof, pass: None, lent: None, role: None, observed: Vec::new() }
    };
    let glass = |by| Step::BreakGlass {
        by,
        reason: "the backup must run".to_owned(),
        because: "everybody else is asleep".to_owned(),
        proof: Some(serde_json::json!({ "by": "pin" })),
        role: None,
        observed: Vec::new(),
    };
    let held = held("ann", "delete", "{}");
    let hold = Hold::open(HoldId::from_random(random()), &held, 2, noon());
    world.audit.hold(&held, hold.clone(), noon()).await.unwrap();
    let refused = async |step: Step, who: OperatorId| {
        let refused = world.audit.step(hold.id().clone(), step, noon()).await;
        assert!(matches!(&refused, Err(StepRefused::Step(StepError::NoOperator { by })) if *by == who), "{refused:?}");
    };
    for name in ["ann", "bob"] {
        world.audit.note(added(name, Role::Admin, None), noon()).await.unwrap();
    }
    world.audit.note(Event::OperatorRemoved { name: bob(), by: None }, noon()).await.unwrap();
    refused(by_pin(bob()), bob()).await;
    refused(glass(bob()), bob()).await;
    // Nor a user of this machine, who could approve while there were no operators.
    let user = || OperatorId::authenticated("uid:1000");
    refused(Step::approve(user()), user()).await;
    world.audit.step(hold.id().clone(), by_pin(ann()), noon()).await.unwrap();
    // The last one, too: who has a PIN was added.
    world.audit.note(Event::OperatorRemoved { name: ann(), by: None }, noon()).await.unwrap();
    refused(by_pin(bob()), bob()).await;
    world.audit.step(hold.id().clone(), Step::approve(user()), noon()).await.unwrap();
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_admins_who_remove_each_other_at_once_one_stays() {
    let world = World::new();
    world.audit.note(added("cyn", Role::Operator, None), noon()).await.unwrap();
    let removed = |name: &str, by: &str| Event::OperatorRemoved {
        name: OperatorId::authenticated(name),
        by: Some(OperatorId::authenticated(by)),
    };
    for _ in 0..16 {
        let admins = || world.audit.operators().into_iter().filter(|operator| operator.role == Role::Admin);
        for name in ["ann", "bob"].into_iter().filter(|name| admins().all(|admin| admin.name.as_str() != *name)) {
            world.audit.note(added(name, Role::Admin, None), noon()).await.unwrap();
        }
        let both = tokio::join!(
            world.audit.note(removed("ann", "bob"), noon()),
            world.audit.note(removed("bob", "ann"), noon())
        );
        match both {
            (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => assert_eq!(refused, AuditError::LastAdmin),
            other => panic!("{other:?}"),
        }
        assert_eq!(admins().count(), 1);
    }
    // The last operator of all may go: then the users of this machine are the admins again.
    world
        .audit
        .note(Event::OperatorRemoved { name: OperatorId::authenticated("cyn"), by: None }, noon())
        .await
        .unwrap();
    let left = world.audit.operators().remove(0).name;
    world.audit.note(Event::OperatorRemoved { name: left, by: None }, noon()).await.unwrap();
    assert!(world.audit.operators().is_empty());
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_counted_for_each_door_and_outlive_a_restart() {
    let mut world = World::new();
    assert_eq!(world.audit.note(tried(true, Door::SignIn), noon()).await.unwrap_err(), AuditError::Unknown);
    world.audit.note(added("ann", Role::Admin, None), noon()).await.unwrap();
    world.audit.note(tried(true, Door::SignIn), noon()).await.unwrap();
    world.audit.note(tried(true, Door::SignIn), later(1)).await.unwrap();
    world.restart().await;
    assert_eq!(world.audit.failures(&ann(), Door::SignIn), Failures { count: 2, last: Some(later(1)) });
    assert_eq!(world.audit.failures(&ann(), Door::Inside), Failures::default());
    world.audit.note(tried(true, Door::Inside), noon()).await.unwrap();
    world.audit.note(tried(false, Door::SignIn), noon()).await.unwrap();
    assert_eq!(world.audit.failures(&ann(), Door::SignIn).count, 0);
    world.restart().await;
    assert_eq!(world.audit.failures(&ann(), Door::Inside).count, 1);
    world.verify().unwrap();
    world.audit.note(Event::OperatorRemoved { name: ann(), by: None }, noon()).await.unwrap();
    world.audit.note(added("ann", Role::Admin, None), noon()).await.unwrap();
    assert_eq!(world.audit.failures(&ann(), Door::Inside), Failures::default());
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_adds_an_agent_owns_it_also_in_a_log_from_before() {
    let mut world = World::new();
    let agent = |token: &[u8], by| Event::AgentAdded {
        name: AgentId::authenticated("ci"),
        token: Hash::of(token),
        expires: None,
        by,
    };
    let owner = |world: &World| world.audit.agent(&AgentId::authenticated("ci")).unwrap().owner;
    world.audit.note(agent(b"1", Some(ann())), noon()).await.unwrap();
    world.restart().await;
    assert_eq!(owner(&world), Some(ann()));
    assert!(world.audit.stop().await);
    let db = Connection::open(world.state.path().join("portcullis.db")).unwrap();
    db.execute_batch("DROP TABLE owner; DROP TABLE operator; DROP TABLE failure;").unwrap();
    drop(db);
    world.verify().unwrap();
    world.audit = start(world.state.path()).0;
    assert_eq!(owner(&world), Some(ann()));
    world.verify().unwrap();
    world.audit.note(agent(b"2", None), noon()).await.unwrap();
    world.restart().await;
    assert_eq!(owner(&world), None);
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_who_is_in_no_record_is_found() {
    let world = World::new();
    world.audit.note(added("ann", Role::Operator, Some(1000)), noon()).await.unwrap();
    world.audit.note(tried(true, Door::SignIn), noon()).await.unwrap();
    assert!(world.audit.stop().await);
    let changes = [
        "UPDATE operator SET role = 'admin'",
        "UPDATE operator SET uid = 0",
        "UPDATE operator SET pin = 'mine'",
        "INSERT INTO operator (name, role, pin, added) VALUES ('eve', 'admin', 'mine', 0)",
        "DELETE FROM operator",
        "DROP TABLE operator",
        "UPDATE failure SET count = 0",
        "DELETE FROM failure",
        "INSERT INTO owner (agent, operator) VALUES ('ci', 'eve')",
    ];
    for change in changes {
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(world.state.path().join("portcullis.db"), copy.path().join("portcullis.db")).unwrap();
        Connection::open(copy.path().join("portcullis.db")).unwrap().execute_batch(change).unwrap();
        let found = audit::verify(copy.path());
        let named = matches!(found, Err(VerifyError::Broken(_) | VerifyError::Read(_)));
        assert!(named, "{change}: {found:?}");
    }
    audit::verify(world.state.path()).unwrap();
}
