//! What is older than it may be kept is erased, to the byte, and nothing else; what is left still verifies and is proven.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use audit::{Audit, Broken, Config, Filter, Loans, Outcome, VerifyError, What};
use jiff::{SignedDuration, Timestamp};
use policies::decision::Verdict;
use rusqlite::Connection;

use crate::world::{call, decide, later, noon, raw, redactor};

const DAY: i64 = 24 * 3_600;

/// A clock that a test sets.
#[derive(Clone)]
struct Hands(Arc<AtomicI64>);

impl Hands {
    fn new(at: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(at.as_second())))
    }

    fn set(&self, at: Timestamp) {
        self.0.store(at.as_second(), Ordering::Relaxed);
    }
}

/// A log that keeps bodies for so many days, or for ever.
fn start(state: &Path, hands: &Hands, days: Option<i64>) -> Audit {
    let hands = hands.0.clone();
    let config = Config::new(state, move || Timestamp::from_second(hands.load(Ordering::Relaxed)).unwrap());
    let keep = days.map(|days| SignedDuration::from_hours(24 * days));
    Audit::start(config.reserve(1 << 20).bodies(keep), redactor()).unwrap().0
}

/// A call at this time; the number of its outcome.
async fn called(audit: &Audit, arguments: &str, result: &str, at: Timestamp) -> u64 {
    let Verdict::Allow(permit) = decide(call("ann", "read", arguments), at) else { panic!("not allowed") };
    let entry = audit.open(permit, at).await.unwrap();
    let loans = Loans::none(&entry);
    let receipt = audit.close(entry, loans, Outcome::Answered(raw(result)), at).await.unwrap();
    receipt.seq()
}

