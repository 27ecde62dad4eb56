//! What else can be done on the pages, by mouse and by key.

use std::fs;

use serde_json::{Value, json};
use tests::agent::Agent;
use tests::browser::Page;
use tests::port;
use tests::world::{Setup, built};

use super::pages::keep;
use super::people::{EVE, enter, join};
use super::{PIN, READS, clean, home, office, office_with, sign_in, staffed};
use crate::approval::poll;

/// The value that a field of a page has.
fn value(page: &Page, at: &str) -> Value {
    page.run(&format!("document.querySelector({at:?}).value"))
}

#[test]
fn the_trail_is_narrowed_by_every_field_read_on_and_walked_through_by_keys() {
    let world = office();
    let agent = world.modern();
    assert!(agent.call("mail.read_inbox", &json!({"folder": "inbox"})).ran());
    for number in 0..40 {
        assert!(agent.call("web.fetch_page", &json!({"url": format!("https://docs.example/{number}")})).ran());
    }
    let (page, home) = (Page::open(1280), home(&world));
    sign_in(&world, &page);
    page.press("2");
    page.wait(".record", "fetch_page");
    let first = page.count(".record");
    page.click("button:has-text('Older records')");
    page.wait(".foot", "That is all.");
    assert!(page.count(".record") > first, "{first}");

    page.press("/");
    page.press("i");
    assert_eq!(value(&page, "input[name=text]"), "i", "a key is a letter where something is written");
    page.press("Escape");
    page.fill("input[name=text]", "");
    page.fill("input[name=tool]", "mail.read_inbox");
    page.gone(".record:has-text('fetch_page')");
    assert_eq!(page.count(".record"), 2);
    page.choose("select[name=kind]", "outcome");
    page.gone(".record .kind:text-is('intent')");
    assert_eq!(page.count(".record"), 1);
    for (field, other) in [("agent", "nobody"), ("server", "web"), ("operator", "olga")] {
        page.fill(&format!("input[name={field}]"), other);
        page.wait(".empty", "No record is like that");
        page.fill(&format!("input[name={field}]"), "");
        page.wait(".record", "read_inbox");
    }
    page.choose("select[name=kind]", "");
    page.choose("select[name=risk]", "CRITICAL");
    page.wait(".empty", "No record is like that");
    page.choose("select[name=risk]", "");
    page.choose("select[name=time]", "between");
    page.fill("input[name=until]", "2020-01-01T00:00");
    page.wait(".empty", "No record is like that");
    page.choose("select[name=time]", "1");
    page.wait(".record", "read_inbox");

    page.goto(&format!("{home}/#trail?tool=mail.read_inbox&kind=outcome"));
    drop(page.run("location.reload()"));
    page.wait(".record", "read_inbox");
    page.press("r");
    page.wait(".record", "read_inbox");
    page.press("j");
    page.press("j");
    page.press("k");
    page.press("Enter");
    page.wait(".life-head", "mail.read_inbox");
    page.click(".entry.intent details summary");
    page.wait(".entry.intent details .tree", "assessment");
    page.press("r");
    page.wait(".entry.outcome", "Result");
    page.press("Escape");
    page.wait("h1", "Trail");
    clean(&page, &home);
}

#[test]
fn the_gateways_own_trials_are_listed_and_saved_for_whoever_asks_for_them() {
    let port = port::free();
    let server = built("office-server");
    let world = Setup::new()
        .liveness("5s")
        .config(&format!("[operator]\nconsole = \"127.0.0.1:{port}\"\n"))
        .command_with("mail", &[server.as_str(), "--department", "mail"], "vouched = true")
        .start();
    world.eventually("a trial", || {
        let records = world.log();
        records.iter().any(|record| record["detail"]["event"] == "liveness-checked").then_some(())
    });
    let page = Page::open(1280);
    sign_in(&world, &page);
    page.press("2");
    page.wait(".record", "signed in");
    let trials = ".record:has-text('portcullis-liveness')";
    let saved = || page.saved(".page-head button:has-text('Export')").1;
    assert_eq!(page.count(trials), 0);
    assert!(
        saved().contains("signed-in") && !saved().contains("portcullis-liveness"),
        "what is saved is what is listed"
    );
    page.click("input[name=trials]");
    page.wait(".record", "portcullis-liveness");
    assert!(saved().contains("portcullis-liveness"));
}

