//! What somebody asks for is done if they are who they were when they were let in, and nothing of it where they are not: the race
//! between the proof and the record, step by step.

use std::sync::Arc;

use audit::{Audit, AuditError, Author, Event, Loans, MarkKind, Outcome, StepRefused, Verifier};
use policies::approval::{Delegation, Hold, Leeway, Pass, Step, Within};
use policies::{AgentId, Hash, HoldId, Method, OperatorId, Role, ServerName};

use crate::world::{World, held, json, later, noon, permit, random, raw};

fn named(name: &str) -> OperatorId {
    OperatorId::authenticated(name)
}

fn added(name: &str, pin: &str) -> Event {
    let pin = Verifier::new(pin.to_owned());
    Event::OperatorAdded { name: named(name), role: Role::Admin, uid: None, pin, by: None }
}

fn removed(name: &str) -> Event {
    Event::OperatorRemoved { name: named(name), by: None }
}

/// The log for whoever has this name now.
fn by(world: &World, name: &str) -> Audit {
    let author = Author::operator(&world.audit.operator(&named(name)).unwrap());
    world.audit.by(Some(&Arc::new(author)))
}

fn server() -> ServerName {
    ServerName::parse("files").unwrap()
}

fn pinned(definition: &str) -> Event {
    let (definition, name) = (json(definition), "read".to_owned());
    let hash = Hash::of(definition.to_string().as_bytes());
    Event::ToolPinned { server: server(), method: Method::CallTool, name, hash, definition }
}

fn hashed(definition: &str) -> Hash {
    Hash::of(json(definition).to_string().as_bytes())
}

/// A log in which there is something to change of every kind, and a hold.
async fn world() -> (World, Hold) {
    let world = World::new();
    for event in [
        added("ann", "one"),
        added("bob", "bob's"),
        Event::AgentAdded { name: AgentId::authenticated("ci"), token: Hash::of(b"1"), expires: None, by: None },
        Event::PackageAdded { name: server(), digest: Hash::of(b"package"), version: None, by: None },
        pinned("{\"v\":1}"),
        Event::ToolChanged {
            server: server(),
            method: Method::CallTool,
            name: "read".to_owned(),
            hash: hashed("{\"v\":2}"),
            definition: json("{\"v\":2}"),
        },
    ] {
        world.audit.note(event, noon()).await.unwrap();
    }
    let held = held("ann", "delete", "{}");
    let hold = Hold::open(HoldId::from_random(random()), &held, 2, noon());
    world.audit.hold(&held, hold.clone(), noon()).await.unwrap();
    (world, hold)
}

/// What an operator can have recorded, of every kind that changes a projection in a way of its own.
fn asked() -> Vec<Event> {
    let ann = || Some(named("ann"));
    let lent = Delegation::new(
        (named("ann"), named("bob")),
        Within::default(),
        jiff::SignedDuration::from_hours(1),
        "away".to_owned(),
        noon(),
    );
    vec![
        Event::OperatorSeen { by: named("ann"), action: "reload policies".to_owned() },
        Event::SecretChanged { name: "token".to_owned(), action: "set".to_owned(), by: ann() },
        Event::AgentAdded { name: AgentId::authenticated("cd"), token: Hash::of(b"2"), expires: None, by: ann() },
        Event::AgentRemoved { name: AgentId::authenticated("ci"), by: ann() },
        Event::OperatorAdded {
            name: named("eve"),
            role: Role::Admin,
            uid: None,
            pin: Verifier::new("eve's".to_owned()),
            by: ann(),
        },
        Event::PinChanged { name: named("bob"), pin: Verifier::new("other".to_owned()), by: ann() },
        Event::DelegationMade { delegation: Box::new(lent.unwrap()), proof: None },
        Event::ToolAccepted {
            server: server(),
            method: Method::CallTool,
            name: "read".to_owned(),
            hash: hashed("{\"v\":2}"),
            by: ann(),
        },
        Event::PackageRemoved { name: server(), by: ann() },
        Event::OperatorRemoved { name: named("bob"), by: ann() },
    ]
}

fn steps() -> Vec<Step> {
    let glass = Step::BreakGlass {
        by: named("ann"),
        reason: "customers cannot log in".to_owned(),
        because: "the others are on a plane".to_owned(),
        proof: None,
        role: None,
        observed: Vec::new(),
    };
    vec![Step::approve(named("ann")), glass, Step::Deny { by: named("ann"), reason: "no".to_owned() }]
}

