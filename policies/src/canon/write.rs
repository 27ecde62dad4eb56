//! Values to JSON text.

use super::{Object, Value};

/// Compact text, members in the order they are held.
pub(super) fn as_held(value: &Value, out: &mut String) {
    write(value, out, &|object, out| members(object.iter(), out, &as_held));
}

/// Compact text, members in RFC 8785's order.
pub(super) fn canonical(value: &Value, out: &mut String) {
    write(value, out, &|object, out| {
        let mut sorted: Vec<(&str, &Value)> = object.iter().collect();
        // RFC 8785 §3.2.3 orders by UTF-16 code units, which differs from UTF-8 order above U+FFFF.
        sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
        members(sorted.into_iter(), out, &canonical);
    });
}

fn write(value: &Value, out: &mut String, object: &impl Fn(&Object, &mut String)) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => out.push_str(number.as_str()),
        Value::String(text) => string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out, object);
            }
            out.push(']');
        }
        Value::Object(members) => object(members, out),
    }
}

fn members<'a>(
    members: impl Iterator<Item = (&'a str, &'a Value)>,
    out: &mut String,
    value: &impl Fn(&Value, &mut String),
) {
    out.push('{');
    for (index, (key, member)) in members.enumerate() {
        if index > 0 {
            out.push(',');
        }
        string(key, out);
        out.push(':');
        value(member, out);
    }
    out.push('}');
}

/// RFC 8785 §3.2.2.2: only what must be escaped is, in its shortest form.
fn string(text: &str, out: &mut String) {
    out.push('"');
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        // The bytes above are all ASCII, so `at` and `at + 1` are character boundaries.
        out.push_str(text.get(plain_from..at).unwrap_or_default());
        plain_from = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            0x08 => out.push_str("\\b"),
            0x09 => out.push_str("\\t"),
            0x0a => out.push_str("\\n"),
            0x0c => out.push_str("\\f"),
            0x0d => out.push_str("\\r"),
            control => {
                out.push_str("\\u00");
                out.push(hex_digit(control >> 4));
                out.push(hex_digit(control & 0xf));
            }
        }
    }
    out.push_str(text.get(plain_from..).unwrap_or_default());
    out.push('"');
}

fn hex_digit(four_bits: u8) -> char {
    char::from_digit(four_bits.into(), 16).unwrap_or_default()
}
