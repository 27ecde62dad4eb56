//! Two people are asked about a call, each in a browser of their own.

use std::thread;

use serde_json::{Value, json};
use tests::agent::{Agent, Answer};
use tests::browser::Page;
use tests::world::World;

use super::passkeys::{message, refused};
use super::people::{BOB, CYN, agent_of, enter, join};
use super::{PIN, clean, home, office_in, sign_in, staff};
use crate::approval::poll;

const TWO: &str = "[approve]\nhigh = { people = 2 }\ncritical = { people = 2 }\n";

/// Who has approved, on the card.
const APPROVED_BY: &str = ".card .facts div:has(dt:text-is('Approved by'))";

/// An office where ann sits at a screen and bob has a phone, and the agent is a third's.
struct Office {
    world: World,
    agent: Agent,
    ann: Page,
    bob: Page,
    home: String,
}

impl Office {
    fn open() -> Self {
        let world = office_in(TWO, "");
        staff(&world);
        join(&world, "bob", "operator", BOB);
        join(&world, "cyn", "operator", CYN);
        let (agent, home) = (agent_of(&world, "cyn", CYN), home(&world));
        let ann = Page::open(1280);
        let bob = ann.another(1, 390, true);
        sign_in(&world, &ann);
        enter(&bob, &home, "bob", BOB);
        Self { world, agent, ann, bob, home }
    }

    /// What the agent is answered in the end, when both have read the card and then did this.
    fn held(&self, answer: impl FnOnce()) -> Answer {
        thread::scope(|scope| {
            let call = scope.spawn(|| poll(&self.agent, "mail.send_message", &message("Offer")));
            for page in [&self.ann, &self.bob] {
                page.click(".item:has-text('send_message')");
            }
            self.both(".card .state", "0 of 2 approvals");
            answer();
            call.join().unwrap()
        })
    }

    fn both(&self, at: &str, text: &str) {
        for page in [&self.ann, &self.bob] {
            page.wait(at, text);
        }
    }

    /// Every answer that counted: what was said, and by whom.
    fn votes(&self) -> Vec<Value> {
        let log = self.world.log();
        let steps = log.iter().filter(|record| record["kind"] == "step").map(|record| &record["detail"]["step"]);
        let by_people =
            steps.filter(|step| ["approve", "deny", "break-glass"].contains(&step["step"].as_str().unwrap()));
        by_people.map(|step| json!([step["step"], step["by"]])).collect()
    }

    fn ran(&self) -> bool {
        self.world.log().iter().any(|record| record["kind"] == "intent" && record["tool"] == "send_message")
    }

    fn end(&self) {
        for page in [&self.ann, &self.bob] {
            clean(page, &self.home);
        }
        self.world.verify();
    }
}

fn approve(page: &Page, told: &str, pin: &str) {
    page.click(".answer .primary");
    page.wait("dialog", told);
    page.fill("dialog input[name=pin]", pin);
    page.click("dialog .primary");
    page.gone("dialog");
}

#[test]
fn two_approve_in_two_browsers_each_sees_the_other_at_once_and_neither_counts_twice() {
    let office = Office::open();
    let (ann, bob) = (&office.ann, &office.bob);
    let sent = office.held(|| {
        approve(ann, "Yours is one of 2 approvals that are missing", PIN);
        office.both(".card .state", "1 of 2 approvals");
        office.both(APPROVED_BY, "ann");
        ann.wait(".item", "1 of 2 approvals");
        // She is not asked again, and whatever she sends counts once.
        ann.wait(".card .answered", "You have approved it");
        ann.press("a");
        assert_eq!((ann.count(".answer .primary"), ann.count("dialog")), (0, 0));
        let again = format!("return call('holds_approve', {{ ...one, pin: '{PIN}' }});");
        refused(ann, &again, "1409 operator `ann` has approved this hold already");
        assert!(!office.ran(), "one of two was enough");
        approve(bob, "The call runs once", BOB);
    });
    assert!(sent.ran(), "{}", sent.text);
    office.both(".card", "approved and run");
    office.both(APPROVED_BY, "bob");
    assert_eq!(office.votes(), [json!(["approve", "ann"]), json!(["approve", "bob"])]);
    office.end();
}

#[test]
fn a_denial_after_one_of_two_approvals_ends_the_call_before_both_their_eyes() {
    let office = Office::open();
    let refused = office.held(|| {
        approve(&office.ann, "Yours is one of 2", PIN);
        office.bob.wait(".card .state", "1 of 2 approvals");
        office.bob.click(".answer .danger");
        office.bob.fill("dialog textarea", "Not to a stranger.");
        office.bob.click("dialog .danger");
        office.bob.gone("dialog");
    });
    assert!(!refused.ran() && refused.text.contains("Not to a stranger."), "{}", refused.text);
    office.both(".card .answered", "denied by bob");
    office.both(".card .facts", "Not to a stranger.");
    assert_eq!(office.ann.count(".card .answer"), 0);
    assert_eq!(office.votes(), [json!(["approve", "ann"]), json!(["deny", "bob"])]);
    assert!(!office.ran(), "a denied call ran");
    office.end();
}

#[test]
fn the_second_is_not_waited_for_where_the_first_breaks_the_glass_with_their_pin() {
    let office = Office::open();
    let sent = office.held(|| {
        let bob = &office.bob;
        bob.click(".answer button:has-text('Break the glass')");
        bob.fill("dialog textarea[name=reason]", "now");
        bob.fill("dialog textarea[name=because]", "ann is on a plane");
        bob.fill("dialog input[name=pin]", BOB);
        bob.click("dialog .danger");
        bob.wait("dialog .trouble", "at least");
        bob.fill("dialog textarea[name=reason]", "customers cannot log in");
        bob.fill("dialog input[name=pin]", BOB);
        bob.click("dialog .danger");
        bob.gone("dialog");
    });
    assert!(sent.ran(), "{}", sent.text);
    office.both(".card .facts", "Broken by bob");
    assert_eq!(office.votes(), [json!(["break-glass", "bob"])]);
    office.end();
}