/// Everything that ann, as she was, asks for is refused, and nothing is written.
async fn refused(world: &World, hold: &Hold, ann: &Audit, what: &str) {
    let before = world.verify().unwrap().records;
    assert_eq!(ann.acts(), Err(AuditError::NoAuthor), "{what}");
    for event in asked() {
        let told = format!("{what}: {event:?}");
        assert_eq!(ann.note(event, noon()).await.unwrap_err(), AuditError::NoAuthor, "{told}");
    }
    for step in steps() {
        let told = format!("{what}: {step:?}");
        let refused = ann.step(hold.id().clone(), step, noon()).await;
        assert!(matches!(refused, Err(StepRefused::Audit(AuditError::NoAuthor))), "{told}: {refused:?}");
    }
    let leeway =
        Leeway { times: 1, lasts: jiff::SignedDuration::from_mins(5), arguments: std::iter::empty().collect() };
    let pass = Pass::new(hold, &json("{}"), (named("ann"), None), &leeway, noon()).unwrap();
    let refused = ann.approve_with(hold.id().clone(), Step::approve(named("ann")), pass, noon()).await;
    assert!(matches!(refused, Err(StepRefused::Audit(AuditError::NoAuthor))), "{what}: {refused:?}");
    // A call of her own is given back, to be refused.
    let not = ann.open(permit("operator:ann", "read", "{}"), noon()).await.err().expect("it was opened");
    assert_eq!(not.why, AuditError::NoAuthor, "{what}");
    assert_eq!(world.verify().unwrap().records, before, "{what}: something was written");
    assert!(world.audit.mark(MarkKind::Package, &server()).is_some() && world.audit.passes(noon()).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_removed_replaced_or_has_another_pin_since_they_were_let_in_changes_nothing() {
    let pin = || Event::PinChanged { name: named("ann"), pin: Verifier::new("two".to_owned()), by: None };
    for (what, since) in [
        ("another PIN", vec![(pin(), noon())]),
        ("removed", vec![(removed("ann"), noon())]),
        // In the same moment, so that only the PIN tells them apart.
        ("replaced at once", vec![(removed("ann"), noon()), (added("ann", "two"), noon())]),
        // By who restored what the PIN is checked against, so that only the time does.
        ("replaced with the same PIN", vec![(removed("ann"), noon()), (added("ann", "one"), later(1))]),
        ("a name of another case", vec![(removed("ann"), noon()), (added("Ann", "one"), noon())]),
        ("nobody left", vec![(removed("ann"), noon()), (removed("bob"), noon())]),
    ] {
        let (world, hold) = world().await;
        let ann = by(&world, "ann");
        ann.note(Event::OperatorSeen { by: named("ann"), action: "looked".to_owned() }, noon()).await.unwrap();
        for (event, at) in since {
            world.audit.note(event, at).await.unwrap();
        }
        refused(&world, &hold, &ann, what).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_still_who_they_were_has_everything_done_also_after_a_restart() {
    for event in asked() {
        let (mut world, _) = world().await;
        world.restart().await;
        let told = format!("{event:?}");
        by(&world, "ann").note(event, noon()).await.unwrap_or_else(|error| panic!("{told}: {error}"));
        world.verify().unwrap();
    }
    for step in steps() {
        let (world, hold) = world().await;
        by(&world, "ann").step(hold.id().clone(), step, noon()).await.unwrap();
        world.verify().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_this_machine_changes_things_until_somebody_is_added() {
    let world = World::new();
    let user = world.audit.by(Some(&Arc::new(Author::User)));
    user.note(added("ann", "one"), noon()).await.unwrap();
    assert_eq!(user.note(added("eve", "two"), noon()).await.unwrap_err(), AuditError::NoAuthor);
    assert_eq!(world.audit.operators().len(), 1);
    world.audit.note(removed("ann"), noon()).await.unwrap();
    user.note(added("bob", "one"), noon()).await.unwrap();
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_has_its_end_recorded_whoever_asked_for_it() {
    let (world, _) = world().await;
    let ann = by(&world, "ann");
    let entry = ann.open(permit("operator:ann", "read", "{}"), noon()).await.unwrap();
    world.audit.note(removed("ann"), noon()).await.unwrap();
    let loans = Loans::none(&entry);
    drop(ann.close(entry, loans, Outcome::Answered(raw("{}")), noon()).await.unwrap());
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_change_and_the_removal_of_who_asked_for_it_at_once_the_log_has_one_order() {
    for round in 0..16 {
        let (world, _) = world().await;
        let (ann, name) = (by(&world, "ann"), format!("agent-{round}"));
        let event = Event::AgentAdded {
            name: AgentId::authenticated(&name),
            token: Hash::of(name.as_bytes()),
            expires: None,
            by: Some(named("ann")),
        };
        let (asked, gone) = tokio::join!(ann.note(event, noon()), world.audit.note(removed("ann"), noon()));
        let gone = gone.unwrap();
        match asked {
            Ok(seq) => assert!(seq < gone, "it was done for nobody"),
            Err(error) => assert_eq!(error, AuditError::NoAuthor),
        }
        world.verify().unwrap();
    }
}
