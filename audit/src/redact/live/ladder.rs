//! `Ladder`: undoes encodings step by step, and searches after each step.
//!
//! ```text
//! text ─┬─ as it stands · without signs · look-alikes made plain
//!       ├─ escapes undone ────────────► text
//!       ├─ base64, base32, hex ───────► text      each of these is one of three steps
//!       ├─ lists of numbers ──────────► text
//!       ├─ gzip, zlib ────────────────► text
//!       └─ put together, turned back ─► text
//! ```
//!
//! What is found in what was decoded is replaced where its outermost encoding stands.

use super::compact::{self, ALNUM, Charset, ENCODED, VISIBLE};
use super::index::Index;
use super::normal::Rewritten;
use super::work::{OutOfWork, Work};
use super::{Hit, apart, compressed, escape, lane, list, marks, merge, normal, packed, turned, unseen};

/// How many encodings deep a secret is found: three, and one to write what they are in, such as a list in JSON.
const DEPTH: u8 = 4;

/// One search.
pub(super) struct Ladder<'s> {
    index: &'s Index,
    work: &'s mut Work,
}

impl<'s> Ladder<'s> {
    pub(super) fn new(index: &'s Index, work: &'s mut Work) -> Self {
        Self { index, work }
    }

    /// Every live secret in the text, in order.
    pub(super) fn find(mut self, text: &[u8]) -> Result<Vec<Hit>, OutOfWork> {
        Ok(merge(self.search(text, DEPTH, true)?))
    }

    /// `outermost`: the text is what was sent, perhaps with its escapes undone, and not what was decoded from it, whose ends are
    /// chance.
    fn search(&mut self, text: &[u8], depth: u8, outermost: bool) -> Result<Vec<Hit>, OutOfWork> {
        let mut hits = Vec::new();
        if text.len() < self.index.smallest() {
            return Ok(hits);
        }
        self.work.spend(text.len())?;
        self.index.scan(&text.to_ascii_lowercase(), &mut hits);
        self.joined(text, &ALNUM, &mut hits);
        if self.index.has_visible() {
            self.joined(text, &VISIBLE, &mut hits);
        }
        if let Some(normal) = normal::of(text) {
            self.rewritten(&normal, depth, outermost, &mut hits)?;
        }
        let Some(deeper) = depth.checked_sub(1) else { return Ok(hits) };
        self.encoded(text, deeper, outermost, &mut hits)?;
        self.listed(text, deeper, &mut hits)?;
        for undone in [escape::undone(text), escape::unquoted(text)].into_iter().flatten() {
            self.rewritten(&undone, deeper, outermost, &mut hits)?;
        }
        self.binary(text, deeper, outermost, &mut hits)?;
        self.turned(text, deeper, outermost, &mut hits)?;
        Ok(hits)
    }

    /// What is found once what separates characters is gone.
    fn joined(&mut self, text: &[u8], charset: &Charset, hits: &mut Vec<Hit>) {
        let joined = charset.of(text);
        // Else it was searched already.
        if joined.bytes.len() == text.len() {
            return;
        }
        let mut found = Vec::new();
        self.index.scan(&joined.bytes, &mut found);
        hits.extend(found.into_iter().filter_map(|hit| {
            let (start, end) = joined.span(hit.start, hit.end)?;
            Some(Hit { start, end, ..hit })
        }));
    }

    fn rewritten(
        &mut self,
        text: &Rewritten,
        depth: u8,
        outermost: bool,
        hits: &mut Vec<Hit>,
    ) -> Result<(), OutOfWork> {
        let found = self.search(&text.bytes, depth, outermost)?;
        hits.extend(found.into_iter().filter_map(|hit| {
            let (start, end) = text.span(hit.start, hit.end)?;
            Some(Hit { start, end, ..hit })
        }));
        Ok(())
    }

    fn encoded(&mut self, text: &[u8], depth: u8, outermost: bool, hits: &mut Vec<Hit>) -> Result<(), OutOfWork> {
        let compact = ENCODED.of(text);
        let place = |span: (usize, usize), hit: Hit| {
            if outermost { outer(text, span, hit) } else { Hit { start: span.0, end: span.1, ..hit } }
        };
        let least = self.index.smallest();
        let texts = lane::stretches(&compact.bytes, least, self.index.has_high()).into_iter();
        let texts = texts.map(|stretch| (stretch, stretch.decode(&compact.bytes)));
        let texts = texts.filter(|(_, bytes)| may_hold(bytes, least));
        let marks = marks::all(&compact.bytes);
        for (stretch, bytes) in texts.chain(unseen::all(&compact.bytes, &marks, self.work)?) {
            for hit in self.search(&bytes, depth, false)? {
                let (start, end) = stretch.span(hit.start, hit.end);
                hits.extend(compact.span(start, end).map(|span| place(span, hit)));
            }
        }
        for packed in packed::all(&compact.bytes, &marks, self.work)? {
            if let Some(hit) = self.search(&packed.inflated.bytes, depth.saturating_sub(1), false)?.first() {
                hits.extend(compact.span(packed.start, packed.end).map(|span| place(span, *hit)));
            }
        }
        Ok(())
    }

