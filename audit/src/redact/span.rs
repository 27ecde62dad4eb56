//! `Span`: where in a text something must be replaced.

use super::{assign, shape};

/// A part of a text that looks like a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: &'static str,
    /// Found by its own form, not by the name it is given.
    pub(super) certain: bool,
}

/// Every part of the text that looks like a credential, in order, none overlapping another.
pub(super) fn find(text: &str) -> Vec<Span> {
    let mut found = Vec::new();
    // No anchor matches less than three bytes.
    if text.len() < 3 {
        return found;
    }
    shape::each_anchor(text.as_bytes(), |at, anchor| match anchor {
        shape::Anchor::Shape(shape) => found.extend(shape::at(shape, text, at)),
        shape::Anchor::Name => found.extend(assign::at(text, at)),
    });
    merge(found)
}

/// Where two overlap, all of both is replaced, once, under the name that says more.
fn merge(mut found: Vec<Span>) -> Vec<Span> {
    found.sort_by_key(|span| (span.start, !span.certain, std::cmp::Reverse(span.end)));
    let mut merged: Vec<Span> = Vec::with_capacity(found.len());
    for span in found {
        match merged.last_mut() {
            Some(last) if span.start < last.end => {
                last.end = last.end.max(span.end);
                if span.certain && !last.certain {
                    (last.kind, last.certain) = (span.kind, true);
                }
            }
            Some(_) | None => merged.push(span),
        }
    }
    merged
}
