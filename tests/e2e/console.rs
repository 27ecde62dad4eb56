//! The console in a real browser: holds are read and answered, whatever is in them, and whatever happens to the gateway.

mod actions;
mod glass;
mod pages;
mod passkeys;
mod people;
mod proofs;
mod quarantine;
mod quorum;
mod siem;
mod tls;
mod ways;

use std::thread;

use serde_json::json;
use tests::agent::Agent;
use tests::browser::Page;
use tests::port;
use tests::world::{Setup, World, built};

use crate::approval::poll;

const PIN: &str = "294017";

/// What an office may read without asking, so that the tests are about what is held.
const READS: &str = r#"
@id("office-reads")
permit (principal, action == Action::"call_unattended", resource)
when { [Tool::"mail.read_inbox", Tool::"customers.find_customer", Tool::"web.fetch_page"].contains(resource) };
"#;

/// An office with a console on a port of its own.
fn office() -> World {
    office_with("")
}

fn office_with(policies: &str) -> World {
    office_in("", policies)
}

fn office_in(config: &str, policies: &str) -> World {
    let port = port::free();
    let mut setup = Setup::new()
        .policies(&format!("{READS}{policies}"))
        .config(&format!("{config}[operator]\nconsole = \"127.0.0.1:{port}\"\n"));
    let server = built("office-server");
    for name in ["mail", "customers", "payments", "web"] {
        setup = setup.command_with(name, &[server.as_str(), "--department", name], "vouched = true");
    }
    let world = setup.start();
    world.eventually("the tools", || (world.modern().names().len() == 6).then_some(()));
    world
}

/// An office with an admin who has a PIN.
fn staffed() -> World {
    let world = office();
    staff(&world);
    world
}

fn staff(world: &World) {
    let own = rustix::process::geteuid().as_raw().to_string();
    let words = ["operator", "add", "ann", "--role", "admin", "--uid", own.as_str(), "--pin-stdin"];
    drop(world.cli_told(&words, &format!("{PIN}\n")).success());
}

fn sign_in(world: &World, page: &Page) {
    let link = world.json(&["console"]);
    page.goto(link["url"].as_str().unwrap());
    page.wait("#connection", "live");
}

fn home(world: &World) -> String {
    let link = world.json(&["console"])["url"].as_str().unwrap().to_owned();
    link.split("/sign-in").next().unwrap().to_owned()
}

/// Only our own addresses were asked for, and nothing was stopped by the policy or threw.
fn clean(page: &Page, home: &str) {
    let said = page.said();
    let ours = |line: &str| {
        line.starts_with(&format!("REQUEST {home}/")) || line.starts_with(&format!("REQUEST blob:{home}/"))
    };
    // A page that asks who is signed in may be told that nobody is.
    let fine = |line: &&String| ours(line) || line.contains("401 (Unauthorized)");
    let odd: Vec<&String> = said.iter().filter(|line| !fine(line)).collect();
    assert!(odd.is_empty(), "{odd:?}");
}

fn message(to: &str) -> serde_json::Value {
    json!({"to": [to], "subject": "Customer list", "text": "Attached is the list."})
}

#[test]
fn a_hold_appears_is_read_and_is_answered_by_key_and_pin() {
    let world = staffed();
    let (page, agent, home) = (Page::open(1280), world.modern(), home(&world));
    sign_in(&world, &page);
    page.wait(".hold-list", "Nothing waits");
    assert!(agent.call("mail.read_inbox", &json!({"folder": "inbox"})).ran());

    let sent = thread::scope(|scope| {
        let call = scope.spawn(|| poll(&agent, "mail.send_message", &message("audit-desk@northwind-supplies.example")));
        page.wait(".item", "send_message");
        page.wait(".card .sentence", "wants to call mail.send_message");
        page.wait(".card .marked", "audit-desk@northwind-supplies.example");
        page.wait(".card .origin", "First seen in result #1 of mail.read_inbox");
        page.wait(".card section", "jail");
        page.wait(".similar", "This tool was never held before");
        assert!(page.title().starts_with("(1) "), "{}", page.title());
        page.press("a");
        page.fill("dialog input[name=pin]", "000000");
        page.press("Enter");
        page.wait("dialog .trouble", "the PIN is wrong");
        page.fill("dialog input[name=pin]", PIN);
        page.press("Enter");
        page.gone("dialog");
        call.join().unwrap()
    });
    assert!(sent.ran(), "{}", sent.text);
    page.wait(".items", "approved and run");

    let refused = thread::scope(|scope| {
        let call = scope.spawn(|| poll(&agent, "mail.send_message", &message("other@northwind-supplies.example")));
        page.wait(".item.pending", "send_message");
        page.press("j");
        page.press("k");
        page.wait(".similar", "1 time approved");
        page.press("d");
        page.fill("dialog textarea", "We send lists to nobody.");
        page.press("Control+Enter");
        page.gone("dialog");
        call.join().unwrap()
    });
    assert!(!refused.ran() && refused.text.contains("We send lists to nobody."), "{}", refused.text);
    assert_eq!(world.holds(), Vec::<serde_json::Value>::new());
    clean(&page, &home);
    world.verify();
}

