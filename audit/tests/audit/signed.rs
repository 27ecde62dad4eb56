//! A log that is not the one that was signed last is not continued; keys change in order, or visibly.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use audit::{Audit, Broken, Checkpoint, Config, NotOurs, Note, StartError, Trusted, VerifierKey, VerifyError, What};

use crate::world::{World, noon, redactor, start, try_start};

/// The database of a stopped log, to put back later.
fn copy(state: &Path) -> Vec<u8> {
    fs::read(state.join("portcullis.db")).unwrap()
}

fn put_back(state: &Path, database: &[u8]) {
    for name in ["portcullis.db-wal", "portcullis.db-shm"] {
        drop(fs::remove_file(state.join(name)));
    }
    fs::write(state.join("portcullis.db"), database).unwrap();
}

fn not_ours(state: &Path) -> NotOurs {
    match try_start(state).map(|_| ()) {
        Err(StartError::NotOurs(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn config(state: &Path) -> Config {
    Config::new(state, noon).reserve(1 << 20)
}

fn key(state: &Path) -> VerifierKey {
    audit::log_key(state).unwrap()
}

fn anchor(state: &Path) -> Checkpoint {
    Checkpoint::of(&Note::parse(&fs::read_to_string(state.join("checkpoint")).unwrap()).unwrap()).unwrap()
}

fn broken<T: std::fmt::Debug>(result: Result<T, VerifyError>) -> What {
    match result {
        Err(VerifyError::Broken(Broken { what, .. })) => what,
        other => panic!("{other:?}"),
    }
}

fn with(key: &VerifierKey) -> Trusted {
    Trusted { key: Some(key.clone()), checkpoint: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_recorded_is_signed_soon_and_at_the_end() {
    let world = World::new();
    drop(world.call("{}", "{}").await);
    let began = std::time::Instant::now();
    while anchor(world.state.path()).size < 3 {
        assert!(began.elapsed().as_secs() < 10, "{:?}", anchor(world.state.path()));
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    drop(world.call("{}", "{}").await);
    assert!(world.audit.stop().await);
    let verified = audit::verify_with(world.state.path(), &with(&key(world.state.path()))).unwrap();
    let (checkpoint, signer) = verified.signed.unwrap();
    assert_eq!((checkpoint.size, signer), (5, key(world.state.path())));
    assert_eq!(anchor(world.state.path()), checkpoint);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_database_is_refused_until_someone_accepts_it_and_that_is_a_record() {
    let mut world = World::new();
    drop(world.call("{}", "{}").await);
    assert!(world.audit.stop().await);
    let old = copy(world.state.path());
    let was = key(world.state.path());
    let (audit, _) = start(world.state.path());
    world.audit = audit;
    drop(world.call("{}", "{}").await);
    assert!(world.audit.stop().await);
    let seen = anchor(world.state.path());

    put_back(world.state.path(), &old);
    assert!(matches!(not_ours(world.state.path()), NotOurs::RolledBack { expected: 5, found: 3 }));
    let remembered = Trusted { key: None, checkpoint: Some(seen) };
    assert_eq!(broken(audit::verify_with(world.state.path(), &remembered)), What::RolledBack(5));

    let renewed = audit::accept(&config(world.state.path()), "restored from the backup of noon").unwrap();
    assert_eq!(renewed.before, Some(was.clone()));
    assert_ne!(renewed.now.name(), was.name(), "no log signs two histories");
    let (audit, _) = start(world.state.path());
    let accepted = audit.reader().unwrap().tail(3, 1).unwrap().remove(0).record.detail;
    assert_eq!(accepted.get("event").unwrap().as_str(), Some("log-accepted"));
    assert_eq!(accepted.get("reason").unwrap().as_str(), Some("restored from the backup of noon"));
    assert!(accepted.get("expected").unwrap().as_str().unwrap().contains("\n5\n"), "{accepted:?}");
    assert!(audit.stop().await);
    // The old key vouched for the new one, so whoever knows the old one can follow.
    assert_eq!(audit::verify_with(world.state.path(), &with(&was)).unwrap().accepted, [4]);
    assert!(audit::verify_with(world.state.path(), &with(&renewed.now)).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_went_another_way_is_refused() {
    let world = World::new();
    assert!(world.audit.stop().await);
    let state = world.state.path();
    let common = copy(state);
    let (audit, _) = start(state);
    let mut world = World { audit, ..world };
    drop(world.call(r#"{"path":"/one"}"#, "{}").await);
    assert!(world.audit.stop().await);
    let one = (fs::read(world.state.path().join("checkpoint")).unwrap(), anchor(world.state.path()));
    // The same beginning, another continuation, longer than the first, signed with the same key.
    put_back(world.state.path(), &common);
    fs::remove_file(world.state.path().join("checkpoint")).unwrap();
    assert!(matches!(not_ours(world.state.path()), NotOurs::NoCheckpoint(_)), "removing the file does not help");
    let beginning = anchor_of(world.state.path());
    fs::write(world.state.path().join("checkpoint"), beginning).unwrap();
    let (audit, _) = start(world.state.path());
    world.audit = audit;
    for _ in 0..3 {
        drop(world.call(r#"{"path":"/two"}"#, "{}").await);
    }
    assert!(world.audit.stop().await);
    world.verify().unwrap();
    let remembered = Trusted { key: Some(key(world.state.path())), checkpoint: Some(one.1) };
    assert_eq!(broken(audit::verify_with(world.state.path(), &remembered)), What::SplitView(3));
    fs::write(world.state.path().join("checkpoint"), one.0).unwrap();
    assert!(matches!(not_ours(world.state.path()), NotOurs::Another(3)));
}

/// The checkpoint in the database, as a note.
fn anchor_of(state: &Path) -> String {
    let db = rusqlite::Connection::open(state.join("portcullis.db")).unwrap();
    db.query_row("SELECT note FROM checkpoint", [], |row| row.get(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_database_and_a_damaged_checkpoint_are_refused() {
    let world = World::new();
    drop(world.call("{}", "{}").await);
    assert!(world.audit.stop().await);
    let state = world.state.path();
    let database = copy(state);
    fs::remove_file(state.join("portcullis.db")).unwrap();
    assert!(matches!(not_ours(state), NotOurs::RolledBack { expected: 3, found: 0 }));
    put_back(state, &database);
    fs::write(state.join("checkpoint"), "nothing\n").unwrap();
    assert!(matches!(not_ours(state), NotOurs::BadCheckpoint(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_on_another_disk_does_not_go_back_with_the_state_folder() {
    let elsewhere = tempfile::tempdir().unwrap();
    let state = tempfile::tempdir().unwrap();
    let config = || config(state.path()).checkpoint(Some(elsewhere.path().join("checkpoint")));
    let begin = || Audit::start(config(), redactor());
    let (audit, _) = begin().unwrap();
    assert!(audit.stop().await);
    let backup: Vec<_> = fs::read_dir(state.path())
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| (path.clone(), fs::read(&path).unwrap()))
        .collect();
    let (audit, _) = begin().unwrap();
    let world = World { audit, state };
    drop(world.call("{}", "{}").await);
    assert!(world.audit.stop().await);
    for (path, bytes) in &backup {
        fs::write(path, bytes).unwrap();
    }
    let again = Audit::start(
        Config::new(world.state.path(), noon).checkpoint(Some(elsewhere.path().join("checkpoint"))),
        redactor(),
    );
    assert!(matches!(again.map(|_| ()), Err(StartError::NotOurs(NotOurs::RolledBack { expected: 3, found: 1 }))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swapped_key_and_a_lost_one_are_refused() {
    let (world, stranger) = (World::new(), World::new());
    drop(world.call("{}", "{}").await);
    assert!(world.audit.stop().await);
    let (mine, other) = (world.state.path().join("log.key"), stranger.state.path().join("log.key"));
    let kept = fs::read(&mine).unwrap();
    fs::copy(other, &mine).unwrap();
    assert!(matches!(not_ours(world.state.path()), NotOurs::AnotherKey(_)));
    assert!(matches!(
        broken(audit::verify_with(world.state.path(), &with(&key(stranger.state.path())))),
        What::Note(audit::BadNote::Unsigned(_))
    ));
    fs::remove_file(&mine).unwrap();
    assert!(matches!(not_ours(world.state.path()), NotOurs::NoKey(_)));
    fs::write(&mine, kept).unwrap();
    assert!(matches!(not_ours(world.state.path()), NotOurs::Key(audit::BadKey::Exposed)));
    fs::set_permissions(&mine, fs::Permissions::from_mode(0o600)).unwrap();
    start(world.state.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_signed_again_by_a_stranger_does_not_verify_with_the_old_key() {
    let world = World::new();
    drop(world.call("{}", "{}").await);
    assert!(world.audit.stop().await);
    let trusted = key(world.state.path());
    // Whoever has the folder may lose the key and have the log accepted; nobody vouches for that.
    fs::remove_file(world.state.path().join("log.key")).unwrap();
    let renewed = audit::accept(&config(world.state.path()), "the key is lost").unwrap();
    assert_eq!(renewed.before, None);
    assert_eq!(broken(audit::verify_with(world.state.path(), &with(&trusted))), What::Key);
    assert!(audit::verify_with(world.state.path(), &with(&renewed.now)).is_ok());
    start(world.state.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_is_vouched_for_by_the_one_before() {
    let world = World::new();
    drop(world.call("{}", "{}").await);
    assert!(matches!(audit::rotate_key(&config(world.state.path())), Err(StartError::Locked(_))));
    assert!(world.audit.stop().await);
    let first = key(world.state.path());
    let second = audit::rotate_key(&config(world.state.path())).unwrap();
    let third = audit::rotate_key(&config(world.state.path())).unwrap();
    assert_eq!((second.before, third.before.as_ref()), (Some(first.clone()), Some(&second.now)));
    assert_eq!(third.now, key(world.state.path()));
    let (audit, _) = start(world.state.path());
    assert!(audit.stop().await);
    for key in [&first, &second.now, &third.now] {
        let verified = audit::verify_with(world.state.path(), &with(key)).unwrap();
        assert_eq!(verified.signed.unwrap().1, third.now, "any of the keys leads to the one that signs");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_was_interrupted_is_settled_at_the_next_start() {
    let world = World::new();
    assert!(world.audit.stop().await);
    let (key_file, next) = (world.state.path().join("log.key"), world.state.path().join("log.key.next"));
    // Before the record: the key that was to follow is dropped.
    let stranger = World::new();
    fs::copy(stranger.state.path().join("log.key"), &next).unwrap();
    let (audit, _) = start(world.state.path());
    assert!(audit.stop().await);
    assert!(!next.exists());
    // After the record, before the file: it is the log's key.
    let old = fs::read(&key_file).unwrap();
    let renewed = audit::rotate_key(&config(world.state.path())).unwrap();
    fs::rename(&key_file, &next).unwrap();
    fs::write(&key_file, old).unwrap();
    fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).unwrap();
    let (audit, _) = start(world.state.path());
    assert!(audit.stop().await);
    assert_eq!(key(world.state.path()), renewed.now);
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_without_a_tree_gets_one_and_its_records_stay() {
    let state = tempfile::tempdir().unwrap();
    fs::set_permissions(state.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let records = 600_u64;
    layout_1(state.path(), records);
    let before = audit::verify(state.path()).unwrap();
    assert_eq!((before.records, before.signed), (records, None));
    let (audit, _) = start(state.path());
    assert!(audit.stop().await);
    let after = audit::verify_with(state.path(), &with(&key(state.path()))).unwrap();
    assert_eq!(after.records, records + 1, "the record that names the key");
    let proof = audit::prove(state.path(), 7, None).unwrap();
    let proven = audit::Proof::parse(&proof.to_string()).unwrap().check(&key(state.path()), &[]).unwrap();
    assert_eq!(proven.record.fields.get("kind").unwrap().as_str(), Some("event"));
    crate::index::made_of_what_is_there(state.path()).await;
}

/// A log as version 1 wrote it: events without salts or tiles.
fn layout_1(state: &Path, records: u64) {
    let db = rusqlite::Connection::open(state.join("portcullis.db")).unwrap();
    db.execute_batch(include_str!("layout-1.sql")).unwrap();
    let mut chain = policies::Hash::from_bytes(audit::record::GENESIS);
    for seq in 1..=records {
        let record = format!(
            r#"{{"v":1,"seq":{seq},"at":"2026-11-21T09:30:00.100000Z","kind":"event","detail":{{"event":"started"}}}}"#
        );
        chain = audit::record::chain(&chain, &audit::record::leaf(record.as_bytes()));
        let at = "2026-11-21T09:30:00.1Z".parse::<jiff::Timestamp>().unwrap().as_microsecond();
        db.execute(
            "INSERT INTO entry (seq, at, kind, chain, record) VALUES (?1, ?2, 7, ?3, ?4)",
            rusqlite::params![i64::try_from(seq).unwrap(), at, chain.as_bytes(), record.as_bytes()],
        )
        .unwrap();
    }
    let seq = i64::try_from(records).unwrap();
    db.execute("INSERT INTO head (id, seq, chain) VALUES (1, ?1, ?2)", rusqlite::params![seq, chain.as_bytes()])
        .unwrap();
}
