//! `Span`: where in a text something must be replaced.

use super::live::{Hit, Print};
use super::{LIVE, assign, name, personal, shape};

/// A part of a text that looks like a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: &'static str,
    /// Found by its own form, not by the name it is given.
    pub(super) certain: bool,
    /// The fingerprint, where it is not of the text: of a live secret, whatever it is written as.
    pub(super) print: Option<Print>,
}

impl Span {
    /// Where a live secret was found, widened to whole characters.
    pub(super) fn live(text: &str, hit: &Hit) -> Self {
        let start = (0..=hit.start).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let end = (hit.end..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        Self { start, end, kind: LIVE, certain: true, print: Some(hit.print) }
    }
}

/// Every part of the text that looks like a credential, in order, none overlapping another.
pub(super) fn find(text: &str) -> Vec<Span> {
    let mut found = Vec::new();
    // The shortest anchor has two bytes, and no credential is shorter than four.
    if text.len() < 4 {
        return found;
    }
    // Where each row's last credential ends: without it, text made of one anchor over and over costs its square.
    let mut last_value = assign::Last::default();
    let mut passed: Vec<(shape::Anchor, usize)> = Vec::new();
    shape::each_anchor(text.as_bytes(), |at, anchor| {
        let last = passed.iter().position(|(of, _)| *of == anchor);
        if last.and_then(|last| passed.get(last)).is_some_and(|(_, end)| at < *end) || in_tag(text, at) {
            return;
        }
        let span = match anchor {
            shape::Anchor::Shape(row) => shape::at(row, text, at),
            shape::Anchor::Name => assign::at(text, at, &mut last_value),
        };
        let Some(span) = span.filter(|span| !in_tag(text, span.start)) else { return };
        found.push(span);
        match last.and_then(|last| passed.get_mut(last)) {
            Some((_, end)) => *end = span.end,
            None => passed.push((anchor, span.end)),
        }
    });
    merge(found)
}

/// Where two overlap, all of both is replaced, once, under the name that says more.
pub(super) fn merge(mut found: Vec<Span>) -> Vec<Span> {
    found.sort_by_key(|span| (span.start, span.print.is_none(), !span.certain, std::cmp::Reverse(span.end)));
    let mut merged: Vec<Span> = Vec::with_capacity(found.len());
    for span in found {
        match merged.last_mut() {
            Some(last) if span.start < last.end => {
                last.end = last.end.max(span.end);
                let more = (span.print.is_some(), span.certain) > (last.print.is_some(), last.certain);
                if more {
                    *last = Span { start: last.start, end: last.end, ..span };
                }
            }
            Some(_) | None => merged.push(span),
        }
    }
    merged
}

/// How every replacement begins.
pub(super) const TAG: &str = "[secret:";

/// The longest kind.
const KIND: usize = 32;

/// Whether this is one of our replacements, whole, and nothing else. Only known kinds count: in free text between the
/// brackets a credential could hide.
pub(super) fn is_tag(text: &str) -> bool {
    let inner = text.strip_prefix(TAG).and_then(|rest| rest.strip_suffix(']'));
    let Some((kind, digits)) = inner.and_then(|inner| inner.rsplit_once(':')) else { return false };
    digits.len() == 4
        && digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
        && (kind == LIVE
            || personal::is_kind(kind)
            || shape::shapes().any(|shape| shape.kind == kind)
            || name::NAMES.iter().any(|(_, named, _)| *named == kind))
}

/// Whether `at` is inside one of our replacements, which are made of words that are anchors.
fn in_tag(text: &str, at: usize) -> bool {
    let Some(before) = text.as_bytes().get(at.saturating_sub(TAG.len() + KIND + ":7f3a".len())..at) else {
        return false;
    };
    // `secret` itself is an anchor, one byte into the tag.
    let Some(open) = before.iter().rposition(|byte| *byte == b'[') else { return false };
    let start = at - (before.len() - open);
    let Some(rest) = text.get(start..) else { return false };
    rest.starts_with(TAG) && rest.find(']').is_some_and(|close| rest.get(..=close).is_some_and(is_tag))
}
