//! `Mark`: a place where something encoded is known by its first characters, since it leaves every lane (`lane`): compressed bytes,
//! and text of characters beyond ASCII that `normal` drops or makes plain.
//!
//! There are thousands of ways to write these beginnings. One bit for each three characters tells most places where none of them
//! stands.

use std::sync::LazyLock;

use super::lane::{self, Alphabet, Lane};

/// A place where something begins, and how it is read on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) what: What,
    pub(super) lane: Lane,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Mark {
    /// The character that is read first.
    pub(super) fn first(&self) -> usize {
        if self.lane.reversed { self.end - 1 } else { self.start }
    }
}

/// What begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// gzip or zlib.
    Compressed,
    /// A character beyond ASCII.
    Unseen,
}

/// Some first bytes, and how many of their bits are the same.
type Beginning = ([u8; 4], usize);

/// gzip, and the four headers that zlib writes.
const COMPRESSED: &[Beginning] = &[
    ([0x1f, 0x8b, 8, 0], 24),
    ([0x78, 0x01, 0, 0], 16),
    ([0x78, 0x5e, 0, 0], 16),
    ([0x78, 0x9c, 0, 0], 16),
    ([0x78, 0xda, 0, 0], 16),
];

/// The UTF-8 of characters that `normal` drops or makes plain.
const UNSEEN: &[Beginning] = &[
    ([0xc2, 0xad, 0, 0], 17),       // soft hyphen, and something of ASCII
    ([0xcd, 0x8f, 0, 0], 17),       // grapheme joiner, the same
    ([0xd8, 0x9c, 0, 0], 17),       // letter mark, the same
    ([0xe2, 0x80, 0x88, 0], 21),    // zero-width, directional
    ([0xe2, 0x80, 0xa8, 0], 21),    // bidirectional
    ([0xe2, 0x81, 0xa0, 0], 20),    // joiners
    ([0xe1, 0x85, 0x80, 0], 18),    // fillers
    ([0xe1, 0x9e, 0xb4, 0], 23),    // vowels that are not seen
    ([0xe1, 0xa0, 0x88, 0], 21),    // separators
    ([0xe3, 0x85, 0xa4, 0], 24),    // filler
    ([0xef, 0xb8, 0x80, 0], 20),    // selectors
    ([0xef, 0xbb, 0xbf, 0], 24),    // byte order mark
    ([0xef, 0xbc, 0x80, 0], 18),    // full-width
    ([0xef, 0xbd, 0x80, 0], 18),    // full-width
    ([0xf0, 0x9d, 0x90, 0], 20),    // styled
    ([0xf3, 0xa0, 0x80, 0x80], 24), // tags
];

/// The fewest bits by which a beginning is known: what chance has of them is looked at closely.
const ENOUGH: usize = 17;

/// One way to write a beginning.
struct Pattern {
    /// Its first three characters.
    triple: usize,
    /// Its characters, and how many there are.
    text: [u8; LONGEST],
    length: usize,
    what: What,
    alphabet: Alphabet,
    reversed: bool,
    /// Which character of its group the one that is read first is.
    place: usize,
}

/// The characters that three bytes are at most, in any alphabet, and one more at an end.
const LONGEST: usize = 8;

struct Patterns {
    /// In the order of their first three characters.
    all: Vec<Pattern>,
    /// For each three characters that a pattern begins with, where such patterns begin in `all`; and where they end.
    starts: Vec<usize>,
    /// A bit for each three characters that a pattern begins with, and how many such there are before each word.
    filter: Box<[(u64, usize); WORDS]>,
}

/// Three characters of six bits, as a number.
const TRIPLES: usize = 1 << 18;
const WORDS: usize = TRIPLES / 64;

/// What each character is worth in base64: no two of the other alphabets are the same there.
static WORTH: LazyLock<[u8; 256]> =
    LazyLock::new(|| lane::every_char(|char| Alphabet::Base64.value(char).unwrap_or_default()));

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let mut all = Vec::new();
    for alphabet in Alphabet::ALL {
        let mut add = |what, beginning: &Beginning, offset| {
            for (text, place) in written(alphabet, *beginning, offset) {
                let turned = text.iter().rev().copied().collect::<Vec<_>>();
                for (text, reversed) in [(text, false), (turned, true)] {
                    all.push(Pattern::new(&text, what, alphabet, reversed, place));
                }
            }
        };
        // What was compressed is encoded from its first byte on; a character stands anywhere in a text.
        for beginning in COMPRESSED {
            add(What::Compressed, beginning, 0);
        }
        for beginning in UNSEEN {
            (0..alphabet.group() * alphabet.bits()).step_by(8).for_each(|offset| add(What::Unseen, beginning, offset));
        }
    }
    all.sort_unstable_by_key(|pattern| pattern.triple);
    let (mut starts, mut filter) = (Vec::new(), Box::new([(0_u64, 0); WORDS]));
    let mut last = None;
    for (start, Pattern { triple, .. }) in all.iter().enumerate() {
        if last.replace(*triple) != Some(*triple) {
            starts.push(start);
            if let Some((word, _)) = filter.get_mut(triple / 64) {
                *word |= 1 << (triple % 64);
            }
        }
    }
    starts.push(all.len());
    let mut before = 0;
    for (word, count) in filter.iter_mut() {
        *count = before;
        before += word.count_ones() as usize;
    }
    Patterns { all, starts, filter }
});

