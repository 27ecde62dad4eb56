//! The encrypted file: what lies on the disk, what opens it, and what is never left half done.

use std::fs;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vault::{Around, KeepError, OpenError, Vault};
use zeroize::Zeroizing;

use crate::world::{NEXT, NOW, VALUE, World, config};

const ONE: &str = "[secret.one]\n";

fn holds(folder: &Path, text: &str) -> bool {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).filter(|path| path.is_file());
    files.into_iter().any(|file| fs::read(file).unwrap().windows(text.len()).any(|window| window == text.as_bytes()))
}

#[tokio::test]
async fn nothing_on_the_disk_holds_a_value_and_nobody_else_may_read_what_does() {
    let world = World::start(ONE);
    world.set("one", VALUE).await.unwrap();
    world.set("one", NEXT).await.unwrap();
    assert!(!holds(world.state.path(), VALUE) && !holds(world.state.path(), NEXT));
    for name in ["secrets.age", "secrets.key", "secrets.age.lock"] {
        let mode = fs::metadata(world.state.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn the_file_is_one_that_the_age_format_s_own_tools_read() {
    let world = World::start(ONE);
    world.set("one", VALUE).await.unwrap();
    let sealed = fs::read(world.state.path().join("secrets.age")).unwrap();
    assert!(sealed.starts_with(b"age-encryption.org/v1\n"));
    let key = fs::read_to_string(world.state.path().join("secrets.key")).unwrap();
    let identity: age::x25519::Identity = key.trim().parse().unwrap();
    let open = String::from_utf8(age::decrypt(&identity, &sealed).unwrap()).unwrap();
    assert!(open.contains("\"one\""), "{open}");
}

#[tokio::test]
async fn a_key_that_others_can_read_opens_nothing() {
    let world = World::start(ONE);
    world.set("one", VALUE).await.unwrap();
    let state = world.stop().await;
    fs::set_permissions(state.path().join("secrets.key"), fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(World::start_in(state, ONE), Err(OpenError::File { .. })));
}

#[tokio::test]
async fn another_key_or_a_changed_byte_opens_nothing() {
    let world = World::start(ONE);
    world.set("one", VALUE).await.unwrap();
    let state = world.stop().await;
    let file = state.path().join("secrets.age");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, &bytes).unwrap();
    assert!(matches!(World::start_in(state, ONE), Err(OpenError::File { .. })));
}

#[tokio::test]
async fn a_lost_key_is_not_replaced_by_one_that_opens_nothing() {
    let world = World::start(ONE);
    world.set("one", VALUE).await.unwrap();
    let state = world.stop().await;
    fs::remove_file(state.path().join("secrets.key")).unwrap();
    let path = state.path().to_owned();
    assert!(World::start_in(state, ONE).is_err());
    assert!(!path.join("secrets.key").exists());
}

#[tokio::test]
async fn two_processes_do_not_write_one_file() {
    let world = World::start("");
    let around = Around::new(TaskTracker::new(), CancellationToken::new(), || NOW);
    let second = Vault::open(config("", world.state.path()).unwrap(), &world.audit, &around);
    assert!(matches!(second, Err(OpenError::File { .. })));
}

#[tokio::test]
async fn what_a_crash_left_beside_the_file_is_no_hindrance() {
    let world = World::start(ONE);
    world.set("one", VALUE).await.unwrap();
    let state = world.stop().await;
    fs::write(state.path().join("secrets.age.new"), b"half a fi").unwrap();
    let world = World::start_in(state, ONE).unwrap();
    assert_eq!(world.set("one", NEXT).await.unwrap(), 2);
    assert!(!world.state.path().join("secrets.age.new").exists());
}

#[tokio::test]
async fn short_values_are_refused_unless_someone_insists_and_nothing_is_kept_that_cannot_be_redacted() {
    let world = World::start(ONE);
    assert!(matches!(world.set("one", "elevenchars").await, Err(KeepError::Short(11))));
    let recipient = world.vault.recipient("one").unwrap();
    let sealed = vault::seal(&b"elevenchars\n"[..], &recipient).unwrap();
    assert_eq!(world.vault.set(&world.audit, "one", &sealed, true, None).await.unwrap(), 1);
    let sealed = vault::seal(&b"abc"[..], &recipient).unwrap();
    assert!(matches!(world.vault.set(&world.audit, "one", &sealed, true, None).await, Err(KeepError::Short(3))));
    assert!(matches!(world.set("../one", VALUE).await, Err(KeepError::Name(_))));
}

#[tokio::test]
async fn the_list_has_versions_and_times_and_no_value() {
    let world = World::start("[secret.one]\n[secret.two]\nfrom = \"env\"\npath = \"TWO\"\n");
    world.set("one", VALUE).await.unwrap();
    world.set("unconfigured", NEXT).await.unwrap();
    let listed = world.vault.list().unwrap();
    let told = serde_json::to_string(&listed).unwrap();
    assert!(!told.contains(VALUE) && !told.contains(NEXT), "{told}");
    let rows: Vec<_> = listed.iter().map(|row| (row.name.as_str(), row.version, row.configured)).collect();
    assert_eq!(rows, [("one", Some(1), true), ("two", None, true), ("unconfigured", Some(1), false)]);
    assert!(matches!(world.set("two", VALUE).await, Err(KeepError::Elsewhere { .. })));
}

#[tokio::test]
async fn what_is_removed_is_gone_and_recorded() {
    let world = World::start(ONE);
    world.set("one", VALUE).await.unwrap();
    world.vault.remove(&world.audit, "one", None).await.unwrap();
    assert!(matches!(world.vault.remove(&world.audit, "one", None).await, Err(KeepError::Unknown(_))));
    let records = world.records();
    assert!(records.contains(r#""action":"set""#) && records.contains(r#""action":"removed""#), "{records}");
    assert!(!world.redacted(VALUE).contains(VALUE), "it may still come back late");
}

/// A vault over this config, once; what it did before it was closed again.
async fn once(state: &Path, text: &str, phrase: Option<&'static str>) -> Result<u64, OpenError> {
    let (tasks, halt) = (TaskTracker::new(), CancellationToken::new());
    let mut around = Around::new(tasks.clone(), halt.clone(), || NOW);
    if let Some(phrase) = phrase {
        around = around.passphrase(Arc::new(move |_| Ok(Zeroizing::new(phrase.to_owned()))));
    }
    let log = World::start("");
    let vault = Vault::open(config(text, state).unwrap(), &log.audit, &around)?;
    let sealed = vault::seal(VALUE.as_bytes(), &vault.recipient("one").unwrap()).unwrap();
    let version = vault.set(&log.audit, "one", &sealed, false, None).await.unwrap();
    halt.cancel();
    tasks.close();
    tasks.wait().await;
    Ok(version)
}

#[tokio::test]
async fn a_passphrase_opens_what_it_closed_and_another_one_does_not() {
    let state = tempfile::tempdir().unwrap();
    let text = "[vault.file]\nkey = \"passphrase\"\n[secret.one]\n";
    assert_eq!(once(state.path(), text, Some("correct horse")).await.unwrap(), 1);
    assert!(!holds(state.path(), "AGE-SECRET-KEY"), "the identity itself is sealed");
    assert!(once(state.path(), text, Some("battery staple")).await.is_err());
    assert!(once(state.path(), text, None).await.is_err(), "nobody is there to type it");
    assert_eq!(once(state.path(), text, Some("correct horse")).await.unwrap(), 2);
}

#[tokio::test]
async fn a_passphrase_comes_from_a_descriptor_where_nobody_can_type_it() {
    let state = tempfile::tempdir().unwrap();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"correct horse\n").unwrap();
    let text = format!("[vault.file]\nkey = {{ descriptor = {} }}\n[secret.one]\n", file.as_raw_fd());
    for version in 1..=2 {
        assert_eq!(once(state.path(), &text, None).await.unwrap(), version);
    }
}

#[tokio::test]
async fn every_problem_of_the_tables_is_told_at_once() {
    let text = "[vault.a]\nkind = \"nothing\"\n[vault.file]\nkey = 7\ncolour = 1\n[vault.b]\nkind = \"sops\"\n\
                [secret.\"-x\"]\n[secret.y]\nfrom = \"nowhere\"\nvalue = \"1\"\n";
    let problems = config(text, Path::new("/nonexistent")).err().unwrap();
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    for key in [
        "vault.a.kind",
        "vault.file.key",
        "vault.file.colour",
        "vault.b.file",
        "vault.b.key",
        "secret.-x",
        "secret.y.from",
        "secret.y.value",
    ] {
        assert!(keys.contains(&key), "{key} not in {keys:?}");
    }
}
