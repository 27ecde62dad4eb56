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
    pub(super) fn of(&self, text: &[u8]) -> Compact {
        // One more than is kept at any time: each byte is written, and the next overwrites it unless it stays.
        let mut bytes = vec![0; text.len() + 1];
        let mut places = vec![0; text.len() + 1];
        let mut length = 0;
        for (place, byte) in (0_u32..).zip(text) {
            let kept = self.0.get(usize::from(*byte)).copied().unwrap_or_default();
            if let (Some(slot), Some(spot)) = (bytes.get_mut(length), places.get_mut(length)) {
                (*slot, *spot) = (kept, place);
            }
            length += usize::from(kept != 0);
        }
        bytes.truncate(length);
        places.truncate(length);
        Compact { bytes, places }
    }
}

/// What stayed.
pub(super) struct Compact {
    pub(super) bytes: Vec<u8>,
    /// Where in the text each byte stood.
    places: Vec<u32>,
}

impl Compact {
    /// Where in the text a part of it stands, from its first character to its last.
    pub(super) fn span(&self, start: usize, end: usize) -> Option<(usize, usize)> {
        let first = *self.places.get(start)?;
        let last = *self.places.get(end.checked_sub(1)?)?;
        Some((first as usize, last as usize + 1))
    }
}
