//! Lending: to recorded calls, what was declared, while they run.

use crate::world::{NEXT, VALUE, World, hex, in_a_file};

const ONE: &str = "[secret.one]\n";

#[tokio::test]
async fn the_record_says_which_secret_was_lent_and_never_what() {
    let world = World::start(ONE);
    world.set("one", VALUE).await.unwrap();
    let entry = world.entry(vec![in_a_file("one")], &[]).await;
    let leases = world.lease(&entry).await.unwrap();
    world.close(entry, leases, &format!(r#"{{"content":[{{"type":"text","text":"{VALUE}"}}]}}"#)).await;
    let records = world.records();
    assert!(records.contains(r#""secret":"one","version":"1","placed":"nowhere""#), "{records}");
    assert!(!records.contains(VALUE), "{records}");
}

#[tokio::test]
async fn nothing_is_lent_that_is_placed_nowhere_or_described_nowhere() {
    let world = World::start(ONE);
    world.set("one", VALUE).await.unwrap();
    for (placements, named) in [(vec![], &["one"][..]), (vec![in_a_file("two")], &[])] {
        let entry = world.entry(placements, named).await;
        let refused = world.lease(&entry).await.err().unwrap();
        assert!(refused.secret().is_some());
        assert!(!refused.to_string().contains("two"), "{refused}");
    }
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_refused_by_the_name_of_its_backend() {
    let world = World::start("[secret.very-telling-name]\n");
    let entry = world.entry(vec![in_a_file("very-telling-name")], &[]).await;
    let refused = world.lease(&entry).await.err().unwrap().to_string();
    assert!(refused.contains("`file`") && !refused.contains("telling"), "{refused}");
}

#[tokio::test]
async fn a_call_that_names_secrets_is_lent_those_alone() {
    let world = World::start("[secret.one]\n[secret.two]\n");
    world.set("one", VALUE).await.unwrap();
    let entry = world.entry(vec![in_a_file("one"), in_a_file("two")], &["one"]).await;
    let leases = world.lease(&entry).await.unwrap(); // `two` is kept nowhere: it was not asked for
    world.close(entry, leases, "{}").await;
    let records = world.records();
    assert!(records.contains(r#""secret":"one","version""#), "{records}");
    assert!(!records.contains(r#""secret":"two","version""#), "{records}");
}

#[tokio::test]
async fn a_stored_value_is_redacted_before_it_is_lent_and_in_every_encoding() {
    let world = World::start(ONE);
    world.set("one", VALUE).await.unwrap();
    let state = world.stop().await;
    let world = World::start_in(state, ONE).unwrap();
    let hex = hex(VALUE.as_bytes());
    for text in [VALUE.to_owned(), hex, VALUE.chars().rev().collect()] {
        let redacted = world.redacted(&format!("it is {text}!"));
        assert!(redacted.contains("[secret:live:") && !redacted.contains(&text), "{redacted}");
    }
}

#[tokio::test]
async fn a_rotation_lends_the_new_value_and_still_redacts_the_old_one() {
    let world = World::start(ONE);
    world.set("one", VALUE).await.unwrap();
    let old = world.entry(vec![in_a_file("one")], &[]).await;
    let lent = world.lease(&old).await.unwrap();
    assert_eq!(world.set("one", NEXT).await.unwrap(), 2);
    assert!(!lent.revoked().is_cancelled(), "a call that runs keeps what it has");
    let new = world.entry(vec![in_a_file("one")], &[]).await;
    let leases = world.lease(&new).await.unwrap();
    world.close(new, leases, "{}").await;
    world.close(old, lent, "{}").await;
    let records = world.records();
    assert!(records.contains(r#""version":"1""#) && records.contains(r#""version":"2""#), "{records}");
    for value in [VALUE, NEXT] {
        assert!(!world.redacted(value).contains(value));
    }
    // And after a start, since it was replaced just now.
    let world = World::start_in(world.stop().await, ONE).unwrap();
    assert!(!world.redacted(VALUE).contains(VALUE));
}

#[tokio::test]
async fn what_is_revoked_is_taken_from_the_calls_that_hold_it_and_from_no_other() {
    let world = World::start("[secret.one]\n[secret.two]\n");
    world.set("one", VALUE).await.unwrap();
    world.set("two", NEXT).await.unwrap();
    let (holds, other) =
        (world.entry(vec![in_a_file("one")], &[]).await, world.entry(vec![in_a_file("two")], &[]).await);
    let (held, others) = (world.lease(&holds).await.unwrap(), world.lease(&other).await.unwrap());
    assert_eq!(world.vault.revoke(&world.audit, "one", None).await.unwrap(), 1);
    assert!(held.revoked().is_cancelled() && !others.revoked().is_cancelled());
    world.close(holds, held, "{}").await;
    world.close(other, others, "{}").await;
    assert!(world.records().contains(r#""action":"revoked""#));
}
