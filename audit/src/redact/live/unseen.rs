//! Text in an encoding that is not ASCII, such as one whose letters are full-width or joined by what is not seen: unlike ASCII, it
//! leaves every lane. It is known by the characters that are made plain, encoded.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::lane::{Alphabet, Lane, Stretch};
use super::work::{OutOfWork, Work};

/// How the UTF-8 of characters begins that `normal` drops or makes plain: bytes, and how many of their bits are the same.
const BEGINNINGS: &[([u8; 4], usize)] = &[
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

struct Known {
    automaton: Option<AhoCorasick>,
    /// For each pattern, how it is read: its lane if it were to begin at the first character.
    patterns: Vec<Pattern>,
}

struct Pattern {
    alphabet: Alphabet,
    reversed: bool,
    /// Which character of its group the pattern's first one is.
    place: usize,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let (mut texts, mut patterns) = (Vec::new(), Vec::new());
    for alphabet in Alphabet::ALL {
        for ((bytes, bits), reversed) in BEGINNINGS.iter().flat_map(|known| [(known, false), (known, true)]) {
            for (mut text, place) in written(alphabet, *bytes, *bits) {
                if reversed {
                    text.reverse();
                }
                patterns.push(Pattern { alphabet, reversed, place });
                texts.push(text);
            }
        }
    }
    let automaton = AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(texts).ok();
    Known { automaton, patterns }
});

/// The fewest bits by which a beginning is known: what chance has of them is looked at closely.
const ENOUGH: usize = 17;

/// The characters that the first bits of some bytes may be, wherever these stand in a group, and which of its group the first is.
fn written(alphabet: Alphabet, bytes: [u8; 4], known: usize) -> Vec<(Vec<u8>, usize)> {
    let (bits, whole) = (alphabet.bits(), u32::from_be_bytes(bytes));
    let mut found = Vec::new();
    for offset in (0..alphabet.group() * bits).step_by(8) {
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
            texts = texts
                .iter()
                .flat_map(|text| chars.iter().map(move |char| [text.as_slice(), &[*char]].concat()))
                .collect();
        }
        // Letters of hex and base32 are of one case.
        texts.retain(|text| {
            bits == 6 || !(text.iter().any(u8::is_ascii_lowercase) && text.iter().any(u8::is_ascii_uppercase))
        });
        found.extend(texts.into_iter().map(|text| (text, first % alphabet.group())));
    }
    found
}

/// Every part of the characters that may be such a text: a stretch, and its bytes.
pub(super) fn all(chars: &[u8], work: &mut Work) -> Result<Vec<(Stretch, Vec<u8>)>, OutOfWork> {
    let mut found: Vec<(Stretch, Vec<u8>)> = Vec::new();
    let Some(automaton) = &KNOWN.automaton else { return Err(OutOfWork) };
    for seen in automaton.find_overlapping_iter(chars) {
        let Some(pattern) = KNOWN.patterns.get(seen.pattern().as_usize()) else { continue };
        let group = pattern.alphabet.group();
        let lane = if pattern.reversed {
            Lane::beginning(pattern.alphabet, seen.end() - 1 + pattern.place, true)
        } else {
            Lane::beginning(pattern.alphabet, seen.start() + group - pattern.place, false)
        };
        let passed = |(stretch, _): &(Stretch, Vec<u8>)| stretch.lane == lane && seen.end() <= stretch.end;
        if found.iter().rev().take(RECENT).any(passed) {
            continue;
        }
        // A close look first: chance shows one such character, and a text several.
        for around in [CLOSE, FAR] {
            let stretch = reach(chars, lane, seen.start()..seen.end(), around);
            let bytes = stretch.decode(chars);
            work.spend(bytes.len())?;
            if !bytes
                .utf8_chunks()
                .any(|chunk| chunk.valid().chars().filter(|char| !char.is_ascii()).count() >= SEVERAL)
            {
                break;
            }
            if around == FAR {
                found.push((stretch, bytes));
            }
        }
    }
    Ok(found)
}

/// How far the characters are looked at around what is seen first.
const CLOSE: usize = 64;

/// How far a text is read: further on, more of it is seen.
const FAR: usize = 4 << 10;

/// Characters that are not ASCII in one text.
const SEVERAL: usize = 3;

/// Stretches that may reach as far as what is seen now.
const RECENT: usize = 8;

/// The characters of an alphabet around some of them.
fn reach(chars: &[u8], lane: Lane, seen: std::ops::Range<usize>, around: usize) -> Stretch {
    let fits = |char: &&u8| lane.alphabet.value(**char).is_some();
    let before = chars.get(..seen.start).unwrap_or_default().iter().rev().take(around).take_while(fits).count();
    let after = chars.get(seen.end..).unwrap_or_default().iter().take(around).take_while(fits).count();
    Stretch { lane, start: seen.start - before, end: seen.end + after }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(chars: &[u8]) -> Vec<(Stretch, Vec<u8>)> {
        all(chars, &mut Work::for_text(chars.len())).unwrap()
    }

    #[test]
    fn a_character_that_is_not_ascii_is_seen_wherever_it_stands_in_an_encoding() {
        let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap();
        let hex = |text: &str| text.bytes().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect::<String>();
        for (text, name) in
            [("a\u{ad}b\u{ad}c\u{ad}d", "soft"), ("a\u{200b}b\u{2060}c\u{202e}d", "zero"), ("ａｂｃｄ", "wide")]
        {
            let found = seen(hex(text).as_bytes());
            assert!(found.iter().any(|(_, bytes)| bytes == text.as_bytes()), "{name}: {found:?}");
        }
        assert!(seen(b"the quick brown fox jumps over the lazy dog").is_empty());
    }
}
