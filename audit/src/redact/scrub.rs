//! `Scrub`: replaces live secrets, and nothing else, in bytes that arrive in pieces: what a server sends back to a tool.

use std::sync::Arc;

use super::live::Work;
use super::span::TAG;
use super::{LIVE, Redactor, Withheld};

/// Bytes that arrive in pieces. Once it is withheld, nothing more comes out.
pub struct Scrub {
    redactor: Arc<Redactor>,
    held: Vec<u8>,
    found: u64,
    withheld: bool,
}

/// What is held back: an encoded secret is shorter.
const WINDOW: usize = 8 << 10;

impl Scrub {
    pub(super) fn new(redactor: Arc<Redactor>) -> Self {
        Self { redactor, held: Vec::new(), found: 0, withheld: false }
    }

    /// Takes a piece; gives what can be passed on by now, which may be nothing.
    ///
    /// # Errors
    /// The bytes could not be searched within their bounds.
    pub fn push(&mut self, piece: &[u8]) -> Result<Vec<u8>, Withheld> {
        self.held.extend_from_slice(piece);
        // Twice the window, so that no byte is searched more than twice.
        if self.held.len() < 2 * WINDOW { self.guard(Ok(Vec::new())) } else { self.release(WINDOW) }
    }

    /// Gives what is held back: nothing follows.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish(&mut self) -> Result<Vec<u8>, Withheld> {
        self.release(0)
    }

    /// How many secrets were replaced so far.
    #[must_use]
    pub fn found(&self) -> u64 {
        self.found
    }

    fn release(&mut self, keep: usize) -> Result<Vec<u8>, Withheld> {
        let hits = self.redactor.live.find(&self.held, &mut Work::for_text(self.held.len())).map_err(|_| Withheld);
        let passed = hits.map(|hits| {
            let most = self.held.len().saturating_sub(keep);
            let across = hits.iter().filter(|hit| hit.start < most && most < hit.end).map(|hit| hit.start);
            let end = across.min().unwrap_or(most);
            let (mut passed, mut from) = (Vec::with_capacity(end), 0);
            for hit in hits.iter().filter(|hit| hit.end <= end) {
                passed.extend_from_slice(self.held.get(from..hit.start).unwrap_or_default());
                let print = u16::from_be_bytes(hit.print);
                passed.extend_from_slice(format!("{TAG}{LIVE}:{print:04x}]").as_bytes());
                (from, self.found) = (hit.end, self.found + 1);
            }
            passed.extend_from_slice(self.held.get(from..end).unwrap_or_default());
            self.held.drain(..end);
            passed
        });
        self.guard(passed)
    }

    fn guard(&mut self, passed: Result<Vec<u8>, Withheld>) -> Result<Vec<u8>, Withheld> {
        self.withheld |= passed.is_err();
        if self.withheld {
            self.held.clear();
            return Err(Withheld);
        }
        passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_bytes_is_replaced_however_they_are_cut() {
        let redactor = Arc::new(Redactor::new(&[7; 32]));
        let _known = redactor.learn(b"s3cr3t-of-a-test-42");
        let mut bytes = vec![0xff; 20_000];
        bytes.extend_from_slice(b"s3cr3t-of-a-test-42 czNjcjN0LW9mLWEtdGVzdC00Mg==");
        bytes.extend_from_slice(&vec![0xfe; 20_000]);
        for cut in [1, 7, 8191, 8192, 50_000] {
            let mut scrub = redactor.scrub();
            let mut out = Vec::new();
            for piece in bytes.chunks(cut) {
                out.extend(scrub.push(piece).unwrap());
            }
            out.extend(scrub.finish().unwrap());
            let shown = String::from_utf8_lossy(&out);
            assert!(!shown.contains("s3cr3t") && !shown.contains("czNjcjN0"), "cut at {cut}");
            assert!(scrub.found() >= 1 && out.starts_with(&vec![0xff; 20_000]) && out.ends_with(&vec![0xfe; 20_000]));
        }
    }
}
