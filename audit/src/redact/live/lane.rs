//! `Lane`: one way to read characters as base64, base32 or hex: an alphabet, a place where groups begin, and a direction.
//!
//! Fifty-six lanes are read side by side, one bit each, by one look-up a character. A secret is text, so each of its bytes
//! begins with a zero bit, and which bit of which character that is depends on the lane: noise and prose leave every lane
//! within a few characters, and only what stays in one for a whole window is decoded.

use std::sync::LazyLock;

use super::form::rot13;

/// The alphabets, also rotated as a whole by thirteen letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alphabet {
    Base64,
    Base64Rotated,
    Base32,
    Base32Hex,
    Hex,
    HexRotated,
}

impl Alphabet {
    pub(super) const ALL: [Self; 6] =
        [Self::Base64, Self::Base64Rotated, Self::Base32, Self::Base32Hex, Self::Hex, Self::HexRotated];

    /// Bits in a character.
    pub(super) fn bits(self) -> usize {
        match self {
            Self::Base64 | Self::Base64Rotated => 6,
            Self::Base32 | Self::Base32Hex => 5,
            Self::Hex | Self::HexRotated => 4,
        }
    }

    /// Characters in a group that begins and ends with a byte.
    pub(super) fn group(self) -> usize {
        match self {
            Self::Base64 | Self::Base64Rotated => 4,
            Self::Base32 | Self::Base32Hex => 8,
            Self::Hex | Self::HexRotated => 2,
        }
    }

    /// RFC 4648, both alphabets of base64 at once, letters of the others in any case.
    pub(super) fn value(self, char: u8) -> Option<u8> {
        match self {
            Self::Base64 => match char {
                b'A'..=b'Z' => Some(char - b'A'),
                b'a'..=b'z' => Some(char - b'a' + 26),
                b'0'..=b'9' => Some(char - b'0' + 52),
                b'+' | b'-' => Some(62),
                b'/' | b'_' => Some(63),
                _ => None,
            },
            Self::Base64Rotated => Self::Base64.value(rot13(char)),
            Self::Base32 => match char.to_ascii_uppercase() {
                letter @ b'A'..=b'Z' => Some(letter - b'A'),
                digit @ b'2'..=b'7' => Some(digit - b'2' + 26),
                _ => None,
            },
            Self::Base32Hex => match char.to_ascii_uppercase() {
                digit @ b'0'..=b'9' => Some(digit - b'0'),
                letter @ b'A'..=b'V' => Some(letter - b'A' + 10),
                _ => None,
            },
            Self::Hex => char::from(char).to_digit(16).and_then(|value| u8::try_from(value).ok()),
            Self::HexRotated => Self::Hex.value(rot13(char)),
        }
    }
}

impl Alphabet {
    /// Whether a character is one of it.
    #[inline]
    pub(super) fn has(self, char: u8) -> bool {
        VALUES.get(self as usize).and_then(|values| values.get(usize::from(char))).is_some_and(|value| *value != NONE)
    }
}

/// One way to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) alphabet: Alphabet,
    /// Where, modulo the group, groups begin.
    phase: usize,
    pub(super) reversed: bool,
}

/// Characters that stay in a lane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) lane: Lane,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Lane {
    /// The lane in which a group begins at a character, read in a direction.
    pub(super) fn beginning(alphabet: Alphabet, at: usize, reversed: bool) -> Self {
        Self { alphabet, phase: at % alphabet.group(), reversed }
    }

    /// Which character of its group this one is.
    fn place(self, at: usize) -> usize {
        let (group, at) = (self.alphabet.group(), at % self.alphabet.group());
        if self.reversed { (self.phase + group - at) % group } else { (at + group - self.phase) % group }
    }

    /// Whether the character at a place can be of ASCII text.
    fn holds(self, at: usize, char: u8) -> bool {
        let (bits, place) = (self.alphabet.bits(), self.place(at));
        let Some(value) = self.alphabet.value(char) else { return false };
        let first = place * bits;
        let tops = (first..first + bits).filter(|bit| bit.is_multiple_of(8));
        tops.into_iter().all(|bit| value >> (bits - 1 - (bit - first)) & 1 == 0)
    }
}

impl Stretch {
    /// Bits before the first whole byte.
    fn skipped(&self) -> usize {
        let first = if self.lane.reversed { self.end.saturating_sub(1) } else { self.start };
        let bits = self.lane.place(first) * self.lane.alphabet.bits();
        (8 - bits % 8) % 8
    }

    /// Its bytes.
    pub(super) fn decode(&self, chars: &[u8]) -> Vec<u8> {
        let chars = chars.get(self.start..self.end).unwrap_or_default();
        let values = VALUES.get(self.lane.alphabet as usize);
        let value =
            |char: &u8| values.and_then(|values| values.get(usize::from(*char))).copied().unwrap_or_default() % NONE;
        if self.lane.reversed { self.join(chars.iter().rev().map(value)) } else { self.join(chars.iter().map(value)) }
    }

    fn join(&self, values: impl Iterator<Item = u8>) -> Vec<u8> {
        let bits = self.lane.alphabet.bits();
        let mut bytes = Vec::with_capacity((self.end - self.start) * bits / 8 + 1);
        let (mut held, mut count, mut skip) = (0_u32, 0, self.skipped());
        for value in values {
            held = held << bits | u32::from(value);
            count += bits;
            if skip > 0 && count >= skip {
                count -= skip;
                skip = 0;
            }
            if skip == 0 && count >= 8 {
                count -= 8;
                bytes.push(u8::try_from(held >> count & 0xff).unwrap_or_default());
            }
        }
        bytes
    }

