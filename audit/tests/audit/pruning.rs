//! Records that a policy lets go are gone, a record says so, and all that is left still verifies and is proven, whoever
//! interrupts it or helps it along.

mod found;
mod interrupted;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use audit::assertion::PublicKey;
use audit::{
    Audit, Broken, Config, Credential, Event, FileKey, Filter, Gone, KeyType, Loans, Need, Outcome, ProveError,
    PruneError, Pruning, ShowError, Signer, Submission, Trusted, Verifier, VerifierKey, VerifyError, What,
};
use jiff::{SignedDuration, Timestamp};
use policies::approval::{Delegation, Hold, Step, Within};
use policies::decision::Verdict;
use policies::{AgentId, Hash, HoldId, OperatorId, Role};
use rusqlite::Connection;

use crate::world::{approve, decide, held, later, noon, random, raw, redactor};

const DAY: i64 = 24 * 3_600;

fn config(state: &Path, now: Timestamp) -> Config {
    Config::new(state, move || now).reserve(1 << 20)
}

fn start(state: &Path, now: Timestamp) -> Audit {
    Audit::start(config(state, now), redactor()).unwrap().0
}

fn pruning() -> Pruning {
    let (policy, by) = ("records are kept for a year".to_owned(), "uid 7".to_owned());
    Pruning { before: later(300 * DAY), policy, by, needed: Vec::new(), trial: false }
}

fn prune(state: &Path) -> Result<Gone, PruneError> {
    audit::prune(&config(state, later(400 * DAY)), &pruning())
}

async fn call(audit: &Audit, arguments: &str, at: Timestamp) -> u64 {
    let Verdict::Allow(permit) = decide(crate::world::call("ann", "read", arguments), at) else {
        panic!("not allowed")
    };
    let entry = audit.open(permit, at).await.unwrap();
    let loans = Loans::none(&entry);
    audit.close(entry, loans, Outcome::Answered(raw("{}")), at).await.unwrap().seq()
}

async fn hold(audit: &Audit, at: Timestamp) -> Hold {
    let held = held("ann", "delete", "{}");
    let hold = Hold::open(HoldId::from_random(random()), &held, 1, at);
    audit.hold(&held, hold.clone(), at).await.unwrap();
    hold
}

fn agent(name: &str) -> Event {
    Event::AgentAdded { name: AgentId::authenticated(name), token: Hash::of(name.as_bytes()), expires: None, by: None }
}

