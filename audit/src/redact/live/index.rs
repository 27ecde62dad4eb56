//! `Index`: the windows of live secrets, as keyed hashes behind a small filter.
//!
//! A text is looked at every few bytes only: a window of twelve holds five runs of eight, so one in five of the text's runs
//! must be among those. What passes the filter is compared by a keyed 64-bit hash of the whole window: whoever writes the
//! text does not know the key, so neither chance nor malice makes two differ and match.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use zeroize::Zeroizing;

use super::form::{Form, GRAM, LONGEST, SHORTEST};
use super::{Hit, Print};

/// The windows of all live secrets.
pub(super) struct Index {
    keys: RandomState,
    seed: u64,
    filter: Vec<u64>,
    /// Runs in the filter, those of removed secrets too.
    filled: usize,
    /// Of these, runs of removed secrets.
    stale: usize,
    windows: HashMap<u64, Window>,
    /// How many secrets have windows of each size.
    sizes: [usize; LONGEST + 1],
    visible: usize,
    high: usize,
}

struct Window {
    print: Print,
    uses: u32,
}

/// What the index holds of one secret.
pub(super) struct Stored {
    windows: Vec<u64>,
    grams: Zeroizing<Vec<u64>>,
    sizes: Vec<usize>,
    visible: bool,
    high: bool,
}

/// Bits of the filter for each run: one in a hundred of other runs passes.
const BITS: usize = 20;

impl Index {
    pub(super) fn new() -> Self {
        let keys = RandomState::new();
        let seed = keys.hash_one("filter");
        Self {
            keys,
            seed,
            filter: vec![0; 64],
            filled: 0,
            stale: 0,
            windows: HashMap::new(),
            sizes: [0; LONGEST + 1],
            visible: 0,
            high: 0,
        }
    }

    pub(super) fn add(&mut self, forms: &[Form], print: Print) -> Stored {
        let (mut windows, mut grams, mut sizes) = (Vec::new(), Zeroizing::new(Vec::new()), Vec::new());
        for form in forms {
            let size = form.window();
            let before = windows.len();
            for window in form.windows() {
                windows.push(self.hash(window));
                grams.extend(window.windows(GRAM.min(size)).map(gram));
            }
            if windows.len() > before {
                sizes.push(size);
            }
        }
        windows.sort_unstable();
        windows.dedup();
        grams.sort_unstable();
        grams.dedup();
        sizes.sort_unstable();
        sizes.dedup();
        for window in &windows {
            self.windows.entry(*window).or_insert(Window { print, uses: 0 }).uses += 1;
        }
        let visible = forms.iter().any(|form| form.visible);
        let high = forms.iter().any(|form| !form.bytes.is_ascii());
        let stored = Stored { windows, grams, sizes, visible, high };
        self.count(&stored, |count| *count += 1);
        self.fill(&stored.grams);
        stored
    }

    pub(super) fn remove(&mut self, stored: &Stored) {
        for window in &stored.windows {
            if let Some(held) = self.windows.get_mut(window) {
                held.uses -= 1;
                if held.uses == 0 {
                    self.windows.remove(window);
                }
            }
        }
        self.count(stored, |count| *count = count.saturating_sub(1));
        self.stale += stored.grams.len();
    }

    fn count(&mut self, stored: &Stored, change: impl Fn(&mut usize)) {
        for size in &stored.sizes {
            self.sizes.get_mut(*size).into_iter().for_each(&change);
        }
        if stored.visible {
            change(&mut self.visible);
        }
        if stored.high {
            change(&mut self.high);
        }
    }

    /// Makes the filter anew where it is too full, or full of what is gone.
    pub(super) fn tidy<'s, I: Iterator<Item = &'s Stored>>(&mut self, stored: impl Fn() -> I) {
        let live: usize = stored().map(|stored| stored.grams.len()).sum();
        let wanted = (live * BITS * 2 / 64).next_power_of_two().max(64);
        let full = self.filled * BITS > self.filter.len() * 64;
        if !(full && wanted > self.filter.len()) && self.stale <= live.max(4_096) {
            return;
        }
        self.filter = vec![0; wanted];
        (self.filled, self.stale) = (0, 0);
        for stored in stored() {
            self.fill(&stored.grams);
        }
    }

