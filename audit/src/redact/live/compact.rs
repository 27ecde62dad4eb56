//! `Compact`: a text without what may stand between the characters of an encoding, and where each character stood.

use std::sync::LazyLock;

/// Which characters stay, and as what; zero is dropped.
pub(super) struct Charset([u8; 256]);

/// Letters and digits, in lower case: any separator joins what it separates.
pub(super) static ALNUM: LazyLock<Charset> =
    LazyLock::new(|| Charset::new(|byte| byte.is_ascii_alphanumeric(), |byte| byte.to_ascii_lowercase()));

/// The alphabets of base64, base32 and hex.
pub(super) static ENCODED: LazyLock<Charset> = LazyLock::new(|| Charset::new(is_encoded, |byte| byte));

/// All but blanks, quotes, commas and their like: for secrets that are made of signs.
pub(super) static VISIBLE: LazyLock<Charset> = LazyLock::new(|| {
    let stays = |byte| {
        byte > b' ' && byte != 0x7f && !matches!(byte, b'"' | b'\'' | b'`' | b',' | b';' | b'|' | b'+' | b'[' | b']')
    };
    Charset::new(stays, |byte| byte.to_ascii_lowercase())
});

pub(super) fn is_encoded(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

impl Charset {
    fn new(stays: impl Fn(u8) -> bool, as_what: impl Fn(u8) -> u8) -> Self {
        let mut table = [0; 256];
        for (byte, slot) in (0..=u8::MAX).zip(table.iter_mut()) {
            *slot = if stays(byte) { as_what(byte) } else { 0 };
        }
        Self(table)
    }

    /// What stays of a text.
    pub(super) fn of<'t>(&'t self, text: &'t [u8]) -> Compact<'t> {
        // One more than is kept at any time: each byte is written, and the next overwrites it unless it stays.
        let mut bytes = vec![0; text.len() + 1];
        let mut before = Vec::with_capacity(text.len() / BLOCK + 1);
        let mut length = 0;
        for block in text.chunks(BLOCK) {
            before.push(length);
            for byte in block {
                let kept = self.kept(*byte);
                if let Some(slot) = bytes.get_mut(length) {
                    *slot = kept;
                }
                length += usize::from(kept != 0);
            }
        }
        bytes.truncate(length);
        Compact { bytes, charset: self, text, before }
    }

    #[inline]
    fn kept(&self, byte: u8) -> u8 {
        self.0.get(usize::from(byte)).copied().unwrap_or_default()
    }
}

/// Bytes of a text of which it is known how many stayed before them: to know it of each would be four times as much as the text.
const BLOCK: usize = 256;

/// What stayed.
pub(super) struct Compact<'t> {
    pub(super) bytes: Vec<u8>,
    charset: &'t Charset,
    text: &'t [u8],
    /// How many stayed before each block.
    before: Vec<usize>,
}

impl Compact<'_> {
    /// Where in the text a part of it stands, from its first character to its last.
    pub(super) fn span(&self, start: usize, end: usize) -> Option<(usize, usize)> {
        Some((self.place(start)?, self.place(end.checked_sub(1)?)? + 1))
    }

    /// Where in the text a byte stood.
    fn place(&self, number: usize) -> Option<usize> {
        let block = self.before.partition_point(|before| *before <= number).checked_sub(1)?;
        let places = (block * BLOCK..).zip(self.text.get(block * BLOCK..)?);
        let mut stayed = places.filter(|(_, byte)| self.charset.kept(**byte) != 0);
        stayed.nth(number - self.before.get(block)?).map(|(place, _)| place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_what_stayed_stands_where_it_stood() {
        let text: Vec<u8> = b"ab, c-d\n  ,,,,,,,,,,,,,,,,,,,,,e".iter().copied().cycle().take(2_000).collect();
        for charset in [&*ALNUM, &*ENCODED, &*VISIBLE] {
            let compact = charset.of(&text);
            let places: Vec<usize> = (0..text.len()).filter(|place| charset.kept(text[*place]) != 0).collect();
            assert_eq!(compact.bytes, places.iter().map(|place| charset.kept(text[*place])).collect::<Vec<_>>());
            for (number, place) in places.iter().enumerate() {
                assert_eq!(compact.span(number, number + 1), Some((*place, place + 1)));
            }
            assert_eq!(compact.span(0, places.len()), Some((places[0], places.last().unwrap() + 1)));
            assert_eq!(compact.span(0, 0), None);
            assert_eq!(compact.span(0, places.len() + 1), None);
        }
        assert_eq!(ALNUM.of(b"").span(0, 1), None);
    }
}
