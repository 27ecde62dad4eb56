//! `Token`: found by its name; `Session`: logged in to it, with the key found.

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session as Opened, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;
use ring::signature::{ED25519, UnparsedPublicKey};

use super::name::Which;
use super::{Pkcs11Error, Pkcs11Name, module};

/// A token, where it is.
pub(super) struct Token {
    module: Pkcs11,
    slot: Slot,
    info: TokenInfo,
}

/// Logged in, with the key found.
pub(super) struct Session {
    opened: Opened,
    key: ObjectHandle,
    public: [u8; 32],
    serial: String,
}

impl Token {
    /// Looks for the token at its module.
    pub(super) fn find(name: &Pkcs11Name) -> Result<Self, Pkcs11Error> {
        let module = module::load(&name.module)?;
        let slots = module.get_slots_with_token()?;
        // A slot that does not answer is not the one that is looked for, or is missing like it.
        let all: Vec<(Slot, TokenInfo)> =
            slots.into_iter().filter_map(|slot| Some((slot, module.get_token_info(slot).ok()?))).collect();
        let is_named = |info: &TokenInfo| match &name.token {
            Which::Label(label) => info.label().trim_end() == label,
            Which::Serial(serial) => info.serial_number().trim_end() == serial,
        };
        let labels: Vec<String> = all
            .iter()
            .filter(|(_, info)| info.token_initialized())
            .map(|(_, info)| format!("`{}`", info.label()))
            .collect();
        let mut named = all.into_iter().filter(|(_, info)| is_named(info));
        match (named.next(), named.next()) {
            (Some((slot, info)), None) => Ok(Self { module, slot, info }),
            (None, _) => {
                let found = if labels.is_empty() { "none".to_owned() } else { labels.join(", ") };
                Err(Pkcs11Error::NoToken { wanted: name.token.to_string(), found })
            }
            (Some(_), Some(_)) => Err(Pkcs11Error::SeveralTokens(name.token.to_string())),
        }
    }

    /// This token, unless a wrong PIN was the last that it was told.
    pub(super) fn undoubted(self) -> Result<Self, Pkcs11Error> {
        if self.info.user_pin_count_low() { Err(Pkcs11Error::PinDoubtful) } else { Ok(self) }
    }

    /// This token, if it is the one of this serial: a label is anybody's to give, and a PIN is told to none but the token that
    /// had it.
    pub(super) fn known(self, serial: &str) -> Result<Self, Pkcs11Error> {
        let found = self.serial();
        if found == serial { Ok(self) } else { Err(Pkcs11Error::AnotherToken { found, wanted: serial.to_owned() }) }
    }

    fn serial(&self) -> String {
        self.info.serial_number().trim_end().to_owned()
    }

    /// Logs in, once, and finds the key, which must be one that the token gives to nobody.
    pub(super) fn log_in(self, name: &Pkcs11Name) -> Result<Session, Pkcs11Error> {
        let opened = self.module.open_ro_session(self.slot)?;
        self.tell_pin(&opened, name)?;
        let key = one(&opened, name, ObjectClass::PRIVATE_KEY, "private key")?;
        kept(&opened.get_attributes(key, &[AttributeType::Extractable, AttributeType::Sensitive])?)?;
        let public = one(&opened, name, ObjectClass::PUBLIC_KEY, "public key")?;
        let public = point(opened.get_attributes(public, &[AttributeType::EcPoint])?)?;
        Ok(Session { opened, key, public, serial: self.serial() })
    }

    /// Makes a key of this name.
    pub(super) fn make(self, name: &Pkcs11Name) -> Result<(), Pkcs11Error> {
        let opened = self.module.open_rw_session(self.slot)?;
        self.tell_pin(&opened, name)?;
        if !opened.find_objects(&[Attribute::Label(name.key.clone().into_bytes())])?.is_empty() {
            return Err(Pkcs11Error::Exists);
        }
        let label = || Attribute::Label(name.key.clone().into_bytes());
        let of = |curve: &[u8]| {
            let public = [
                Attribute::Token(true),
                Attribute::Private(false),
                Attribute::Verify(true),
                Attribute::EcParams(curve.to_vec()),
                label(),
            ];
            let private = [
                Attribute::Token(true),
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
                Attribute::Sign(true),
                label(),
            ];
            opened.generate_key_pair(&Mechanism::EccEdwardsKeyPairGen, &public, &private)
        };
        let [first, second] = CURVE;
        of(first).or_else(|_| of(second)).map(drop).map_err(Pkcs11Error::from)
    }

    /// Tells the token its PIN, once. Not where that may lock it.
    fn tell_pin(&self, opened: &Opened, name: &Pkcs11Name) -> Result<(), Pkcs11Error> {
        if !self.info.login_required() {
            return Ok(());
        }
        if self.info.user_pin_locked() || self.info.user_pin_final_try() {
            return Err(Pkcs11Error::PinLocked);
        }
        let pin = name.pin.read()?;
        match opened.login(UserType::User, Some(&AuthPin::from(pin.as_str().to_owned()))) {
            // Of the process: another key of the same token.
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
            Err(error) => Err(Pkcs11Error::of_login(error)),
        }
    }
}

