//! `Sealer`: text that passes through an agent's hands and comes back unread and unchanged.
//!
//! `requestState` and `Mcp-Session-Id` are the agent's to keep and therefore the attacker's to change: they are sealed
//! with AES-256-GCM, bound to their purpose and their agent, and carry their own expiry.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use policies::AgentId;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock;

/// What a seal is for; a seal made for one purpose opens for no other.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// `requestState` of an `input_required` answer.
    RequestState,
    /// `Mcp-Session-Id` of a legacy client.
    Session,
}

/// Seals and opens with one key.
pub struct Sealer {
    key: LessSafeKey,
}

#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    expires: Timestamp,
    content: T,
}

impl Sealer {
    /// The key in `folder/request.key`, made on first use: a client may come back after a restart.
    ///
    /// # Errors
    /// If the file cannot be read or made, or has not the right length.
    pub fn load(folder: &Path) -> io::Result<Self> {
        let path = folder.join("request.key");
        let key = match fs::read(&path) {
            Ok(key) => key,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = clock::random::<32>();
                let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
                file.write_all(&key)?;
                file.sync_all()?;
                key.to_vec()
            }
            Err(error) => return Err(error),
        };
        let key = UnboundKey::new(&AES_256_GCM, &key)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "request.key does not hold 32 bytes; remove it"))?;
        Ok(Self { key: LessSafeKey::new(key) })
    }

    /// Seals for this purpose and agent until then. 96-bit random nonces: at a million seals a day the chance that two
    /// are equal stays under 2⁻³² for years.
    #[must_use]
    pub fn seal<T: Serialize>(
        &self,
        purpose: Purpose,
        agent: &AgentId,
        expires: Timestamp,
        content: &T,
    ) -> Option<String> {
        let nonce = clock::random::<12>();
        let mut text = serde_json::to_vec(&Sealed { expires, content }).ok()?;
        self.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad(purpose, agent), &mut text).ok()?;
        Some(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &text].concat()))
    }

    /// Opens what was sealed for this purpose and agent, unless it is forged or expired.
    #[must_use]
    pub fn open<T: DeserializeOwned>(
        &self,
        purpose: Purpose,
        agent: &AgentId,
        now: Timestamp,
        sealed: &str,
    ) -> Option<T> {
        let mut bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, text) = bytes.split_at_mut_checked(12)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let text = self.key.open_in_place(nonce, aad(purpose, agent), text).ok()?;
        let opened: Sealed<T> = serde_json::from_slice(text).ok()?;
        (now < opened.expires).then_some(opened.content)
    }
}

fn aad(purpose: Purpose, agent: &AgentId) -> Aad<Vec<u8>> {
    let purpose = match purpose {
        Purpose::RequestState => "request-state",
        Purpose::Session => "session",
    };
    Aad::from(format!("portcullis/1 {purpose} {agent}").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_opens_only_for_its_purpose_its_agent_and_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let sealer = Sealer::load(folder.path()).unwrap();
        let (ann, bob) = (AgentId::authenticated("ann"), AgentId::authenticated("bob"));
        let (now, later) = (Timestamp::from_second(100).unwrap(), Timestamp::from_second(200).unwrap());
        let sealed = sealer.seal(Purpose::RequestState, &ann, later, &7).unwrap();
        let open = |purpose, agent, now, text: &str| {
            Sealer::load(folder.path()).unwrap().open::<i32>(purpose, agent, now, text)
        };
        assert_eq!(open(Purpose::RequestState, &ann, now, &sealed), Some(7));
        assert_eq!(open(Purpose::Session, &ann, now, &sealed), None);
        assert_eq!(open(Purpose::RequestState, &bob, now, &sealed), None);
        assert_eq!(open(Purpose::RequestState, &ann, later, &sealed), None);
        for at in 0..sealed.len() {
            let mut forged = sealed.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(open(Purpose::RequestState, &ann, now, std::str::from_utf8(&forged).unwrap()), None, "{at}");
        }
    }
}
