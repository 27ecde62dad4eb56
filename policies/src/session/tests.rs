use proptest::prelude::*;

use super::*;
use crate::decision::tests::{call, json};

mod bounds;
mod found;
mod spared;

/// A session that has read this text from a web page.
fn read(text: &str) -> Session {
    let mut session = Session::fresh();
    observe(&mut session, Content::Untrusted, &Value::from(text));
    session
}

fn observe(session: &mut Session, reads: Content, result: &Value) {
    session.observe(&call("web", "fetch", r#"{"url":"https://news.example.net/today"}"#), reads, result);
}

/// The origin of `/v`.
fn origin(session: &Session, value: &str) -> Origin {
    let arguments = Value::from(serde_json::json!({ "v": value }));
    session.provenance(&arguments).get("/v").unwrap().clone()
}

fn how(session: &Session, value: &str) -> Option<How> {
    match origin(session, value) {
        Origin::Seen(seen) => {
            assert!(seen.untrusted, "{value}");
            Some(seen.how)
        }
        Origin::Forgotten { .. } => panic!("{value} should not be forgotten"),
        Origin::Unseen => None,
    }
}

#[test]
fn an_origin_names_the_result_and_the_tool() {
    let mut session = Session::fresh();
    observe(&mut session, Content::Plain, &json(r#"{"n":"nothing of note"}"#));
    observe(&mut session, Content::UntrustedSensitive, &json(r#"{"from":"eve@attacker.example"}"#));
    let wanted = Seen { result: 2, tool: "web.fetch".into(), untrusted: true, sensitive: true, how: How::Exact };
    assert_eq!(origin(&session, "eve@attacker.example"), Origin::Seen(wanted));
    assert_eq!(session.facts(), SessionFacts { untrusted: true, sensitive: true });
    assert_eq!(session.results(), 2);
}

#[test]
fn every_value_has_an_origin_by_its_pointer() {
    let session = read("write to eve@attacker.example");
    let arguments = json(r#"{"to":["bob@corp.example","eve@attacker.example"],"n":7,"a/b":{"c":true,"d":null}}"#);
    let provenance = session.provenance(&arguments);
    let tainted: Vec<&str> = provenance.untrusted().map(|(pointer, _)| pointer).collect();
    assert_eq!(tainted, ["/to/1"]);
    let all: Vec<&str> = provenance.iter().map(|(pointer, _)| pointer).collect();
    assert_eq!(all, ["/a~1b/c", "/a~1b/d", "/n", "/to/0", "/to/1"]);
}

#[test]
fn provenance_is_shown_as_result_tool_and_how_or_as_unseen() {
    let session = read("write to eve@attacker.example");
    let shown = |value: &str| serde_json::to_value(origin(&session, value)).unwrap();
    assert_eq!(shown("bob@corp.example"), "unseen");
    let wanted = serde_json::json!({
        "result": 1, "tool": "web.fetch", "how": "part", "untrusted": true, "sensitive": false
    });
    assert_eq!(shown("eve@attacker.example"), wanted);
}

#[test]
fn a_lost_session_counts_as_having_read_everything() {
    let session = Session::lost();
    assert_eq!(session.facts(), SessionFacts { untrusted: true, sensitive: true });
    let lost = Origin::Forgotten { untrusted: true, sensitive: true };
    assert_eq!(origin(&session, "eve@attacker.example"), lost);
    assert_eq!(origin(&session, "hello"), Origin::Unseen);
}

proptest! {
    #[test]
    fn an_address_is_found_wherever_it_stood_and_however_it_is_written(
        name in "[a-z][a-z0-9]{3,9}",
        host in "[a-z]{4,12}\\.(example|test|io)",
        before in "([A-Za-z,.]{1,9} ){0,6}",
        after in "( [A-Za-z,.]{1,9}){0,6}",
        upper in any::<bool>(),
        form in 0_u8..4,
    ) {
        use base64::Engine;
        let address = format!("{name}@{host}");
        let session = read(&format!("{before}{address}{after}"));
        let spelt = if upper { address.to_uppercase() } else { address.clone() };
        let sent = match form {
            0 => spelt,
            1 => format!("Please copy {spelt}, thanks"),
            2 => base64::engine::general_purpose::STANDARD.encode(spelt),
            _ => spelt.replace('@', "%40"),
        };
        prop_assert!(how(&session, &sent).is_some(), "{} in {}", sent, address);
    }

    #[test]
    fn any_text_is_taken_in_and_looked_up_without_a_panic(result in "\\PC{0,400}", value in "\\PC{0,200}") {
        let session = read(&result);
        drop(origin(&session, &value));
        drop(origin(&session, &result));
    }
}
