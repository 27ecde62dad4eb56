//! `Sessions`: the browsers that are signed in, bounded, each until it was idle for too long.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use audit::Operator;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jsonrpsee::server::{ServerHandle, StopHandle, stop_channel};
use policies::{Hash, OperatorId};

use super::Who;
use crate::clock;

/// A browser that is signed in. It ends once; what it was asked for last is then refused, and its sockets close.
pub struct Session {
    /// Never another person; with another PIN, where this session set it.
    who: Mutex<Who>,
    name: OperatorId,
    csrf: String,
    origin: String,
    began: Timestamp,
    used: Mutex<Timestamp>,
    proved: Mutex<Option<Timestamp>>,
    over: AtomicBool,
    stopping: StopHandle,
    stop: ServerHandle,
}

/// The sessions, by the hash of what their cookie holds: whoever reads the gateway's memory or a dump finds no cookie.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<Hash, Arc<Session>>>);

/// How long a browser may ask for nothing.
const IDLE: SignedDuration = SignedDuration::from_hours(1);

/// How long a session lasts at most: a working day.
const LONGEST: SignedDuration = SignedDuration::from_hours(12);

/// How long a PIN stands for changes that are no approvals.
const PROVED: SignedDuration = SignedDuration::from_mins(10);

/// How many browsers at once, and of one person.
const MOST: usize = 64;
const MOST_OF_ONE: usize = 8;

impl Session {
    fn new(who: Who, origin: &str, now: Timestamp) -> Self {
        let (stopping, stop) = stop_channel();
        let csrf = URL_SAFE_NO_PAD.encode(clock::random::<32>());
        let (used, proved, over) = (Mutex::new(now), Mutex::default(), AtomicBool::new(false));
        let (name, who) = (who.name().clone(), Mutex::new(who));
        Self { who, name, csrf, origin: origin.to_owned(), began: now, used, proved, over, stopping, stop }
    }

    /// Whose it is.
    #[must_use]
    pub fn name(&self) -> &OperatorId {
        &self.name
    }

    /// Who signed in: who comes later under the same name is somebody else.
    #[must_use]
    pub fn who(&self) -> Who {
        self.who.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its own person has another PIN, by a request of this session that bore the old one: it goes on.
    pub fn set_pin(&self, operator: &Operator) {
        let mut who = self.who.lock().unwrap_or_else(PoisonError::into_inner);
        if who.is_of(operator) {
            *who = Who::operator(operator);
        }
    }

    /// What the page sends with each request that changes something, and no other page can read.
    #[must_use]
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    /// The page's origin when it signed in: the cookie comes back from its host alone.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether this is the page's token; the time it takes tells nothing.
    #[must_use]
    pub fn knows(&self, csrf: &str) -> bool {
        // Of hashes, where a comparison ends tells nothing of the texts.
        Hash::of(self.csrf.as_bytes()) == Hash::of(csrf.as_bytes())
    }

    /// Whether it may still be used; using it keeps it alive.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if self.has_ended(*used, now) {
            return true;
        }
        *used = now.max(*used);
        false
    }

    /// The same without using it.
    #[must_use]
    pub fn is_past(&self, now: Timestamp) -> bool {
        let used = *self.used.lock().unwrap_or_else(PoisonError::into_inner);
        self.has_ended(used, now)
    }

    fn has_ended(&self, used: Timestamp, now: Timestamp) -> bool {
        let over = now.duration_since(used) >= IDLE || now.duration_since(self.began) >= LONGEST;
        over || self.over.load(Ordering::Acquire)
    }

    /// A PIN was right.
    pub fn prove(&self, now: Timestamp) {
        *self.proved.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// Whether a PIN was right not long ago.
    #[must_use]
    pub fn is_proved(&self, now: Timestamp) -> bool {
        let proved = *self.proved.lock().unwrap_or_else(PoisonError::into_inner);
        proved.is_some_and(|proved| now.duration_since(proved) < PROVED)
    }

    /// Tells its sockets to close.
    #[must_use]
    pub(super) fn stopping(&self) -> StopHandle {
        self.stopping.clone()
    }

    fn end(&self) {
        self.over.store(true, Ordering::Release);
        // It may have no socket.
        self.stop.stop().ok();
    }
}

