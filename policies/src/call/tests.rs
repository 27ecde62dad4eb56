use super::*;
use crate::canon::Limits;

#[test]
fn ids_read_back_as_they_are_shown() {
    let id = CallId::from_random([0xff, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(id.as_str().len(), "call-".len() + 16);
    assert_eq!(CallId::parse(id.as_str()).unwrap(), id);
    assert!(HoldId::parse(id.as_str()).is_err());
}

#[test]
fn a_server_name_has_no_dot() {
    assert!(ServerName::parse("files-2_x").is_ok());
    for bad in ["", "a.b", "a b", "a/b", "é", &"x".repeat(65)] {
        assert!(ServerName::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_stated_name_is_made_printable() {
    assert_eq!(AgentId::authenticated("a\u{202e}b\n").as_str(), "a_b_");
    assert_eq!(OperatorId::authenticated("").as_str(), "_");
}

#[test]
fn any_change_of_a_definition_changes_its_hash() {
    let tool = |text: &str| {
        let definition = Value::parse(text.as_bytes(), &Limits::ANSWER).unwrap();
        Tool::new(ServerName::parse("s").unwrap(), Method::CallTool, definition, Standing::default())
    };
    let hash = |text: &str| tool(text).unwrap().hash();
    let base = hash(r#"{"name":"t","description":"d","x-new":{"n":1}}"#);
    assert_eq!(base, hash(r#"{"x-new":{"n":1},"description":"d","name":"t"}"#));
    for changed in [
        r#"{"name":"u","description":"d","x-new":{"n":1}}"#,
        r#"{"name":"t","description":"d ","x-new":{"n":1}}"#,
        r#"{"name":"t","description":"d","x-new":{"n":1.0}}"#,
        r#"{"name":"t","description":"d"}"#,
    ] {
        assert_ne!(base, hash(changed), "{changed}");
    }
    assert!(tool(r#"{"description":"d"}"#).is_err());
    assert!(tool(r#"{"name":"a\nb"}"#).is_err());
}

#[test]
fn a_hash_reads_back_from_its_digits() {
    let hash = Hash::of(b"x");
    assert_eq!(Hash::from_hex(&hash.to_string()), Some(hash));
    assert_eq!(Hash::from_hex("zz"), None);
}
