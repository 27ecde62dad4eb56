//! Places into a request's head: first everything that the tool put there goes, in every spelling, then the secret comes.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Uri};
use zeroize::Zeroizing;

/// Sets a header; `None` where the value cannot stand in one.
pub(super) fn set(head: &mut Parts, name: &str, prefix: &[u8], value: &[u8]) -> Option<()> {
    drop_header(head, name);
    // A header ends at a line feed; servers cut off, and some clients refuse, what is not printable.
    let usable = !value.is_empty() && value.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let trimmed = value.trim_ascii().len() == value.len();
    if !usable || !trimmed {
        return None;
    }
    let whole = Zeroizing::new([prefix, value].concat());
    let mut header = HeaderValue::from_bytes(&whole).ok()?;
    header.set_sensitive(true);
    head.headers.insert(HeaderName::from_bytes(name.as_bytes()).ok()?, header);
    Some(())
}

/// Many servers take `_` for `-`.
pub(super) fn drop_header(head: &mut Parts, name: &str) {
    let plain = |name: &str| name.replace('_', "-");
    let name = plain(name);
    let theirs: Vec<HeaderName> = head.headers.keys().filter(|other| plain(other.as_str()) == name).cloned().collect();
    for name in theirs {
        head.headers.remove(name);
    }
}

/// Sets the password of HTTP's basic authentication.
pub(super) fn basic(head: &mut Parts, user: &str, password: &[u8]) -> Option<()> {
    if password.iter().any(u8::is_ascii_control) {
        return None;
    }
    let pair = Zeroizing::new([user.as_bytes(), b":", password].concat());
    let encoded = Zeroizing::new(STANDARD.encode(&*pair));
    set(head, "authorization", b"Basic ", encoded.as_bytes())
}

/// Sets a field of the query.
pub(super) fn query(head: &mut Parts, name: &str, value: &[u8]) -> Option<()> {
    let kept = without(head.uri.query().unwrap_or_default(), name);
    let field = Zeroizing::new(format!("{}={}", *escaped(name.as_bytes()), *escaped(value)));
    let query = if kept.is_empty() { field } else { Zeroizing::new(format!("{kept}&{}", *field)) };
    head.uri = Uri::try_from(format!("{}?{}", head.uri.path(), *query)).ok()?;
    Some(())
}

/// The pairs of a query or a form, without a field in any of its spellings.
pub(super) fn without(pairs: &str, name: &str) -> String {
    // Some servers part pairs at `;` as well.
    let is_it = |pair: &str| pair.split(';').any(|pair| is_name(pair.split('=').next().unwrap_or_default(), name));
    pairs.split('&').filter(|pair| !is_it(pair)).collect::<Vec<_>>().join("&")
}

/// Whether a name as it was written is this one for some server: cases, `+` and escapes, `name[]`, `name.`, `_` for space.
fn is_name(written: &str, name: &str) -> bool {
    let decoded = unescaped(written);
    let decoded = decoded.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    let root = decoded.split(['[', '\0']).next().unwrap_or_default().trim_end();
    let plain = |text: &str| text.to_lowercase().replace(['.', ' ', '-'], "_");
    plain(root) == plain(name) || plain(decoded) == plain(name)
}

fn unescaped(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, tail @ ..] = rest {
        let escape = match rest {
            [b'%', high, low, ..] => digit(*high).zip(digit(*low)).map(|(high, low)| high * 16 + low),
            _ => None,
        };
        match (escape, first) {
            (Some(byte), _) => {
                bytes.push(byte);
                rest = rest.get(3..).unwrap_or_default();
                continue;
            }
            (None, b'+') => bytes.push(b' '),
            (None, other) => bytes.push(*other),
        }
        rest = tail;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Everything but RFC 3986's unreserved characters as an escape: it means one thing in queries, forms and paths.
pub(super) fn escaped(bytes: &[u8]) -> Zeroizing<String> {
    // Never grown: what it left behind would not be wiped.
    let mut escaped = Zeroizing::new(String::with_capacity(bytes.len() * 3));
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            escaped.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}
