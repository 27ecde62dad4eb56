//! `Limits`: what one server may cost.

use std::time::Duration;

use audit::{Failure, FailureKind};
use policies::Limits as JsonLimits;

/// What one server may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// From start to greeting. Long, because `npx` and `uvx` may fetch a package first.
    pub(crate) start: Duration,
    /// The longest call.
    pub(crate) call: Duration,
    /// The longest message, in bytes.
    pub(crate) answer: usize,
    /// The most requests at once. One more is refused, not queued.
    pub(crate) in_flight: usize,
}

impl Limits {
    pub(crate) const DEFAULT: Self = Self {
        start: Duration::from_mins(1),
        call: Duration::from_mins(5),
        answer: JsonLimits::ANSWER.bytes,
        in_flight: 64,
    };

    /// What one message may cost to read.
    pub(crate) fn json(&self) -> JsonLimits {
        JsonLimits { bytes: self.answer, ..JsonLimits::ANSWER }
    }

    /// What a tool's output over the limit is to its call.
    pub(crate) fn too_large(&self) -> Failure {
        let most = match self.answer {
            0..1_048_576 => format!("{} KiB", self.answer >> 10),
            _ => format!("{} MiB", self.answer >> 20),
        };
        Failure { kind: FailureKind::TooLarge, detail: format!("the tool's output is over {most}") }
    }
}

/// How long anything is tried that nobody waits for: a cancellation, a reply, the end of a session.
pub(crate) const ASIDE: Duration = Duration::from_secs(5);
