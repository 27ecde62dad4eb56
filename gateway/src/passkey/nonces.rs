//! `Nonces`: what makes each question to a passkey a new one. Each is answered once, by whom it was given to, and soon.
//!
//! ```text
//! nonce = when (8 bytes) ‖ random (8) ‖ HMAC-SHA-256 over both and whom it is given to (the first 16)
//! ```
//!
//! Nothing is kept of a question before it was answered rightly. So it crowds out nobody's to ask without end, and an answer that is wrong
//! takes nothing from the one that is right: signatures are not guessed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use audit::assertion::Nonce;
use jiff::{SignedDuration, Timestamp};
use policies::Hash;
use ring::hmac;

use crate::clock;

/// Questions, and those that were answered.
pub(super) struct Nonces {
    /// Known to nobody, and new with each start: older questions are nobody's any more.
    key: hmac::Key,
    answered: Mutex<HashMap<Nonce, Timestamp>>,
}

/// A browser asks a person for half this time.
const LASTS: SignedDuration = SignedDuration::from_mins(2);

/// Answers that are remembered. Each was a signature that was right, with a record of its own: more within two minutes are a program's,
/// and are refused.
const MOST: usize = 4096;

impl Default for Nonces {
    fn default() -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &clock::random::<32>());
        Self { key, answered: Mutex::default() }
    }
}

impl Nonces {
    /// A new one, for whoever this is the hash of.
    pub(super) fn make(&self, to: Hash, now: Timestamp) -> Nonce {
        let mut bytes = [0; 32];
        let (when, random) = (now.as_microsecond().to_be_bytes(), clock::random::<8>());
        let tag = self.tag(&[when, random].concat(), to);
        let made = when.into_iter().chain(random).chain(tag);
        bytes.iter_mut().zip(made).for_each(|(byte, made)| *byte = made);
        Nonce::new(bytes)
    }

    /// Whether it was given to this one, not long ago, and was not answered.
    pub(super) fn is_open(&self, nonce: &Nonce, by: Hash, now: Timestamp) -> bool {
        self.is_given(nonce, by, now) && !self.lock().contains_key(nonce)
    }

    /// Answers it. Of two who do one is told that it was.
    pub(super) fn answer(&self, nonce: &Nonce, by: Hash, now: Timestamp) -> bool {
        if !self.is_given(nonce, by, now) {
            return false;
        }
        let mut answered = self.lock();
        answered.retain(|_, made| now.duration_since(*made) < LASTS);
        let room = answered.len() < MOST;
        room && answered.insert(*nonce, when(nonce).unwrap_or(now)).is_none()
    }

    fn is_given(&self, nonce: &Nonce, by: Hash, now: Timestamp) -> bool {
        let Some((head, tag)) = nonce.as_bytes().split_first_chunk::<16>() else { return false };
        // Of hashes, where a comparison ends tells nothing of the tags.
        let ours = Hash::of(&self.tag(head, by)) == Hash::of(tag);
        let age = when(nonce).map(|when| now.duration_since(when));
        ours && age.is_some_and(|age| age < LASTS && !age.is_negative())
    }

    fn tag(&self, head: &[u8], to: Hash) -> [u8; 16] {
        let tag = hmac::sign(&self.key, &[head, to.as_bytes()].concat());
        tag.as_ref().first_chunk().copied().unwrap_or_default()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Nonce, Timestamp>> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn when(nonce: &Nonce) -> Option<Timestamp> {
    let when = nonce.as_bytes().first_chunk().map(|when| i64::from_be_bytes(*when))?;
    Timestamp::from_microsecond(when).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_nonce_is_answered_once_in_time_and_by_whom_it_was_given_to() {
        let (nonces, ann, bob) = (Nonces::default(), Hash::of(b"ann"), Hash::of(b"bob"));
        let nonce = nonces.make(ann, noon());
        assert_ne!(nonce, nonces.make(ann, noon()), "two questions of one moment are one");
        let late = noon() + SignedDuration::from_secs(119);
        assert!(nonces.is_open(&nonce, ann, late) && nonces.is_open(&nonce, ann, late), "looking at it answers it");
        assert!(!nonces.is_open(&nonce, bob, late) && !nonces.answer(&nonce, bob, late), "somebody else's");
        assert!(nonces.answer(&nonce, ann, late));
        assert!(!nonces.is_open(&nonce, ann, late) && !nonces.answer(&nonce, ann, late), "twice");
        let nonce = nonces.make(ann, noon());
        for moment in [noon() + LASTS, noon() - SignedDuration::from_micros(1)] {
            assert!(!nonces.is_open(&nonce, ann, moment) && !nonces.answer(&nonce, ann, moment), "at {moment}");
        }
        assert!(!nonces.answer(&Nonce::new([0; 32]), ann, noon()), "never given");
        assert!(!Nonces::default().answer(&nonce, ann, noon()), "given by another gateway");
    }

    #[test]
    fn no_byte_of_a_nonce_can_be_another() {
        let (nonces, ann) = (Nonces::default(), Hash::of(b"ann"));
        let nonce = nonces.make(ann, noon());
        for place in 0..32 {
            let mut bytes = *nonce.as_bytes();
            bytes[place] ^= 1;
            assert!(!nonces.is_open(&Nonce::new(bytes), ann, noon()), "byte {place}");
        }
    }

    #[test]
    fn answers_are_remembered_for_as_long_as_they_could_come_again_and_in_bounded_memory() {
        let (nonces, ann) = (Nonces::default(), Hash::of(b"ann"));
        let first = nonces.make(ann, noon());
        assert!(nonces.answer(&first, ann, noon()));
        let answered = (0..2 * MOST).filter(|_| nonces.answer(&nonces.make(ann, noon()), ann, noon())).count();
        assert_eq!(answered + 1, MOST);
        assert!(!nonces.is_open(&first, ann, noon()), "an answer was forgotten while it could come again");
        let later = noon() + LASTS;
        assert!(nonces.answer(&nonces.make(ann, later), ann, later));
        assert_eq!(nonces.lock().len(), 1);
    }
}
