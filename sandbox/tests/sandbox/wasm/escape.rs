//! Out of the folders: nothing that was not granted can be read or written, however it is spelled.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::guests::hostile;
use crate::world::World;

const FOLDERS: &str = "[[folder]]\nat = '/data'\nwritable = true\n[[folder]]\nat = '/dict'";

/// The hostile guest with `/data` to write and `/dict` to read; beside them lies `secret`, which nobody granted.
fn with_folders() -> (World, tempfile::TempDir) {
    let host = tempfile::tempdir().unwrap();
    for name in ["data", "dict", "secret"] {
        fs::create_dir(host.path().join(name)).unwrap();
    }
    fs::write(host.path().join("dict/word"), "a word").unwrap();
    fs::write(host.path().join("secret/key"), "the secret").unwrap();
    let at = |name: &str| host.path().join(name).display().to_string();
    let world = hostile(FOLDERS, &format!("folders = {{ '/data' = '{}', '/dict' = '{}' }}", at("data"), at("dict")));
    (world, host)
}

async fn read(world: &World, path: &str) -> String {
    world.text("read", &format!(r#"{{"path":"{path}"}}"#)).await
}

#[tokio::test]
async fn files_outside_the_granted_folders_do_not_exist() {
    let (world, host) = with_folders();
    assert_eq!(read(&world, "/dict/word").await, "a word");
    let secret = host.path().join("secret/key").display().to_string();
    let wrong = [
        "/etc/passwd",
        "/proc/self/environ",
        "/proc/1/environ",
        "/dev/mem",
        "/data/../secret/key",
        "/data/../../../../../../etc/passwd",
        "/dict/../data/../secret/key",
        "../secret/key",
        secret.as_str(),
        "/data//../../etc/passwd",
        "/secret/key",
        "/var/run/docker.sock",
    ];
    for path in wrong {
        let said = read(&world, path).await;
        assert!(said.starts_with("refused"), "{path}: {said}");
    }
    let listed = world.text("list", r#"{"path":"/"}"#).await;
    assert!(listed.starts_with("refused"), "{listed}");
}

#[tokio::test]
async fn links_lead_out_of_no_folder() {
    let (world, host) = with_folders();
    symlink(host.path().join("secret"), host.path().join("data/out")).unwrap();
    symlink("../secret/key", host.path().join("data/up")).unwrap();
    symlink("/etc/passwd", host.path().join("data/passwd")).unwrap();
    for path in ["/data/out/key", "/data/up", "/data/passwd"] {
        let said = read(&world, path).await;
        assert!(said.starts_with("refused"), "{path}: {said}");
    }
    for target in ["/etc/passwd", "../secret/key"] {
        world.text("symlink", &format!(r#"{{"target":"{target}","name":"made"}}"#)).await;
        assert!(read(&world, "/data/made").await.starts_with("refused"), "{target}");
        fs::remove_file(host.path().join("data/made")).ok();
    }
    let said = world.text("write", r#"{"path":"/data/out/new","content":"x"}"#).await;
    assert!(said.starts_with("refused") && !host.path().join("secret/new").exists(), "{said}");
}

#[tokio::test]
async fn hard_links_make_nothing_writable() {
    let (world, host) = with_folders();
    let said = world.text("link", r#"{"from":"/dict/word","to":"/data/word"}"#).await;
    assert!(said.starts_with("refused") && !host.path().join("data/word").exists(), "{said}");
    let said = world.text("link", r#"{"from":"/data/../secret/key","to":"/data/key"}"#).await;
    assert!(said.starts_with("refused") && !host.path().join("data/key").exists(), "{said}");
}

#[tokio::test]
async fn a_folder_to_read_is_not_written() {
    let (world, host) = with_folders();
    for path in ["/dict/word", "/dict/new", "/etc/new"] {
        let said = world.text("write", &format!(r#"{{"path":"{path}","content":"x"}}"#)).await;
        assert!(said.starts_with("refused"), "{path}: {said}");
    }
    assert_eq!(fs::read_to_string(host.path().join("dict/word")).unwrap(), "a word");
    assert_eq!(fs::read_dir(host.path().join("dict")).unwrap().count(), 1);
    assert_eq!(world.text("write", r#"{"path":"/data/new","content":"x"}"#).await, "written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_becomes_a_link_while_it_is_walked_leads_nowhere() {
    let (world, host) = with_folders();
    let (data, secret) = (host.path().join("data"), host.path().join("secret"));
    fs::create_dir(data.join("real")).unwrap();
    fs::write(data.join("real/key"), "plain").unwrap();
    symlink(&secret, data.join("evil")).unwrap();
    let done = AtomicBool::new(false);
    let swap = || {
        while !done.load(Ordering::Relaxed) {
            exchange(&data.join("real"), &data.join("evil"), &data.join("here"));
        }
    };
    let said = std::thread::scope(|scope| {
        scope.spawn(swap);
        let said = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(world.text("race", r#"{"path":"/data/here/key","times":1000}"#))
        });
        done.store(true, Ordering::Relaxed);
        said
    });
    assert!(!said.contains("secret"), "{said}");
    // It must have been read at times, or nothing was raced.
    assert!(said.ends_with(" plain"), "{said}");
}

/// `here` is first the one, then the other.
fn exchange(real: &Path, evil: &Path, here: &Path) {
    for one in [real, evil] {
        fs::rename(one, here).unwrap();
        fs::rename(here, one).unwrap();
    }
}

#[tokio::test]
async fn the_gateways_environment_stays_with_the_gateway() {
    let world = hostile("", "");
    assert_eq!(world.text("environment", "{}").await, "[] []");
}

#[tokio::test]
async fn nothing_is_left_for_the_next_call() {
    let world = hostile("", "");
    for _ in 0..3 {
        assert_eq!(world.text("count", "{}").await, "0");
    }
}
