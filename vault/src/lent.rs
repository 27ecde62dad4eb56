//! `Shared`: the secrets that one call holds, until it ends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use audit::{Learned, Loan, Redactor};
use policies::profile::Placement;
use tokio_util::sync::CancellationToken;

use crate::secret::Secret;
use crate::vault::Clock;

/// One placement of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LeaseId(pub(crate) usize);

/// A secret on its way to one place.
pub(crate) struct Lent {
    pub(crate) placement: Placement,
    pub(crate) value: Arc<Secret>,
    pub(crate) version: String,
    /// The redactor knows the value while this lives, and for the grace time after.
    _known: Arc<Learned>,
    placed: Mutex<BTreeMap<String, u64>>,
}

/// What one call holds. INVARIANT: after [`Shared::end`] no value can be read, by whatever clone.
pub(crate) struct Shared {
    held: RwLock<Held>,
    revoked: CancellationToken,
    /// `None` where nothing was lent.
    pub(crate) desk: Option<Desk>,
}

/// What placing needs beside the secrets.
pub(crate) struct Desk {
    /// Knows every value that is lent.
    pub(crate) redactor: Arc<Redactor>,
    pub(crate) clock: Clock,
}

enum Held {
    Open(BTreeMap<LeaseId, Lent>),
    Ended(Vec<Loan>),
}

impl Lent {
    /// INVARIANT: `known` is of `value`.
    pub(crate) fn new(placement: Placement, value: Arc<Secret>, version: String, known: Arc<Learned>) -> Self {
        Self { placement, value, version, _known: known, placed: Mutex::default() }
    }

    /// Counts that it was placed there: a destination, a file, a stream, a variable.
    pub(crate) fn count(&self, place: &str) {
        let mut placed = self.placed.lock().unwrap_or_else(PoisonError::into_inner);
        let place = if placed.len() < PLACES || placed.contains_key(place) { place } else { "elsewhere" };
        *placed.entry(place.to_owned()).or_default() += 1;
    }

    fn loan(&self) -> Loan {
        let placed = self.placed.lock().unwrap_or_else(PoisonError::into_inner);
        let times = |(place, times): (&String, &u64)| format!("{place} ×{times}");
        let placed: Vec<String> = placed.iter().map(times).collect();
        let placed = if placed.is_empty() { "nowhere".to_owned() } else { placed.join(", ") };
        Loan { secret: self.placement.secret.clone(), version: self.version.clone(), placed }
    }
}

impl Shared {
    pub(crate) fn new(lent: impl IntoIterator<Item = Lent>, desk: Option<Desk>) -> Arc<Self> {
        let lent = lent.into_iter().enumerate().map(|(number, lent)| (LeaseId(number), lent)).collect();
        Arc::new(Self { held: RwLock::new(Held::Open(lent)), revoked: CancellationToken::new(), desk })
    }

    /// Does something with what is held; `None` once it has ended. [`Shared::end`] waits for it: it must be quick.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&BTreeMap<LeaseId, Lent>) -> T) -> Option<T> {
        match &*self.held.read().unwrap_or_else(PoisonError::into_inner) {
            Held::Open(lent) => Some(work(lent)),
            Held::Ended(_) => None,
        }
    }

    /// Ends it: the values are wiped. Answers what was lent, every time.
    pub(crate) fn end(&self) -> Vec<Loan> {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        let loans = match &*held {
            Held::Open(lent) => lent.values().map(Lent::loan).collect(),
            Held::Ended(loans) => return loans.clone(),
        };
        *held = Held::Ended(Vec::clone(&loans));
        loans
    }

    /// Whether it holds the secret of this name.
    pub(crate) fn holds(&self, secret: &str) -> bool {
        self.with(|lent| lent.values().any(|lent| lent.placement.secret == secret)).unwrap_or(false)
    }

    /// Ends it because a secret is good no more.
    pub(crate) fn revoke(&self) {
        self.end();
        self.revoked.cancel();
    }

    pub(crate) fn revoked(&self) -> &CancellationToken {
        &self.revoked
    }
}

/// How many places a record names.
const PLACES: usize = 16;

#[cfg(test)]
mod tests {
    use audit::Redactor;
    use policies::profile::Way;

    use super::*;

    fn lent(secret: &str) -> Lent {
        let value = Secret::new(b"k7Qp-Zr2x_Vn9wLtB4mJc6Hd".to_vec());
        let known = Arc::new(Redactor::new(&[7; 32]).learn(value.expose()));
        let placement = Placement { secret: secret.to_owned(), way: Way::Stdin { to: None } };
        Lent::new(placement, Arc::new(value), "3".to_owned(), known)
    }

    #[test]
    fn after_the_end_nothing_can_be_read_by_whatever_clone() {
        let shared = Shared::new([lent("one")], None);
        let clone = Arc::clone(&shared);
        assert_eq!(clone.with(BTreeMap::len), Some(1));
        shared.end();
        assert_eq!(clone.with(BTreeMap::len), None);
    }

    #[test]
    fn a_loan_tells_where_it_was_placed_and_how_often_also_when_it_is_ended_twice() {
        let shared = Shared::new([lent("one")], None);
        shared.with(|lent| lent.values().for_each(|lent| lent.count("api.example.com:443")));
        shared.with(|lent| lent.values().for_each(|lent| lent.count("api.example.com:443")));
        let told = Loan { secret: "one".into(), version: "3".into(), placed: "api.example.com:443 ×2".into() };
        assert_eq!(shared.end(), std::slice::from_ref(&told));
        assert_eq!(shared.end(), [told]);
    }

    #[test]
    fn a_record_names_so_many_places_and_no_more() {
        let shared = Shared::new([lent("one")], None);
        for number in 0..100 {
            shared.with(|lent| lent.values().for_each(|lent| lent.count(&format!("h{number}.example.com:443"))));
        }
        let told = shared.end();
        assert!(told[0].placed.contains("elsewhere ×84"), "{told:?}");
    }
}
