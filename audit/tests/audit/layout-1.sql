-- The tables as the first layout had them: what a log from before the tree is read from.
PRAGMA journal_mode = WAL;
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
PRAGMA user_version = 1;