#[test]
fn a_call_that_was_approved_is_denied_in_the_console_until_it_has_run() {
    let world = staffed();
    let (page, agent, home) = (Page::open(1280), world.modern(), home(&world));
    sign_in(&world, &page);
    let mail = message("audit-desk@northwind-supplies.example");
    let asked = agent.ask("tools/call", json!({"name": "mail.send_message", "arguments": mail}));
    assert!(!asked.ran(), "{}", asked.text);
    page.wait(".answer", "Approve");
    // Somebody else says yes, and the agent is not there to hear of it.
    let words = ["holds", "approve", &world.hold(), "--pin-stdin"];
    drop(world.cli_told(&words, &format!("{PIN}\n")).success());
    page.wait(".answered", "approved, not run yet");
    assert_eq!((page.count(".answer .primary"), page.count(".answer .danger")), (0, 1));
    page.press("d");
    page.fill("dialog textarea", "Not to them.");
    page.press("Control+Enter");
    page.gone("dialog");
    page.gone(".answer .danger");
    let refused = poll(&agent, "mail.send_message", &mail);
    assert!(!refused.ran() && refused.text.contains("Not to them."), "{}", refused.text);
    clean(&page, &home);
    world.verify();
}

#[test]
fn a_card_says_whose_approvals_are_missing_and_that_too_few_may_give_them() {
    let world = office_in("[approve]\ncritical = { people = 2, role = \"admin\" }\n", "");
    staff(&world);
    let (page, agent, home) = (Page::open(1280), world.modern(), home(&world));
    sign_in(&world, &page);
    let mail = message("audit-desk@northwind-supplies.example");
    assert!(!agent.ask("tools/call", json!({"name": "mail.send_message", "arguments": mail})).ran());
    page.wait(".card .state", "0 of 2 approvals, 2 admins still needed");
    page.wait(".card > .warning", "Nobody can let it run: it needs 2 approvals more");
    assert_eq!(page.violations(), Vec::<String>::new());
    page.press("a");
    page.fill("dialog input[name=pin]", PIN);
    page.press("Enter");
    page.gone("dialog");
    page.wait(".card .state", "1 of 2 approvals, 1 admin still needed");
    clean(&page, &home);
    world.verify();
}

/// In place of the browser's own, which shows nothing without a screen: keeps what it is asked to show.
const NOTIFICATION: &str = "globalThis.told = []; globalThis.Notification = class extends EventTarget {
    static permission = 'default';
    static requestPermission = async () => (Notification.permission = 'granted');
    constructor(title, { body }) { super(); told.push(`${title} | ${body}`); globalThis.latest = this; }
    close() {}
};";

#[test]
fn a_new_hold_is_told_in_the_background_alone_and_without_its_arguments() {
    let world = office();
    let (page, agent, home) = (Page::open(1280), world.modern(), home(&world));
    drop(page.cdp("Page.enable", &json!({})));
    drop(page.cdp("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": NOTIFICATION })));
    sign_in(&world, &page);
    page.click("button:has-text('Notify me')");
    page.wait("button", "Notices are on");
    let invoice = json!({"iban": "DE89370400440532013000", "amount": 1234.5, "invoice": "2026-1187"});
    let held = |tool: &str, arguments: &serde_json::Value| {
        assert!(!agent.ask("tools/call", json!({"name": tool, "arguments": arguments})).ran());
        page.wait(".item", tool.split_once('.').unwrap().1);
    };
    held("mail.send_message", &message("a@example.com"));
    assert_eq!(page.run("told"), json!([]), "somebody looks");
    drop(page.run("Object.defineProperty(document, 'hidden', { get: () => true }); null"));
    held("payments.pay_invoice", &invoice);
    assert_eq!(page.run("told"), json!(["CRITICAL: a call waits | default wants payments.pay_invoice"]));
    assert!(page.title().starts_with("(2) "), "{}", page.title());
    // A click on it leads to its hold; whoever turns notices off is told no more.
    drop(page.run("latest.dispatchEvent(new Event('click')); null"));
    page.wait(".item[aria-current]", "pay_invoice");
    page.click("button:has-text('Notices are on')");
    page.wait("button", "Notify me");
    held("customers.delete_customer", &json!({"id": "C-1"}));
    assert_eq!(page.run("told.length"), 1);
    clean(&page, &home);
}

