//! Whoever can write the database and has no key: what they rewrite is found, and what they add is told.

use audit::{Broken, Event, StartError, VerifyError, What};
use policies::{AgentId, Hash};
use rusqlite::Connection;

use crate::world::{World, noon, try_start};

fn agent(name: &str) -> Event {
    Event::AgentAdded { name: AgentId::authenticated(name), token: Hash::of(name.as_bytes()), expires: None, by: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_whose_detail_is_moved_beside_it_is_not_the_record() {
    let world = World::new();
    world.audit.note(agent("ann"), noon()).await.unwrap();
    let removed = Event::AgentRemoved { name: AgentId::authenticated("ann"), by: None };
    world.audit.note(removed, noon()).await.unwrap();
    assert!(world.audit.stop().await);
    let db = Connection::open(world.state.path().join("portcullis.db")).unwrap();
    let read = |row: &rusqlite::Row<'_>| row.get::<_, Vec<u8>>(0);
    let record = db.query_row("SELECT record FROM entry WHERE seq = 3", [], read).unwrap();
    let record = String::from_utf8(record).unwrap();
    let (before, detail) = record.split_once(r#""detail":{"#).unwrap();
    assert_eq!(detail, r#""event":"agent-removed","name":"ann","by":null}}"#);
    // The same names and values, each of which is committed to as before, and nothing that anybody would read.
    let beside = detail.strip_suffix("}}").unwrap().replace(r#""event""#, r#""detail.event""#);
    let beside = beside.replace(r#""name""#, r#""detail.name""#).replace(r#""by""#, r#""detail.by""#);
    let hidden = format!(r#"{before}"detail":{{}},{beside}}}"#);
    db.execute("UPDATE entry SET record = ?1 WHERE seq = 3", [hidden.as_bytes()]).unwrap();
    db.execute(
        "INSERT INTO agent (name, token, added) VALUES ('ann', ?1, 0)",
        [Hash::of(b"ann").as_bytes().as_slice()],
    )
    .unwrap();
    drop(db);
    drop(std::fs::remove_file(world.state.path().join("search.db")));
    match world.verify() {
        Err(VerifyError::Broken(broken)) => assert_eq!(broken, Broken { seq: 3, what: What::Chain }),
        other => panic!("{other:?}"),
    }
    assert!(matches!(try_start(world.state.path()), Err(StartError::Broken { seq: 3, .. })));
}
