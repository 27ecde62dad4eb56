//! Passkeys against the console as it is, by an authenticator that signs whatever it is told.

use audit::Credential;
use audit::assertion::PublicKey;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use policies::Hash;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::*;

struct Authenticator {
    pair: Ed25519KeyPair,
    counter: std::cell::Cell<u32>,
}

/// What is signed, where it is not what it should be.
#[derive(Clone)]
struct Lie {
    origin: String,
    site: &'static str,
    flags: u8,
    kind: &'static str,
}

impl Authenticator {
    fn new() -> Self {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self { pair: Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap(), counter: std::cell::Cell::new(0) }
    }

    fn credential() -> Credential {
        Credential::new(b"a key of ann's".to_vec()).unwrap()
    }

    async fn of(&self, world: &World, name: &str) {
        let event = Event::PasskeyAdded {
            name: OperatorId::authenticated(name),
            credential: Self::credential(),
            label: "test".to_owned(),
            site: "localhost".to_owned(),
            public_key: PublicKey::Ed25519(self.pair.public_key().as_ref().try_into().unwrap()),
            counter: 0,
            by: None,
        };
        world.audit.note(event, clock::now()).await.unwrap();
    }

    fn sign(&self, question: &Value, lie: &Lie) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        self.counter.set(self.counter.get() + 1);
        let Lie { origin, site, flags, kind } = lie;
        let challenge = question["challenge"].as_str().unwrap();
        let client = format!(r#"{{"type":"{kind}","challenge":"{challenge}","origin":"{origin}"}}"#);
        let counter = self.counter.get().to_be_bytes();
        let data = [&Hash::of(site.as_bytes()).as_bytes()[..], &[*flags], &counter].concat();
        let signature = self.pair.sign(&[&data[..], Hash::of(client.as_bytes()).as_bytes()].concat());
        json!({ "nonce": question["nonce"], "credential": Self::credential().to_string(), "authenticator_data": text(&data),
            "client_data": text(client.as_bytes()), "signature": text(signature.as_ref()) })
    }
}

async fn question(world: &World, name: &str) -> Value {
    world.post("/sign-in/passkey", None, &json!({ "name": name })).await.json()
}

#[tokio::test]
async fn a_passkey_signs_in_and_stands_for_changes_and_never_for_an_approval() {
    let (world, authenticator) = (World::start(), Authenticator::new());
    world.add("ann", Role::Admin).await;
    authenticator.of(&world, "ann").await;
    let truth = Lie { origin: world.origin(), site: "localhost", flags: 5, kind: "webauthn.get" };
    let assertion = authenticator.sign(&question(&world, "ANN").await, &truth);
    let answer = world.post("/sign-in", None, &json!({ "name": "ANN", "assertion": assertion })).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let me = answer.json();
    assert_eq!((&me["name"], &me["site"], &me["passkeys"]), (&json!("ann"), &json!("localhost"), &json!(["test"])));
    let ann = Browser { cookie: answer.cookie(), csrf: me["csrf"].as_str().unwrap().to_owned() };
    assert_eq!(world.call(&ann, "agents_add", &json!({ "name": "ci" })).await["result"]["name"], "ci");
    assert_eq!(code(&world.call(&ann, "holds_approve", &json!({ "id": "hold-aaaaaaaaaaaaaaaa" })).await), 1402);
    // What signed in is no answer to a hold, and is used up.
    let digest = Hash::of(b"deed");
    let asked = json!({ "id": "hold-aaaaaaaaaaaaaaaa", "digest": digest, "assertion": assertion });
    assert_eq!(code(&world.call(&ann, "holds_approve", &asked).await), 1409);
    assert_eq!(world.post("/sign-in", None, &json!({ "name": "ann", "assertion": assertion })).await.status, 401);
    let asked = json!({ "method": "holds_approve", "params": { "id": "hold-aaaaaaaaaaaaaaaa", "digest": digest } });
    let question = world.call(&ann, "passkeys_challenge", &asked).await["result"].clone();
    let assertion = authenticator.sign(&question, &Lie { kind: "webauthn.create", ..truth });
    let asked = json!({ "id": "hold-aaaaaaaaaaaaaaaa", "digest": digest, "assertion": assertion });
    let refused = world.call(&ann, "holds_approve", &asked).await;
    assert_eq!(code(&refused), 1412, "{refused}");
    assert!(world.recorded().contains(r#""how":"passkey""#));
}

#[tokio::test]
async fn a_signature_of_another_page_site_person_or_moment_signs_nobody_in() {
    let (world, authenticator) = (World::start(), Authenticator::new());
    for name in ["ann", "bob"] {
        world.add(name, Role::Admin).await;
    }
    authenticator.of(&world, "ann").await;
    let truth = Lie { origin: world.origin(), site: "localhost", flags: 5, kind: "webauthn.get" };
    let lies = [
        Lie { origin: "http://localhost:1".to_owned(), ..truth.clone() },
        Lie { origin: "https://evil.example".to_owned(), ..truth.clone() },
        Lie { site: "evil.example", ..truth.clone() },
        Lie { flags: 1, ..truth.clone() },
    ];
    for lie in lies {
        let assertion = authenticator.sign(&question(&world, "ann").await, &lie);
        let answer = world.post("/sign-in", None, &json!({ "name": "ann", "assertion": assertion })).await;
        assert_eq!((answer.status, answer.body.contains("no such passkey")), (401, true), "{}", answer.body);
    }
    // A question to somebody else, a question that nobody asked, somebody else's name.
    let asked_bob = authenticator.sign(&question(&world, "bob").await, &truth);
    let mut never = authenticator.sign(&question(&world, "ann").await, &truth);
    never["nonce"] = URL_SAFE_NO_PAD.encode([0; 32]).into();
    let good = authenticator.sign(&question(&world, "ann").await, &truth);
    for (name, assertion) in [("ann", &asked_bob), ("bob", &asked_bob), ("ann", &never), ("bob", &good)] {
        let answer = world.post("/sign-in", None, &json!({ "name": name, "assertion": assertion })).await;
        assert_eq!(answer.status, 401, "{}", answer.body);
    }
    let recorded = world.recorded();
    for why in ["another origin", "another site", "did not verify who"] {
        assert!(recorded.contains(why), "{why}: {recorded}");
    }
    // One more failure, and that door is locked; that of PINs is not.
    let assertion = authenticator.sign(&question(&world, "ann").await, &Lie { flags: 1, ..truth.clone() });
    assert_eq!(world.post("/sign-in", None, &json!({ "name": "ann", "assertion": assertion })).await.status, 401);
    let assertion = authenticator.sign(&question(&world, "ann").await, &truth);
    assert_eq!(world.post("/sign-in", None, &json!({ "name": "ann", "assertion": assertion })).await.status, 429);
    assert_eq!(world.post("/sign-in", None, &json!({ "name": "ann", "pin": PIN })).await.status, 200);
    // Where it is reached by an address, there is nothing to sign.
    let host = format!("127.0.0.1:{}", world.front.address.port());
    let origin = format!("http://{host}");
    let headers = [("Host", host.as_str()), ("Origin", &origin), ("Content-Type", "application/json")];
    let answer = world.send("POST /sign-in/passkey", &headers, r#"{"name":"ann"}"#).await;
    assert!(answer.body.contains("no passkeys for"), "{}", answer.body);
}
