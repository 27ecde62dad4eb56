//! The tools that come with the gateway.

use std::fs;

use audit::Answer;
use policies::Value;
use sandbox::{Bundled, Listing, bundled};

use crate::world::{World, server, text};

fn start(name: &str) -> World {
    let state = tempfile::tempdir().unwrap();
    fs::create_dir(state.path().join("files")).unwrap();
    let all = bundled(&state.path().join("files"), sandbox::Web::default()).unwrap();
    let Bundled { config, .. } = all.into_iter().find(|bundled| bundled.name.as_str() == name).unwrap();
    World::start_in(state, config)
}

fn fault(answer: &Answer) -> String {
    let Answer::Result(result) = answer else { panic!("{answer:?}") };
    assert_eq!(result.get("isError").and_then(Value::as_bool), Some(true), "{result}");
    text(answer)
}

#[tokio::test]
async fn files_are_written_listed_read_found_moved_and_deleted() {
    let world = start("files");
    let folder = world.state.path().join("files");
    let listed = world.sandbox.list(&server(), Listing::Tools, std::time::Duration::from_secs(20)).await.unwrap();
    let names: Vec<_> = listed.iter().filter_map(|tool| tool.get("name")?.as_str()).collect();
    assert_eq!(names, ["list", "read", "search", "write", "move", "delete"]);

    world.text("write", r#"{"path":"notes/a.txt","content":"Grüße\nzwei"}"#).await;
    assert_eq!(fs::read_to_string(folder.join("notes/a.txt")).unwrap(), "Grüße\nzwei");
    assert_eq!(world.text("list", "{}").await, "notes (folder)");
    assert_eq!(world.text("list", r#"{"path":"notes"}"#).await, "a.txt (12 bytes)");
    assert_eq!(world.text("read", r#"{"path":"notes/a.txt"}"#).await, "Grüße\nzwei");
    // Six bytes end inside the ß, which is left to the next part.
    assert_eq!(world.text("read", r#"{"path":"notes/a.txt","length":5}"#).await, "Grü");
    assert_eq!(world.text("search", r#"{"text":"ZWEI"}"#).await, "notes/a.txt:2: zwei");
    world.text("move", r#"{"path":"notes/a.txt","new_path":"b/c.txt"}"#).await;
    assert!(folder.join("b/c.txt").exists() && !folder.join("notes/a.txt").exists());
    world.text("delete", r#"{"path":"b/c.txt"}"#).await;
    assert!(!folder.join("b/c.txt").exists());
    world.text("write", r#"{"path":"raw","content":"/wA=","encoding":"base64"}"#).await;
    assert_eq!(fs::read(folder.join("raw")).unwrap(), [0xff, 0]);
    assert!(fault(&world.call("read", r#"{"path":"raw"}"#).await).contains("not text in UTF-8"));
    assert_eq!(world.text("read", r#"{"path":"raw","encoding":"base64"}"#).await, "/wA=");
}

#[tokio::test]
async fn nothing_is_replaced_unless_that_is_what_was_asked() {
    let world = start("files");
    let folder = world.state.path().join("files");
    fs::write(folder.join("a"), "first").unwrap();
    fs::write(folder.join("b"), "other").unwrap();
    assert!(fault(&world.call("write", r#"{"path":"a","content":"x"}"#).await).contains("exists already"));
    assert!(fault(&world.call("move", r#"{"path":"a","new_path":"b"}"#).await).contains("exists already"));
    assert_eq!(fs::read_to_string(folder.join("b")).unwrap(), "other");
    world.text("write", r#"{"path":"a","content":"second","overwrite":true}"#).await;
    assert_eq!(fs::read_to_string(folder.join("a")).unwrap(), "second");
    fs::create_dir(folder.join("full")).unwrap();
    fs::write(folder.join("full/x"), "x").unwrap();
    assert!(fault(&world.call("delete", r#"{"path":"full"}"#).await).contains("not empty"));
    world.text("delete", r#"{"path":"full","recursive":true}"#).await;
    assert!(!folder.join("full").exists());
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
}

#[tokio::test]
async fn paths_that_leave_the_folder_are_errors_that_say_so() {
    let world = start("files");
    fs::write(world.state.path().join("outside"), "x").unwrap();
    std::os::unix::fs::symlink("../outside", world.state.path().join("files/link")).unwrap();
    for path in ["../outside", "a/../../outside", "/etc/passwd", "link"] {
        for (tool, more) in [("read", ""), ("write", r#","content":"y","overwrite":false"#), ("list", "")] {
            fault(&world.call(tool, &format!(r#"{{"path":"{path}"{more}}}"#)).await);
        }
    }
    assert!(fault(&world.call("delete", r#"{"path":"."}"#).await).contains("name something"));
    assert_eq!(fs::read_to_string(world.state.path().join("outside")).unwrap(), "x");
}

#[tokio::test]
async fn the_time_is_told_at_an_offset() {
    let world = start("time");
    let now = world.text("now", "{}").await;
    let told: jiff::Timestamp = now.parse().unwrap();
    let truth = std::fs::metadata(world.state.path()).unwrap().modified().unwrap();
    let since = told.duration_since(jiff::Timestamp::try_from(truth).unwrap());
    assert!(since.as_secs().abs() < 120, "{now}");
    let there = world.text("now", r#"{"offset":"-05:30"}"#).await;
    assert!(there.ends_with("-05:30"), "{there}");
    let there: jiff::Timestamp = there.parse().unwrap();
    assert!(there.duration_since(told).as_secs().abs() < 60);
    fault(&world.call("now", r#"{"offset":"Berlin"}"#).await);
}

#[tokio::test]
async fn a_host_that_nobody_granted_is_not_reached_and_the_answer_says_so() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let world = start("http");
    for url in [format!("http://{at}/"), "https://example.com/".to_owned(), "http://198.51.100.7/latest".to_owned()] {
        let answer = world.call("fetch", &format!(r#"{{"url":"{url}"}}"#)).await;
        fault(&answer);
        let observed = world.observed.lock().unwrap();
        assert!(observed.undeclared() && observed.attempts()[0].denied.is_some(), "{url}");
    }
    fault(&world.call("fetch", r#"{"url":"file:///etc/passwd"}"#).await);
    assert!(tokio::time::timeout(std::time::Duration::from_millis(100), listener.accept()).await.is_err());
}
