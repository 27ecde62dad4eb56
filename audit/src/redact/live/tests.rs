use std::time::Duration;

use policies::{Limits, Value};

use super::{Live, OutOfWork, Work};
use crate::redact::Redactor;

const SECRET: &str = "q7Rw-2kPz_Xm4Tn8Vb1Ys6";

fn redactor() -> Redactor {
    Redactor::new(&[7; 32])
}

fn redacted(redactor: &Redactor, json: &str) -> Value {
    redactor.redact_value(&Value::parse(json.as_bytes(), &Limits::ANSWER).unwrap()).0
}

fn listed(secret: &str) -> String {
    secret.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(",")
}

#[test]
fn a_value_is_looked_for_while_it_is_held_and_for_the_grace_time_after() {
    let redactor = redactor().with_grace(Duration::from_millis(300));
    assert_eq!(redactor.redact_text(SECRET), SECRET);
    let (one, two) = (redactor.learn(SECRET.as_bytes()), redactor.learn(SECRET.as_bytes()));
    drop(one);
    assert!(!redactor.redact_text(SECRET).contains(SECRET));
    drop(two);
    assert!(!redactor.redact_text(SECRET).contains(SECRET), "a tool that kept it answers late");
    std::thread::sleep(Duration::from_millis(400));
    drop(redactor.learn(b"another-value-entirely"));
    assert_eq!(redactor.redact_text(SECRET), SECRET);
}

#[test]
fn every_encoding_of_one_secret_has_one_fingerprint_and_another_secret_has_another() {
    let redactor = redactor();
    let _learned = (redactor.learn(SECRET.as_bytes()), redactor.learn(b"w5Jc9Hd3Lf7Gq2Nz6Bt0"));
    let print = |text: &str| redactor.find(text).unwrap()[0].fingerprint.clone();
    assert_eq!(print(SECRET), print("cTdSdy0ya1B6X1htNFRuOFZiMVlzNg=="));
    assert_ne!(print(SECRET), print("w5Jc9Hd3Lf7Gq2Nz6Bt0"));
}

#[test]
fn twelve_characters_of_it_are_a_leak_and_fewer_are_not() {
    let redactor = redactor();
    let secret = "q7Rw2kPzXm4Tn8Vb1Ys6Lc3Hd9Jf5Gq0";
    let _learned = redactor.learn(secret.as_bytes());
    let part = |length: usize| secret.get(5..5 + length).unwrap();
    assert!(redactor.redact_text(part(12)).starts_with("[secret:live:"));
    assert_eq!(redactor.redact_text(part(11)), part(11));
}

#[test]
fn short_values_that_somebody_insists_on_are_found_too() {
    let redactor = redactor();
    let _learned = (redactor.learn(b"hunter2!"), redactor.learn(b"s3cR"));
    for text in ["it is hunter2! now", "aHVudGVyMiE=", "68756e7465723221", "with s3cR inside", "%73%33%63%52"] {
        assert!(redactor.redact_text(text).contains("[secret:live:"), "{text}");
    }
}

#[test]
fn values_beyond_ascii_are_found_encoded_too() {
    let redactor = redactor();
    let _learned = redactor.learn("пароль-Ключ-Größe-99".as_bytes());
    for text in [
        "пароль-Ключ-Größe-99",
        "0L/QsNGA0L7Qu9GMLdCa0LvRjtGHLUdyw7bDn2UtOTk=",
        "%D0%BF%D0%B0%D1%80%D0%BE%D0%BB%D1%8C-%D0%9A%D0%BB%D1%8E%D1%87-Gr%C3%B6%C3%9Fe-99",
        "\\u043f\\u0430\\u0440\\u043e\\u043b\\u044c-\\u041a\\u043b\\u044e\\u0447-Gr\\u00f6\\u00dfe-99",
    ] {
        assert!(redactor.redact_text(text).contains("[secret:live:"), "{text}");
    }
}

