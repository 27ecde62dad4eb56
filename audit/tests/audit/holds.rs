//! Holds: recorded, stored, sealed, and used once.

use audit::{AuditError, StepRefused};
use policies::approval::{Hold, HoldState, Step, StepError};
use policies::decision::Permit;
use policies::{CallId, HoldId, OperatorId};
use tokio::task::JoinSet;

use crate::world::{World, approve, call_with, held, held_for, later, noon, random};

/// The call of this hold, decided again, with the hold's approval.
fn release(hold: &Hold, id: CallId, arguments: &str) -> Permit {
    let held = held_for(call_with(id, "ann", "delete", arguments));
    held.release(&hold.approved(noon()).unwrap(), noon()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_lets_one_call_run_once() {
    let world = World::new();
    let hold = world.hold(r#"{"path":"/a"}"#).await;
    let approved = world.audit.step(hold.id().clone(), approve("olga"), noon()).await.unwrap();
    let permit = release(&approved, hold.call().clone(), r#"{"path":"/a"}"#);
    let again = release(&approved, CallId::from_random(random()), r#"{"path":"/a"}"#);
    let entry = world.audit.open(permit, noon()).await.unwrap();
    assert_eq!(world.audit.open(again, noon()).await.err().map(|not| not.why), Some(AuditError::AlreadyConsumed));
    let stored = world.audit.find_hold(hold.id()).unwrap().unwrap();
    assert_eq!(stored.state(), &HoldState::Consumed { by: hold.call().clone() });
    assert!(world.audit.holds().is_empty());
    drop(world.answer(entry, "{}").await);
    let kinds: Vec<&str> = world
        .audit
        .reader()
        .unwrap()
        .show(hold.id().as_str())
        .unwrap()
        .records
        .iter()
        .map(|found| found.record.kind.as_str())
        .collect();
    assert_eq!(kinds, ["hold", "step", "step", "intent", "outcome"]);
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_use_one_approval_at_once_one_runs() {
    let world = World::new();
    let hold = world.hold("{}").await;
    let approved = world.audit.step(hold.id().clone(), approve("olga"), noon()).await.unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..32 {
        let (audit, permit) = (world.audit.clone(), release(&approved, CallId::from_random(random()), "{}"));
        tasks.spawn(async move { audit.open(permit, noon()).await.map(|entry| entry.seq()) });
    }
    let opened = tasks.join_all().await;
    assert_eq!(opened.iter().filter(|entry| entry.is_ok()).count(), 1);
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_answers_at_once_one_counts() {
    let world = World::new();
    let hold = world.hold("{}").await;
    let mut tasks = JoinSet::new();
    for number in 0..32 {
        let (audit, id) = (world.audit.clone(), hold.id().clone());
        let by = OperatorId::authenticated(&format!("op-{number}"));
        let step = if number % 2 == 0 { Step::approve(by) } else { Step::Deny { by, reason: "no".to_owned() } };
        tasks.spawn(async move { audit.step(id, step, noon()).await });
    }
    let answers = tasks.join_all().await;
    let taken = answers.iter().filter(|answer| answer.is_ok()).count();
    let stored = world.audit.find_hold(hold.id()).unwrap().unwrap();
    // An approval may be followed by the one denial that outweighs it; nothing else may follow anything.
    match stored.state() {
        HoldState::Denied { .. } => assert!(taken == 1 || taken == 2),
        HoldState::Approved => assert_eq!(taken, 1),
        HoldState::Pending | HoldState::Expired | HoldState::Cancelled | HoldState::Consumed { .. } => {
            panic!("{stored:?}")
        }
    }
    for refused in answers.into_iter().filter_map(Result::err) {
        assert!(matches!(refused, StepRefused::Step(StepError::Settled { .. })), "{refused:?}");
    }
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_of_another_deed_opens_nothing() {
    let world = World::new();
    let (one, other) = (world.hold(r#"{"path":"/a"}"#).await, world.hold(r#"{"path":"/b"}"#).await);
    let approved = world.audit.step(one.id().clone(), approve("olga"), noon()).await.unwrap();
    // The pure side refuses to release it …
    let held = held_for(call_with(other.call().clone(), "ann", "delete", r#"{"path":"/b"}"#));
    assert!(held.release(&approved.approved(noon()).unwrap(), noon()).is_err());
    // … and the log refuses a hold that was denied meanwhile.
    let permit = release(&approved, one.call().clone(), r#"{"path":"/a"}"#);
    let deny = Step::Deny { by: OperatorId::authenticated("omar"), reason: String::new() };
    world.audit.step(one.id().clone(), deny, noon()).await.unwrap();
    assert_eq!(world.audit.open(permit, noon()).await.err().map(|not| not.why), Some(AuditError::NotApproved));
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_and_approvals_survive_a_restart_and_the_stored_call_comes_back_whole() {
    let mut world = World::new();
    let secret = format!("ghp_{}", "a1B2".repeat(9));
    let arguments = format!(r#"{{"path":"/a","n":1.0,"key":"{secret}"}}"#);
    let hold = world.hold(&arguments).await;
    let approved = world.audit.step(hold.id().clone(), approve("olga"), noon()).await.unwrap();
    let recovered = world.restart().await;
    assert_eq!(recovered.holds, vec![approved.clone()]);
    assert_eq!(world.audit.holds(), vec![approved.clone()]);
    let stored = world.audit.held_call(hold.id()).unwrap();
    assert_eq!(
        (stored.call, stored.tool.as_str(), stored.method.as_str()),
        (hold.call().clone(), "delete", "tools/call")
    );
    assert_eq!(stored.arguments.to_string(), arguments);
    // Sealed: the database does not have it in the clear.
    assert!(!world.holds_text(&secret));
    let entry = world.audit.open(release(&approved, hold.call().clone(), &arguments), noon()).await.unwrap();
    assert!(world.audit.held_call(hold.id()).is_err(), "the end of a hold erases its call");
    drop(world.answer(entry, "{}").await);
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_call_opens_for_its_own_hold_and_unchanged_only() {
    let world = World::new();
    let (one, other) = (world.hold(r#"{"path":"/a"}"#).await, world.hold(r#"{"path":"/b"}"#).await);
    let db = rusqlite::Connection::open(world.state.path().join("portcullis.db")).unwrap();
    db.execute(
        "UPDATE hold SET sealed = (SELECT sealed FROM hold WHERE id = ?2) WHERE id = ?1",
        [one.id().as_str(), other.id().as_str()],
    )
    .unwrap();
    assert!(matches!(world.audit.held_call(one.id()), Err(audit::SealError::Broken)));
    world.audit.held_call(other.id()).unwrap();
    db.execute("UPDATE hold SET sealed = CAST(x'00' || substr(sealed, 2) AS BLOB)", []).unwrap();
    assert!(matches!(world.audit.held_call(other.id()), Err(audit::SealError::Broken)));
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_that_cannot_be_are_refused_and_leave_no_record() {
    let world = World::new();
    let hold = world.hold("{}").await;
    let before = world.audit.reader().unwrap().last().unwrap();
    let unknown = world.audit.step(HoldId::from_random(random()), approve("olga"), noon()).await;
    assert!(matches!(unknown, Err(StepRefused::Unknown)));
    let early = world.audit.step(hold.id().clone(), Step::Expire, noon()).await;
    assert!(matches!(early, Err(StepRefused::Step(StepError::TimeLeft))));
    let late = world.audit.step(hold.id().clone(), approve("olga"), later(86_400)).await;
    assert!(matches!(late, Err(StepRefused::Step(StepError::TimeRanOut))));
    assert_eq!(world.audit.reader().unwrap().last().unwrap(), before);
    world.audit.step(hold.id().clone(), Step::Expire, later(86_400)).await.unwrap();
    assert!(world.audit.holds().is_empty());
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_denial_outlives_a_restart_however_many_other_holds_end_meanwhile() {
    let mut world = World::new();
    let denied = world.hold(r#"{"path":"/a"}"#).await;
    let deny = Step::Deny { by: OperatorId::authenticated("omar"), reason: "no".to_owned() };
    let denied = world.audit.step(denied.id().clone(), deny, noon()).await.unwrap();
    let mut tasks = JoinSet::new();
    for number in 1..=1_001 {
        let audit = world.audit.clone();
        tasks.spawn(async move {
            let held = held("ann", "delete", r#"{"path":"\"denied\""}"#);
            let hold = Hold::open(HoldId::from_random(random()), &held, 1, noon());
            audit.hold(&held, hold.clone(), noon()).await.unwrap();
            let cancel = Step::Cancel { why: "its agent says \"denied\"".to_owned() };
            audit.step(hold.id().clone(), cancel, noon()).await.unwrap();
        });
        // Nobody waits long for the disk of a busy machine.
        if number % 77 == 0 {
            while let Some(done) = tasks.join_next().await {
                done.unwrap();
            }
        }
    }
    assert!(tasks.is_empty());
    assert_eq!(world.restart().await.denied, vec![denied]);
    world.verify().unwrap();
}
