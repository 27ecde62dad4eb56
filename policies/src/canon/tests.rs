use proptest::prelude::*;

use super::{Limits, ParseError, Value};

fn parse(text: &str) -> Result<Value, ParseError> {
    Value::parse(text.as_bytes(), &Limits::REQUEST)
}

#[test]
fn members_are_ordered_by_utf16_and_numbers_stay_as_written() {
    let value =
        parse(r#"{"\ud83d\ude00":1,"\ufb33":2,"b":1.50,"a":1e400,"aa":123456789012345678901234567890}"#).unwrap();
    assert_eq!(
        value.canonical().as_str(),
        "{\"a\":1e400,\"aa\":123456789012345678901234567890,\"b\":1.50,\"😀\":1,\"\u{fb33}\":2}"
    );
}

#[test]
fn order_of_members_survives_when_not_canonicalised() {
    assert_eq!(
        parse(r#" { "b" : [ 1 , {"z":0,"a":-0.0} ] , "a" : null } "#).unwrap().to_string(),
        r#"{"b":[1,{"z":0,"a":-0.0}],"a":null}"#
    );
}

#[test]
fn a_key_given_twice_is_refused_at_every_depth() {
    for text in [r#"{"a":1,"a":1}"#, r#"[{"x":{"a":1,"b":2,"\u0061":3}}]"#] {
        assert!(matches!(parse(text), Err(ParseError::DuplicateKey { .. })), "{text}");
    }
    let many = (0..100).map(|n| format!("\"k{n}\":0,")).collect::<Vec<_>>().concat();
    assert!(matches!(parse(&format!("{{{many}\"k7\":0}}")), Err(ParseError::DuplicateKey { .. })));
    assert!(parse(&format!("{{{many}\"k\":0}}")).is_ok());
}

#[test]
fn what_is_not_json_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "01",
        "+1",
        ".5",
        "1.",
        "1e",
        "-",
        "NaN",
        "Infinity",
        "nul",
        "'a'",
        "\"\u{1}\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "[1] 2",
        "{\"a\" 1}",
        "{a:1}",
        "\u{feff}{}",
        "\"abc",
        "// c\n1",
    ] {
        assert!(matches!(parse(text), Err(ParseError::Syntax { .. })), "{text}");
    }
}

#[test]
fn half_a_surrogate_pair_is_refused() {
    for text in [r#""\ud800""#, r#""\udc00""#, r#""\ud800\u0041""#, r#""\ud83dx""#] {
        assert!(matches!(parse(text), Err(ParseError::LoneSurrogate { .. })), "{text}");
    }
}

#[test]
fn invalid_utf8_is_refused_with_its_place() {
    assert_eq!(Value::parse(b"\"ab\xff\"", &Limits::REQUEST), Err(ParseError::Utf8 { at: 3 }));
}

#[test]
fn depth_length_and_count_are_bounded() {
    let deep = "[".repeat(10_000);
    assert!(matches!(parse(&deep), Err(ParseError::TooDeep { limit: 64, .. })));
    let small = Limits { bytes: 10, depth: 9, values: 3 };
    assert!(matches!(Value::parse(b"           1", &small), Err(ParseError::TooLong { .. })));
    assert!(matches!(Value::parse(b"[1,2,3]", &small), Err(ParseError::TooMany { limit: 3 })));
}

#[test]
fn a_pointer_leads_where_walk_was() {
    let value = parse(r#"{"a/b":[{"~":1}]}"#).unwrap();
    let mut seen = Vec::new();
    value.walk(&mut |pointer, value| seen.push((pointer.to_owned(), value.clone())));
    assert_eq!(seen.last().unwrap().0, "/a~1b/0/~0");
    for (pointer, found) in seen {
        assert_eq!(value.pointer(&pointer), Some(&found));
    }
}

/// Any JSON tree, as `serde_json` has it.
pub(super) fn tree() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::vec((any::<String>(), inner), 0..8)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_serde_writes_is_read_and_written_back(tree in tree()) {
        let text = tree.to_string();
        let value = parse(&text).unwrap();
        prop_assert_eq!(value.to_string(), text);
        prop_assert_eq!(serde_json::from_slice::<serde_json::Value>(&value.to_bytes()).unwrap(), tree);
    }

    #[test]
    fn the_canonical_text_is_a_fixed_point(tree in tree()) {
        let once = Value::from(tree).canonical();
        let again = parse(once.as_str()).unwrap().canonical();
        prop_assert_eq!(once, again);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        if let Ok(value) = Value::parse(&bytes, &Limits::REQUEST) {
            // Whatever we accept, the reference parser accepts: no dialect of our own.
            prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok());
            prop_assert_eq!(Value::parse(&value.to_bytes(), &Limits::REQUEST).unwrap(), value);
        }
    }
}
