//! Looking an argument up: exact, normalised, as a part, decoded, joined with its neighbours, and cut in two.

mod near;

use super::index::{Hit, Index};
use super::provenance::{How, Origin, Provenance, Seen};
use super::text::{self, Fragment, normalise};
use super::trivial::is_trivial;
use super::{ARGUMENT_BYTES, Session, decode};
use crate::canon::Value;

/// Values of one call that are looked up one by one; the rest share an entry.
const VALUES: usize = 1024;

/// The entry of the values beyond [`VALUES`].
const REST: &str = "/*";

/// A value with its text and what was found.
struct Leaf {
    pointer: String,
    text: String,
    best: Option<Match>,
    /// It was longer than what is looked at.
    cut: bool,
}

#[derive(Clone, Copy)]
struct Match {
    hit: Hit,
    how: How,
}

pub(super) fn provenance(session: &Session, arguments: &Value) -> Provenance {
    let mut leaves = leaves(arguments);
    let blank = !session.index.has_foreign() && !session.forgotten.untrusted && !session.forgotten.sensitive;
    if !blank {
        let mut left = ARGUMENT_BYTES;
        for leaf in &mut leaves {
            let (text, cut) = text::prefix(&leaf.text, left);
            left -= text.len();
            let (best, complete) = look(&session.index, text);
            leaf.best = best;
            leaf.cut |= cut || !complete;
        }
        near::mark(&session.index, &mut leaves);
    }
    leaves
        .into_iter()
        .map(|leaf| {
            let origin = session.origin(&leaf);
            (leaf.pointer, origin)
        })
        .collect()
}

/// The values of the arguments; booleans and nulls come from nowhere.
fn leaves(arguments: &Value) -> Vec<Leaf> {
    let mut leaves: Vec<Leaf> = Vec::new();
    let mut add = |pointer: &str, text: &str| match leaves.len() {
        VALUES => leaves.push(Leaf { pointer: REST.to_owned(), text: text.to_owned(), best: None, cut: true }),
        beyond if beyond > VALUES => {
            if let Some(rest) = leaves.last_mut() {
                rest.text.push('\n');
                rest.text.push_str(text);
            }
        }
        _ => leaves.push(Leaf { pointer: pointer.to_owned(), text: text.to_owned(), best: None, cut: false }),
    };
    arguments.walk(&mut |pointer, value| match value {
        Value::String(text) => add(pointer, text),
        Value::Number(number) => add(pointer, number.as_str()),
        Value::Bool(_) | Value::Null => add(pointer, ""),
        Value::Array(_) | Value::Object(_) => {}
    });
    leaves
}

/// The best occurrence of a text or of anything in it, and whether all of it was looked at.
fn look(index: &Index, text: &str) -> (Option<Match>, bool) {
    let mut best = plain(index, text);
    let mut complete = true;
    if !best.is_some_and(|found| found.hit.source.untrusted) {
        complete = decode::each(text, &mut |decoded| {
            let found = plain(index, decoded).map(|found| Match { how: How::Encoded, ..found });
            best = better(best, found);
        });
    }
    (best.or_else(|| near::assembled(index, &normalise(text))), complete)
}

fn plain(index: &Index, text: &str) -> Option<Match> {
    let normal = normalise(text);
    let mut search = Search { index, best: None };
    search.find(Fragment::Exact(text), How::Exact);
    search.find(Fragment::Whole(&normal), How::Normalised);
    let digits = text::squashed(&normal);
    if digits.len() != normal.len() && digits.len() <= 64 && digits.bytes().any(|byte| byte.is_ascii_digit()) {
        search.part(&digits);
    }
    text::strong(&normal, &mut |piece| search.part(piece));
    text::above(&normal, &mut |piece| search.part(piece));
    text::shingles(&normal, &mut |words| search.find(Fragment::Words(words), How::Part));
    search.phrase(&text::short(&normal));
    search.best
}

/// The best of everything that was found.
struct Search<'a> {
    index: &'a Index,
    best: Option<Match>,
}

impl Search<'_> {
    fn find(&mut self, fragment: Fragment<'_>, how: How) {
        let found = self.index.find(fragment).map(|hit| Match { hit, how: recognised(hit, how) });
        self.best = better(self.best, found);
    }

    /// A short value counts only if all of it was seen.
    fn phrase(&mut self, phrases: &[String]) {
        if phrases.iter().all(|phrase| self.index.find(Fragment::Phrase(phrase)).is_some()) {
            for phrase in phrases {
                self.find(Fragment::Phrase(phrase), How::Part);
            }
        }
    }

    fn part(&mut self, piece: &str) {
        if !is_trivial(piece) {
            self.find(Fragment::Part(piece), How::Part);
        }
    }
}

/// A whole value that was only a part of the result is a part, however well it matches.
fn recognised(hit: Hit, how: How) -> How {
    match how {
        How::Exact | How::Normalised | How::Part if hit.decoded => How::Decoded,
        How::Exact | How::Normalised if !hit.whole => How::Part,
        How::Exact | How::Normalised | How::Part | How::Decoded | How::Encoded | How::Split | How::Assembled => how,
    }
}

/// Untrusted before trusted, then the surer one, then the earlier result.
fn better(one: Option<Match>, other: Option<Match>) -> Option<Match> {
    let key =
        |found: &Match| (!found.hit.source.untrusted, !found.hit.source.sensitive, found.how, found.hit.source.result);
    one.into_iter().chain(other).min_by_key(key)
}

impl Session {
    fn origin(&self, leaf: &Leaf) -> Origin {
        if let Some(Match { hit, how }) = leaf.best {
            let tool = self.index.tool(hit.source);
            let (untrusted, sensitive) = (hit.source.untrusted, hit.source.sensitive);
            return Origin::Seen(Seen { result: hit.source.result, tool, untrusted, sensitive, how });
        }
        let lost = if leaf.cut { self.facts } else { self.forgotten };
        if (lost.untrusted || lost.sensitive) && (leaf.cut || points_somewhere(&leaf.text)) {
            return Origin::Forgotten { untrusted: lost.untrusted, sensitive: lost.sensitive };
        }
        Origin::Unseen
    }
}

/// Whether a text holds an address, a path, an id or a number that the agent could have been given.
fn points_somewhere(text: &str) -> bool {
    let mut points = false;
    text::strong(&normalise(text), &mut |piece| points |= !is_trivial(piece));
    points
}
