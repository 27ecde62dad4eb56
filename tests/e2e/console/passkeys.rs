//! Passkeys in a real browser, with the authenticator that chromium has for tests: made, used to sign in, and to sign
//! decisions; and what is refused.

use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde_json::{Value, json};
use tests::browser::Page;
use tests::world::World;

use super::pages::keep;
use super::{PIN, clean, home, office_with, sign_in, staff};
use crate::approval::poll;

/// Whoever has a passkey answers with it.
pub(super) const KEYED: &str = r#"
@id("passkey-where-there-is-one")
@next("Answer it in the console, with your passkey.")
forbid (principal, action in [Action::"approve", Action::"break_glass"], resource)
when { context.keyed && context.by != "passkey" };
"#;

/// An office with ann, who is signed in by a link and has an authenticator.
pub(super) fn at_the_console(policies: &str) -> (World, Page, String) {
    let world = office_with(policies);
    staff(&world);
    let (page, home) = (Page::open(1280), home(&world));
    authenticator(&page);
    sign_in(&world, &page);
    (world, page, home)
}

/// Chromium's own authenticator, with somebody at it who proves who they are.
pub(super) fn authenticator(page: &Page) -> String {
    drop(page.cdp("WebAuthn.enable", &json!({})));
    let options = json!({"protocol": "ctap2", "transport": "usb", "hasResidentKey": true, "hasUserVerification": true,
        "isUserVerified": true, "automaticPresenceSimulation": true});
    let made = page.cdp("WebAuthn.addVirtualAuthenticator", &json!({ "options": options }));
    made["authenticatorId"].as_str().unwrap().to_owned()
}

/// Makes a passkey by the page's dialog, which stays open.
pub(super) fn make(page: &Page, label: &str) {
    page.click(".account button:has-text('Passkeys')");
    page.wait("dialog .passkeys", "You have none yet");
    page.click("dialog button:has-text('Add a passkey')");
    page.fill("dialog input[name=label]", label);
    page.click("dialog .primary:has-text('Make it')");
    page.fill("dialog input[name=pin]", PIN);
    page.click("dialog .primary:has-text('Make it')");
    page.wait("dialog .passkeys .row", label);
}

pub(super) fn message(subject: &str) -> Value {
    json!({"to": ["a@example.com"], "subject": subject, "text": "Hello."})
}

