//! What the log costs and how fast it answers, on the disk that temporary folders are on: `just bench-audit`.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use audit::{Audit, Decided, Event, Filter, Kind, Loans, Outcome, Reader, Span};
use jiff::{SignedDuration, Timestamp};
use policies::approval::{Hold, Step};
use policies::decision::{Denial, Permit, Verdict};
use policies::{
    AgentId, Call, CallId, HoldId, Limits, Method, OperatorId, Risk, ServerName, SessionKey, Standing, Tool, Value,
};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::index::caught_up;
use crate::world::{World, decide, held, noon, patient, random, raw, refused};

/// How many records the trail has that is asked.
const ROWS: &str = "PORTCULLIS_BENCH_ROWS";

/// A folder that keeps the trail: ten million records take half an hour to write, and a minute to ask. One that is there is
/// asked as it is.
const TRAIL: &str = "PORTCULLIS_BENCH_TRAIL";

/// How long each rate is measured.
const WHILE: Duration = Duration::from_secs(3);

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[expect(clippy::cast_precision_loss, reason = "it is printed")]
fn rate(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// What the disk does by itself: one page overwritten and synced, over and over.
fn synced(world: &World) -> f64 {
    let file = File::create(world.state.path().join("page")).unwrap();
    let started = Instant::now();
    let mut count = 0;
    while started.elapsed() < WHILE {
        file.write_all_at(&[0x5a; 4_096], 0).unwrap();
        file.sync_data().unwrap();
        count += 1;
    }
    rate(count, started.elapsed())
}

/// Records of some 600 bytes by so many callers, each of whom waits for its own.
fn appended(runtime: &Runtime, world: &World, callers: u64) -> f64 {
    let started = Instant::now();
    let count: u64 = runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..callers {
            let audit = world.audit.clone();
            tasks.spawn(async move {
                let mut count = 0;
                while started.elapsed() < WHILE {
                    let (peer, reason) = ("192.0.2.7".to_owned(), "a line of text ".repeat(28));
                    audit.note(Event::AuthenticationFailed { peer, reason }, noon()).await.unwrap();
                    count += 1;
                }
                count
            });
        }
        tasks.join_all().await.into_iter().sum()
    });
    rate(count, started.elapsed())
}

#[test]
#[ignore = "prints rates: run it with --release --nocapture"]
fn records_per_second_beside_what_the_disk_does_by_itself() {
    let runtime = runtime();
    println!("| | per second | of the disk's syncs |\n| --- | --- | --- |");
    for callers in [1, 16, 128] {
        let world = World::patient();
        // A log that has run for a while overwrites its write-ahead file; a new one's grows, which costs syncs of its own.
        let _: f64 = appended(&runtime, &world, 128);
        drop(runtime.block_on(caught_up(&world.audit)));
        let (before, records) = (synced(&world), appended(&runtime, &world, callers));
        // The disk's own pace swings: what it was before and after is its pace meanwhile.
        let disk = f64::midpoint(before, synced(&world));
        println!("| `fdatasync` of 4 KiB | {disk:.0} | |");
        println!("| records, {callers} at a time | {records:.0} | {:.2} |", records / disk);
    }
    let world = World::patient();
    let started = Instant::now();
    let calls = runtime.block_on(generate(&world.audit, 40_000));
    println!("| calls with two records, 64 at a time | {:.0} | |", rate(calls, started.elapsed()));
}

/// One of few agents, servers and tools, of which the first are busier.
fn one_of(number: u64, of: u64) -> u64 {
    let drawn = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
    (drawn % of) * (drawn / of % of) / of
}