#[test]
fn a_pass_is_given_with_an_approval_listed_and_revoked() {
    let world = staffed();
    let (page, agent, home) = (Page::open(1280), world.modern(), home(&world));
    sign_in(&world, &page);
    // A tool's first use is a level riskier, which is CRITICAL here: a pass comes with the second.
    let first = thread::scope(|scope| {
        let call = scope.spawn(|| poll(&agent, "mail.send_message", &message("b@example.com")));
        let words = ["holds", "approve", &world.hold(), "--pin-stdin"];
        drop(world.cli_told(&words, &format!("{PIN}\n")).success());
        call.join().unwrap()
    });
    assert!(first.ran(), "{}", first.text);
    page.gone(".item.pending");
    let sent = thread::scope(|scope| {
        let call = scope.spawn(|| poll(&agent, "mail.send_message", &message("a@example.com")));
        page.wait(".answer", "Approve");
        page.press("a");
        page.click("dialog input[name=pass]");
        page.wait("dialog .argument", "subject");
        pages::keep(&page, "pass-1280");
        drop(page.run("const one = [...document.querySelectorAll('dialog .argument')].find((it) => it.textContent.startsWith('subject')); \
            const choice = one.querySelector('select'); choice.value = 'like'; choice.dispatchEvent(new Event('change')); \
            one.querySelector('input').value = 'Offer *'"));
        page.fill("dialog input[name=pin]", PIN);
        page.press("Enter");
        page.wait("dialog .trouble", "is not like `Offer *`");
        drop(page.run(
            "[...document.querySelectorAll('dialog .argument input')].find((it) => !it.hidden).value = 'Customer *'",
        ));
        page.choose("dialog .argument:has(bdi:text-is('text')) select", "any");
        page.choose("dialog select[name=lasts]", "8h");
        page.fill("dialog input[name=times]", "3");
        assert_eq!(page.violations(), Vec::<String>::new());
        page.fill("dialog input[name=pin]", PIN);
        page.press("Enter");
        page.gone("dialog");
        call.join().unwrap()
    });
    assert!(sent.ran(), "{}", sent.text);
    page.wait(".item-pass", "subject like Customer *");
    page.wait(".item-pass", "text anything");
    page.wait(".item-pass", "0 of 3 used · 7 h");
    let mut more = message("a@example.com");
    more["subject"] = "Customer index".into();
    more["text"] = "Nothing like it.".into();
    let answer = agent.call("mail.send_message", &more);
    assert!(answer.ran(), "{}", answer.text);
    page.click(".item-pass button");
    page.click("dialog .danger");
    page.gone("dialog");
    page.gone(".item-pass");
    let answer = agent.ask("tools/call", json!({"name": "mail.send_message", "arguments": more}));
    assert!(!answer.ran(), "a revoked pass let a call run: {}", answer.text);
    clean(&page, &home);
    world.verify();
}

