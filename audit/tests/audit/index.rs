//! The index: what is found by it, that it catches up, and that it holds nothing but what the records hold.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use audit::{Audit, Decided, Event, Filter, Found, Kind, Loans, Outcome, Reader};
use policies::decision::Denial;
use policies::{OperatorId, Risk, Step};

use crate::world::{World, call, decide, later, noon, permit, raw, refused, start};

const FILE: &str = "search.db";

/// Waits until the index has every record.
pub(crate) async fn caught_up(audit: &Audit) -> Reader {
    let (mut seen, mut since) = (0, Instant::now());
    loop {
        let reader = audit.reader().unwrap();
        if reader.searchable() == reader.last().unwrap() {
            return reader;
        }
        if reader.searchable() != seen {
            (seen, since) = (reader.searchable(), Instant::now());
        }
        assert!(since.elapsed() < Duration::from_mins(1), "the index stands still at {seen}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Calls of three agents, held, denied and run, and events, a second apart.
async fn varied(world: &World) {
    for number in 0..40_i64 {
        let at = later(number);
        let agent = ["ann", "bob", "eve"][usize::try_from(number % 3).unwrap()];
        let arguments = format!(r#"{{"path":"/srv/Report-{number}.pdf","Größe":{number}}}"#);
        match number % 4 {
            0 => {
                let hold = world.hold(&arguments).await;
                let by = OperatorId::authenticated(if number % 8 == 0 { "olga" } else { "uid:0" });
                let step = Step::Deny { by, reason: format!("not report {number}") };
                drop(world.audit.step(hold.id().clone(), step, at).await.unwrap());
            }
            1 => {
                let policies::Verdict::Allow(basis) = decide(call(agent, "list", &arguments), at) else { panic!() };
                let denial = Denial::new(call(agent, "list", &arguments), basis.assessment().clone(), refused("no-go"));
                drop(world.audit.refuse(denial, at).await.unwrap());
            }
            2 => {
                let entry = world.audit.open(permit(agent, "read", &arguments), noon()).await.unwrap();
                let loans = Loans::none(&entry);
                drop(
                    world.audit.close(entry, loans, Outcome::Answered(raw(r#"{"text":"東京 ok"}"#)), at).await.unwrap(),
                );
            }
            _ => {
                let event = Event::AuthenticationFailed { peer: "::1".to_owned(), reason: format!("token {number}") };
                world.audit.note(event, at).await.unwrap();
            }
        }
    }
}

fn questions() -> Vec<Filter> {
    let name = |name: &str| Some(name.to_owned());
    let text = |text: &str| Filter { text: name(text), ..Filter::default() };
    let mut all = vec![
        Filter::default(),
        Filter { agent: name("bob"), ..Filter::default() },
        Filter { tool: name("list"), agent: name("eve"), ..Filter::default() },
        Filter { server: name("files"), kinds: vec![Kind::Intent, Kind::Step], ..Filter::default() },
        Filter { operator: name("uid:0"), ..Filter::default() },
        Filter { operator: name("olga"), text: name("report 8"), ..Filter::default() },
        Filter { operator: name("nobody"), ..Filter::default() },
        Filter { risk: Some(Risk::Low), ..Filter::default() },
        Filter { risk: Some(Risk::Critical), ..Filter::default() },
        Filter { verdict: Some(Decided::Deny), agent: name("ann"), ..Filter::default() },
        Filter { verdict: Some(Decided::Allow), since: Some(later(5)), until: Some(later(20)), ..Filter::default() },
        Filter { since: Some(later(30)), ..Filter::default() },
        Filter { until: Some(noon()), ..Filter::default() },
    ];
    all.extend(
        [
            "report",
            "REPORT 12",
            "rep*",
            "repor",
            "grosse",
            "größe",
            "東京",
            "京",
            "no-go",
            "%",
            "\" OR 1",
            "token*",
            ":k7",
        ]
        .map(text),
    );
    all
}

fn numbers(found: &[Found]) -> Vec<u64> {
    found.iter().map(|found| found.record.seq).collect()
}

/// Every question, whole and in pages, is answered with what the filter itself lets through.
fn answers(reader: &Reader, case: &str) {
    let whole = Some(10_000);
    let everything = reader.list(&Filter { limit: whole, ..Filter::default() }).unwrap();
    for filter in questions() {
        let wanted: Vec<u64> =
            numbers(&everything.iter().filter(|found| filter.matches(found)).cloned().collect::<Vec<_>>());
        assert_eq!(
            numbers(&reader.list(&Filter { limit: whole, ..filter.clone() }).unwrap()),
            wanted,
            "{case}: {filter:?}"
        );
        let (mut paged, mut before) = (Vec::new(), None);
        loop {
            let page = reader.list(&Filter { before, limit: Some(3), ..filter.clone() }).unwrap();
            let Some(last) = page.last() else { break };
            before = Some(last.record.seq);
            paged.extend(numbers(&page));
        }
        assert_eq!(paged, wanted, "{case}, in pages: {filter:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_finds_what_the_filter_lets_through_and_nothing_else() {
    let mut world = World::new();
    varied(&world).await;
    let reader = caught_up(&world.audit).await;
    let count =
        |text: &str| reader.list(&Filter { text: Some(text.to_owned()), limit: Some(1_000), ..Filter::default() });
    assert_eq!(count("report").unwrap().len(), 40, "in arguments and reasons, but not in results and events");
    assert_eq!(count("京").unwrap().len(), 10);
    answers(&reader, "with the index");
    drop(reader);

    // Some records are in the index, and some are newer.
    assert!(world.audit.stop().await);
    let kept = folded(world.state.path());
    world.audit = start(world.state.path()).0;
    varied(&world).await;
    drop(caught_up(&world.audit).await);
    assert!(world.audit.stop().await);
    drop(folded(world.state.path()));
    fs::write(world.state.path().join(FILE), kept).unwrap();
    let reader = Reader::open(world.state.path()).unwrap();
    assert!((1..reader.last().unwrap()).contains(&reader.searchable()));
    answers(&reader, "with an older index");

    fs::remove_file(world.state.path().join(FILE)).unwrap();
    let reader = Reader::open(world.state.path()).unwrap();
    assert_eq!(reader.searchable(), 0);
    answers(&reader, "without the index");

    // The next start makes it anew, beside the log's own work.
    world.audit = start(world.state.path()).0;
    answers(&caught_up(&world.audit).await, "with a new index");
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_cannot_be_read_costs_time_and_no_answers() {
    let world = World::new();
    varied(&world).await;
    drop(caught_up(&world.audit).await);
    assert!(world.audit.stop().await);
    let file = world.state.path().join(FILE);
    let whole = folded(world.state.path());
    let mut torn = whole.clone();
    // Past the first pages, which say what there is: only whoever searches finds out.
    torn.iter_mut().skip(4_096 * 3).for_each(|byte| *byte = !*byte);
    for bytes in [torn, whole[..5_000].to_vec(), Vec::new(), b"no database".to_vec()] {
        fs::write(&file, bytes).unwrap();
        answers(&Reader::open(world.state.path()).unwrap(), "with rubbish");
    }
    let (audit, _) = start(world.state.path());
    answers(&caught_up(&audit).await, "made anew");
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_hides_a_record_is_found_by_verify() {
    let world = World::new();
    varied(&world).await;
    drop(caught_up(&world.audit).await);
    assert!(world.audit.stop().await);
    let file = world.state.path().join(FILE);
    let whole = folded(world.state.path());
    world.verify().unwrap();
    for change in [
        "INSERT INTO term (term, rowid, terms) VALUES ('delete', 1, ':k7')",
        "INSERT INTO term (rowid, terms) VALUES (5, 'invented')",
        "UPDATE span SET high = low",
        "DELETE FROM span",
        "UPDATE tally SET count = count + 1 WHERE scale = 30",
        "DELETE FROM tally WHERE what = 1",
        "INSERT INTO term (term) VALUES ('delete-all')",
    ] {
        let db = rusqlite::Connection::open(&file).unwrap();
        db.execute_batch(change).unwrap();
        drop(db);
        let error = world.verify().unwrap_err().to_string();
        assert!(error.starts_with("the search index does not follow"), "{change}: {error}");
        fs::write(&file, &whole).unwrap();
    }
    world.verify().unwrap();
    // Without it there is nothing that could hide anything.
    fs::remove_file(&file).unwrap();
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_the_index_says_by_itself_is_obeyed() {
    let mut world = World::new();
    drop(world.call("{}", r#"{"text":"one"}"#).await);
    drop(caught_up(&world.audit).await);
    assert!(world.audit.stop().await);
    let whole = folded(world.state.path());
    let change =
        |sql: &str| rusqlite::Connection::open(world.state.path().join(FILE)).unwrap().execute_batch(sql).unwrap();
    // A view without an end in the place of a table: without an index, answers are the same.
    change(
        "DROP TABLE head;
         CREATE VIEW head AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)
             SELECT 1 AS id, x AS seq, zeroblob(32) AS chain FROM n WHERE x < 0",
    );
    let state = world.state.path().to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        let filter = Filter { text: Some("one".to_owned()), ..Filter::default() };
        (Reader::open(&state).unwrap().list(&filter).unwrap().len(), audit::verify(&state).is_err())
    });
    let asked = tokio::time::timeout(Duration::from_mins(1), asked).await.expect("it goes on for ever").unwrap();
    assert_eq!(asked, (1, true));
    // A trigger that keeps times out of it.
    fs::write(world.state.path().join(FILE), &whole).unwrap();
    change("CREATE TRIGGER quiet BEFORE INSERT ON span BEGIN SELECT RAISE(IGNORE); END");
    world.audit = start(world.state.path()).0;
    world.audit.note(Event::Stopped { reason: "tested".to_owned(), running: 0 }, later(60)).await.unwrap();
    drop(caught_up(&world.audit).await);
    assert!(world.audit.stop().await);
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_holds_no_word_that_was_redacted() {
    let world = World::new();
    let token = format!("ghp_{}", "a1B2".repeat(9));
    drop(world.call(&format!(r#"{{"note":"use {token}"}}"#), &format!(r#"{{"text":"token={token}"}}"#)).await);
    let reader = caught_up(&world.audit).await;
    let found = |text: &str| reader.list(&Filter { text: Some(text.to_owned()), ..Filter::default() }).unwrap().len();
    assert_eq!((found("note use"), found("secret github token")), (1, 2));
    assert_eq!((found(&token), found("a1b2*"), found("ghp*")), (0, 0, 0));
    assert!(world.audit.stop().await);
    for text in ["ghp", "a1b2", "a1B2"] {
        let bytes = folded(world.state.path());
        assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{text}");
    }
}

/// The index as one file: what a connection that is read-only leaves beside it is folded in by one that is not.
fn folded(state: &Path) -> Vec<u8> {
    let db = rusqlite::Connection::open(state.join(FILE)).unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(db);
    fs::read(state.join(FILE)).unwrap()
}

/// Of a log that an older version left, and of one whose gateway was killed.
pub(crate) async fn made_of_what_is_there(state: &Path) {
    let (audit, _) = start(state);
    answers(&caught_up(&audit).await, "of an older log");
    assert!(audit.stop().await);
    audit::verify(state).unwrap();
}
