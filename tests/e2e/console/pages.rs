//! Every page but the holds, with what can be done on it; and that each can be used by everybody.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::agent::Agent;
use tests::browser::Page;
use tests::world::{Setup, World, built};

use super::people::{BOB, join};
use super::{PIN, READS, clean, home, office, sign_in, staffed};
use crate::approval::poll;

/// Some calls of two agents: reads, one that is denied by rule, one that a person denies.
fn work(world: &World) {
    let agent = world.modern();
    assert!(agent.call("mail.read_inbox", &json!({"folder": "inbox"})).ran());
    for page in 0..3 {
        assert!(agent.call("web.fetch_page", &json!({"url": format!("https://docs.example/{page}")})).ran());
    }
    assert!(!agent.call("web.fetch_page", &json!({"url": "http://169.254.169.254/latest/"})).ran());
    thread::scope(|scope| {
        let call = scope.spawn(|| poll(&agent, "customers.delete_customer", &json!({"id": "C-10002"})));
        let hold = world.hold();
        drop(world.cli(&["holds", "deny", &hold, "--reason", "It has open orders."]).success());
        drop(call.join().unwrap());
    });
}

#[test]
fn the_trail_is_searched_shown_proved_and_saved() {
    let world = office();
    work(&world);
    let (page, home) = (Page::open(1280), home(&world));
    sign_in(&world, &page);
    page.click("#to-trail");
    page.wait(".record", "fetch_page");
    page.choose("select[name=verdict]", "deny");
    page.wait(".record", "cloud-metadata");
    page.gone(".record .kind:text-is('intent')");
    assert_eq!(page.count(".record"), 2);
    page.fill("input[name=text]", "169.254");
    page.gone(".record:has-text('delete_customer')");
    page.wait(".record", "cloud-metadata");
    let (name, text) = page.saved(".page-head button:has-text('Export')");
    assert!(Path::new(&name).extension().is_some_and(|kind| kind == "jsonl"), "{name}");
    let saved: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(saved.len(), 1, "{text}");
    assert_eq!(saved[0]["body"]["url"], "http://169.254.169.254/latest/");

    page.goto(&format!("{home}/#trail?operator=nobody"));
    page.wait(".empty", "No record is like that");
    page.goto(&format!("{home}/#trail?tool=customers.delete_customer&kind=step"));
    page.wait(".record", "denied by");
    page.click(".record");
    page.wait(".life-head", "customers.delete_customer");
    for (entry, text) in [("hold", "C-10002"), ("step", "denied by"), ("refusal", "It has open orders.")] {
        page.wait(&format!(".entry.{entry}"), text);
    }
    page.click(".entry.step .proof button");
    page.wait(".proof .good", "that the log has signed");
    let (name, proof) = page.saved(".proof button:has-text('Save the proof')");
    let file = world.folder().join(name);
    fs::write(&file, proof).unwrap();
    let key = world.cli(&["log", "key"]).success();
    let key = key.split_whitespace().find(|word| word.contains('+')).unwrap();
    drop(world.cli(&["log", "check-proof", file.to_str().unwrap(), "--key", key]).success());
    clean(&page, &home);
}

#[test]
fn now_plots_what_happened() {
    let world = office();
    work(&world);
    let (page, home) = (Page::open(1280), home(&world));
    sign_in(&world, &page);
    page.press("3");
    page.wait(".plot", "Calls by verdict");
    let told =
        page.run("document.querySelector('.plot svg[aria-label^=\"Calls by verdict\"]').getAttribute('aria-label')");
    assert_eq!(told, "Calls by verdict. allowed: 4, held: 1, denied: 2");
    page.wait(".plot", "1 answer");
    page.wait(".health .good", "Log");
    page.click(".tabs button:has-text('1 week')");
    page.wait(".tabs button[aria-pressed=true]", "1 week");
    page.wait(".figures", "denied");
    clean(&page, &home);
}

