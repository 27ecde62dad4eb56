//! What a start finds: the head, the projections, and the entries that a crash left open.

use jiff::Timestamp;
use policies::approval::{Delegation, Hold, HoldState, Pass, Review};
use policies::{AgentId, CallId, Hash, Limits, Method, OperatorId, Role, ServerName, Value};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row};
use thiserror::Error;

use super::pen::{Head, signed};
use super::views::{Agent, Borrowed, Change, Mark, MarkKind, Pending, Pin, Views, used_key};
use super::work::Debt;
use crate::operator::{Door, Failures, Operator, Verifier};
use crate::passkey::{Credential, Passkey};
use crate::record::{self, Record, Subject};
use crate::tile;
use crate::tree::Tree;

/// How many records before the head are checked at start. All of them are `log verify`'s work; these catch a torn or
/// restored file before anything is added to it.
const CHECKED: u64 = 1_000;

/// What still runs, and with what. CROSS: else `SQLite` goes through the log, of millions, to find the few that it needs.
const RUNNING: &str = "SELECT intent, record FROM running CROSS JOIN entry ON seq = intent ORDER BY intent";

/// The holds that people denied and whose time may not be over. `instr`: as the index that they are found by says it; a text that
/// has such words in it has its quotation marks escaped. INDEXED: else `SQLite` goes through all holds, since they are in order.
const DENIED: &str =
    "SELECT hold FROM hold INDEXED BY hold_denied WHERE open = 0 AND instr(hold, '\"state\":\"denied\"') > 0
    AND json_extract(hold, '$.expires') > ?1 ORDER BY rowid DESC";

