//! What a reviewer can ask.

use audit::{Decided, Event, Filter, Kind, Loans, Outcome, ShowError, Span};
use policies::approval::Step;
use policies::decision::Denial;
use policies::{OperatorId, Risk};

use crate::index::caught_up;
use crate::world::{World, call, decide, later, noon, permit, raw, refused};

#[tokio::test(flavor = "multi_thread")]
async fn filters_find_what_they_name_and_pages_go_on_where_they_ended() {
    let world = World::new();
    for number in 0..10 {
        drop(world.call(&format!(r#"{{"number":{number}}}"#), r#"{"text":"fine_day"}"#).await);
    }
    let entry = world.audit.open(permit("bob", "list", r#"{"where":"Elsewhere 100%"}"#), later(1)).await.unwrap();
    drop(world.answer(entry, "{}").await);
    let policies::Verdict::Allow(basis) = decide(call("ann", "read", "{}"), noon()) else { panic!() };
    let denial = Denial::new(call("ann", "read", "{}"), basis.assessment().clone(), refused("no-go"));
    drop(world.audit.refuse(denial, later(2)).await.unwrap());
    let hold = world.hold("{}").await;
    world
        .audit
        .note(Event::AuthenticationFailed { peer: "::1".to_owned(), reason: "wrong token".to_owned() }, noon())
        .await
        .unwrap();

    let reader = world.audit.reader().unwrap();
    let count = |filter: Filter| reader.list(&Filter { limit: Some(1_000), ..filter }).unwrap().len();
    let named = |name: &str| Some(name.to_owned());
    assert_eq!(count(Filter { agent: named("bob"), ..Filter::default() }), 2);
    assert_eq!(count(Filter { agent: named("nobody"), ..Filter::default() }), 0);
    assert_eq!(count(Filter { tool: named("list"), kinds: vec![Kind::Intent], ..Filter::default() }), 1);
    assert_eq!(count(Filter { server: named("files"), verdict: Some(Decided::Deny), ..Filter::default() }), 1);
    assert_eq!(count(Filter { verdict: Some(Decided::Hold), ..Filter::default() }), 1);
    assert_eq!(count(Filter { verdict: Some(Decided::Allow), ..Filter::default() }), 11);
    assert_eq!(
        count(Filter { risk: Some(Risk::High), kinds: vec![Kind::Hold], ..Filter::default() }),
        usize::from(hold.risk() >= Risk::High)
    );
    assert_eq!(count(Filter { since: Some(later(1)), until: Some(later(2)), ..Filter::default() }), 1);
    assert_eq!(count(Filter { text: named("elsewhere 100%"), ..Filter::default() }), 1);
    assert_eq!(count(Filter { text: named("fine_day"), ..Filter::default() }), 10);
    assert_eq!(count(Filter { text: named("day fin*"), ..Filter::default() }), 10, "in any order, also by a beginning");
    assert_eq!(count(Filter { text: named("fin day"), ..Filter::default() }), 0, "words are whole");
    assert_eq!(count(Filter { text: named("wrong token"), kinds: vec![Kind::Event], ..Filter::default() }), 1);

    let all: Vec<u64> = reader
        .list(&Filter { limit: Some(1_000), ..Filter::default() })
        .unwrap()
        .iter()
        .map(|found| found.record.seq)
        .collect();
    let (mut paged, mut before) = (Vec::new(), None);
    loop {
        let page = reader.list(&Filter { before, limit: Some(7), ..Filter::default() }).unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.record.seq);
        paged.extend(page.iter().map(|found| found.record.seq));
    }
    assert_eq!(paged, all);
    let tail: Vec<u64> = reader.tail(5, 1_000).unwrap().iter().map(|found| found.record.seq).collect();
    assert_eq!(tail, (6..=reader.last().unwrap()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_life_is_found_by_id_beginning_hold_and_number() {
    let world = World::new();
    let receipt = world.call("{}", "{}").await;
    let hold = world.hold("{}").await;
    let reader = world.audit.reader().unwrap();
    let id = receipt.call_id().as_str();
    let whole = reader.show(id).unwrap();
    assert_eq!(whole.records.len(), 2);
    for name in [id.get(..20).unwrap(), id.get(..12).unwrap(), id.get(5..).unwrap(), &receipt.seq().to_string()] {
        assert_eq!(reader.show(name).unwrap(), whole, "{name}");
    }
    assert_eq!(reader.show(hold.id().as_str()).unwrap().records.len(), 1);
    assert_eq!(reader.show("1").unwrap().call, None, "the first record is about no call");
    for unknown in ["call-7777777777777777", "999999", "hold-7777777777777777", "", "' OR 1=1", "call-zz!!"] {
        assert!(matches!(reader.show(unknown), Err(ShowError::Unknown(_))), "{unknown}");
    }
    assert!(matches!(reader.show("call-"), Err(ShowError::Ambiguous { calls, .. }) if calls.len() == 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_needs_no_gateway_and_changes_nothing() {
    let world = World::new();
    drop(world.call("{}", "{}").await);
    assert!(world.audit.stop().await);
    let before = std::fs::read(world.state.path().join("portcullis.db")).unwrap();
    let reader = audit::Reader::open(world.state.path()).unwrap();
    assert_eq!(reader.list(&Filter::default()).unwrap().len(), 3);
    world.verify().unwrap();
    drop(reader);
    assert_eq!(std::fs::read(world.state.path().join("portcullis.db")).unwrap(), before);
    // One file is the whole log: a copy of it alone verifies.
    let copy = tempfile::tempdir().unwrap();
    std::fs::write(copy.path().join("portcullis.db"), before).unwrap();
    assert_eq!(audit::verify(copy.path()).unwrap().records, 3);
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(audit::Reader::open(empty.path()), Err(audit::QueryError::Missing)));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_one_gateway_writes() {
    let world = World::new();
    assert!(matches!(crate::world::try_start(world.state.path()), Err(audit::StartError::Locked(_))));
    assert!(world.audit.stop().await);
    assert!(crate::world::try_start(world.state.path()).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn activity_counts_what_was_decided_how_calls_ended_and_who_answered() {
    let world = World::new();
    let entry = world.audit.open(permit("ann", "read", "{}"), later(0)).await.unwrap();
    let loans = Loans::none(&entry);
    drop(world.audit.close(entry, loans, Outcome::Answered(raw("{}")), later(2)).await.unwrap());
    let hold = world.hold("{}").await;
    let step = Step::Deny { by: OperatorId::authenticated("ann"), reason: "no".to_owned() };
    drop(world.audit.step(hold.id().clone(), step, later(5)).await.unwrap());

    // Once from the records, which the index may not have yet, and once from what it counted.
    for reader in [world.audit.reader().unwrap(), caught_up(&world.audit).await] {
        let back = |until, without: Option<&str>| {
            let span = Span::back(until, 10, 2, without.map(str::to_owned));
            reader.activity(&span).unwrap()
        };
        let activity = back(later(2 * 60), None);
        let [before, part] = &activity.parts[..] else { panic!("{activity:?}") };
        assert!(before.decided.is_empty() && before.ended == 0 && !activity.partial, "{before:?}");
        let of = |verdict| {
            part.decided.iter().filter(move |(one, ..)| *one == verdict).map(|(.., calls)| calls).sum::<u64>()
        };
        assert_eq!((of(Decided::Allow), of(Decided::Hold), of(Decided::Deny)), (1, 1, 0));
        let took = part.within(50).unwrap();
        assert!(part.ended == 1 && part.within(95) == Some(took) && (2_000_000..2_500_000).contains(&took), "{took}");
        let answered: Vec<_> =
            activity.answered.iter().map(|one| (one.by.as_str(), one.approved, one.micros)).collect();
        assert_eq!(answered, [("ann", false, 5_000_000)]);

        for other in [back(later(2 * 60), Some("files")), back(later(-60), None), back(later(60 * 60), None)] {
            assert!(other.parts.iter().all(|part| part.decided.is_empty() && part.ended == 0), "{other:?}");
            assert!(other.answered.is_empty(), "{other:?}");
        }
    }

    let reader = world.audit.reader().unwrap();
    let by = |name: &str| reader.list(&Filter { operator: Some(name.to_owned()), ..Filter::default() }).unwrap().len();
    assert_eq!((by("ann"), by("an"), by("%")), (1, 0, 0));
}
