//! `Gate`: who may knock, and how often. Every refusal here is made before a body is read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use audit::{Audit, Event};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use policies::{AgentId, Hash};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

use crate::clock;
use crate::config::AgentLimits;

/// An agent's bearer token: `pcl_` and 256 random bits. Shown once, kept as a hash.
pub struct Token(Zeroizing<String>);

impl Token {
    /// A new token.
    #[must_use]
    pub fn generate() -> Self {
        let bits = Zeroizing::new(clock::random::<32>());
        Self(Zeroizing::new(format!("pcl_{}", URL_SAFE_NO_PAD.encode(bits.as_slice()))))
    }

    /// The token, to print once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it. 256 random bits need no salt and no slow hash.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(self.0.as_bytes())
    }
}

/// Who may knock, and how often.
pub struct Gate {
    audit: Audit,
    limits: AgentLimits,
    quotas: Mutex<HashMap<AgentId, Arc<Quota>>>,
    failures: Flood,
    strangers: Flood,
}

/// A request whose sender is known and within bounds. Dropping it frees the place.
#[derive(Debug)]
pub struct Admitted {
    /// Who sent it.
    pub agent: AgentId,
    _place: OwnedSemaphorePermit,
}

/// Why nobody is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// No bearer token came with the request.
    NoToken,
    /// The token is unknown, expired, or its agent was removed: one answer for all three.
    BadToken,
    /// More requests a second than the agent may send.
    TooFast,
    /// More requests in flight than the agent may have.
    TooMany,
}

struct Quota {
    places: Arc<Semaphore>,
    bucket: Mutex<Bucket>,
}

struct Bucket {
    tokens: f64,
    filled: Timestamp,
}

/// What anyone can cause is recorded, but a flood of it must not become a flood of disk writes: a few a second are
/// written, the others are counted and told with the next.
pub(crate) struct Flood(Mutex<(Bucket, u64)>);

/// How many refusals of strangers are written a second.
const WRITTEN: f64 = 20.0;

impl Gate {
    /// A gate for the agents that the log knows.
    #[must_use]
    pub fn new(audit: Audit, limits: AgentLimits) -> Self {
        Self { audit, limits, quotas: Mutex::default(), failures: Flood::default(), strangers: Flood::default() }
    }

    /// Lets a request in, or says why not.
    ///
    /// # Errors
    /// [`Rejected`]; a failed authentication is recorded by the caller through [`Gate::record_failure`].
    pub fn admit(&self, headers: &HeaderMap, now: Timestamp) -> Result<Admitted, Rejected> {
        let token = bearer(headers).ok_or(Rejected::NoToken)?;
        let agent = self.audit.agent_by_token(&Hash::of(token.as_bytes()), now).ok_or(Rejected::BadToken)?.name;
        let quota = self.quota(&agent, now);
        if !quota.take(now, f64::from(self.limits.rate)) {
            return Err(Rejected::TooFast);
        }
        let place = Arc::clone(&quota.places).try_acquire_owned().map_err(|_| Rejected::TooMany)?;
        Ok(Admitted { agent, _place: place })
    }

    /// Records a failed authentication; of a flood, a few a second.
    pub async fn record_failure(&self, peer: &str, rejected: Rejected, now: Timestamp) {
        let why = if rejected == Rejected::NoToken { "no token" } else { "unknown or expired token" };
        let Some(reason) = self.failures.counted(why, now) else { return };
        self.record(Event::AuthenticationFailed { peer: peer.to_owned(), reason }, now).await;
    }

    /// Records a request that anyone could have sent; of a flood, a few a second.
    pub async fn record_stranger(&self, peer: &str, rule: &str, now: Timestamp) {
        let Some(reason) = self.strangers.counted(&format!("from {peer}"), now) else { return };
        self.record(Event::RequestRefused { agent: None, method: None, rule: rule.to_owned(), reason }, now).await;
    }

    async fn record(&self, event: Event, now: Timestamp) {
        if let Err(error) = self.audit.note(event, now).await {
            tracing::error!(%error, "a refused request could not be recorded");
        }
    }

