//! `verify`: walks the log from its first record and names the first that is not what was written. It reads only, and
//! shares with the writer nothing but `record` and `tree`.

mod below;
mod carried;
mod folder;
mod grown;
mod outside;
mod passkeys;
mod projection;
mod schema;
mod stopping;
mod succession;

use std::path::Path;

use jiff::Timestamp;
use policies::Hash;
use rusqlite::{Connection, Row};
use thiserror::Error;

use crate::assertion::BadAssertion;
use crate::checkpoint::Checkpoint;
use crate::index;
use crate::log::{retention, tables};
use crate::note::{BadNote, VerifierKey};
use crate::query::{self, QueryError};
use crate::record::{self, BadRecord, Kind, Record};
use carried::Base;
use grown::Grown;
use projection::Expected;
use succession::Succession;

pub(crate) use carried::Carried;
pub use folder::verify_tiles;
pub use outside::outside;

/// A log in which every record is what was written, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many records there are.
    pub records: u64,
    /// The chain's value after the last: note it elsewhere, and a log that was cut or rewritten since will not lead to it.
    pub head: Hash,
    /// When the first record was made.
    pub first: Option<Timestamp>,
    /// When the last record was made.
    pub last: Option<Timestamp>,
    /// The newest checkpoint, and the key that signed it. A log that is older than its tree has none.
    pub signed: Option<(Checkpoint, VerifierKey)>,
    /// The records by which someone took what was there for the log: before each, records may be missing that were signed.
    /// Of exported tiles it is not known.
    pub accepted: Vec<u64>,
    /// The records by which a backup was made the log again: before each, records may be missing too.
    pub restored: Vec<u64>,
    /// The records by which a gateway went on from records that nobody had signed: each names them. A crash leaves such, and
    /// so does whoever can write the database. Of exported tiles it is not known.
    pub continued: Vec<u64>,
    /// The last record whose body was erased, with those of all before it, as the records say; 0 for none.
    pub erased: u64,
    /// How many decisions a passkey signed: each signature was checked. Of exported tiles it is not known.
    pub asserted: u64,
    /// The last record that was pruned, with all before it, as a record says; 0 for none. What was verified begins after it.
    pub pruned: u64,
}

impl Verified {
    /// The first and the last of the records at the end that no checkpoint covers; `None` where all are signed. Anyone who can
    /// write the database can make such.
    #[must_use]
    pub fn unsigned(&self) -> Option<(u64, u64)> {
        let signed = self.signed.as_ref().map_or(0, |(checkpoint, _)| checkpoint.size);
        (signed < self.records).then_some((signed + 1, self.records))
    }
}

/// What a verification trusts, beside the log itself.
#[derive(Clone, Debug, Default)]
pub struct Trusted {
    /// The log's public key, as it was given to whoever verifies: the one that signs now, or one before it. Without it, the
    /// key is what the log says that it is.
    pub key: Option<VerifierKey>,
    /// A checkpoint of the same log that was kept elsewhere: the log must go as far, and lead there.
    pub checkpoint: Option<Checkpoint>,
}

/// Why the log did not verify.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// It was changed.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// It cannot be read.
    #[error("cannot read the log")]
    Read(#[from] QueryError),
    /// Whoever watched said stop.
    #[error("it was told to stop")]
    Stopped,
}

/// The first record that is not what was written.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{}{what}", place(*.seq, .what))]
pub struct Broken {
    /// Its number.
    pub seq: u64,
    /// What is wrong with it.
    pub what: What,
}

