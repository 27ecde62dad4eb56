//! Assignments in text: `DB_PASSWORD=…`, `"api_key": "…"`, `--token …`, `<password>…</password>`, also inside JSON that is
//! inside a string.

use super::name;
use super::span::Span;

/// Where the last unquoted value began and ended: others that begin inside it end there too, so text made of one name over
/// and over is not read to its end for each.
#[derive(Default)]
pub(super) struct Last {
    start: usize,
    end: usize,
}

/// The assignment whose name holds the anchor at `at`.
pub(super) fn at(text: &str, at: usize, last: &mut Last) -> Option<Span> {
    let bytes = text.as_bytes();
    let (name_start, name_end) = name_around(bytes, at)?;
    let named = name::secret(text.get(name_start..name_end)?)?;
    let flag = name_start >= 2 && bytes.get(name_start - 2..name_start) == Some(b"--")
        || text.get(name_start..name_end)?.starts_with("--");
    let element = name_start.checked_sub(1).and_then(|before| bytes.get(before)) == Some(&b'<');
    let (value_start, value_end, how) = value(bytes, name_end, flag, element, last)?;
    let value_end = (value_end..=text.len()).find(|end| text.is_char_boundary(*end))?;
    let value = text.get(value_start..value_end)?;
    let certain_enough = how.accepts(beginning(value)) && name::plausible(&named, beginning(value));
    certain_enough.then_some(Span { start: value_start, end: value_end, kind: named.kind, certain: false, print: None })
}

/// As much of a value as tells what it is.
fn beginning(value: &str) -> &str {
    (0..=value.len().min(512)).rev().find_map(|end| value.get(..end)).unwrap_or_default()
}

/// How the value is tied to its name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tie {
    /// Quoted, or an element: a literal.
    Literal,
    /// `name=value`: nothing else is meant, but it may be code.
    Tight,
    /// `name: value`: also how prose goes on.
    Loose,
}

impl Tie {
    fn accepts(self, value: &str) -> bool {
        match self {
            Self::Literal => true,
            Self::Tight => !name::is_code(value),
            // A type, a constant and a path go on like this too.
            Self::Loose => {
                let odd = |byte: u8| {
                    byte.is_ascii_digit()
                        || (byte.is_ascii_punctuation()
                            && !matches!(byte, b'.' | b'-' | b'\'' | b'/' | b'_' | b'*' | b'`'))
                };
                value.len() >= 6 && !name::is_code(value) && value.bytes().any(odd)
            }
        }
    }
}

/// The longest name, either side of the anchor.
const REACH: usize = 64;

/// The identifier that the anchor is part of.
fn name_around(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let before = bytes.get(at.saturating_sub(REACH)..at)?;
    let start = at - before.iter().rev().take_while(|byte| part(byte)).count();
    let after = bytes.get(at..bytes.len().min(at + REACH))?;
    // Anchors such as `api key` have a blank of their own.
    let blank = after.iter().position(|byte| *byte == b' ').filter(|blank| *blank < 11);
    let plain = at + after.iter().take_while(|byte| part(byte)).count();
    let spaced = blank.map(|blank| at + blank + 1 + after.iter().skip(blank + 1).take_while(|byte| part(byte)).count());
    let two_words = spaced.filter(|end| bytes.get(at..*end).is_some_and(is_two_words));
    Some((start, two_words.unwrap_or(plain)))
}

fn is_two_words(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    super::name::ANCHORS.iter().any(|anchor| anchor.contains(' ') && name == anchor.as_bytes())
}