fn decoded(value: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(value.as_str().unwrap_or_else(|| panic!("{value}"))).unwrap()
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

fn hex(text: &Value) -> Vec<u8> {
    let pairs = text.as_str().unwrap().as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn a_passkey_is_made_signs_in_and_signs_an_approval_that_anybody_can_check() {
    let (world, page, home) = at_the_console(KEYED);
    let agent = world.modern();
    make(&page, "blue key");
    page.click("dialog .primary:has-text('Close')");
    page.click("button:has-text('Sign out')");
    page.wait(".sign-in", "Sign in");
    page.fill("input[name=name]", "ann");
    page.click("button:has-text('Use a passkey')");
    page.wait("#connection", "live");
    let sent = thread::scope(|scope| {
        let call = scope.spawn(|| poll(&agent, "mail.send_message", &message("Offer")));
        let hold = world.hold();
        let by_pin = world.cli_told(&["holds", "approve", &hold, "--pin-stdin"], &format!("{PIN}\n"));
        assert!(by_pin.stderr.contains("passkey-where-there-is-one"), "{by_pin:?}");
        page.wait(".answer", "Approve");
        page.press("a");
        page.wait("dialog", "Your passkey signs this answer");
        page.press("Enter");
        page.gone("dialog");
        call.join().unwrap()
    });
    assert!(sent.ran(), "{}", sent.text);
    clean(&page, &home);

    let log = world.log();
    let event = |name: &str| {
        let found = log.iter().find(|record| record["detail"]["event"] == name);
        found.unwrap_or_else(|| panic!("no {name}"))["detail"].clone()
    };
    assert!(log.iter().any(|record| record["detail"]["how"] == "passkey"), "nobody signed in by passkey");
    let added = event("passkey-added");
    let hold = log.iter().find(|record| record["kind"] == "hold").unwrap();
    let step = log.iter().find(|record| record["detail"]["step"]["step"] == "approve").unwrap();
    let proof = &step["detail"]["step"]["proof"];
    verifies(&added, hold, step, proof);
    assert_eq!(proof["credential"], added["credential"]);
    let verified: Value = world.json(&["log", "verify"]);
    assert_eq!(verified["asserted"], 1);

    // An admin sees it, and takes it away where it was lost.
    let known = world.json(&["operator", "passkeys", "ann"]);
    assert_eq!((&known["label"], &known["site"]), (&json!("blue key"), &json!("localhost")));
    let words = ["operator", "passkey-remove", "ann", known["id"].as_str().unwrap(), "--pin-stdin"];
    drop(world.cli_told(&words, &format!("{PIN}\n")).success());
    assert!(world.cli(&["operator", "passkeys", "ann"]).success().contains("no passkey"));
    page.click("button:has-text('Sign out')");
    page.fill("input[name=name]", "ann");
    page.click("button:has-text('Use a passkey')");
    page.wait(".sign-in .trouble", "the operator has no such passkey");
    world.verify();
}

/// What a reviewer does who trusts nothing of ours but the record's fields.
fn verifies(added: &Value, hold: &Value, step: &Value, proof: &Value) {
    let said: Value = serde_json::from_slice(&decoded(&proof["client_data"])).unwrap();
    let field = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
    let digest = &hold["detail"]["binding"];
    assert_eq!(proof["digest"], *digest, "what was signed for is not what was held");
    assert_eq!(hex(&proof["terms"]), sha256(b"{}"), "no reason was given, and no pass");
    let fields = [
        field(step["detail"]["hold"].as_str().unwrap().as_bytes()),
        field(&hex(digest)),
        field(b"approve"),
        field(&hex(&proof["terms"])),
        field(b"ann"),
        field(&decoded(&proof["nonce"])),
    ];
    let challenge = sha256(&[&b"portcullis passkey decision v1\0"[..], &fields.concat()].concat());
    assert_eq!(said["challenge"], URL_SAFE_NO_PAD.encode(challenge));
    assert_eq!(said["type"], "webauthn.get");
    let data = decoded(&proof["authenticator_data"]);
    assert_eq!(data[..32], sha256(b"localhost"));
    assert_eq!(data[32] & 5, 5, "nobody was there, or nobody proved it");
    let point = added["public_key"].as_str().unwrap().strip_prefix("ES256:").unwrap();
    let signed = [data, sha256(&decoded(&proof["client_data"]))].concat();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, URL_SAFE_NO_PAD.decode(point).unwrap());
    key.verify(&signed, &decoded(&proof["signature"])).expect("the signature is the key's");
}

/// Functions for scripts in a page: the API, and a signature over whatever is asked.
const TOOLS: &str = r"
const { sign } = await import('/webauthn.js');
const { csrf } = await (await fetch('/session')).json();
const post = async (path, body) => (await fetch(path, { method: 'POST', body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', 'x-csrf-token': csrf } })).json();
const call = async (method, params) => {
    const { result, error } = await post('/api', { jsonrpc: '2.0', id: 1, method, params });
    return error ? { error: `${error.code} ${error.message}` } : result;
};
const signed = async (method, params) => sign(await call('passkeys_challenge', { method, params }));
const [one, two] = (await call('holds_list', {})).map(({ id, digest }) => ({ id, digest }));
";

fn script(page: &Page, body: &str) -> Value {
    page.run(&format!("(async () => {{ {TOOLS} {body} }})()"))
}

#[track_caller]
pub(super) fn refused(page: &Page, body: &str, why: &str) {
    let answer = script(page, body);
    let error = answer["error"].as_str().unwrap_or_else(|| panic!("{body} was accepted: {answer}"));
    assert!(error.contains(why), "{body}: {error}");
}

#[test]
fn a_signature_is_good_for_one_decision_of_one_person_once() {
    let (world, page, _) = at_the_console("");
    let agent = world.modern();
    make(&page, "blue key");
    for subject in ["One", "Two"] {
        let params = json!({"name": "mail.send_message", "arguments": message(subject)});
        assert!(!agent.ask("tools/call", params).ran());
    }
    world.eventually("two holds", || (world.holds().len() == 2).then_some(()));
    let sent = "const assertion = await signed('holds_approve', one);";
    for (body, why) in [
        ("return call('holds_approve', { ...two, assertion });", "another challenge"),
        ("return call('holds_approve', { ...one, reason: 'fine', assertion });", "another challenge"),
        (
            "return call('holds_approve', { ...one, pass: { times: 9, lasts: '1h', arguments: {} }, assertion });",
            "another challenge",
        ),
        (
            "return call('holds_break_glass', { ...one, reason: 'it burns, really', because: 'nobody else is here', assertion });",
            "another challenge",
        ),
    ] {
        refused(&page, &format!("{sent} {body}"), &format!("1412 the passkey does not prove it: it answers {why}"));
    }
    let again = "const first = await call('holds_approve', { ...one, assertion }); const second = await call('holds_approve', \
        { ...one, assertion }); return { first: first.error, error: second.error }";
    let answer = script(&page, &format!("{sent} {again}"));
    assert_eq!(answer["first"], Value::Null);
    assert!(answer["error"].as_str().unwrap().contains("answered before"), "{answer}");

    // From here on the approved one is listed too: the other is asked for by name.
    let open = "const open = (await call('holds_list', {})).find(({ state }) => state === 'pending'); \
        const left = { id: open.id, digest: open.digest };";
    let sent = format!("{open} const assertion = await signed('holds_approve', left);");
    for (body, why) in [
        ("return call('holds_approve', { ...left, assertion: { ...assertion, nonce: 'AAAA' } });", "answered before"),
        (
            "return call('holds_approve', { ...left, assertion: { ...assertion, credential: 'AAAA' } });",
            "no such passkey",
        ),
        (
            "const broken = (assertion.signature[20] === 'A' ? 'B' : 'A'); return call('holds_approve', { ...left, assertion: \
             { ...assertion, signature: assertion.signature.slice(0, 20) + broken + assertion.signature.slice(21) } });",
            "its signature is not this key's",
        ),
        ("return call('agents_add', { name: 'eve', assertion });", "does not sign `agents_add`"),
    ] {
        refused(&page, &format!("{sent} {body}"), why);
    }
    unverified_or_elsewhere(&world, &page, open);
    // It can still be signed as it should be.
    let answer = script(&page, &format!("{sent} return call('holds_approve', {{ ...left, assertion }});"));
    assert_eq!(answer["state"], "approved", "{answer}");
    let log = serde_json::to_string(&world.log()).unwrap();
    assert_eq!(log.matches(r#""event":"passkey-refused""#).count(), 7, "{log}");
    assert!(!log.contains(r#""name":"eve""#), "{log}");
    assert_eq!(world.json(&["log", "verify"])["asserted"], 2);
}

/// Nobody proved that they are there; another session's question; a question about another person.
fn unverified_or_elsewhere(world: &World, page: &Page, open: &str) {
    let silent = format!(
        "{open} const asked = await call('passkeys_challenge', {{ method: 'holds_approve', params: left }}); \
         const get = navigator.credentials.get.bind(navigator.credentials); \
         navigator.credentials.get = ({{ publicKey }}) => get({{ publicKey: {{ ...publicKey, userVerification: 'discouraged' }} }}); \
         const assertion = await sign(asked); navigator.credentials.get = get; \
         return call('holds_approve', {{ ...left, assertion }});"
    );
    refused(page, &silent, "did not verify who was at it");
    let other = page.another(1, 1280, false);
    sign_in(world, &other);
    let question = format!("{open} return call('passkeys_challenge', {{ method: 'holds_approve', params: left }});");
    let asked = script(&other, &question);
    let answered = format!(
        "{open} const assertion = await sign({asked}); return call('holds_approve', {{ ...left, assertion }});"
    );
    refused(page, &answered, "answered before");
}

#[test]
fn a_copied_key_is_found_by_its_counter_and_a_stranger_learns_nothing() {
    let (world, page, home) = at_the_console("");
    let id = {
        drop(page.cdp("WebAuthn.disable", &json!({})));
        authenticator(&page)
    };
    make(&page, "blue key");
    let first = script(
        &page,
        "const asked = await post('/sign-in/passkey', { name: 'ann' }); const assertion = await sign(asked); \
         return post('/sign-in', { name: 'Ann', assertion });",
    );
    assert_eq!(first["name"], "ann", "{first}");
    // A copy of the key that has counted less.
    let credentials = page.cdp("WebAuthn.getCredentials", &json!({ "authenticatorId": id }));
    let mut credential = credentials["credentials"][0].clone();
    credential["signCount"] = 0.into();
    let which = json!({ "authenticatorId": id, "credentialId": credential["credentialId"] });
    drop(page.cdp("WebAuthn.removeCredential", &which));
    drop(page.cdp("WebAuthn.addCredential", &json!({ "authenticatorId": id, "credential": credential })));
    let copied = script(
        &page,
        "const assertion = await sign(await post('/sign-in/passkey', { name: 'ann' })); \
         return post('/sign-in', { name: 'ann', assertion });",
    );
    assert!(copied["error"].as_str().unwrap().contains("the passkey does not prove it"), "{copied}");
    let log = serde_json::to_string(&world.log()).unwrap();
    assert!(log.contains("its counter went back"), "{log}");

    // Whether there is such a person, or whether they have a passkey, does not show.
    let asked =
        "return [await post('/sign-in/passkey', { name: 'nobody' }), await post('/sign-in/passkey', { name: 'ann' })];";
    let asked = script(&page, asked);
    assert_eq!(asked[0]["credentials"], json!([]));
    assert_eq!(asked[0]["credentials"], asked[1]["credentials"]);
    assert_ne!(asked[0]["nonce"], asked[1]["nonce"]);
    let stranger = script(
        &page,
        "const asked = await post('/sign-in/passkey', { name: 'nobody' }); \
         const assertion = { nonce: asked.nonce, credential: 'AAAA', authenticator_data: 'AAAA', client_data: 'AAAA', signature: 'AAAA' }; \
         return [await post('/sign-in', { name: 'nobody', assertion }), await post('/sign-in', { name: 'ann', assertion })];",
    );
    assert_eq!(stranger[0]["error"], copied["error"]);
    assert_eq!(stranger[1]["error"], copied["error"]);

    // Browsers have no passkeys where a page is reached by an address, and the page says so.
    let by_address = Page::open(390);
    by_address.goto(&home.replace("localhost", "127.0.0.1"));
    by_address.wait(".sign-in", "Passkeys need a name");
    assert_eq!(by_address.count("button:has-text('Use a passkey')"), 0);
    world.verify();
}

#[test]
fn the_dialogs_of_passkeys_can_be_used_by_everybody() {
    let world = office_with("");
    staff(&world);
    let agent = world.modern();
    let params = json!({"name": "mail.send_message", "arguments": message("Offer")});
    assert!(!agent.ask("tools/call", params).ran());
    let first = Page::open(1280);
    for (number, width, dark) in [(1, 1280, false), (2, 390, true), (3, 1280, true), (4, 390, false)] {
        let page = first.another(number, width, dark);
        authenticator(&page);
        sign_in(&world, &page);
        make(&page, "blue key");
        let at = |what: &str| format!("{what} at {width}, dark: {dark}");
        assert_eq!(page.violations(), Vec::<String>::new(), "{}", at("the list"));
        keep_first(&page, number, &format!("passkeys-{width}"));
        page.click("dialog button:has-text('Add a passkey')");
        page.wait("dialog", "What you call it");
        assert_eq!(page.violations(), Vec::<String>::new(), "{}", at("making one"));
        // The authenticator has one of hers already.
        page.fill("dialog input[name=label]", "the same again");
        page.click("dialog .primary:has-text('Make it')");
        page.wait("dialog .trouble", "has a passkey of yours already");
        page.click("dialog .quiet:has-text('Cancel')");
        page.click("dialog .primary:has-text('Close')");
        page.click(".item:has-text('send_message')");
        page.click(".answer .primary");
        page.wait("dialog", "Your passkey signs this answer");
        assert_eq!(page.violations(), Vec::<String>::new(), "{}", at("signing"));
        keep_first(&page, number, &format!("passkey-answer-{width}"));
        page.click("dialog button:has-text('Use the PIN instead')");
        page.wait("dialog label", "Your PIN");
        page.press("Escape");
        page.gone("dialog");
        page.click(".account button:has-text('Passkeys')");
        page.click("dialog .passkeys button:has-text('Remove')");
        page.click("dialog .danger");
        page.wait("dialog .passkeys", "You have none yet");
        page.click("dialog .primary:has-text('Close')");
    }
    world.verify();
}

fn keep_first(page: &Page, number: u32, name: &str) {
    if [1, 2].contains(&number) {
        keep(page, name);
    }
}
