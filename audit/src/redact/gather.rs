//! `Gathered`: the strings of a value laid end to end, so that a secret that is split over them is whole again.
//!
//! Strings of members of one name stand together: the `text` of an answer's blocks is one text, whatever stands between
//! them. First whole, with a separator, so that no string hides what is in another. Then their ends once more without one, for
//! encodings that are split within a character; and the ends of all strings in the order of the document, for secrets that are
//! split over members of other names.

use std::collections::HashMap;

use policies::{Object, Value};

use super::live::Hit;

/// Between two strings. It is no part of any encoding, and is dropped where what separates is dropped.
const BETWEEN: u8 = 0x1f;

/// Of a long string, so much of each end is laid beside its neighbours: the longest secret that is split is twice that.
const END: usize = 1 << 10;

/// Strings laid end to end, and which they were.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) text: Vec<u8>,
    parts: Vec<Part>,
}

/// A part of a leaf, and where it stands.
struct Part {
    at: usize,
    length: usize,
    leaf: usize,
    offset: usize,
}

/// Hits of each leaf. Leaves are strings, numbers and keys, counted in the order in which they are redacted.
pub(super) type Leaves = HashMap<usize, Vec<Hit>>;

/// The texts of a value.
pub(super) fn gather(value: &Value) -> [Gathered; 3] {
    let mut gathering = Gathering::default();
    gathering.value(value, "");
    gathering.end()
}

impl Gathered {
    fn push(&mut self, leaf: usize, offset: usize, text: &str) {
        self.parts.push(Part { at: self.text.len(), length: text.len(), leaf, offset });
        self.text.extend_from_slice(text.as_bytes());
    }

    fn separate(&mut self) {
        self.text.push(BETWEEN);
    }

    /// Both ends of a string, apart from each other if it is long.
    fn push_ends(&mut self, leaf: usize, text: &str) {
        let head = floor(text, END);
        let tail = floor(text, text.len().saturating_sub(END)).max(head);
        self.push(leaf, 0, text.get(..head).unwrap_or_default());
        if tail > head {
            self.separate();
        }
        self.push(leaf, tail, text.get(tail..).unwrap_or_default());
    }

    /// Gives each leaf its share of the hits.
    pub(super) fn share(&self, hits: &[Hit], leaves: &mut Leaves) {
        for hit in hits {
            let first = self.parts.partition_point(|part| part.at + part.length <= hit.start);
            for part in self.parts.iter().skip(first).take_while(|part| part.at < hit.end) {
                let start = hit.start.saturating_sub(part.at);
                let end = (hit.end - part.at).min(part.length);
                if start < end {
                    let hit = Hit { start: part.offset + start, end: part.offset + end, ..*hit };
                    leaves.entry(part.leaf).or_default().push(hit);
                }
            }
        }
    }
}

#[derive(Default)]
struct Gathering<'v> {
    names: HashMap<&'v str, usize>,
    groups: Vec<Vec<(usize, &'v str)>>,
    ends: Gathered,
    strings: usize,
    next: usize,
}

impl<'v> Gathering<'v> {
    fn leaf(&mut self, name: &'v str, text: &'v str) -> usize {
        let (leaf, fresh) = (self.next, self.groups.len());
        self.next += 1;
        let group = *self.names.entry(name).or_insert(fresh);
        if group == fresh {
            self.groups.push(Vec::new());
        }
        self.groups.get_mut(group).into_iter().for_each(|group| group.push((leaf, text)));
        leaf
    }

    fn value(&mut self, value: &'v Value, name: &'v str) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => {
                self.leaf(name, number.as_str());
            }
            Value::String(text) => {
                let leaf = self.leaf(name, text);
                self.strings += 1;
                // The words of the protocol between two texts are no part of either.
                if !matches!(name, "type" | "mimeType") {
                    self.ends.push_ends(leaf, text);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.value(item, name)),
            Value::Object(object) => self.object(object),
        }
    }

    fn object(&mut self, object: &'v Object) {
        for (key, member) in object.iter() {
            self.value(member, key);
        }
        for key in object.keys() {
            self.leaf(KEYS, key);
        }
    }

    fn end(self) -> [Gathered; 3] {
        let (mut whole, mut ends) = (Gathered::default(), Gathered::default());
        for group in &self.groups {
            for (leaf, text) in group {
                whole.push(*leaf, 0, text);
                whole.separate();
            }
            if group.len() > 1 {
                for (leaf, text) in group {
                    ends.push_ends(*leaf, text);
                }
                ends.separate();
            }
        }
        // What stands alone is split over nothing.
        [whole, ends, if self.strings > 1 { self.ends } else { Gathered::default() }]
    }
}

/// The group of all keys.
const KEYS: &str = "\0keys";

fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
