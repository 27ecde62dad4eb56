//! What SOPS writes as JSON: each value `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`, bound to its path, and one MAC over all.

use std::fmt::Write as _;

use aes_gcm::aead::consts::{U16, U32};
use aes_gcm::aead::{AeadInPlace as _, KeyInit as _};
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, Nonce, Tag};
use age::x25519::Identity;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use policies::{Object, Value};
use ring::digest::{Context, SHA256, SHA512, digest};
use zeroize::Zeroizing;

use super::SopsError;

/// SOPS takes nonces of 32 bytes.
type Cipher = AesGcm<Aes256, U32, U16>;

/// The document without its encryption, and when it was written. It is what SOPS wrote, or an error.
pub(super) fn decrypt(sealed: &Value, identities: &[Identity]) -> Result<(Value, String), SopsError> {
    let about = sealed.get("sops").ok_or(SopsError::Form("it has no `sops` part"))?;
    if about.get("key_groups").is_some() || about.get("shamir_threshold").and_then(Value::as_u64).unwrap_or(0) > 0 {
        return Err(SopsError::NeedsProgram("its key is shared among groups"));
    }
    let cipher = Cipher::new_from_slice(&data_key(about, identities)?).map_err(|_| SopsError::Form("its key"))?;
    let written = about.get("lastmodified").and_then(Value::as_str).ok_or(SopsError::Form("its `lastmodified`"))?;
    let all = about.get("mac_only_encrypted").and_then(Value::as_bool) != Some(true);
    let mut reading = Reading { cipher: &cipher, mac: Context::new(&SHA512), all };
    if !all {
        // So that the two kinds of MAC are never the same.
        reading.mac.update(digest(&SHA256, b"sops").as_ref());
    }
    let mut open = Object::new();
    for (name, value) in sealed.as_object().into_iter().flat_map(Object::iter).filter(|(name, _)| *name != "sops") {
        open.insert(name, reading.value(value, &format!("{name}:"))?);
    }
    let mac = about.get("mac").and_then(Value::as_str).ok_or(SopsError::Form("its `mac`"))?;
    let expected = unseal(&cipher, mac, written)?.ok_or(SopsError::Form("its `mac`"))?;
    let mut found = String::with_capacity(128);
    for byte in reading.mac.finish().as_ref() {
        write!(found, "{byte:02X}").map_err(|_| SopsError::Form("its `mac`"))?;
    }
    if expected.as_slice() == found.as_bytes() {
        Ok((open.into(), written.to_owned()))
    } else {
        Err(SopsError::Changed)
    }
}

/// The key of the document, by the first of its recipients whose identity is ours.
fn data_key(about: &Value, identities: &[Identity]) -> Result<Zeroizing<Vec<u8>>, SopsError> {
    let recipients = about.get("age").and_then(Value::as_array).unwrap_or_default();
    let sealed = recipients.iter().filter_map(|recipient| recipient.get("enc").and_then(Value::as_str));
    let mut keys =
        sealed.flat_map(|sealed| identities.iter().filter_map(|ours| age::decrypt(ours, sealed.as_bytes()).ok()));
    keys.next().map(Zeroizing::new).ok_or(SopsError::NoKey)
}

struct Reading<'a> {
    cipher: &'a Cipher,
    mac: Context,
    /// Whether the MAC is of all values, not only of the encrypted ones.
    all: bool,
}

impl Reading<'_> {
    /// Items of an array stand at the array's own path.
    fn value(&mut self, value: &Value, path: &str) -> Result<Value, SopsError> {
        Ok(match value {
            Value::Object(members) => {
                let mut open = Object::new();
                for (name, member) in members.iter() {
                    open.insert(name, self.value(member, &format!("{path}{name}:"))?);
                }
                open.into()
            }
            Value::Array(items) => {
                Value::from(items.iter().map(|item| self.value(item, path)).collect::<Result<Vec<_>, _>>()?)
            }
            Value::String(text) => match unseal(self.cipher, text, path)? {
                Some(plain) => {
                    self.mac.update(&plain);
                    let plain =
                        String::from_utf8(plain.to_vec()).map_err(|_| SopsError::Form("bytes that are no text"))?;
                    Value::from(plain)
                }
                None => {
                    self.in_the_clear(text.as_bytes());
                    value.clone()
                }
            },
            Value::Bool(truth) => {
                self.in_the_clear(if *truth { b"True" } else { b"False" });
                value.clone()
            }
            Value::Number(_) => {
                self.in_the_clear(value.to_string().as_bytes());
                value.clone()
            }
            Value::Null => return Err(SopsError::NeedsProgram("it holds a null")),
        })
    }

    fn in_the_clear(&mut self, bytes: &[u8]) {
        if self.all {
            self.mac.update(bytes);
        }
    }
}

/// `None` where it is not encrypted.
fn unseal(cipher: &Cipher, text: &str, path: &str) -> Result<Option<Zeroizing<Vec<u8>>>, SopsError> {
    let Some(parts) = text.strip_prefix("ENC[AES256_GCM,").and_then(|text| text.strip_suffix(']')) else {
        return Ok(None);
    };
    let part = |name: &str| {
        let found = parts.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix(':'));
        found.and_then(|part| STANDARD.decode(part).ok()).ok_or(SopsError::Form("an encrypted value"))
    };
    let (mut data, iv, tag) = (Zeroizing::new(part("data")?), part("iv")?, part("tag")?);
    let (32, 16) = (iv.len(), tag.len()) else { return Err(SopsError::Form("an encrypted value")) };
    let opened = cipher.decrypt_in_place_detached(
        Nonce::<U32>::from_slice(&iv),
        path.as_bytes(),
        &mut data,
        Tag::<U16>::from_slice(&tag),
    );
    opened.map_err(|_| SopsError::Changed)?;
    Ok(Some(data))
}