    fn fill(&mut self, grams: &[u64]) {
        for gram in grams {
            let (word, bits) = self.spot(*gram);
            if let Some(slot) = self.filter.get_mut(word) {
                *slot |= bits;
            }
        }
        self.filled += grams.len();
    }

    /// The filter's word for a run, and its two bits.
    #[inline]
    fn spot(&self, gram: u64) -> (usize, u64) {
        let mixed = (gram ^ self.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = usize::try_from(mixed >> 32).unwrap_or_default() & (self.filter.len() - 1);
        (word, 1 << (mixed & 63) | 1 << ((mixed >> 6) & 63))
    }

    #[inline]
    fn may(&self, gram: u64) -> bool {
        let (word, bits) = self.spot(gram);
        self.filter.get(word).is_none_or(|slot| slot & bits == bits)
    }

    fn hash(&self, window: &[u8]) -> u64 {
        self.keys.hash_one(window)
    }

    /// The smallest window: no text shorter than this can hold a secret.
    pub(super) fn smallest(&self) -> usize {
        self.sizes.iter().position(|count| *count > 0).unwrap_or(LONGEST)
    }

    /// Whether a secret is made of signs, so that texts must also be read without blanks alone.
    pub(super) fn has_visible(&self) -> bool {
        self.visible > 0
    }

    /// Whether a secret has bytes beyond ASCII.
    pub(super) fn has_high(&self) -> bool {
        self.high > 0
    }

    /// Every secret in a text that is in lower case.
    pub(super) fn scan(&self, text: &[u8], hits: &mut Vec<Hit>) {
        if text.len() < self.smallest() {
            return;
        }
        for size in SHORTEST..GRAM {
            if self.sizes.get(size).is_some_and(|count| *count > 0) {
                self.scan_short(text, size, hits);
            }
        }
        let Some(least) = (GRAM..=LONGEST).find(|size| self.sizes.get(*size).is_some_and(|count| *count > 0)) else {
            return;
        };
        let step = least - GRAM + 1;
        let mut at = 0;
        while let Some(run) = text.get(at..).and_then(|rest| rest.first_chunk()) {
            let end = if self.may(u64::from_le_bytes(*run)) { self.confirm(text, at, hits) } else { None };
            at = end.map_or(at + step, |end| (end + 1).saturating_sub(GRAM).max(at + step));
        }
    }

    /// Looks at the windows around a run that passed the filter; where the secret ends.
    fn confirm(&self, text: &[u8], at: usize, hits: &mut Vec<Hit>) -> Option<usize> {
        let mut furthest = None;
        for size in (GRAM..=LONGEST).filter(|size| self.sizes.get(*size).is_some_and(|count| *count > 0)) {
            let starts = (at + GRAM).saturating_sub(size)..=at;
            let Some((start, print)) =
                starts.into_iter().find_map(|start| Some((start, self.held(text, start, size)?)))
            else {
                continue;
            };
            let start =
                (0..start).rev().take_while(|start| self.held(text, *start, size).is_some()).last().unwrap_or(start);
            let last = (start + 1..text.len())
                .take_while(|start| self.held(text, *start, size).is_some())
                .last()
                .unwrap_or(start);
            hits.push(Hit { start, end: last + size, print });
            furthest = furthest.max(Some(last + size));
        }
        furthest
    }

    fn held(&self, text: &[u8], start: usize, size: usize) -> Option<Print> {
        let window = text.get(start..start + size)?;
        self.windows.get(&self.hash(window)).map(|window| window.print)
    }

    /// Secrets that somebody insisted on: they are searched for whole, at every place.
    fn scan_short(&self, text: &[u8], size: usize, hits: &mut Vec<Hit>) {
        for (start, window) in text.windows(size).enumerate() {
            if self.may(gram(window))
                && let Some(print) = self.held(text, start, size)
            {
                hits.push(Hit { start, end: start + size, print });
            }
        }
    }
}

/// Up to eight bytes as a number.
fn gram(bytes: &[u8]) -> u64 {
    let mut run = [0; GRAM];
    for (slot, byte) in run.iter_mut().zip(bytes) {
        *slot = *byte;
    }
    u64::from_le_bytes(run)
}
