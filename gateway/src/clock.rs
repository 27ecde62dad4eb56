//! The only place that reads the clock and the system's randomness; everything else is handed what it needs.

use jiff::Timestamp;
use policies::{CallId, HoldId};
use ring::rand::{SecureRandom, SystemRandom};

/// The time now.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// Random bytes from the system.
///
/// # Panics
/// If the system has no randomness: no id or key can be made, and nothing may go on without.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::expect_used, reason = "an id that can be guessed is worse than a gateway that stops")]
    SystemRandom::new().fill(&mut bytes).expect("the system has randomness");
    bytes
}

/// A new call's id.
#[must_use]
pub fn call_id() -> CallId {
    CallId::from_random(random())
}

/// A new hold's id.
#[must_use]
pub fn hold_id() -> HoldId {
    HoldId::from_random(random())
}
