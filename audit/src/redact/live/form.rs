//! `Form`: a secret as it may be written without an encoding: in other cases, reversed, rotated, with its signs dropped.

use std::ops::Range;

use zeroize::Zeroizing;

use super::compact::{ALNUM, VISIBLE};
use super::normal;
use crate::redact::shape;

/// One way to write a secret, in lower case.
pub(super) struct Form {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// What of it is public, such as its issuer's prefix: a window needs enough beyond that.
    public: Vec<Range<usize>>,
    /// It is searched for in the text without blanks, not only in the text.
    pub(super) visible: bool,
}

/// The size of windows, in bytes: twelve, or half of the secret, but not under eight.
pub(super) const LONGEST: usize = 12;
pub(super) const GRAM: usize = 8;

/// Shorter secrets cannot be told from other text.
pub(super) const SHORTEST: usize = 4;

impl Form {
    fn new(bytes: Vec<u8>, public: Vec<Range<usize>>) -> Self {
        Self { bytes: Zeroizing::new(bytes), public, visible: false }
    }

    /// The size of its windows: all of it if it is shorter than any window should be.
    pub(super) fn window(&self) -> usize {
        match self.bytes.len() {
            short @ ..GRAM => short,
            long => (long / 2).clamp(GRAM, LONGEST),
        }
    }

    /// Where its windows are.
    pub(super) fn windows(&self) -> impl Iterator<Item = &[u8]> {
        let size = self.window();
        self.bytes.windows(size.max(1)).enumerate().filter_map(move |(start, window)| {
            let public: usize = self.public.iter().map(|public| overlap(public, &(start..start + size))).sum();
            (size >= SHORTEST && size - public >= size.min(GRAM)).then_some(window)
        })
    }

    fn reversed(&self) -> Self {
        let length = self.bytes.len();
        let public = self.public.iter().map(|public| length - public.end..length - public.start).collect();
        Self::new(self.bytes.iter().rev().copied().collect(), public)
    }

    fn rotated(&self) -> Self {
        Self::new(self.bytes.iter().map(|byte| rot13(*byte)).collect(), self.public.clone())
    }

    /// Without its signs; `None` if that leaves too little, or everything.
    fn without_signs(&self) -> Option<Self> {
        let compact = ALNUM.of(&self.bytes);
        let enough = compact.bytes.len() >= LONGEST.min(self.bytes.len() / 2).max(GRAM);
        (enough && compact.bytes.len() < self.bytes.len())
            .then(|| self.projected(&compact.bytes, |byte| byte.is_ascii_alphanumeric()))
    }

    /// Without blanks and quotes, for what is made of signs.
    fn without_blanks(&self) -> Self {
        let compact = VISIBLE.of(&self.bytes);
        Self { visible: true, ..self.projected(&compact.bytes, |byte| VISIBLE.of(&[byte]).bytes.len() == 1) }
    }

    fn projected(&self, bytes: &[u8], stays: impl Fn(u8) -> bool) -> Self {
        let before = |end: usize| self.bytes.iter().take(end).filter(|byte| stays(**byte)).count();
        let public = self.public.iter().map(|public| before(public.start)..before(public.end)).collect();
        Self::new(bytes.to_vec(), public)
    }
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> usize {
    a.end.min(b.end).saturating_sub(a.start.max(b.start))
}

/// Every form of a secret.
pub(super) fn of(value: &[u8]) -> Vec<Form> {
    // Line ends around a value come from files, and are no part of it.
    let value = value.trim_ascii();
    let mut plain = vec![Form::new(value.to_ascii_lowercase(), public(value))];
    if let Some(normal) = normal::of(value) {
        plain.push(Form::new(normal.bytes.to_ascii_lowercase(), Vec::new()));
    }
    if let Some(turned) = std::str::from_utf8(value).ok().filter(|text| !text.is_ascii()) {
        let turned: String = turned.chars().rev().collect();
        plain.push(Form::new(turned.into_bytes().to_ascii_lowercase(), Vec::new()));
    }
    let mut forms = Vec::new();
    for form in plain {
        let rotated = form.rotated();
        forms.extend([form.reversed(), rotated.reversed(), rotated, form]);
    }
    let spelled: Vec<Form> =
        forms.iter().map(|form| form.without_signs().unwrap_or_else(|| form.without_blanks())).collect();
    // What has letters and digits alone is its own projection.
    let needed = |form: &Form| form.bytes.iter().any(|byte| !byte.is_ascii_alphanumeric());
    let signs = forms.iter().any(needed);
    forms.extend(spelled.into_iter().filter(|_| signs));
    forms
}

pub(super) fn rot13(byte: u8) -> u8 {
    match byte {
        b'a'..=b'm' | b'A'..=b'M' => byte + 13,
        b'n'..=b'z' | b'N'..=b'Z' => byte - 13,
        _ => byte,
    }
}

/// What everybody knows of a secret: without this, the word `sk-ant-api03-` in a document would be a leak.
fn public(value: &[u8]) -> Vec<Range<usize>> {
    let mut public = Vec::new();
    let prefix = shape::public_prefix(value).max(header(value));
    if prefix > 0 {
        public.push(0..prefix);
    }
    let mut at = 0;
    for line in value.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b"-----") {
            public.push(at..at + line.len());
        }
        at += line.len();
    }
    // Of what would be public almost whole, nothing is.
    let known: usize = public.iter().map(Range::len).sum();
    if value.len().saturating_sub(known) < GRAM { Vec::new() } else { public }
}

/// A signed token's header names an algorithm and no secret.
fn header(value: &[u8]) -> usize {
    if value.starts_with(b"eyJ") { value.iter().position(|byte| *byte == b'.').unwrap_or(0) } else { 0 }
}
