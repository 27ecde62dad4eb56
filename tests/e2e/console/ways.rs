//! Every link, button and key that the other stories pass by.

use std::thread;

use serde_json::{Value, json};
use tests::browser::Page;

use super::{clean, home, message, office, sign_in};
use crate::approval::poll;

#[test]
fn the_frame_leads_to_every_page_and_back_and_waits_for_a_gateway_that_does_not_answer() {
    let world = office();
    let (page, home) = (Page::open(1280), home(&world));
    // Whoever comes while the gateway starts need not load the page again.
    drop(page.cdp("Network.enable", &json!({})));
    drop(page.cdp("Network.setBlockedURLs", &json!({"urls": ["*/session"]})));
    page.goto(&home);
    page.wait(".sign-in", "The gateway cannot be reached. Trying again");
    drop(page.cdp("Network.setBlockedURLs", &json!({"urls": []})));
    page.wait(".sign-in", "portcullis console");
    sign_in(&world, &page);
    let pages = [
        ("trail", "Trail"),
        ("now", "Now"),
        ("tools", "Tools"),
        ("agents", "Agents"),
        ("policies", "Policies"),
        ("holds", "Holds"),
    ];
    for (name, title) in pages {
        page.click(&format!("#to-{name}"));
        page.wait("h1", title);
        page.wait("#side a[aria-current=page]", title);
        assert!(page.title().starts_with(title), "{}", page.title());
    }
    page.click("#to-policies");
    page.click(".tabs button:has-text('Explain')");
    page.wait(".tabs button[aria-pressed=true]", "Explain");
    page.click(".tabs button:has-text('In force')");
    page.wait(".source", "office-reads");
    page.press("4");
    page.wait(".row", "read_inbox");
    page.press("/");
    page.press("z");
    page.gone(".row:has-text('read_inbox')");
    page.click(".brand");
    page.wait(".hold-list", "Nothing waits");
    page.click(".account button:has-text('Keys')");
    page.wait("dialog", "deny this hold");
    page.click("dialog .primary:has-text('Close')");
    page.gone("dialog");
}

#[test]
fn several_holds_are_walked_through_by_keys_and_each_leads_to_its_call_and_to_those_before() {
    let world = office();
    let (page, agent, home) = (Page::open(1280), world.modern(), home(&world));
    sign_in(&world, &page);
    let mut long = message("a@example.com");
    long["text"] = format!("{}the end of it", "word ".repeat(2_000)).into();
    thread::scope(|scope| {
        let call = scope.spawn(|| poll(&agent, "mail.send_message", &message("first@example.com")));
        page.wait(".answer", "Deny");
        page.press("d");
        page.fill("dialog textarea", "Not that one.");
        page.press("Control+Enter");
        drop(call.join().unwrap());
    });
    let delete = json!({"id": "C-1"});
    for (tool, arguments) in [("mail.send_message", &long), ("customers.delete_customer", &delete)] {
        assert!(!agent.ask("tools/call", json!({"name": tool, "arguments": arguments})).ran());
        page.wait(".item.pending", tool.split_once('.').unwrap().1);
    }
    let chosen = || page.text(".item[aria-current]");
    page.press("Enter");
    let first = chosen();
    page.press("j");
    page.wait(
        ".item.pending[aria-current]",
        if first.contains("send_message") { "delete_customer" } else { "send_message" },
    );
    page.press("k");
    page.wait(".item[aria-current]", if first.contains("send_message") { "send_message" } else { "delete_customer" });
    page.press("Escape");
    page.click(".item.pending:has-text('send_message')");
    page.wait(".tree .long .more", "characters are not shown");
    page.click(".tree .long .more");
    page.wait(".tree .long", "the end of it");
    assert_eq!(page.count(".tree .long .more"), 0);

    page.click(".similar .past a:has-text('denied')");
    page.wait(".entry.refusal", "Not that one.");
    page.click("a.back");
    page.wait("h1", "Trail");
    page.press("3");
    page.click(".plot a:has-text('delete_customer')");
    page.wait(".card h1", "delete_customer");
    page.click(".card .facts a[href^='#trail/']");
    page.wait(".life-head", "delete_customer");
    page.wait(".entry.hold", "C-1");

    let narrow = page.another(1, 390, true);
    sign_in(&world, &narrow);
    narrow.click(".item:has-text('delete_customer')");
    narrow.click("button.back");
    narrow.wait(".item", "send_message");
    for browser in [&page, &narrow] {
        clean(browser, &home);
    }
}

#[test]
fn a_proof_that_could_not_be_made_says_why_and_is_made_at_the_next_try() {
    let world = office();
    assert!(world.modern().call("mail.read_inbox", &json!({"folder": "inbox"})).ran());
    let (page, home) = (Page::open(1280), home(&world));
    sign_in(&world, &page);
    page.goto(&format!("{home}/#trail?tool=mail.read_inbox&kind=outcome"));
    page.click(".record");
    page.wait(".entry.outcome", "Prove it");
    // A record that the log does not have.
    drop(page.run(
        "globalThis.sent = WebSocket.prototype.send; WebSocket.prototype.send = function (text) { \
        sent.call(this, text.replace(/\"seq\":\\d+/, '\"seq\":999999')); }; null",
    ));
    page.click(".entry.outcome .proof button");
    page.wait(".entry.outcome .proof .trouble", "999999");
    drop(page.run("WebSocket.prototype.send = sent; null"));
    page.click(".entry.outcome .proof button:has-text('Try again')");
    page.wait(".entry.outcome .proof .good", "that the log has signed");
    clean(&page, &home);
}

#[test]
fn the_trail_is_read_again_at_a_click_and_from_a_moment_on() {
    let world = office();
    let (page, agent, home) = (Page::open(1280), world.modern(), home(&world));
    sign_in(&world, &page);
    page.goto(&format!("{home}/#trail?tool=mail.read_inbox"));
    page.wait(".empty", "No record is like that");
    assert!(agent.call("mail.read_inbox", &json!({"folder": "inbox"})).ran());
    page.click("button:has-text('Read again')");
    page.wait(".record", "read_inbox");
    page.choose("select[name=time]", "between");
    page.fill("input[name=since]", "2040-01-01T00:00");
    page.wait(".empty", "No record is like that");
    page.fill("input[name=since]", "2020-01-01T00:00");
    page.wait(".record", "read_inbox");
    let address = page.run("location.hash");
    assert!(address.as_str().unwrap().contains("since=2020-01-01T00%3A00"), "{address}");
    assert_eq!(page.run("document.querySelectorAll('.record').length"), Value::from(2));
    clean(&page, &home);
}
