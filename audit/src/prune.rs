//! `prune`: takes the oldest records out of the log, as a policy allows, without changing its tree.
//!
//! C2SP's `tlog-tiles` calls it a *minimum index*: what stands below is not offered any more, tiles of the levels above 0
//! stay, and so does every proof of what stands at or above it. What the records that go led to (who may connect, what is
//! pinned, how holds stand, which keys signed) is carried over, bound by the record of the pruning, so that a verification
//! of what is left still compares every projection.

use jiff::Timestamp;
use policies::HoldId;
use policies::approval::Hold;
use rusqlite::Connection;
use serde_json::json;
use thiserror::Error;

use crate::checkpoint::Checkpoint;
use crate::entry::{Config, Ready, StartError};
use crate::log::pruned;
use crate::log::recover::{self, number};
use crate::log::renew::writer;
use crate::log::retention;
use crate::log::work::Work;
use crate::note::Note;
use crate::query::{self, QueryError};
use crate::record::{self, Draft, Kind};
use crate::tile::WIDTH;
use crate::verify::{Carried, Trusted, VerifyError, carried};

/// What is to go, by which policy, and who says so.
#[derive(Clone, Debug)]
pub struct Pruning {
    /// Records that are older.
    pub before: Timestamp,
    /// The policy, as the record is to name it: without one, no log is pruned.
    pub policy: String,
    /// Who asks for it.
    pub by: String,
    /// What needs records beside the log itself.
    pub needed: Vec<Need>,
    /// Whether anything is to go, or only to be told of.
    pub trial: bool,
}

/// Something that needs all records after one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// What, as people are told.
    pub what: String,
    /// The last record that it does without.
    pub after: u64,
}

/// What went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// The first record that was there before.
    pub from: u64,
    /// The last one that is gone. Less than `from`: nothing was old enough to fill a tile.
    pub to: u64,
    /// The record that says so.
    pub record: Option<u64>,
    /// Whether all of it is off the disk; else a gateway that was started just then goes on.
    pub whole: bool,
}

/// Why nothing was pruned.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PruneError {
    /// A gateway runs, or the log could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// What does not verify is not pruned: that would hide what happened to it.
    #[error("the log does not verify, so nothing of it is removed")]
    Unsound(#[source] VerifyError),
    /// Something needs a record that would go.
    #[error("record {} is still needed by {}: nothing up to it is removed", .0.after + 1, .0.what)]
    Needed(Need),
    /// The log was never signed, so nothing would vouch for what is left.
    #[error("the log has no key yet: a gateway makes it at its first start")]
    Unsigned,
}

impl From<rusqlite::Error> for PruneError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Start(error.into())
    }
}

/// Takes the oldest records out of the log in a state folder where no gateway runs. First the record about it, signed in
/// its own transaction; then what it says is gone. Whatever interrupts it, the next start goes on.
///
/// # Errors
/// [`PruneError`]; then nothing was removed.
pub fn prune(config: &Config, pruning: &Pruning) -> Result<Gone, PruneError> {
    let ready = Ready::open(config.clone())?;
    let (notary, fresh) = ready.notary().map_err(StartError::from)?;
    if fresh.is_some() {
        return Err(PruneError::Unsigned);
    }
    pruned::finish(ready.state(), &ready.db, &ready.anchor()).map_err(StartError::from)?;
    let from = pruned::extent(&ready.db)?.map_or(0, |(minimum, _)| minimum);
    let old = retention::old(&ready.db, from, (ready.clock)(), pruning.before)?;
    let to = (old / WIDTH * WIDTH).max(from);
    if to == from {
        return Ok(Gone { from: from + 1, to, record: None, whole: true });
    }
    let (state, ended) = carry(&ready, to)?;
    if let Some(need) = needs(&ready.db)?.into_iter().chain(pruning.needed.iter().cloned()).find(|need| need.after < to)
    {
        return Err(PruneError::Needed(need));
    }
    if pruning.trial {
        return Ok(Gone { from: from + 1, to, record: None, whole: false });
    }
    let state = serde_json::to_string(&state).map_err(|error| StartError::Database(Box::new(error)))?;
    let detail = json!({ "event": "records-pruned", "from": from + 1, "to": to, "policy": pruning.policy, "by": pruning.by,
        "before": pruning.before, "state": policies::Hash::of(state.as_bytes()) });
    let draft = Draft::new(Kind::Event, (ready.clock)(), detail.to_string().into_bytes());
    let record = ready.head.seq + 1;
    let continued = ready.continued(notary.size());
    // Signed with the record, or there is none; and outside, before anything goes.
    let notary = notary.insist(&ready.tree).map_err(StartError::NoSignature)?;
    let mut writer = writer(ready, notary)?;
    let works = [Work::Prune { draft, minimum: to, state, ended }];
    let works: Vec<Work> = works.into_iter().chain(continued).collect();
    writer.begin_with(&works).map_err(|error| StartError::Database(Box::new(error)))?;
    writer.finish();
    let whole = match Ready::open(config.clone()) {
        Ok(ready) => {
            pruned::finish(ready.state(), &ready.db, &ready.anchor()).map_err(StartError::from)?;
            true
        }
        // A gateway that was started just now goes on with it.
        Err(StartError::Locked(_)) => false,
        Err(error) => return Err(error.into()),
    };
    Ok(Gone { from: from + 1, to, record: Some(record), whole })
}

