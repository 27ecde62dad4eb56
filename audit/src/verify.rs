//! `verify`: walks the log from its first record and names the first that is not what was written. It reads only, and
//! shares with the writer nothing but `record`.

mod projection;

use std::path::Path;

use jiff::Timestamp;
use policies::Hash;
use rusqlite::{Connection, Row};
use thiserror::Error;

use crate::query::{self, QueryError};
use crate::record::{self, BadRecord, Kind, Record};

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
}

/// The first record that is not what was written.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("record {seq}: {what}")]
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
    /// A projection differs from the last record about it.
    #[error("the stored {0} differs from the last record about it")]
    Projection(&'static str),
}

/// Walks the log in a state folder.
///
/// # Errors
/// [`VerifyError::Broken`] names the first bad record; [`VerifyError::Read`] says why the log cannot be read.
pub fn verify(state: &Path) -> Result<Verified, VerifyError> {
    let db = query::open(state)?;
    // One snapshot: a gateway may go on writing.
    let transaction = db.unchecked_transaction().map_err(QueryError::from)?;
    walk(&transaction)
}

fn walk(db: &Connection) -> Result<Verified, VerifyError> {
    let sql = "SELECT seq, chain, record, body, at, kind, call, risk, verdict,
                      (SELECT text FROM name WHERE id = agent), (SELECT text FROM name WHERE id = server),
                      (SELECT text FROM name WHERE id = tool), agent IS NULL, server IS NULL, tool IS NULL
               FROM entry ORDER BY seq";
    let mut chain = Hash::from_bytes(record::GENESIS);
    let mut verified = Verified { records: 0, head: chain, first: None, last: None };
    let mut projections = projection::Expected::default();
    let mut statement = db.prepare(sql).map_err(QueryError::from)?;
    let mut rows = statement.query([]).map_err(QueryError::from)?;
    while let Some(row) = rows.next().map_err(QueryError::from)? {
        let wanted = verified.records + 1;
        let seq = u64::try_from(row.get::<_, i64>(0).map_err(QueryError::from)?).unwrap_or(0);
        let broken = |what| Broken { seq: wanted, what };
        if seq != wanted {
            return Err(broken(What::Missing).into());
        }
        let read = checked(row, seq, &mut chain).map_err(broken)?;
        verified.first = verified.first.or(Some(read.at));
        verified.last = Some(read.at);
        verified.records = seq;
        projections.follow(&read);
    }
    verified.head = chain;
    head(db, &verified)?;
    projections.compare(db)?;
    Ok(verified)
}

/// Checks one row by itself and against the chain so far.
fn checked(row: &Row<'_>, seq: u64, chain: &mut Hash) -> Result<Record, What> {
    // A column of another type than the table allows is a change as well.
    let column = |name| move |_: rusqlite::Error| What::Column(name);
    let bytes: Vec<u8> = row.get(2).map_err(column("record"))?;
    let stored: [u8; 32] = row.get(1).map_err(column("chain"))?;
    *chain = record::chain(chain, &record::leaf(&bytes));
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
    body(&read, row.get::<_, Option<Vec<u8>>>(3).map_err(column("body"))?.as_deref())?;
    Ok(read)
}

fn body(read: &Record, stored: Option<&[u8]>) -> Result<(), What> {
    match (read.body.filter(|body| body.kept), stored) {
        (None, None) => Ok(()),
        (Some(body), Some(bytes)) if Hash::of(bytes) == body.sha256 => Ok(()),
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
