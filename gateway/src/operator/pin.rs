//! `Pin`: what a person types to prove who they are, and how it is checked.

use std::num::NonZeroU32;

use audit::Verifier;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::pbkdf2;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::clock;

/// What a person typed.
pub struct Pin(Zeroizing<String>);

/// Why a text cannot become a PIN.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BadPin {
    /// Whoever finds the database could try them all.
    #[error("a PIN has at least {SHORTEST} characters")]
    Short,
    /// A slow hash over megabytes would be a way to stop the gateway.
    #[error("a PIN has at most {LONGEST} bytes")]
    Long,
    /// What is tried first.
    #[error("one character over and over, or digits in a row, are tried first")]
    Plain,
}

/// Six digits against a lock that opens for a try an hour hold out for a lifetime.
const SHORTEST: usize = 6;
const LONGEST: usize = 256;

/// What OWASP asks of PBKDF2 with SHA-256: about a fifth of a second.
const ROUNDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(599_999);

/// A verifier that asks for more is not ours: it would be a way to stop the gateway.
const MOST_ROUNDS: u32 = 10_000_000;

const SCHEME: &str = "pbkdf2-sha256";
const ALGORITHM: pbkdf2::Algorithm = pbkdf2::PBKDF2_HMAC_SHA256;

impl Pin {
    /// As it was typed, to be checked.
    #[must_use]
    pub fn typed(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// A PIN that is to be set.
    ///
    /// # Errors
    /// [`BadPin`] if it is too easy to find.
    pub fn chosen(text: impl Into<String>) -> Result<Self, BadPin> {
        let pin = Self::typed(text);
        let characters: Vec<u32> = pin.0.chars().map(u32::from).collect();
        let row = |step: i64| {
            characters.windows(2).all(|pair| matches!(pair, [a, b] if i64::from(*b) - i64::from(*a) == step))
        };
        match characters.len() {
            short if short < SHORTEST => Err(BadPin::Short),
            _ if pin.0.len() > LONGEST => Err(BadPin::Long),
            _ if [-1, 0, 1].into_iter().any(row) => Err(BadPin::Plain),
            _ => Ok(pin),
        }
    }

    /// What is kept of it. Slow on purpose: not for a thread that others wait for.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        self.verifier_of(ROUNDS)
    }

    /// Tests add many operators, and have no time to lose.
    #[cfg(test)]
    pub(crate) fn quick_verifier(&self) -> Verifier {
        self.verifier_of(NonZeroU32::MIN)
    }

    fn verifier_of(&self, rounds: NonZeroU32) -> Verifier {
        let (salt, mut hash) = (clock::random::<16>(), [0; 32]);
        pbkdf2::derive(ALGORITHM, rounds, &salt, self.0.as_bytes(), &mut hash);
        let [salt, hash] = [&salt[..], &hash].map(|bytes| STANDARD_NO_PAD.encode(bytes));
        Verifier::new(format!("{SCHEME}${rounds}${salt}${hash}"))
    }

    /// Whether it is the one that the verifier was made of; the time it takes does not depend on how near it is. Slow on
    /// purpose.
    #[must_use]
    pub fn matches(&self, verifier: &Verifier) -> bool {
        let Some((rounds, salt, hash)) = parts(verifier) else { return false };
        self.0.len() <= LONGEST && pbkdf2::verify(ALGORITHM, rounds, &salt, self.0.as_bytes(), &hash).is_ok()
    }

    /// Takes as long as a check against a real one: whether a name is known must not show.
    pub fn matches_nothing(&self) {
        let mut hash = [0; 32];
        let length = self.0.len().min(LONGEST);
        pbkdf2::derive(ALGORITHM, ROUNDS, &[0; 16], self.0.as_bytes().get(..length).unwrap_or_default(), &mut hash);
        std::hint::black_box(hash);
    }
}

fn parts(verifier: &Verifier) -> Option<(NonZeroU32, Vec<u8>, Vec<u8>)> {
    let mut parts = verifier.as_str().split('$');
    let scheme = parts.next().filter(|scheme| *scheme == SCHEME);
    let rounds = parts.next()?.parse().ok().filter(|rounds: &NonZeroU32| rounds.get() <= MOST_ROUNDS)?;
    let (salt, hash) = (parts.next()?, parts.next()?);
    scheme?;
    let decode = |text| STANDARD_NO_PAD.decode(text).ok();
    parts.next().is_none().then_some((rounds, decode(salt)?, decode(hash)?)).filter(|(_, _, hash)| hash.len() == 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_matches_its_own_verifier_and_no_other() {
        let pin = Pin::chosen("correct 7").unwrap();
        let (one, other) = (pin.verifier(), pin.verifier());
        assert_ne!(one, other, "one salt for two verifiers");
        assert!(pin.matches(&one) && pin.matches(&other));
        assert!(!Pin::typed("correct 8").matches(&one));
        assert!(!one.as_str().contains("correct"));
        assert_eq!(format!("{one:?}"), "Verifier");
    }

    #[test]
    fn a_broken_verifier_matches_nothing() {
        for broken in
            ["", "pbkdf2-sha256$0$AA$AA", "pbkdf2-sha256$1$AA$", "md5$1$AA$AA", "pbkdf2-sha256$4000000000$AA$AA"]
        {
            assert!(!Pin::typed("").matches(&Verifier::new(broken.to_owned())), "{broken}");
        }
    }

    #[test]
    fn what_is_tried_first_is_no_pin() {
        for (text, why) in [
            ("12345", BadPin::Short),
            ("111111", BadPin::Plain),
            ("123456789", BadPin::Plain),
            ("987654", BadPin::Plain),
            ("abcdef", BadPin::Plain),
            (&"ab".repeat(200), BadPin::Long),
        ] {
            assert_eq!(Pin::chosen(text).err(), Some(why), "{text}");
        }
        assert!(Pin::chosen("294017").is_ok());
    }
}
