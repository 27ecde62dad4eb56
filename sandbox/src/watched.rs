//! `Watched`: which resources of one server somebody wants to hear about.

use std::collections::BTreeMap;

use tokio::sync::watch;

/// Which resources of one server somebody wants to hear about, counted, so that one agent's `unwatch` does not silence
/// another's.
pub(crate) struct Watched(watch::Sender<BTreeMap<String, usize>>);

/// The most resources of one server that are watched at once.
pub(crate) const MAX_WATCHED: usize = 1024;

impl Watched {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::default())
    }

    /// Counts one more watcher; `None` when there are too many resources, else whether it is the first for this one.
    pub(crate) fn add(&self, uri: &str) -> Option<bool> {
        let mut outcome = None;
        self.0.send_if_modified(|uris| {
            if let Some(count) = uris.get_mut(uri) {
                *count += 1;
                outcome = Some(false);
            } else if uris.len() < MAX_WATCHED {
                uris.insert(uri.to_owned(), 1);
                outcome = Some(true);
            }
            outcome == Some(true)
        });
        outcome
    }

    /// Counts one watcher less; whether it was the last for this resource.
    pub(crate) fn remove(&self, uri: &str) -> bool {
        self.0.send_if_modified(|uris| match uris.get_mut(uri) {
            Some(count) if *count > 1 => {
                *count -= 1;
                false
            }
            Some(_) => uris.remove(uri).is_some(),
            None => false,
        })
    }

    /// All of them, and a sign when they change.
    pub(crate) fn subscribe(&self) -> watch::Receiver<BTreeMap<String, usize>> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_watched_until_its_last_watcher_leaves() {
        let watched = Watched::new();
        assert_eq!((watched.add("a"), watched.add("a")), (Some(true), Some(false)));
        assert_eq!((watched.remove("a"), watched.remove("a"), watched.remove("a")), (false, true, false));
    }

    #[test]
    fn the_number_of_resources_is_bounded() {
        let watched = Watched::new();
        assert!((0..MAX_WATCHED).all(|n| watched.add(&n.to_string()) == Some(true)));
        assert_eq!(watched.add("one more"), None);
        assert_eq!(watched.add("0"), Some(false));
    }
}