    /// The characters that some of its bytes are made of.
    pub(super) fn span(&self, start: usize, end: usize) -> (usize, usize) {
        let bits = self.lane.alphabet.bits();
        let first = (self.skipped() + start * 8) / bits;
        let last = (self.skipped() + end * 8).div_ceil(bits);
        if self.lane.reversed {
            (self.end.saturating_sub(last).max(self.start), self.end - first)
        } else {
            (self.start + first, (self.start + last).min(self.end))
        }
    }
}

/// The worth of what is no character of an alphabet: more than any is worth, and nothing where it is read over.
const NONE: u8 = 64;

/// What each character is worth in each alphabet.
static VALUES: LazyLock<[[u8; 256]; 6]> =
    LazyLock::new(|| Alphabet::ALL.map(|alphabet| every_char(|char| alphabet.value(char).unwrap_or(NONE))));

/// A table of what each character is.
pub(super) fn every_char<T: Copy + Default>(of: impl Fn(u8) -> T) -> [T; 256] {
    let mut table = [T::default(); 256];
    for (char, slot) in (0..=u8::MAX).zip(table.iter_mut()) {
        *slot = of(char);
    }
    table
}

/// Every lane, in the order of its bit.
static LANES: LazyLock<Vec<Lane>> = LazyLock::new(|| {
    let lanes = Alphabet::ALL.into_iter().flat_map(|alphabet| {
        let phases = 0..alphabet.group();
        phases.flat_map(move |phase| [false, true].map(|reversed| Lane { alphabet, phase, reversed }))
    });
    lanes.collect()
});

/// For each place modulo eight and each character, the lanes that hold it.
struct Table([[u64; 256]; PERIOD]);

/// A multiple of every group.
const PERIOD: usize = 8;

impl Table {
    fn new(holds: impl Fn(Lane, usize, u8) -> bool) -> Self {
        let mut at = 0..PERIOD;
        let row = |at: usize| {
            every_char(|char| {
                let held = LANES.iter().enumerate().filter(|(_, lane)| holds(**lane, at, char));
                held.fold(0, |row, (number, _)| row | 1 << number)
            })
        };
        Self([(); PERIOD].map(|()| row(at.next().unwrap_or_default())))
    }

    fn at(&self, place: usize, char: u8) -> u64 {
        self.0.get(place % PERIOD).and_then(|row| row.get(usize::from(char))).copied().unwrap_or_default()
    }
}

/// Lanes of ASCII text.
static TEXT: LazyLock<Table> = LazyLock::new(|| Table::new(Lane::holds));

/// Lanes of any bytes: only where a secret is not ASCII.
static BYTES: LazyLock<Table> = LazyLock::new(|| Table::new(|lane, _, char| lane.alphabet.value(char).is_some()));

/// Every stretch that can hold so many bytes of text, or of anything.
pub(super) fn stretches(chars: &[u8], bytes: usize, any: bool) -> Vec<Stretch> {
    let table: &Table = if any { &BYTES } else { &TEXT };
    let shortest = (bytes * 8).div_ceil(6);
    // However it stands, the shortest stretch holds so many whole units one after the other.
    let unit = if shortest >= 2 * UNIT - 1 { UNIT } else { UNIT / 2 };
    let row = (shortest.saturating_sub(unit - 1) / unit).clamp(1, 3);
    let mut found = Finder { chars, table, bytes, passed: [0; 64], stretches: Vec::new() };
    let (mut before, mut last) = (!0, !0);
    for (number, chars) in chars.chunks(unit).enumerate() {
        let start = number * unit;
        let rows = table.0.get(start % PERIOD..).unwrap_or_default();
        let held = chars
            .iter()
            .zip(rows)
            .fold(!0, |held, (char, row)| held & row.get(usize::from(*char)).copied().unwrap_or_default());
        let lanes = match row {
            1 => held,
            2 => held & last,
            _ => held & last & before,
        };
        if lanes != 0 {
            found.follow(lanes, start);
        }
        (before, last) = (last, held);
    }
    found.stretches
}

/// Characters that are read together.
const UNIT: usize = 4;

struct Finder<'t> {
    chars: &'t [u8],
    table: &'t Table,
    bytes: usize,
    /// How far each lane has been followed.
    passed: [usize; 64],
    stretches: Vec<Stretch>,
}

impl Finder<'_> {
    /// Follows each lane that holds a block to both its ends.
    fn follow(&mut self, mut lanes: u64, at: usize) {
        while lanes != 0 {
            let number = lanes.trailing_zeros() as usize;
            lanes &= lanes - 1;
            let (Some(lane), Some(passed)) = (LANES.get(number), self.passed.get_mut(number)) else { continue };
            if *passed > at || at >= self.chars.len() {
                continue;
            }
            let held = |(at, char): &(usize, &u8)| self.table.at(*at, **char) >> number & 1 != 0;
            let before = (*passed..at).zip(self.chars.get(*passed..at).unwrap_or_default()).rev();
            let start = at - before.take_while(held).count();
            let after = (at..).zip(self.chars.get(at..).unwrap_or_default());
            let end = at + after.take_while(held).count();
            *passed = end;
            if (end - start) * lane.alphabet.bits() >= self.bytes * 8 {
                self.stretches.push(Stretch { lane: *lane, start, end });
            }
        }
    }
}
