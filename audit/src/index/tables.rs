//! The index's own database, and how it is written.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use policies::{Hash, Limits, Value};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row, Transaction, TransactionBehavior, params};

use super::tally::{self, Sums, Tally};
use super::terms::{self, Term};
use super::{IndexError, LAYOUT, SPAN, WAIT};
use crate::log::files::{SEARCH, private};
use crate::log::pen::{Head, signed};
use crate::log::pruned::base;
use crate::log::recover::{hash, number};
use crate::log::retention::erased;
use crate::log::tables::distrust;
use crate::record::Record;

/// `term` keeps which records have a term and nothing of the records: no text, no places, no sizes. `span` has the
/// first and the last time among the records from one number on, `tally` what is plotted of them, `head` the last record that is in here, and `erased` up to
/// which record bodies were gone when it was begun.
const TABLES: &str = "
CREATE VIRTUAL TABLE term USING fts5(terms, content='', columnsize=0, detail=none, tokenize='ascii tokenchars '':''');
CREATE TABLE span (first INTEGER PRIMARY KEY, low INTEGER NOT NULL, high INTEGER NOT NULL) STRICT;
CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, chain BLOB NOT NULL) STRICT;
CREATE TABLE erased (bodies INTEGER NOT NULL) STRICT;
";

/// How many records one transaction takes: some 50 ms of work, after which a stop is heard.
pub(super) const BATCH: u64 = 1_000;

/// What the index is made of.
pub(super) const ENTRIES: &str = "SELECT seq, at, chain, kind, agent, server, tool, risk, verdict, record, body
    FROM entry WHERE seq > ?1 AND seq <= ?2 ORDER BY seq";

/// One record as the index has it.
pub(super) struct Indexed {
    pub(super) seq: u64,
    pub(super) at: i64,
    pub(super) chain: Hash,
    pub(super) terms: BTreeSet<Term>,
    pub(super) tally: Tally,
}

impl Indexed {
    /// Reads a row of [`ENTRIES`]. A damaged record is found by its columns alone: `log verify` names it.
    pub(super) fn read(row: &Row<'_>, log: &Connection) -> rusqlite::Result<Self> {
        let mut terms = BTreeSet::from([Term::Kind(row.get(3)?)]);
        terms.extend(row.get::<_, Option<i64>>(4)?.map(Term::Agent));
        terms.extend(row.get::<_, Option<i64>>(5)?.map(Term::Server));
        terms.extend(row.get::<_, Option<i64>>(6)?.map(Term::Tool));
        terms.extend(row.get::<_, Option<i64>>(7)?.map(Term::Risk));
        terms.extend(row.get::<_, Option<i64>>(8)?.map(Term::Verdict));
        let record = Record::parse(row.get_ref(9)?.as_blob()?).ok();
        if let Some(record) = &record {
            let body = row.get_ref(10)?.as_blob_or_null()?;
            let body = body.and_then(|bytes| Value::parse(bytes, &Limits::ANSWER).ok());
            terms.extend(terms::operators(record).into_iter().map(Term::operator));
            terms.extend(terms::of(record, body.as_ref()).into_iter().map(Term::Word));
        }
        let tally = Tally::of(row, [1, 5, 7, 8], record.as_ref(), log)?;
        Ok(Self { seq: number(row, 0)?, at: row.get(1)?, chain: hash(row, 2)?, terms, tally })
    }
}

/// The first number of the span that a record lies in.
pub(super) fn span_of(seq: u64) -> u64 {
    seq.saturating_sub(1) / SPAN * SPAN + 1
}

/// The index, to write.
pub(super) struct Store(Connection);

impl Store {
    /// Opens the index of this log; one of another log, of another layout, or that cannot be read is made anew.
    pub(super) fn open(state: &Path, log: &Connection) -> Result<Self, IndexError> {
        let there = state.join(SEARCH).exists();
        match Self::existing(state).and_then(|store| Ok((super::covered(&store.0, log)?, store))) {
            Ok((Some(_), store)) => return Ok(store),
            Ok((None, _)) => {}
            Err(error) if !there || is_spoilt(&error) => {}
            Err(error) => return Err(error.into()),
        }
        remove(state)?;
        drop(private(&state.join(SEARCH))?);
        let store = Self::existing(state)?;
        let erased = erased(log)?;
        let (gone, chain) = base(log)?;
        let transaction = Transaction::new_unchecked(&store.0, TransactionBehavior::Immediate)?;
        transaction.execute_batch(&format!(
            "{TABLES} {} INSERT INTO erased (bodies) VALUES ({erased}); PRAGMA user_version = {LAYOUT};",
            tally::TABLE
        ))?;
        if gone > 0 {
            let sql = "INSERT INTO head (id, seq, chain) VALUES (1, ?1, ?2)";
            transaction.execute(sql, params![signed(gone), chain.as_bytes()])?;
        }
        transaction.commit()?;
        Ok(store)
    }

    fn existing(state: &Path) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(state.join(SEARCH), flags)?;
        db.busy_timeout(WAIT)?;
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        distrust(&db)?;
        db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        // NORMAL: a crash of the machine may lose the last records that were added, which are added again, and no more.
        db.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;")?;
        Ok(Self(db))
    }

    /// Adds the next records of the log; says which is the last one now, and whether there may be more.
    pub(super) fn add(&self, log: &Connection) -> Result<(u64, bool), IndexError> {
        let transaction = Transaction::new_unchecked(&self.0, TransactionBehavior::Immediate)?;
        let mut head = super::head(&transaction)?.unwrap_or_else(Head::start);
        let last = head.seq + BATCH;
        let mut statement = log.prepare_cached(ENTRIES)?;
        let mut rows = statement.query([signed(head.seq), signed(last)])?;
        let mut sums = Sums::default();
        while let Some(row) = rows.next()? {
            let Indexed { seq, at, chain, terms, tally } = Indexed::read(row, log)?;
            sums.add(&tally);
            let text: Vec<String> = terms.iter().map(Term::to_string).collect();
            let sql = "INSERT INTO term (rowid, terms) VALUES (?1, ?2)";
            transaction.prepare_cached(sql)?.execute(params![signed(seq), text.join(" ")])?;
            let sql = "INSERT INTO span (first, low, high) VALUES (?1, ?2, ?2)
                ON CONFLICT (first) DO UPDATE SET low = MIN(low, excluded.low), high = MAX(high, excluded.high)";
            transaction.prepare_cached(sql)?.execute([signed(span_of(seq)), at])?;
            head = Head { seq, chain };
        }
        sums.write(&transaction)?;
        let sql = "INSERT OR REPLACE INTO head (id, seq, chain) VALUES (1, ?1, ?2)";
        transaction.prepare_cached(sql)?.execute(params![signed(head.seq), head.chain.as_bytes()])?;
        transaction.commit()?;
        Ok((head.seq, head.seq == last))
    }
}

/// Whether what is there is no index. It may be removed: it holds nothing that is not in the log.
pub(super) fn is_spoilt(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Takes the index away; the next turn makes it anew.
pub(crate) fn remove(state: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        match fs::remove_file(state.join(format!("{SEARCH}{suffix}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
