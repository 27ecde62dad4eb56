//! Many callers at once.

use std::time::Instant;

use audit::{Filter, Kind};
use tokio::task::JoinSet;

use crate::world::{World, call, noon, permit, permit_for};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_record_of_128_concurrent_callers_is_there_in_one_chain() {
    const CALLERS: usize = 128;
    const CALLS: usize = 20;
    let world = std::sync::Arc::new(World::new());
    let mut tasks = JoinSet::new();
    for caller in 0..CALLERS {
        let world = std::sync::Arc::clone(&world);
        tasks.spawn(async move {
            let mut seqs = Vec::new();
            for number in 0..CALLS {
                let entry = world.entry(&format!(r#"{{"caller":{caller},"number":{number}}}"#)).await;
                seqs.push(entry.seq());
                seqs.push(world.answer(entry, r#"{"content":[{"type":"text","text":"done"}]}"#).await.seq());
            }
            seqs
        });
    }
    let mut seqs: Vec<u64> = tasks.join_all().await.into_iter().flatten().collect();
    seqs.sort_unstable();
    seqs.dedup();
    assert_eq!(seqs.len(), CALLERS * CALLS * 2, "two records had one number");
    let verified = world.verify().unwrap();
    assert_eq!(verified.records, u64::try_from(seqs.len()).unwrap() + 1);
    let filter = Filter { kinds: vec![Kind::Outcome], limit: Some(10_000), ..Filter::default() };
    assert_eq!(world.audit.reader().unwrap().list(&filter).unwrap().len(), CALLERS * CALLS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_call_id_opens_once_whoever_asks_at_the_same_time() {
    let world = World::new();
    let id = call("ann", "read", "{}").id().clone();
    let mut tasks = JoinSet::new();
    for _ in 0..32 {
        let (audit, id) = (world.audit.clone(), id.clone());
        tasks.spawn(async move {
            let permit = permit_for(crate::world::call_with(id, "ann", "read", "{}"));
            audit.open(permit, noon()).await.map(|entry| entry.seq())
        });
    }
    let opened = tasks.join_all().await;
    assert_eq!(opened.iter().filter(|entry| entry.is_ok()).count(), 1);
    assert!(
        opened
            .iter()
            .filter_map(|entry| entry.as_ref().err())
            .all(|error| error.why == audit::AuditError::AlreadyConsumed)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_dropped_is_closed_as_interrupted() {
    let mut world = World::new();
    let entry = world.entry("{}").await;
    let (id, seq) = (entry.call().id().clone(), entry.seq());
    drop(entry);
    let reader = world.audit.reader().unwrap();
    let started = Instant::now();
    let outcome = loop {
        let life = reader.show(id.as_str()).unwrap();
        if let Some(outcome) = life.records.into_iter().find(|found| found.record.kind == Kind::Outcome) {
            break outcome;
        }
        assert!(started.elapsed().as_secs() < 5);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert_eq!(outcome.record.detail.get("outcome").unwrap().as_str(), Some("interrupted"));
    assert_eq!(outcome.record.detail.get("intent").unwrap().as_u64(), Some(seq));
    assert!(world.restart().await.interrupted.is_empty());
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_future_that_is_dropped_leaves_no_open_entry() {
    let mut world = World::new();
    for delay in 0..40_u64 {
        let opening = world.audit.open(permit("ann", "read", "{}"), noon());
        let patience = std::time::Duration::from_micros(delay * 50);
        // Whether it was opened or not, nobody has it afterwards.
        drop(tokio::time::timeout(patience, opening).await);
    }
    assert!(world.restart().await.interrupted.is_empty());
    world.verify().unwrap();
}
