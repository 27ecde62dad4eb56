//! `Writer`: the one thread that writes.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use serde_json::json;
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use super::files::{Files, Lock, Reserve};
use super::health::{AuditError, Fault};
use super::notary::Notary;
use super::pen::{Failed, Head, Names, Pen};
use super::recover;
use super::retention::{self, Retention, Turn};
use super::work::{Debt, Done, Job, NotDone, Reply, Work};
use super::{Clock, GROUP, Message, Shared, TICK, tables};
use crate::event::Event;
use crate::index::Feeder;
use crate::note::Note;
use crate::query;
use crate::record::{Draft, Kind};
use crate::tree::Tree;

/// Owns the database.
pub(crate) struct Writer {
    /// `None` after another file was found in its place, until the right one is back.
    db: Option<Connection>,
    names: Names,
    head: Head,
    tree: Tree,
    notary: Notary,
    files: Files,
    reserve: Reserve,
    shared: Arc<Shared>,
    clock: Clock,
    /// The latched fault, and since when.
    outage: Option<(Fault, Timestamp)>,
    patience: Duration,
    retention: Option<Retention>,
    /// The last record whose body was erased.
    erased: u64,
    _lock: Lock,
}

/// What [`Writer::new`] takes over from the start.
pub(crate) struct Opened {
    pub(crate) db: Connection,
    pub(crate) head: Head,
    pub(crate) tree: Tree,
    pub(crate) notary: Notary,
    pub(crate) lock: Lock,
    pub(crate) reserve: Reserve,
    pub(crate) clock: Clock,
    pub(crate) patience: Duration,
    /// How long bodies are kept.
    pub(crate) bodies: Option<SignedDuration>,
}

impl Writer {
    pub(crate) fn new(opened: Opened, shared: Arc<Shared>) -> io::Result<Self> {
        let Opened { db, head, tree, notary, lock, reserve, clock, patience, bodies } = opened;
        let files = Files::watch(&shared.state)?;
        let erased = retention::erased(&db).map_err(io::Error::other)?;
        let retention = bodies.map(|keep| Retention::new(keep, clock(), erased));
        let (db, names, outage) = (Some(db), Names::default(), None);
        Ok(Self {
            db,
            names,
            head,
            tree,
            notary,
            files,
            reserve,
            shared,
            clock,
            outage,
            patience,
            retention,
            erased,
            _lock: lock,
        })
    }

