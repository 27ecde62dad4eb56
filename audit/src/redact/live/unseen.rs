//! Text in an encoding that is not ASCII, such as one whose letters are full-width or joined by what is not seen: unlike ASCII, it
//! leaves every lane. It is known by the characters that are made plain, encoded (`marks`).

use super::lane::{Lane, Stretch};
use super::marks::{Mark, What};
use super::work::{OutOfWork, Work};

/// Every part of the characters that may be such a text: a stretch, and its bytes.
pub(super) fn all(chars: &[u8], marks: &[Mark], work: &mut Work) -> Result<Vec<(Stretch, Vec<u8>)>, OutOfWork> {
    let mut found: Vec<(Stretch, Vec<u8>)> = Vec::new();
    for seen in marks.iter().filter(|mark| mark.what == What::Unseen) {
        let lane = seen.lane;
        let passed = |(stretch, _): &(Stretch, Vec<u8>)| stretch.lane == lane && seen.end <= stretch.end;
        if found.iter().rev().take(RECENT).any(passed) {
            continue;
        }
        // A close look first: chance shows one such character, and a text several.
        for around in [CLOSE, FAR] {
            let stretch = reach(chars, lane, seen.start..seen.end, around);
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
    let fits = |char: &&u8| lane.alphabet.has(**char);
    let before = chars.get(..seen.start).unwrap_or_default().iter().rev().take(around).take_while(fits).count();
    let after = chars.get(seen.end..).unwrap_or_default().iter().take(around).take_while(fits).count();
    Stretch { lane, start: seen.start - before, end: seen.end + after }
}

#[cfg(test)]
mod tests {
    use super::super::marks;
    use super::*;

    fn seen(chars: &[u8]) -> Vec<(Stretch, Vec<u8>)> {
        all(chars, &marks::all(chars), &mut Work::for_text(chars.len())).unwrap()
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
