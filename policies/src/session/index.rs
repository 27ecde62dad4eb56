//! `Index`: which fragments were seen, and in which result first; a ring of bounded size.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use super::SessionFacts;
use super::text::{self, Fragment};

/// Fragments a session remembers: about 3 MB when full, which takes some 300 KB of prose.
const FRAGMENTS: usize = 1 << 16;

/// Of these, the most that one result may take, so that one page cannot push out all that came before.
const PER_RESULT: usize = FRAGMENTS / 4;

/// Tool names a session remembers; later ones share the last place.
const TOOLS: usize = 1024;

/// Who brought a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// The number of the result; 0 is the agent itself.
    pub(super) result: u32,
    tool: u16,
    pub(super) untrusted: bool,
    pub(super) sensitive: bool,
}

/// A fragment that was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    pub(super) source: Source,
    /// It was a whole value there, not a part of one.
    pub(super) whole: bool,
    /// It stood there encoded.
    pub(super) decoded: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    seen: HashMap<u64, Hit>,
    order: VecDeque<u64>,
    tools: Vec<Arc<str>>,
    taken: usize,
    evicted: SessionFacts,
    foreign: bool,
}

impl Source {
    pub(super) fn own() -> Self {
        Self { result: 0, tool: 0, untrusted: false, sensitive: false }
    }

    fn is_own(self) -> bool {
        self.result == 0
    }
}

impl SessionFacts {
    pub(super) fn and(self, source: Source) -> Self {
        Self { untrusted: self.untrusted || source.untrusted, sensitive: self.sensitive || source.sensitive }
    }
}

impl Index {
    pub(super) fn source(&mut self, result: u32, tool: &Arc<str>, untrusted: bool, sensitive: bool) -> Source {
        let known = self.tools.iter().position(|name| name == tool);
        let place = known.unwrap_or_else(|| {
            if self.tools.len() < TOOLS {
                self.tools.push(Arc::clone(tool));
            }
            self.tools.len() - 1
        });
        Source { result, tool: u16::try_from(place).unwrap_or(u16::MAX), untrusted, sensitive }
    }

    pub(super) fn tool(&self, source: Source) -> Arc<str> {
        self.tools.get(usize::from(source.tool)).cloned().unwrap_or_else(|| "unknown".into())
    }

    /// Whether anything but the agent's own words is in it.
    pub(super) fn has_foreign(&self) -> bool {
        self.foreign
    }

    /// Takes in a text; false if this source brought more than one source may.
    pub(super) fn learn(&mut self, text: &str, source: Source, decoded: bool) -> bool {
        let mut complete = true;
        text::fragments(text, &mut |fragment| {
            complete &= self.remember(hash(fragment), Hit { source, whole: fragment.is_whole(), decoded });
        });
        complete
    }

    /// Closes a source: what was forgotten to make room for it.
    pub(super) fn end_of_source(&mut self) -> SessionFacts {
        self.taken = 0;
        std::mem::take(&mut self.evicted)
    }

    /// What was seen of others, not of the agent itself.
    pub(super) fn find(&self, fragment: Fragment<'_>) -> Option<Hit> {
        self.seen.get(&hash(fragment)).copied().filter(|hit| !hit.source.is_own())
    }

    fn remember(&mut self, key: u64, hit: Hit) -> bool {
        if self.seen.contains_key(&key) {
            return true;
        }
        if self.taken >= PER_RESULT {
            return false;
        }
        self.taken += 1;
        self.foreign |= !hit.source.is_own();
        if self.order.len() >= FRAGMENTS {
            let oldest = self.order.pop_front().and_then(|key| self.seen.remove(&key));
            self.evicted = oldest.map_or(self.evicted, |oldest| self.evicted.and(oldest.source));
        }
        self.seen.insert(key, hit);
        self.order.push_back(key);
        true
    }
}

/// `SipHash` with a fixed key: to pass one value for another takes a second preimage, 2^64 work. The map itself is keyed at
/// random, so chosen keys cannot make it slow.
fn hash(fragment: Fragment<'_>) -> u64 {
    let (kind, text) = fragment.parts();
    let mut hasher = DefaultHasher::new();
    hasher.write_u8(kind);
    hasher.write(text.as_bytes());
    hasher.finish()
}
