//! Every column of every table, and what it is compared with. A column that is added has to be put here, with a change of it
//! that is found.

use std::collections::BTreeSet;
use std::path::Path;

use audit::assertion::PublicKey;
use audit::{Broken, Credential, Door, Event, Verifier, VerifyError};
use jiff::SignedDuration;
use policies::approval::{Delegation, Hold, Leeway, Pass, Step, Within};
use policies::{AgentId, Hash, HoldId, Method, OperatorId, Role, ServerName};
use rusqlite::Connection;

use crate::world::{World, held, json, later, noon, random};

/// A column, a change of it, and how what is found begins.
const COLUMNS: [(&str, &str, &str); 98] = [
    ("head.seq", "UPDATE head SET seq = seq - 1", "the log ends with record"),
    ("head.chain", "UPDATE head SET chain = zeroblob(32)", "the head has another hash"),
    ("name.id", "UPDATE name SET id = id + 100", "the column `"),
    ("name.text", "UPDATE name SET text = 'eve' WHERE text = 'ann'", "the column `agent`"),
    ("entry.seq", "UPDATE entry SET seq = 1000 WHERE seq = 3", "it is missing"),
    ("entry.at", "UPDATE entry SET at = at + 1 WHERE kind = 1", "the column `at`"),
    ("entry.kind", "UPDATE entry SET kind = 2 WHERE kind = 1", "the column `kind`"),
    ("entry.call", "UPDATE entry SET call = call + 1 WHERE kind = 1", "the column `call`"),
    ("entry.agent", "UPDATE entry SET agent = server WHERE kind = 1", "the column `agent`"),
    ("entry.server", "UPDATE entry SET server = tool WHERE kind = 1", "the column `server`"),
    ("entry.tool", "UPDATE entry SET tool = server WHERE kind = 1", "the column `tool`"),
    ("entry.risk", "UPDATE entry SET risk = 9 WHERE kind = 1", "the column `risk`"),
    ("entry.verdict", "UPDATE entry SET verdict = 3 WHERE kind = 1", "the column `verdict`"),
    ("entry.chain", "UPDATE entry SET chain = zeroblob(32) WHERE seq = 3", "its hash does not follow"),
    ("entry.record", "UPDATE entry SET record = x'7b7d' WHERE seq = 3", "its hash does not follow"),
    ("entry.body", "UPDATE entry SET body = x'7b7d' WHERE kind = 1", "its body was changed"),
    ("entry.salt", "UPDATE entry SET salt = zeroblob(32) WHERE seq = 3", "its hash does not follow"),
    ("running.intent", "DELETE FROM running", "the stored list of running calls"),
    ("running.intent", "UPDATE running SET intent = 1", "the stored list of running calls"),
    ("hold.id", "UPDATE hold SET id = 'hold-aaaaaaaaaaaaaaaa' WHERE rowid = 1", "the stored hold"),
    ("hold.open", "UPDATE hold SET open = 0 WHERE open = 1", "the stored hold"),
    ("hold.open", "UPDATE hold SET open = 1 WHERE open = 0", "the stored hold"),
    ("hold.hold", "UPDATE hold SET hold = replace(hold, 'denied', 'cancelled')", "the stored hold"),
    ("hold.sealed", "UPDATE hold SET sealed = NULL WHERE open = 1", "the stored hold"),
    ("hold.sealed", "UPDATE hold SET sealed = x'00' WHERE open = 0", "the stored hold"),
    ("agent.name", "UPDATE agent SET name = 'eve'", "the stored agent"),
    ("agent.token", "UPDATE agent SET token = zeroblob(32)", "the stored agent"),
    ("agent.expires", "UPDATE agent SET expires = NULL", "the stored agent"),
    ("agent.expires", "UPDATE agent SET expires = expires + 1", "the stored agent"),
    ("agent.added", "UPDATE agent SET added = added - 1", "the stored agent"),
    ("owner.agent", "UPDATE owner SET agent = 'eve'", "the stored owner"),
    ("owner.operator", "UPDATE owner SET operator = 'eve'", "the stored owner"),
    ("pin.server", "UPDATE pin SET server = 'other'", "the stored pin"),
    ("pin.method", "UPDATE pin SET method = 'prompts/get'", "the stored pin"),
    ("pin.name", "UPDATE pin SET name = 'other'", "the stored pin"),
    ("pin.pinned", "UPDATE pin SET pinned = 0", "the stored pin"),
    ("pin.hash", "UPDATE pin SET hash = zeroblob(32)", "the stored pin"),
    ("pin.definition", "UPDATE pin SET definition = '{}'", "the stored pin"),
    ("pin.pending_hash", "UPDATE pin SET pending_hash = zeroblob(32)", "the stored pin"),
    ("pin.pending_hash", "UPDATE pin SET pending_hash = NULL", "the stored pin"),
    ("pin.pending_definition", "UPDATE pin SET pending_definition = '{}'", "the stored pin"),
    ("pin.pending_definition", "UPDATE pin SET pending_definition = NULL", "the stored pin"),
    ("used.agent", "UPDATE used SET agent = server", "the stored first use"),
    ("used.server", "UPDATE used SET server = tool", "the stored first use"),
    ("used.tool", "UPDATE used SET tool = server", "the stored first use"),
    ("used.first", "UPDATE used SET first = first + 1", "the stored first use"),
    ("used.first", "DELETE FROM used", "the stored first use"),
    ("used.first", "INSERT INTO used SELECT tool, server, agent, first FROM used", "the stored first use"),
    ("used.first", "INSERT INTO used VALUES (998, 999, 999, 0)", "the stored first use"),
    ("mark.kind", "UPDATE mark SET kind = 'quarantine'", "the stored mark"),
    ("mark.name", "UPDATE mark SET name = 'other'", "the stored mark"),
    ("mark.value", "UPDATE mark SET value = 'other'", "the stored mark"),
    ("mark.at", "UPDATE mark SET at = at + 1", "the stored mark"),
    ("lease.backend", "UPDATE lease SET backend = 'other'", "the stored lease"),
    ("lease.lease", "UPDATE lease SET lease = 'other'", "the stored lease"),
    ("lease.intent", "UPDATE lease SET intent = 1000", "the stored lease"),
    ("lease.at", "UPDATE lease SET at = at - 1", "the stored lease"),
    ("pass.hold", "UPDATE pass SET hold = 'hold-aaaaaaaaaaaaaaaa'", "the stored pass"),
    ("pass.pass", "UPDATE pass SET pass = replace(pass, '\"times\":2', '\"times\":9')", "the stored pass"),
    ("review.hold", "UPDATE review SET hold = 'hold-aaaaaaaaaaaaaaaa'", "the stored review"),
    ("review.review", "UPDATE review SET review = replace(review, 'ann', 'bob')", "the stored review"),
    ("delegation.id", "UPDATE delegation SET id = id + 1", "the stored delegation"),
    (
        "delegation.delegation",
        "UPDATE delegation SET delegation = replace(delegation, 'bob', 'eve')",
        "the stored deleg",
    ),
    ("operator.name", "UPDATE operator SET name = 'eve' WHERE name = 'bob'", "the stored operator"),
    ("operator.role", "UPDATE operator SET role = 'operator'", "the stored operator"),
    ("operator.uid", "UPDATE operator SET uid = 0", "the stored operator"),
    ("operator.pin", "UPDATE operator SET pin = 'mine'", "the stored operator"),
    ("operator.added", "UPDATE operator SET added = 0", "the stored operator"),
    ("failure.name", "UPDATE failure SET name = 'bob'", "the stored count of failed sign-ins"),
    ("failure.door", "UPDATE failure SET door = 'inside'", "the stored count of failed sign-ins"),
    ("failure.count", "UPDATE failure SET count = 0", "the stored count of failed sign-ins"),
    ("failure.last", "UPDATE failure SET last = 0", "the stored count of failed sign-ins"),
    ("failure.last", "UPDATE failure SET last = NULL", "the stored count of failed sign-ins"),
    ("passkey.credential", "UPDATE passkey SET credential = x'00'", "the stored passkey"),
    ("passkey.operator", "UPDATE passkey SET operator = 'bob'", "the stored passkey"),
    ("passkey.label", "UPDATE passkey SET label = 'other'", "the stored passkey"),
    ("passkey.site", "UPDATE passkey SET site = 'evil.example'", "the stored passkey"),
    ("passkey.key", "UPDATE passkey SET key = 'ES256:mine'", "the stored passkey"),
    ("passkey.counter", "UPDATE passkey SET counter = 0", "the stored passkey"),
    ("passkey.added", "UPDATE passkey SET added = 0", "the stored passkey"),
    ("passkey.used", "UPDATE passkey SET used = NULL", "the stored passkey"),
    ("tile.level", TILE, "tile/"),
    ("tile.place", TILE, "tile/"),
    ("tile.hashes", TILE, "tile/"),
    ("checkpoint.size", "UPDATE checkpoint SET size = size - 1", "the checkpoint:"),
    ("checkpoint.note", "UPDATE checkpoint SET note = note || 'x'", "the checkpoint:"),
    ("log_key.seq", "UPDATE log_key SET seq = 2", "the stored list of the log's keys"),
    ("log_key.vkey", "UPDATE log_key SET vkey = 'other'", "the stored list of the log's keys"),
    // There is one only where something was erased or pruned: see `retention.rs` and `pruning.rs`.
    ("erased.bodies", ERASED, "the stored extent of what was erased"),
    ("pruned.minimum", PRUNED, "what was pruned is not"),
    ("pruned.record", PRUNED, "what was pruned is not"),
    ("pruned.state", PRUNED, "what was pruned is not"),
    ("pruned.done", PRUNED, "what was pruned is not"),
    ("pruned.chain", PRUNED, "what was pruned is not"),
    // Nothing is read of these: they keep the table at one row.
    ("head.id", "UPDATE head SET id = 2", "the database: the table `head` has another row"),
    ("erased.id", "INSERT INTO erased VALUES (2, 0, 0)", "the database: the table `erased` has another row"),
    ("pruned.id", PRUNED, "what was pruned is not"),
    ("erased.freed", "", "how far the space of what was erased was given back"),
];

