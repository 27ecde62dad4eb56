//! `Work`: how much may be read and for how long, so that no answer can keep the redactor busy.

use std::time::{Duration, Instant};

/// What one redaction may cost.
#[derive(Debug)]
pub(in crate::redact) struct Work {
    bytes: usize,
    until: Instant,
}

/// The work was more than it may be: what was to be redacted is withheld.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::redact) struct OutOfWork;

/// Bytes that may always be read: a compressed megabyte of zeros is a gigabyte, and this is what is read of it.
const LEAST: usize = 48 << 20;

/// Every byte may be read this often: the text, its joined and unescaped readings, and what is encoded in them, encoded
/// again.
const READINGS: usize = 24;

/// The longest time, for a machine that has others to serve.
const TIME: Duration = Duration::from_secs(10);

impl Work {
    /// For a text of this length.
    pub(in crate::redact) fn for_text(length: usize) -> Self {
        Self { bytes: LEAST.max(length.saturating_mul(READINGS)), until: Instant::now() + TIME }
    }

    /// Before that many bytes are read.
    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), OutOfWork> {
        // Small pieces are many: they do not ask the clock.
        if bytes > ASK && Instant::now() > self.until {
            return Err(OutOfWork);
        }
        // A piece costs its handling even if it is short.
        self.bytes = self.bytes.checked_sub(bytes + PIECE).ok_or(OutOfWork)?;
        Ok(())
    }

    /// What may still be read.
    pub(super) fn left(&self) -> usize {
        self.bytes
    }
}

const ASK: usize = 4 << 10;
const PIECE: usize = 32;

#[cfg(test)]
impl Work {
    pub(in crate::redact) fn of(bytes: usize) -> Self {
        Self { bytes, until: Instant::now() + TIME }
    }
}
