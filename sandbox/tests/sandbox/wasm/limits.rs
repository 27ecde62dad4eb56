//! Every limit is an outcome with its name, and a guest that nobody waits for is gone.

use std::time::Duration;

use audit::{Answer, FailureKind};
use sandbox::Event;
use tokio::time::Instant;

use super::guests::hostile;
use crate::world::{World, failure, line, text};

fn limited(limits: &str) -> World {
    hostile(&format!("[limits]\n{limits}"), "")
}

fn detail(answer: &Answer) -> &str {
    let Answer::Failed(failure) = answer else { panic!("{answer:?}") };
    &failure.detail
}

#[tokio::test]
async fn a_loop_that_never_ends_runs_out_of_time() {
    let world = limited("time = '1s'");
    world.ready().await;
    let began = Instant::now();
    let (spun, slept) = tokio::join!(world.call("spin", "{}"), world.call("sleep", r#"{"ms":60000}"#));
    assert_eq!((failure(&spun), failure(&slept)), (FailureKind::OutOfTime, FailureKind::OutOfTime));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(world.text("count", "{}").await, "0");
}

#[tokio::test]
async fn a_share_of_a_processor_is_all_that_is_used() {
    // A thousandth of 30 s.
    let world = limited("time = '30s'\ncpu = 1");
    world.ready().await;
    let began = Instant::now();
    let answer = world.call("spin", "{}").await;
    assert_eq!(failure(&answer), FailureKind::OutOfTime);
    assert!(detail(&answer).contains("share of the processor") && began.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_cancelled_loop_ends_at_once_and_holds_nobody_up() {
    let world = limited("time = '60s'");
    world.ready().await;
    let (spinning, _events) = line();
    let cancel = spinning.cancel.clone();
    let other = async {
        // One thread runs all of this test: what answers here is answered in between.
        for _ in 0..20 {
            assert_eq!(world.text("count", "{}").await, "0");
        }
        cancel.cancel();
        Instant::now()
    };
    let (answer, cancelled) = tokio::join!(world.call_on("spin", "{}", spinning), other);
    assert!(matches!(answer, Answer::Cancelled), "{answer:?}");
    assert!(cancelled.elapsed() < Duration::from_secs(1), "{:?}", cancelled.elapsed());
}

#[tokio::test]
async fn memory_has_an_end() {
    let world = limited("memory = '16 MiB'");
    let answer = world.call("devour", "{}").await;
    assert_eq!(failure(&answer), FailureKind::OutOfMemory);
    assert_eq!(detail(&answer), "the tool wanted more than 16 MiB of memory");
    let answer = world.call("recurse", "{}").await;
    assert_eq!(failure(&answer), FailureKind::Crashed);
    assert_eq!(world.text("count", "{}").await, "0");
}

#[tokio::test]
async fn a_flood_of_output_is_cut() {
    let world = limited("output = '64 KiB'");
    let answer = world.call("flood", r#"{"bytes":1000000}"#).await;
    assert_eq!(failure(&answer), FailureKind::TooLarge);
    assert_eq!(detail(&answer), "the tool's output is over 64 KiB");
    let answer = world.call("fail", &format!(r#"{{"why":"{}"}}"#, "x".repeat(100_000))).await;
    assert_eq!(failure(&answer), FailureKind::TooLarge);
    assert_eq!(world.text("flood", r#"{"bytes":1000}"#).await.len(), 1000);
}

#[tokio::test]
async fn a_folder_takes_no_more_than_a_call_may_write() {
    let host = tempfile::tempdir().unwrap();
    let folder = host.path().display();
    let manifest = "[[folder]]\nat = '/data'\nwritable = true\n[limits]\ndisk = '1 MiB'";
    let world = hostile(manifest, &format!("folders = {{ '/data' = '{folder}' }}"));
    let said = world.text("fill", r#"{"path":"/data/big"}"#).await;
    let size = std::fs::metadata(host.path().join("big")).unwrap().len();
    assert!(
        size <= 1 << 20 && size > 900_000 && (said.contains("o space") || said.contains("I/O error")),
        "{size} {said}"
    );

    let said = world.text("hole", r#"{"path":"/data/hole","size":1099511627776}"#).await;
    let size = std::fs::metadata(host.path().join("hole")).map_or(0, |metadata| metadata.len());
    assert!(size <= 1 << 20 && said.starts_with("refused"), "{size} {said}");

    std::fs::create_dir(host.path().join("names")).unwrap();
    let said = world.text("names", r#"{"path":"/data/names"}"#).await;
    let count = std::fs::read_dir(host.path().join("names")).unwrap().count();
    assert!(count <= 256 && count > 100 && said.contains("o space"), "{count} {said}");
}

#[tokio::test]
async fn a_guest_holds_few_of_the_gateways_files() {
    let host = tempfile::tempdir().unwrap();
    std::fs::write(host.path().join("one"), "x").unwrap();
    let world = hostile("[[folder]]\nat = '/data'", &format!("folders = {{ '/data' = '{}' }}", host.path().display()));
    world.ready().await;
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = open();
    assert_eq!(failure(&world.call("hold", r#"{"path":"/data/one"}"#).await), FailureKind::Crashed);
    // Other tests run in this process; what they hold is little beside what 256 files would be.
    assert!(open() < before + 200, "{before} {}", open());
}

#[tokio::test]
async fn a_crash_says_how_in_our_own_words() {
    let world = hostile("", "");
    for (tool, wanted) in [
        ("panic", "the tool crashed: wasm trap: wasm `unreachable` instruction executed"),
        ("exit", "the tool crashed: it exited with status 1"),
    ] {
        let answer = world.call(tool, "{}").await;
        assert_eq!((failure(&answer), detail(&answer)), (FailureKind::Crashed, wanted), "{tool}");
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_not_passed_on() {
    let world = hostile("", "");
    for text in ["", "[]", "{}", r#"{\"content\":1}"#, r#"{\"content\":[],\"content\":[]}"#, "nonsense"] {
        let answer = world.call("broken", &format!(r#"{{"as":"{text}"}}"#)).await;
        assert_eq!(failure(&answer), FailureKind::Malformed, "{text}");
    }
    let answer = world.call("fail", r#"{"why":"it is Sunday"}"#).await;
    assert_eq!(text(&answer), "it is Sunday");
    let Answer::Result(result) = answer else { panic!() };
    assert_eq!(result.get("isError").and_then(policies::Value::as_bool), Some(true));
}

#[tokio::test]
async fn messages_reach_whoever_asked_and_are_counted() {
    let world = hostile("", "");
    world.ready().await;
    let (mut listening, mut events) = line();
    listening.log_level = Some("info".to_owned());
    let log = r#"{"times":500,"bytes":9000}"#;
    let heard = async {
        let mut heard = 0;
        while let Some(Event::Notice { method, .. }) = events.recv().await {
            assert_eq!(method, "notifications/message");
            heard += 1;
        }
        heard
    };
    let (answer, heard) = tokio::join!(world.call_on("log", log, listening), heard);
    assert_eq!(text(&answer), "said");
    assert!((1..=100).contains(&heard), "{heard}");
    let (deaf, mut events) = line();
    assert_eq!(text(&world.call_on("log", log, deaf).await), "said");
    assert!(events.try_recv().is_err());
}