impl Session {
    pub(super) fn public(&self) -> [u8; 32] {
        self.public
    }

    /// Of its token.
    pub(super) fn serial(&self) -> &str {
        &self.serial
    }

    /// A signature that fits the public key: a token that is broken, or was swapped, must not get one of its own into a
    /// checkpoint.
    pub(super) fn sign(&self, message: &[u8]) -> Result<[u8; 64], Pkcs11Error> {
        let plain = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519));
        let signature = self.opened.sign(&plain, self.key, message)?;
        let fits = UnparsedPublicKey::new(&ED25519, self.public).verify(message, &signature);
        fits.map_err(|_| Pkcs11Error::Wrong)?;
        signature.try_into().map_err(|_| Pkcs11Error::Wrong)
    }
}

/// Ed25519 by its object identifier, and by its name: modules know one or the other.
const CURVE: [&[u8]; 2] = [b"\x06\x03\x2b\x65\x70", b"\x13\x0cedwards25519"];

/// The one key of this name and class.
fn one(
    opened: &Opened,
    name: &Pkcs11Name,
    class: ObjectClass,
    what: &'static str,
) -> Result<ObjectHandle, Pkcs11Error> {
    let label = Attribute::Label(name.key.clone().into_bytes());
    let found = opened.find_objects(&[Attribute::Class(class), Attribute::KeyType(KeyType::EC_EDWARDS), label])?;
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(Pkcs11Error::NoKey(what)),
        _ => Err(Pkcs11Error::SeveralKeys),
    }
}

/// Whether a private key stays where it is. One that was not made by us may have been imported, or made to be wrapped and
/// carried away; what a token does not say is not taken for granted.
fn kept(attributes: &[Attribute]) -> Result<(), Pkcs11Error> {
    let extractable =
        attributes.iter().find_map(|one| if let Attribute::Extractable(is) = one { Some(*is) } else { None });
    let sensitive = attributes.iter().find_map(|one| if let Attribute::Sensitive(is) = one { Some(*is) } else { None });
    if (extractable, sensitive) == (Some(false), Some(true)) {
        return Ok(());
    }
    let [extractable, sensitive] = [extractable, sensitive].map(|is| match is {
        Some(true) => "true",
        Some(false) => "false",
        None => "not said",
    });
    Err(Pkcs11Error::Readable { extractable, sensitive })
}

/// The 32 bytes of a public key: an octet string in DER (PKCS#11 2.40), or as they are (3.1).
fn point(attributes: Vec<Attribute>) -> Result<[u8; 32], Pkcs11Error> {
    let point = attributes
        .into_iter()
        .find_map(|attribute| if let Attribute::EcPoint(point) = attribute { Some(point) } else { None });
    let point = point.ok_or(Pkcs11Error::Point)?;
    let coded = point.strip_prefix(b"\x04\x20").and_then(|bare| bare.try_into().ok());
    coded.or_else(|| point.try_into().ok()).ok_or(Pkcs11Error::Point)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_can_be_taken_from_its_token_signs_no_log() {
        let told = |extractable: Option<bool>, sensitive: Option<bool>| {
            let all = [extractable.map(Attribute::Extractable), sensitive.map(Attribute::Sensitive)];
            kept(&all.into_iter().flatten().collect::<Vec<_>>())
        };
        assert_eq!(told(Some(false), Some(true)), Ok(()));
        for (extractable, sensitive) in
            [(true, true), (true, false), (false, false)].map(|(one, other)| (Some(one), Some(other)))
        {
            assert!(told(extractable, sensitive).is_err(), "{extractable:?} {sensitive:?}");
        }
        assert!(told(None, Some(true)).is_err() && told(Some(false), None).is_err(), "what is not said is not so");
    }

    #[test]
    fn a_public_key_is_32_bytes_in_an_octet_string_or_as_they_are() {
        let read = |bytes: &[u8]| point(vec![Attribute::EcPoint(bytes.to_vec())]);
        let key = [7; 32];
        assert_eq!(read(&[b"\x04\x20", &key[..]].concat()), Ok(key));
        assert_eq!(read(&key), Ok(key));
        let begins_alike: [u8; 32] = [&b"\x04\x20"[..], &[7; 30]].concat().try_into().unwrap();
        assert_eq!(read(&begins_alike), Ok(begins_alike));
        for wrong in [&[][..], &key[1..], &[b"\x04\x39", &[7; 57][..]].concat(), &[b"\x03\x21\x00", &key[..]].concat()]
        {
            assert_eq!(read(wrong), Err(Pkcs11Error::Point), "{wrong:?}");
        }
        assert_eq!(point(Vec::new()), Err(Pkcs11Error::Point));
    }
}