#[test]
fn every_page_has_its_key_and_whoever_cannot_sign_in_is_told_why() {
    let world = staffed();
    let (page, home) = (Page::open(1280), home(&world));
    page.goto(&format!("{home}/sign-in#a-code-that-nobody-was-given"));
    page.wait(".sign-in .trouble", "");
    page.goto(&home);
    keep(&page, "sign-in-1280");
    let narrow = page.another(1, 390, true);
    narrow.goto(&home);
    narrow.wait(".sign-in", "Sign in");
    keep(&narrow, "sign-in-390");
    page.fill("input[name=name]", "ann");
    page.fill("input[name=pin]", "000000");
    page.press("Enter");
    page.wait(".sign-in .trouble", "");
    assert_eq!(value(&page, "input[name=pin]"), "", "a wrong PIN does not stay there");
    page.fill("input[name=pin]", PIN);
    page.press("Enter");
    page.wait("#connection", "live");
    for (key, title) in [("2", "Trail"), ("3", "Now"), ("4", "Tools"), ("5", "Agents"), ("6", "Policies")] {
        page.press(key);
        page.wait("h1", title);
        page.press("r");
        page.wait("h1", title);
    }
    page.press("1");
    page.wait(".hold-list", "Nothing waits");
    page.press("r");
    page.press("?");
    page.wait("dialog", "approve this hold");
    assert_eq!(page.violations(), Vec::<String>::new());
    page.press("Escape");
    page.gone("dialog");
    // Whoever goes by Tab is led past the navigation, and stays on the page.
    page.press("2");
    page.wait("h1", "Trail");
    drop(page.run("document.querySelector('.skip').focus()"));
    page.press("Enter");
    assert_eq!(page.run("document.activeElement.id"), "main");
    page.wait("h1", "Trail");
}

#[test]
fn a_hold_is_copied_saved_followed_to_its_argument_and_approved_with_a_reason() {
    let world = office();
    let (page, agent, home) = (Page::open(1280), world.modern(), home(&world));
    sign_in(&world, &page);
    // The address comes from a letter, so it is one of the reasons.
    assert!(agent.call("mail.read_inbox", &json!({"folder": "inbox"})).ran());
    let arguments =
        json!({"to": ["audit-desk@northwind-supplies.example"], "subject": "Price list", "text": "Attached."});
    std::thread::scope(|scope| {
        let call = scope.spawn(|| poll(&agent, "mail.send_message", &arguments));
        page.wait(".answer", "Approve");
        page.click(".section-tools button:has-text('Copy')");
        page.wait("#toasts", "The arguments are copied.");
        let copied = page.run("navigator.clipboard.readText()");
        assert_eq!(serde_json::from_str::<Value>(copied.as_str().unwrap()).unwrap(), arguments);
        let (name, text) = page.saved(".section-tools button:has-text('Save')");
        assert!(
            name.starts_with("hold-") && serde_json::from_str::<Value>(&text).unwrap() == arguments,
            "{name}: {text}"
        );
        page.click(".reasons button");
        page.wait(".card .marked", "audit-desk@northwind-supplies.example");
        page.click(".item");
        page.press("Escape");
        page.wait(".answer", "Approve");
        page.press("a");
        page.fill("dialog input[name=reason]", "ordered by telephone");
        assert_eq!(page.violations(), Vec::<String>::new());
        page.click("dialog .primary");
        page.gone("dialog");
        assert!(call.join().unwrap().ran());
    });
    page.wait(".item", "approved and run");
    let steps = world.log();
    let approved = steps.iter().find(|record| record["detail"]["step"]["step"] == "approve").unwrap();
    assert_eq!(approved["detail"]["step"]["reason"], "ordered by telephone");
    clean(&page, &home);
}

