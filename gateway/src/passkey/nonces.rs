//! `Nonces`: what makes each question to a passkey a new one. Each is answered once, by whom it was given to, and soon.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use audit::assertion::Nonce;
use jiff::{SignedDuration, Timestamp};
use policies::Hash;

use crate::clock;

/// Those that nobody has answered yet.
#[derive(Default)]
pub(super) struct Nonces(Mutex<HashMap<Nonce, Open>>);

struct Open {
    to: Hash,
    made: Timestamp,
}

/// A browser asks a person for half this time.
const LASTS: SignedDuration = SignedDuration::from_mins(2);

/// Questions that wait at once: more are somebody's loop, and the oldest goes.
const MOST: usize = 512;

impl Nonces {
    /// A new one, for whoever this is the hash of.
    pub(super) fn make(&self, to: Hash, now: Timestamp) -> Nonce {
        let nonce = Nonce::new(clock::random::<32>());
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, open| now.duration_since(open.made) < LASTS);
        let oldest = open.iter().min_by_key(|(_, open)| open.made).map(|(nonce, _)| *nonce);
        if let (true, Some(oldest)) = (open.len() >= MOST, oldest) {
            open.remove(&oldest);
        }
        open.insert(nonce, Open { to, made: now });
        nonce
    }

    /// Whether it is still to be answered, by this one. It is not any more, whatever comes of it.
    pub(super) fn take(&self, nonce: &Nonce, by: Hash, now: Timestamp) -> bool {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(nonce);
        taken.is_some_and(|open| open.to == by && now.duration_since(open.made) < LASTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_answered_once_in_time_and_by_whom_it_was_given_to() {
        let (nonces, noon): (_, Timestamp) = (Nonces::default(), "2026-11-21T12:00:00Z".parse().unwrap());
        let (ann, bob) = (Hash::of(b"ann"), Hash::of(b"bob"));
        let nonce = nonces.make(ann, noon);
        assert!(nonces.take(&nonce, ann, noon + SignedDuration::from_secs(119)));
        assert!(!nonces.take(&nonce, ann, noon), "twice");
        let nonce = nonces.make(ann, noon);
        assert!(!nonces.take(&nonce, bob, noon), "somebody else's");
        assert!(!nonces.take(&nonce, ann, noon), "a try uses it up");
        let nonce = nonces.make(ann, noon);
        assert!(!nonces.take(&nonce, ann, noon + LASTS), "late");
        assert!(!nonces.take(&Nonce::new([0; 32]), ann, noon), "never given");
    }

    #[test]
    fn nonces_are_bounded_and_the_oldest_goes_first() {
        let (nonces, noon): (_, Timestamp) = (Nonces::default(), "2026-11-21T12:00:00Z".parse().unwrap());
        let ann = Hash::of(b"ann");
        let first = nonces.make(ann, noon);
        let later = noon + SignedDuration::from_secs(1);
        for _ in 0..2 * MOST {
            nonces.make(ann, later);
        }
        assert_eq!(nonces.0.lock().unwrap().len(), MOST);
        assert!(!nonces.take(&first, ann, later));
    }
}
