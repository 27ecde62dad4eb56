//! `Stream`: redacts what arrives in pieces, and holds back only as much as a secret could still be split over.

use std::sync::Arc;

use super::{Finding, Redactor, Withheld};

/// Text that arrives in pieces: a tool's standard error, its progress.
pub struct Stream {
    redactor: Arc<Redactor>,
    held: String,
    withheld: bool,
}

/// What is held back, in bytes: an encoded secret and what it is spread over is shorter.
const WINDOW: usize = 8 << 10;

impl Stream {
    pub(super) fn new(redactor: Arc<Redactor>) -> Self {
        Self { redactor, held: String::new(), withheld: false }
    }

    /// Takes a piece; gives what can be shown by now, which may be nothing. Once it is withheld, nothing more is shown.
    ///
    /// # Errors
    ///
    /// The text could not be searched within its bounds.
    pub fn push(&mut self, piece: &str) -> Result<String, Withheld> {
        self.held.push_str(piece);
        // Twice the window, so that no byte is searched more than twice.
        if self.held.len() < 2 * WINDOW { self.guard(Ok(String::new())) } else { self.release(WINDOW) }
    }

    /// Gives what is held back: nothing follows, or nothing for so long that no one splits a secret over the pause.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    pub fn flush(&mut self) -> Result<String, Withheld> {
        self.release(0)
    }

    /// Shows all but so many bytes of the end, and whatever of a finding reaches into those.
    fn release(&mut self, keep: usize) -> Result<String, Withheld> {
        let found = self.redactor.find(&self.held);
        let shown = found.map(|found| {
            let end = self.end(self.held.len().saturating_sub(keep), &found);
            let rest = self.held.split_off(end);
            let shown = std::mem::replace(&mut self.held, rest);
            self.redactor.replaced(&shown, found.iter().filter(|finding| finding.end <= end))
        });
        self.guard(shown)
    }

    fn end(&self, most: usize, found: &[Finding]) -> usize {
        let whole =
            found.iter().filter(|finding| finding.start < most && most < finding.end).map(|finding| finding.start);
        let end = whole.min().unwrap_or(most);
        (0..=end).rev().find(|end| self.held.is_char_boundary(*end)).unwrap_or(0)
    }

    fn guard(&mut self, shown: Result<String, Withheld>) -> Result<String, Withheld> {
        self.withheld |= shown.is_err();
        if self.withheld {
            self.held.clear();
            return Err(Withheld);
        }
        shown
    }
}
