//! Compressed bytes in an encoding: known by how they begin, since unlike text they leave every lane.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::compressed::{self, Inflated};
use super::lane::{Alphabet, Lane, Stretch};
use super::work::{OutOfWork, Work};

/// What an encoded part holds once it is inflated, and the characters it was.
pub(super) struct Packed {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) inflated: Inflated,
}

/// How compressed bytes begin: gzip, and the four headers that zlib writes.
const BEGINNINGS: &[&[u8]] = &[&[0x1f, 0x8b, 8], &[0x78, 0x01], &[0x78, 0x5e], &[0x78, 0x9c], &[0x78, 0xda]];

struct Beginnings {
    automaton: Option<AhoCorasick>,
    known: Vec<(Alphabet, bool, usize)>,
}

static TABLE: LazyLock<Beginnings> = LazyLock::new(|| {
    let (mut texts, mut known) = (Vec::new(), Vec::new());
    for alphabet in Alphabet::ALL {
        for (beginning, reversed) in BEGINNINGS.iter().flat_map(|bytes| [(bytes, false), (bytes, true)]) {
            for case in [u8::to_ascii_uppercase, u8::to_ascii_lowercase] {
                let mut text = written(alphabet, beginning, case);
                if reversed {
                    text.reverse();
                }
                known.push((alphabet, reversed, text.len()));
                texts.push(text);
            }
        }
    }
    let automaton = AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(texts).ok();
    Beginnings { automaton, known }
});

/// The characters of an alphabet that are determined by some bytes.
fn written(alphabet: Alphabet, bytes: &[u8], case: fn(&u8) -> u8) -> Vec<u8> {
    let bits = alphabet.bits();
    let whole = bytes.iter().fold(0_u32, |whole, byte| whole << 8 | u32::from(*byte));
    let count = bytes.len() * 8;
    let chars = (1..=count / bits).filter_map(|number| {
        let value = whole >> (count - number * bits) & ((1 << bits) - 1);
        let fits = |char: &u8| alphabet.value(*char).is_some_and(|worth| u32::from(worth) == value);
        let char = (0..=u8::MAX).find(fits)?;
        // Base64 means another value by another case.
        Some(if bits == 6 { char } else { case(&char) })
    });
    chars.collect()
}

/// Every compressed part of the characters.
pub(super) fn all(chars: &[u8], work: &mut Work) -> Result<Vec<Packed>, OutOfWork> {
    let mut found = Vec::new();
    let Some(automaton) = &TABLE.automaton else { return Err(OutOfWork) };
    for beginning in automaton.find_overlapping_iter(chars) {
        let Some((alphabet, reversed, _)) = TABLE.known.get(beginning.pattern().as_usize()) else { continue };
        let first = if *reversed { beginning.end() - 1 } else { beginning.start() };
        let lane = Lane::beginning(*alphabet, first, *reversed);
        found.extend(unpack(chars, lane, first, work)?);
    }
    Ok(found)
}

/// Decodes as much as the compressed stream goes on, a part at a time: its length stands nowhere.
fn unpack(chars: &[u8], lane: Lane, first: usize, work: &mut Work) -> Result<Option<Packed>, OutOfWork> {
    let mut length = 8;
    loop {
        let stretch = reach(chars, lane, first, length);
        let bytes = stretch.decode(chars);
        work.spend(bytes.len())?;
        if !compressed::begins(&bytes) {
            return Ok(None);
        }
        let cut = stretch.end - stretch.start < length;
        if length >= FIRST || cut {
            let Some(inflated) = compressed::first(&bytes, work)? else { return Ok(None) };
            if cut || inflated.end < bytes.len() {
                let (start, end) = stretch.span(inflated.start, inflated.end);
                return Ok(Some(Packed { start, end, inflated }));
            }
        }
        length = (length * 4).max(FIRST);
    }
}

/// Characters that are read first.
const FIRST: usize = 2 << 10;

/// As many characters of the alphabet as there are, up to a number.
fn reach(chars: &[u8], lane: Lane, first: usize, most: usize) -> Stretch {
    let fits = |char: &&u8| lane.alphabet.value(**char).is_some();
    if lane.reversed {
        let before = chars.get(..=first).unwrap_or_default();
        let count = before.iter().rev().take(most).take_while(fits).count();
        Stretch { lane, start: first + 1 - count, end: first + 1 }
    } else {
        let count = chars.get(first..).unwrap_or_default().iter().take(most).take_while(fits).count();
        Stretch { lane, start: first, end: first + count }
    }
}
