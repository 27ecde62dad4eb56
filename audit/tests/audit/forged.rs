//! Whoever can write the database and has no key: what they rewrite is found, and what they add is told.

use std::fs;
use std::path::Path;

use audit::record::{chain, leaf};
use audit::{BadNote, Broken, Event, FileKey, KeyType, NotOurs, Signer as _, StartError, Trusted, VerifyError, What};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use policies::{AgentId, Hash};
use rusqlite::{Connection, params};
use serde_json::json;

use crate::world::{World, noon, try_start};

pub(crate) fn database(state: &Path) -> Connection {
    Connection::open(state.join("portcullis.db")).unwrap()
}

/// Adds an event as whoever can write the database does: of version 1, whose bytes are what is hashed. Answers its number.
pub(crate) fn append(state: &Path, detail: &serde_json::Value) -> u64 {
    let db = database(state);
    let head = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?));
    let (last, before) = db.query_row("SELECT seq, chain FROM head", [], head).unwrap();
    let seq = last + 1;
    let at = noon();
    let record = format!(r#"{{"v":1,"seq":{seq},"at":"{at}","kind":"event","detail":{detail}}}"#);
    let chain = chain(&Hash::from_bytes(before), &leaf(record.as_bytes()));
    let row = params![seq, at.as_microsecond(), chain.as_bytes(), record.as_bytes()];
    db.execute("INSERT INTO entry (seq, at, kind, chain, record) VALUES (?1, ?2, 7, ?3, ?4)", row).unwrap();
    db.execute("UPDATE head SET seq = ?1, chain = ?2", params![seq, chain.as_bytes()]).unwrap();
    u64::try_from(seq).unwrap()
}

/// A note of this text, signed with this key.
pub(crate) fn note(key: &FileKey, text: &str) -> String {
    let public = key.verifier().to_string();
    let id = u32::from_str_radix(public.split('+').nth(1).unwrap(), 16).unwrap().to_be_bytes();
    let signature = [id.as_slice(), &key.sign(text.as_bytes()).unwrap()].concat();
    format!("{text}\n— {} {}\n", key.verifier().name(), BASE64.encode(signature))
}

