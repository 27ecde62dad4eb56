//! `Live`: the values that are lent or stored now, found exactly, in plain and in every encoding that can be undone.
//!
//! The redactor keeps no value, only keyed hashes of its windows. A text is read as it stands, then undone step by step
//! (`ladder`), and each step is searched the same way: an encoding needs no pattern of its own, and encodings of encodings
//! are found too.

mod apart;
mod compact;
mod compressed;
mod escape;
mod form;
mod index;
mod ladder;
mod lane;
mod list;
mod marks;
mod normal;
mod packed;
mod turned;
mod unseen;
mod work;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use ring::hmac;

use index::{Index, Stored};
use ladder::Ladder;
pub(super) use work::{OutOfWork, Work};

/// Where a text holds a live secret, in plain or encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Which secret: what its tag shows.
    pub(super) print: Print,
}

/// The keyed fingerprint of a secret.
pub(super) type Print = [u8; 2];

/// The live values.
pub(super) struct Live {
    known: RwLock<Known>,
    grace: Duration,
}

struct Known {
    index: Index,
    values: HashMap<u64, Kept>,
    next: u64,
}

/// One value: what the index holds of it, and since when nobody holds it.
struct Kept {
    stored: Stored,
    forgotten: Option<Instant>,
}

/// The proof that the redactor knows a value: while it lives, the value is replaced wherever it appears, and for the grace time
/// after.
///
/// It cannot be made but by [`Redactor::learn`](crate::Redactor::learn):
///
/// ```compile_fail
/// fn forge() -> audit::Learned {
///     audit::Learned { live: todo!(), number: 1 }
/// }
/// ```
#[must_use = "the value is forgotten when this is dropped"]
pub struct Learned {
    live: Arc<Live>,
    number: u64,
}

impl Drop for Learned {
    fn drop(&mut self) {
        self.live.forget(self.number);
    }
}

impl Live {
    pub(super) fn new(grace: Duration) -> Arc<Self> {
        let known = Known { index: Index::new(), values: HashMap::new(), next: 0 };
        Arc::new(Self { known: RwLock::new(known), grace })
    }

    pub(super) fn learn(self: &Arc<Self>, value: &[u8], fingerprints: &hmac::Key) -> Learned {
        let print = print(fingerprints, value);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.purge(self.grace);
        let number = known.next;
        known.next += 1;
        let stored = known.index.add(&form::of(value), print);
        known.values.insert(number, Kept { stored, forgotten: None });
        Learned { live: Arc::clone(self), number }
    }

    fn forget(&self, number: u64) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = known.values.get_mut(&number) {
            kept.forgotten = Some(Instant::now());
        }
        known.purge(self.grace);
    }

    /// Whether nothing is live: then there is nothing to look for.
    pub(super) fn is_empty(&self) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).values.is_empty()
    }

    /// Every live secret in the text, in order, none overlapping another.
    pub(super) fn find(&self, text: &[u8], work: &mut Work) -> Result<Vec<Hit>, OutOfWork> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.values.is_empty() {
            return Ok(Vec::new());
        }
        Ladder::new(&known.index, work).find(text)
    }
}

impl Known {
    /// Forgets what nobody has held for the grace time.
    fn purge(&mut self, grace: Duration) {
        let index = &mut self.index;
        self.values.retain(|_, kept| {
            let over = kept.forgotten.is_some_and(|at| at.elapsed() >= grace);
            if over {
                index.remove(&kept.stored);
            }
            !over
        });
        let values = &self.values;
        index.tidy(|| values.values().map(|kept| &kept.stored));
    }
}

pub(super) fn print(fingerprints: &hmac::Key, value: &[u8]) -> Print {
    let whole = hmac::sign(fingerprints, value);
    whole.as_ref().first_chunk().copied().unwrap_or_default()
}

/// Hits in order, those that touch made one.
fn merge(mut hits: Vec<Hit>) -> Vec<Hit> {
    hits.sort_unstable_by_key(|hit| (hit.start, std::cmp::Reverse(hit.end)));
    let mut merged: Vec<Hit> = Vec::with_capacity(hits.len());
    for hit in hits {
        match merged.last_mut() {
            Some(last) if hit.start < last.end => last.end = last.end.max(hit.end),
            Some(_) | None => merged.push(hit),
        }
    }
    merged
}

#[cfg(test)]
mod tests;
