//! A disk that is full, gone, replaced, read-only or slow: a distinct error within two seconds, never a hang, and an end by
//! itself when the fault goes.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use audit::{Audit, AuditError, Filter, Kind, Loans, Outcome};

use crate::world::{World, noon, permit, raw, start, try_start};

const PROMISED: Duration = Duration::from_secs(2);

/// What a call that is opened now is told, and that it is told in time.
async fn refused(audit: &Audit) -> Option<AuditError> {
    let started = Instant::now();
    let result = audit.open(permit("ann", "read", "{}"), noon()).await;
    assert!(started.elapsed() < PROMISED, "{:?}", started.elapsed());
    match result {
        Ok(entry) => {
            let loans = Loans::none(&entry);
            audit.close(entry, loans, Outcome::Cancelled, noon()).await.err()
        }
        Err(error) => Some(error.why),
    }
}

async fn recovers(audit: &Audit) {
    let started = Instant::now();
    while let Some(error) = refused(audit).await {
        assert!(started.elapsed() < Duration::from_secs(5), "still {error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(audit.healthy(), Ok(()));
}

fn outages(audit: &Audit) -> Vec<String> {
    let filter = Filter { kinds: vec![Kind::Event], limit: Some(1_000), ..Filter::default() };
    let events = audit.reader().unwrap().list(&filter).unwrap();
    let outage = |found: &audit::Found| found.record.detail.get("event").unwrap().as_str() == Some("log-outage");
    events.iter().filter(|found| outage(found)).map(|found| found.record.detail.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_disk_refuses_in_time_then_at_once_and_recovers() {
    let world = World::new();
    let running = world.entry("{}").await;
    let other = rusqlite::Connection::open(world.state.path().join("portcullis.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let started = Instant::now();
    assert_eq!(refused(&world.audit).await, Some(AuditError::Slow));
    assert!(started.elapsed() > Duration::from_secs(1), "it waits as long as it may");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(world.audit.healthy(), Err(AuditError::Slow));
    let started = Instant::now();
    assert_eq!(refused(&world.audit).await, Some(AuditError::Slow));
    assert!(started.elapsed() < Duration::from_millis(200), "later callers do not wait");
    // What ends a running call waits for the disk, and is withheld if it waits in vain.
    let loans = Loans::none(&running);
    let id = running.call().id().clone();
    let withheld = world.audit.close(running, loans, Outcome::Answered(raw("{}")), noon()).await;
    assert_eq!(withheld.unwrap_err(), AuditError::Slow);
    other.execute_batch("ROLLBACK").unwrap();
    recovers(&world.audit).await;
    assert_eq!(outages(&world.audit).len(), 1);
    // The answer was withheld: the record says that nobody was told how the call ended, or that the answer was withheld.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let life = world.audit.reader().unwrap().show(id.as_str()).unwrap();
    let outcomes: Vec<_> = life.records.iter().filter(|found| found.record.kind == Kind::Outcome).collect();
    assert_eq!(outcomes.len(), 1);
    let withheld = Filter { text: Some("answer-withheld".to_owned()), ..Filter::default() };
    let withheld = !world.audit.reader().unwrap().list(&withheld).unwrap().is_empty();
    assert!(outcomes[0].record.detail.get("outcome").unwrap().as_str() == Some("interrupted") || withheld);
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_database_is_noticed_and_its_return_too() {
    for name in ["portcullis.db", "portcullis.db-wal"] {
        let world = World::new();
        let (path, aside) = (world.state.path().join(name), world.state.path().join("aside"));
        fs::rename(&path, &aside).unwrap();
        assert_eq!(refused(&world.audit).await, Some(AuditError::Gone), "{name}");
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(refused(&world.audit).await, Some(AuditError::Gone), "{name}");
        fs::rename(&aside, &path).unwrap();
        recovers(&world.audit).await;
        assert_eq!(outages(&world.audit).len(), 1);
        world.verify().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_database_is_noticed_without_any_call() {
    let world = World::new();
    fs::remove_file(world.state.path().join("portcullis.db")).unwrap();
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(world.audit.healthy(), Err(AuditError::Gone));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_file_in_the_databases_place_is_refused_and_the_same_log_is_accepted() {
    let (world, stranger) = (World::new(), World::new());
    drop(world.call("{}", "{}").await);
    drop(stranger.call("{}", "{}").await);
    assert!(stranger.audit.stop().await);
    let (state, aside) = (world.state.path(), tempfile::tempdir_in(world.state.path()).unwrap());
    let names = ["portcullis.db", "portcullis.db-wal"];
    for name in names {
        fs::rename(state.join(name), aside.path().join(name)).unwrap();
    }
    fs::copy(stranger.state.path().join("portcullis.db"), state.join("portcullis.db")).unwrap();
    assert_eq!(refused(&world.audit).await, Some(AuditError::Replaced));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(refused(&world.audit).await, Some(AuditError::Replaced));
    // A copy of our own log, as a restored backup is: other files, the same last record.
    fs::remove_file(state.join("portcullis.db")).unwrap();
    for name in names {
        fs::copy(aside.path().join(name), state.join(name)).unwrap();
    }
    recovers(&world.audit).await;
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_of_the_log_is_refused() {
    let world = World::new();
    drop(world.call("{}", "{}").await);
    let older = tempfile::tempdir().unwrap();
    for name in ["portcullis.db", "portcullis.db-wal"] {
        fs::copy(world.state.path().join(name), older.path().join(name)).unwrap();
    }
    drop(world.call("{}", "{}").await);
    for name in ["portcullis.db", "portcullis.db-wal"] {
        let path = world.state.path().join(name);
        fs::remove_file(&path).unwrap();
        fs::copy(older.path().join(name), &path).unwrap();
    }
    assert_eq!(refused(&world.audit).await, Some(AuditError::Replaced));
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(refused(&world.audit).await, Some(AuditError::Replaced));
}

const MOUNT: &str = "PORTCULLIS_TEST_MOUNTS_AT";

/// Runs one of the tests below again in a mount namespace of its own, with a small file system at a folder. False where the
/// system does not allow that.
#[expect(clippy::disallowed_methods, reason = "only another process can have another mount namespace")]
fn in_small_file_system(test: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let unshare = |flags: &str, run: &[&str]| {
        Command::new("unshare")
            .arg(flags)
            .args(["--propagation", "private"])
            .args(run)
            .env(MOUNT, folder.path())
            .status()
    };
    let Some(flags) =
        ["-m", "-rm"].into_iter().find(|flags| unshare(flags, &["true"]).is_ok_and(|status| status.success()))
    else {
        println!("not run: this system gives no mount namespace");
        return false;
    };
    let exe = std::env::current_exe().unwrap();
    let status = unshare(flags, &[exe.to_str().unwrap(), test, "--exact", "--nocapture"]).unwrap();
    assert!(status.success(), "{test} failed in its namespace");
    true
}

#[expect(clippy::disallowed_methods, reason = "mounting is what is tested")]
fn mount(options: &[&str], at: &Path) {
    assert!(Command::new("mount").args(options).arg(at).status().unwrap().success());
}

/// Fills the disk to the last byte.
fn fill(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    for size in [1 << 16, 4_096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

#[test]
fn a_full_disk_refuses_calls_lets_running_ones_end_and_recovers() {
    let Some(folder) = std::env::var_os(MOUNT) else {
        in_small_file_system("disk::a_full_disk_refuses_calls_lets_running_ones_end_and_recovers");
        return;
    };
    let folder = Path::new(&folder);
    mount(&["-t", "tmpfs", "-o", "size=8m", "tmpfs"], folder);
    let state = folder.join("state");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (audit, _) = start(&state);
        assert_eq!(refused(&audit).await, None);
        let running = audit.open(permit("ann", "read", "{}"), noon()).await.unwrap();
        fill(&folder.join("filler"));
        // What the write-ahead log has room for still fits.
        let started = Instant::now();
        let error = loop {
            if let Some(error) = refused(&audit).await {
                break error;
            }
            assert!(started.elapsed() < Duration::from_mins(1));
        };
        assert_eq!(error, AuditError::Full);
        assert_eq!(audit.healthy(), Err(AuditError::Full));
        assert_eq!(refused(&audit).await, Some(AuditError::Full));
        // The reserve has room for the end of what runs.
        let (id, loans) = (running.call().id().clone(), Loans::none(&running));
        let receipt = audit.close(running, loans, Outcome::Answered(raw(r#"{"text":"done"}"#)), noon()).await.unwrap();
        assert_eq!(receipt.call_id(), &id);
        assert_eq!(audit.healthy(), Err(AuditError::Full));
        audit::verify(&state).unwrap();
        fs::remove_file(folder.join("filler")).unwrap();
        recovers(&audit).await;
        assert!(
            outages(&audit)
                .iter()
                .any(|outage| outage.contains("\"fault\":\"full\"") && outage.contains("\"over\":true"))
        );
        assert!(audit.stop().await);
        audit::verify(&state).unwrap();
    });
}

#[test]
fn a_read_only_disk_starts_nothing_and_is_still_readable() {
    let Some(folder) = std::env::var_os(MOUNT) else {
        in_small_file_system("disk::a_read_only_disk_starts_nothing_and_is_still_readable");
        return;
    };
    let folder = Path::new(&folder);
    mount(&["-t", "tmpfs", "-o", "size=8m", "tmpfs"], folder);
    let state = folder.join("state");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (audit, _) = start(&state);
        assert_eq!(refused(&audit).await, None);
        assert!(audit.stop().await);
    });
    mount(&["-o", "remount,ro"], folder);
    assert!(matches!(try_start(&state), Err(audit::StartError::Folder { .. })));
    assert_eq!(audit::verify(&state).unwrap().records, 3);
    assert_eq!(audit::Reader::open(&state).unwrap().list(&Filter::default()).unwrap().len(), 3);
}