/// What can be wrong with a record.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// It is not there; the next one is.
    #[error("it is missing")]
    Missing,
    /// Its bytes, or those of the record before it, were changed, or its place was.
    #[error("its hash does not follow from its bytes and the record before it")]
    Chain,
    /// The bytes are no record.
    #[error("{0}")]
    Unreadable(BadRecord),
    /// A column, which queries use, says something else than the record.
    #[error("the column `{0}` differs from the record")]
    Column(&'static str),
    /// The body beside it was changed.
    #[error("its body was changed")]
    Body,
    /// The body beside it is gone, or is there and should not be.
    #[error("its body is missing, or should not be there")]
    NoBody,
    /// The body beside it was to be erased, as a later record says, and is there.
    #[error("its body was erased, as a later record says, and is there")]
    Kept,
    /// The log ends here, and its head says otherwise.
    #[error("the log ends with record {found}, but its head names record {head}")]
    End {
        /// The last record.
        found: u64,
        /// The record that the head names.
        head: u64,
    },
    /// The head has another hash than the last record.
    #[error("the head has another hash than the last record")]
    Head,
    /// A tile is not what its records lead to, or is missing, or should not be there.
    #[error("tile/{0}: it is not what its records lead to")]
    Tile(String),
    /// A file of an exported log is missing or cannot be read.
    #[error("tile/{0}: it is missing, or of another length than the checkpoint's size asks for")]
    File(String),
    /// The checkpoint is not signed by the log's key.
    #[error("the checkpoint: {0}")]
    Note(BadNote),
    /// The signed text is no checkpoint of this log.
    #[error("the checkpoint: it is not one of the log `{0}`")]
    Origin(String),
    /// What lies in the state folder as the newest checkpoint is not signed by the log's key.
    #[error("the checkpoint in the state folder: {0}")]
    Outside(BadNote),
    /// There is no checkpoint, and there must be one.
    #[error("the checkpoint: it is missing")]
    NoCheckpoint,
    /// The signed root is not the one that the records lead to.
    #[error("the checkpoint: the records do not lead to its root")]
    Root,
    /// The key changed, and the key before did not sign that.
    #[error("another key follows, and the trusted key did not vouch for it")]
    Key,
    /// The log is shorter than it was.
    #[error("the log ends here, and {0} records were signed: it was rolled back")]
    RolledBack(u64),
    /// The log is another one than was signed earlier.
    #[error("the first {0} records are not those that were signed earlier: the log was rewritten, or shows two views")]
    SplitView(u64),
    /// What is gone is not what the last record about a pruning says.
    #[error("what was pruned is not what the last record about a pruning says")]
    Pruned,
    /// What says that records were pruned is signed by nobody: they are missing.
    #[error("it says that records were pruned, and nobody signed it")]
    Unsigned,
    /// The kept checkpoint is too old to be compared with.
    #[error(
        "the first {0} records were pruned since that checkpoint was kept: it cannot be compared with what is left, so keep a newer one"
    )]
    Unreachable(u64),
    /// The index has or lacks something that the records do not: whoever searched may have missed records.
    #[error("the search index does not follow from the records; without its file, it is made anew from them")]
    Index,
    /// It has something that the log does not make, lacks something, or is not sound.
    #[error("the database: {0}")]
    Database(String),
    /// A decision is not what its operator's passkey signed.
    #[error("the assertion over the decision: {0}")]
    Assertion(BadAssertion),
    /// A projection differs from the last record about it.
    #[error("the stored {0} differs from the last record about it")]
    Projection(&'static str),
}

/// Tiles, checkpoints and the index name themselves.
fn place(seq: u64, what: &What) -> String {
    match what {
        What::Tile(_)
        | What::File(_)
        | What::Note(_)
        | What::Outside(_)
        | What::Origin(_)
        | What::NoCheckpoint
        | What::Root
        | What::Index
        | What::Database(_) => String::new(),
        What::Missing
        | What::Chain
        | What::Unreadable(_)
        | What::Column(_)
        | What::Body
        | What::NoBody
        | What::Kept
        | What::End { .. }
        | What::Head
        | What::Key
        | What::Pruned
        | What::Unsigned
        | What::Unreachable(_)
        | What::RolledBack(_)
        | What::SplitView(_)
        | What::Assertion(_)
        | What::Projection(_) => format!("record {seq}: "),
    }
}

/// Walks the log in a state folder, trusting the key that the log itself names.
///
/// # Errors
/// [`VerifyError::Broken`] names the first bad record; [`VerifyError::Read`] says why the log cannot be read.
pub fn verify(state: &Path) -> Result<Verified, VerifyError> {
    verify_with(state, &Trusted::default())
}

/// Walks the log in a state folder, against a key and a checkpoint that were kept elsewhere.
///
/// # Errors
/// As [`verify`].
pub fn verify_with(state: &Path, trusted: &Trusted) -> Result<Verified, VerifyError> {
    verify_while(state, trusted, &mut |_| true)
}

/// How many records are walked before anyone is told: some 20 ms.
const STRETCH: u64 = 1_024;

