use jiff::Timestamp;
use policies::risk::Risk;
use policies::{AgentId, CallId, HoldId};

use super::*;

fn draft() -> Draft {
    let subject = Subject {
        call: CallId::from_random([1; 10]),
        agent: AgentId::authenticated("ann"),
        session: "s \"1\"\n".to_owned(),
        server: "files".to_owned(),
        tool: "read_ü".to_owned(),
        method: "tools/call".to_owned(),
        risk: Some(Risk::High),
    };
    let at: Timestamp = "2026-11-21T09:30:00.1Z".parse().unwrap();
    Draft::new(Kind::Intent, at, br#"{"because":{"by":"policy"}}"#.to_vec())
        .about(subject)
        .decided(Decided::Allow)
        .with_body(br#"{"path":"/a"}"#.to_vec())
}

#[test]
fn the_canonical_bytes_and_hashes_of_version_1_never_change() {
    let bytes = draft().bytes(7);
    let golden = include_str!("golden.txt");
    let mut lines = golden.lines();
    assert_eq!(std::str::from_utf8(&bytes).unwrap(), lines.next().unwrap());
    let leaf = leaf(&bytes);
    let chain = chain(&Hash::from_bytes(GENESIS), &leaf);
    assert_eq!(
        [leaf.to_string(), chain.to_string()].map(Some),
        [lines.next(), lines.next()].map(|line| line.map(str::to_owned))
    );
}

#[test]
fn a_record_reads_back_as_it_was_written() {
    let record = Record::parse(&draft().bytes(7)).unwrap();
    assert_eq!(
        (record.seq, record.kind, record.verdict, record.risk),
        (7, Kind::Intent, Some(Decided::Allow), Some(Risk::High))
    );
    assert_eq!(record.at, draft().at);
    assert_eq!(record.session.as_deref(), Some("s \"1\"\n"));
    assert_eq!(record.tool.as_deref(), Some("read_ü"));
    assert_eq!(record.body.unwrap().bytes, 13);
    let event = Record::parse(&Draft::new(Kind::Event, draft().at, b"{}".to_vec()).bytes(1)).unwrap();
    assert_eq!((event.call, event.agent, event.body), (None, None, None));
}

#[test]
fn what_is_no_record_says_which_member_is_wrong() {
    let good = String::from_utf8(draft().bytes(7)).unwrap();
    for (change, with, wanted) in [
        ("\"v\":1", "\"v\":2", BadRecord::Version(2)),
        ("\"v\":1", "\"w\":1", BadRecord::Member("v")),
        ("\"seq\":7", "\"seq\":-7", BadRecord::Member("seq")),
        ("\"kind\":\"intent\"", "\"kind\":\"wish\"", BadRecord::Member("kind")),
        ("\"at\":\"2026", "\"at\":\"x2026", BadRecord::Member("at")),
        ("\"call\":\"call-", "\"call\":\"hold-", BadRecord::Member("call")),
        ("\"agent\":\"ann\"", "\"agent\":7", BadRecord::Member("agent")),
        ("\"risk\":\"HIGH\"", "\"risk\":\"high\"", BadRecord::Member("risk")),
        ("\"verdict\":\"allow\"", "\"verdict\":\"maybe\"", BadRecord::Member("verdict")),
        ("\"detail\":{", "\"detail\":[],\"d\":{", BadRecord::Member("detail")),
        ("\"kept\":true", "\"kept\":1", BadRecord::Member("body")),
        ("\"v\":1", "\"v\":1,\"v\":1", BadRecord::Json),
        ("{\"v\"", "[\"v\"", BadRecord::Json),
    ] {
        let bad = good.replacen(change, with, 1);
        assert_ne!(bad, good, "{change}");
        assert_eq!(Record::parse(bad.as_bytes()).unwrap_err(), wanted, "{with}");
    }
}

#[test]
fn a_detail_that_would_fill_the_log_leaves_its_size_and_hash() {
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(DETAIL_KEPT)).into_bytes();
    let record = Record::parse(&Draft::new(Kind::Event, draft().at, long.clone()).bytes(1)).unwrap();
    assert_eq!(record.detail.get("sha256").unwrap().as_str(), Some(Hash::of(&long).to_string().as_str()));
}

#[test]
fn a_prefix_of_a_call_id_is_a_range_of_keys() {
    let call = CallId::from_random([0xA5, 7, 255, 0, 1, 2, 3, 4, 5, 6]);
    let key = call_key(&call);
    for length in 5..=call.as_str().len() {
        let (first, last) = prefix_range(call.as_str().get(..length).unwrap()).unwrap();
        assert!((first..=last).contains(&key), "{length}");
        assert_eq!(first == last, length >= 17, "{length}");
    }
    let (first, last) = prefix_range("call-b").unwrap();
    assert_eq!((first, last), (1 << 55, (2 << 55) - 1));
    for bad in ["call-0", "call-A", "call-ü", HoldId::from_random([0; 10]).as_str(), "call-aaaaaaaaaaaaaaaaa"] {
        assert_eq!(prefix_range(bad), None, "{bad}");
    }
}
