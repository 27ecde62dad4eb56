//! How people prove who they are, and how whoever guesses is kept waiting.

use std::sync::Arc;

use audit::assertion::BadAssertion;
use audit::{AuditError, Author, Door, Event, Failures};
use jiff::{SignedDuration, Timestamp};
use policies::OperatorId;
use tokio::sync::{Mutex, Semaphore};

use super::People;
use crate::clock;
use crate::operator::pin::Pin;
use crate::operator::refused::Refused;
use crate::passkey::Signed;

/// Wrong PINs before each further one has to wait.
const FREE_FAILURES: u32 = 5;

/// How long the first wait is; each further failure doubles it.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(30);

/// The longest wait: a person can be back within the hour, and whoever guesses has a try an hour.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(1);

/// PINs that wait to be checked.
const MOST_WAITING: usize = 16;

/// PINs that are checked at one door, one at a time: else a thousand could be tried before the first failure counts. Who
/// crowds the one door delays nobody at the other.
pub(super) struct Lane {
    checking: Mutex<()>,
    waiting: Semaphore,
}

impl Lane {
    pub(super) fn new() -> Self {
        Self { checking: Mutex::default(), waiting: Semaphore::new(MOST_WAITING) }
    }
}

impl People {
    /// Checks a PIN. Failures are counted in the log, and after some each further try has to wait.
    ///
    /// # Errors
    /// [`Refused`]: wrong, locked out, or it cannot be recorded.
    pub async fn prove(&self, name: &OperatorId, pin: Pin, door: Door) -> Result<(), Refused> {
        let lane = self.lane(door);
        let _place = lane.waiting.try_acquire().map_err(|_| Refused::Busy)?;
        let _turn = lane.checking.lock().await;
        let Some(operator) = self.audit.operator(name) else { return Err(self.stranger(name, pin).await) };
        let failures = self.audit.failures(name, door);
        if let Some(until) = locked(failures, clock::now()) {
            return Err(Refused::Locked { until });
        }
        let audit = self.audit.by(Some(&Arc::new(Author::operator(&operator))));
        let right = blocking(move || pin.matches(&operator.pin)).await?;
        if right && failures.count == 0 {
            return Ok(());
        }
        let name = name.clone();
        let event = if right { Event::PinAccepted { name, door } } else { Event::PinRefused { name, door } };
        audit.note(event, clock::now()).await?;
        if right { Ok(()) } else { Err(Refused::WrongPin) }
    }

    fn lane(&self, door: Door) -> &Lane {
        match door {
            Door::SignIn | Door::SignInByPasskey => &self.sign_in,
            Door::Claimed => &self.claimed,
            Door::Inside => &self.inside,
            Door::Session | Door::SessionByPasskey => &self.session,
        }
    }

    /// Does this once a PIN waits to be checked at a door, and before it is.
    #[cfg(test)]
    pub(crate) async fn while_checking(&self, door: Door, does: impl Future<Output = ()>) {
        let lane = self.lane(door);
        let _turn = lane.checking.lock().await;
        while lane.waiting.available_permits() == MOST_WAITING {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        does.await;
    }

    /// A name that nobody has is answered as a person's is.
    async fn stranger(&self, name: &OperatorId, pin: Pin) -> Refused {
        if let Some(until) = locked(self.strangers.failures(name.as_str()), clock::now()) {
            return Refused::Locked { until };
        }
        if let Err(busy) = blocking(move || pin.matches_nothing()).await {
            return busy;
        }
        self.strangers.failed(name.as_str(), clock::now());
        Refused::WrongPin
    }

    /// Checks a passkey's signature, and that its counter has gone up. However many were wrong, the next one is looked at: a signature
    /// is not guessed, and whoever knows a name would keep its person out by sending garbage.
    ///
    /// # Errors
    /// [`Refused`]: not theirs or not over this, or it cannot be recorded.
    pub async fn check(&self, name: &OperatorId, signed: &Signed, door: Door) -> Result<(), Refused> {
        let passkey = self.audit.passkeys(name).into_iter().find(|passkey| passkey.credential == signed.credential);
        let checked = passkey.ok_or(BadAssertion::Unknown).and_then(|passkey| signed.check(&passkey));
        let why = match checked {
            Ok(counter) => {
                let (name, credential) = (name.clone(), signed.credential.clone());
                match self.audit.note(Event::PasskeyUsed { name, credential, counter, door }, clock::now()).await {
                    Ok(_) => return Ok(()),
                    // Another copy of it came at the same time.
                    Err(AuditError::AlreadyConsumed) => BadAssertion::Counter,
                    Err(AuditError::Unknown) => BadAssertion::Unknown,
                    Err(error) => return Err(error.into()),
                }
            }
            Err(why) => why,
        };
        // What only a copy of a key can bring about is always recorded; of the rest a few a second.
        let copied = why == BadAssertion::Counter;
        let counted = || self.unsigned.counted(&why.to_string(), clock::now());
        let reason = if copied { Some(why.to_string()) } else { counted() };
        if let Some(reason) = reason {
            let event = Event::PasskeyRefused { name: name.clone(), door, reason };
            self.audit.note(event, clock::now()).await?;
        }
        Err(Refused::Passkey { why })
    }
}

/// Until when no PIN is looked at.
fn locked(failures: Failures, now: Timestamp) -> Option<Timestamp> {
    let over = failures.count.checked_sub(FREE_FAILURES)?;
    let wait = FIRST_WAIT.checked_mul(1_i32.checked_shl(over.min(20)).unwrap_or(i32::MAX)).unwrap_or(LONGEST_WAIT);
    let until = failures.last?.checked_add(wait.min(LONGEST_WAIT)).ok()?;
    (now < until).then_some(until)
}

/// The slow hash, where nobody waits behind it.
pub(in crate::operator) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refused> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Refused::Busy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_after_the_free_ones_doubles_the_wait_up_to_an_hour() {
        let noon: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let wait = |count| {
            locked(Failures { count, last: Some(noon) }, noon).map(|until| until.duration_since(noon).as_secs())
        };
        assert_eq!(
            [0, 4, 5, 6, 7, 12, 40, u32::MAX].map(wait),
            [None, None, Some(30), Some(60), Some(120), Some(3600), Some(3600), Some(3600)]
        );
        let failures = Failures { count: 5, last: Some(noon) };
        assert_eq!(locked(failures, noon + SignedDuration::from_secs(30)), None);
    }
}
