//! Places into a request's body: a field of a JSON object or of a form.

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use policies::{Limits, Value};
use zeroize::Zeroizing;

use super::{WHOLE, head};

/// What a body of that length may hold.
const LIMITS: Limits = Limits { bytes: WHOLE, depth: 128, values: 1_000_000 };

/// Sets a field; `None` where the body is nothing that has one, or could be read in two ways.
pub(super) fn field(head: &Parts, body: &Bytes, name: &str, value: &str) -> Option<Bytes> {
    if head.headers.contains_key(CONTENT_ENCODING) {
        return None;
    }
    let mut types = head.headers.get_all(CONTENT_TYPE).iter();
    let (Some(kind), None) = (types.next(), types.next()) else { return None };
    let kind = kind.to_str().ok()?.split(';').next()?.trim().to_ascii_lowercase();
    if kind == "application/x-www-form-urlencoded" {
        return Some(form(std::str::from_utf8(body).ok()?, name, value));
    }
    if kind == "application/json" || kind.ends_with("+json") {
        return json(body, name, value);
    }
    None
}

fn form(body: &str, name: &str, value: &str) -> Bytes {
    let kept = head::without(body, name);
    let field = Zeroizing::new(format!("{}={}", *head::escaped(name.as_bytes()), *head::escaped(value.as_bytes())));
    let separator = if kept.is_empty() { "" } else { "&" };
    Bytes::from(format!("{kept}{separator}{}", *field))
}

fn json(body: &[u8], name: &str, value: &str) -> Option<Bytes> {
    // Names that come twice are refused here: servers differ in which one they take.
    let mut parsed = Value::parse(body, &LIMITS).ok()?;
    let object = parsed.as_object_mut()?;
    let spelled: Vec<String> =
        object.keys().filter(|key| key.to_lowercase() == name.to_lowercase()).map(str::to_owned).collect();
    for key in spelled {
        object.remove(&key);
    }
    object.insert(name, value);
    Some(Bytes::from(parsed.to_bytes()))
}
