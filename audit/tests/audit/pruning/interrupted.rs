//! A pruning that is stopped at any moment, by a crash or by a key that does not answer, ends as it was begun.

use super::*;

/// Signs as long as it is told to.
struct Fickle {
    key: FileKey,
    willing: AtomicBool,
}

impl Signer for Fickle {
    fn verifier(&self) -> &VerifierKey {
        self.key.verifier()
    }

    fn sign(&self, message: &[u8]) -> io::Result<[u8; 64]> {
        if self.willing.load(Ordering::Relaxed) { self.key.sign(message) } else { Err(io::Error::other("it sulks")) }
    }
}

/// A log of old records whose key is kept elsewhere, and sulks when it is told to.
async fn sulking(folder: &Path) -> (Config, Arc<Fickle>) {
    old_log(folder).await;
    let key = FileKey::make(&folder.join("elsewhere.key"), "portcullis/elsewhere", KeyType::Log).unwrap();
    let fickle = Arc::new(Fickle { key, willing: AtomicBool::new(true) });
    let config = config(folder, later(400 * DAY)).signer(Some(fickle.clone()));
    audit::rotate_key(&config).unwrap();
    (config, fickle)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_before_its_record_is_signed_and_a_start_goes_on_where_a_crash_left_it() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let (config, fickle) = sulking(state).await;
    let before = audit::verify(state).unwrap();
    fs::copy(state.join("portcullis.db"), state.join("before.db")).unwrap();
    fickle.willing.store(false, Ordering::Relaxed);
    let refused = audit::prune(&config, &pruning());
    assert!(matches!(refused, Err(PruneError::Start(audit::StartError::NoSignature(_)))), "{refused:?}");
    assert_eq!(audit::verify(state).unwrap(), before, "no record of it, and nothing is gone");
    fickle.willing.store(true, Ordering::Relaxed);
    let gone = audit::prune(&config, &pruning()).unwrap();
    assert_eq!((gone.to, gone.whole, gone.record), (512, true, Some(before.records + 1)));

    // As a crash leaves it right after the record, whose transaction is signed: all of the rest is there.
    let there = format!(
        "ATTACH '{}' AS old; INSERT INTO entry SELECT * FROM old.entry WHERE seq <= 512;
         INSERT INTO tile SELECT * FROM old.tile WHERE level = 0 AND place < 2;
         UPDATE pruned SET done = 0, chain = zeroblob(32);",
        state.join("before.db").display()
    );
    Connection::open(state.join("portcullis.db")).unwrap().execute_batch(&there).unwrap();
    assert_eq!(count(state, "SELECT MIN(seq) FROM entry"), 1);
    assert_eq!(audit::verify(state).unwrap().pruned, 512);
    let database = fs::read(state.join("portcullis.db")).unwrap();

    // As a crash between two batches leaves it: the index went before the first of them.
    drop(fs::remove_file(state.join("search.db")));
    let batch = "BEGIN; UPDATE pruned SET done = 256, chain = (SELECT chain FROM entry WHERE seq = 256);
        DELETE FROM entry WHERE seq <= 256; DELETE FROM tile WHERE level = 0 AND place < 1; COMMIT;";
    let change = |sql: &str| {
        fs::write(state.join("portcullis.db"), &database).unwrap();
        Connection::open(state.join("portcullis.db")).unwrap().execute_batch(&format!("{batch} {sql}")).unwrap();
        audit::verify(state)
    };
    for slipped in [
        "UPDATE entry SET record = (SELECT record FROM entry WHERE seq = 300) WHERE seq = 257",
        "UPDATE pruned SET chain = zeroblob(32)",
        "UPDATE entry SET agent = NULL WHERE seq = 400",
        "UPDATE tile SET hashes = zeroblob(8192) WHERE level = 0 AND place = 1",
    ] {
        assert!(change(slipped).is_err(), "{slipped}");
    }
    assert_eq!(change("").unwrap().pruned, 512);
    let audit = Audit::start(config, redactor()).unwrap().0;
    assert!(audit.stop().await);
    assert_eq!(count(state, "SELECT MIN(seq) FROM entry"), 513);
    assert_eq!(audit::verify(state).unwrap().pruned, 512);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_erased_after_a_pruning_was_begun_are_all_accounted_for() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let (config, fickle) = sulking(state).await;
    let last = audit::verify(state).unwrap().records;
    fickle.willing.store(false, Ordering::Relaxed);
    // Were it left to the next start, bodies of records that count no more would be counted among those that were erased.
    drop(audit::prune(&config, &pruning()));
    fickle.willing.store(true, Ordering::Relaxed);
    let keep = Some(SignedDuration::from_hours(24 * 90));
    let audit = Audit::start(config.clone().bodies(keep), redactor()).unwrap().0;
    let began = std::time::Instant::now();
    while count(state, "SELECT COALESCE(MAX(bodies), 0) FROM erased") < 600 {
        assert!(began.elapsed() < Duration::from_mins(1), "nothing is erased");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(audit.stop().await);
    let verified = audit::verify(state).unwrap();
    assert!((600..=last).contains(&verified.erased), "{verified:?}");
    assert_eq!(audit::prune(&config, &pruning()).unwrap().to, 512);
    audit::verify(state).unwrap();
}

const CHILD: &str = "PORTCULLIS_TEST_PRUNES_IN";

#[test]
fn kill_9_at_any_moment_of_a_pruning_leaves_a_log_that_verifies_and_the_next_start_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let log = folder.path().join("log");
    runtime.block_on(async {
        let audit = start(&log, noon());
        for _ in 0..3_500 {
            audit.note(agent("ann"), noon()).await.unwrap();
        }
        assert!(audit.stop().await);
    });
    let key = audit::log_key(&log).unwrap();
    for number in 0..24_u64 {
        let state = folder.path().join(number.to_string());
        fs::create_dir(&state).unwrap();
        for file in fs::read_dir(&log).unwrap().map(|file| file.unwrap()) {
            fs::copy(file.path(), state.join(file.file_name())).unwrap();
        }
        let mut child = child(&state);
        std::thread::sleep(Duration::from_millis(number * 12));
        child.kill().unwrap();
        child.wait().unwrap();
        let verified = audit::verify_with(&state, &with(&key)).unwrap();
        let minimum = verified.pruned;
        assert!(minimum == 0 || minimum == 3_328, "{minimum}");
        runtime.block_on(async { assert!(start(&state, later(400 * DAY)).stop().await) });
        // Not signed when it was killed, it is signed now.
        runtime.block_on(async { assert!(start(&state, later(400 * DAY)).stop().await) });
        assert_eq!(count(&state, "SELECT MIN(seq) FROM entry"), i64::try_from(minimum).unwrap() + 1);
        assert_eq!(prune(&state).unwrap().to, 3_328);
        audit::verify_with(&state, &with(&key)).unwrap();
        fs::remove_dir_all(&state).unwrap();
    }
}

#[expect(clippy::disallowed_methods, reason = "the process that is killed is this test, started again")]
fn child(state: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["pruning::prunes_until_it_is_killed", "--exact", "--nocapture"])
        .env(CHILD, state)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn prunes_until_it_is_killed() {
    let Some(state) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    prune(&state).unwrap();
}
