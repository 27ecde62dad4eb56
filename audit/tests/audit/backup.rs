//! A copy of the log is whole or none; what was open in it does not come alive again, and the log says that it was restored.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use audit::{BackupError, Config, Listing, NotOurs, Order, RestoreError, Restored, StartError, StepRefused, Trusted};
use policies::approval::Step;
use policies::{CallId, Hold};

use crate::world::{World, approve, noon, random, start, try_start};

fn backup(world: &World, to: &Path, keys: bool) -> Listing {
    audit::backup(world.state.path(), to, keys, noon(), &mut |_| true).unwrap()
}

fn restore(from: &Path, state: &Path, aside: bool) -> Result<Restored, RestoreError> {
    let config = Config::new(state, noon).reserve(1 << 20);
    let trusted = Trusted::default();
    let order = Order { from, config, aside, revoke_agents: false, trusted, reason: "the disk died" };
    audit::restore(&order, &mut |_| true)
}

/// A folder's files, by name.
fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

struct Elsewhere(tempfile::TempDir);

impl Elsewhere {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

async fn approved(world: &World) -> Hold {
    let hold = world.hold(r#"{"path":"/srv/old"}"#).await;
    world.audit.step(hold.id().clone(), approve("bob"), noon()).await.unwrap()
}

fn consume() -> Step {
    Step::Consume { by: CallId::from_random(random()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_whole_while_the_log_is_written_and_no_start_takes_it() {
    let (world, elsewhere) = (World::new(), Elsewhere::new());
    for _ in 0..400 {
        drop(world.call(r#"{"path":"/srv/a"}"#, r#"{"text":"a"}"#).await);
    }
    let (state, to) = (world.state.path().to_owned(), elsewhere.at("copy"));
    let copy = to.clone();
    let copying = tokio::task::spawn_blocking(move || audit::backup(&state, &copy, false, noon(), &mut |_| true));
    // Calls go on, each answered as ever.
    while !copying.is_finished() {
        drop(world.call(r#"{"path":"/srv/b"}"#, "{}").await);
    }
    let listing = copying.await.unwrap().unwrap();
    assert!(listing.records >= 801 && !listing.keys);
    assert_eq!(names(&to), ["backup.json", "portcullis.db"], "neither keys nor a checkpoint, nor anything of the way");
    assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o077, 0);
    let verified = audit::verify(&to).unwrap();
    assert_eq!(verified.records, listing.records);
    // Whatever lies beside it: the copy itself says what it is.
    assert!(world.audit.stop().await);
    for name in ["log.key", "seal.key", "checkpoint"] {
        fs::copy(world.state.path().join(name), to.join(name)).unwrap();
    }
    assert!(matches!(try_start(&to), Err(StartError::Backup)));
    assert!(matches!(audit::accept(&Config::new(&to, noon).reserve(1 << 20), "it is mine"), Err(StartError::Backup)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_of_a_backup_in_the_place_of_the_log_is_refused() {
    let (world, elsewhere) = (World::new(), Elsewhere::new());
    drop(world.call("{}", "{}").await);
    drop(backup(&world, &elsewhere.at("copy"), false));
    drop(world.call("{}", "{}").await);
    assert!(world.audit.stop().await);
    fs::copy(elsewhere.at("copy").join("portcullis.db"), world.state.path().join("portcullis.db")).unwrap();
    assert!(matches!(try_start(world.state.path()), Err(StartError::Backup)));
    // Without the mark it is an older copy, which the checkpoint outside tells.
    let db = rusqlite::Connection::open(world.state.path().join("portcullis.db")).unwrap();
    db.execute_batch("PRAGMA application_id = 0").unwrap();
    drop(db);
    let refused = try_start(world.state.path()).map(|_| ());
    let expected = NotOurs::RolledBack { expected: 5, found: 3 };
    assert!(
        matches!(&refused, Err(StartError::NotOurs(why)) if why.to_string() == expected.to_string()),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_open_in_a_backup_stays_dead_and_the_log_says_for_ever_that_it_was_restored() {
    let (world, elsewhere) = (World::new(), Elsewhere::new());
    let (used, pending) = (approved(&world).await, world.hold(r#"{"path":"/srv/other"}"#).await);
    let listing = backup(&world, &elsewhere.at("copy"), true);
    assert!(listing.keys && elsewhere.at("copy").join("log.key").exists());
    // After the backup the approval is used, and more is recorded.
    world.audit.step(used.id().clone(), consume(), noon()).await.unwrap();
    drop(world.call("{}", "{}").await);
    let old = audit::log_key(world.state.path()).unwrap();
    assert!(world.audit.stop().await);
    let seen = world.verify().unwrap().signed.unwrap().0;

    let restored = restore(&elsewhere.at("copy"), world.state.path(), true).unwrap();
    assert_eq!((restored.holds, restored.record), (2, listing.records + 1));
    assert_eq!(restored.lost, Some(seen.clone()), "the newest checkpoint that was found is named");
    let replaced = restored.replaced.unwrap();
    assert!(replaced.join("portcullis.db").exists(), "what was there is kept");
    let (audit, recovered) = start(world.state.path());
    assert!(recovered.holds.is_empty());
    for hold in [used, pending] {
        let step = audit.step(hold.id().clone(), consume(), noon()).await;
        assert!(matches!(step, Err(StepRefused::Step(_))), "{step:?}");
        assert!(audit.held_call(hold.id()).is_err(), "its bytes are gone");
    }
    let record = audit.reader().unwrap().tail(listing.records, 1).unwrap().remove(0).record.detail;
    let text = |name: &str| record.get(name).unwrap().as_str().unwrap().to_owned();
    assert_eq!((text("event").as_str(), text("reason").as_str()), ("log-restored", "the disk died"));
    assert!(text("lost").contains(&format!("\n{}\n", seen.size)), "{record:?}");
    assert!(audit.stop().await);
    // Whoever knows the old key can follow, and is told.
    let trusted = Trusted { key: Some(old.clone()), checkpoint: None };
    let verified = audit::verify_with(world.state.path(), &trusted).unwrap();
    assert_eq!(verified.restored, [restored.record]);
    assert_ne!(verified.signed.unwrap().0.origin, old.name(), "no log signs two histories");
    // What was signed before the restore does not lead here.
    let remembered = Trusted { key: None, checkpoint: Some(seen) };
    assert!(audit::verify_with(world.state.path(), &remembered).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_was_changed_by_a_bit_is_not_restored_and_nothing_is_touched() {
    let (world, elsewhere) = (World::new(), Elsewhere::new());
    for _ in 0..20 {
        drop(world.call(r#"{"path":"/srv/a"}"#, "{}").await);
    }
    let copy = elsewhere.at("copy");
    drop(backup(&world, &copy, true));
    let database = fs::read(copy.join("portcullis.db")).unwrap();
    let places = (0..database.len()).step_by(database.len() / 40);
    for place in places {
        let mut changed = database.clone();
        changed[place] ^= 1;
        fs::write(copy.join("portcullis.db"), &changed).unwrap();
        let refused = restore(&copy, &elsewhere.at("state"), false);
        assert!(matches!(refused, Err(RestoreError::NoBackup { .. })), "{place}: {refused:?}");
        assert_eq!(names(&elsewhere.at("state")), ["lock"], "{place}");
    }
    // Whoever changes the listing too is found by the log.
    let mut changed = database.clone();
    let place = changed.windows(6).position(|window| window == b"/srv/a").unwrap();
    changed[place] ^= 1;
    fs::write(copy.join("portcullis.db"), &changed).unwrap();
    let sha256 = |bytes: &[u8]| policies::Hash::of(bytes).to_string();
    let listing = fs::read_to_string(copy.join("backup.json")).unwrap();
    fs::write(copy.join("backup.json"), listing.replace(&sha256(&database), &sha256(&changed))).unwrap();
    assert!(matches!(restore(&copy, &elsewhere.at("state"), false), Err(RestoreError::Unsound(_))));
    // Nor does a listing bring anything else into a state folder.
    fs::write(copy.join("backup.json"), listing.replace("\"log.key\"", "\"../log.key\"")).unwrap();
    assert!(matches!(restore(&copy, &elsewhere.at("state"), false), Err(RestoreError::NoBackup { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_restored_over_a_log_or_under_a_gateway() {
    let (world, elsewhere) = (World::new(), Elsewhere::new());
    let copy = elsewhere.at("copy");
    drop(backup(&world, &copy, false));
    assert!(matches!(restore(&copy, world.state.path(), false), Err(RestoreError::Occupied(_))));
    // The index comes when it comes.
    let log = || names(world.state.path()).into_iter().filter(|name| !name.starts_with("search.")).collect::<Vec<_>>();
    let before = log();
    assert!(matches!(restore(&copy, world.state.path(), true), Err(RestoreError::Running(_))));
    assert_eq!(log(), before);
    drop(world.call("{}", "{}").await);
    assert!(world.verify().is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_stopped_leaves_nothing_and_one_that_was_killed_is_none() {
    let (world, elsewhere) = (World::new(), Elsewhere::new());
    let copy = elsewhere.at("copy");
    for allowed in 0..2 {
        let mut told = 0;
        let stopped = audit::backup(world.state.path(), &copy, false, noon(), &mut |_| {
            told += 1;
            told <= allowed
        });
        if let Err(error) = stopped {
            assert!(matches!(error, BackupError::Stopped), "{error}");
            assert_eq!(names(elsewhere.0.path()), Vec::<String>::new());
        } else {
            fs::remove_dir_all(&copy).unwrap();
        }
    }
    // What a kill leaves: no listing, another name, and the next one takes its place.
    let partial = elsewhere.at(".copy.partial");
    fs::create_dir(&partial).unwrap();
    fs::write(partial.join("lock"), "").unwrap();
    fs::write(partial.join("portcullis.db"), "half").unwrap();
    assert!(matches!(restore(&partial, &elsewhere.at("state"), false), Err(RestoreError::NoBackup { .. })));
    drop(backup(&world, &copy, false));
    assert_eq!(names(elsewhere.0.path()), ["copy"]);
    let again = audit::backup(world.state.path(), &copy, false, noon(), &mut |_| true);
    assert!(matches!(again, Err(BackupError::Exists(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_stopped_midway_does_not_start() {
    let (world, elsewhere) = (World::new(), Elsewhere::new());
    let copy = elsewhere.at("copy");
    drop(backup(&world, &copy, false));
    assert!(world.audit.stop().await);
    fs::create_dir(world.state.path().join("restoring")).unwrap();
    assert!(matches!(try_start(world.state.path()), Err(StartError::Restoring(_))));
    drop(restore(&copy, world.state.path(), true).unwrap());
    let (audit, _) = start(world.state.path());
    assert!(audit.stop().await);
}