    /// Writes what a start must: the log's first record or a change of its key, and the outcomes that a crash left out.
    pub(crate) fn begin(&mut self, first: Option<Work>) -> Result<(), AuditError> {
        let mut works: Vec<Work> = first.into_iter().collect();
        works.extend(self.shared.owed.take().iter().map(|debt| self.settle(debt)));
        if !works.is_empty() {
            self.transact(&works.iter().map(|work| (work, None)).collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// Writes these in one transaction; false if one of them was refused.
    pub(crate) fn begin_with(&mut self, works: &[Work]) -> Result<bool, AuditError> {
        let results = self.transact(&works.iter().map(|work| (work, None)).collect::<Vec<_>>())?;
        Ok(results.iter().all(Result::is_ok))
    }

    /// Works until everyone has gone or someone says stop.
    pub(crate) fn run(mut self, queue: &Receiver<Message>, feeder: Feeder) {
        let stop = self.serve(queue, &feeder);
        // It reads the files that `finish` puts in order.
        drop(feeder);
        self.pay();
        self.finish();
        if let Some(stopped) = stop {
            // Whoever asked may have gone.
            let _: Result<(), ()> = stopped.send(());
        }
    }

    /// Signs what is not signed, and closes the database.
    pub(crate) fn finish(mut self) {
        if self.outage.is_none() {
            self.notary.hurry();
            self.sign();
        }
        // Folds the write-ahead log into the database, so that a copy of one file is the whole log.
        if self.outage.is_none()
            && let Some(db) = &self.db
            && let Err(error) = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        {
            warn!(%error, "the log's write-ahead file stays as it is");
        }
    }

    fn serve(&mut self, queue: &Receiver<Message>, feeder: &Feeder) -> Option<oneshot::Sender<()>> {
        let mut ticked = Instant::now();
        loop {
            let mut jobs = Vec::new();
            let mut stop = None;
            match queue.recv_timeout(TICK) {
                Ok(first) => {
                    for message in std::iter::once(first).chain(queue.try_iter()) {
                        match message {
                            Message::Job(job) => jobs.push(*job),
                            Message::Stop(reply) => stop = Some(reply),
                        }
                        if stop.is_some() || jobs.len() >= GROUP {
                            break;
                        }
                    }
                    self.write(jobs);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
            if stop.is_some() {
                return stop;
            }
            if ticked.elapsed() >= TICK {
                ticked = Instant::now();
                self.tick();
                if self.outage.is_none() && !self.retention.as_ref().is_some_and(Retention::is_erasing) {
                    feeder.feed((self.head.seq, self.erased), &self.files);
                }
            }
        }
    }

    /// Writes these, or answers each why not.
    fn write(&mut self, mut jobs: Vec<Job>) {
        let mut locked = false;
        self.shared.health.begin();
        loop {
            jobs = self.still_wanted(jobs);
            if jobs.is_empty() {
                break;
            }
            let tasks: Vec<Task<'_>> = jobs.iter().map(|job| (&job.work, Some(&job.reply))).collect();
            match self.transact(&tasks) {
                Ok(results) => {
                    jobs.into_iter().zip(results).for_each(|(job, result)| self.answer(job, result));
                    locked = false;
                    break;
                }
                // Another program holds the write lock. It may let go while our callers still wait.
                Err(Fault::Slow) => locked = true,
                Err(fault) if self.outage.is_some_and(|(latched, _)| latched == fault) => {
                    jobs.drain(..).for_each(|job| self.answer(job, Err(AuditError::from(fault).into())));
                }
                // On a full disk this frees the reserve: the next round tries what ends running calls again.
                Err(fault) => self.latch(fault),
            }
        }
        if locked {
            self.latch(Fault::Slow);
        }
        let took = self.shared.health.end();
        if took >= self.patience && self.outage.is_none() {
            warn!(milliseconds = took.as_millis(), "the log's disk was slow");
        }
    }

    /// Without those that nobody waits for any more, and, in an outage, without those that are refused at once.
    fn still_wanted(&mut self, jobs: Vec<Job>) -> Vec<Job> {
        let fault = self.outage.map(|(fault, _)| fault);
        let mut wanted = Vec::with_capacity(jobs.len());
        for job in jobs {
            if job.is_abandoned() {
                continue;
            }
            match fault {
                Some(fault) if job.work.ends().is_none() => {
                    self.answer(job, Err(AuditError::from(fault).into()));
                }
                Some(_) | None => wanted.push(job),
            }
        }
        wanted
    }

    /// One transaction: all of it is on the disk, in the file that is at its path, or none of it is acknowledged.
    fn transact(&mut self, tasks: &[Task<'_>]) -> Result<Vec<Result<Done, NotDone>>, Fault> {
        self.files.check()?;
        let shared = Arc::clone(&self.shared);
        let db = self.db.take().ok_or(Fault::Replaced)?;
        let begun = Instant::now();
        let written = self.commit(&db, tasks, &shared).inspect_err(|_| self.names.roll_back());
        self.db = Some(db);
        let Committed { head, tree, note, changes, results } = written.map_err(|error| {
            let fault = Fault::of(&error, &shared.state);
            if fault != Fault::Slow {
                error!(%error, fault = fault.as_str(), "cannot write the log");
            }
            fault
        })?;
        if !tasks.is_empty() {
            shared.figures.committed(begun.elapsed(), tasks.len());
        }
        (self.head, self.tree) = (head, tree);
        self.names.keep();
        shared.apply(changes);
        if let Some(note) = note {
            self.notary.signed(self.tree.size(), note);
        }
        if let Err(fault) = self.files.check() {
            self.regret(tasks, &results);
            return Err(fault);
        }
        Ok(results)
    }

    fn commit(&mut self, db: &Connection, tasks: &[Task<'_>], shared: &Shared) -> rusqlite::Result<Committed> {
        let transaction = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
        let (names, owed) = (&mut self.names, &shared.owed);
        let mut pen = Pen { db, names, head: self.head, tree: self.tree.clone(), changes: Vec::new(), owed };
        let mut results = Vec::with_capacity(tasks.len());
        for (work, reply) in tasks {
            // Waiting for the lock takes long, if anything does.
            if reply.is_some_and(Reply::is_closed) {
                results.push(Err(AuditError::Slow.into()));
                continue;
            }
            match pen.write(work) {
                Ok(done) => results.push(Ok(done)),
                Err(Failed::Refused(why)) => results.push(Err(why)),
                Err(Failed::Disk(error)) => return Err(forget(results, error)),
            }
        }
        let finished = pen.finish();
        let Pen { head, tree, changes, .. } = pen;
        match finished.and_then(|()| self.notary.sign(db, &tree)).and_then(|note| transaction.commit().map(|()| note)) {
            Ok(note) => Ok(Committed { head, tree, note, changes, results }),
            Err(error) => Err(forget(results, error)),
        }
    }

    /// What was written into a lost file and is not acknowledged is made good if the file returns. Guards of intents leave
    /// their debts by being dropped.
    fn regret(&self, tasks: &[Task<'_>], results: &[Result<Done, NotDone>]) {
        for ((work, _), result) in tasks.iter().zip(results) {
            if let (Some(_), Ok(done)) = (work.ends(), result) {
                self.shared.owed.add(Debt::Withheld { outcome: done.seq });
            }
        }
    }

    fn answer(&self, job: Job, result: Result<Done, NotDone>) {
        let outcome = job.work.ends().and(result.as_ref().ok().map(|done| done.seq));
        // An intent's guard leaves its own debt when the answer is dropped.
        let undelivered = job.reply.send(result).is_err();
        if undelivered && let Some(outcome) = outcome {
            self.shared.owed.add(Debt::Withheld { outcome });
        }
    }

    fn latch(&mut self, fault: Fault) {
        let since = self.outage.map_or_else(|| (self.clock)(), |(_, since)| since);
        if self.outage.is_none_or(|(latched, _)| latched != fault) {
            error!(fault = fault.as_str(), "the log takes no records: calls are refused");
        }
        self.outage = Some((fault, since));
        self.shared.health.latch(Some(fault));
        if fault == Fault::Full {
            self.reserve.release();
            // Best effort: the record of the outage's end names its beginning too.
            drop(self.transact(&[(&outage(fault, since, since, false), None)]));
        }
    }

    /// What is done when nothing is asked: watch the files, pay debts, end outages.
    fn tick(&mut self) {
        self.notary.keep();
        match self.outage {
            None => match self.files.check() {
                Ok(()) => {
                    self.pay();
                    self.sign();
                    self.retain();
                }
                Err(fault) => self.latch(fault),
            },
            Some((fault, since)) => self.probe(fault, since),
        }
    }

    fn probe(&mut self, fault: Fault, since: Timestamp) {
        if fault == Fault::Full && self.reserve.fill().is_err() {
            return;
        }
        if fault == Fault::Replaced || self.db.is_none() {
            self.reopen();
        }
        let end = outage(fault, since, (self.clock)(), true);
        match self.transact(&[(&end, None)]) {
            Ok(_) => {
                info!(fault = fault.as_str(), "the log takes records again");
                self.outage = None;
                self.shared.health.latch(None);
                self.pay();
            }
            Err(found) if found == fault => {
                if fault == Fault::Full {
                    self.reserve.release();
                }
            }
            Err(found) => self.latch(found),
        }
    }

    /// A file that was put in the database's place is accepted only if it is the same log: it ends with the record that we
    /// wrote last. Ours is closed first: two files under one name share their write-ahead log and its locks.
    fn reopen(&mut self) {
        self.db = None;
        // Another database beside our write-ahead log is a mixture, whatever it seems to end with.
        if self.files.has_our_wal() {
            return;
        }
        let same = query::open(&self.shared.state)
            .ok()
            .and_then(|found| recover::head(&found).ok())
            .is_some_and(|head| head == self.head);
        if !same {
            return;
        }
        if let (Ok(db), Ok(files)) = (tables::open(&self.shared.state), Files::watch(&self.shared.state)) {
            (self.db, self.files) = (Some(db), files);
            self.names = Names::default();
        }
    }

    /// Signs the records that no checkpoint covers yet, if it is time.
    fn sign(&mut self) {
        if self.outage.is_some() || !self.notary.is_due(&self.tree) {
            return;
        }
        match self.transact(&[]) {
            // Someone else holds the lock: the next tick tries again.
            Ok(_) | Err(Fault::Slow) => {}
            Err(fault) => self.latch(fault),
        }
    }

    /// Erases what need not be kept any more, a little at a time.
    fn retain(&mut self) {
        let Some(mut retention) = self.retention.take() else { return };
        let turn = self.db.as_ref().map(|db| retention.turn(db, self.erased, (self.clock)()));
        match turn.unwrap_or(Ok(Turn::Nothing)) {
            Ok(Turn::Nothing) => {}
            Ok(Turn::Erase(last, work)) => match self.transact(&[(&*work, None)]) {
                Ok(_) => self.erased = last,
                Err(Fault::Slow) => retention.failed(),
                Err(fault) => {
                    retention.failed();
                    self.latch(fault);
                }
            },
            Ok(Turn::Wipe) => retention.wiped(self.db.as_ref().is_some_and(emptied)),
            Err(error) => {
                warn!(%error, "cannot look for what need not be kept any more");
                retention.failed();
            }
        }
        self.retention = Some(retention);
    }

    /// Writes what is owed.
    fn pay(&mut self) {
        let debts = self.shared.owed.take();
        for debt in debts {
            let work = self.settle(&debt);
            if self.outage.is_some() || self.transact(&[(&work, None)]).is_err() {
                self.shared.owed.add(debt);
            }
        }
    }

    fn settle(&self, debt: &Debt) -> Work {
        let at = (self.clock)();
        match debt {
            Debt::Interrupted { intent, subject, why } => {
                let detail = json!({ "intent": intent, "outcome": "interrupted", "why": why });
                let draft = Draft::new(Kind::Outcome, at, detail.to_string().into_bytes()).about(subject.clone());
                Work::Outcome { draft, intent: *intent, quarantine: None }
            }
            Debt::Withheld { outcome } => event(&Event::AnswerWithheld { outcome: *outcome }, at),
        }
    }
}

/// What to write, and who waits for it.
type Task<'a> = (&'a Work, Option<&'a Reply>);

/// What one transaction leaves behind.
struct Committed {
    head: Head,
    tree: Tree,
    note: Option<Note>,
    changes: Vec<super::views::Change>,
    results: Vec<Result<Done, NotDone>>,
}

/// Empties the write-ahead log, if nobody reads it: older states of pages are in it, with what was erased since.
fn emptied(db: &Connection) -> bool {
    // Whoever reads may take long, and callers wait for this thread.
    let busy = |wait| db.busy_timeout(wait);
    let asked = busy(Duration::ZERO).and_then(|()| {
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0)).map(|busy| busy == 0)
    });
    busy(tables::LOCK_WAIT).is_ok() && asked.unwrap_or(false)
}

/// What was not committed leaves no debts.
fn forget(results: Vec<Result<Done, NotDone>>, error: rusqlite::Error) -> rusqlite::Error {
    for done in results.into_iter().flatten() {
        if let Some(guard) = done.guard {
            guard.settle();
        }
    }
    error
}

fn outage(fault: Fault, since: Timestamp, at: Timestamp, over: bool) -> Work {
    event(&Event::LogOutage { fault: fault.as_str().to_owned(), since, over }, at)
}

fn event(event: &Event, at: Timestamp) -> Work {
    let detail = serde_json::to_vec(event).unwrap_or_else(|_| b"{}".to_vec());
    Work::Record(Draft::new(Kind::Event, at, detail))
}
