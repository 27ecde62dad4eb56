//! Placeholders: what a tool is given in a secret's stead, and where it must not turn up.
//!
//! After everything was placed into a request, none is left where one belongs: the edge has set that part anew. One that is
//! still there was sent where it must not go.

use policies::profile::{Resources, Way};
use ring::rand::{SecureRandom, SystemRandom};

/// Every placeholder begins with this; 32 hexadecimal digits follow.
const BEGINNING: &str = "placeholder-";
const DIGITS: usize = 32;

/// The longest part of a placeholder that is none yet.
const PART: usize = BEGINNING.len() + DIGITS - 1;

/// A new one, of no use to anyone.
pub(crate) fn new() -> String {
    let mut random = [0; DIGITS / 2];
    // Without randomness it is still no secret, and found where it must not be.
    if SystemRandom::new().fill(&mut random).is_err() {
        tracing::error!("the system gives no randomness");
    }
    let number = random.iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    format!("{BEGINNING}{number:032x}")
}

/// The variables that hold one, each with a new one.
pub(crate) fn variables(resources: &Resources) -> Vec<(String, String)> {
    let variable = |way: &Way| match way {
        Way::Edge { placeholder, .. } => Some((placeholder.clone()?, new())),
        Way::File { .. } | Way::Stdin { .. } | Way::Environment { .. } => None,
    };
    resources.secrets.iter().filter_map(|placement| variable(&placement.way)).collect()
}

/// Whether there is one in these bytes, in any case of its letters.
pub(super) fn is_in(bytes: &[u8]) -> bool {
    let lower = bytes.to_ascii_lowercase();
    memchr::memmem::find_iter(&lower, BEGINNING).any(|at| {
        let rest = lower.get(at + BEGINNING.len()..).unwrap_or_default();
        rest.len() >= DIGITS && rest.iter().take(DIGITS).all(u8::is_ascii_hexdigit)
    })
}

/// Looks for one in bytes that arrive in pieces.
#[derive(Default)]
pub(super) struct Watch(Vec<u8>);

impl Watch {
    /// Whether one ends in this piece.
    pub(super) fn sees(&mut self, piece: &[u8]) -> bool {
        self.0.extend_from_slice(piece);
        let found = is_in(&self.0);
        self.0.drain(..self.0.len().saturating_sub(PART));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_is_found_however_it_is_cut() {
        let whole = format!("x={}&y", new());
        for cut in 1..whole.len() {
            let mut watch = Watch::default();
            assert!(whole.as_bytes().chunks(cut).fold(false, |seen, piece| watch.sees(piece) | seen), "cut at {cut}");
        }
        assert!(is_in(whole.to_uppercase().as_bytes()) && !is_in(b"placeholder-text, placeholder-0123"));
    }
}
