//! A passkey or the PIN: whoever has a passkey chooses, as far as the policies let them.

use std::thread;

use serde_json::{Value, json};
use tests::agent::Answer;
use tests::browser::Page;
use tests::world::World;

use super::passkeys::{KEYED, at_the_console, authenticator, make, message};
use super::people::{BOB, CYN, agent_of, join};
use super::{PIN, clean};
use crate::approval::poll;

/// What the agent is answered, when ann has its call before her and then does this.
fn held(world: &World, page: &Page, answer: impl FnOnce()) -> Answer {
    let agent = world.modern();
    thread::scope(|scope| {
        let call = scope.spawn(|| poll(&agent, "mail.send_message", &message("Offer")));
        page.wait(".answer", "Approve");
        page.press("a");
        page.wait("dialog", "Your passkey signs this answer");
        answer();
        call.join().unwrap()
    })
}

fn by_pin(page: &Page, pin: &str) {
    page.fill("dialog input[name=pin]", pin);
    page.press("Enter");
}

/// What proved the one approval in the log.
fn proof(world: &World) -> Value {
    let steps = world.log().into_iter().filter(|record| record["detail"]["step"]["step"] == "approve");
    let mut proofs: Vec<Value> = steps.map(|record| record["detail"]["step"]["proof"].clone()).collect();
    assert_eq!(proofs.len(), 1, "{proofs:?}");
    proofs.remove(0)
}

#[test]
fn whose_passkey_is_not_at_hand_uses_the_pin_where_no_policy_wants_more() {
    let (world, page, home) = at_the_console("");
    drop(page.cdp("WebAuthn.disable", &json!({})));
    let id = authenticator(&page);
    make(&page, "blue key");
    page.click("dialog .primary:has-text('Close')");
    let sent = held(&world, &page, || {
        // Somebody whose finger it does not know.
        let stranger = json!({"authenticatorId": id, "isUserVerified": false});
        drop(page.cdp("WebAuthn.setUserVerified", &stranger));
        page.click("dialog .primary");
        page.wait("dialog .trouble", "try again, or use your PIN");
        page.click("dialog button:has-text('Use the PIN instead')");
        assert_eq!(page.violations(), Vec::<String>::new());
        by_pin(&page, "000000");
        page.wait("dialog .trouble", "the PIN is wrong");
        by_pin(&page, PIN);
        page.gone("dialog");
    });
    assert!(sent.ran(), "{}", sent.text);
    assert_eq!(proof(&world)["by"], "pin");
    assert_eq!(world.json(&["log", "verify"])["asserted"], 0);
    clean(&page, &home);
}

#[test]
fn where_a_policy_wants_the_passkey_the_pin_is_refused_and_the_dialog_says_what_to_do() {
    let (world, page, home) = at_the_console(KEYED);
    make(&page, "blue key");
    page.click("dialog .primary:has-text('Close')");
    let sent = held(&world, &page, || {
        page.click("dialog button:has-text('Use the PIN instead')");
        by_pin(&page, PIN);
        page.wait("dialog .trouble", "policy `passkey-where-there-is-one` does not let `ann` approve this call");
        page.wait("dialog .trouble", "Answer it in the console, with your passkey.");
        assert_eq!(world.holds()[0]["state"], "pending");
        // In the same dialog, without typing its reason again.
        page.click("dialog button:has-text('Use the passkey instead')");
        page.click("dialog .primary");
        page.gone("dialog");
    });
    assert!(sent.ran(), "{}", sent.text);
    assert_eq!(proof(&world)["by"], "passkey");
    let log = world.log();
    let refused = log.iter().find(|record| record["detail"]["event"] == "answer-refused").expect("the PIN was refused");
    assert!(refused["detail"]["reason"].as_str().unwrap().contains("passkey-where-there-is-one"), "{refused}");
    assert_eq!(world.json(&["log", "verify"])["asserted"], 1);
    clean(&page, &home);
}

/// What ann alone may approve.
const ONLY_ANN: &str = r#"
@id("only-ann")
forbid (principal, action == Action::"approve", resource in Server::"mail") unless { principal == Operator::"ann" };
"#;

#[test]
fn a_right_that_takes_a_passkey_is_lent_and_used_with_one() {
    let (world, page, _) = at_the_console(&format!("{KEYED}{ONLY_ANN}"));
    join(&world, "bob", "operator", BOB);
    join(&world, "cyn", "operator", CYN);
    // Of neither of the two.
    let agent = agent_of(&world, "cyn", CYN);
    make(&page, "blue key");
    page.click("dialog .primary:has-text('Close')");
    let words = ["operator", "delegate", "--to", "bob", "--for", "1h", "--reason", "mine", "--pin-stdin"];
    let by_pin = world.cli_told(&words, &format!("{PIN}\n"));
    assert!(by_pin.stderr.contains("a passkey of `ann` has to sign this"), "{by_pin:?}");
    assert!(by_pin.stderr.contains("console"), "{by_pin:?}");
    page.press("5");
    page.wait(".delegations", "Nobody has lent theirs.");
    page.click(".delegations .section-head button");
    page.wait("dialog", "Your passkey signs that you lend it");
    page.fill("dialog input[name=reason]", "on holiday");
    page.click("dialog .primary:has-text('Lend it')");
    page.wait(".delegations .row", "bob may approve for ann");
    assert_eq!(world.json(&["log", "verify"])["asserted"], 1);

    let params = json!({"name": "mail.send_message", "arguments": message("Offer")});
    assert!(!agent.ask("tools/call", params).ran());
    let words = ["holds", "approve", &world.hold(), "--as", "bob", "--pin-stdin"];
    let by_pin = world.cli_told(&words, &format!("{BOB}\n"));
    assert!(by_pin.stderr.contains("only-ann") && by_pin.stderr.contains("passkey-where-there-is-one"), "{by_pin:?}");
    assert_eq!(world.holds()[0]["state"], "pending");
    world.verify();
}
