//! Whatever is changed in the database, `verify` names the first record that is not what was written.

use std::path::Path;

use audit::{BadNote, Broken, Event, VerifyError, What};
use policies::decision::Denial;
use policies::{AgentId, Hash, Method, ServerName};
use rusqlite::Connection;

use crate::world::{World, approve, call, decide, json, noon, refused};

/// Records: 1 the log's creation, 2 an agent, 3 a pin, 4 and 5 a call, 6 a hold, 7 its approval, 8 a refusal, 9 and 10 a call.
async fn log() -> World {
    let world = World::new();
    let token = Hash::of(b"token");
    let agent = Event::AgentAdded { name: AgentId::authenticated("ann"), token, expires: None, by: None };
    world.audit.note(agent, noon()).await.unwrap();
    let pin = Event::ToolPinned {
        server: ServerName::parse("files").unwrap(),
        method: Method::CallTool,
        name: "read".to_owned(),
        hash: Hash::of(b"definition"),
        definition: json("{}"),
    };
    world.audit.note(pin, noon()).await.unwrap();
    drop(world.call(r#"{"path":"/a"}"#, r#"{"text":"one"}"#).await);
    let hold = world.hold("{}").await;
    world.audit.step(hold.id().clone(), approve("olga"), noon()).await.unwrap();
    let policies::Verdict::Allow(basis) = decide(call("ann", "read", "{}"), noon()) else { panic!() };
    let denial = Denial::new(call("bob", "read", "{}"), basis.assessment().clone(), refused("no"));
    drop(world.audit.refuse(denial, noon()).await.unwrap());
    drop(world.call(r#"{"path":"/b"}"#, r#"{"text":"two"}"#).await);
    assert!(world.audit.stop().await);
    assert_eq!(world.verify().unwrap().records, 10);
    world
}

fn verdict(state: &Path, change: &str) -> Result<audit::Verified, VerifyError> {
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(state.join("portcullis.db"), copy.path().join("portcullis.db")).unwrap();
    let db = Connection::open(copy.path().join("portcullis.db")).unwrap();
    db.execute_batch("PRAGMA writable_schema = ON; PRAGMA ignore_check_constraints = ON;").unwrap();
    db.execute_batch(change).unwrap_or_else(|error| panic!("{change}: {error}"));
    drop(db);
    audit::verify(copy.path())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_found_and_named() {
    let world = log().await;
    let origin = audit::log_key(world.state.path()).unwrap().name().to_owned();
    let rows: &[(&str, u64, What)] = &[
        // The record itself, at either end of its bytes.
        (
            "UPDATE entry SET record = CAST(replace(CAST(record AS TEXT), 'ann', 'bob') AS BLOB) WHERE seq = 4",
            4,
            What::Chain,
        ),
        ("UPDATE entry SET record = CAST(record || x'20' AS BLOB) WHERE seq = 5", 5, What::Chain),
        ("UPDATE entry SET record = substr(record, 1, length(record) - 1) WHERE seq = 5", 5, What::Chain),
        ("UPDATE entry SET record = x'' WHERE seq = 8", 8, What::Chain),
        ("UPDATE entry SET chain = zeroblob(32) WHERE seq = 6", 6, What::Chain),
        ("UPDATE entry SET chain = zeroblob(31) WHERE seq = 6", 6, What::Column("chain")),
        // Order and number.
        ("DELETE FROM entry WHERE seq = 1", 1, What::Missing),
        ("DELETE FROM entry WHERE seq = 7", 7, What::Missing),
        (
            "UPDATE entry SET seq = 100 WHERE seq = 4; UPDATE entry SET seq = 4 WHERE seq = 9; UPDATE entry SET seq = 9 WHERE seq = 100",
            4,
            What::Chain,
        ),
        ("UPDATE entry SET seq = 0 WHERE seq = 1", 1, What::Missing),
        (
            "INSERT INTO entry SELECT 11, at, kind, call, agent, server, tool, risk, verdict, chain, record, body, salt FROM entry WHERE seq = 10",
            11,
            What::Chain,
        ),
        // The end: the head knows how far the log went.
        ("DELETE FROM entry WHERE seq = 10", 10, What::End { found: 9, head: 10 }),
        ("DELETE FROM entry WHERE seq > 4", 5, What::End { found: 4, head: 10 }),
        ("DELETE FROM entry", 1, What::End { found: 0, head: 10 }),
        ("DELETE FROM head", 1, What::End { found: 10, head: 0 }),
        ("UPDATE head SET chain = zeroblob(32)", 10, What::Head),
        ("UPDATE head SET seq = 9", 10, What::End { found: 10, head: 9 }),
        // Salts.
        ("UPDATE entry SET salt = zeroblob(32) WHERE seq = 6", 6, What::Chain),
        ("UPDATE entry SET salt = NULL WHERE seq = 6", 6, What::Chain),
        ("UPDATE entry SET salt = (SELECT salt FROM entry WHERE seq = 5) WHERE seq = 6", 6, What::Chain),
        // Tiles and checkpoint.
        ("INSERT INTO tile VALUES (0, 0, zeroblob(32))", 10, What::Tile("… (1 tiles, 0 belong there)".to_owned())),
        ("DELETE FROM checkpoint", 10, What::NoCheckpoint),
        ("INSERT INTO checkpoint SELECT 3, note FROM checkpoint", 10, What::NoCheckpoint),
        ("UPDATE checkpoint SET size = 9", 9, What::Origin(origin.clone())),
        ("UPDATE checkpoint SET note = note || 'x'", 10, What::Note(BadNote::Form)),
        ("UPDATE log_key SET seq = 2", 2, What::Projection("list of the log's keys")),
        ("DELETE FROM log_key", 1, What::Projection("list of the log's keys")),
        // What queries go by.
        ("UPDATE entry SET at = at + 1 WHERE seq = 4", 4, What::Column("at")),
        ("UPDATE entry SET kind = 2 WHERE seq = 4", 4, What::Column("kind")),
        ("UPDATE entry SET call = call + 1 WHERE seq = 4", 4, What::Column("call")),
        ("UPDATE entry SET call = NULL WHERE seq = 4", 4, What::Column("call")),
        ("UPDATE entry SET risk = 9 WHERE seq = 4", 4, What::Column("risk")),
        ("UPDATE entry SET verdict = 1 WHERE seq = 8", 8, What::Column("verdict")),
        ("UPDATE entry SET agent = (SELECT id FROM name WHERE text = 'ann') WHERE seq = 8", 8, What::Column("agent")),
        ("UPDATE entry SET agent = NULL WHERE seq = 8", 8, What::Column("agent")),
        ("UPDATE entry SET agent = 999 WHERE seq = 1", 1, What::Column("agent")),
        ("UPDATE entry SET server = tool WHERE seq = 4", 4, What::Column("server")),
        ("UPDATE entry SET tool = server WHERE seq = 4", 4, What::Column("tool")),
        ("UPDATE name SET text = 'bert' WHERE text = 'bob'", 8, What::Column("agent")),
        ("DELETE FROM name WHERE text = 'read'", 4, What::Column("tool")),
        // Bodies.
        ("UPDATE entry SET body = CAST('{\"path\":\"/c\"}' AS BLOB) WHERE seq = 4", 4, What::Body),
        ("UPDATE entry SET body = NULL WHERE seq = 5", 5, What::NoBody),
        ("UPDATE entry SET body = x'7b7d' WHERE seq = 7", 7, What::NoBody),
        // Projections.
        ("UPDATE agent SET token = zeroblob(32)", 2, What::Projection("agent")),
        ("DELETE FROM agent", 2, What::Projection("agent")),
        ("INSERT INTO agent (name, token, added) VALUES ('mallory', zeroblob(32), 0)", 0, What::Projection("agent")),
        ("UPDATE pin SET hash = zeroblob(32)", 3, What::Projection("pin")),
        ("UPDATE pin SET pending_hash = zeroblob(32), pending_definition = '{}'", 3, What::Projection("pin")),
        ("UPDATE hold SET hold = replace(hold, 'approved', 'consumed')", 7, What::Projection("hold")),
        ("DELETE FROM hold", 7, What::Projection("hold")),
        // Columns that a start or an operator goes by: all of them are in `columns.rs`.
        ("UPDATE agent SET expires = 1", 2, What::Projection("agent")),
        ("UPDATE pin SET definition = '{\"name\":\"read\"}'", 3, What::Projection("pin")),
        ("UPDATE hold SET open = 0", 7, What::Projection("hold")),
        ("UPDATE hold SET sealed = NULL", 7, What::Projection("hold")),
        ("DELETE FROM used", 4, What::Projection("first use")),
        ("INSERT INTO used SELECT tool, server, agent, 4 FROM used", 4, What::Projection("first use")),
        ("INSERT INTO running (intent) VALUES (4)", 4, What::Projection("list of running calls")),
    ];
    for (change, seq, what) in rows {
        match verdict(world.state.path(), change) {
            Err(VerifyError::Broken(broken)) => {
                assert_eq!(broken, Broken { seq: *seq, what: what.clone() }, "{change}");
            }
            other => panic!("{change}: {other:?}"),
        }
    }
    assert!(verdict(world.state.path(), "SELECT 1").is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flipped_byte_of_every_record_is_found_at_its_record() {
    let world = log().await;
    let db = Connection::open(world.state.path().join("portcullis.db")).unwrap();
    for seq in 1..=10_u64 {
        let length: i64 = db
            .query_row("SELECT length(record) FROM entry WHERE seq = ?1", [i64::try_from(seq).unwrap()], |row| {
                row.get(0)
            })
            .unwrap();
        // A stride that is no divisor of anything: other places in each record.
        for place in (1..=length).step_by(97) {
            let flip = format!(
                "UPDATE entry SET record = CAST(substr(record, 1, {place} - 1) || x'01' || substr(record, {place} + 1) AS BLOB) WHERE seq = {seq}"
            );
            let Err(VerifyError::Broken(broken)) = verdict(world.state.path(), &flip) else { panic!("{flip}") };
            assert_eq!(broken, Broken { seq, what: What::Chain }, "{flip}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_changed_at_its_end_is_not_continued() {
    let world = log().await;
    let db = Connection::open(world.state.path().join("portcullis.db")).unwrap();
    db.execute_batch("UPDATE entry SET record = CAST(record || x'20' AS BLOB) WHERE seq = 9").unwrap();
    drop(db);
    let refused = crate::world::try_start(world.state.path());
    assert!(matches!(refused, Err(audit::StartError::Broken { seq: 9, .. })));
}