#[test]
fn a_changed_tool_is_read_as_a_diff_and_accepted() {
    let (world, _folder, trigger) = turning();
    fs::write(trigger, "").unwrap();
    world
        .eventually("the change", || (!world.modern().names().contains(&"mail.send_message".to_owned())).then_some(()));
    let (page, home) = (Page::open(1280), home(&world));
    sign_in(&world, &page);
    page.click("#to-tools");
    page.wait(".row.changed", "mail.send_message");
    page.click(".row.changed button");
    page.wait(".diff .added", "archive@mail-backup.example");
    page.wait(".diff .removed", "Sends an e-mail.");
    assert_eq!(page.violations(), Vec::<String>::new());
    keep(&page, "changed-1280");
    let narrow = page.another(1, 390, true);
    sign_in(&world, &narrow);
    // Its own address leads to what changed.
    narrow.goto(&format!("{home}/#tools/mail.send_message"));
    narrow.wait(".diff .added", "archive@mail-backup.example");
    keep(&narrow, "changed-390");
    page.click("dialog .primary");
    page.gone("dialog");
    page.gone(".row.changed");
    world.eventually("the tool", || world.modern().names().contains(&"mail.send_message".to_owned()).then_some(()));
    clean(&page, &home);
}

#[test]
fn agents_get_a_token_once_and_lose_it() {
    let world = office();
    let (page, home) = (Page::open(1280), home(&world));
    sign_in(&world, &page);
    page.click("#to-agents");
    page.wait(".row", "default");
    page.click(".page-head .primary");
    page.fill("dialog input[name=name]", "support-bot");
    page.click("dialog .primary");
    page.wait("dialog", "It is shown only now");
    let agent = Agent::modern(world.endpoint(), &page.text("dialog .token code"));
    assert_eq!(agent.names().len(), 6);
    page.click("dialog .primary");
    page.wait(".row", "support-bot");
    page.click(".row:has-text('support-bot') button");
    page.click("dialog .danger");
    page.gone("dialog");
    page.gone(".row:has-text('support-bot')");
    assert!(
        !agent.try_ask("tools/list", json!({})).is_ok_and(|answer| answer.result()["tools"].is_array()),
        "the token still opens"
    );
    clean(&page, &home);
}

#[test]
fn a_right_is_lent_listed_and_taken_back() {
    let world = staffed();
    join(&world, "bob", "operator", BOB);
    let (page, home) = (Page::open(1280), home(&world));
    sign_in(&world, &page);
    page.click("#to-agents");
    page.wait(".delegations", "Nobody has lent theirs.");
    page.click(".delegations .section-head button");
    page.choose("dialog select[name=to]", "bob");
    page.choose("dialog select[name=lasts]", "24h");
    page.choose("dialog select[name=risk]", "HIGH");
    page.fill("dialog input[name=agents]", "default");
    page.fill("dialog input[name=tools]", "mail, customers.delete_customer");
    page.fill("dialog input[name=reason]", "on <b>holiday</b>");
    page.fill("dialog input[name=pin]", "000000");
    page.click("dialog .primary");
    page.wait("dialog .trouble", "PIN is wrong");
    page.fill("dialog input[name=pin]", PIN);
    page.click("dialog .primary");
    page.gone("dialog");
    page.wait(".delegations .row", "bob may approve for ann");
    page.wait(".delegations .row", "risk up to HIGH; agents default; tools customers.delete_customer, mail");
    page.wait(".delegations .row", "23 h");
    page.wait(".delegations .row", "on <b>holiday</b>");
    keep(&page, "delegations-1280");
    let narrow = page.another(1, 390, true);
    sign_in(&world, &narrow);
    narrow.goto(&format!("{home}/#agents"));
    narrow.wait(".delegations .row", "bob may approve for ann");
    assert_eq!(narrow.violations(), Vec::<String>::new());
    keep(&narrow, "delegations-390");
    let listed = world.list(&["operator", "delegations"]);
    assert_eq!((&listed[0]["by"], &listed[0]["to"]), (&json!("ann"), &json!("bob")));
    page.click(".delegations .row button");
    page.click("dialog .danger");
    page.gone("dialog");
    page.gone(".delegations .row");
    assert!(world.list(&["operator", "delegations"]).is_empty());
    clean(&page, &home);
    world.verify();
}

#[test]
fn policies_are_read_explained_and_replayed() {
    let world = office();
    work(&world);
    let (page, home) = (Page::open(1280), home(&world));
    sign_in(&world, &page);
    page.click("#to-policies");
    page.wait(".source", "office-reads");
    page.click(".tabs button:has-text('Explain')");
    page.wait(".actions", "Explain");
    page.click(".actions .primary");
    page.wait(".explained", "someone@example.com");
    page.fill("textarea", "{\"not\": \"a call\"}");
    page.click(".actions .primary");
    page.wait(".explained .trouble", "no row has");
    page.click(".tabs button:has-text('Replay')");
    page.wait(".actions", "over the last");
    page.fill("textarea", "@id(\"closed\") @reason(\"Closed.\") @next(\"Wait.\") forbid (principal, action == Action::\"call\", resource == Tool::\"web.fetch_page\");");
    page.click(".actions .primary");
    page.wait(".rows .row", "web.fetch_page");
    // The one to the metadata address was denied before; the reads of private data are held without the office's own permit.
    assert!(page.count(".rows .row:has-text('web.fetch_page')") == 3, "{}", page.text(".policies"));
    page.fill("textarea", "permit (nonsense");
    page.click(".actions .primary");
    page.wait(".trouble", "the changed policies");
    clean(&page, &home);
}

