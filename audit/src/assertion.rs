//! `Assertion`: what an authenticator signs for a person, and whether it is what was asked for.
//!
//! ```text
//! signed = authenticatorData ‖ SHA-256(clientDataJSON)
//!          └ SHA-256(site) ‖ flags ‖ counter     └ {"type","challenge","origin",…}, as the browser writes it
//! ```
//!
//! The same code looks at an assertion when it comes and, years later, at the one in the log: see `verify`.

mod challenge;
mod key;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use policies::{Hash, Limits, Value};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use challenge::{Act, Decision, Nonce, Request, sign_in_challenge};
pub use key::{BadPublicKey, PublicKey};

/// An authenticator's signature with what it is over, each as the browser writes it: base64url without padding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// What the authenticator says: for which site, whether somebody was there and proved it, and its count.
    pub authenticator_data: String,
    /// What the browser says: to which challenge, on which page.
    pub client_data: String,
    /// The signature over both.
    pub signature: String,
}

/// What an assertion must be about.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The challenge that was given.
    pub challenge: Hash,
    /// The site that the key was made for.
    pub site: &'a str,
    /// The page's origin; `None` for whoever looks later, and knows the site alone.
    pub origin: Option<&'a str>,
}

/// Why an assertion proves nothing.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BadAssertion {
    /// A part is too long, or cannot be read.
    #[error("its {0} cannot be read")]
    Form(&'static str),
    /// It was made for something else, such as a registration.
    #[error("it is not one to sign with (`type`)")]
    Type,
    /// It answers another question, or the same one of another time.
    #[error("it answers another challenge")]
    Challenge,
    /// Another page asked for it.
    #[error("a page of another origin asked for it")]
    Origin,
    /// A page within another site's page asked for it.
    #[error("a page in another site's frame asked for it")]
    Framed,
    /// The authenticator was told another site.
    #[error("it is for another site")]
    Site,
    /// Nobody touched the authenticator.
    #[error("nobody was at the authenticator")]
    Presence,
    /// The authenticator did not see who was there.
    #[error("the authenticator did not verify who was at it")]
    Verification,
    /// Its signature is not the key's, or is over something else.
    #[error("its signature is not this key's")]
    Signature,
    /// The authenticator has counted further: somebody has a copy of the key, or this is an old assertion.
    #[error("its counter went back: the key may have been copied")]
    Counter,
    /// The operator has no such key.
    #[error("the operator has no such passkey")]
    Unknown,
}

/// Some 37 bytes and extensions; some hundred bytes of JSON; an RSA signature of 8192 bits.
const LONGEST: usize = 4096;

/// `authenticatorData` without extensions: hash, flags, counter.
const SHORTEST: usize = 37;

const PRESENT: u8 = 1;
const VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const ATTESTED: u8 = 1 << 6;
const EXTENDED: u8 = 1 << 7;

impl Assertion {
    /// Whether the key signed this and nothing else; answers the authenticator's count.
    ///
    /// # Errors
    /// [`BadAssertion`] names what is not so.
    pub fn check(&self, key: &PublicKey, asked: &Asked<'_>) -> Result<u32, BadAssertion> {
        let authenticator = decoded(&self.authenticator_data, "authenticator data")?;
        let client = decoded(&self.client_data, "client data")?;
        let signature = decoded(&self.signature, "signature")?;
        // What is not signed is not believed: the signature is looked at last only so that a refusal names the field.
        said_by_browser(&client, asked)?;
        let counter = said_by_authenticator(&authenticator, asked.site)?;
        let signed = [authenticator.as_slice(), digest(&SHA256, &client).as_ref()].concat();
        if key.verifies(&signed, &signature) { Ok(counter) } else { Err(BadAssertion::Signature) }
    }
}

/// Whether an authenticator that has shown one count may show the other. Those that do not count always say 0.
///
/// # Errors
/// [`BadAssertion::Counter`].
pub fn counted(before: u32, now: u32) -> Result<(), BadAssertion> {
    if now > before || (now == 0 && before == 0) { Ok(()) } else { Err(BadAssertion::Counter) }
}

/// The count that authenticator data say, which nothing has checked.
pub(crate) fn count(authenticator_data: &str) -> Option<u32> {
    let data = decoded(authenticator_data, "authenticator data").ok()?;
    let (head, _) = data.split_first_chunk::<SHORTEST>()?;
    head.last_chunk().map(|count| u32::from_be_bytes(*count))
}

fn decoded(text: &str, part: &'static str) -> Result<Vec<u8>, BadAssertion> {
    if text.len() > LONGEST {
        return Err(BadAssertion::Form(part));
    }
    URL_SAFE_NO_PAD.decode(text).map_err(|_| BadAssertion::Form(part))
}

fn said_by_browser(client: &[u8], asked: &Asked<'_>) -> Result<(), BadAssertion> {
    // Equal keys are refused: two readers of one text must not differ.
    let said = Value::parse(client, &Limits::ANSWER).map_err(|_| BadAssertion::Form("client data"))?;
    let text = |name: &str| said.get(name).and_then(Value::as_str);
    if text("type") != Some("webauthn.get") {
        return Err(BadAssertion::Type);
    }
    if text("challenge") != Some(URL_SAFE_NO_PAD.encode(asked.challenge.as_bytes()).as_str()) {
        return Err(BadAssertion::Challenge);
    }
    let origin = text("origin").ok_or(BadAssertion::Origin)?;
    if asked.origin.is_some_and(|asked| asked != origin) || host(origin) != Some(asked.site) {
        return Err(BadAssertion::Origin);
    }
    let framed = said.get("crossOrigin").is_some_and(|framed| framed.as_bool() != Some(false));
    if framed || said.get("topOrigin").is_some() { Err(BadAssertion::Framed) } else { Ok(()) }
}

/// The host of an origin that a browser keeps passkeys for.
fn host(origin: &str) -> Option<&str> {
    let (scheme, rest) = origin.split_once("://")?;
    let (host, port) = rest.split_once(':').unwrap_or((rest, ""));
    let secure = scheme == "https" || (scheme == "http" && host == "localhost");
    (secure && port.bytes().all(|byte| byte.is_ascii_digit())).then_some(host)
}

fn said_by_authenticator(data: &[u8], site: &str) -> Result<u32, BadAssertion> {
    const FORM: BadAssertion = BadAssertion::Form("authenticator data");
    let (head, rest) = data.split_first_chunk::<SHORTEST>().ok_or(FORM)?;
    let (hash, head) = head.split_first_chunk::<32>().ok_or(FORM)?;
    let (flags, counter) = head.split_first().ok_or(FORM)?;
    let counter = <[u8; 4]>::try_from(counter).map(u32::from_be_bytes).map_err(|_| FORM)?;
    let has = |flag: u8| flags & flag != 0;
    if digest(&SHA256, site.as_bytes()).as_ref() != hash {
        return Err(BadAssertion::Site);
    }
    if !has(PRESENT) {
        return Err(BadAssertion::Presence);
    }
    if !has(VERIFIED) {
        return Err(BadAssertion::Verification);
    }
    // A key's own data belongs to its registration; what follows without a flag that announces it is not of the form.
    if has(ATTESTED) || has(EXTENDED) == rest.is_empty() || (has(BACKED_UP) && !has(BACKUP_ELIGIBLE)) {
        return Err(FORM);
    }
    Ok(counter)
}

#[cfg(test)]
mod tests;
