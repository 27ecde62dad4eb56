//! Broken glass in browsers: who breaks it signs it with their passkey, and somebody else closes its review.

use std::thread;

use serde_json::json;

use super::clean;
use super::pages::keep;
use super::passkeys::{at_the_console, make, message};
use super::people::{BOB, CYN, EVE, agent_of, enter, join};
use crate::approval::poll;

#[test]
fn glass_is_broken_with_a_passkey_and_its_review_is_closed_in_another_browser() {
    let (world, page, home) = at_the_console("");
    for (name, role, pin) in [("bob", "operator", BOB), ("cyn", "operator", CYN), ("eve", "reviewer", EVE)] {
        join(&world, name, role, pin);
    }
    // The agent is cyn's, so that ann and bob are to be asked.
    let agent = agent_of(&world, "cyn", CYN);
    make(&page, "blue key");
    page.click("dialog .primary:has-text('Close')");
    let (narrow, eve) = (page.another(1, 390, true), page.another(2, 390, true));
    enter(&narrow, &home, "bob", BOB);
    enter(&eve, &home, "eve", EVE);
    let sent = thread::scope(|scope| {
        let call = scope.spawn(|| poll(&agent, "mail.send_message", &message("Offer")));
        for (browser, proof) in [(&narrow, "Your PIN"), (&page, "Your passkey signs this answer")] {
            browser.click(".item:has-text('send_message')");
            browser.click(".answer button:has-text('Break the glass')");
            browser.wait("dialog", proof);
            assert_eq!(browser.violations(), Vec::<String>::new());
            browser.fill("dialog textarea[name=reason]", "customers cannot log in");
            browser.fill("dialog textarea[name=because]", "the others are on a plane");
        }
        keep(&narrow, "glass-390");
        keep(&page, "glass-1280");
        narrow.press("Escape");
        page.click("dialog .danger");
        page.gone("dialog");
        call.join().unwrap()
    });
    assert!(sent.ran(), "{}", sent.text);
    let log = world.log();
    let step = log.iter().find(|record| record["detail"]["step"]["step"] == "break-glass").expect("glass was broken");
    assert_eq!(step["detail"]["step"]["proof"]["act"], "break-glass");
    assert_eq!(world.json(&["log", "verify"])["asserted"], 1);

    // Whoever broke it cannot close its review; a reviewer can, and says what they found.
    for browser in [&page, &eve] {
        browser.goto(&format!("{home}/#now"));
        browser.wait(".reviews", "ann broke the glass of");
        browser.wait(".reviews", "customers cannot log in");
    }
    keep(&page, "review-1280");
    assert_eq!(page.count(".reviews button"), 0);
    eve.click(".reviews button:has-text('Close the review')");
    eve.wait("dialog", "What you found");
    assert_eq!(eve.violations(), Vec::<String>::new());
    keep(&eve, "review-390");
    eve.fill("dialog textarea[name=finding]", "It was right.");
    eve.click("dialog .primary");
    eve.gone("dialog");
    eve.gone(".reviews");
    assert!(world.log().iter().any(|record| record["detail"]["event"] == "review-closed"));
    for browser in [&page, &narrow, &eve] {
        clean(browser, &home);
    }
    world.verify();
}

#[test]
fn a_passkey_signs_how_far_a_pass_goes_too() {
    let (world, page, home) = at_the_console("");
    let agent = world.modern();
    make(&page, "blue key");
    page.click("dialog .primary:has-text('Close')");
    // A tool's first use is a level riskier, which is CRITICAL here: a pass comes with the second.
    for (subject, pass) in [("One", false), ("Two", true)] {
        let sent = thread::scope(|scope| {
            let call = scope.spawn(|| poll(&agent, "mail.send_message", &message(subject)));
            page.wait(".answer", "Approve");
            page.press("a");
            page.wait("dialog", "Your passkey signs this answer");
            if pass {
                page.click("dialog input[name=pass]");
                page.wait("dialog .argument", "subject");
                page.fill("dialog input[name=times]", "3");
            }
            page.click("dialog .primary");
            page.gone("dialog");
            call.join().unwrap()
        });
        assert!(sent.ran(), "{}", sent.text);
        page.gone(".item.pending");
    }
    let log = world.log();
    let mut acts: Vec<_> = log.iter().filter_map(|record| record["detail"]["step"]["proof"]["act"].as_str()).collect();
    acts.sort_unstable();
    assert_eq!(acts, ["approve", "approve-with-pass"]);
    assert_eq!(world.json(&["log", "verify"])["asserted"], json!(2));
    page.wait(".item-pass", "0 of 3 used");
    clean(&page, &home);
    world.verify();
}
