//! Encodings that were turned as a whole: written from behind, or with their letters rotated. Base64 and hex are read so in lanes of
//! their own (`lane`), numbers where they are read (`list`); here is what is left: escapes, and base32.
//!
//! Ordinary text has next to none of the marks that are looked for, so only the parts around such marks are read again.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memchr3_iter;

use super::form::rot13;
use super::lane;
use super::normal::Rewritten;

/// How far around a mark the text is read: what it may be a part of.
const AROUND: usize = 512;

/// The parts of a text that may hold escapes written from behind.
pub(super) fn reversed(text: &[u8]) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut last = None;
    for mark in memchr3_iter(b'\\', b'%', b'&', text) {
        let before = text.get(..mark).unwrap_or_default();
        let sure = is_entity(before);
        if !sure && !is_reversed(before) {
            continue;
        }
        // One alone, with a blank beside it, is a percentage.
        if sure || last.is_some_and(|last| mark - last <= NEAR) || is_within(text, mark) {
            add(&mut parts, mark.saturating_sub(AROUND)..text.len().min(mark + AROUND));
        }
        last = Some(mark);
    }
    parts
}

/// How near two escapes are in what was escaped.
const NEAR: usize = 48;

/// Whether letters and digits stand around a mark, as in what has few signs to escape.
fn is_within(text: &[u8], mark: usize) -> bool {
    const WITHIN: usize = 6;
    let part = |bytes: Option<&[u8]>| bytes.is_some_and(|bytes| bytes.iter().all(u8::is_ascii_alphanumeric));
    part(mark.checked_sub(WITHIN).and_then(|start| text.get(start..mark))) && part(text.get(mark + 1..=mark + WITHIN))
}

/// Whether text ends in what follows the mark of an escape, from behind.
fn is_reversed(before: &[u8]) -> bool {
    let digit = |byte: &u8| byte.is_ascii_hexdigit();
    match before {
        [.., a, b'x' | b'u' | b'U' | b'k' | b'h' | b'H'] => is_digit(*a) || digit(a),
        [.., a, b] => digit(a) && digit(b),
        _ => false,
    }
}

/// The same for an entity, which nothing else looks like.
fn is_entity(before: &[u8]) -> bool {
    before.ends_with(b"#") || NAMES_TURNED.iter().any(|name| before.ends_with(name.as_bytes()))
}

/// The parts of a text that may be an encoding whose letters are rotated, with these turned back.
pub(super) fn rotated(text: &[u8]) -> Option<Rewritten> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let escapes =
        memchr3_iter(b'\\', b'%', b'&', text).filter(|mark| is_rotated(text.get(*mark..).unwrap_or_default()));
    for mark in escapes {
        add(&mut parts, mark.saturating_sub(AROUND)..text.len().min(mark + AROUND));
    }
    runs(text, &mut parts);
    if parts.is_empty() {
        return None;
    }
    parts.sort_unstable_by_key(|part| part.start);
    let mut turned = Rewritten::with_capacity(0);
    let mut done = 0;
    for part in parts {
        for (place, byte) in text.iter().enumerate().take(part.end).skip(part.start.max(done)) {
            turned.push(&[rot13(*byte)], place);
        }
        if part.end > done {
            turned.push(b" ", part.end);
            done = part.end;
        }
    }
    Some(turned.end(done))
}

fn add(parts: &mut Vec<Range<usize>>, part: Range<usize>) {
    match parts.last_mut() {
        Some(last) if part.start <= last.end && part.start >= last.start => last.end = last.end.max(part.end),
        Some(_) | None => parts.push(part),
    }
}

/// A hexadecimal digit after its rotation.
fn is_digit(byte: u8) -> bool {
    rot13(byte).is_ascii_hexdigit()
}

fn is_rotated_letter(byte: u8) -> bool {
    is_digit(byte) && byte.is_ascii_alphabetic()
}

/// Whether text begins with an escape that has a rotated letter.
fn is_rotated(rest: &[u8]) -> bool {
    match rest {
        [b'\\', b'k', a, b, ..] => is_digit(*a) && is_digit(*b),
        [b'\\', b'h' | b'H', a, b, c, d, ..] => [*a, *b, *c, *d].into_iter().all(is_digit),
        [b'%', a, b, ..] => is_digit(*a) && is_digit(*b) && [*a, *b].into_iter().any(is_rotated_letter),
        [b'&', b'#', b'k', a, ..] => is_digit(*a),
        [b'&', a, b, ..] => NAMES.iter().any(|name| name.as_bytes().starts_with(&[rot13(*a), rot13(*b)])),
        _ => false,
    }
}

/// What `html.escape` of a program writes.
const NAMES: [&str; 5] = ["amp;", "lt;", "gt;", "quot;", "apos;"];
const NAMES_TURNED: [&str; 5] = [";pma", ";tl", ";tg", ";touq", ";sopa"];

/// Eight bytes in base32, without a blank.
const RUN: usize = 13;

/// Runs that may be base32: letters of one case and its digits. Few words are as long.
fn runs(text: &[u8], parts: &mut Vec<Range<usize>>) {
    let cases = &*CASES;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let mut next = at + RUN;
        for case in [UPPER, LOWER] {
            let fits = |byte: &&u8| cases.get(usize::from(**byte)).is_some_and(|held| held & case != 0);
            if !fits(&byte) {
                continue;
            }
            let before = text.get(..at).unwrap_or_default().iter().rev().take_while(fits).count();
            let after = text.get(at..).unwrap_or_default().iter().take_while(fits).count();
            if before + after >= RUN {
                add(parts, at - before..at + after);
            }
            next = next.max(at + after);
        }
        at = next;
    }
}

const UPPER: u8 = 1;
const LOWER: u8 = 2;

/// In which case each byte is a character of base32: its digits in both.
static CASES: LazyLock<[u8; 256]> = LazyLock::new(|| {
    lane::every_char(|char| match char {
        b'A'..=b'Z' => UPPER,
        b'a'..=b'z' => LOWER,
        b'2'..=b'7' => UPPER | LOWER,
        _ => 0,
    })
});
