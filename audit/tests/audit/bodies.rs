//! What records hold of arguments and results, and that nothing unredacted is written.

use audit::{AuditError, Direction, Failure, FailureKind, Loans, Outcome};
use policies::Value;
use policies::decision::Denial;

use crate::world::{World, call, decide, json, noon, permit, raw, refused};

fn token() -> String {
    format!("ghp_{}", "a1B2".repeat(9))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_is_what_was_recorded_and_neither_holds_the_secret() {
    let world = World::new();
    let (token, password) = (token(), "correct-horse-7");
    let arguments = format!(r#"{{"path":"/a","headers":{{"password":"{password}"}},"note":"use {token}"}}"#);
    let result = format!(
        r#"{{"content":[{{"type":"text","text":"token={token}"}}],"structuredContent":{{"password":"{password}"}},"n":1.50}}"#
    );
    let receipt = world.call(&arguments, &result).await;
    assert_eq!(receipt.redactions(), 2);
    let audit::Answer::Result(answer) = receipt.outcome() else { panic!() };
    assert!(!answer.to_string().contains(&token) && !answer.to_string().contains(password));
    assert!(answer.to_string().contains("\"n\":1.50"));

    let life = world.audit.reader().unwrap().show(receipt.call_id().as_str()).unwrap();
    assert_eq!(life.records.len(), 2);
    assert_eq!(life.records[1].body.as_ref(), Some(answer));
    let recorded = life.records[0].body.as_ref().unwrap();
    assert_eq!(recorded.get("path"), Some(&Value::from("/a")));
    assert!(recorded.pointer("/headers/password").unwrap().as_str().unwrap().starts_with("[secret:password:"));
    assert!(!world.holds_text(&token) && !world.holds_text(password));
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_recorded_in_any_way_holds_the_secret() {
    let mut world = World::new();
    let token = token();
    let hidden = format!(r#"{{"a":"{token}"}}"#);
    let entry = world.entry(&hidden).await;
    let passed =
        world.audit.relay(&entry, Direction::ToAgent, "sampling/createMessage", raw(&hidden), noon()).await.unwrap();
    assert!(!passed.value().to_string().contains(&token));
    assert!(!world.audit.notices().notice(raw(&hidden)).value().to_string().contains(&token));
    let failure = Failure { kind: FailureKind::Malformed, detail: format!("found {token}") };
    let loans = Loans::none(&entry);
    let receipt = world.audit.close(entry, loans, Outcome::Failed(failure), noon()).await.unwrap();
    assert!(!format!("{receipt:?}").contains(&token), "{receipt:?}");

    let policies::Verdict::Allow(permit) = decide(call("ann", "read", &hidden), noon()) else { panic!() };
    let mut told = refused("test");
    told.reason = format!("not with {token}");
    let denial = Denial::new(call("ann", &format!("tool {token}"), &hidden), permit.assessment().clone(), told);
    let refusal = world.audit.refuse(denial, noon()).await.unwrap();
    assert!(!refusal.refused().reason.contains(&token));

    let hold = world.hold(&hidden).await;
    let reason = format!("because {token}");
    let deny = policies::Step::Deny { by: policies::OperatorId::authenticated("op"), reason };
    world.audit.step(hold.id().clone(), deny, noon()).await.unwrap();
    let event = audit::Event::AuthenticationFailed { peer: "::1".to_owned(), reason: format!("sent {token}") };
    world.audit.note(event, noon()).await.unwrap();
    let changed = audit::Event::ToolPinned {
        server: policies::ServerName::parse("files").unwrap(),
        method: policies::Method::CallTool,
        name: "leaky".to_owned(),
        hash: policies::Hash::of(b"x"),
        definition: json(&hidden),
    };
    world.audit.note(changed, noon()).await.unwrap();
    assert!(!world.holds_text(&token));
    world.restart().await;
    assert!(!world.holds_text(&token));
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn long_bodies_leave_their_size_and_hash() {
    let world = World::new();
    let long = format!(r#"{{"text":"{}"}}"#, "x".repeat(70_000));
    let receipt = world.call(&long, &long).await;
    let life = world.audit.reader().unwrap().show(receipt.call_id().as_str()).unwrap();
    for found in &life.records {
        let body = found.record.body.unwrap();
        assert_eq!((body.bytes, body.kept), (u64::try_from(long.len()).unwrap(), false));
        assert_eq!(body.sha256, policies::Hash::of(long.as_bytes()));
        assert_eq!(found.body, None);
    }
    let exact = format!(r#"{{"text":"{}"}}"#, "x".repeat((64 << 10) - r#"{"text":""}"#.len()));
    let receipt = world.call("{}", &exact).await;
    let life = world.audit.reader().unwrap().show(receipt.call_id().as_str()).unwrap();
    assert!(life.records[1].record.body.unwrap().kept && life.records[1].body.is_some());
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_closes_with_its_own_loans_only() {
    let world = World::new();
    let (first, second) = (world.entry("{}").await, world.entry("{}").await);
    let foreign = Loans::none(&second);
    let refused = world.audit.close(first, foreign, Outcome::Cancelled, noon()).await;
    assert_eq!(refused.unwrap_err(), AuditError::ForeignLoans);
    drop(world.answer(second, "{}").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_permit_opens_nothing() {
    let world = World::new();
    let before = world.audit.reader().unwrap().last().unwrap();
    let late = world.audit.open(permit("ann", "read", "{}"), crate::world::later(3_600)).await;
    assert_eq!(late.err().map(|not| not.why), Some(AuditError::PermitExpired));
    assert_eq!(world.audit.reader().unwrap().last().unwrap(), before);
}
