//! `kill -9` at any moment: what was acknowledged is there, and nothing runs twice.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use audit::{Audit, Filter, Kind, Loans, Outcome, Verified};
use policies::approval::Hold;
use policies::{CallId, HoldId};
use tokio::task::JoinSet;

use crate::world::{approve, call_with, held_for, noon, permit_for, random, raw, start};

const CHILD: &str = "PORTCULLIS_TEST_APPENDS_IN";

#[test]
fn what_was_acknowledged_before_kill_9_is_there_and_nothing_ran_twice() {
    let state = tempfile::tempdir().unwrap();
    let mut acknowledged: BTreeMap<u64, (String, String)> = BTreeMap::new();
    // During the start and its recovery, at the first record, and at full speed.
    for after in [Moment::Time(40), Moment::Time(150), Moment::Time(400)]
        .into_iter()
        .chain([1, 2, 5, 20, 60, 120, 200].map(Moment::Records))
    {
        let said = append_and_kill(state.path(), after);
        for (seq, kind, call) in said {
            assert_eq!(acknowledged.insert(seq, (kind, call)), None, "number {seq} was given twice");
        }
        // Killed before there was a log at all.
        if acknowledged.is_empty()
            && matches!(audit::verify(state.path()), Err(audit::VerifyError::Read(audit::QueryError::Missing)))
        {
            continue;
        }
        let before = audit::verify(state.path()).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(check(state.path(), &acknowledged, &before));
    }
    assert!(acknowledged.len() > 100, "only {} records were acknowledged", acknowledged.len());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(crate::index::made_of_what_is_there(state.path()));
}

async fn check(state: &Path, acknowledged: &BTreeMap<u64, (String, String)>, before: &Verified) {
    let (audit, recovered) = start(state);
    let verified = audit::verify(state).unwrap();
    // Killed between the tables and the first record, the log is made now; and of what was not signed there is a record.
    let made = u64::from(before.records == 0) + u64::from(before.unsigned().is_some());
    assert_eq!(verified.records, before.records + made + u64::try_from(recovered.interrupted.len()).unwrap());
    if let Some((first, last)) = before.unsigned() {
        let said = audit.reader().unwrap().tail(last, 1).unwrap().remove(0).record.detail;
        assert_eq!(said.get("event").unwrap().as_str(), Some("log-continued"));
        let number = |name: &str| said.get(name).unwrap().as_u64().unwrap();
        assert_eq!((number("signed"), number("head")), (first - 1, last));
        assert_eq!(verified.continued.last(), Some(&(last + 1)));
    }
    let all = audit.reader().unwrap().list(&Filter { limit: Some(1_000_000), ..Filter::default() }).unwrap();
    let (mut intents, mut outcomes) = (BTreeMap::new(), BTreeMap::new());
    let mut found = BTreeMap::new();
    for one in all {
        let (record, call) = (one.record.clone(), one.record.call.map(|call| call.to_string()).unwrap_or_default());
        match record.kind {
            Kind::Intent => assert_eq!(intents.insert(call.clone(), record.seq), None, "{call} ran twice"),
            Kind::Outcome => assert_eq!(outcomes.insert(call.clone(), record.seq), None, "{call} ended twice"),
            Kind::Refusal | Kind::Hold | Kind::Step | Kind::Relay | Kind::Event => {}
        }
        found.insert(record.seq, (record.kind.as_str().to_owned(), call));
    }
    for (seq, said) in acknowledged {
        assert_eq!(found.get(seq), Some(said), "record {seq} was acknowledged");
    }
    assert_eq!(intents.keys().collect::<Vec<_>>(), outcomes.keys().collect::<Vec<_>>(), "every intent has its outcome");
    for hold in &recovered.holds {
        assert!(audit.held_call(hold.id()).is_ok(), "an open hold has its call");
    }
    assert!(audit.stop().await);
}

/// When the process is killed.
#[derive(Clone, Copy)]
enum Moment {
    /// So many milliseconds after its start.
    Time(u64),
    /// When it has acknowledged so many records.
    Records(usize),
}

fn append_and_kill(state: &Path, after: Moment) -> Vec<(u64, String, String)> {
    let mut child = child(state);
    let lines = BufReader::new(child.stdout.take().unwrap());
    let (sender, receiver) = std::sync::mpsc::channel::<Vec<u8>>();
    std::thread::spawn(move || lines.split(b'\n').map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let mut said: Vec<Vec<u8>> = Vec::new();
    match after {
        Moment::Time(milliseconds) => std::thread::sleep(Duration::from_millis(milliseconds)),
        Moment::Records(count) => {
            while said.iter().filter(|line| whole(line).is_some()).count() < count {
                said.push(receiver.recv_timeout(Duration::from_mins(1)).unwrap());
            }
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    said.extend(receiver);
    said.iter().filter_map(|line| whole(line)).collect()
}

fn whole(line: &[u8]) -> Option<(u64, String, String)> {
    parse(std::str::from_utf8(line).ok()?)
}

fn parse(line: &str) -> Option<(u64, String, String)> {
    // The mark at the end tells a whole line from one that the kill cut off.
    let mut words = line.strip_prefix("acknowledged ")?.strip_suffix(" .")?.split(' ');
    Some((words.next()?.parse().ok()?, words.next()?.to_owned(), words.next()?.to_owned()))
}

#[expect(clippy::disallowed_methods, reason = "the process that is killed is this test, started again")]
fn child(state: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["crash::appends_until_it_is_killed", "--exact", "--nocapture"])
        .env(CHILD, state)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn appends_until_it_is_killed() {
    let Some(state) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (audit, _) = start(&state);
        let mut tasks = JoinSet::new();
        for number in 0..8 {
            let audit = audit.clone();
            tasks.spawn(async move {
                loop {
                    if number % 2 == 0 { run(&audit).await } else { hold_and_run(&audit).await }
                }
            });
        }
        tasks.join_all().await;
    });
}

fn say(seq: u64, kind: &str, call: &CallId) {
    // One write: lines of several tasks do not mix.
    std::io::stdout().write_all(format!("acknowledged {seq} {kind} {call} .\n").as_bytes()).unwrap();
}

async fn run(audit: &Audit) {
    let permit = permit_for(call_with(CallId::from_random(random()), "ann", "read", "{}"));
    let entry = audit.open(permit, noon()).await.unwrap();
    say(entry.seq(), "intent", entry.call().id());
    let loans = Loans::none(&entry);
    let receipt = audit.close(entry, loans, Outcome::Answered(raw("{}")), noon()).await.unwrap();
    say(receipt.seq(), "outcome", receipt.call_id());
}

async fn hold_and_run(audit: &Audit) {
    let id = CallId::from_random(random());
    let held = held_for(call_with(id.clone(), "ann", "delete", "{}"));
    let hold = Hold::open(HoldId::from_random(random()), &held, 1, noon());
    audit.hold(&held, hold.clone(), noon()).await.unwrap();
    let approved = audit.step(hold.id().clone(), approve("olga"), noon()).await.unwrap();
    let permit = held.release(&approved.approved(noon()).unwrap(), noon()).unwrap();
    let entry = audit.open(permit, noon()).await.unwrap();
    say(entry.seq(), "intent", &id);
    let loans = Loans::none(&entry);
    let receipt = audit.close(entry, loans, Outcome::Cancelled, noon()).await.unwrap();
    say(receipt.seq(), "outcome", &id);
}
