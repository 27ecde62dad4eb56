//! `Pkcs11Error`: why a key on a token cannot be used, and what to do.

use cryptoki::error::{Error, RvError};
use thiserror::Error;

/// Why a key on a token cannot be used. Each says all of it in one line, as it stands in the gateway's log alone, and nothing
/// of the PIN. Copied, so that whoever asks again soon is told the same without asking the token.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Pkcs11Error {
    /// The module cannot be loaded.
    #[error(
        "cannot load the PKCS#11 module `{path}`: {why}; is the token's software installed, and `pkcs11` its path?"
    )]
    Module {
        /// Where it was looked for.
        path: String,
        /// What the loader said.
        why: String,
    },
    /// No such token.
    #[error("there is no token `{wanted}`: the module shows {found}; is it plugged in, and its service running?")]
    NoToken {
        /// By label or serial.
        wanted: String,
        /// The labels that there are.
        found: String,
    },
    /// More than one.
    #[error("several tokens are called `{0}`: name one by its `serial` instead")]
    SeveralTokens(String),
    /// The token refused the PIN.
    #[error(
        "the token refuses the PIN ({0}); it is not tried again until the next start, as a token locks itself after a few"
    )]
    PinRefused(String),
    /// The login failed for another reason, as the token says; a wrong PIN is one that some tokens say so of.
    #[error(
        "the token answers `{0}` to the login, which some say of a wrong PIN; it is not tried again until the next start, as a token locks itself after a few"
    )]
    LoginFailed(String),
    /// One more wrong PIN would lock it, or has.
    #[error(
        "the token is locked, or one wrong PIN away from it: log in with its own tools first (with them, a right PIN resets the count)"
    )]
    PinLocked,
    /// A wrong PIN was the last that it was told.
    #[error(
        "the token was told a wrong PIN last, so none is tried: correct it, and start the gateway, which tries it once"
    )]
    PinDoubtful,
    /// The PIN cannot be read.
    #[error("the token's PIN is not to be had: {0}")]
    NoPin(String),
    /// No such key.
    #[error("the token holds no Ed25519 {0} (CKK_EC_EDWARDS) of that label: `portcullis log key make` makes one")]
    NoKey(&'static str),
    /// More than one.
    #[error("the token holds several Ed25519 keys of that label: give one of them another label")]
    SeveralKeys,
    /// There is one already.
    #[error("the token holds a key of that label already, which is left as it is: choose another label")]
    Exists,
    /// The private key can be taken from the token.
    #[error(
        "the token gives this private key away (CKA_EXTRACTABLE and CKA_SENSITIVE are `{extractable}` and `{sensitive}`, wanted `false` and `true`): \
         make another under another label by `portcullis log key make`"
    )]
    Readable {
        /// Whether it can be wrapped and taken along; nothing where the token does not say.
        extractable: &'static str,
        /// Whether it is shown to nobody.
        sensitive: &'static str,
    },
    /// The public key is none of Ed25519.
    #[error("the token's public key is not one of Ed25519: CKA_EC_POINT is not 32 bytes in a DER octet string")]
    Point,
    /// Another token under the same label than at the start.
    #[error(
        "the token of this label is another one than at the start (its serial is `{found}`, wanted `{wanted}`), and is told no PIN: \
         restart the gateway if it is to sign"
    )]
    AnotherToken {
        /// Its serial.
        found: String,
        /// The serial at the start.
        wanted: String,
    },
    /// Another key under the same name than at the start.
    #[error("the token holds another key under this label than the one that signs this log: it was replaced")]
    AnotherKey,
    /// What it signs with is not what its public key says.
    #[error("the token's signature is wrong: it does not fit its public key, and is not used")]
    Wrong,
    /// The token, or its module, refused.
    #[error("the token answered `{answer}` to `{asked}`")]
    Token {
        /// The PKCS#11 function.
        asked: String,
        /// The PKCS#11 error.
        answer: String,
    },
    /// No answer in time.
    #[error("the token did not answer in time")]
    Late,
    /// The thread that speaks to it has ended.
    #[error("nobody speaks to the token any more: restart the gateway")]
    Gone,
    /// The thread cannot be started.
    #[error("cannot start the thread of the token: {0}")]
    Thread(String),
}

impl Pkcs11Error {
    /// Whether trying again would cost one of the few tries that a token allows.
    pub(super) fn is_about_the_pin(&self) -> bool {
        matches!(self, Self::PinRefused(_) | Self::LoginFailed(_) | Self::PinLocked)
    }

    /// INVARIANT: a login that failed is about the PIN, unless the token cannot have looked at it. Modules say a wrong PIN by
    /// `CKR_GENERAL_ERROR`, `CKR_FUNCTION_FAILED` or a code of their own, too, and a token that is asked again and again locks
    /// itself.
    pub(super) fn of_login(error: Error) -> Self {
        let refused = [
            RvError::PinIncorrect,
            RvError::PinInvalid,
            RvError::PinLenRange,
            RvError::PinExpired,
            RvError::PinLocked,
            RvError::UserPinNotInitialized,
        ];
        let absent = [
            RvError::TokenNotPresent,
            RvError::DeviceRemoved,
            RvError::SessionClosed,
            RvError::SessionHandleInvalid,
            RvError::CryptokiNotInitialized,
        ];
        let Error::Pkcs11(answer, _) = error else { return Self::LoginFailed(error.to_string()) };
        if absent.contains(&answer) {
            return error.into();
        }
        let said = format!("{answer:?}");
        if refused.contains(&answer) { Self::PinRefused(said) } else { Self::LoginFailed(said) }
    }
}

impl From<Error> for Pkcs11Error {
    fn from(error: Error) -> Self {
        if let Error::Pkcs11(answer, asked) = error {
            return Self::Token { asked: format!("{asked:?}"), answer: format!("{answer:?}") };
        }
        Self::Token { asked: "its module".to_owned(), answer: error.to_string() }
    }
}