impl Sessions {
    /// Begins a session; the cookie's value, which is kept nowhere.
    pub(super) fn begin(&self, who: Who, origin: &str, now: Timestamp) -> (String, Arc<Session>) {
        let id = URL_SAFE_NO_PAD.encode(clock::random::<32>());
        let session = Arc::new(Session::new(who, origin, now));
        let mut sessions = self.lock();
        let his = sessions.values().filter(|other| other.name == session.name).count();
        let crowded = |other: &Session| his < MOST_OF_ONE || other.name == session.name;
        if his >= MOST_OF_ONE || sessions.len() >= MOST {
            let used = |session: &Session| *session.used.lock().unwrap_or_else(PoisonError::into_inner);
            let oldest = sessions.iter().filter(|(_, other)| crowded(other)).min_by_key(|(_, other)| used(other));
            if let Some(oldest) = oldest.map(|(key, _)| *key).and_then(|key| sessions.remove(&key)) {
                oldest.end();
            }
        }
        sessions.insert(Hash::of(id.as_bytes()), Arc::clone(&session));
        (id, session)
    }

    /// The session of this cookie.
    pub(super) fn find(&self, id: &str, now: Timestamp) -> Option<Arc<Session>> {
        let session = self.lock().get(&Hash::of(id.as_bytes())).cloned()?;
        (!session.is_over(now)).then_some(session)
    }

    /// Ends the session of this cookie.
    pub(super) fn end(&self, id: &str) -> Option<Arc<Session>> {
        let session = self.lock().remove(&Hash::of(id.as_bytes()))?;
        session.end();
        Some(session)
    }

    /// Ends what was idle for too long, and what belongs to nobody any more.
    pub(super) fn sweep(&self, now: Timestamp, stands: impl Fn(&Who) -> bool) -> Vec<OperatorId> {
        let mut ended = Vec::new();
        self.lock().retain(|_, session| {
            let used = *session.used.lock().unwrap_or_else(PoisonError::into_inner);
            let stays = !session.has_ended(used, now) && stands(&session.who());
            if !stays {
                session.end();
                ended.push(session.name.clone());
            }
            stays
        });
        ended
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Hash, Arc<Session>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use policies::Role;

    use super::*;
    use crate::operator::people::Person;

    const ORIGIN: &str = "http://localhost:7733";

    fn noon() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn user(name: &str) -> Who {
        let id = OperatorId::authenticated(&format!("uid:{name}"));
        Who::person(&Person::user(id, Role::Admin))
    }

    fn ann() -> Who {
        user("ann")
    }

    #[test]
    fn a_session_ends_when_it_was_idle_and_after_a_day_of_work() {
        let sessions = Sessions::default();
        let (id, _) = sessions.begin(ann(), ORIGIN, noon());
        let at = |minutes| noon() + SignedDuration::from_mins(minutes);
        assert!((1..14).all(|step| sessions.find(&id, at(step * 50)).is_some()));
        assert!(sessions.find(&id, at(12 * 60)).is_none(), "longer than a day");
        let (id, _) = sessions.begin(ann(), ORIGIN, noon());
        assert!(sessions.find(&id, at(60)).is_none(), "idle for an hour");
        assert_eq!(sessions.sweep(at(60), |_| true).len(), 1);
    }

    #[test]
    fn sessions_are_bounded_and_the_longest_idle_goes_first() {
        let sessions = Sessions::default();
        let ids: Vec<String> = (0..=MOST_OF_ONE)
            .map(|second| {
                sessions.begin(ann(), ORIGIN, noon() + SignedDuration::from_secs(i64::try_from(second).unwrap())).0
            })
            .collect();
        let known = ids.iter().filter(|id| sessions.find(id, noon()).is_some()).count();
        assert_eq!(known, MOST_OF_ONE);
        assert!(sessions.find(&ids[0], noon()).is_none());
        for number in 0..2 * MOST {
            sessions.begin(user(&format!("n{number}")), ORIGIN, noon());
        }
        assert_eq!(sessions.lock().len(), MOST);
    }

    #[test]
    fn a_session_whose_operator_is_gone_ends() {
        let sessions = Sessions::default();
        let (id, session) = sessions.begin(ann(), ORIGIN, noon());
        sessions.sweep(noon(), |_| false);
        assert!(sessions.find(&id, noon()).is_none() && session.is_over(noon()));
    }
}