/// Why the log that is there cannot be continued.
#[derive(Debug, Error)]
pub(crate) enum Unusable {
    #[error("record {seq} is not what was written: {what}")]
    Broken { seq: u64, what: &'static str },
    #[error("cannot read the database")]
    Database(#[from] rusqlite::Error),
}

/// Reads the head and checks that the last records lead to it.
pub(crate) fn head(db: &Connection) -> Result<Head, Unusable> {
    let stored = db
        .query_row("SELECT seq, chain FROM head", [], |row| Ok((number(row, 0)?, hash(row, 1)?)))
        .optional()?
        .map_or_else(Head::start, |(seq, chain)| Head { seq, chain });
    let last: u64 = db.query_row("SELECT COALESCE(MAX(seq), 0) FROM entry", [], |row| number(row, 0))?;
    if last != stored.seq {
        return Err(Unusable::Broken {
            seq: stored.seq.min(last) + 1,
            what: "the log ends at another record than its head says",
        });
    }
    let (gone, after) = super::pruned::base(db)?;
    let first = stored.seq.saturating_sub(CHECKED).max(gone);
    let mut chain = if first == gone { after } else { chain_at(db, first)? };
    let mut rows = db.prepare("SELECT seq, chain, record, salt FROM entry WHERE seq > ?1 ORDER BY seq")?;
    let mut rows = rows.query([signed(first)])?;
    while let Some(row) = rows.next()? {
        let seq = number(row, 0)?;
        let (stored, seed): (Vec<u8>, Option<Vec<u8>>) = (row.get(2)?, row.get(3)?);
        chain = record::chain(&chain, &record::leaf(&record::canonical(&stored, seed.as_deref())));
        if chain != hash(row, 1)? {
            return Err(Unusable::Broken { seq, what: "its hash does not follow from the record before it" });
        }
    }
    if chain == stored.chain {
        Ok(stored)
    } else {
        Err(Unusable::Broken { seq: stored.seq, what: "the head has another hash" })
    }
}

/// The tree's right edge. Of level 0 it is made of the records; above, of the tiles.
pub(crate) fn tree(db: &Connection, size: u64) -> Result<Tree, Unusable> {
    let mut edge = Vec::new();
    let mut each = 1_u64;
    for level in 0_u8.. {
        let width = size / each % tile::WIDTH;
        let index = size / each / tile::WIDTH;
        let hashes = match (width, level) {
            (0, _) => Vec::new(),
            (_, 0) => tile::leaves(db, index * tile::WIDTH, tile::WIDTH)?,
            (_, _) => tile::load(db, level, index)?.unwrap_or_default(),
        };
        if hashes.len() as u64 != width {
            return Err(Unusable::Broken { seq: size, what: "the last tiles of its tree are not there" });
        }
        edge.push(hashes);
        match each.checked_mul(tile::WIDTH).filter(|each| *each <= size) {
            Some(next) => each = next,
            None => break,
        }
    }
    Ok(Tree::with_edge(size, edge))
}

fn chain_at(db: &Connection, seq: u64) -> rusqlite::Result<Hash> {
    db.query_row("SELECT chain FROM entry WHERE seq = ?1", [signed(seq)], |row| hash(row, 0))
}

/// Reads the projections.
pub(crate) fn views(db: &Connection) -> rusqlite::Result<Views> {
    let mut views = Views::default();
    let mut change = |change| views.apply(change);
    let agents = "SELECT name, token, expires, added, operator FROM agent LEFT JOIN owner ON owner.agent = agent.name";
    each(db, agents, |row| agent(row).map(Change::Agent).map(&mut change))?;
    let pins = "SELECT server, method, name, pinned, hash, definition, pending_hash, pending_definition FROM pin";
    each(db, pins, |row| pin(row).map(Change::Pin).map(&mut change))?;
    each(db, "SELECT hold FROM hold WHERE open = 1", |row| hold(row).map(Box::new).map(Change::Hold).map(&mut change))?;
    each(db, "SELECT pass FROM pass", |row| pass(row).map(Box::new).map(Change::Pass).map(&mut change))?;
    each(db, "SELECT review FROM review", |row| review(row).map(Box::new).map(Change::Review).map(&mut change))?;
    let used = "SELECT a.text, s.text, t.text FROM used JOIN name a ON a.id = agent JOIN name s ON s.id = server
                JOIN name t ON t.id = tool";
    each(db, used, |row| {
        let text = |at: usize| row.get_ref(at)?.as_str().map_err(rusqlite::Error::from);
        let key = used_key(text(0)?, text(1)?, text(2)?);
        change(Change::Used(key));
        Ok(())
    })?;
    each(db, "SELECT kind, name, value, at FROM mark", |row| mark(row).map(Change::Mark).map(&mut change))?;
    each(db, "SELECT backend, lease, intent, at FROM lease", |row| {
        borrowed(row).map(Change::Borrowed).map(&mut change)
    })?;
    let operators = "SELECT name, role, uid, pin, added FROM operator";
    each(db, operators, |row| operator(row).map(Change::Operator).map(&mut change))?;
    each(db, "SELECT name, door, count, last FROM failure", |row| failures(row).map(&mut change))?;
    each(db, "SELECT delegation, id FROM delegation", |row| {
        let id = number(row, 1)?;
        delegation(row).map(Box::new).map(|delegation| change(Change::Delegation(id, delegation)))
    })?;
    each(db, super::passkeys::SELECT, |row| passkey(row).map(Box::new).map(Change::Passkey).map(&mut change))?;
    Ok(views)
}

/// The denied holds whose time is not over, the newest first: all of them, since how many others end meanwhile is an agent's to
/// choose, who may open and cancel as many as it likes.
pub(crate) fn denied(db: &Connection, now: Timestamp) -> rusqlite::Result<Vec<Hold>> {
    // Texts of whole seconds and of parts of one are in no order within a second, so a second more is read.
    let second = Timestamp::from_second(now.as_second().saturating_sub(1)).unwrap_or(Timestamp::MIN);
    let mut statement = db.prepare(DENIED)?;
    let mut rows = statement.query([second.to_string()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let hold = hold(row)?;
        if matches!(hold.state(), HoldState::Denied { .. }) && now < hold.expires() {
            found.push(hold);
        }
    }
    Ok(found)
}

/// The intents without an outcome.
pub(crate) fn running(db: &Connection) -> Result<Vec<Debt>, Unusable> {
    let mut found = Vec::new();
    each(db, RUNNING, |row| {
        found.push((number(row, 0)?, row.get::<_, Vec<u8>>(1)?));
        Ok(())
    })?;
    let debt = |(intent, bytes): (u64, Vec<u8>)| {
        let subject = Record::parse(&bytes).ok().and_then(subject);
        let subject = subject.ok_or(Unusable::Broken { seq: intent, what: "it is not an intent" })?;
        Ok(Debt::Interrupted { intent, subject, why: "the gateway stopped while the call ran" })
    };
    found.into_iter().map(debt).collect()
}

fn subject(record: Record) -> Option<Subject> {
    Some(Subject {
        call: record.call?,
        agent: AgentId::parse(&record.agent?).ok()?,
        session: record.session?,
        server: record.server?,
        tool: record.tool?,
        method: record.method?,
        risk: record.risk,
    })
}

fn each(db: &Connection, sql: &str, mut visit: impl FnMut(&Row<'_>) -> rusqlite::Result<()>) -> rusqlite::Result<()> {
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        visit(row)?;
    }
    Ok(())
}

fn agent(row: &Row<'_>) -> rusqlite::Result<Agent> {
    let expires: Option<i64> = row.get(2)?;
    Ok(Agent {
        name: parsed(row, 0, |name| AgentId::parse(name).ok())?,
        token: hash(row, 1)?,
        expires: expires.map(|at| timestamp(at, 2)).transpose()?,
        added: timestamp(row.get(3)?, 3)?,
        owner: match row.get_ref(4)?.as_str_or_null()? {
            Some(_) => Some(parsed(row, 4, |name| OperatorId::parse(name).ok())?),
            None => None,
        },
    })
}

fn operator(row: &Row<'_>) -> rusqlite::Result<Operator> {
    Ok(Operator {
        name: parsed(row, 0, |name| OperatorId::parse(name).ok())?,
        role: parsed(row, 1, Role::parse)?,
        uid: row.get(2)?,
        pin: Verifier::new(row.get(3)?),
        added: timestamp(row.get(4)?, 4)?,
    })
}

pub(crate) fn passkey(row: &Row<'_>) -> rusqlite::Result<Passkey> {
    let used: Option<i64> = row.get(7)?;
    Ok(Passkey {
        credential: Credential::new(row.get(0)?).ok_or_else(|| malformed(0))?,
        operator: parsed(row, 1, |name| OperatorId::parse(name).ok())?,
        label: row.get(2)?,
        site: row.get(3)?,
        key: parsed(row, 4, |key| key.parse().ok())?,
        counter: row.get(5)?,
        added: timestamp(row.get(6)?, 6)?,
        used: used.map(|at| timestamp(at, 7)).transpose()?,
    })
}

fn failures(row: &Row<'_>) -> rusqlite::Result<Change> {
    let last: Option<i64> = row.get(3)?;
    let last = last.map(|at| timestamp(at, 3)).transpose()?;
    let name = parsed(row, 0, |name| OperatorId::parse(name).ok())?;
    Ok(Change::Failures(name, parsed(row, 1, Door::parse)?, Failures { count: row.get(2)?, last }))
}

pub(crate) fn pin(row: &Row<'_>) -> rusqlite::Result<Pin> {
    let json = |text: &str| Value::parse(text.as_bytes(), &Limits::ANSWER).ok();
    let pending = match row.get_ref(6)?.as_blob_or_null()? {
        None => None,
        Some(_) => Some(Pending { hash: hash(row, 6)?, definition: parsed(row, 7, json)? }),
    };
    Ok(Pin {
        server: parsed(row, 0, |name| ServerName::parse(name).ok())?,
        method: parsed(row, 1, method)?,
        name: row.get(2)?,
        pinned: timestamp(row.get(3)?, 3)?,
        hash: hash(row, 4)?,
        definition: parsed(row, 5, json)?,
        pending,
    })
}

fn borrowed(row: &Row<'_>) -> rusqlite::Result<Borrowed> {
    Ok(Borrowed { backend: row.get(0)?, lease: row.get(1)?, intent: number(row, 2)?, at: timestamp(row.get(3)?, 3)? })
}

fn mark(row: &Row<'_>) -> rusqlite::Result<Mark> {
    Ok(Mark {
        kind: parsed(row, 0, MarkKind::parse)?,
        name: parsed(row, 1, |name| ServerName::parse(name).ok())?,
        value: row.get(2)?,
        at: timestamp(row.get(3)?, 3)?,
    })
}

pub(crate) fn hold(row: &Row<'_>) -> rusqlite::Result<Hold> {
    parsed(row, 0, |text| serde_json::from_str(text).ok())
}

pub(crate) fn pass(row: &Row<'_>) -> rusqlite::Result<Pass> {
    parsed(row, 0, |text| serde_json::from_str(text).ok())
}

pub(crate) fn review(row: &Row<'_>) -> rusqlite::Result<Review> {
    parsed(row, 0, |text| serde_json::from_str(text).ok())
}

pub(crate) fn delegation(row: &Row<'_>) -> rusqlite::Result<Delegation> {
    parsed(row, 0, |text| serde_json::from_str(text).ok())
}

fn method(name: &str) -> Option<Method> {
    let all = [Method::CallTool, Method::ReadResource, Method::GetPrompt, Method::Complete];
    all.into_iter().find(|method| method.as_str() == name)
}

fn parsed<T>(row: &Row<'_>, column: usize, parse: impl Fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    parse(row.get_ref(column)?.as_str()?).ok_or_else(|| malformed(column))
}

pub(crate) fn hash(row: &Row<'_>, column: usize) -> rusqlite::Result<Hash> {
    Ok(Hash::from_bytes(row.get(column)?))
}

pub(crate) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    u64::try_from(row.get::<_, i64>(column)?).map_err(|_| malformed(column))
}

fn timestamp(micros: i64, column: usize) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(micros).map_err(|_| malformed(column))
}

fn malformed(column: usize) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, "not what was written there".into())
}

/// The calls that these debts are about.
pub(crate) fn calls(debts: &[Debt]) -> Vec<CallId> {
    let call = |debt: &Debt| match debt {
        Debt::Interrupted { subject, .. } => Some(subject.call.clone()),
        Debt::Withheld { .. } => None,
    };
    debts.iter().filter_map(call).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::tables;

    #[test]
    fn a_start_finds_what_was_denied_by_its_index_and_looks_through_no_other_hold() {
        let db = Connection::open_in_memory().unwrap();
        tables::create(&db).unwrap();
        tables::complete(&db).unwrap();
        let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {DENIED}")).unwrap();
        let plan = plan.query_map([""], |row| row.get::<_, String>(3)).unwrap();
        let plan: Vec<String> = plan.map(Result::unwrap).collect();
        assert_eq!(plan, ["SEARCH hold USING INDEX hold_denied (<expr>>?)", "USE TEMP B-TREE FOR ORDER BY"]);
    }
}
