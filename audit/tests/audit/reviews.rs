//! Broken glass: a record, a review in the same transaction, and an end of it by somebody else.

use audit::{AuditError, Event, StepRefused, VerifyError};
use policies::approval::{Hold, Step, StepError};
use policies::decision::Because;
use policies::{HoldId, OperatorId};
use rusqlite::Connection;
use tokio::task::JoinSet;

use crate::world::{World, approve, call_with, held, held_for, noon, random};

fn smash(by: &str) -> Step {
    Step::BreakGlass {
        by: OperatorId::authenticated(by),
        reason: "customers cannot log in".to_owned(),
        because: "bob and cyn are on a plane".to_owned(),
        proof: None,
        role: None,
        observed: Vec::new(),
    }
}

fn closed(hold: &Hold, by: &str) -> Event {
    let (hold, by) = (hold.id().clone(), OperatorId::authenticated(by));
    Event::ReviewClosed { hold, by, finding: "it was right".to_owned() }
}

/// A call that waits for two.
async fn hold(world: &World) -> Hold {
    let held = held("ann", "delete", "{}");
    let hold = Hold::open(HoldId::from_random(random()), &held, 2, noon());
    world.audit.hold(&held, hold.clone(), noon()).await.unwrap();
    hold
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_glass_opens_a_review_that_somebody_else_closes() {
    let mut world = World::new();
    let hold = hold(&world).await;
    let broken = world.audit.step(hold.id().clone(), smash("olga"), noon()).await.unwrap();
    world.restart().await;
    let review = world.audit.reviews().remove(0);
    assert_eq!((&review.hold, review.glass.by.as_str()), (hold.id(), "olga"));
    let call = held_for(call_with(hold.call().clone(), "ann", "delete", "{}"));
    let permit = call.release(&broken.approved(noon()).unwrap(), noon()).unwrap();
    assert!(matches!(permit.because(), Because::BreakGlass { .. }));
    let entry = world.audit.open(permit, noon()).await.unwrap();
    drop(world.answer(entry, "{}").await);
    assert_eq!(world.audit.reviews().len(), 1, "that the call ran closes nothing");
    for own in ["olga", "Olga"] {
        assert_eq!(world.audit.note(closed(&hold, own), noon()).await.unwrap_err(), AuditError::OwnReview);
    }
    world.verify().unwrap();
    world.audit.note(closed(&hold, "omar"), noon()).await.unwrap();
    assert_eq!(world.audit.note(closed(&hold, "omar"), noon()).await.unwrap_err(), AuditError::Unknown);
    world.restart().await;
    assert!(world.audit.reviews().is_empty());
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_break_one_glass_at_once_one_does() {
    let world = World::new();
    let hold = hold(&world).await;
    let mut tasks = JoinSet::new();
    for number in 0..16 {
        let (audit, id) = (world.audit.clone(), hold.id().clone());
        tasks.spawn(async move { audit.step(id, smash(&format!("op-{number}")), noon()).await });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    for refused in answers.into_iter().filter_map(Result::err) {
        assert!(matches!(refused, StepRefused::Step(StepError::Settled { .. })), "{refused:?}");
    }
    assert_eq!(world.audit.reviews().len(), 1);
    assert!(world.audit.step(hold.id().clone(), approve("omar"), noon()).await.is_err());
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_that_was_taken_away_is_found() {
    let world = World::new();
    let hold = hold(&world).await;
    world.audit.step(hold.id().clone(), smash("olga"), noon()).await.unwrap();
    assert!(world.audit.stop().await);
    let changes = [
        "DELETE FROM review",
        "DROP TABLE review",
        "UPDATE review SET review = replace(review, 'olga', 'omar')",
        "INSERT INTO review (hold, review) SELECT 'hold-aaaaaaaaaaaaaaaa', review FROM review",
    ];
    for change in changes {
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(world.state.path().join("portcullis.db"), copy.path().join("portcullis.db")).unwrap();
        Connection::open(copy.path().join("portcullis.db")).unwrap().execute_batch(change).unwrap();
        let found = audit::verify(copy.path());
        assert!(matches!(found, Err(VerifyError::Broken(_) | VerifyError::Read(_))), "{change}: {found:?}");
    }
    audit::verify(world.state.path()).unwrap();
}