const WATCHING: &str = r#"
@id("no-mail-at-all") @mode("observe")
forbid (principal, action, resource == Tool::"mail.read_inbox");
"#;

#[test]
fn policies_are_read_again_watched_and_replayed_from_the_page() {
    let world = office_with(WATCHING);
    let file = world.folder().join("test.cedar");
    let agent = world.modern();
    assert!(agent.call("mail.read_inbox", &json!({"folder": "inbox"})).ran(), "it only watches");
    let (page, home) = (Page::open(1280), home(&world));
    sign_in(&world, &page);
    page.press("6");
    page.wait(".rows", "would allow 0, hold 0, deny 1");
    fs::write(&file, "permit (nonsense").unwrap();
    page.click("button:has-text('Read the files again')");
    page.click("dialog .primary");
    page.wait("dialog .trouble", "test.cedar");
    fs::write(&file, format!("// read again\n{READS}{WATCHING}")).unwrap();
    page.click("dialog .primary");
    page.gone("dialog");
    page.wait(".cedar", "read again");
    page.goto(&format!("{home}/#policies/replay"));
    page.fill("input[name=last]", "1");
    page.fill("textarea", &WATCHING.replace(" @mode(\"observe\")", ""));
    page.press("Control+Enter");
    page.wait("main", "of 1 would have been decided otherwise");
    page.click(".rows .row a");
    page.wait(".life-head", "mail.read_inbox");
    clean(&page, &home);
}

#[test]
fn an_agents_token_ends_on_a_date_is_copied_and_leads_to_its_calls() {
    let world = office();
    let (page, home) = (Page::open(1280), home(&world));
    sign_in(&world, &page);
    page.press("4");
    page.wait(".server", "mail");
    page.fill("input[aria-label='Find a tool']", "inbox");
    page.gone(".row:has-text('send_message')");
    page.wait(".row", "read_inbox");
    page.click(".server details summary");
    page.wait(".server details", "Network");
    page.press("Escape");
    page.click("#to-agents");
    page.click(".page-head .primary");
    page.fill("dialog input[name=name]", "night-job");
    page.fill("dialog input[name=expires]", "2040-01-02T03:04");
    assert_eq!(page.violations(), Vec::<String>::new());
    page.click("dialog .primary");
    page.wait("dialog .token", "");
    page.click("dialog button:has-text('Copy')");
    page.wait("#toasts", "The token is copied.");
    assert_eq!(page.violations(), Vec::<String>::new());
    let token = page.run("navigator.clipboard.readText()").as_str().unwrap().to_owned();
    assert!(!Agent::modern(world.endpoint(), &token).names().is_empty(), "it is the agent's");
    page.press("Escape");
    page.wait(".row:has-text('night-job')", "2040");
    page.click("a[href='#trail?agent=night-job']");
    page.wait("h1", "Trail");
    assert_eq!(value(&page, "input[name=agent]"), "night-job");
    clean(&page, &home);
}

#[test]
fn a_reviewer_reads_every_page_and_is_offered_nothing_that_changes_one() {
    let world = staffed();
    join(&world, "eve", "reviewer", EVE);
    let (page, agent, home) = (Page::open(1280), world.modern(), home(&world));
    enter(&page, &home, "eve", EVE);
    let params = json!({"name": "customers.delete_customer", "arguments": {"id": "C-1"}});
    let call = agent.begin("tools/call", params).unwrap();
    page.wait(".card", "You may read this; answering is for operators.");
    page.press("a");
    assert_eq!((page.count("dialog"), page.count(".answer")), (0, 0));
    for (key, title) in [("4", "Tools"), ("5", "Agents"), ("6", "Policies")] {
        page.press(key);
        page.wait("h1", title);
        page.wait("main .row, main .server, main .source", "");
        let buttons = page.run("[...document.querySelectorAll('main button')].map((one) => one.textContent)");
        let offered: Vec<&str> = buttons.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let reading = ["In force", "Explain a call", "Replay"];
        assert!(offered.iter().all(|button| reading.contains(button)), "{title}: {offered:?}");
    }
    drop(call);
}