const TILE: &str = "INSERT INTO tile VALUES (0, 0, zeroblob(32))";
const ERASED: &str = "INSERT INTO erased VALUES (1, 3, 0)";
const PRUNED: &str = "INSERT INTO pruned VALUES (1, 256, 1, '{}', 0, zeroblob(32))";

fn operator(name: &str) -> OperatorId {
    OperatorId::authenticated(name)
}

fn server() -> ServerName {
    ServerName::parse("files").unwrap()
}

/// A log with a row in every table that has one.
async fn log() -> World {
    let world = World::new();
    let pin = |name: &str| Verifier::new(format!("verifier of {name}"));
    let credential = || Credential::new(vec![1; 32]).unwrap();
    let tool = |text: &str| (server(), Method::CallTool, "read".to_owned(), Hash::of(text.as_bytes()), json(text));
    let (ann, bob) = (operator("ann"), operator("bob"));
    let lent = Delegation::new(
        (ann.clone(), bob.clone()),
        Within::default(),
        SignedDuration::from_hours(1),
        "on holiday".to_owned(),
        noon(),
    );
    let mut events: Vec<Event> = [&ann, &bob]
        .map(|name| Event::OperatorAdded {
            name: name.clone(),
            role: Role::Admin,
            uid: Some(1000),
            pin: pin(name.as_str()),
            by: None,
        })
        .into();
    events.extend([
        Event::AgentAdded {
            name: AgentId::authenticated("ann"),
            token: Hash::of(b"token"),
            expires: Some(later(86_400)),
            by: Some(ann.clone()),
        },
        Event::PinRefused { name: ann.clone(), door: Door::SignIn },
        Event::PasskeyAdded {
            name: ann.clone(),
            credential: credential(),
            label: "laptop".to_owned(),
            site: "localhost".to_owned(),
            public_key: PublicKey::es256(&[1; 32], &[2; 32]).unwrap(),
            counter: 3,
            by: None,
        },
        Event::PasskeyUsed { name: ann.clone(), credential: credential(), counter: 4, door: Door::Inside },
        Event::PackageAdded { name: server(), digest: Hash::of(b"package"), version: None, by: None },
        Event::LeaseTaken { backend: "bao".to_owned(), lease: "lease-1".to_owned(), intent: 3 },
        Event::DelegationMade { delegation: Box::new(lent.unwrap()), proof: None },
    ]);
    let (server, method, name, hash, definition) = tool(r#"{"name":"read"}"#);
    events.push(Event::ToolPinned { server, method, name, hash, definition });
    let (server, method, name, hash, definition) = tool(r#"{"name":"read","description":"all of it"}"#);
    events.push(Event::ToolChanged { server, method, name, hash, definition });
    for event in events {
        world.audit.note(event, noon()).await.unwrap();
    }
    holds(&world).await;
    drop(world.call(r#"{"path":"/a"}"#, "{}").await);
    let running = world.entry("{}").await;
    assert!(world.audit.stop().await);
    drop(running);
    world.verify().unwrap();
    world
}

/// One that is open, one that was denied, one that was approved with a pass, and one whose glass was broken.
async fn holds(world: &World) {
    let proof = || Some(serde_json::json!({ "by": "pin" }));
    let ann = operator("ann");
    world.hold("{}").await;
    let denied = world.hold("{}").await;
    let step = Step::Deny { by: ann.clone(), reason: "no".to_owned() };
    world.audit.step(denied.id().clone(), step, noon()).await.unwrap();
    let passed = world.hold("{}").await;
    let leeway = Leeway { times: 2, lasts: SignedDuration::from_hours(1), arguments: [].into() };
    let pass = Pass::new(&passed, &json("{}"), (ann.clone(), None), &leeway, noon()).unwrap();
    let by = ann.clone();
    let step =
        Step::Approve { by, reason: None, proof: proof(), pass: None, lent: None, role: None, observed: Vec::new() };
    world.audit.approve_with(passed.id().clone(), step, pass, noon()).await.unwrap();
    let call = held("ann", "delete", "{}");
    let two = Hold::open(HoldId::from_random(random()), &call, 2, noon());
    world.audit.hold(&call, two.clone(), noon()).await.unwrap();
    let step = Step::BreakGlass {
        by: ann,
        reason: "the backup must run".to_owned(),
        because: "everybody else is asleep".to_owned(),
        proof: proof(),
        observed: Vec::new(),
        role: None,
    };
    world.audit.step(two.id().clone(), step, noon()).await.unwrap();
}

fn changed(state: &Path, change: &str) -> Result<audit::Verified, VerifyError> {
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(state.join("portcullis.db"), copy.path().join("portcullis.db")).unwrap();
    let db = Connection::open(copy.path().join("portcullis.db")).unwrap();
    db.execute_batch("PRAGMA ignore_check_constraints = ON").unwrap();
    db.execute_batch(change).unwrap_or_else(|error| panic!("{change}: {error}"));
    drop(db);
    audit::verify(copy.path())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_column_is_compared_with_what_the_records_say() {
    let world = log().await;
    let db = Connection::open(world.state.path().join("portcullis.db")).unwrap();
    let sql =
        "SELECT m.name || '.' || c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'";
    let mut there = db.prepare(sql).unwrap();
    let there: BTreeSet<String> = there.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let listed: BTreeSet<String> = COLUMNS.iter().map(|(column, ..)| (*column).to_owned()).collect();
    assert_eq!(there, listed);
    for (column, change, found) in COLUMNS.iter().filter(|(_, change, _)| !change.is_empty()) {
        match changed(world.state.path(), change) {
            Err(VerifyError::Broken(Broken { what, .. })) => {
                assert!(what.to_string().starts_with(found), "{column}: {change}: {what}");
            }
            other => panic!("{column}: {change}: {other:?}"),
        }
    }
    assert!(changed(world.state.path(), "SELECT 1").is_ok());
}

/// A log of the first version: its records name no hash of a definition.
fn earlier(state: &Path) {
    let db = Connection::open(state.join("portcullis.db")).unwrap();
    db.execute_batch(include_str!("layout-1.sql")).unwrap();
    let token = Hash::of(b"token");
    let details = [
        format!(r#"{{"event":"agent-added","name":"ann","token":"{}","expires":null}}"#, Hash::of(token.as_bytes())),
        format!(
            r#"{{"event":"tool-pinned","server":"files","method":"tools/call","name":"read","hash":"{}"}}"#,
            Hash::of(b"definition")
        ),
    ];
    let mut chain = Hash::from_bytes(audit::record::GENESIS);
    let at = "2026-11-21T09:30:00.100000Z";
    let micros = at.parse::<jiff::Timestamp>().unwrap().as_microsecond();
    for (seq, detail) in (1_i64..).zip(&details) {
        let agent = if seq == 1 { r#","agent":"ann""# } else { "" };
        let record = format!(r#"{{"v":1,"seq":{seq},"at":"{at}","kind":"event"{agent},"detail":{detail}}}"#);
        chain = audit::record::chain(&chain, &audit::record::leaf(record.as_bytes()));
        db.execute("INSERT OR IGNORE INTO name (id, text) VALUES (1, 'ann')", []).unwrap();
        let sql = "INSERT INTO entry (seq, at, kind, agent, chain, record) VALUES (?1, ?2, 7, ?3, ?4, ?5)";
        let named = (seq == 1).then_some(1);
        db.execute(sql, rusqlite::params![seq, micros, named, chain.as_bytes(), record.as_bytes()]).unwrap();
    }
    db.execute("INSERT INTO head (id, seq, chain) VALUES (1, 2, ?1)", [chain.as_bytes()]).unwrap();
    db.execute("INSERT INTO agent VALUES ('ann', ?1, NULL, ?2)", rusqlite::params![token.as_bytes(), micros]).unwrap();
    let sql = "INSERT INTO pin VALUES ('files', 'tools/call', 'read', ?1, ?2, '{\"name\":\"read\"}', NULL, NULL)";
    db.execute(sql, rusqlite::params![micros, Hash::of(b"definition").as_bytes()]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_version_wrote_is_compared_as_far_as_its_records_say() {
    use std::os::unix::fs::PermissionsExt as _;
    let state = tempfile::tempdir().unwrap();
    std::fs::set_permissions(state.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    earlier(state.path());
    assert_eq!(audit::verify(state.path()).unwrap().records, 2);
    let (audit, _) = crate::world::start(state.path());
    let hash = Hash::of(b"other");
    let changed_tool = Event::ToolChanged {
        server: server(),
        method: Method::CallTool,
        name: "read".to_owned(),
        hash,
        definition: json(r#"{"name":"read","description":"other"}"#),
    };
    audit.note(changed_tool, noon()).await.unwrap();
    assert!(audit.stop().await);
    audit::verify(state.path()).unwrap();
    for (change, ok) in [
        // No record of then has its hash.
        ("UPDATE pin SET definition = '{}'", true),
        ("UPDATE pin SET pending_definition = '{}'", false),
        ("UPDATE pin SET pinned = 0", false),
        ("UPDATE agent SET expires = 1", false),
    ] {
        assert_eq!(changed(state.path(), change).is_ok(), ok, "{change}");
    }
    let (audit, _) = crate::world::start(state.path());
    let accepted =
        Event::ToolAccepted { server: server(), method: Method::CallTool, name: "read".to_owned(), hash, by: None };
    audit.note(accepted, noon()).await.unwrap();
    assert!(audit.stop().await);
    audit::verify(state.path()).unwrap();
    assert!(changed(state.path(), "UPDATE pin SET definition = '{}'").is_err(), "it is known since it was accepted");
}