impl Patterns {
    /// The patterns that begin with three characters.
    #[inline]
    fn beginning(&self, triple: usize) -> Option<&[Pattern]> {
        let (word, before) = self.filter.get(triple / 64)?;
        if word >> (triple % 64) & 1 == 0 {
            return None;
        }
        let number = before + (word & ((1 << (triple % 64)) - 1)).count_ones() as usize;
        self.all.get(*self.starts.get(number)?..*self.starts.get(number + 1)?)
    }
}

#[inline]
fn next(worth: &[u8; 256], triple: usize, char: u8) -> usize {
    (triple << 6 | usize::from(worth.get(usize::from(char)).copied().unwrap_or_default())) % TRIPLES
}

/// The characters that the first bits of some bytes may be, where the bytes begin so many bits into a group; and which of its group the
/// first is.
fn written(alphabet: Alphabet, (bytes, known): Beginning, offset: usize) -> impl Iterator<Item = (Vec<u8>, usize)> {
    let (bits, whole) = (alphabet.bits(), u32::from_be_bytes(bytes));
    // Characters of which every bit is known; if they are too few, also the one after, and the one before.
    let (mut first, mut end) = (offset.div_ceil(bits), (offset + known) / bits);
    if (end - first) * bits < ENOUGH {
        end = (offset + known).div_ceil(bits);
    }
    if (end - first) * bits < ENOUGH {
        first = offset / bits;
    }
    let mut texts = vec![Vec::new()];
    for number in first..end {
        let fits = |char: &u8| {
            let Some(value) = alphabet.value(*char) else { return false };
            (0..bits).all(|bit| {
                let Some(at) = (number * bits + bit).checked_sub(offset).filter(|at| *at < known) else {
                    return true;
                };
                whole >> (31 - at) & 1 == u32::from(value >> (bits - 1 - bit) & 1)
            })
        };
        let chars: Vec<u8> = (0..=u8::MAX).filter(fits).collect();
        texts =
            texts.iter().flat_map(|text| chars.iter().map(move |char| [text.as_slice(), &[*char]].concat())).collect();
    }
    // Letters of hex and base32 are of one case.
    texts.retain(|text| {
        bits == 6 || !(text.iter().any(u8::is_ascii_lowercase) && text.iter().any(u8::is_ascii_uppercase))
    });
    texts.into_iter().map(move |text| (text, first % alphabet.group()))
}

/// Every mark in some characters, in order.
pub(super) fn all(chars: &[u8]) -> Vec<Mark> {
    let (mut found, mut triple) = (Vec::new(), 0);
    let (patterns, worth) = (&*PATTERNS, &*WORTH);
    for (last, char) in chars.iter().enumerate() {
        triple = next(worth, triple, *char);
        if let Some(patterns) = patterns.beginning(triple)
            && let Some(start) = last.checked_sub(2)
        {
            let rest = chars.get(start..).unwrap_or_default();
            let here = patterns.iter().filter(|pattern| rest.starts_with(pattern.text()));
            found.extend(here.map(|pattern| pattern.at(start)));
        }
    }
    found
}

impl Pattern {
    fn new(written: &[u8], what: What, alphabet: Alphabet, reversed: bool, place: usize) -> Self {
        let mut text = [0; LONGEST];
        for (slot, char) in text.iter_mut().zip(written) {
            *slot = *char;
        }
        let triple = written.iter().take(3).fold(0, |triple, char| next(&WORTH, triple, *char));
        Self { triple, text, length: written.len().min(LONGEST), what, alphabet, reversed, place }
    }

    fn text(&self) -> &[u8] {
        self.text.get(..self.length).unwrap_or_default()
    }

    fn at(&self, start: usize) -> Mark {
        let (end, group) = (start + self.length, self.alphabet.group());
        let lane = if self.reversed {
            Lane::beginning(self.alphabet, end - 1 + self.place, true)
        } else {
            Lane::beginning(self.alphabet, start + group - self.place, false)
        };
        Mark { what: self.what, lane, start, end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_pattern_is_beside_it_is_seen_where_it_stands() {
        let mut chars = b"eJ".to_vec();
        for pattern in &PATTERNS.all {
            chars.extend_from_slice(pattern.text());
        }
        let seen: Vec<(usize, usize)> = all(&chars).iter().map(|mark| (mark.start, mark.end)).collect();
        let mut start = 2;
        for pattern in &PATTERNS.all {
            let end = start + pattern.length;
            assert!(seen.contains(&(start, end)), "{:?}", pattern.text());
            start = end;
        }
        assert!(PATTERNS.all.iter().all(|pattern| pattern.length >= 3));
        assert!(all(b"").is_empty() && all(b"eJ").is_empty());
    }
}
