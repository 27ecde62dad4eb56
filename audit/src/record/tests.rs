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

fn bytes(draft: &Draft, seq: u64) -> Vec<u8> {
    draft.written(seq).unwrap().bytes
}

#[test]
fn the_canonical_bytes_and_hashes_of_version_1_never_change() {
    let mut lines = include_str!("golden.txt").lines();
    let stored = lines.next().unwrap().as_bytes();
    assert_eq!(Record::parse(stored).unwrap(), Record::parse(&bytes(&draft(), 7)).unwrap());
    let leaf = leaf(&canonical(stored, None));
    let chain = chain(&Hash::from_bytes(GENESIS), &leaf);
    assert_eq!(
        [leaf.to_string(), chain.to_string()].map(Some),
        [lines.next(), lines.next()].map(|line| line.map(str::to_owned))
    );
}

#[test]
fn the_stored_text_and_canonical_bytes_of_version_2_never_change() {
    let seed = [5; SEED];
    let draft = Draft { prepared: Some(draft().prepared_with(seed).unwrap()), ..draft() };
    let written = draft.written(7).unwrap();
    let canonical = canonical(&written.bytes, Some(&seed));
    let mut lines = include_str!("golden-2.txt").lines();
    for line in [String::from_utf8(written.bytes).unwrap(), String::from_utf8(canonical.clone()).unwrap()] {
        assert_eq!(Some(line.as_str()), lines.next());
    }
    assert_eq!(leaf(&canonical), written.leaf);
    assert_eq!(Some(written.leaf.to_string().as_str()), lines.next());
}

#[test]
fn every_byte_of_a_stored_record_and_of_its_seed_counts() {
    let Written { bytes, seed, leaf: wanted } = draft().written(7).unwrap();
    assert_eq!(leaf(&canonical(&bytes, Some(&seed))), wanted);
    for place in 0..bytes.len() {
        for wrong in [b' ', b'1', b'"', b'}'] {
            let mut changed = bytes.clone();
            changed[place] = wrong;
            let mut longer = bytes.clone();
            longer.insert(place, wrong);
            let shorter = [&bytes[..place], &bytes[place + 1..]].concat();
            for changed in [changed, longer, shorter] {
                let same = leaf(&canonical(&changed, Some(&seed))) == wanted;
                assert_eq!(same, changed == bytes, "{place} {}", String::from_utf8_lossy(&changed));
            }
        }
    }
    for place in 0..SEED {
        let mut changed = seed;
        changed[place] ^= 1;
        assert_ne!(leaf(&canonical(&bytes, Some(&changed))), wanted);
    }
    assert_ne!(leaf(&canonical(&bytes, None)), wanted);
}

#[test]
fn the_canonical_bytes_hold_no_value() {
    let Written { bytes, seed, .. } = draft().written(7).unwrap();
    let canonical = String::from_utf8(canonical(&bytes, Some(&seed))).unwrap();
    for value in ["intent", "ann", "files", "policy", "HIGH", "tools/call", "call-", "b755d9"] {
        assert!(!canonical.contains(value), "{value}: {canonical}");
    }
    // Equal values do not look alike: neither in one record nor in two.
    assert_ne!(canonical, String::from_utf8(super::canonical(&bytes, Some(&[7; SEED]))).unwrap());
}

#[test]
fn a_name_that_is_there_twice_is_no_record_of_version_2() {
    let twice = br#"{"v":2,"seq":7,"at":"2026-11-21T09:30:00Z","kind":"event","detail":{"a":1,"a":2}}"#;
    assert!(Plain::parse(twice).is_none());
    let spaced = br#"{"v":2,"seq":7,"at":"2026-11-21T09:30:00Z","kind": "event","detail":{}}"#;
    assert!(Plain::parse(spaced).is_none());
}

