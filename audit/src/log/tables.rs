//! The tables, and how the database is opened.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::files::DATABASE;
use crate::record::Kind;
use crate::tile;
use crate::tree::Tree;

/// The layout of the tables, in `user_version`.
pub(crate) const LAYOUT: i64 = 2;

/// The layout before the tree: records of version 1 and no tiles. It is read as it is, and brought up when it is written.
pub(crate) const TREELESS: i64 = 1;

/// `entry` is the log. Strings that repeat are interned in `name`, and all indexes are of integers: with text keys the
/// same disk takes a third of the rows. `running`, `hold`, `agent`, `pin` and `used` are projections, written in the
/// transaction of the record that causes them. `head` repeats the last record's number and chain value.
const RECORDS: &str = "
CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, chain BLOB NOT NULL) STRICT;
CREATE TABLE name (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE entry (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    call INTEGER,
    agent INTEGER,
    server INTEGER,
    tool INTEGER,
    risk INTEGER,
    verdict INTEGER,
    chain BLOB NOT NULL,
    record BLOB NOT NULL,
    body BLOB
) STRICT;
CREATE INDEX entry_call ON entry (call) WHERE call IS NOT NULL;
CREATE INDEX entry_agent ON entry (agent) WHERE agent IS NOT NULL;
CREATE INDEX entry_tool ON entry (tool) WHERE tool IS NOT NULL;
CREATE INDEX entry_verdict ON entry (verdict) WHERE verdict > 1;
CREATE INDEX entry_risk ON entry (risk) WHERE risk > 2;
CREATE TABLE running (intent INTEGER PRIMARY KEY) STRICT;
CREATE TABLE hold (id TEXT PRIMARY KEY, open INTEGER NOT NULL, hold TEXT NOT NULL, sealed BLOB) STRICT;
CREATE INDEX hold_open ON hold (open) WHERE open = 1;
CREATE TABLE agent (name TEXT PRIMARY KEY, token BLOB NOT NULL, expires INTEGER, added INTEGER NOT NULL) STRICT;
CREATE TABLE pin (
    server TEXT NOT NULL,
    method TEXT NOT NULL,
    name TEXT NOT NULL,
    pinned INTEGER NOT NULL,
    hash BLOB NOT NULL,
    definition TEXT NOT NULL,
    pending_hash BLOB,
    pending_definition TEXT,
    PRIMARY KEY (server, method, name)
) STRICT;
CREATE TABLE used (
    agent INTEGER NOT NULL,
    server INTEGER NOT NULL,
    tool INTEGER NOT NULL,
    first INTEGER NOT NULL,
    PRIMARY KEY (agent, server, tool)
) STRICT, WITHOUT ROWID;
";

/// `mark` is what is noted of a server beside its records: the digest of the package it was added as, and its quarantine.
/// `lease` is what backends made for one call and have not taken back. Made where they are missing, since logs that were
/// begun without them are continued. `pass` is a person's yes to calls like one that they saw, unless it was revoked;
/// `review` what others have to look at since somebody broke a hold's glass; `delegation` a right to approve that was lent,
/// by the number of its record. `erased` says up to which record bodies were erased, and up to which their space was given
/// back; `pruned` which records are gone, and what they led to. `hold_denied` has the holds that people denied by the end of their
/// time: a start asks for those whose time is not over, and of the others there may be millions.
const LATER: &str = "
CREATE TABLE IF NOT EXISTS mark (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lease (
    backend TEXT NOT NULL,
    lease TEXT NOT NULL,
    intent INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (backend, lease)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pass (hold TEXT PRIMARY KEY, pass TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS erased (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    bodies INTEGER NOT NULL,
    freed INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS pruned (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    minimum INTEGER NOT NULL,
    record INTEGER NOT NULL,
    state TEXT NOT NULL,
    done INTEGER NOT NULL,
    chain BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS review (hold TEXT PRIMARY KEY, review TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS delegation (id INTEGER PRIMARY KEY, delegation TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS hold_denied ON hold (json_extract(hold, '$.expires'))
    WHERE open = 0 AND instr(hold, '\"state\":\"denied\"') > 0;
";

/// Who answers for an agent, the people who were added, how often their PINs were wrong in a row, and their passkeys.
const OPERATORS: &str = "
CREATE TABLE IF NOT EXISTS owner (agent TEXT PRIMARY KEY, operator TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS operator (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    uid INTEGER,
    pin TEXT NOT NULL,
    added INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS failure (
    name TEXT NOT NULL,
    door TEXT NOT NULL,
    count INTEGER NOT NULL,
    last INTEGER,
    PRIMARY KEY (name, door)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS passkey (
    credential BLOB PRIMARY KEY,
    operator TEXT NOT NULL,
    label TEXT NOT NULL,
    site TEXT NOT NULL,
    key TEXT NOT NULL,
    counter INTEGER NOT NULL,
    added INTEGER NOT NULL,
    used INTEGER
) STRICT, WITHOUT ROWID;
";

/// Agents that an older version added have no owner beside their record.
const OWNERS: &str = "
INSERT OR REPLACE INTO owner (agent, operator)
SELECT json_extract(text, '$.detail.name'), json_extract(text, '$.detail.by') FROM (
    SELECT seq, CAST(record AS TEXT) AS text FROM entry WHERE agent IS NOT NULL AND kind = ?1
) WHERE json_extract(text, '$.detail.event') = 'agent-added' AND json_extract(text, '$.detail.by') IS NOT NULL
    AND json_extract(text, '$.detail.name') IN (SELECT name FROM agent)
ORDER BY seq;
";

/// `salt` is the seed of a record's salts. `tile` has the full tiles of level 0 and all above it; `checkpoint` the newest
/// one; `log_key` the keys that records name, the last of which signs.
const TREE: &str = "
ALTER TABLE entry ADD COLUMN salt BLOB;
CREATE TABLE tile (level INTEGER NOT NULL, place INTEGER NOT NULL, hashes BLOB NOT NULL, PRIMARY KEY (level, place)) STRICT;
CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;
CREATE TABLE log_key (seq INTEGER PRIMARY KEY, vkey TEXT NOT NULL) STRICT;
";

/// How long `SQLite` itself waits for another writer's lock before the log looks whether anyone still waits for it.
pub(crate) const LOCK_WAIT: Duration = Duration::from_millis(100);

/// Opens the database to write it.
pub(crate) fn open(state: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(state.join(DATABASE), flags)?;
    db.busy_timeout(LOCK_WAIT)?;
    db.set_prepared_statement_cache_capacity(64);
    // Else closing would write into, and remove by name, files that may no longer be ours.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    distrust(&db)?;
    db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    // FULL: a commit is on the disk when it returns. `secure_delete` overwrites what a hold's end erases.
    // 4,000 pages are 16 MB: seldom enough for the disk, small enough for a quick start after a crash.
    db.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 4000;",
    )?;
    Ok(db)
}

/// Obeys nothing that a database says by itself. Whoever can write the file could have a trigger drop records while their
/// insertion succeeds, or a view without an end read in the place of a table. The log has neither.
pub(crate) fn distrust(db: &Connection) -> rusqlite::Result<()> {
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    db.execute_batch("PRAGMA trusted_schema = OFF")
}

/// The layout of what is there; 0 for an empty file.
pub(crate) fn layout(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Whose file it says that it is.
pub(crate) fn application(db: &Connection) -> rusqlite::Result<i32> {
    db.query_row("PRAGMA application_id", [], |row| row.get(0))
}

/// Makes the tables that a later version added.
pub(crate) fn complete(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(LATER)?;
    let owned = "SELECT 1 FROM sqlite_schema WHERE name = 'owner'";
    let known = db.prepare(owned)?.exists([])?;
    db.execute_batch(OPERATORS)?;
    if !known {
        db.execute(OWNERS.trim().trim_end_matches(';'), [Kind::Event.code()])?;
    }
    Ok(())
}

/// What `ANALYZE` makes where somebody runs it: figures of the rows by which `SQLite` chooses its plans. They change no answer. A
/// start removes them, since its plans are tested without.
pub(crate) const FIGURES: [(&str, &str); 2] = [
    ("sqlite_stat1", "CREATE TABLE sqlite_stat1(tbl,idx,stat)"),
    ("sqlite_stat4", "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)"),
];

/// Removes them; whether there were any: a connection that knew them goes by them until it is opened anew.
pub(crate) fn forget_figures(db: &Connection) -> rusqlite::Result<bool> {
    let mut found = false;
    for (name, _) in FIGURES {
        if db.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?1")?.exists([name])? {
            db.execute_batch(&format!("DROP TABLE {name}"))?;
            found = true;
        }
    }
    Ok(found)
}

/// Makes the tables.
pub(crate) fn create(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(&format!("BEGIN IMMEDIATE; {RECORDS} {TREE} PRAGMA user_version = {LAYOUT}; COMMIT;"))
}

/// What every log of a layout has, in an empty database; with the tables of later versions, which it may lack.
pub(crate) fn model(layout: i64, later: bool) -> rusqlite::Result<Connection> {
    let db = Connection::open_in_memory()?;
    db.execute_batch(RECORDS)?;
    if layout != TREELESS {
        db.execute_batch(TREE)?;
    }
    if later {
        complete(&db)?;
    }
    Ok(db)
}

/// Brings a log without a tree up: its records stay as they are and become the first leaves.
pub(crate) fn grow(db: &Connection) -> rusqlite::Result<()> {
    let transaction = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
    transaction.execute_batch(TREE)?;
    let mut tree = Tree::default();
    loop {
        let leaves = tile::leaves(&transaction, tree.size(), tile::WIDTH)?;
        if leaves.is_empty() {
            break;
        }
        for leaf in leaves {
            tree.push(leaf).iter().try_for_each(|tile| tile.save(&transaction))?;
        }
    }
    transaction.execute_batch(&format!("PRAGMA user_version = {LAYOUT}"))?;
    transaction.commit()
}
