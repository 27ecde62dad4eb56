//! What is owed is paid, over a real log, by a backend that can be down.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use audit::Redactor;
use futures_util::future::{BoxFuture, ready};
use jiff::Timestamp;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use crate::backend::{Backend, Fetched, Revoke, Store};

/// Knows which leases are out.
#[derive(Default)]
struct Landlord {
    out: Mutex<BTreeSet<String>>,
    down: AtomicBool,
}

impl Backend for Landlord {
    fn fetch<'a>(&'a self, _path: &'a str, _deadline: Instant) -> BoxFuture<'a, Result<Fetched, BackendError>> {
        Box::pin(ready(Err(BackendError::Missing)))
    }
}

impl Revoke for Landlord {
    fn revoke<'a>(&'a self, lease: &'a str, _deadline: Instant) -> BoxFuture<'a, Result<(), BackendError>> {
        if self.down.load(Ordering::SeqCst) {
            return Box::pin(ready(Err(BackendError::Late)));
        }
        lock(&self.out).remove(lease);
        Box::pin(ready(Ok(())))
    }
}

struct World {
    folder: TempDir,
    landlord: Arc<Landlord>,
    audit: Audit,
    outbox: Arc<Outbox>,
}

fn log(folder: &Path) -> Audit {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    let config = audit::Config::new(folder, || Timestamp::UNIX_EPOCH);
    Audit::start(config, Arc::new(Redactor::new(&[7; 32]))).unwrap().0
}

fn outbox(landlord: &Arc<Landlord>, audit: &Audit) -> Arc<Outbox> {
    let backend = Arc::clone(landlord) as Arc<dyn Backend>;
    let store = Store { backend, revoke: Some(Arc::clone(landlord) as Arc<dyn Revoke>) };
    Outbox::new(Arc::new(Stores::from([("team".to_owned(), store)])), audit.clone(), || Timestamp::UNIX_EPOCH)
}

impl World {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (landlord, audit) = (Arc::default(), log(folder.path()));
        let outbox = outbox(&landlord, &audit);
        Self { folder, landlord, audit, outbox }
    }

    async fn take(&self, lease: &str) -> Borrowed {
        lock(&self.landlord.out).insert(lease.to_owned());
        self.outbox.take("team", lease.to_owned(), 1).await.unwrap()
    }

    fn owes_nothing(&self) -> bool {
        self.audit.borrowed().is_empty() && lock(&self.landlord.out).is_empty()
    }

    /// Until the outbox has nothing left to do.
    async fn settled(&self) {
        let (tasks, halt) = (TaskTracker::new(), CancellationToken::new());
        let running = Arc::clone(&self.outbox).run();
        let until = halt.clone();
        tasks.spawn(async move { until.run_until_cancelled(running).await });
        tokio::time::timeout(Duration::from_secs(30), async {
            while !self.owes_nothing() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap();
        halt.cancel();
        tasks.close();
        tasks.wait().await;
    }
}

#[tokio::test]
async fn what_was_made_for_a_call_is_revoked_when_the_call_ends() {
    let world = World::start();
    let borrowed = world.take("one").await;
    assert_eq!(world.audit.borrowed().len(), 1, "it is recorded before it is used");
    borrowed.give_back().await;
    assert!(world.owes_nothing());
    audit::verify(world.folder.path()).unwrap();
}

#[tokio::test]
async fn what_was_made_for_a_call_that_was_dropped_is_revoked() {
    let world = World::start();
    drop(world.take("one").await);
    world.settled().await;
}

#[tokio::test]
async fn what_a_running_call_holds_is_not_revoked_by_the_outbox() {
    let world = World::start();
    let (kept, dropped) = (world.take("kept").await, world.take("dropped").await);
    drop(dropped);
    assert!(world.outbox.sweep().await);
    assert_eq!(*lock(&world.landlord.out), BTreeSet::from(["kept".to_owned()]));
    kept.give_back().await;
    assert!(world.owes_nothing());
}

#[tokio::test]
async fn what_cannot_be_revoked_now_is_revoked_when_the_backend_is_back() {
    let world = World::start();
    let borrowed = world.take("one").await;
    world.landlord.down.store(true, Ordering::SeqCst);
    borrowed.give_back().await;
    assert!(!world.outbox.sweep().await);
    assert_eq!(world.audit.borrowed().len(), 1, "it stays recorded until the backend has it back");
    world.landlord.down.store(false, Ordering::SeqCst);
    world.settled().await;
}

#[tokio::test]
async fn what_a_crash_left_is_revoked_at_the_start() {
    let mut world = World::start();
    std::mem::forget(world.take("one").await);
    assert!(world.audit.stop().await);
    world.audit = log(world.folder.path());
    world.outbox = outbox(&world.landlord, &world.audit);
    assert_eq!(world.audit.borrowed().len(), 1);
    world.settled().await;
    audit::verify(world.folder.path()).unwrap();
}
