//! `Normal`: a text with its look-alikes made plain: full-width and styled letters (NFKC), and what is not seen at all.

use unicode_normalization::UnicodeNormalization as _;

/// A text rewritten, and where each of its bytes came from.
pub(super) struct Rewritten {
    pub(super) bytes: Vec<u8>,
    /// Where each byte's origin begins; one more than there are bytes.
    pub(super) places: Vec<u32>,
}

impl Rewritten {
    pub(super) fn with_capacity(length: usize) -> Self {
        Self { bytes: Vec::with_capacity(length), places: Vec::with_capacity(length + 1) }
    }

    pub(super) fn push(&mut self, bytes: &[u8], place: usize) {
        self.bytes.extend_from_slice(bytes);
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        self.places.extend(bytes.iter().map(|_| place));
    }

    /// Bytes that stayed as they were.
    pub(super) fn keep(&mut self, bytes: &[u8], place: usize) {
        self.bytes.extend_from_slice(bytes);
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        self.places.extend((place..).take(bytes.len()));
    }

    pub(super) fn end(mut self, length: usize) -> Self {
        self.places.push(u32::try_from(length).unwrap_or(u32::MAX));
        self
    }

    /// Where a part of it came from.
    pub(super) fn span(&self, start: usize, end: usize) -> Option<(usize, usize)> {
        Some((*self.places.get(start)? as usize, *self.places.get(end)? as usize))
    }
}

/// The text made plain; `None` if it is plain. What is no text stays.
pub(super) fn of(text: &[u8]) -> Option<Rewritten> {
    if text.is_ascii() {
        return None;
    }
    let mut normal = Rewritten::with_capacity(text.len());
    let (mut changed, mut start) = (false, 0);
    for chunk in text.utf8_chunks() {
        for (place, char) in chunk.valid().char_indices() {
            if char.is_ascii() {
                normal.push(&[u8::try_from(char).unwrap_or_default()], start + place);
                continue;
            }
            let before = normal.bytes.len();
            plain(char, |byte| normal.push(byte, start + place));
            changed |= chunk.valid().as_bytes().get(place..place + char.len_utf8()) != normal.bytes.get(before..);
        }
        start += chunk.valid().len();
        normal.keep(chunk.invalid(), start);
        start += chunk.invalid().len();
    }
    changed.then(|| normal.end(text.len()))
}

fn plain(char: char, mut push: impl FnMut(&[u8])) {
    if is_unseen(char) {
        return;
    }
    // Tags (U+E0020 to U+E007E) are ASCII that no font shows.
    let shown = u32::from(char).checked_sub(0xe_0000).and_then(|tag| u8::try_from(tag).ok());
    if let Some(tag) = shown.filter(|tag| (0x20..0x7f).contains(tag)) {
        push(&[tag]);
        return;
    }
    for plain in std::iter::once(char).nfkc() {
        push(plain.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Soft hyphen, zero-width, bidirectional, fillers, selectors, and accents that stand on nothing.
fn is_unseen(char: char) -> bool {
    matches!(char,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0001}' | '\u{e007f}' | '\u{e0100}'..='\u{e01ef}')
}
