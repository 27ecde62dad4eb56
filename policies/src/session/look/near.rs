//! Values that were taken apart or put together: over neighbouring arguments, or out of several results.

use super::{How, Index, Leaf, Match, better};
use crate::session::text::{Fragment, normalise};
use crate::session::trivial::is_trivial;

/// What stands between the parts of an address, a path or a name.
const JOINTS: [&str; 8] = ["", "@", ".", "/", "-", " ", ":", "_"];

/// Joints of three parts: `user`, `domain`, `tld`, and three pieces of one text.
const TRIPLES: [(&str, &str); 4] = [("", ""), ("@", "."), ("/", "/"), (" ", " ")];

/// Neighbours tried in one call, and the longest value that is joined.
const NEIGHBOURS: usize = 64;
const LONGEST: usize = 128;

/// Marks neighbouring values that together are one that was seen.
pub(super) fn mark(index: &Index, leaves: &mut [Leaf]) {
    for at in 0..leaves.len().saturating_sub(1).min(NEIGHBOURS) {
        let Some([first, second, more @ ..]) = leaves.get_mut(at..) else { return };
        if !joinable(first, second) {
            continue;
        }
        let pair = joined_pair(index, &first.text, &second.text);
        take(first, pair);
        take(second, pair);
        if let Some(third) = more.first_mut().filter(|third| joinable(second, third)) {
            let triple = joined_triple(index, [&first.text, &second.text, &third.text]);
            for leaf in [first, second, third] {
                take(leaf, triple);
            }
        }
    }
}

fn joinable(one: &Leaf, other: &Leaf) -> bool {
    let parent = |leaf: &Leaf| leaf.pointer.rsplit_once('/').map(|(parent, _)| parent.to_owned());
    let short = |leaf: &Leaf| !leaf.text.is_empty() && leaf.text.len() <= LONGEST;
    short(one) && short(other) && parent(one) == parent(other)
}

fn take(leaf: &mut Leaf, found: Option<Match>) {
    leaf.best = better(leaf.best, found);
}

fn joined_pair(index: &Index, one: &str, other: &str) -> Option<Match> {
    let found = JOINTS.iter().flat_map(|joint| [format!("{one}{joint}{other}"), format!("{other}{joint}{one}")]);
    found.map(|text| split(index, &text)).fold(None, better)
}

fn joined_triple(index: &Index, [one, two, three]: [&str; 3]) -> Option<Match> {
    let found = TRIPLES.iter().map(|(first, second)| format!("{one}{first}{two}{second}{three}"));
    found.map(|text| split(index, &text)).fold(None, better)
}

fn split(index: &Index, text: &str) -> Option<Match> {
    let normal = normalise(text);
    if is_trivial(&normal) {
        return None;
    }
    index.find(Fragment::Whole(&normal)).map(|hit| Match { hit, how: How::Split })
}

/// A value whose two halves were both seen, each meaning something by itself.
pub(super) fn assembled(index: &Index, normal: &str) -> Option<Match> {
    if normal.len() > LONGEST || is_trivial(normal) {
        return None;
    }
    normal.char_indices().map(|(at, _)| at).filter(|at| (4..normal.len().saturating_sub(3)).contains(at)).find_map(
        |at| {
            let (head, tail) = normal.split_at(at);
            let (one, other) = (half(index, head)?, half(index, tail)?);
            better(Some(one), Some(other))
        },
    )
}

fn half(index: &Index, text: &str) -> Option<Match> {
    let text = text.trim_matches(|c: char| matches!(c, '@' | '.' | '/' | '-' | ' ' | ':' | '_' | '?' | '=' | '&'));
    if is_trivial(text) {
        return None;
    }
    index.find(Fragment::Part(text)).map(|hit| Match { hit, how: How::Assembled })
}
