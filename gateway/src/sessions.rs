//! `Sessions`: the live sessions, bounded.
//!
//! MCP has no sessions any more, and what an agent says of itself must not wash it clean: a session is an agent and an
//! idle window. What was evicted, or lost at a restart, counts as having read everything.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};
use policies::session::Session;
use policies::{AgentId, Call, Content, SessionKey, Value};

use crate::clock;

/// The live sessions.
pub struct Sessions {
    idle: SignedDuration,
    live: Mutex<HashMap<(AgentId, SessionKey), Live>>,
    /// Agents that called shortly before the gateway stopped: their sessions were lost.
    lost: Mutex<HashSet<AgentId>>,
}

struct Live {
    session: Arc<RwLock<Session>>,
    used: Timestamp,
}

/// How many sessions are kept: at a few hundred kilobytes each when full, this bounds memory and not the users.
const MOST: usize = 256;

impl Sessions {
    /// No sessions yet. `lost` are the agents that called within the idle window before the gateway started.
    #[must_use]
    pub fn new(idle: SignedDuration, lost: HashSet<AgentId>) -> Self {
        Self { idle, live: Mutex::default(), lost: Mutex::new(lost) }
    }

    /// The session of this call.
    pub fn of(&self, call: &Call) -> Arc<RwLock<Session>> {
        let (key, now) = ((call.agent().clone(), call.session().clone()), clock::now());
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = live.get_mut(&key).filter(|found| now.duration_since(found.used) < self.idle) {
            found.used = now;
            return Arc::clone(&found.session);
        }
        live.remove(&key);
        if live.len() >= MOST {
            self.evict(&mut live, now);
        }
        let session = Arc::new(RwLock::new(self.begin(&key.0)));
        live.insert(key, Live { session: Arc::clone(&session), used: now });
        session
    }

    /// What the agent received is what it may repeat: values are remembered as they were answered, redacted.
    pub fn observe(&self, call: &Call, reads: Content, value: &Value) {
        let session = self.of(call);
        session.write().unwrap_or_else(PoisonError::into_inner).observe(call, reads, value);
    }

    fn begin(&self, agent: &AgentId) -> Session {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner).remove(agent);
        if lost { Session::lost() } else { Session::fresh() }
    }

    /// Idle sessions go first; one that was still in use is remembered as lost.
    fn evict(&self, live: &mut HashMap<(AgentId, SessionKey), Live>, now: Timestamp) {
        live.retain(|_, live| now.duration_since(live.used) < self.idle);
        if live.len() < MOST {
            return;
        }
        let oldest = live.iter().min_by_key(|(_, live)| live.used).map(|(key, _)| key.clone());
        if let Some(key) = oldest {
            live.remove(&key);
            self.lost.lock().unwrap_or_else(PoisonError::into_inner).insert(key.0);
        }
    }
}