fn own_key(world: &World) -> FileKey {
    FileKey::read(&world.state.path().join("log.key"), KeyType::Log).unwrap()
}

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
    let db = database(world.state.path());
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
    drop(fs::remove_file(world.state.path().join("search.db")));
    match world.verify() {
        Err(VerifyError::Broken(broken)) => assert_eq!(broken, Broken { seq: 3, what: What::Chain }),
        other => panic!("{other:?}"),
    }
    assert!(matches!(try_start(world.state.path()), Err(StartError::Broken { seq: 3, .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_log_that_names_the_trusted_key_at_its_end_is_a_strangers() {
    for vouched in [false, true] {
        let (stranger, owner) = (World::new(), World::new());
        drop(stranger.call(r#"{"path":"/forged"}"#, "{}").await);
        assert!(stranger.audit.stop().await && owner.audit.stop().await);
        let (state, trusted) = (stranger.state.path(), own_key(&owner).verifier().clone());
        let mut detail = json!({ "event": "log-key-rotated", "key": trusted.to_string() });
        if vouched {
            // The stranger can vouch for anyone.
            detail["signed"] = note(&own_key(&stranger), &format!("portcullis log key/v1\n{trusted}\n")).into();
        }
        let seq = append(state, &detail);
        let row = params![i64::try_from(seq).unwrap(), trusted.to_string()];
        database(state).execute("INSERT INTO log_key (seq, vkey) VALUES (?1, ?2)", row).unwrap();
        audit::verify(state).unwrap();
        let with = Trusted { key: Some(trusted.clone()), checkpoint: None };
        match audit::verify_with(state, &with) {
            Err(VerifyError::Broken(Broken { what: What::Note(BadNote::Unsigned(key)), .. })) => {
                assert_eq!(key, trusted.to_string());
            }
            other => panic!("{vouched}: {other:?}"),
        }
        // Nor does the owner's gateway go on with it, and sign it.
        fs::copy(owner.state.path().join("log.key"), state.join("log.key")).unwrap();
        match try_start(state).map(|_| ()) {
            Err(StartError::NotOurs(NotOurs::NeverSigned(key))) => assert_eq!(key, trusted.to_string()),
            other => panic!("{vouched}: {other:?}"),
        }
        assert_eq!(audit::verify(state).unwrap().records, seq);
    }
}

/// Signs nothing.
struct Mute(FileKey);

impl audit::Signer for Mute {
    fn verifier(&self) -> &audit::VerifierKey {
        self.0.verifier()
    }

    fn sign(&self, _: &[u8]) -> std::io::Result<[u8; 64]> {
        Err(std::io::Error::other("it sulks"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_follows_that_does_not_sign() {
    let world = World::new();
    assert!(world.audit.stop().await);
    let state = world.state.path();
    let before = audit::verify(state).unwrap();
    let mute = Mute(FileKey::make(&state.join("other.key"), "portcullis/mute", KeyType::Log).unwrap());
    let config = audit::Config::new(state, noon).reserve(1 << 20).signer(Some(std::sync::Arc::new(mute)));
    assert!(matches!(audit::rotate_key(&config), Err(StartError::NoSignature(_))));
    assert_eq!(audit::verify(state).unwrap(), before, "the record that would name it is not there");
    assert!(try_start(state).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_adds_while_no_gateway_runs_is_named_and_told_for_ever() {
    let mut world = World::new();
    assert!(world.audit.stop().await);
    let state = world.state.path().to_owned();
    assert_eq!(world.verify().unwrap().unsigned(), None);
    let token = Hash::of(b"mallory");
    let added = || {
        let known = Hash::of(token.as_bytes()).to_string();
        append(&state, &json!({ "event": "agent-added", "name": "mallory", "token": known, "by": null }))
    };
    let seq = added();
    let row = "INSERT INTO agent (name, token, added) VALUES ('mallory', ?1, ?2)";
    let values = rusqlite::params![token.as_bytes().as_slice(), noon().as_microsecond()];
    database(&state).execute(row, values).unwrap();
    let verified = world.verify().unwrap();
    assert_eq!((verified.unsigned(), verified.continued), (Some((seq, seq)), vec![]));
    // The gateway signs it, as it would what a crash left, and says that it was not signed.
    let (audit, _) = crate::world::start(&state);
    world.audit = audit;
    assert!(world.audit.stop().await);
    let verified = world.verify().unwrap();
    assert_eq!((verified.unsigned(), verified.continued), (None, vec![seq + 1]));
    let said = |seq: u64| {
        let reader = audit::Reader::open(&state).unwrap();
        let detail = reader.tail(seq - 1, 1).unwrap().remove(0).record.detail;
        let number = |name: &str| detail.get(name).unwrap().as_u64().unwrap();
        assert_eq!(detail.get("event").unwrap().as_str(), Some("log-continued"));
        (number("signed"), number("head"))
    };
    assert_eq!(said(seq + 1), (seq - 1, seq));
    // Nor is it signed unseen where the key changes.
    let seq = added();
    audit::rotate_key(&audit::Config::new(&state, noon).reserve(1 << 20)).unwrap();
    assert_eq!(world.verify().unwrap().continued, [seq - 1, seq + 2]);
    assert_eq!(said(seq + 2), (seq - 1, seq));
    let (rotated, seq) = ([seq - 1, seq + 2], added());
    audit::accept(&audit::Config::new(&state, noon).reserve(1 << 20), "it is meant").unwrap();
    let told = [rotated[0], rotated[1], seq + 2];
    assert_eq!(world.verify().unwrap().continued, told);
    // After an orderly stop there is nothing to say.
    let (audit, _) = crate::world::start(&state);
    assert!(audit.stop().await);
    assert_eq!(world.verify().unwrap().continued, told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_outside_that_no_key_of_the_log_signed_is_none() {
    let world = World::new();
    drop(world.call("{}", "{}").await);
    assert!(world.audit.stop().await);
    let (state, file) = (world.state.path(), world.state.path().join("checkpoint"));
    let (own, kept) = (own_key(&world), fs::read_to_string(&file).unwrap());
    let name = own.verifier().name();
    let stranger = FileKey::make(&state.join("stranger.key"), name, KeyType::Log).unwrap();
    // Of nothing, which every database leads to; and of what is there.
    let nothing = format!("{name}\n0\n{}\n", BASE64.encode(Hash::of(b"").as_bytes()));
    let (text, line) = kept.split_once("\n\n").unwrap();
    let junk = format!("{nothing}\n{line}");
    for wrong in [junk, note(&stranger, &nothing), note(&stranger, &format!("{text}\n")), format!("{nothing}\n")] {
        fs::write(&file, &wrong).unwrap();
        match try_start(state).map(|_| ()) {
            Err(StartError::NotOurs(NotOurs::BadCheckpoint(_))) => {}
            other => panic!("{wrong}: {other:?}"),
        }
        match audit::outside(state) {
            Err(VerifyError::Broken(Broken { what: What::Outside(_), .. })) => {}
            other => panic!("{wrong}: {other:?}"),
        }
    }
    // What the log's own key signed is one, of whatever size.
    for right in [note(&own, &nothing), kept] {
        fs::write(&file, &right).unwrap();
        assert!(audit::outside(state).unwrap().is_some());
        let (audit, _) = crate::world::start(state);
        assert!(audit.stop().await);
    }
    fs::remove_file(&file).unwrap();
    assert_eq!(audit::outside(state).unwrap(), None);
}
