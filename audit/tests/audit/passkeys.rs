//! Passkeys: written with their record, counted with each use, gone with their operator, and found where no record has them.

use audit::assertion::{Act, BadAssertion, Decision, Nonce, PublicKey};
use audit::{AuditError, Broken, Credential, Door, Event, Filter, Passkey, Verifier, VerifyError, What};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use policies::approval::{Hold, Step};
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
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let challenge = text(decision.challenge(nonce).as_bytes());
    let client = format!(r#"{{"type":"webauthn.get","challenge":"{challenge}","origin":"http://localhost:7733"}}"#);
    let data = [&Hash::of(b"localhost").as_bytes()[..], &[5, 0, 0, 0, 9]].concat();
    let signature = pair.sign(&[&data[..], Hash::of(client.as_bytes()).as_bytes()].concat());
    json!({ "by": "passkey", "credential": credential(7), "act": decision.act, "digest": decision.digest,
        "terms": decision.terms, "nonce": nonce, "authenticator_data": text(&data), "client_data": text(client.as_bytes()),
        "signature": text(signature.as_ref()) })
}

fn decision(hold: &Hold) -> Decision {
    let (hold, digest) = (hold.id().clone(), hold.binding().digest());
    Decision { hold, digest, act: Act::Approve, terms: Hash::of(b"{}"), operator: ann() }
}

async fn approve(world: &World, hold: &Hold, by: OperatorId, proof: Value) {
    let step = Step::Approve {
        by,
        reason: None,
        proof: Some(proof),
        pass: None,
        lent: None,
        role: None,
        observed: Vec::new(),
    };
    world.audit.step(hold.id().clone(), step, noon()).await.unwrap();
}

/// A log with a key of ann's and a held call.
async fn signing() -> (World, Ed25519KeyPair, Hold) {
    let (world, pair) = (World::new(), pair());
    let public_key = PublicKey::Ed25519(pair.public_key().as_ref().try_into().unwrap());
    for event in [person("ann"), person("bob")] {
        note(&world, event).await.unwrap();
    }
    let event = Event::PasskeyAdded {
        name: ann(),
        credential: credential(7),
        label: "laptop".to_owned(),
        site: "localhost".to_owned(),
        public_key,
        counter: 0,
        by: None,
    };
    note(&world, event).await.unwrap();
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
    let changes: [(Change, BadAssertion); 8] = [
        (|proof| proof["act"] = "break-glass".into(), BadAssertion::Form("statement")),
        (|proof| proof["nonce"] = json!(Nonce::new([2; 32])), BadAssertion::Challenge),
        (|proof| proof["terms"] = json!(Hash::of(b"other")), BadAssertion::Challenge),
        (|proof| proof["digest"] = json!(Hash::of(b"other")), BadAssertion::Challenge),
        (|proof| proof["credential"] = json!(credential(8)), BadAssertion::Unknown),
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
    approve(&world, &hold, OperatorId::authenticated("bob"), proof(&pair, &decision(&hold), &nonce)).await;
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
    note(&world, Event::PasskeyRemoved { name: ann(), credential: credential(7), by: None }).await.unwrap();
    approve(&world, &hold, ann(), proof(&pair, &decision(&hold), &nonce)).await;
    assert_eq!(found(&world), BadAssertion::Unknown);
}

fn found(world: &World) -> BadAssertion {
    match world.verify() {
        Err(VerifyError::Broken(Broken { what: What::Assertion(why), .. })) => why,
        other => panic!("{other:?}"),
    }
}
