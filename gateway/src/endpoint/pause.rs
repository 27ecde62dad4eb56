//! How long whoever did not take something is left alone, and how that is told.

use std::time::Duration;

/// After the first failure; then twice as long each time.
const FIRST: Duration = Duration::from_secs(1);

/// Longer than this, a hold would be over before it is tried again.
const LONGEST: Duration = Duration::from_mins(1);

/// Who wants to be left alone for longer is not obeyed: holds would be denied because nobody heard of them, and a collector that
/// says a year by mistake would be without records for a year.
pub(crate) const QUIET: Duration = Duration::from_mins(5);

/// Between half and all of twice as long each time: those that failed together do not come back together.
pub(crate) fn after(failures: u32, chance: u16) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let whole = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    whole.mul_f64(0.5 + 0.5 * f64::from(chance) / f64::from(u16::MAX))
}

/// An error with all its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_grows_to_a_bound_and_is_never_the_same_for_all() {
        assert_eq!(after(1, u16::MAX), FIRST);
        assert_eq!(after(1, 0), FIRST / 2);
        assert_eq!(after(4, u16::MAX), FIRST * 8);
        for failures in [7, 20, u32::MAX] {
            assert_eq!(after(failures, u16::MAX), LONGEST);
        }
    }
}
