//! Text to fragments: the pieces of a value that would still tell where it came from.

mod address;
mod named;
mod numbers;
mod words;

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use super::trivial::is_trivial;

pub(super) use address::{above, strong};
pub(super) use words::{shingles, short};

/// One piece of a text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fragment<'a> {
    /// A whole value, byte for byte.
    Exact(&'a str),
    /// A whole value, normalised.
    Whole(&'a str),
    /// A part that means something by itself, normalised.
    Part(&'a str),
    /// A run of words, normalised.
    Words(&'a str),
    /// A few words, normalised.
    Phrase(&'a str),
}

impl<'a> Fragment<'a> {
    pub(super) fn is_whole(self) -> bool {
        match self {
            Self::Exact(_) | Self::Whole(_) => true,
            Self::Part(_) | Self::Words(_) | Self::Phrase(_) => false,
        }
    }

    /// What is hashed. A whole value and a part share a kind: one may be the other elsewhere.
    pub(super) fn parts(self) -> (u8, &'a str) {
        match self {
            Self::Exact(text) => (0, text),
            Self::Whole(text) | Self::Part(text) => (1, text),
            Self::Words(text) => (2, text),
            Self::Phrase(text) => (3, text),
        }
    }
}

/// Longer texts are prose; nobody passes them on as one value, and their parts are remembered.
const LONGEST_WHOLE: usize = 4096;

/// Every fragment of a text, the most telling first: room may run out.
pub(super) fn fragments(text: &str, visit: &mut impl FnMut(Fragment<'_>)) {
    let normal = normalise(text);
    if normal.is_empty() {
        return;
    }
    if normal.len() <= LONGEST_WHOLE && !is_trivial(&normal) {
        visit(Fragment::Exact(text));
        visit(Fragment::Whole(&normal));
    }
    let mut part = |piece: &str| {
        if !is_trivial(piece) {
            visit(Fragment::Part(piece));
        }
    };
    strong(&normal, &mut part);
    named::each(text, &mut part);
    shingles(&normal, &mut |words| visit(Fragment::Words(words)));
    words::phrases(&normal, &mut |phrase| visit(Fragment::Phrase(phrase)));
}

/// One spelling for what looks or means the same: NFKC, lower case, no invisible characters, single spaces.
pub(super) fn normalise(text: &str) -> Cow<'_, str> {
    let settled = |byte: u8| matches!(byte, b'!'..=b'@' | b'['..=b'~');
    if text.bytes().all(settled) {
        return Cow::Borrowed(text);
    }
    let mut normal = String::with_capacity(text.len());
    let mut gap = false;
    let mut push = |c: char| {
        if c.is_whitespace() {
            gap = true;
        } else if !is_invisible(c) {
            if gap && !normal.is_empty() {
                normal.push(' ');
            }
            gap = false;
            normal.push(dash_folded(c));
        }
    };
    if text.is_ascii() {
        text.chars().for_each(|c| push(c.to_ascii_lowercase()));
    } else {
        // One character may become eighteen: the work follows what was sent.
        text.nfkc().flat_map(char::to_lowercase).take(2 * text.len() + 64).for_each(push);
    }
    Cow::Owned(normal)
}

fn dash_folded(c: char) -> char {
    if matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}') { '-' } else { c }
}

/// Characters that change a text without showing: zero width, direction marks, soft hyphens, variation selectors, tags.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}')
        || c.is_control()
}

/// The first `bytes` of a text, on a character's edge, and whether something was cut.
pub(super) fn prefix(text: &str, bytes: usize) -> (&str, bool) {
    let end = text.floor_char_boundary(bytes);
    (text.get(..end).unwrap_or_default(), end < text.len())
}

/// Letters and digits only.
pub(super) fn squashed(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}
