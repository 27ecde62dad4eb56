//! A server that tried what it had not declared: seen, read of, and let out again.

use serde_json::json;
use tests::browser::Page;
use tests::internet::internet;
use tests::port;
use tests::world::{Setup, World};

use super::people::{EVE, enter, join};
use super::{PIN, clean, home, sign_in, staff};

const RUNS: &str = r#"
@id("test-runs")
permit (principal, action == Action::"call_unattended", resource);
"#;

const LIFT: &str = "button:has-text('Lift the quarantine')";

/// A gateway whose `http.fetch` may reach one host.
fn fetching() -> World {
    let grant = "[bundled]\nhttp = { egress = [{ host = \"web.test\", protocol = \"http\" }] }\n";
    let console = format!("[operator]\nconsole = \"127.0.0.1:{}\"\n", port::free());
    let setup = Setup::new().bundled().policies(RUNS).config(grant).config(&internet().config()).config(&console);
    let world = setup.start();
    world.eventually("the tool", || world.modern().names().contains(&"http.fetch".to_owned()).then_some(()));
    world
}

#[test]
fn a_quarantine_is_seen_its_call_is_read_and_whoever_lifts_it_is_in_the_log() {
    let world = fetching();
    staff(&world);
    join(&world, "eve", "reviewer", EVE);
    let (page, agent, home) = (Page::open(1280), world.modern(), home(&world));
    let eve = page.another(1, 390, true);
    sign_in(&world, &page);
    enter(&eve, &home, "eve", EVE);
    let fetch = |url: &str| agent.ask("tools/call", json!({"name": "http.fetch", "arguments": {"url": url}}));
    assert!(fetch("http://web.test/before").ran());
    assert!(!fetch("http://evil.test/never").ran(), "it was not granted");

    // From here on its calls wait, also those to where it may go.
    assert!(!fetch("http://web.test/meanwhile").ran(), "it is in quarantine");
    page.wait(".card .reasons", "undeclared");
    page.press("d");
    page.fill("dialog textarea", "Look first.");
    page.press("Control+Enter");
    page.gone("dialog");
    page.press("3");
    page.wait(".health .bad", "quarantined");
    for browser in [&page, &eve] {
        browser.click("#to-tools");
        browser.wait(".server:has-text('http') .status", "quarantined");
        browser.wait(".server .warning", "fetch tried what it had not declared");
        assert_eq!(browser.violations(), Vec::<String>::new());
    }
    assert_eq!(eve.count(LIFT), 0, "a reviewer changes nothing");
    page.press("2");
    page.click(".record:has-text('tried what it had not declared')");
    page.wait(".attempts .denied", "evil.test");

    page.press("4");
    page.click(LIFT);
    page.wait("dialog", "when you have read what it tried");
    page.click("dialog .primary");
    // She came by a link: what changes something takes her PIN.
    page.fill("dialog input[name=pin]", PIN);
    page.click("dialog .primary");
    page.gone("dialog");
    page.wait("#toasts", "http is out of quarantine.");
    page.gone(".status.quarantined");
    let answer = fetch("http://web.test/after");
    assert!(answer.ran() && answer.text.contains("HTTP 200"), "{}", answer.text);
    let log = world.log();
    let lifted = log.iter().find(|record| record["detail"]["event"] == "quarantine-lifted").expect("it is recorded");
    assert_eq!((&lifted["detail"]["name"], &lifted["detail"]["by"]), (&json!("http"), &json!("ann")));
    page.press("2");
    page.wait(".record", "quarantine lifted");
    for browser in [&page, &eve] {
        clean(browser, &home);
    }
    world.verify();
}