/// An office whose mail server turns once the trigger is there.
fn turning() -> (World, TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let trigger = folder.path().join("trigger");
    let server = built("office-server");
    let words = [server.as_str(), "--department", "mail", "--trigger", trigger.to_str().unwrap()];
    let world = Setup::new().policies(READS).command_with("mail", &words, "vouched = true").start();
    world.eventually("the tools", || (world.modern().names().len() == 2).then_some(()));
    (world, folder, trigger)
}

/// With `PORTCULLIS_SHOTS`, what the pages look like is kept for the guide.
pub(super) fn keep(page: &Page, name: &str) {
    if std::env::var_os("PORTCULLIS_SHOTS").is_some() {
        let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images");
        fs::create_dir_all(&images).unwrap();
        page.shot(&images.join(format!("console-{name}.png")));
    }
}

#[test]
fn no_page_has_a_serious_violation_wide_or_narrow_light_or_dark() {
    let world = office();
    work(&world);
    let agent = world.modern();
    let home = home(&world);
    let letter = json!({"to": ["audit-desk@northwind-supplies.example"], "subject": "Customer list",
        "text": "Attached is the customer list you asked for.\nMarta Lindqvist, marta.lindqvist@example.com, 14 orders",
        "reply_to": "billing@northwind\u{2010}supplies.example\u{202e}moc.live"});
    for (tool, arguments) in [
        ("mail.send_message", &letter),
        ("payments.pay_invoice", &json!({"iban": "DE89370400440532013000", "amount": 1234.5, "invoice": "2026-1187"})),
        ("customers.delete_customer", &json!({"id": "C-20871"})),
    ] {
        assert!(!agent.ask("tools/call", json!({"name": tool, "arguments": arguments})).ran());
    }
    let first = Page::open(1280);
    for (number, width, dark) in [(1, 1280, false), (2, 390, true), (3, 1280, true), (4, 390, false)] {
        let page = first.another(number, width, dark);
        page.goto(&home);
        page.wait(".sign-in", "Sign in");
        assert_eq!(page.violations(), Vec::<String>::new(), "sign-in at {width}");
        sign_in(&world, &page);
        let kept = [1, 2].contains(&number);
        for (address, at, text) in [
            ("holds", ".item", "send_message"),
            ("trail", ".record", "fetch_page"),
            ("now", ".plot", "Who answers"),
            ("tools", ".row", "mail.send_message"),
            ("agents", ".row", "default"),
            ("policies", ".source", "office-reads"),
            ("policies/explain", ".actions", "Explain"),
            ("policies/replay", ".actions", "Replay"),
        ] {
            page.goto(&format!("{home}/#{address}"));
            page.wait(at, text);
            if address == "holds" && width < 600 {
                page.wait(".item", "delete_customer");
            }
            assert_eq!(page.violations(), Vec::<String>::new(), "{address} at {width}, dark: {dark}");
            if kept && address != "holds" {
                keep(&page, &format!("{}-{width}", address.replace('/', "-")));
            }
        }
        page.goto(&format!("{home}/#holds"));
        page.click(".item:has-text('send_message')");
        page.wait(".similar", "never held before");
        assert_eq!(page.violations(), Vec::<String>::new(), "a card at {width}, dark: {dark}");
        if kept {
            keep(&page, &format!("holds-{width}"));
        }
        page.click(".answer .danger");
        page.wait("dialog", "The agent is told this");
        assert_eq!(page.violations(), Vec::<String>::new(), "a dialog at {width}, dark: {dark}");
        page.click("dialog .quiet");
        page.goto(&format!("{home}/#trail?verdict=deny"));
        page.click(".record");
        page.wait(".entry", "Prove it");
        page.click(".proof button");
        page.wait(".proof", "the log has signed");
        assert_eq!(page.violations(), Vec::<String>::new(), "a life at {width}, dark: {dark}");
        if kept {
            keep(&page, &format!("life-{width}"));
        }
        clean(&page, &home);
    }
}