    fn listed(&mut self, text: &[u8], depth: u8, hits: &mut Vec<Hit>) -> Result<(), OutOfWork> {
        let least = self.index.smallest();
        for list in list::all(text, least) {
            if !may_hold(&list.bytes, least) {
                continue;
            }
            for hit in self.search(&list.bytes, depth, false)? {
                let span = list.span(hit.start, hit.end);
                hits.extend(span.map(|(start, end)| Hit { start, end, ..hit }));
            }
        }
        Ok(())
    }

    /// What is no text: compressed, or UTF-16.
    fn binary(&mut self, text: &[u8], depth: u8, outermost: bool, hits: &mut Vec<Hit>) -> Result<(), OutOfWork> {
        for inflated in compressed::all(text, self.work)? {
            if let Some(hit) = self.search(&inflated.bytes, depth, false)?.first() {
                hits.push(Hit { start: inflated.start, end: inflated.end, ..*hit });
            }
        }
        for read in [narrowed(text), latin(text)].into_iter().flatten() {
            self.rewritten(&read, depth, outermost, hits)?;
        }
        Ok(())
    }

    /// What was spread, written from behind, or rotated, after it was encoded.
    fn turned(&mut self, text: &[u8], depth: u8, outermost: bool, hits: &mut Vec<Hit>) -> Result<(), OutOfWork> {
        let least = self.index.smallest();
        for read in [apart::joined(text, least), apart::concatenated(text), turned::rotated(text)].into_iter().flatten()
        {
            self.rewritten(&read, depth, outermost, hits)?;
        }
        for part in turned::reversed(text) {
            let reversed: Vec<u8> = text.get(part.clone()).unwrap_or_default().iter().rev().copied().collect();
            let found = self.search(&reversed, depth, outermost)?;
            let turned = |at: usize| part.end.saturating_sub(at);
            hits.extend(found.into_iter().map(|hit| Hit { start: turned(hit.end), end: turned(hit.start), ..hit }));
        }
        Ok(())
    }
}

/// Whether enough of the bytes can be text, one after the other, and enough of them are seen: most of what stays in a lane by
/// chance has neither.
fn may_hold(bytes: &[u8], least: usize) -> bool {
    let text = |byte: &u8| !byte.is_ascii_control() || matches!(byte, 0 | b'\t' | b'\n' | b'\r' | 0x1b);
    bytes
        .split(|byte| !text(byte))
        .any(|run| run.len() >= least && run.iter().filter(|byte| **byte > b' ').take(least / 2).count() >= least / 2)
}

/// The whole run that an encoded secret is part of.
fn outer(text: &[u8], (start, end): (usize, usize), hit: Hit) -> Hit {
    let part = |byte: &&u8| compact::is_encoded(**byte) || **byte == b'=';
    let before = text.get(..start).unwrap_or_default().iter().rev().take_while(part).count();
    let after = text.get(end..).unwrap_or_default().iter().take_while(part).count();
    Hit { start: start - before, end: end + after, ..hit }
}

/// UTF-16 and UTF-32 of ASCII, in either order, without its zeros; `None` if there are few.
fn narrowed(text: &[u8]) -> Option<Rewritten> {
    const FEW: usize = 4;
    if memchr::memchr_iter(0, text).take(FEW).count() < FEW {
        return None;
    }
    let mut narrow = Rewritten::with_capacity(text.len());
    for (place, byte) in text.iter().enumerate().filter(|(_, byte)| **byte != 0) {
        narrow.push(&[*byte], place);
    }
    Some(narrow.end(text.len()))
}

/// Bytes that a program made text of by calling each a character, from where something compressed begins.
fn latin(text: &[u8]) -> Option<Rewritten> {
    const BEGINNINGS: [&str; 5] = ["\u{1f}\u{8b}\u{8}", "x\u{9c}", "x\u{da}", "x\u{1}", "x^"];
    if text.is_ascii() {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    let start = BEGINNINGS.iter().filter_map(|beginning| text.find(beginning)).min()?;
    let mut latin = Rewritten::with_capacity(text.len());
    for (place, char) in text.get(start..)?.char_indices() {
        match u8::try_from(u32::from(char)) {
            Ok(byte) => latin.push(&[byte], start + place),
            Err(_) => break,
        }
    }
    let end = latin.places.last().map_or(start, |place| *place as usize + 1);
    Some(latin.end((end..=text.len()).find(|end| text.is_char_boundary(*end))?))
}
