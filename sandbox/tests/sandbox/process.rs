//! Child processes that misbehave.

use std::time::Duration;

use audit::{Answer, FailureKind};
use policies::Value;
use sandbox::{Change, Era, Event, Listing, Resume, ServerError};
use tokio::time::Instant;

use crate::world::{World, config, failure, is_alive, json, line, python, server, text};

fn legacy() -> World {
    World::start(python(&["legacy.py"], ""))
}

/// Does something while a call hangs; the call is cancelled afterwards.
async fn beside_a_hanging_call<T>(world: &World, other: impl Future<Output = T>) -> (Answer, T) {
    let (mut hanging, mut events) = line();
    hanging.progress = true;
    let cancel = hanging.cancel.clone();
    let other = async {
        events.recv().await.unwrap(); // now it is with the server
        let done = other.await;
        cancel.cancel();
        done
    };
    tokio::join!(world.call_on("hang", "{}", hanging), other)
}

#[tokio::test]
async fn what_no_library_knows_arrives_as_it_was_sent() {
    let world = legacy();
    let greeting = world.ready().await;
    assert_eq!(greeting.era, Era::Legacy("2025-06-18"));
    assert_eq!(greeting.info.get("x-unknown").unwrap().to_string(), "1.5");
    let declared = greeting.instructions.unwrap();
    assert_eq!(declared, "{'sampling': {}, 'elicitation': {}, 'roots': {'listChanged': False}}");

    let Answer::Result(result) = world.call("echo", r#"{"n":12345678901234567890123,"ä":[]}"#).await else { panic!() };
    assert_eq!(
        result.to_string(),
        r#"{"content":[{"type":"x-unknown","of":{"name":"echo","arguments":{"n":12345678901234567890123,"ä":[]}}}],"_meta":{"example.org/kept":[1,null]}}"#
    );
    let list = world.sandbox.list(&server(), Listing::Tools, Duration::from_secs(5)).await.unwrap();
    assert_eq!(list.last().unwrap().to_string(), r#"{"name":"last","x-new":{"n":1.0}}"#);
    assert_eq!(list.len(), 2);
    assert_eq!(world.sandbox.list(&server(), Listing::Prompts, Duration::from_secs(5)).await.unwrap(), []);
    assert_eq!(world.sandbox.list(&server(), Listing::Templates, Duration::from_secs(5)).await.unwrap(), []);

    let Answer::Error(error) = world.call("refuses", "{}").await else { panic!() };
    assert_eq!(error.to_string(), r#"{"code":-32000,"message":"no","data":{"x":1}}"#);
}

#[tokio::test]
async fn a_child_gets_the_environment_that_its_config_names_and_little_else() {
    let world = World::start(python(&["legacy.py"], "env = { GIVEN = 'x' }"));
    let names = world.text("environment", "{}").await;
    let given = |name| names.split(' ').any(|given| given == name);
    assert!(given("GIVEN") && given("PATH") && given("HOME"), "{names}");
    // What `cargo test` sets for us stands for what an operator's shell sets for the gateway.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some() && !names.contains("CARGO"), "{names}");
}

#[tokio::test]
async fn a_call_that_hangs_holds_up_no_other_and_runs_out_of_time() {
    let world = legacy();
    world.ready().await;
    let (mut impatient, _events) = line();
    impatient.deadline = Instant::now() + Duration::from_millis(500);
    let hanging = world.call_on("hang", "{}", impatient);
    let others = async {
        for _ in 0..20 {
            assert!(matches!(world.call("echo", "{}").await, Answer::Result(_)));
        }
    };
    let (hung, ()) = tokio::join!(hanging, others);
    assert_eq!(failure(&hung), FailureKind::OutOfTime);
    assert_eq!(world.text("was_cancelled", "{}").await, "1");
}

#[tokio::test]
async fn the_servers_own_call_timeout_ends_a_call_too() {
    let world = World::start(python(&["legacy.py"], "call_timeout = 1"));
    world.ready().await;
    assert_eq!(failure(&world.call("hang", "{}").await), FailureKind::OutOfTime);
}

#[tokio::test]
async fn a_cancelled_call_ends_at_once_and_the_server_is_told() {
    let world = legacy();
    world.ready().await;
    let (answer, ()) = Box::pin(beside_a_hanging_call(&world, async {})).await;
    assert_eq!(answer, Answer::Cancelled);
    assert_eq!(world.text("was_cancelled", "{}").await, "1");
}

#[tokio::test]
async fn one_call_too_many_is_refused_at_once() {
    let world = World::start(python(&["legacy.py"], "max_in_flight = 2"));
    world.ready().await;
    let third = beside_a_hanging_call(&world, world.call("echo", "{}"));
    let (_, (_, third)) = Box::pin(beside_a_hanging_call(&world, third)).await;
    assert_eq!(failure(&third), FailureKind::Busy);
}

#[tokio::test]
async fn a_server_that_exits_fails_its_calls_and_comes_back() {
    let world = legacy();
    world.ready().await;
    let first = world.text("pid", "{}").await;
    let (beside, exit) = Box::pin(beside_a_hanging_call(&world, world.call("exit", "{}"))).await;
    assert_eq!((failure(&exit), failure(&beside)), (FailureKind::Exited, FailureKind::Exited));
    assert_ne!(world.text("pid", "{}").await, first);
}

#[tokio::test]
async fn an_answer_that_was_written_before_the_exit_counts() {
    let world = legacy();
    world.ready().await;
    assert_eq!(world.text("answers_and_exits", "{}").await, "last words");
}

#[tokio::test]
async fn a_wrong_id_fails_its_call_at_once_and_the_connection_lives() {
    let world = legacy();
    let pid = world.text("pid", "{}").await;
    for tool in ["wrong_id", "string_id"] {
        assert_eq!(failure(&world.call(tool, "{}").await), FailureKind::Malformed, "{tool}");
    }
    assert_eq!(world.text("pid", "{}").await, pid);
}

#[tokio::test]
async fn of_two_answers_the_first_counts() {
    let world = legacy();
    assert_eq!(world.text("duplicate", "{}").await, "first");
    assert_eq!(world.text("duplicate", "{}").await, "first");
}

#[tokio::test]
async fn garbage_between_answers_harms_nobody() {
    let world = legacy();
    assert_eq!(world.text("garbage", "{}").await, "after garbage");
}

#[tokio::test]
async fn an_answer_that_two_readers_could_read_differently_is_none() {
    let world = legacy();
    for tool in ["duplicate_keys", "invalid_utf8", "deep"] {
        assert_eq!(failure(&world.call(tool, "{}").await), FailureKind::Malformed, "{tool}");
    }
    assert!(matches!(world.call("echo", "{}").await, Answer::Result(_)));
}

#[tokio::test]
async fn an_answer_of_100_mb_fails_its_own_call_only() {
    let world = legacy();
    let pid = world.text("pid", "{}").await;
    let (huge, slow) = tokio::join!(world.call("huge", "{}"), world.text("slow", r#"{"seconds":1}"#));
    assert_eq!((failure(&huge), slow.as_str()), (FailureKind::TooLarge, "slow"));
    assert_eq!(world.text("pid", "{}").await, pid);
}

#[tokio::test]
async fn an_oversized_message_that_could_be_anyones_ends_the_connection() {
    let world = legacy();
    let pid = world.text("pid", "{}").await;
    let (beside, huge) = Box::pin(beside_a_hanging_call(&world, world.call("huge_unknown", "{}"))).await;
    assert_eq!((failure(&huge), failure(&beside)), (FailureKind::TooLarge, FailureKind::TooLarge));
    assert_ne!(world.text("pid", "{}").await, pid);
}

#[tokio::test]
async fn a_line_without_end_ends_the_connection() {
    let world = World::start(python(&["legacy.py"], "max_answer = '1 MiB'"));
    assert_eq!(failure(&world.call("endless", "{}").await), FailureKind::TooLarge);
    assert!(matches!(world.call("echo", "{}").await, Answer::Result(_)));
}

#[tokio::test]
async fn a_flood_is_held_back_and_does_not_eat_the_gateway() {
    let world = legacy();
    world.ready().await;
    let (mut impatient, _events) = line();
    impatient.deadline = Instant::now() + Duration::from_secs(3);
    let before = cpu_time();
    assert_eq!(failure(&world.call_on("flood", "{}", impatient).await), FailureKind::OutOfTime);
    let spent = cpu_time().saturating_sub(before);
    assert!(spent < Duration::from_millis(500), "{spent:?} of three seconds");
    assert!(world.end().await < Duration::from_secs(8));
}

/// Of this thread, on which the test's whole runtime runs.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    let times = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2);
    Duration::from_millis(times.map(|ticks| ticks.parse::<u64>().unwrap()).sum::<u64>() * 10)
}

#[tokio::test]
async fn noise_on_standard_error_is_bounded() {
    let world = legacy();
    let (noisy, quiet) = tokio::join!(world.text("stderr", "{}"), world.call("echo", "{}"));
    assert!(matches!(quiet, Answer::Result(_)));
    assert_eq!(noisy, "quiet again");
}

#[tokio::test]
async fn progress_and_logs_reach_the_call_that_asked() {
    let world = legacy();
    let (mut asking, mut events) = line();
    asking.progress = true;
    assert_eq!(text(&world.call_on("progress", "{}", asking).await), "done");
    let mut methods = Vec::new();
    while let Ok(Event::Notice { method, .. }) = events.try_recv() {
        methods.push(method);
    }
    assert_eq!(methods, ["notifications/progress"; 3]);

    let (mut asking, mut events) = line();
    asking.log_level = Some("warning".to_owned());
    assert_eq!(text(&world.call_on("logs", "{}", asking).await), "warning");
    assert!(matches!(events.try_recv(), Ok(Event::Notice { method, .. }) if method == "notifications/message"));
    assert!(events.try_recv().is_err());
}

#[tokio::test]
async fn a_question_reaches_the_only_call_and_is_refused_among_several() {
    let world = legacy();
    world.ready().await;
    let (asked, mut events) = line();
    let agent = async {
        let Some(Event::Ask { method, reply, .. }) = events.recv().await else { panic!() };
        assert_eq!(method, "elicitation/create");
        reply.send(Ok(json(r#"{"action":"accept","content":{"n":1}}"#))).unwrap();
    };
    let (answer, ()) = tokio::join!(world.call_on("asks", "{}", asked), agent);
    assert_eq!(text(&answer), "{'action': 'accept', 'content': {'n': 1}}");

    let (asked, events) = line();
    drop(events);
    assert!(text(&world.call_on("asks", "{}", asked).await).contains("'code': -1"));

    let (_, refused) = Box::pin(beside_a_hanging_call(&world, world.text("asks", "{}"))).await;
    assert!(refused.contains("several calls are running"), "{refused}");
}

#[tokio::test]
async fn changes_are_heard() {
    let world = legacy();
    world.ready().await;
    let mut changes = world.sandbox.changes();
    assert_eq!(world.text("changes", "{}").await, "changed");
    assert_eq!(changes.recv().await.unwrap(), Change::List { server: server(), what: Listing::Tools });
    world.sandbox.watch(&server(), "test://a").await.unwrap();
    let heard = tokio::time::timeout(Duration::from_secs(5), changes.recv()).await.unwrap().unwrap();
    assert_eq!(heard, Change::Resource { server: server(), uri: "test://a".to_owned() });
    world.sandbox.unwatch(&server(), "test://a");
}

#[tokio::test]
async fn a_modern_server_is_told_all_of_it_with_each_request() {
    let world = World::start(python(&["modern.py"], ""));
    let greeting = world.ready().await;
    assert_eq!((greeting.era, greeting.info.get("name").and_then(Value::as_str)), (Era::Modern, Some("modern")));
    let (mut declaring, _events) = line();
    declaring.capabilities = json(r#"{"roots":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#);
    declaring.trace = vec![("traceparent".to_owned(), "00-1-2-01".to_owned())];
    let Answer::Result(result) = world.call_on("meta", "{}", declaring).await else { panic!() };
    let meta = result.get("meta").unwrap();
    assert_eq!(meta.get("io.modelcontextprotocol/clientCapabilities").unwrap().to_string(), r#"{"roots":{}}"#);
    assert_eq!(meta.get("traceparent").and_then(Value::as_str), Some("00-1-2-01"));

    let mut changes = world.sandbox.changes();
    world.sandbox.watch(&server(), "test://a").await.unwrap();
    let heard = tokio::time::timeout(Duration::from_secs(5), changes.recv()).await.unwrap().unwrap();
    assert_eq!(heard, Change::Resource { server: server(), uri: "test://a".to_owned() });
}

#[tokio::test]
async fn a_call_that_needs_input_goes_on_where_it_was() {
    let world = World::start(python(&["modern.py"], ""));
    let Answer::Result(asked) = world.call("ask", "{}").await else { panic!() };
    assert_eq!(asked.get("resultType").and_then(Value::as_str), Some("input_required"));
    assert!(asked.get("requestState").is_none());
    let (mut resumed, _events) = line();
    resumed.resume = Some(Resume { state: Some("opaque".to_owned()), responses: Some(json(r#"{"q":{"roots":[]}}"#)) });
    let Answer::Result(done) = world.call_on("ask", "{}", resumed).await else { panic!() };
    assert_eq!(done.get("went_on").unwrap().to_string(), r#"["opaque",{"q":{"roots":[]}}]"#);
}

#[tokio::test]
async fn an_end_leaves_nobody_behind() {
    let world = World::start(python(&["stubborn.py"], ""));
    let pids = world.text("pids", "{}").await;
    assert!(pids.split(' ').all(is_alive), "{pids}");
    assert!(world.end().await < Duration::from_secs(8));
    // Its group was killed with it; the kernel may take a moment over the grandchild, which is not ours to reap.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!pids.split(' ').any(is_alive), "{pids}");
}

#[tokio::test]
async fn a_grandchild_does_not_outlive_the_child() {
    let world = legacy();
    let grandchild = world.text("forks", "{}").await;
    assert!(is_alive(&grandchild));
    assert_eq!(failure(&world.call("exit", "{}").await), FailureKind::Exited);
    world.ready().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!is_alive(&grandchild));
}

#[tokio::test]
async fn an_end_interrupts_what_runs() {
    let world = legacy();
    world.ready().await;
    let stop = world.stop.clone();
    let stopping = async {
        stop.cancel();
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let (answer, ()) = Box::pin(beside_a_hanging_call(&world, stopping)).await;
    assert_eq!(answer, Answer::Interrupted);
    assert!(world.end().await < Duration::from_secs(5));
}

#[tokio::test]
async fn a_server_that_does_not_start_is_down_and_says_why() {
    for (config, why) in [
        (python(&["odd_start.py", "exits"], ""), "it exited with status 7 before it answered"),
        (config("command = ['/no/such/program']"), "it cannot be started: there is no program `/no/such/program`"),
        (python(&["odd_start.py", "silent"], "start_timeout = 1"), "it did not answer within 1 s of its start"),
        (
            python(&["odd_start.py", "unknown-version"], ""),
            "it answered `initialize` with a protocol version that is not spoken here",
        ),
    ] {
        let world = World::start(config);
        assert_eq!(world.down().await, why);
        let (mut impatient, _events) = line();
        impatient.deadline = Instant::now() + Duration::from_millis(500);
        let kind = failure(&world.call_on("t", "{}", impatient).await);
        assert!(matches!(kind, FailureKind::Unreachable | FailureKind::OutOfTime), "{kind:?}");
        let listed = world.sandbox.list(&server(), Listing::Tools, Duration::from_millis(100)).await;
        assert!(matches!(listed, Err(ServerError::Down { .. } | ServerError::OutOfTime)), "{listed:?}");
        world.end().await;
    }
}

#[tokio::test]
async fn a_server_that_dies_of_the_probe_is_greeted_without_it() {
    let world = World::start(python(&["odd_start.py", "dies-of-probe"], ""));
    assert_eq!(world.ready().await.era, Era::Legacy("2024-11-05"));
    assert_eq!(world.text("t", "{}").await, "works");
}