#[test]
fn no_two_texts_of_a_record_have_one_list_of_fields() {
    // What would be mixed up if anything could: dots at either place, nested and empty objects, members twice, moved, unknown.
    let members = [
        r#""kind":"event""#,
        r#""agent":"ann""#,
        r#""detail":{}"#,
        r#""detail":{"event":"x"}"#,
        r#""detail":{"a.b":1}"#,
        r#""detail":{"a":{"b":1}}"#,
        r#""detail":{"event":"x","a":{}}"#,
        r#""detail.event":"x""#,
        r#""detail.a":{"b":1}"#,
        r#""detail.a.b":1"#,
        r#""detail.a":{}"#,
        r#""event":"x""#,
        r#""fields":{}"#,
        r#""body":{}"#,
    ];
    let mut texts = vec![r#"{"v":2,"seq":7,"at":"2026-11-21T09:30:00Z""#.to_owned()];
    let mut seen = std::collections::HashMap::new();
    for _ in 0..4 {
        texts = texts.iter().flat_map(|text| members.map(|member| format!("{text},{member}"))).collect();
        for text in texts.iter().map(|text| format!("{text}}}")) {
            let Some(plain) = Plain::parse(text.as_bytes()) else { continue };
            let fields: Vec<_> = plain.fields.iter().map(|(name, value)| (name.clone(), (*value).to_owned())).collect();
            if let Some(other) = seen.insert(fields, text.clone()) {
                panic!("{other} and {text} are one record");
            }
        }
    }
    // One detail of five, with or without each of three members around it.
    assert_eq!(seen.len(), 5 * 8);
}

proptest::proptest! {
    #[test]
    fn whatever_is_changed_in_a_records_text_it_leads_elsewhere(
        places in proptest::collection::vec((proptest::num::usize::ANY, 0..PIECES.len()), 1..4)
    ) {
        let Written { bytes, seed, leaf: wanted } = draft().written(7).unwrap();
        let mut text = String::from_utf8(bytes.clone()).unwrap();
        for (place, piece) in places {
            let starts: Vec<usize> = text.match_indices('"').map(|(at, _)| at).collect();
            text.insert_str(starts[place % starts.len()], PIECES[piece]);
        }
        proptest::prop_assert_ne!(text.as_bytes(), bytes.as_slice());
        proptest::prop_assert_ne!(leaf(&canonical(text.as_bytes(), Some(&seed))), wanted);
    }
}

/// What a text is made another with, and may still be JSON.
const PIECES: [&str; 6] = [
    r#""detail.because":{},"#,
    r#""detail":{},"#,
    r#"},"detail.because":{"by":"#,
    r#""by":"policy"},"x":{"#,
    r"\u0061",
    " ",
];

#[test]
fn a_record_reads_back_as_it_was_written() {
    let record = Record::parse(&bytes(&draft(), 7)).unwrap();
    assert_eq!(
        (record.seq, record.kind, record.verdict, record.risk),
        (7, Kind::Intent, Some(Decided::Allow), Some(Risk::High))
    );
    assert_eq!(record.at, draft().at);
    assert_eq!(record.session.as_deref(), Some("s \"1\"\n"));
    assert_eq!(record.tool.as_deref(), Some("read_ü"));
    assert_eq!(record.body.unwrap().bytes, 13);
    let event = Record::parse(&bytes(&Draft::new(Kind::Event, draft().at, b"{}".to_vec()), 1)).unwrap();
    assert_eq!((event.call, event.agent, event.body), (None, None, None));
}

#[test]
fn what_is_no_record_says_which_member_is_wrong() {
    let good = String::from_utf8(bytes(&draft(), 7)).unwrap();
    for (change, with, wanted) in [
        ("\"v\":2", "\"v\":3", BadRecord::Version(3)),
        ("\"v\":2", "\"w\":2", BadRecord::Member("v")),
        ("\"seq\":7", "\"seq\":-7", BadRecord::Member("seq")),
        ("\"kind\":\"intent\"", "\"kind\":\"wish\"", BadRecord::Member("kind")),
        ("\"at\":\"2026", "\"at\":\"x2026", BadRecord::Member("at")),
        ("\"call\":\"call-", "\"call\":\"hold-", BadRecord::Member("call")),
        ("\"agent\":\"ann\"", "\"agent\":7", BadRecord::Member("agent")),
        ("\"risk\":\"HIGH\"", "\"risk\":\"high\"", BadRecord::Member("risk")),
        ("\"verdict\":\"allow\"", "\"verdict\":\"maybe\"", BadRecord::Member("verdict")),
        ("\"detail\":{", "\"detail\":[],\"d\":{", BadRecord::Member("detail")),
        ("\"kept\":true", "\"kept\":1", BadRecord::Member("body")),
        ("\"v\":2", "\"v\":2,\"v\":2", BadRecord::Json),
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
    let record = Record::parse(&bytes(&Draft::new(Kind::Event, draft().at, long.clone()), 1)).unwrap();
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