#[test]
fn what_an_issuer_gives_to_everybody_is_no_leak() {
    let redactor = redactor();
    let _learned = (
        redactor.learn(b"sk-ant-api03-q7Rw2kPzXm4Tn8Vb1Ys6Lc3Hd9Jf5Gq0"),
        redactor.learn(b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI0MiJ9.q7Rw2kPzXm4Tn8Vb1Ys6"),
    );
    for text in ["keys begin with sk-ant-api03-", "header eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9 is HS256"] {
        assert_eq!(redactor.redact_text(text), text);
    }
}

#[test]
fn numbers_stay_numbers_and_only_those_that_spell_a_secret_change() {
    let redactor = redactor();
    let _learned = redactor.learn(SECRET.as_bytes());
    let json = format!(r#"{{"rows":[1,2,3],"bytes":[{}],"total":1e3}}"#, listed(SECRET));
    let zeros = vec!["0"; SECRET.len()].join(",");
    assert_eq!(redacted(&redactor, &json).to_string(), format!(r#"{{"rows":[1,2,3],"bytes":[{zeros}],"total":1e3}}"#));
}

#[test]
fn a_secret_split_over_members_of_other_names_or_over_keys_is_found() {
    let redactor = redactor();
    let _learned = redactor.learn(SECRET.as_bytes());
    for json in [
        r#"{"a":"q7Rw-2kPz","n":7,"b":"_Xm4Tn8Vb1Ys6"}"#,
        r#"[{"x":"q7Rw-2k"},{"y":["Pz_Xm4T"]},{"z":"n8Vb1Ys6"}]"#,
        r#"{"q7Rw-2kPz":1,"_Xm4Tn8Vb1Ys6":2}"#,
        r#"{"content":[{"type":"text","text":"cTdSdy0ya1B6"},{"type":"text","text":"X1htNFRuOFZiMVlzNg=="}]}"#,
    ] {
        let shown = redacted(&redactor, json).to_string();
        assert!(
            shown.contains("[secret:live:") && !shown.contains("2kPz\"") && !shown.contains("cTdSdy"),
            "{json}: {shown}"
        );
    }
}

#[test]
fn a_secret_in_a_picture_does_not_pass_as_one() {
    let redactor = redactor();
    let _learned = redactor.learn(SECRET.as_bytes());
    let data = format!("{}cTdSdy0ya1B6X1htNFRuOFZiMVlzNg{}", "iVBORw0KGgoA".repeat(60), "AAAA".repeat(60));
    let padded = format!("{data}{}", "A".repeat((4 - data.len() % 4) % 4));
    let shown = redacted(&redactor, &format!(r#"{{"type":"image","data":"{padded}"}}"#)).to_string();
    assert!(!shown.contains("cTdSdy0y"), "{shown}");
}

#[test]
fn what_cannot_be_searched_within_its_bounds_is_withheld() {
    let redactor = redactor();
    let live = Live::new(Duration::ZERO);
    let _learned = live.learn(SECRET.as_bytes(), &redactor.fingerprints);
    let text = "nothing to see here ".repeat(100);
    assert_eq!(live.find(text.as_bytes(), &mut Work::of(1_000)), Err(OutOfWork));
    assert_eq!(live.find(text.as_bytes(), &mut Work::of(1 << 20)), Ok(Vec::new()));
}

#[test]
fn a_bomb_is_withheld_and_the_notice_is_an_answer() {
    let redactor = redactor();
    let _learned = redactor.learn(SECRET.as_bytes());
    let bomb = miniz_oxide::deflate::compress_to_vec_zlib(&vec![b'a'; 256 << 20], 6);
    let hex: String = bomb
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|half| char::from_digit(half.into(), 16))
        .collect();
    let value = redacted(&redactor, &format!(r#"{{"content":[{{"type":"text","text":"{hex}"}}]}}"#));
    assert_eq!(value.get("isError"), Some(&Value::Bool(true)));
    assert!(value.to_string().contains("withheld") && !value.to_string().contains(hex.get(..40).unwrap()), "{value}");
}

#[test]
fn hostile_text_costs_time_in_proportion_or_is_withheld() {
    let redactor = redactor();
    let _learned = redactor.learn(SECRET.as_bytes());
    for part in [
        "eJxLy",
        "H4sIAAAAAAAA",
        "AAAA",
        "%25",
        "\\",
        "&#",
        "1 ",
        "0x41,",
        "=41",
        "aGVsbG8g",
        "a\u{200b}",
        "x\u{9c}",
        "\0a",
        "-.-",
    ] {
        let text = part.repeat((256 << 10) / part.len());
        let started = std::time::Instant::now();
        drop(redactor.redact_text(&text));
        assert!(started.elapsed() < Duration::from_secs(20), "{part}: {:?}", started.elapsed());
    }
}