#[test]
fn hostile_arguments_stay_text_and_nothing_in_them_hides() {
    let world = office();
    let (page, agent, home) = (Page::open(1280), world.modern(), home(&world));
    sign_in(&world, &page);
    let many: serde_json::Map<_, _> = (0..10_000).map(|n| (format!("key-{n}"), json!(n))).collect();
    let mut arguments = message("a@example.com");
    arguments["html"] = "<img src=/x onerror='window.harmed=1'><script>window.harmed=1</script><b>bold</b>".into();
    arguments["<i>key</i>"] = "javascript:window.harmed=1".into();
    arguments["bidi"] = "invoice\u{202e}fdp.exe".into();
    arguments["invisible"] = format!("pay{}pal\u{0}\u{7}\u{1b}[2J", "\u{200b}".repeat(500)).into();
    arguments["mixed"] = "p\u{430}ypal".into();
    arguments["__proto__"] = json!({"polluted": true});
    arguments["number"] = json!(12_345_678_901_234_567_890_u64);
    arguments["big"] = "word ".repeat(200_000).into();
    arguments["many"] = many.into();
    thread::scope(|scope| {
        let call = scope.spawn(|| poll(&agent, "mail.send_message", &arguments));
        page.wait(".card .tree", "<script>window.harmed=1</script>");
        for ghost in ["U+202E", "U+200B ×500", "U+0000", "U+001B"] {
            page.wait(".tree .ghost", ghost);
        }
        page.wait(".tree .mixed", "p\u{430}ypal");
        page.wait(".tree .number", "12345678901234567890");
        page.wait(".tree .key", "__proto__");
        page.wait(".tree .more", "characters are not shown");
        assert_eq!(page.count(".tree img, .tree script, .tree b, .tree i, .tree a"), 0);
        assert_eq!(page.run("[typeof window.harmed, ({}).polluted === undefined]"), json!(["undefined", true]));
        let elements = page.run("document.querySelectorAll('*').length").as_u64().unwrap();
        assert!(elements < 3_000, "{elements} elements are made before anyone looks");
        page.click(".twist[aria-expanded=false]:has-text('many')");
        page.wait(".gap .more", "members are not shown");
        page.click(".gap .more");
        page.wait(".tree", "key-42");
        // It is still answered.
        page.press("d");
        page.fill("dialog textarea", "no");
        page.click("dialog .danger");
        page.gone("dialog");
        drop(call.join().unwrap());
    });
    clean(&page, &home);
}

#[test]
fn two_browsers_answer_one_hold_and_it_is_decided_once() {
    let world = office();
    let one = Page::open(1280);
    let two = one.another(1, 390, true);
    sign_in(&world, &one);
    sign_in(&world, &two);
    let agent = world.modern();
    let answer = thread::scope(|scope| {
        let call = scope.spawn(|| poll(&agent, "mail.send_message", &message("a@example.com")));
        one.wait(".answer", "Approve");
        two.click(".item");
        two.wait(".answer", "Deny");
        one.press("a");
        two.click(".answer .danger");
        two.fill("dialog textarea", "too late");
        one.wait("dialog", "Approve");
        one.click("dialog .primary");
        one.gone("dialog");
        // The other has its dialog open, on a hold that is settled.
        two.click("dialog .danger");
        two.wait("dialog .trouble", "the approval was used by");
        two.click("dialog .quiet");
        two.wait(".card", "approved and run");
        call.join().unwrap()
    });
    assert!(answer.ran(), "{}", answer.text);
    let steps: Vec<_> = world.log().into_iter().filter(|record| record["kind"] == "step").collect();
    let answers =
        steps.iter().filter(|step| ["approve", "deny"].contains(&step["detail"]["step"]["step"].as_str().unwrap()));
    assert_eq!(answers.count(), 1, "{steps:?}");
}

#[test]
fn the_console_says_that_its_gateway_is_gone_and_finds_it_again() {
    let mut world = office();
    let page = Page::open(1280);
    sign_in(&world, &page);
    let agent = world.modern();
    let asked = agent.ask("tools/call", json!({"name": "customers.delete_customer", "arguments": {"id": "C-1"}}));
    assert!(!asked.ran());
    page.wait(".answer", "Deny");
    world.kill();
    page.wait("#away", "The gateway cannot be reached");
    page.wait("#connection", "no connection");
    page.press("d");
    page.fill("dialog textarea", "no");
    page.click("dialog .danger");
    page.wait("dialog .trouble", "cannot be reached");
    world.start();
    // Sessions are not kept: whoever comes back says who they are, and finds the hold where it was.
    page.wait(".sign-in", "Sign in");
    sign_in(&world, &page);
    page.wait(".answer", "Deny");
    page.press("d");
    page.fill("dialog textarea", "still needed");
    page.click("dialog .danger");
    page.wait(".items", "denied");
    let denied =
        Agent::modern(world.endpoint(), world.token()).call("customers.delete_customer", &json!({"id": "C-1"}));
    assert!(denied.text.contains("still needed"), "{}", denied.text);
}
