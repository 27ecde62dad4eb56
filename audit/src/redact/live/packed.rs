//! Compressed bytes in an encoding: known by how they begin (`marks`), since unlike text they leave every lane.

use super::compressed::{self, Inflated};
use super::lane::{Lane, Stretch};
use super::marks::{Mark, What};
use super::work::{OutOfWork, Work};

/// What an encoded part holds once it is inflated, and the characters it was.
pub(super) struct Packed {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) inflated: Inflated,
}

/// Every compressed part of the characters.
pub(super) fn all(chars: &[u8], marks: &[Mark], work: &mut Work) -> Result<Vec<Packed>, OutOfWork> {
    let mut found = Vec::new();
    for mark in marks.iter().filter(|mark| mark.what == What::Compressed) {
        found.extend(unpack(chars, mark.lane, mark.first(), work)?);
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
    let fits = |char: &&u8| lane.alphabet.has(**char);
    if lane.reversed {
        let before = chars.get(..=first).unwrap_or_default();
        let count = before.iter().rev().take(most).take_while(fits).count();
        Stretch { lane, start: first + 1 - count, end: first + 1 }
    } else {
        let count = chars.get(first..).unwrap_or_default().iter().take(most).take_while(fits).count();
        Stretch { lane, start: first, end: first + count }
    }
}