/// As [`verify_with`]; `watch` is told how many records were walked, and says whether to go on.
pub(crate) fn verify_while(
    state: &Path,
    trusted: &Trusted,
    watch: &mut dyn FnMut(u64) -> bool,
) -> Result<Verified, VerifyError> {
    let db = query::open(state)?;
    // One snapshot: a gateway may go on writing.
    let transaction = db.unchecked_transaction().map_err(QueryError::from)?;
    let (verified, _) = walk((state, &transaction), trusted, None, watch)?;
    if index::follows(state)? { Ok(verified) } else { Err(Broken { seq: 0, what: What::Index }.into()) }
}

/// As [`verify_with`]; answers what the records up to one lead to, and what all of them do.
pub(crate) fn carried(state: &Path, trusted: &Trusted, to: u64) -> Result<(Carried, Expected), VerifyError> {
    let db = query::open(state)?;
    let transaction = db.unchecked_transaction().map_err(QueryError::from)?;
    let (_, carried) = walk((state, &transaction), trusted, Some(to), &mut |_| true)?;
    carried.ok_or_else(|| Broken { seq: to, what: What::Missing }.into())
}

type Walked = (Verified, Option<(Carried, Expected)>);

/// Walks all records that are there. `to`: where what they lead to is noted.
fn walk(
    (state, db): (&Path, &Connection),
    trusted: &Trusted,
    to: Option<u64>,
    watch: &mut dyn FnMut(u64) -> bool,
) -> Result<Walked, VerifyError> {
    schema::compare(db)?;
    let treeless = tables::layout(db).map_err(QueryError::from)? == tables::TREELESS;
    let salt = if treeless { "NULL" } else { "salt" };
    let sql = format!(
        "SELECT seq, chain, record, body, at, kind, call, risk, verdict,
                (SELECT text FROM name WHERE id = agent), (SELECT text FROM name WHERE id = server),
                (SELECT text FROM name WHERE id = tool), agent IS NULL, server IS NULL, tool IS NULL, {salt}
         FROM entry ORDER BY seq"
    );
    let base = Base::load(db)?;
    let (done, mut chain) = base.done();
    let minimum = base.minimum();
    let mut verified = Verified {
        records: done,
        head: chain,
        first: base.carried.as_ref().and_then(|carried| carried.first),
        last: None,
        signed: None,
        accepted: Vec::new(),
        restored: Vec::new(),
        continued: Vec::new(),
        erased: retention::erased(db).map_err(QueryError::from)?,
        asserted: 0,
        pruned: minimum,
    };
    let mut gone = base.carried.as_ref().map_or(0, |carried| carried.gone);
    let mut projections = base.carried.as_ref().map(|carried| carried.expected.clone()).unwrap_or_default();
    let mut passkeys = base.carried.as_ref().map(|carried| carried.passkeys.clone()).unwrap_or_default();
    let mut grown = Grown::new(db, treeless, trusted.checkpoint.as_ref(), (done, minimum))?;
    let mut keys = Succession::new(trusted.key.as_ref());
    base.keys(&mut keys)?;
    let mut noted = None;
    let mut statement = db.prepare(&sql).map_err(QueryError::from)?;
    let mut rows = statement.query([]).map_err(QueryError::from)?;
    while let Some(row) = rows.next().map_err(QueryError::from)? {
        let wanted = verified.records + 1;
        let seq = u64::try_from(row.get::<_, i64>(0).map_err(QueryError::from)?).unwrap_or(0);
        let broken = |what| Broken { seq: wanted, what };
        if seq != wanted {
            return Err(broken(What::Missing).into());
        }
        let (read, leaf) = checked(row, seq, &mut chain).map_err(broken)?;
        let stored: Option<Vec<u8>> = row.get(3).map_err(|_| broken(What::Column("body")))?;
        let without = u64::from(body(&read, stored.as_deref(), seq <= verified.erased).map_err(broken)?);
        (verified.last, verified.records) = (Some(read.at), seq);
        // What is to go and is not gone yet leads to where what stays begins, and says nothing more.
        if seq <= minimum {
            if seq == minimum && base.carried.as_ref().is_some_and(|carried| carried.chain != chain) {
                return Err(broken(What::Chain).into());
            }
            continue;
        }
        gone += without;
        grown.push(leaf)?;
        keys.follow(&read).map_err(broken)?;
        passkeys.follow(&read).map_err(broken)?;
        verified.first = verified.first.or(Some(read.at));
        projections.follow(&read);
        if to == Some(seq) {
            let (keys, expected, passkeys) = (keys.history().to_vec(), projections.clone(), passkeys.clone());
            noted = Some(Carried { records: seq, chain, first: verified.first, gone, keys, expected, passkeys });
        }
        if seq.is_multiple_of(STRETCH) && !watch(seq) {
            return Err(VerifyError::Stopped);
        }
    }
    verified.head = chain;
    head(db, &verified)?;
    verified.signed = grown.finish(&keys)?;
    keys.compare(db, treeless)?;
    verified.accepted = keys.of("log-accepted");
    verified.restored = keys.of("log-restored");
    verified.continued = keys.of("log-continued");
    base.compare(projections.pruned(), verified.signed.as_ref().map_or(0, |(checkpoint, _)| checkpoint.size))?;
    projections.compare(db, (verified.erased, gone))?;
    passkeys.compare(db)?;
    schema::sound(state, db, &mut || watch(verified.records))?;
    verified.asserted = passkeys.signed();
    Ok((verified, noted.map(|noted| (noted, projections))))
}