/// Verifies the log, and answers what the records up to `to` lead to, and the holds that ended in them and that nothing
/// needs any more: they go too.
fn carry(ready: &Ready, to: u64) -> Result<(Carried, Vec<HoldId>), PruneError> {
    let outside = ready.anchor().read().ok().flatten();
    let checkpoint = outside.and_then(|text| Checkpoint::of(&Note::parse(&text).ok()?).ok());
    let trusted = Trusted { key: None, checkpoint };
    let (mut state, all) = carried(ready.state(), &trusted, to).map_err(PruneError::Unsound)?;
    let now = (ready.clock)();
    let mut ended = Vec::new();
    let mut statement = ready.db.prepare(
        "SELECT hold FROM hold WHERE open = 0 AND id NOT IN (SELECT hold FROM pass) AND id NOT IN (SELECT hold FROM review)",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let hold: Hold = recover::hold(row)?;
        // A denial stands until its hold's time is over.
        if all.last_of(hold.id()).is_some_and(|seq| seq <= to) && hold.expires() <= now {
            state.expected.without(hold.id());
            ended.push(hold.id().clone());
        }
    }
    state.expected.compact();
    state.passkeys.compact();
    Ok((state, ended))
}

/// What needs records: calls that run, leases that were not taken back, holds that are open, reviews that nobody closed.
fn needs(db: &Connection) -> rusqlite::Result<Vec<Need>> {
    let mut needs = Vec::new();
    let mut need =
        |what: String, seq: Option<u64>| needs.extend(seq.map(|seq| Need { what, after: seq.saturating_sub(1) }));
    let first = |sql: &str| db.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
    let whole = |seq: Option<i64>| seq.and_then(|seq| u64::try_from(seq).ok());
    need("a call that runs".to_owned(), whole(first("SELECT MIN(intent) FROM running")?));
    need("a secret that was lent and not taken back".to_owned(), whole(first("SELECT MIN(intent) FROM lease")?));
    let open = [
        ("the open hold", "SELECT hold FROM hold WHERE open = 1"),
        ("the open review of", "SELECT hold.hold FROM hold JOIN review ON review.hold = hold.id"),
    ];
    for (what, sql) in open {
        let mut statement = db.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let hold = recover::hold(row)?;
            let sql = "SELECT seq FROM entry WHERE call = ?1 ORDER BY seq LIMIT 1";
            let mut of_call = db.prepare_cached(sql)?;
            let mut found = of_call.query([record::call_key(hold.call())])?;
            let seq = found.next()?.map(|row| number(row, 0)).transpose()?;
            need(format!("{what} {}", hold.id()), seq);
        }
    }
    Ok(needs)
}

/// What is gone from a log, as whoever asks for it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The last record that is gone.
    pub minimum: u64,
    /// The record that says so.
    pub record: u64,
    /// When it was made.
    pub at: Timestamp,
}

impl Missing {
    /// What is gone from this database; `None` where nothing is.
    pub(crate) fn of(db: &Connection) -> Result<Option<Self>, QueryError> {
        let Some((minimum, record)) = pruned::extent(db)? else { return Ok(None) };
        let sql = "SELECT at FROM entry WHERE seq = ?1";
        let at = db.query_row(sql, [crate::log::pen::signed(record)], |row| row.get::<_, i64>(0))?;
        let at = Timestamp::from_microsecond(at).unwrap_or_default();
        Ok(Some(Self { minimum, record, at }))
    }
}

impl query::Reader {
    /// What is gone from the log; `None` where nothing is.
    ///
    /// # Errors
    /// [`QueryError`] if the log does not answer.
    pub fn pruned(&self) -> Result<Option<Missing>, QueryError> {
        Missing::of(self.db())
    }
}