/// Which of the files that belong to the log hold this.
fn holding(state: &Path, text: &str) -> Vec<String> {
    let files = fs::read_dir(state).unwrap().map(|file| file.unwrap().path());
    let holds = |path: &std::path::PathBuf| {
        let bytes = fs::read(path).unwrap_or_default();
        memchr(&bytes, text.as_bytes())
    };
    files.filter(holds).map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

fn memchr(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

async fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn erased(state: &Path) -> u64 {
    audit::verify(state).unwrap().erased
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_old_is_erased_to_the_byte_and_all_that_is_left_verifies_and_is_proven() {
    let folder = tempfile::tempdir().unwrap();
    let (state, hands) = (folder.path(), Hands::new(noon()));
    let audit = start(state, &hands, None);
    let mut old = Vec::new();
    for number in 0..700 {
        // Some lie on pages of their own.
        let long = if number % 50 == 0 { "quaverlong ".repeat(3_000) } else { String::new() };
        let (arguments, result) =
            (format!(r#"{{"note":"quavernote{number}"}}"#), format!(r#"{{"text":"quavertext{number} {long}"}}"#));
        old.push(called(&audit, &arguments, &result, noon()).await);
    }
    let index = state.join("search.db");
    eventually("the index", || (index.exists() && audit::verify(state).is_ok()).then_some(())).await;
    // Open, so that no other file is given its number.
    let before = fs::File::open(&index).unwrap();
    let inode = before.metadata().unwrap().ino();
    assert!(!holding(state, "quavernote1").is_empty() && !holding(state, "quavertext699").is_empty());
    assert!(audit.stop().await);

    hands.set(later(100 * DAY));
    let audit = start(state, &hands, Some(90));
    let young = called(&audit, r#"{"note":"youngpath"}"#, r#"{"text":"youngtext"}"#, later(100 * DAY)).await;
    eventually("all bytes of it are gone", || {
        let left = ["quavernote", "quavertext", "quaverlong"].map(|word| holding(state, word));
        left.iter().all(Vec::is_empty).then_some(())
    })
    .await;
    // The index was made anew, without the words.
    eventually("another index", || fs::metadata(&index).ok().filter(|found| found.ino() != inode)).await;
    drop(before);
    eventually("the log and its index agree", || audit::verify(state).ok()).await;
    assert_eq!(erased(state), *old.last().unwrap());

    let reader = audit.reader().unwrap();
    let search = |text: &str| reader.list(&Filter { text: Some(text.to_owned()), ..Filter::default() }).unwrap().len();
    assert_eq!((search("quavertext3"), search("youngtext")), (0, 1));
    let found = reader.tail(old[3] - 1, 1).unwrap().remove(0);
    assert!(found.body.is_none() && found.record.body.unwrap().kept, "size and hash stay");
    let erasures = reader.list(&Filter { text: Some("bodies-erased".to_owned()), ..Filter::default() }).unwrap();
    let count = |name: &str| -> u64 {
        erasures.iter().map(|found| found.record.detail.get(name).unwrap().as_u64().unwrap()).sum()
    };
    assert!(erasures.len() > 1, "in batches");
    assert_eq!(count("count"), 1_400);
    assert!(count("bytes") > 14 * 30_000);

    let key = audit::log_key(state).unwrap();
    eventually("a checkpoint", || audit::prove(state, young, None).ok()).await;
    for (seq, lacks) in [(old[3], true), (young, false)] {
        let proof = audit::prove(state, seq, None).unwrap();
        assert_eq!(proof.lacks_body(), lacks, "{seq}");
        let proven = proof.check(&key, &[]).unwrap();
        assert_eq!(proven.record.body.is_none(), lacks);
        assert!(proven.record.fields["body"].get("sha256").is_some());
    }
    assert!(audit.stop().await);
    // A stop keeps it so, and so does the next start.
    let audit = start(state, &hands, Some(90));
    assert!(audit.stop().await);
    assert!(holding(state, "quaver").is_empty());
    audit::verify(state).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reviewer_who_reads_meanwhile_keeps_nobody_waiting_and_then_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (state, hands) = (folder.path(), Hands::new(noon()));
    let audit = start(state, &hands, None);
    for number in 0..20 {
        called(&audit, &format!(r#"{{"note":"quavernote{number}"}}"#), "{}", noon()).await;
    }
    assert!(audit.stop().await);
    hands.set(later(100 * DAY));
    // The reader's view is from before the erasure, and stays.
    let reader = Connection::open(state.join("portcullis.db")).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let bodies = "SELECT count(*) FROM entry WHERE CAST(body AS TEXT) LIKE '%quavernote%'";
    let seen = |reader: &Connection| reader.query_row(bodies, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(seen(&reader), 20);
    let audit = start(state, &hands, Some(90));
    eventually("the erasure", || (erased(state) > 0).then_some(())).await;
    for _ in 0..20 {
        called(&audit, "{}", "{}", later(100 * DAY)).await;
    }
    assert_eq!(seen(&reader), 20, "a reader sees one moment");
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(seen(&reader), 0);
    eventually("its bytes are gone", || holding(state, "quavernote").is_empty().then_some(())).await;
    assert!(audit.stop().await);
    audit::verify(state).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_while_the_clock_was_wrong_is_kept_until_a_later_record_is_old() {
    let folder = tempfile::tempdir().unwrap();
    let (state, hands) = (folder.path(), Hands::new(noon()));
    let audit = start(state, &hands, None);
    let old = called(&audit, r#"{"note":"old"}"#, "{}", noon()).await;
    // The clock is put back to 1970 and forward to 2099; then it is right again.
    called(&audit, r#"{"note":"backpath"}"#, "{}", Timestamp::from_second(1_000).unwrap()).await;
    called(&audit, r#"{"note":"futurepath"}"#, "{}", "2099-01-01T00:00:00Z".parse().unwrap()).await;
    assert!(audit.stop().await);
    hands.set(later(91 * DAY));
    let audit = start(state, &hands, Some(90));
    called(&audit, r#"{"note":"youngpath"}"#, "{}", later(91 * DAY)).await;
    eventually("the erasure", || (erased(state) > 0).then_some(())).await;
    assert_eq!(erased(state), old, "nobody knows how old the others are: only that they are no older than this");
    for word in ["backpath", "futurepath", "youngpath"] {
        assert!(!holding(state, word).is_empty(), "{word}");
    }
    assert!(audit.stop().await);
    // Once a later record is old, so are those before it.
    hands.set(later(200 * DAY));
    let audit = start(state, &hands, Some(90));
    eventually("the rest", || holding(state, "backpath").is_empty().then_some(())).await;
    assert!(audit.stop().await);
    audit::verify(state).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_no_record_tells_of_is_found_and_so_is_one_that_did_not_happen() {
    let folder = tempfile::tempdir().unwrap();
    let (state, hands) = (folder.path(), Hands::new(noon()));
    let audit = start(state, &hands, None);
    for number in 0..5 {
        called(&audit, &format!(r#"{{"note":"old{number}"}}"#), "{}", noon()).await;
    }
    assert!(audit.stop().await);
    hands.set(later(91 * DAY));
    let audit = start(state, &hands, Some(90));
    let young = called(&audit, r#"{"note":"young"}"#, "{}", later(91 * DAY)).await;
    eventually("the erasure", || (erased(state) > 0).then_some(())).await;
    assert!(audit.stop().await);
    let database = fs::read(state.join("portcullis.db")).unwrap();
    let changed = |sql: &str| {
        fs::write(state.join("portcullis.db"), &database).unwrap();
        let db = Connection::open(state.join("portcullis.db")).unwrap();
        db.execute_batch(sql).unwrap();
        drop(db);
        match audit::verify(state) {
            Err(VerifyError::Broken(Broken { seq, what })) => (seq, what),
            other => panic!("{sql}: {other:?}"),
        }
    };
    assert_eq!(changed("UPDATE entry SET body = CAST('{}' AS BLOB) WHERE seq = 2"), (2, What::Kept));
    assert_eq!(changed(&format!("UPDATE entry SET body = NULL WHERE seq = {young}")), (young, What::NoBody));
    // Whoever says in the table alone that more was erased:
    let more = format!("UPDATE entry SET body = NULL WHERE seq <= {young}; UPDATE erased SET bodies = {young}");
    let (_, what) = changed(&more);
    assert!(matches!(what, What::Projection(_)), "{what:?}");
    assert_eq!(changed("UPDATE erased SET bodies = 0"), (2, What::Body));
}
