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

impl World {
    /// The person at the authenticator, who signs in with it.
    async fn by_passkey(&self, name: &str, authenticator: &Authenticator) -> Browser {
        let assertion = authenticator.sign(&question(self, name).await, &self.truth());
        let answer = self.post("/sign-in", None, &json!({ "name": name, "assertion": assertion })).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        Browser { cookie: answer.cookie(), csrf: answer.json()["csrf"].as_str().unwrap().to_owned() }
    }

    fn truth(&self) -> Lie {
        Lie { origin: self.origin(), site: "localhost", flags: 5, kind: "webauthn.get" }
    }

    /// A request with the signature that its page would ask for.
    async fn signed(&self, browser: &Browser, authenticator: &Authenticator, method: &str, params: &Value) -> Value {
        let asked = self.call(browser, "passkeys_challenge", &json!({ "method": method, "params": params })).await;
        let mut whole = params.clone();
        whole["assertion"] = authenticator.sign(&asked["result"], &self.truth());
        whole
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
    // However many there were: no signature is guessed, and whoever knows a name keeps nobody out.
    let garbage = Lie { flags: 1, ..truth.clone() };
    for _ in 0..20 {
        let assertion = authenticator.sign(&question(&world, "ann").await, &garbage);
        assert_eq!(world.post("/sign-in", None, &json!({ "name": "ann", "assertion": assertion })).await.status, 401);
    }
    let ann = world.by_passkey("ann", &authenticator).await;
    let digest = Hash::of(b"deed");
    let hold = json!({ "id": "hold-aaaaaaaaaaaaaaaa", "digest": digest });
    for _ in 0..20 {
        let asked = json!({ "method": "holds_approve", "params": hold });
        let asked = world.call(&ann, "passkeys_challenge", &asked).await["result"].clone();
        let mut whole = hold.clone();
        whole["assertion"] = authenticator.sign(&asked, &garbage);
        assert_eq!(code(&world.call(&ann, "holds_approve", &whole).await), 1412);
    }
    // Nor does it lock the door of PINs.
    let mut by_pin = hold.clone();
    by_pin["pin"] = PIN.into();
    let signed = world.signed(&ann, &authenticator, "holds_approve", &hold).await;
    for whole in [by_pin, signed] {
        assert_eq!(code(&world.call(&ann, "holds_approve", &whole).await), 1404, "there is no such hold");
    }
    assert_eq!(world.post("/sign-in", None, &json!({ "name": "ann", "pin": PIN })).await.status, 200);
    // Where it is reached by an address, there is nothing to sign.
    let host = format!("127.0.0.1:{}", world.address.port());
    let origin = format!("http://{host}");
    let headers = [("Host", host.as_str()), ("Origin", &origin), ("Content-Type", "application/json")];
    let answer = world.send("POST /sign-in/passkey", &headers, r#"{"name":"ann"}"#).await;
    assert!(answer.body.contains("no passkeys for"), "{}", answer.body);
}

#[tokio::test]
async fn a_stolen_pin_makes_no_passkey_and_removes_none_of_who_has_one() {
    let (world, authenticator) = (World::start(), Authenticator::new());
    for name in ["ann", "bob"] {
        world.add(name, Role::Operator).await;
    }
    authenticator.of(&world, "ann").await;
    let (own, pin) = (Authenticator::credential().id().to_string(), PIN);
    let mallory = world.by_pin("ann").await;
    for (method, params) in
        [("passkeys_begin", json!({ "pin": pin })), ("passkeys_remove", json!({ "id": own, "pin": pin }))]
    {
        let refused = world.call(&mallory, method, &params).await;
        assert_eq!(code(&refused), 1413, "{method} by the PIN: {refused}");
        assert!(refused["error"]["data"]["next"].as_str().unwrap().contains("passkey"), "{refused}");
    }
    // A session that the passkey began is not enough either: its cookie may be somebody else's by now.
    let ann = world.by_passkey("ann", &authenticator).await;
    assert_eq!(code(&world.call(&ann, "passkeys_begin", &json!({})).await), 1413);
    // What signs one request signs no other, and none twice.
    let (begin, remove) = (json!({}), json!({ "id": own }));
    let signed = world.signed(&ann, &authenticator, "passkeys_begin", &begin).await;
    let mut other = remove.clone();
    other["assertion"] = signed["assertion"].clone();
    assert_eq!(code(&world.call(&ann, "passkeys_remove", &other).await), 1412);
    let signed = world.signed(&ann, &authenticator, "passkeys_begin", &begin).await;
    let options = &world.call(&ann, "passkeys_begin", &signed).await["result"];
    assert!(options["challenge"].is_string(), "{options}");
    assert_eq!(options["authenticatorSelection"]["residentKey"], "required", "the sign-in could not name it");
    assert_ne!(code(&world.call(&ann, "passkeys_begin", &signed).await), 0, "one signature for two requests");
    assert_eq!(world.audit.passkeys(&OperatorId::authenticated("ann")).len(), 1);

    // A first one that was begun by the PIN is finished as a first one alone.
    let bob = world.by_pin("bob").await;
    let response = json!({ "id": "AAAA", "rawId": "AAAA", "type": "public-key",
        "response": { "attestationObject": "AAAA", "clientDataJSON": "AAAA" } });
    let finish = json!({ "label": "mine", "response": response });
    let first = json!({ "pin": pin });
    for (late, why) in [(false, "not accepted"), (true, "no passkey is being made")] {
        assert!(world.call(&bob, "passkeys_begin", &first).await["result"]["challenge"].is_string());
        if late {
            let signed = world.signed(&ann, &authenticator, "passkeys_remove", &remove).await;
            assert_eq!(world.call(&ann, "passkeys_remove", &signed).await["result"]["id"], own.as_str());
            authenticator.of(&world, "bob").await;
        }
        let refused = world.call(&bob, "passkeys_add", &finish).await;
        assert!(refused["error"]["message"].as_str().unwrap_or_default().contains(why), "{refused}");
    }
    // Who has none any more begins as before.
    assert_eq!(code(&world.call(&ann, "passkeys_begin", &json!({})).await), 1402);
    assert!(world.call(&ann, "passkeys_begin", &first).await["result"]["challenge"].is_string());
}

#[tokio::test]
async fn a_right_is_lent_with_a_signature_by_who_has_a_passkey_and_never_by_the_pin_alone() {
    let (world, authenticator) = (World::start(), Authenticator::new());
    for name in ["ann", "bob"] {
        world.add(name, Role::Operator).await;
    }
    let lent = json!({ "to": "bob", "lasts": "8h", "for": { "tools": ["mail"] }, "reason": "on holiday" });
    let with = |pin: &str| {
        let mut params = lent.clone();
        params["pin"] = pin.into();
        params
    };
    // Who has none lends by the PIN.
    let bob = world.by_pin("bob").await;
    let mut hers = with(PIN);
    hers["to"] = "ann".into();
    assert_eq!(world.call(&bob, "delegations_add", &hers).await["result"]["to"], "ann");
    authenticator.of(&world, "ann").await;
    let mallory = world.by_pin("ann").await;
    for params in [&lent, &with(PIN)] {
        assert_eq!(code(&world.call(&mallory, "delegations_add", params).await), 1413);
    }
    let client = Client::connect(&world.state).await.unwrap();
    let told = [("to", "bob"), ("lasts", "8h"), ("reason", "mine"), ("as", "ann"), ("pin", PIN)];
    let Err(AskError::Refused { code: refused, next, .. }) = client.ask::<Value>("delegations_add", &told).await else {
        panic!("the command line lent it")
    };
    assert_eq!((refused, next.unwrap().contains("console")), (1413, true));
    let ann = world.by_passkey("ann", &authenticator).await;
    assert_eq!(code(&world.call(&ann, "delegations_add", &lent).await), 1413, "a session lent it");
    // What she signed is what is lent.
    for (name, other) in [("to", json!("ann")), ("lasts", json!("9h")), ("for", json!({})), ("reason", json!("mine"))] {
        let mut wider = world.signed(&ann, &authenticator, "delegations_add", &lent).await;
        wider[name] = other;
        assert_eq!(code(&world.call(&ann, "delegations_add", &wider).await), 1412, "{name}");
    }
    assert_eq!(world.audit.delegations().len(), 1);
    let signed = world.signed(&ann, &authenticator, "delegations_add", &lent).await;
    let made = world.call(&ann, "delegations_add", &signed).await;
    assert_eq!((&made["result"]["by"], &made["result"]["to"]), (&json!("ann"), &json!("bob")), "{made}");
    let recorded = world.recorded();
    assert!(recorded.contains(signed["assertion"]["signature"].as_str().unwrap()), "{recorded}");
}

/// All that a stranger can tell of a question by what it looks like.
fn shape(question: &Value) -> Value {
    let length = |name: &str| question[name].as_str().map(str::len);
    let names: Vec<&String> = question.as_object().unwrap().keys().collect();
    json!([names, length("nonce"), length("challenge"), question["site"], question["credentials"]])
}

#[tokio::test]
async fn the_sign_in_says_neither_who_there_is_nor_who_has_a_passkey() {
    let (world, authenticator) = (World::start(), Authenticator::new());
    for name in ["ann", "bob"] {
        world.add(name, Role::Operator).await;
    }
    authenticator.of(&world, "ann").await;
    let other = Event::PasskeyAdded {
        name: OperatorId::authenticated("ann"),
        credential: Credential::new(vec![7; 64]).unwrap(),
        label: "another, with a longer id".to_owned(),
        site: "localhost".to_owned(),
        public_key: PublicKey::Ed25519([7; 32]),
        counter: 0,
        by: None,
    };
    world.audit.note(other, clock::now()).await.unwrap();
    // Two passkeys, none, and nobody.
    let shapes = [shape(&question(&world, "ann").await), shape(&question(&world, "bob").await)];
    for name in ["nobody", "Nobody", "ANN"] {
        let asked = question(&world, name).await;
        assert!(shapes.iter().all(|known| *known == shape(&asked)), "{name}: {asked} {shapes:?}");
        // What is to be signed is made of what was typed, and not of what the name's owner is called.
        let nonce = audit::assertion::Nonce::parse(asked["nonce"].as_str().unwrap()).unwrap();
        let typed = OperatorId::authenticated(&name.to_lowercase());
        let made = audit::assertion::sign_in_challenge(&typed, &nonce);
        assert_eq!(asked["challenge"], URL_SAFE_NO_PAD.encode(made.as_bytes()), "{name}");
    }
    let assertion = |asked: &Value| authenticator.sign(asked, &Lie { flags: 1, ..world.truth() });
    let mut told = Vec::new();
    for name in ["ann", "bob", "nobody"] {
        let asked = question(&world, name).await;
        let mut by_passkey = Vec::new();
        for _ in 0..7 {
            let body = json!({ "name": name, "assertion": assertion(&asked) });
            let answer = world.post("/sign-in", None, &body).await;
            by_passkey.push((answer.status, answer.body));
        }
        let mut by_pin = Vec::new();
        for _ in 0..7 {
            let answer = world.post("/sign-in", None, &json!({ "name": name, "pin": "guess1" })).await;
            // The time until which it is locked is its own.
            let error = answer.json()["error"].as_str().unwrap().split(": none").next().unwrap().to_owned();
            by_pin.push((answer.status, error));
        }
        assert_eq!(by_pin.iter().map(|(status, _)| *status).collect::<Vec<_>>(), [401, 401, 401, 401, 401, 429, 429]);
        told.push((by_passkey, by_pin));
    }
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
}

#[tokio::test]
async fn whoever_asks_without_end_crowds_out_nobodys_question() {
    let (world, authenticator) = (World::start(), Authenticator::new());
    for name in ["ann", "bob"] {
        world.add(name, Role::Operator).await;
    }
    authenticator.of(&world, "ann").await;
    let site = crate::passkey::Site::of(&world.origin()).unwrap();
    let asked = question(&world, "ann").await;
    for _ in 0..600 {
        // In her name too.
        for name in ["ann", "mallory"] {
            drop(world.front.passkeys.ask_to_sign_in(name, &site));
        }
    }
    let wrong = authenticator.sign(&asked, &Lie { flags: 1, ..world.truth() });
    assert_eq!(world.post("/sign-in", None, &json!({ "name": "ann", "assertion": wrong })).await.status, 401);
    let assertion = authenticator.sign(&asked, &world.truth());
    let right = json!({ "name": "ann", "assertion": assertion });
    let answer = world.post("/sign-in", None, &right).await;
    assert_eq!(answer.status, 200, "her question was forgotten: {}", answer.body);
    assert_eq!(world.post("/sign-in", None, &right).await.status, 401, "one signature signed in twice");

    // In sessions: another of her own, which asks and asks.
    let ann = Browser { cookie: answer.cookie(), csrf: answer.json()["csrf"].as_str().unwrap().to_owned() };
    let other = world.by_passkey("ann", &authenticator).await;
    let hold = json!({ "id": "hold-aaaaaaaaaaaaaaaa", "digest": Hash::of(b"deed") });
    let signed = world.signed(&ann, &authenticator, "holds_approve", &hold).await;
    let asks = json!({ "method": "holds_approve", "params": hold });
    for _ in 0..600 {
        assert_eq!(code(&world.call(&other, "passkeys_challenge", &asks).await), 0);
    }
    assert_eq!(code(&world.call(&other, "holds_approve", &signed).await), 1409, "another session's question");
    assert_eq!(code(&world.call(&ann, "holds_approve", &signed).await), 1404, "there is no such hold");
    assert_eq!(code(&world.call(&ann, "holds_approve", &signed).await), 1409, "one signature for two answers");
}
