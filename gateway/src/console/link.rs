//! `Links`: codes that sign someone in, once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use policies::Hash;

use super::Who;
use crate::clock;

/// Codes that nobody has used yet, by their hash.
#[derive(Default)]
pub(super) struct Links(Mutex<HashMap<Hash, Link>>);

/// Whom a code signs in.
pub(super) struct Link {
    pub(super) who: Who,
    /// A PIN was given for it just now.
    pub(super) proved: bool,
    made: Timestamp,
}

/// Long enough to change windows, too short to lie around in a shell's history.
const LASTS: SignedDuration = SignedDuration::from_mins(2);

/// Codes that wait at once; more are somebody's loop.
const MOST: usize = 32;

impl Links {
    /// A new code for this person. 256 random bits need no slow hash.
    pub(super) fn make(&self, who: Who, proved: bool, now: Timestamp) -> String {
        let code = URL_SAFE_NO_PAD.encode(clock::random::<32>());
        let mut links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(|_, link| now.duration_since(link.made) < LASTS);
        let oldest = links.iter().min_by_key(|(_, link)| link.made).map(|(key, _)| *key);
        if let (true, Some(oldest)) = (links.len() >= MOST, oldest) {
            links.remove(&oldest);
        }
        links.insert(Hash::of(code.as_bytes()), Link { who, proved, made: now });
        code
    }

    /// Whom this code signs in; it does so once.
    pub(super) fn take(&self, code: &str, now: Timestamp) -> Option<Link> {
        let link = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&Hash::of(code.as_bytes()))?;
        (now.duration_since(link.made) < LASTS).then_some(link)
    }
}

#[cfg(test)]
mod tests {
    use policies::{OperatorId, Role};

    use super::*;
    use crate::operator::people::Person;

    #[test]
    fn a_code_signs_in_once_and_not_late() {
        let (links, noon): (_, Timestamp) = (Links::default(), "2026-11-21T12:00:00Z".parse().unwrap());
        let ann = || Who::person(&Person::user(OperatorId::authenticated("ann"), Role::Admin));
        let code = links.make(ann(), false, noon);
        assert!(links.take("another", noon).is_none());
        assert_eq!(links.take(&code, noon).unwrap().who, ann());
        assert!(links.take(&code, noon).is_none());
        let late = links.make(ann(), false, noon);
        assert!(links.take(&late, noon + LASTS).is_none());
        for _ in 0..3 * MOST {
            links.make(ann(), false, noon);
        }
        assert_eq!(links.0.lock().unwrap().len(), MOST);
    }
}