    fn quota(&self, agent: &AgentId, now: Timestamp) -> Arc<Quota> {
        let mut quotas = self.quotas.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(quota) = quotas.get(agent) {
            return Arc::clone(quota);
        }
        let quota = Arc::new(Quota {
            places: Arc::new(Semaphore::new(self.limits.in_flight)),
            bucket: Mutex::new(Bucket { tokens: f64::from(self.limits.rate), filled: now }),
        });
        quotas.insert(agent.clone(), Arc::clone(&quota));
        quota
    }
}

impl Default for Flood {
    fn default() -> Self {
        Self(Mutex::new((Bucket { tokens: WRITTEN, filled: Timestamp::MIN }, 0)))
    }
}

impl Flood {
    /// What to write now, if anything.
    pub(crate) fn counted(&self, what: &str, now: Timestamp) -> Option<String> {
        let mut flood = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (bucket, counted) = &mut *flood;
        *counted += 1;
        if !bucket.take(now, WRITTEN) {
            return None;
        }
        let counted = std::mem::take(counted);
        Some(if counted > 1 { format!("{what}; {counted} since the last record") } else { what.to_owned() })
    }
}

impl Quota {
    /// A bucket that holds one second's worth: bursts up to the rate, no more.
    fn take(&self, now: Timestamp, rate: f64) -> bool {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(now, rate)
    }
}

impl Bucket {
    fn take(&mut self, now: Timestamp, rate: f64) -> bool {
        let passed = now.duration_since(self.filled).as_secs_f64().max(0.0);
        self.tokens = (self.tokens + passed * rate).min(rate);
        // A clock that goes back and comes again must not fill it twice.
        self.filled = self.filled.max(now);
        let enough = self.tokens >= 1.0;
        self.tokens -= f64::from(u8::from(enough));
        enough
    }
}

/// The token of the only `Authorization` header: two of them could be read in two ways.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (values.next().is_none() && scheme.eq_ignore_ascii_case("bearer")).then_some(token.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(millisecond).unwrap()
    }

    #[test]
    fn a_burst_is_bounded_by_the_rate_and_time_fills_it_again() {
        let quota =
            Quota { places: Arc::new(Semaphore::new(1)), bucket: Mutex::new(Bucket { tokens: 2.0, filled: at(0) }) };
        assert!(quota.take(at(0), 2.0) && quota.take(at(0), 2.0));
        assert!(!quota.take(at(0), 2.0) && !quota.take(at(400), 2.0));
        assert!(quota.take(at(1_000), 2.0) && quota.take(at(1_000), 2.0));
        // A clock that goes back and comes again gives nothing.
        assert!(!quota.take(at(0), 2.0) && !quota.take(at(1_000), 2.0));
    }

    #[test]
    fn of_a_flood_a_few_a_second_are_written_and_the_others_counted() {
        let flood = Flood::default();
        let written = (0..1_000).filter_map(|_| flood.counted("x", at(0))).count();
        assert_eq!(written, 20);
        assert_eq!(flood.counted("x", at(1_000)).as_deref(), Some("x; 981 since the last record"));
        assert_eq!(flood.counted("x", at(1_000)).as_deref(), Some("x"));
    }

    #[test]
    fn two_authorization_headers_are_no_token() {
        let mut headers = HeaderMap::new();
        assert_eq!(bearer(&headers), None);
        headers.append(AUTHORIZATION, "Bearer pcl_a".parse().unwrap());
        assert_eq!(bearer(&headers), Some("pcl_a"));
        headers.append(AUTHORIZATION, "Bearer pcl_b".parse().unwrap());
        assert_eq!(bearer(&headers), None);
        headers.insert(AUTHORIZATION, "Basic pcl_a".parse().unwrap());
        assert_eq!(bearer(&headers), None);
    }

    #[test]
    fn tokens_differ_and_hash_alike() {
        let (one, other) = (Token::generate(), Token::generate());
        assert_ne!(one.reveal(), other.reveal());
        assert_eq!(one.reveal().len(), 47);
        assert_eq!(one.hash(), Hash::of(one.reveal().as_bytes()));
    }
}
