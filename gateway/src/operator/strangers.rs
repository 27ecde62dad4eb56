//! `Strangers`: names that nobody has, and how often a PIN was tried for each.
//!
//! Guessing at a person's name locks it for a while. Were a name that nobody has answered "wrong" for ever, a few tries would say which
//! names there are.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use audit::Failures;
use jiff::Timestamp;
use policies::Hash;

/// Failures by the hash of the name, in small letters: a name may be as long as a request.
#[derive(Default)]
pub(super) struct Strangers(Mutex<HashMap<Hash, Failures>>);

/// Names at once. When it is full the one that was tried the least goes: whoever wants to see a name forgotten tries this many others
/// as often, one after the other, each a fifth of a second.
const MOST: usize = 1024;

impl Strangers {
    /// How often a PIN for this name was wrong.
    pub(super) fn failures(&self, name: &str) -> Failures {
        self.lock().get(&key(name)).copied().unwrap_or_default()
    }

    /// Another one was.
    pub(super) fn failed(&self, name: &str, now: Timestamp) {
        let (key, mut known) = (key(name), self.lock());
        if known.len() >= MOST && !known.contains_key(&key) {
            let least = known.iter().min_by_key(|(_, failures)| (failures.count, failures.last)).map(|(key, _)| *key);
            least.and_then(|least| known.remove(&least));
        }
        let failures = known.entry(key).or_default();
        *failures = Failures { count: failures.count.saturating_add(1), last: Some(now) };
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Hash, Failures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(name: &str) -> Hash {
    Hash::of(name.to_ascii_lowercase().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nobody_has_are_counted_in_bounded_memory_and_the_least_tried_goes_first() {
        let (strangers, noon): (_, Timestamp) = (Strangers::default(), "2026-11-21T12:00:00Z".parse().unwrap());
        for name in ["mallory", "Mallory", "MALLORY"] {
            strangers.failed(name, noon);
        }
        assert_eq!(strangers.failures("mallory"), Failures { count: 3, last: Some(noon) });
        for number in 0..3 * MOST {
            strangers.failed(&format!("name{number}"), noon + jiff::SignedDuration::from_secs(1));
        }
        assert_eq!(strangers.lock().len(), MOST);
        assert_eq!(strangers.failures("mallory").count, 3, "one that was tried often was forgotten");
        assert_eq!(strangers.failures("somebody"), Failures::default());
    }
}