/// Where the value stands, and how it is tied to the name that ends at `at`.
fn value(bytes: &[u8], mut at: usize, flag: bool, element: bool, last: &mut Last) -> Option<(usize, usize, Tie)> {
    if element && bytes.get(at) == Some(&b'>') {
        return Some((at + 1, end_of(bytes, at + 1, |byte| byte == b'<' || byte.is_ascii_whitespace()), Tie::Literal));
    }
    if flag && bytes.get(at) == Some(&b' ') {
        let start = at + 1;
        let end = bare_end(bytes, start, last);
        return (bytes.get(start) != Some(&b'-')).then_some((start, end, Tie::Loose));
    }
    at = quote(bytes, at).map_or(at, |(_, after)| after);
    // `secrets["key"] = …`
    at += usize::from(bytes.get(at) == Some(&b']'));
    let blank = at;
    at = blanks(bytes, at);
    let (after, equals) = operator(bytes, at)?;
    let snug = equals && blank == at;
    let start = blanks(bytes, after);
    if let Some((mark, inside)) = quote(bytes, start) {
        return Some((inside, quoted_end(bytes, inside, mark), Tie::Literal));
    }
    let tie = if snug && start == after { Tie::Tight } else { Tie::Loose };
    let start = scheme_end(bytes, start);
    Some((start, bare_end(bytes, start, last), tie))
}

fn blanks(bytes: &[u8], at: usize) -> usize {
    at + bytes.iter().skip(at).take(8).take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// `=`, `:`, `:=`, `=>`, `->`; true if it is an equals sign of some kind. Not `==`.
fn operator(bytes: &[u8], at: usize) -> Option<(usize, bool)> {
    match (bytes.get(at)?, bytes.get(at + 1)) {
        (b'=', Some(b'=')) | (b':', Some(b':')) => None,
        (b':', Some(b'=')) | (b'=' | b'-', Some(b'>')) => Some((at + 2, true)),
        (b'=', _) => Some((at + 1, true)),
        (b':', _) => Some((at + 1, false)),
        (_, _) => None,
    }
}

/// A quotation mark, with the backslashes of JSON inside JSON before it; and the place after it.
fn quote(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    let slashes = bytes.iter().skip(at).take(8).take_while(|byte| **byte == b'\\').count();
    let mark = *bytes.get(at + slashes)?;
    matches!(mark, b'"' | b'\'' | b'`').then_some((mark, at + slashes + 1))
}

/// The end of a quoted value: its mark, without the backslashes before it. An escaped mark inside ends it too early
/// only at the first level: there, what follows the mark decides.
fn quoted_end(bytes: &[u8], start: usize, mark: u8) -> usize {
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        if *byte == b'\n' || at - start >= LONGEST {
            return at;
        }
        if *byte == mark {
            let slashes =
                bytes.get(start..at).map_or(0, |inside| inside.iter().rev().take_while(|byte| **byte == b'\\').count());
            let ends = bytes.get(at + 1).is_none_or(|next| {
                matches!(next, b',' | b'}' | b']' | b')' | b';' | b':' | b'>' | b' ' | b'\n' | b'\r' | b'\\' | b'&')
            });
            if slashes == 0 || ends {
                return at - slashes;
            }
        }
        at += 1;
    }
    at
}

/// After `Bearer ` and its like: the scheme says nothing.
fn scheme_end(bytes: &[u8], start: usize) -> usize {
    let word =
        bytes.iter().skip(start).take(24).take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
    let scheme = bytes.get(start..start + word).unwrap_or_default().to_ascii_lowercase();
    let known = matches!(
        scheme.as_slice(),
        b"bearer" | b"basic" | b"token" | b"digest" | b"apikey" | b"negotiate" | b"bot" | b"aws4-hmac-sha256"
    );
    let after = blanks(bytes, start + word);
    if known && after > start + word { after } else { start }
}

fn bare_end(bytes: &[u8], start: usize, last: &mut Last) -> usize {
    if (last.start..last.end).contains(&start) {
        return last.end;
    }
    let end = end_of(bytes, start, |byte| {
        byte.is_ascii_whitespace()
            || matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | b',' | b';' | b'&' | b'\\' | b'}' | b')')
    });
    *last = Last { start, end };
    end
}

/// The longest value: bounds what one name can cost on hostile text. Of a longer one this much is replaced.
const LONGEST: usize = 4 << 10;

fn end_of(bytes: &[u8], start: usize, stop: impl Fn(u8) -> bool) -> usize {
    start + bytes.iter().skip(start).take(LONGEST).take_while(|byte| !stop(**byte)).count()
}