/// Checks one row by itself and against the chain so far.
fn checked(row: &Row<'_>, seq: u64, chain: &mut Hash) -> Result<(Record, Hash), What> {
    // A column of another type than the table allows is a change as well.
    let column = |name| move |_: rusqlite::Error| What::Column(name);
    let bytes: Vec<u8> = row.get(2).map_err(column("record"))?;
    let stored: [u8; 32] = row.get(1).map_err(column("chain"))?;
    let seed: Option<Vec<u8>> = row.get(15).map_err(column("salt"))?;
    let leaf = record::leaf(&record::canonical(&bytes, seed.as_deref()));
    *chain = record::chain(chain, &leaf);
    if *chain.as_bytes() != stored {
        return Err(What::Chain);
    }
    let read = Record::parse(&bytes).map_err(What::Unreadable)?;
    if read.seq != seq {
        return Err(What::Column("seq"));
    }
    let number = |at: usize, name| row.get::<_, Option<i64>>(at).map_err(column(name));
    let text = |at: usize, name| row.get::<_, Option<String>>(at).map_err(column(name));
    let absent = |at: usize, name| row.get::<_, bool>(at).map_err(column(name));
    let same = [
        ("at", number(4, "at")? == Some(read.at.as_microsecond())),
        ("kind", number(5, "kind")? == Some(read.kind.code())),
        ("call", number(6, "call")? == read.call.as_ref().map(record::call_key)),
        ("risk", number(7, "risk")? == read.risk.map(policies::Risk::level)),
        ("verdict", number(8, "verdict")? == read.verdict.map(record::Decided::code)),
        ("agent", text(9, "agent")? == read.agent && absent(12, "agent")? == read.agent.is_none()),
        ("server", text(10, "server")? == read.server && absent(13, "server")? == read.server.is_none()),
        ("tool", text(11, "tool")? == read.tool && absent(14, "tool")? == read.tool.is_none()),
    ];
    if let Some((name, _)) = same.iter().find(|(_, same)| !same) {
        return Err(What::Column(name));
    }
    Ok((read, leaf))
}

/// Whether the body beside a record is what belongs there; and whether it was erased, as it must be then.
fn body(read: &Record, stored: Option<&[u8]>, erased: bool) -> Result<bool, What> {
    match (read.body.filter(|body| body.kept), stored) {
        (None, None) => Ok(false),
        (Some(_), stored) if erased => {
            if retention::is_erased(stored) {
                Ok(true)
            } else {
                Err(What::Kept)
            }
        }
        (Some(body), Some(bytes)) if Hash::of(bytes) == body.sha256 => Ok(false),
        (Some(_), Some(_)) => Err(What::Body),
        (Some(_), None) | (None, Some(_)) => Err(What::NoBody),
    }
}

fn head(db: &Connection, verified: &Verified) -> Result<(), VerifyError> {
    let sql = "SELECT seq, chain FROM head";
    let stored = db.query_row(sql, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?)));
    let (seq, chain) = match stored {
        Ok((seq, chain)) => (u64::try_from(seq).unwrap_or(0), Hash::from_bytes(chain)),
        Err(rusqlite::Error::QueryReturnedNoRows) => (0, Hash::from_bytes(record::GENESIS)),
        Err(error) => return Err(QueryError::from(error).into()),
    };
    if seq != verified.records {
        let what = What::End { found: verified.records, head: seq };
        return Err(Broken { seq: verified.records.min(seq) + 1, what }.into());
    }
    if chain == verified.head { Ok(()) } else { Err(Broken { seq, what: What::Head }.into()) }
}
