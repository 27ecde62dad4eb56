//! A path in its one reading; what has two is refused.

use std::fmt::Write as _;

/// A path (without query) in its one reading: what did not need to be escaped is not.
///
/// # Errors
/// Why it has two readings. Servers and what stands before them differ in what they decode, collapse and cut off.
pub fn plain_path(path: &str) -> Result<String, &'static str> {
    if !path.starts_with('/') {
        return Err("the path does not begin with `/`");
    }
    let mut plain = String::with_capacity(path.len());
    let mut rest = path.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next().copied(), rest.next().copied()];
                match escaped(digits).ok_or("the path has a broken escape")? {
                    byte @ (b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~') => {
                        plain.push(char::from(byte));
                    }
                    // Decoded twice, or before the path is split, these mean something else.
                    b'%' | b'/' | b'\\' | 0..=0x1f | 0x7f => return Err("the path escapes what could be a separator"),
                    // UTF-8's overlong spellings of `.` and `/`.
                    0xc0 | 0xc1 => return Err("the path escapes what is no character"),
                    byte => {
                        // Writing to a `String` cannot fail.
                        let _ = write!(plain, "%{byte:02X}");
                    }
                }
            }
            b'\\' => return Err("the path has a backslash"),
            0x21..=0x7e => plain.push(char::from(byte)),
            _ => return Err("the path has an unescaped character"),
        }
    }
    if plain.contains("//") {
        return Err("the path has an empty segment");
    }
    // Some servers cut parameters off before they look for dots (`/a/..;x/b`).
    let is_dots = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
    if plain.split('/').any(is_dots) {
        return Err("the path has a dot segment");
    }
    Ok(plain)
}

fn escaped(digits: [Option<u8>; 2]) -> Option<u8> {
    let [high, low] = digits.map(|digit| char::from(digit?).to_digit(16));
    u8::try_from(high? * 16 + low?).ok()
}

/// Whether a path in its one reading is meant by a pattern: whole or, with `*` at its end, a beginning.
pub(super) fn matches(pattern: &str, plain: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => plain.starts_with(beginning),
        None => plain == pattern,
    }
}