/// A log of 603 records that are old, and some that are not; its key.
async fn old_log(state: &Path) -> VerifierKey {
    let audit = start(state, noon());
    audit.note(agent("ann"), noon()).await.unwrap();
    let ended = hold(&audit, noon()).await;
    let denied = Step::Deny { by: OperatorId::authenticated("olga"), reason: "no".to_owned() };
    audit.step(ended.id().clone(), denied, noon()).await.unwrap();
    for number in 0..300 {
        call(&audit, &format!(r#"{{"note":"quavernote{number}."}}"#), noon()).await;
    }
    assert!(audit.stop().await);
    let audit = start(state, later(399 * DAY));
    audit.note(agent("bob"), later(399 * DAY)).await.unwrap();
    for number in 0..5 {
        call(&audit, &format!(r#"{{"note":"youngnote{number}."}}"#), later(399 * DAY)).await;
    }
    assert!(audit.stop().await);
    audit::log_key(state).unwrap()
}

fn count(state: &Path, sql: &str) -> i64 {
    Connection::open(state.join("portcullis.db")).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

fn holds_text(state: &Path, text: &str) -> bool {
    let files = fs::read_dir(state).unwrap().map(|file| file.unwrap().path()).filter(|path| path.is_file());
    files.map(|path| fs::read(path).unwrap()).any(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
}

fn with(key: &VerifierKey) -> Trusted {
    Trusted { key: Some(key.clone()), checkpoint: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn passkeys_and_delegations_outlive_the_records_that_made_them() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let audit = start(state, noon());
    let [ann, bob] = ["ann", "bob"].map(OperatorId::authenticated);
    for name in [&ann, &bob] {
        let pin = Verifier::new(format!("pin of {name}"));
        let event = Event::OperatorAdded { name: name.clone(), role: Role::Operator, uid: None, pin, by: None };
        audit.note(event, noon()).await.unwrap();
    }
    let passkey = Event::PasskeyAdded {
        name: ann.clone(),
        credential: Credential::new(vec![1; 32]).unwrap(),
        label: "laptop".to_owned(),
        site: "localhost".to_owned(),
        public_key: PublicKey::es256(&[1; 32], &[2; 32]).unwrap(),
        counter: 3,
        by: Some(ann.clone()),
    };
    audit.note(passkey, noon()).await.unwrap();
    let (people, week) = ((ann.clone(), bob), SignedDuration::from_hours(7 * 24));
    let lent = Delegation::new(people, Within::default(), week, "on holiday".to_owned(), noon()).unwrap();
    audit.note(Event::DelegationMade { delegation: Box::new(lent), proof: None }, noon()).await.unwrap();
    for _ in 0..300 {
        call(&audit, "{}", noon()).await;
    }
    assert!(audit.stop().await);
    assert_eq!(prune(state).unwrap().to, 512);
    audit::verify(state).unwrap();
    let audit = start(state, later(401 * DAY));
    assert_eq!((audit.passkeys(&ann).len(), audit.delegations().len()), (1, 1));
    assert!(audit.stop().await);
    audit::verify(state).unwrap();
    for (table, what) in [("passkey", "passkey"), ("delegation", "delegation")] {
        let db = Connection::open(state.join("portcullis.db")).unwrap();
        db.execute_batch(&format!("CREATE TEMP TABLE kept AS SELECT * FROM {table}; DELETE FROM {table};")).unwrap();
        let Err(VerifyError::Broken(Broken { what: What::Projection(named), .. })) = audit::verify(state) else {
            panic!("a {table} that is gone is not missed")
        };
        assert_eq!(named, what);
        db.execute_batch(&format!("INSERT INTO {table} SELECT * FROM kept; DROP TABLE kept;")).unwrap();
    }
    audit::verify(state).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pruned_is_gone_and_all_that_is_left_verifies_and_is_proven() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let key = old_log(state).await;
    let before = audit::verify(state).unwrap();
    let [old, young] = [5, 600].map(|seq| audit::prove(state, seq, None).unwrap());
    let trial = Pruning { trial: true, ..pruning() };
    let told = audit::prune(&config(state, later(400 * DAY)), &trial).unwrap();
    assert_eq!((told.from, told.to, told.record), (1, 512, None));
    assert_eq!(audit::verify(state).unwrap(), before, "a trial removes nothing");

    let gone = prune(state).unwrap();
    let record = before.records + 1;
    assert_eq!(gone, Gone { from: 1, to: 512, record: Some(record), whole: true });
    assert_eq!(count(state, "SELECT MIN(seq) FROM entry"), 513);
    assert_eq!(count(state, "SELECT count(*) FROM tile WHERE level = 0 AND place < 2"), 0);
    assert_eq!(count(state, "SELECT count(*) FROM hold"), 0, "a hold that ended goes with its records");
    // Of each record that went, to the byte; call n has the records 5 + 2n and 6 + 2n.
    let left: Vec<u32> = (0..300).filter(|n| holds_text(state, &format!("quavernote{n}."))).collect();
    assert_eq!(left, (254..300).collect::<Vec<_>>());
    let verified = audit::verify_with(state, &with(&key)).unwrap();
    assert_eq!((verified.records, verified.pruned, verified.first), (record, 512, before.first));
    assert!(audit::verify_with(state, &Trusted { key: None, checkpoint: before.signed.map(|(kept, _)| kept) }).is_ok());

    // Proofs of before still hold, and so do new ones; of what is gone there is none, and it says why.
    for proof in [old, young, audit::prove(state, 600, None).unwrap(), audit::prove(state, 513, None).unwrap()] {
        proof.check(&key, &[]).unwrap();
    }
    let ProveError::Pruned { seq: 5, missing } = audit::prove(state, 5, None).unwrap_err() else {
        panic!("not pruned")
    };
    assert_eq!((missing.minimum, missing.record, missing.at), (512, record, later(400 * DAY)));
    let reader = audit::Reader::open(state).unwrap();
    assert!(matches!(reader.show("512"), Err(ShowError::Pruned { seq: 512, .. })));
    let said = reader.show(&record.to_string()).unwrap().records.remove(0).record;
    let text = |name: &str| said.detail.get(name).unwrap().as_str().unwrap().to_owned();
    assert_eq!([text("event"), text("policy"), text("by")], ["records-pruned", "records are kept for a year", "uid 7"]);
    // Whoever passes the log on begins with what is left, and what is missing in between is not passed over.
    let first = |after| reader.leaves(after, 1, usize::MAX).map(|leaves| leaves[0].found.record.seq).ok();
    assert_eq!([first(0), first(512), first(100)], [Some(513), Some(513), None]);
    drop(reader);

    // The gateway goes on, knows whom it knew, and its index begins where the records do.
    let audit = start(state, later(401 * DAY));
    assert_eq!(audit.agents().len(), 2);
    call(&audit, r#"{"note":"newnote."}"#, later(401 * DAY)).await;
    let search = |text: &str| {
        let filter = Filter { text: Some(text.to_owned()), ..Filter::default() };
        audit.reader().unwrap().list(&filter).unwrap().len()
    };
    for _ in 0..600 {
        if audit.reader().unwrap().searchable() >= record + 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(audit.reader().unwrap().searchable() >= record + 2, "the index is made");
    assert_eq!(["newnote", "youngnote3", "quavernote299", "quavernote7"].map(search), [1, 1, 1, 0]);
    assert!(audit.stop().await);
    audit::verify_with(state, &with(&key)).unwrap();
    // Once more, as time goes on: the pruning before is a record that can go.
    let nothing = prune(state).unwrap();
    assert_eq!((nothing.from, nothing.to, nothing.record), (513, 512, None));
    let audit = start(state, later(401 * DAY));
    for _ in 0..200 {
        call(&audit, "{}", later(401 * DAY)).await;
    }
    assert!(audit.stop().await);
    let all = Pruning { before: later(500 * DAY), ..pruning() };
    let more = audit::prune(&config(state, later(501 * DAY)), &all).unwrap();
    assert!(more.from == 513 && more.to > record && more.to.is_multiple_of(256), "{more:?}");
    assert_eq!(audit::verify_with(state, &with(&key)).unwrap().pruned, more.to);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_something_needs_is_not_pruned_and_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let audit = start(state, noon());
    let open = hold(&audit, noon()).await;
    for _ in 0..150 {
        call(&audit, "{}", noon()).await;
    }
    assert!(audit.stop().await);
    let why = |state: &Path, pruning: &Pruning| match audit::prune(&config(state, later(400 * DAY)), pruning) {
        Err(PruneError::Needed(need)) => need,
        other => panic!("{other:?}"),
    };
    assert_eq!(why(state, &pruning()), Need { what: format!("the open hold {}", open.id()), after: 1 });
    let audit = start(state, noon());
    audit.step(open.id().clone(), approve("olga"), noon()).await.unwrap();
    assert!(matches!(prune(state), Err(PruneError::Start(audit::StartError::Locked(_)))), "a gateway runs");
    assert!(audit.stop().await);
    // An approved hold is open until it is used, or its time is over.
    assert_eq!(why(state, &pruning()).after, 1);
    let audit = start(state, noon());
    audit.step(open.id().clone(), Step::Expire, later(30 * DAY)).await.unwrap();
    assert!(audit.stop().await);
    let needed = vec![Need { what: "the exporter `siem`".to_owned(), after: 255 }];
    let behind = Pruning { needed: needed.clone(), ..pruning() };
    assert_eq!(why(state, &behind), needed[0]);
    let records = audit::verify(state).unwrap().records;
    assert_eq!(audit::verify(state).unwrap().pruned, 0);
    let behind = Pruning { needed: vec![Need { after: 256, ..needed[0].clone() }], ..pruning() };
    let gone = audit::prune(&config(state, later(400 * DAY)), &behind).unwrap();
    assert_eq!((gone.to, gone.record), (256, Some(records + 1)));
    audit::verify(state).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn exported_tiles_of_a_pruned_log_say_where_they_begin_and_prove_it() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (state, to) = (folder.path(), out.path());
    let key = old_log(state).await;
    prune(state).unwrap();
    let exported = audit::export(state, to).unwrap();
    assert!(!to.join("tile/entries/000").exists() && !to.join("tile/0/001").exists());
    assert!(to.join("tile/entries/002.p").exists());
    let verify = || audit::verify_tiles(to, &key, &Trusted::default());
    let verified = verify().unwrap();
    assert_eq!((verified.records, verified.pruned), (exported.checkpoint.size, 512));
    let proof = to.join("pruned.tlog-proof");
    let text = fs::read_to_string(&proof).unwrap();
    let shown = audit::Proof::parse(&text).unwrap().check(&key, &[]).unwrap().record;
    assert_eq!(shown.fields.keys().collect::<Vec<_>>(), ["detail.before", "detail.event", "detail.to", "kind"]);
    assert_eq!(shown.fields["kind"].as_str(), Some("event"));
    fs::remove_file(&proof).unwrap();
    assert!(verify().is_err(), "what is missing without a proof is missing");
    let other = audit::prove(state, 600, None).unwrap().to_string();
    for wrong in [other, text.replace("extra ey", "extra ez"), String::new()] {
        fs::write(&proof, &wrong).unwrap();
        match verify() {
            Err(VerifyError::Broken(broken)) => assert_eq!(broken.what, What::Pruned),
            other => panic!("{other:?}"),
        }
    }
    // The record of another log's pruning is not in this one.
    let elsewhere = tempfile::tempdir().unwrap();
    old_log(elsewhere.path()).await;
    prune(elsewhere.path()).unwrap();
    let theirs = tempfile::tempdir().unwrap();
    audit::export(elsewhere.path(), theirs.path()).unwrap();
    fs::copy(theirs.path().join("pruned.tlog-proof"), &proof).unwrap();
    assert!(matches!(verify(), Err(VerifyError::Broken(Broken { what: What::Pruned, .. }))));
    fs::write(&proof, text).unwrap();
    verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_implementation_accepts_proofs_of_what_a_pruning_left() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    old_log(state).await;
    let before = tempfile::tempdir().unwrap();
    audit::export(state, before.path()).unwrap();
    prune(state).unwrap();
    crate::oracles::accept_what_is_left(state, before.path(), 512);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pruned_log_is_backed_up_and_restored() {
    let folder = tempfile::tempdir().unwrap();
    let (state, copy, again) = (folder.path().join("s"), folder.path().join("copy"), folder.path().join("again"));
    old_log(&state).await;
    prune(&state).unwrap();
    let listing = audit::backup(&state, &copy, true, noon(), &mut |_| true).unwrap();
    assert_eq!(audit::verify(&copy).unwrap().pruned, 512);
    let order = audit::Order {
        from: &copy,
        config: config(&again, later(401 * DAY)),
        aside: false,
        revoke_agents: false,
        trusted: Trusted::default(),
        reason: "the disk died",
    };
    audit::restore(&order, &mut |_| true).unwrap();
    let audit = start(&again, later(401 * DAY));
    assert_eq!(audit.agents().len(), 2);
    assert!(audit.stop().await);
    let verified = audit::verify(&again).unwrap();
    assert_eq!(verified.pruned, 512);
    assert!(verified.records > listing.records);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_changed_before_the_minimum_still_leads_to_the_one_that_signs() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let audit = start(state, noon());
    assert!(audit.stop().await);
    let first = audit::log_key(state).unwrap();
    let second = audit::rotate_key(&config(state, noon())).unwrap().now;
    let stranger = FileKey::make(&state.join("stranger"), "portcullis/stranger", KeyType::Log).unwrap();
    old_log(state).await;
    prune(state).unwrap();
    for key in [&first, &second] {
        audit::verify_with(state, &with(key)).unwrap();
    }
    assert!(audit::verify_with(state, &with(stranger.verifier())).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_were_erased_before_their_records_went_are_still_accounted_for() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    old_log(state).await;
    let erasing = |now: Timestamp, to: u64| async move {
        let keep = Some(jiff::SignedDuration::from_hours(24 * 90));
        let audit = Audit::start(config(state, now).bodies(keep), redactor()).unwrap().0;
        for _ in 0..600 {
            // While bodies go, the index may be of a moment before.
            if audit::verify(state).is_ok_and(|verified| verified.erased >= to) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(audit.stop().await);
        assert!(audit::verify(state).unwrap().erased >= to);
    };
    erasing(later(400 * DAY), 600).await;
    prune(state).unwrap();
    assert_eq!(audit::verify(state).unwrap().pruned, 512);
    // And those of records that stayed, later.
    erasing(later(500 * DAY), 614).await;
    let all = Pruning { before: later(450 * DAY), ..pruning() };
    let more = audit::prune(&config(state, later(500 * DAY)), &all).unwrap();
    assert!(more.to == 512, "too few of them for a tile: {more:?}");
    audit::verify(state).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_goes_on_with_a_pruned_log() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let key = old_log(state).await;
    let witness = crate::witness::Elsewhere::new(&[key]);
    witness.submit(state).unwrap();
    prune(state).unwrap();
    witness.submit(state).unwrap();
    // From sizes at or after the minimum there is a proof; before, where tiles stand for it, and nowhere else.
    let submission = Submission::newest(state).unwrap();
    for (old, there) in [(512, true), (513, true), (600, true), (256, true), (300, false)] {
        assert_eq!(submission.body(state, old).is_ok(), there, "{old}");
    }
}
