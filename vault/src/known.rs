//! `Known`: which values the redactor has learned already, so that one that is lent again and again is learned once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use audit::{Learned, Redactor};
use ring::digest::{SHA256, digest};

use crate::secret::Secret;

/// What the redactor has learned.
pub(crate) struct Known {
    redactor: Arc<Redactor>,
    /// By where it is kept: the hash of the newest value that was seen there. It stays learned until there is another.
    newest: Mutex<HashMap<String, (Hash, Arc<Learned>)>>,
}

type Hash = [u8; 32];

impl Known {
    pub(crate) fn new(redactor: Arc<Redactor>) -> Self {
        Self { redactor, newest: Mutex::default() }
    }

    /// What has learned them.
    pub(crate) fn redactor(&self) -> Arc<Redactor> {
        Arc::clone(&self.redactor)
    }

    /// Lets the redactor learn a value that is kept at `place`, or that is kept nowhere.
    pub(crate) fn learn(&self, place: Option<String>, value: &Secret) -> Arc<Learned> {
        let learn = || Arc::new(self.redactor.learn(value.expose()));
        let Some(place) = place else { return learn() };
        let hash = digest(&SHA256, value.expose()).as_ref().first_chunk().copied().unwrap_or_default();
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        match newest.get(&place) {
            Some((known, learned)) if *known == hash => Arc::clone(learned),
            Some(_) | None => {
                let learned = learn();
                newest.insert(place, (hash, Arc::clone(&learned)));
                learned
            }
        }
    }

    /// What is kept there no more is known for the grace time.
    pub(crate) fn forget(&self, place: &str) {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).remove(place);
    }
}
