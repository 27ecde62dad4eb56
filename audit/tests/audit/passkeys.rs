//! Passkeys: written with their record, counted with each use, gone with their operator, and found where no record has them.

use audit::assertion::{Act, BadAssertion, Decision, Nonce, PublicKey, Request};
use audit::{
    AuditError, Broken, Credential, Door, Event, Filter, MOST_PASSKEYS, Passkey, StepRefused, Verifier, VerifyError,
    What,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use policies::approval::{Delegation, Hold, Step, StepError, Within};
use policies::{Hash, OperatorId, Role};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::world::{World, later, noon};

fn ann() -> OperatorId {
    OperatorId::authenticated("ann")
}

fn person(name: &str) -> Event {
    let pin = Verifier::new(format!("verifier of {name}"));
    Event::OperatorAdded { name: OperatorId::authenticated(name), role: Role::Admin, uid: None, pin, by: None }
}

fn credential(byte: u8) -> Credential {
    Credential::new(vec![byte; 32]).unwrap()
}

fn key() -> PublicKey {
    PublicKey::es256(&[1; 32], &[2; 32]).unwrap()
}

fn added(name: &str, byte: u8) -> Event {
    Event::PasskeyAdded {
        name: OperatorId::authenticated(name),
        credential: credential(byte),
        label: "laptop".to_owned(),
        site: "localhost".to_owned(),
        public_key: key(),
        counter: 3,
        by: Some(OperatorId::authenticated(name)),
    }
}

fn used(byte: u8, counter: u32) -> Event {
    Event::PasskeyUsed { name: ann(), credential: credential(byte), counter, door: Door::Inside }
}

fn removed(byte: u8) -> Event {
    Event::PasskeyRemoved { name: ann(), credential: credential(byte), by: None }
}

fn refused() -> Event {
    Event::PasskeyRefused { name: ann(), door: Door::Inside, reason: "another challenge".to_owned() }
}

async fn note(world: &World, event: Event) -> Result<u64, AuditError> {
    world.audit.note(event, noon()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn passkeys_come_and_go_with_their_records() {
    let mut world = World::new();
    assert_eq!(note(&world, added("ann", 1)).await.unwrap_err(), AuditError::Unknown);
    note(&world, person("ann")).await.unwrap();
    note(&world, person("bob")).await.unwrap();
    note(&world, added("ann", 1)).await.unwrap();
    note(&world, added("ann", 2)).await.unwrap();
    // One key signs for one person.
    assert_eq!(note(&world, added("bob", 1)).await.unwrap_err(), AuditError::IdTaken);
    world.restart().await;
    let known = world.audit.passkeys(&ann());
    let first = Passkey {
        credential: credential(1),
        operator: ann(),
        label: "laptop".to_owned(),
        site: "localhost".to_owned(),
        key: key(),
        counter: 3,
        added: noon(),
        used: None,
    };
    assert_eq!((known.len(), &known[0]), (2, &first));
    let records = serde_json::to_string(&world.audit.reader().unwrap().list(&Filter::default()).unwrap()).unwrap();
    assert!(records.contains(&key().to_string()), "who checks the log needs the public key: {records}");
    assert!(!records.contains(&credential(1).to_string()), "a record has what the authenticator calls the key");
    world.verify().unwrap();

    let removed = |name| Event::PasskeyRemoved { name, credential: credential(1), by: None };
    assert_eq!(note(&world, removed(OperatorId::authenticated("bob"))).await.unwrap_err(), AuditError::Unknown);
    note(&world, removed(ann())).await.unwrap();
    assert_eq!(note(&world, removed(ann())).await.unwrap_err(), AuditError::Unknown);
    assert_eq!(note(&world, used(1, 9)).await.unwrap_err(), AuditError::Unknown);
    world.verify().unwrap();
    note(&world, Event::OperatorRemoved { name: ann(), by: None }).await.unwrap();
    assert_eq!(world.audit.passkeys(&ann()), []);
    // Whoever comes under the name of one who went has no key of theirs.
    note(&world, person("ann")).await.unwrap();
    world.restart().await;
    assert_eq!(world.audit.passkeys(&ann()), []);
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_that_does_not_go_up_is_refused_also_after_a_restart() {
    let mut world = World::new();
    note(&world, person("ann")).await.unwrap();
    note(&world, added("ann", 1)).await.unwrap();
    for counter in [3, 2, 0] {
        assert_eq!(note(&world, used(1, counter)).await.unwrap_err(), AuditError::AlreadyConsumed);
    }
    for _ in 0..2 {
        note(&world, refused()).await.unwrap();
    }
    assert_eq!(world.audit.failures(&ann(), Door::Inside).count, 2);
    world.audit.note(used(1, 4), later(1)).await.unwrap();
    assert_eq!(world.audit.failures(&ann(), Door::Inside).count, 0);
    world.restart().await;
    assert_eq!(world.audit.passkeys(&ann())[0].used, Some(later(1)));
    assert_eq!(note(&world, used(1, 4)).await.unwrap_err(), AuditError::AlreadyConsumed);
    note(&world, used(1, 5)).await.unwrap();
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_passkeys_that_are_made_at_once_no_more_are_kept_than_one_can_have() {
    let world = World::new();
    for name in ["ann", "bob"] {
        note(&world, person(name)).await.unwrap();
    }
    let mut tasks = tokio::task::JoinSet::new();
    for byte in 1..=17 {
        let audit = world.audit.clone();
        tasks.spawn(async move { audit.note(added("ann", byte), noon()).await });
    }
    let refused: Vec<AuditError> = tasks.join_all().await.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused, [AuditError::EnoughPasskeys; 7]);
    assert_eq!(world.audit.passkeys(&ann()).len(), MOST_PASSKEYS);
    // Of one person: another has none yet, and one that is removed makes room.
    note(&world, added("bob", 18)).await.unwrap();
    let first = world.audit.passkeys(&ann()).remove(0).credential;
    note(&world, Event::PasskeyRemoved { name: ann(), credential: first, by: None }).await.unwrap();
    note(&world, added("ann", 19)).await.unwrap();
    world.verify().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_that_is_in_no_record_is_found() {
    let world = World::new();
    note(&world, person("ann")).await.unwrap();
    note(&world, added("ann", 1)).await.unwrap();
    note(&world, used(1, 4)).await.unwrap();
    assert!(world.audit.stop().await);
    for change in [
        "UPDATE passkey SET key = 'ES256:mine'",
        "UPDATE passkey SET counter = 0",
        "UPDATE passkey SET operator = 'eve'",
        "UPDATE passkey SET site = 'evil.example'",
        "UPDATE passkey SET label = 'other'",
        "UPDATE passkey SET credential = x'00'",
        "INSERT INTO passkey VALUES (x'01', 'ann', 'mine', 'localhost', 'ES256:mine', 0, 0, NULL)",
        "DELETE FROM passkey",
        "DROP TABLE passkey",
    ] {
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(world.state.path().join("portcullis.db"), copy.path().join("portcullis.db")).unwrap();
        Connection::open(copy.path().join("portcullis.db")).unwrap().execute_batch(change).unwrap();
        let found = audit::verify(copy.path());
        let named = matches!(found, Err(VerifyError::Broken(_) | VerifyError::Read(_)));
        assert!(named, "{change}: {found:?}");
    }
    audit::verify(world.state.path()).unwrap();
}

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_pkcs8(Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap().as_ref()).unwrap()
}

/// What is recorded of a decision that this key signed.
fn proof(pair: &Ed25519KeyPair, decision: &Decision, nonce: &Nonce) -> Value {
    let mut proof = signature(pair, decision.challenge(nonce), nonce);
    for (name, value) in
        [("act", json!(decision.act)), ("digest", json!(decision.digest)), ("terms", json!(decision.terms))]
    {
        proof[name] = value;
    }
    proof
}

fn signature(pair: &Ed25519KeyPair, challenge: Hash, nonce: &Nonce) -> Value {
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let challenge = text(challenge.as_bytes());
    let client = format!(r#"{{"type":"webauthn.get","challenge":"{challenge}","origin":"http://localhost:7733"}}"#);
    let data = [&Hash::of(b"localhost").as_bytes()[..], &[5, 0, 0, 0, 9]].concat();
    let signature = pair.sign(&[&data[..], Hash::of(client.as_bytes()).as_bytes()].concat());
    json!({ "by": "passkey", "credential": credential(7), "nonce": nonce, "authenticator_data": text(&data),
        "client_data": text(client.as_bytes()), "signature": text(signature.as_ref()) })
}

fn decision(hold: &Hold) -> Decision {
    let (hold, digest) = (hold.id().clone(), hold.binding().digest());
    Decision { hold, digest, act: Act::Approve, terms: Hash::of(b"{}"), operator: ann() }
}

fn step(by: OperatorId, proof: Value) -> Step {
    Step::Approve { by, reason: None, proof: Some(proof), pass: None, lent: None, role: None, observed: Vec::new() }
}

async fn approve(world: &World, hold: &Hold, by: OperatorId, proof: Value) {
    world.audit.step(hold.id().clone(), step(by, proof), noon()).await.unwrap();
}

/// Has the writer write what it would not: its tables say something else for a moment.
async fn forge(world: &World, [before, after]: [&str; 2], written: impl Future<Output = ()>) {
    let change = |sql: &str| Connection::open(world.state.path().join("portcullis.db")).unwrap().execute_batch(sql);
    change(before).unwrap();
    written.await;
    change(after).unwrap();
}

/// The key is ann's.
fn keyed(pair: &Ed25519KeyPair) -> Event {
    Event::PasskeyAdded {
        name: ann(),
        credential: credential(7),
        label: "laptop".to_owned(),
        site: "localhost".to_owned(),
        public_key: PublicKey::Ed25519(pair.public_key().as_ref().try_into().unwrap()),
        counter: 0,
        by: None,
    }
}

/// A log with a key of ann's and a held call.
async fn signing() -> (World, Ed25519KeyPair, Hold) {
    let (world, pair) = (World::new(), pair());
    for event in [person("ann"), person("bob"), keyed(&pair)] {
        note(&world, event).await.unwrap();
    }
    // The count that every `proof` shows.
    note(&world, used(7, 9)).await.unwrap();
    let hold = world.hold("{}").await;
    (world, pair, hold)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_a_passkey_signed_is_checked_again_by_whoever_verifies() {
    let (world, pair, hold) = signing().await;
    approve(&world, &hold, ann(), proof(&pair, &decision(&hold), &Nonce::new([1; 32]))).await;
    assert_eq!(world.verify().unwrap().asserted, 1);
    // Its key may go afterwards, and so may its operator.
    note(&world, Event::OperatorRemoved { name: ann(), by: None }).await.unwrap();
    assert_eq!(world.verify().unwrap().asserted, 1);
}

type Change = fn(&mut Value);

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_no_passkey_of_its_operator_signed_is_found_and_named() {
    let nonce = Nonce::new([1; 32]);
    let changes: [(Change, BadAssertion); 7] = [
        (|proof| proof["act"] = "break-glass".into(), BadAssertion::Form("statement")),
        (|proof| proof["nonce"] = json!(Nonce::new([2; 32])), BadAssertion::Challenge),
        (|proof| proof["terms"] = json!(Hash::of(b"other")), BadAssertion::Challenge),
        (|proof| proof["digest"] = json!(Hash::of(b"other")), BadAssertion::Challenge),
        (|proof| proof["signature"] = proof["nonce"].clone(), BadAssertion::Signature),
        (|proof| proof["client_data"] = "e30".into(), BadAssertion::Type),
        (|proof| drop(proof.as_object_mut().unwrap().remove("signature")), BadAssertion::Form("statement")),
    ];
    for (change, why) in changes {
        let (world, pair, hold) = signing().await;
        let mut proof = proof(&pair, &decision(&hold), &nonce);
        change(&mut proof);
        approve(&world, &hold, ann(), proof).await;
        assert_eq!(found(&world), why);
    }
    // Another person's decision, another hold's, one of another deed, and one nonce for two.
    let (world, pair, hold) = signing().await;
    let bobs = ["UPDATE passkey SET operator = 'bob'", "UPDATE passkey SET operator = 'ann'"];
    let approval = approve(&world, &hold, OperatorId::authenticated("bob"), proof(&pair, &decision(&hold), &nonce));
    forge(&world, bobs, approval).await;
    assert_eq!(found(&world), BadAssertion::Unknown);
    // One of a key that nobody has.
    let (world, pair, hold) = signing().await;
    let mut other = proof(&pair, &decision(&hold), &nonce);
    other["credential"] = json!(credential(8));
    let put = |byte: u8| format!("UPDATE passkey SET credential = x'{}'", format!("{byte:02x}").repeat(32));
    forge(&world, [&put(8), &put(7)], approve(&world, &hold, ann(), other)).await;
    assert_eq!(found(&world), BadAssertion::Unknown);
    let (world, pair, hold) = signing().await;
    let other = world.hold("{}").await;
    approve(&world, &hold, ann(), proof(&pair, &decision(&other), &nonce)).await;
    assert_eq!(found(&world), BadAssertion::Challenge);
    let (world, pair, hold) = signing().await;
    let deed = Decision { digest: Hash::of(b"another deed"), ..decision(&hold) };
    approve(&world, &hold, ann(), proof(&pair, &deed, &nonce)).await;
    assert_eq!(found(&world), BadAssertion::Challenge);
    let (world, pair, hold) = signing().await;
    let other = world.hold("{}").await;
    approve(&world, &hold, ann(), proof(&pair, &decision(&hold), &nonce)).await;
    approve(&world, &other, ann(), proof(&pair, &decision(&other), &nonce)).await;
    assert_eq!(found(&world), BadAssertion::Challenge);
    // A key that was removed before.
    let (world, pair, hold) = signing().await;
    let row = format!(
        "INSERT INTO passkey VALUES (x'{}', 'ann', 'laptop', 'localhost', '{}', 9, 0, NULL)",
        "07".repeat(32),
        world.audit.passkeys(&ann())[0].key
    );
    note(&world, removed(7)).await.unwrap();
    let approval = approve(&world, &hold, ann(), proof(&pair, &decision(&hold), &nonce));
    forge(&world, [&row, "DELETE FROM passkey"], approval).await;
    assert_eq!(found(&world), BadAssertion::Unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_passkeys_that_the_writer_never_writes_are_found() {
    let bob = || OperatorId::authenticated("bob");
    let bobs_use = Event::PasskeyUsed { name: bob(), credential: credential(7), counter: 10, door: Door::Inside };
    let bobs_end = Event::PasskeyRemoved { name: bob(), credential: credential(7), by: None };
    let owned = ["UPDATE passkey SET operator = 'bob'", "UPDATE passkey SET operator = 'ann'"];
    let fresh = ["UPDATE passkey SET counter = 0", "SELECT 1"];
    let hidden = ["UPDATE passkey SET credential = x'00'", "SELECT 1"];
    for ([before, after], event, why) in [
        (fresh, used(7, 9), BadAssertion::Counter),
        (fresh, used(7, 4), BadAssertion::Counter),
        (owned, bobs_use, BadAssertion::Unknown),
        (owned, bobs_end, BadAssertion::Unknown),
        (hidden, added("bob", 7), BadAssertion::Unknown),
        (hidden, added("ann", 7), BadAssertion::Unknown),
    ] {
        let (world, _, _) = signing().await;
        let what = format!("{event:?}");
        forge(&world, [before, after], async {
            note(&world, event).await.unwrap();
        })
        .await;
        assert_eq!(found(&world), why, "{what}");
    }
    // A decision with a count that no use of the key has shown.
    let (world, pair, hold) = signing().await;
    note(&world, removed(7)).await.unwrap();
    note(&world, keyed(&pair)).await.unwrap();
    let approval = approve(&world, &hold, ann(), proof(&pair, &decision(&hold), &Nonce::new([1; 32])));
    forge(&world, ["UPDATE passkey SET counter = 9", "UPDATE passkey SET counter = 0"], approval).await;
    assert_eq!(found(&world), BadAssertion::Counter);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_removed_since_it_signed_approves_nothing_and_the_log_still_verifies() {
    let (world, pair, hold) = signing().await;
    let refused = async |by: OperatorId, proof: Value| {
        let refused = world.audit.step(hold.id().clone(), step(by.clone(), proof), noon()).await;
        matches!(refused, Err(StepRefused::Step(StepError::NoPasskey { by: of })) if of == by)
    };
    let proof = proof(&pair, &decision(&hold), &Nonce::new([1; 32]));
    assert!(refused(OperatorId::authenticated("bob"), proof.clone()).await, "another's key");
    for name in ["credential", "authenticator_data"] {
        let mut less = proof.clone();
        less.as_object_mut().unwrap().remove(name);
        assert!(refused(ann(), less).await, "without `{name}`");
    }
    note(&world, removed(7)).await.unwrap();
    assert!(refused(ann(), proof.clone()).await, "a key that was removed");
    note(&world, added("ann", 7)).await.unwrap();
    assert!(refused(ann(), proof.clone()).await, "a key of the same name that has not counted so far");
    let glass = Step::BreakGlass {
        by: ann(),
        reason: "the backup must run".to_owned(),
        because: "everybody else is asleep".to_owned(),
        proof: Some(proof.clone()),
        observed: Vec::new(),
        role: None,
    };
    let held = crate::world::held("ann", "delete", "{}");
    let two = Hold::open(policies::HoldId::from_random(crate::world::random()), &held, 2, noon());
    world.audit.hold(&held, two.clone(), noon()).await.unwrap();
    let broken = world.audit.step(two.id().clone(), glass, noon()).await;
    assert!(matches!(broken, Err(StepRefused::Step(StepError::NoPasskey { .. }))), "{broken:?}");
    note(&world, Event::OperatorRemoved { name: ann(), by: None }).await.unwrap();
    let gone = world.audit.step(hold.id().clone(), step(ann(), proof), noon()).await;
    assert!(matches!(gone, Err(StepRefused::Step(StepError::NoOperator { by })) if by == ann()));
    assert_eq!(world.verify().unwrap().asserted, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_approval_and_the_removal_of_its_key_at_once_leave_a_log_that_verifies() {
    let (world, pair, _) = signing().await;
    for number in 0..16 {
        let hold = world.hold("{}").await;
        let proof = proof(&pair, &decision(&hold), &Nonce::new([number; 32]));
        let answer = world.audit.step(hold.id().clone(), step(ann(), proof), noon());
        let (answer, removed) = tokio::join!(answer, note(&world, removed(7)));
        removed.unwrap();
        assert!(matches!(answer, Ok(_) | Err(StepRefused::Step(StepError::NoPasskey { .. }))), "{answer:?}");
        world.verify().unwrap();
        note(&world, keyed(&pair)).await.unwrap();
        note(&world, used(7, 9)).await.unwrap();
    }
}

fn found(world: &World) -> BadAssertion {
    match world.verify() {
        Err(VerifyError::Broken(Broken { what: What::Assertion(why), .. })) => why,
        other => panic!("{other:?}"),
    }
}

const WHY: &str = "on holiday; the password is hunter2-hunter2";

fn within(tool: &str) -> Within {
    Within { tools: [tool.to_owned()].into(), ..Within::default() }
}

/// What is recorded of a right that ann lent to bob for an hour by a signature over it.
fn lending(pair: &Ed25519KeyPair, nonce: &Nonce) -> Value {
    let (hour, reason) = (SignedDuration::from_hours(1), Hash::of(WHY.as_bytes()));
    let request = Request::lending(ann(), "bob", &within("mail"), hour, reason);
    let mut proof = signature(pair, request.challenge(nonce), nonce);
    proof["reason"] = json!(reason);
    proof
}

async fn lend(world: &World, to: &str, within: Within, hours: i64, proof: Value) {
    let (people, lasts) = ((ann(), OperatorId::authenticated(to)), SignedDuration::from_hours(hours));
    let delegation = Delegation::new(people, within, lasts, WHY.to_owned(), noon()).unwrap();
    let event = Event::DelegationMade { delegation: Box::new(delegation), proof: Some(proof) };
    note(world, event).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_was_lent_by_a_signature_is_checked_again_and_one_that_was_not_is_found() {
    let nonce = Nonce::new([1; 32]);
    let (world, pair, _hold) = signing().await;
    lend(&world, "bob", within("mail"), 1, lending(&pair, &nonce)).await;
    assert_eq!(world.verify().unwrap().asserted, 1);
    note(&world, Event::PasskeyRemoved { name: ann(), credential: credential(7), by: None }).await.unwrap();
    assert_eq!(world.verify().unwrap().asserted, 1);

    // To another, for more, for longer, twice, and by a key of nobody's.
    for (to, tool, hours, why) in [
        ("cyn", "mail", 1, BadAssertion::Challenge),
        ("bob", "files", 1, BadAssertion::Challenge),
        ("bob", "mail", 2, BadAssertion::Challenge),
    ] {
        let (world, pair, _hold) = signing().await;
        note(&world, person("cyn")).await.unwrap();
        lend(&world, to, within(tool), hours, lending(&pair, &nonce)).await;
        assert_eq!(found(&world), why, "{to} {tool} {hours}");
    }
    let (world, pair, _hold) = signing().await;
    for _ in 0..2 {
        lend(&world, "bob", within("mail"), 1, lending(&pair, &nonce)).await;
    }
    assert_eq!(found(&world), BadAssertion::Challenge);
    let changes: [(Change, BadAssertion); 4] = [
        (|proof| proof["reason"] = json!(Hash::of(b"other")), BadAssertion::Challenge),
        (|proof| proof["credential"] = json!(credential(8)), BadAssertion::Unknown),
        (|proof| proof["signature"] = proof["nonce"].clone(), BadAssertion::Signature),
        (|proof| drop(proof.as_object_mut().unwrap().remove("nonce")), BadAssertion::Form("statement")),
    ];
    for (change, why) in changes {
        let (world, pair, _hold) = signing().await;
        let mut proof = lending(&pair, &nonce);
        change(&mut proof);
        // Of a key that nobody has the writer would take nothing.
        let put = |byte: u8| format!("UPDATE passkey SET credential = x'{}'", format!("{byte:02x}").repeat(32));
        let tables = if why == BadAssertion::Unknown { [put(8), put(7)] } else { [put(7), put(7)] };
        forge(&world, tables.each_ref().map(String::as_str), lend(&world, "bob", within("mail"), 1, proof)).await;
        assert_eq!(found(&world), why);
    }
    // Their key was removed between the signature and the record.
    let (world, pair, _hold) = signing().await;
    note(&world, removed(7)).await.unwrap();
    let people = (ann(), OperatorId::authenticated("bob"));
    let delegation = Delegation::new(people, within("mail"), SignedDuration::from_hours(1), WHY.to_owned(), noon());
    let proof = Some(lending(&pair, &nonce));
    let refused = note(&world, Event::DelegationMade { delegation: Box::new(delegation.unwrap()), proof }).await;
    assert_eq!(refused, Err(AuditError::Unknown));
    world.verify().unwrap();
}
