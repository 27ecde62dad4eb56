//! Exporters in the console: how they get on, and that what is saved by hand is what a SIEM was sent.

use std::fs;

use serde_json::{Value, json};
use tests::browser::Page;
use tests::port;
use tests::world::World;

use super::pages::keep;
use super::{clean, home, office_in, sign_in};

/// A file that takes everything, and a collector that is not there.
fn exporting() -> World {
    let nobody = port::free();
    office_in(
        &format!(
            "[export.siem]\nkind = \"file\"\npath = \"siem.jsonl\"\n\
             [export.collector]\nkind = \"syslog\"\naddress = \"tcp://127.0.0.1:{nobody}\"\n"
        ),
        "",
    )
}

/// What the SIEM has of a record, without what an exporter says beside it: the log's name, and the leaf.
fn event(world: &World, record: &Value) -> Value {
    world.eventually("the record at the SIEM", || {
        let lines = fs::read_to_string(world.folder().join("siem.jsonl")).unwrap_or_default();
        // The last line may not be whole yet.
        let events = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut event = events.into_iter().find(|event| event["seq"] == record["seq"])?;
        let members = event.as_object_mut()?;
        assert!(members.remove("leaf").is_some() && members.remove("log").is_some(), "{record}");
        Some(event)
    })
}

#[test]
fn now_says_how_exporters_get_on_and_what_the_trail_saves_is_what_the_siem_was_sent() {
    let world = exporting();
    let agent = world.modern();
    assert!(agent.call("mail.read_inbox", &json!({"folder": "inbox"})).ran());
    for path in ["", "latest/", "latest/user-data"] {
        assert!(!agent.call("web.fetch_page", &json!({"url": format!("http://169.254.169.254/{path}")})).ran());
    }
    let page = Page::open(1280);
    let (narrow, home) = (page.another(1, 390, true), home(&world));
    for (browser, width) in [(&page, 1280), (&narrow, 390)] {
        sign_in(&world, browser);
        browser.goto(&format!("{home}/#now"));
        browser.wait(".health .good", "siem exporter, file");
        browser.wait(".health .good:has-text('siem exporter')", "up to date");
        browser.wait(".health .bad:has-text('collector exporter, syslog')", "behind by");
        assert_eq!(browser.violations(), Vec::<String>::new());
        keep(browser, &format!("exporters-{width}"));

        browser.goto(&format!("{home}/#trail?verdict=deny"));
        browser.wait(".record", "cloud-metadata");
        let (_, saved) = browser.saved(".page-head button:has-text('Export')");
        browser.wait("#toasts", "3 records are saved.");
        keep(browser, &format!("export-{width}"));
        let records: Vec<Value> = saved.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(records.len(), 3, "{saved}");
        for record in &records {
            assert_eq!(*record, event(&world, record));
        }
        // An event leads to the whole life of its call.
        browser.goto(&format!("{home}/#trail/{}", records[0]["call"].as_str().unwrap()));
        browser.wait(".entry.refusal", "http://169.254.169.254/latest/user-data");
        clean(browser, &home);
    }
    world.verify();
}