fn call(number: u64) -> Call {
    let (server, tool) = (one_of(number, 12), one_of(number.rotate_left(7), 20));
    let definition = format!(r#"{{"name":"tool_{tool}","annotations":{{"readOnlyHint":true}}}}"#);
    let standing = Standing { pinned: true, vouched: true, ..Standing::default() };
    let server = ServerName::parse(&format!("server-{server}")).unwrap();
    let definition = Value::parse(definition.as_bytes(), &Limits::ANSWER).unwrap();
    let tool = Tool::new(server, Method::CallTool, definition, standing).unwrap();
    let arguments = format!(r#"{{"path":"/srv/data/report-{number}.txt","topic":"{}"}}"#, said(number, 3));
    Call::new(
        CallId::from_random(random()),
        AgentId::authenticated(&format!("agent-{}", one_of(number.rotate_left(13), 40))),
        SessionKey::parse(&format!("session-{}", number / 40)).unwrap(),
        tool.into(),
        Value::parse(arguments.as_bytes(), &Limits::ANSWER).unwrap(),
    )
}

/// Words of 3,000, of which the first are frequent.
fn said(number: u64, count: u64) -> String {
    let word = |place| format!("word{} ", one_of(number.wrapping_add(place * 7_919), 3_000));
    (0..count).map(word).collect()
}

/// A year, whatever the count: what falls into a week depends on it.
fn at(number: u64, calls: u64) -> Timestamp {
    const YEAR: u64 = 365 * 24 * 3_600;
    let seconds = i64::try_from(number * YEAR / calls).unwrap();
    noon().checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

/// Calls of 64 callers, one in 50 of which is denied, and one in 500 held for an operator: as many as leave about so many
/// records. Says how many there were.
async fn generate(audit: &Audit, records: u64) -> u64 {
    let calls = records / 2;
    let mut tasks = JoinSet::new();
    for caller in 0..64 {
        let audit = audit.clone();
        tasks.spawn(async move {
            for number in (caller..calls).step_by(64) {
                one(&audit, number, at(number, calls)).await;
            }
        });
    }
    tasks.join_all().await;
    calls
}

async fn one(audit: &Audit, number: u64, at: Timestamp) {
    if (number + 493).is_multiple_of(500) {
        return answered(audit, number, at).await;
    }
    let Verdict::Allow(permit) = decide(call(number), at) else { panic!("it is not read-only") };
    if number.is_multiple_of(50) {
        let denial = Denial::new(call(number), permit.assessment().clone(), refused("no-go"));
        drop(audit.refuse(denial, at).await.unwrap());
        return;
    }
    run(audit, number, permit, at).await;
}

async fn run(audit: &Audit, number: u64, permit: Permit, at: Timestamp) {
    let entry = audit.open(permit, at).await.unwrap();
    let loans = Loans::none(&entry);
    let result = format!(r#"{{"content":[{{"type":"text","text":"{}"}}]}}"#, said(number, 24));
    drop(audit.close(entry, loans, Outcome::Answered(raw(&result)), at).await.unwrap());
}

/// A call that is held; one of a few operators approves four of five, which run.
async fn answered(audit: &Audit, number: u64, at: Timestamp) {
    let agent = format!("agent-{}", one_of(number.rotate_left(13), 40));
    let held = held(&agent, "delete", &format!(r#"{{"path":"/srv/data/report-{number}.txt"}}"#));
    let hold = Hold::open(HoldId::from_random(random()), &held, 1, at);
    audit.hold(&held, hold.clone(), at).await.unwrap();
    let by = OperatorId::authenticated(&format!("operator-{}", number / 500 % 6));
    if (number / 500).is_multiple_of(5) {
        let deny = Step::Deny { by, reason: "Not today.".to_owned() };
        drop(audit.step(hold.id().clone(), deny, at).await.unwrap());
        return;
    }
    let approved = audit.step(hold.id().clone(), Step::approve(by), at).await.unwrap();
    let permit = held.release(&approved.approved(at).unwrap(), at).unwrap();
    run(audit, number, permit, at).await;
}

/// In words, and with which values it is asked for the nth time.
type Question = (&'static str, fn(u64) -> Filter);

/// What a reviewer asks in the console.
fn questions() -> Vec<Question> {
    fn agent(n: u64) -> String {
        format!("agent-{}", n % 40)
    }
    fn text(text: String) -> Filter {
        Filter { text: Some(text), ..Filter::default() }
    }
    vec![
        ("the newest", |_| Filter::default()),
        ("one agent's", |n| Filter { agent: Some(agent(n)), ..Filter::default() }),
        ("one tool's", |n| Filter { tool: Some(format!("tool_{}", n % 20)), ..Filter::default() }),
        ("one server's", |n| Filter { server: Some(format!("server-{}", n % 12)), ..Filter::default() }),
        ("denied", |_| Filter { verdict: Some(Decided::Deny), ..Filter::default() }),
        ("denied, one agent's", |n| Filter {
            verdict: Some(Decided::Deny),
            agent: Some(agent(n)),
            ..Filter::default()
        }),
        ("HIGH or more", |_| Filter { risk: Some(Risk::High), ..Filter::default() }),
        ("CRITICAL", |_| Filter { risk: Some(Risk::Critical), ..Filter::default() }),
        ("one operator's", |n| Filter { operator: Some(format!("operator-{}", n % 6)), ..Filter::default() }),
        ("an operator's who did nothing (none)", |_| Filter { operator: Some("olga".to_owned()), ..Filter::default() }),
        ("events (the oldest)", |_| Filter { kinds: vec![Kind::Event], ..Filter::default() }),
        ("one tool's in one day", |n| {
            let since = noon().checked_add(SignedDuration::from_hours(i64::try_from(n % 365).unwrap() * 24)).unwrap();
            let until = since.checked_add(SignedDuration::from_hours(24)).ok();
            Filter { tool: Some(format!("tool_{}", n % 20)), since: Some(since), until, ..Filter::default() }
        }),
        ("text: a rare word", |n| text(format!("report-{}", n * 1_009 % 10_000))),
        ("text: a frequent word", |n| text(format!("word{}", n % 5))),
        ("text: two frequent words", |n| text(format!("word{} word{}", n % 5, n % 7 + 5))),
        ("text: a seldom word, one agent's", |n| Filter {
            agent: Some(agent(n)),
            ..text(format!("word{}", 2_000 + n % 500))
        }),
        ("text: two seldom words (mostly none)", |n| text(format!("word{} word{}", 2_000 + n % 500, 2_500 + n % 400))),
        ("text: the beginning of many words", |n| text(format!("word{}*", 10 + n % 20))),
        ("text: the beginning of a thousand words", |n| text(format!("word{}*", 1 + n % 2))),
        ("text: the beginning of many words, one agent's", |n| Filter {
            agent: Some(agent(n)),
            ..text(format!("word{}*", 10 + n % 20))
        }),
        ("text: the beginning of many words, and a seldom one", |n| {
            text(format!("word{}* word{}", 10 + n % 20, 2_000 + n % 500))
        }),
    ]
}

/// Half of the answers came within the first time, all but the slowest in a hundred within the second.
fn timed(asked: u64, mut ask: impl FnMut(u64) -> usize) -> (Duration, Duration, usize) {
    let mut times = Vec::new();
    let mut rows = 0;
    for number in 0..asked {
        let started = Instant::now();
        rows += ask(number);
        times.push(started.elapsed());
    }
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() * 99 / 100], rows / usize::try_from(asked).unwrap())
}

#[test]
#[ignore = "prints times: run it with --release --nocapture"]
fn how_fast_a_trail_of_many_records_answers() {
    const ASKED: u64 = 100;
    let rows = std::env::var(ROWS).map_or(100_000, |rows| rows.parse().unwrap());
    let (kept, own) = (std::env::var_os(TRAIL).map(PathBuf::from), tempfile::tempdir().unwrap());
    let state = kept.as_deref().unwrap_or(own.path());
    if !state.join("portcullis.db").exists() {
        let (runtime, started, audit) = (runtime(), Instant::now(), patient(state));
        runtime.block_on(generate(&audit, rows));
        let written = started.elapsed();
        drop(runtime.block_on(caught_up(&audit)));
        println!("written in {written:.0?}, all in the index after {:.0?}", started.elapsed());
        assert!(runtime.block_on(audit.stop()));
    }
    // As the console asks: whoever answers opens the log anew each time.
    let open = || Reader::open(state).unwrap();
    // A gateway that runs has the log open, too: the first who opens a database reads its write-ahead file.
    let gateway = open();
    let last = gateway.last().unwrap();
    println!("{last} records");
    for name in ["portcullis.db", "search.db"] {
        println!("{name}: {} MB", std::fs::metadata(state.join(name)).unwrap().len() >> 20);
    }
    println!("| asked {ASKED} times | p50 ms | p99 ms | records |\n| --- | --- | --- | --- |");
    let print = |what: &str, (half, most, rows): (Duration, Duration, usize)| {
        println!("| {what} | {:.2} | {:.2} | {rows} |", half.as_secs_f64() * 1e3, most.as_secs_f64() * 1e3);
    };
    for (what, filter) in questions() {
        print(what, timed(ASKED, |n| open().list(&filter(n)).unwrap().len()));
        let deep = |n| Filter { before: Some(last / 2 - n), ..filter(n) };
        print(&format!("{what}, from the middle"), timed(ASKED, |n| open().list(&deep(n)).unwrap().len()));
    }
    let life = |reader: &Reader, n: u64| reader.show(&(last / 2 + n * 17 % 1_000).to_string()).unwrap().records.len();
    print("a call's whole life", timed(ASKED, |n| life(&open(), n)));
    for (what, hours) in [("an hour", 1), ("a day", 24), ("a week", 7 * 24)] {
        let until = at(1, 1);
        let span = Span::back(until, hours * 60, 60, None);
        let ended = |reader: &Reader| reader.activity(&span).unwrap().parts.iter().map(|part| part.ended).sum::<u64>();
        print(&format!("what happened in {what}"), timed(ASKED, |_| usize::try_from(ended(&open())).unwrap()));
    }
}
