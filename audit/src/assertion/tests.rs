use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};

use super::*;
use policies::{HoldId, OperatorId};

const ORIGIN: &str = "http://localhost:7733";

const RSA_KEY: &str = "RS256:0K8Ln2XYIxfommcoYAwA3S1U1L5GLPVMF11iBKxSTSRjAUDlhocfyOPxfWaNPLLiZNh917H001OTXz-RtjsBfzi39IyJ66\
    HHtJEWqeVctjuPHW-ib7lg38jtFGfxjrU3TrEbgvU1jhdjg7Ug16SgHiONwPUD6bN2SomUsqA-0rs-vtez9TSd5fyx8TD3uARcAJ\
    tEtcGi7-ZipAny_p5NtZ04Qf9iQZYGm2i5EwUzpiZgAb_0nRgH0u5hate8u9F6u6QjSS4XLh0VVvotwzdbVZlPrsermcr2eoZrZg\
    AjUUhj21ZjzsURyv4ueMcIvoZ6XsVi3vFTMVp_-uH6C-g9bQ.AQAB";

const RSA_SIGNATURE: &str = "JCtm38HZ5JW7jluU0PxnVUoPNWQnI6gd8KwtzkQe9EMpiL6bSpspLcGFu9qANMIQg54R--vYiEfF0Ts8nUifJk0w4tOIoHCXXbXW\
    ZwNMqwxwFJkSxXpBQfSTeirj1cv3W5P-9zySUnGDIXmgilKXz_43tX-hXevI18I2k43Yd1VTQPgCdL-e3j0sjtsx1F6rLDyJcA0i\
    -WBX5oRsYIvDJ11yibArCitcmhU_vBytIyizseaeBaTtB0pBqsEmzGjzGyn4wGJRbxycdDYhr489mi6OtAEaI0RNJA6xjp7LteiQ\
    onOGKMzjxwTjBeh1Lgewxp0KSP_oQFsm5ZmH5w9myA";

/// An authenticator that signs whatever it is told.
enum Authenticator {
    Ecdsa(EcdsaKeyPair),
    Eddsa(Ed25519KeyPair),
}

impl Authenticator {
    fn ecdsa() -> Self {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        Self::Ecdsa(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, made.as_ref(), &random).unwrap())
    }

    fn eddsa() -> Self {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Eddsa(Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap())
    }

    fn public(&self) -> PublicKey {
        match self {
            Self::Ecdsa(pair) => PublicKey::Es256(pair.public_key().as_ref().try_into().unwrap()),
            Self::Eddsa(pair) => PublicKey::Ed25519(pair.public_key().as_ref().try_into().unwrap()),
        }
    }

    fn sign(&self, data: &[u8], client: &str) -> Assertion {
        let signed = [data, digest(&SHA256, client.as_bytes()).as_ref()].concat();
        let signature = match self {
            Self::Ecdsa(pair) => pair.sign(&SystemRandom::new(), &signed).unwrap().as_ref().to_vec(),
            Self::Eddsa(pair) => pair.sign(&signed).as_ref().to_vec(),
        };
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        Assertion { authenticator_data: text(data), client_data: text(client.as_bytes()), signature: text(&signature) }
    }
}

fn data(site: &str, flags: u8, counter: u32, more: &[u8]) -> Vec<u8> {
    [digest(&SHA256, site.as_bytes()).as_ref(), &[flags], &counter.to_be_bytes(), more].concat()
}

fn client(challenge: &Hash, origin: &str, more: &str) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(challenge.as_bytes());
    format!(r#"{{"type":"webauthn.get","challenge":"{challenge}","origin":"{origin}"{more}}}"#)
}

fn decision() -> Decision {
    Decision {
        hold: HoldId::parse("hold-k3v7qx2m4n5p6r7s").unwrap(),
        digest: Hash::of(b"deed"),
        act: Act::Approve,
        terms: Hash::of(b"{}"),
        operator: OperatorId::authenticated("ann"),
    }
}

fn asked(challenge: Hash) -> Asked<'static> {
    Asked { challenge, site: "localhost", origin: Some(ORIGIN) }
}

const GOOD: u8 = PRESENT | VERIFIED;

#[test]
fn what_a_key_signed_is_accepted_with_its_count() {
    let challenge = decision().challenge(&Nonce::new([7; 32]));
    for authenticator in [Authenticator::ecdsa(), Authenticator::eddsa()] {
        for (flags, more) in [(GOOD, &b""[..]), (GOOD | BACKUP_ELIGIBLE | BACKED_UP, b""), (GOOD | EXTENDED, b"\xa0")] {
            for said in ["", r#","crossOrigin":false"#, r#","crossOrigin":false,"other_keys_can_be_added_here":"x""#] {
                let signed = authenticator.sign(&data("localhost", flags, 41, more), &client(&challenge, ORIGIN, said));
                assert_eq!(signed.check(&authenticator.public(), &asked(challenge)), Ok(41));
                let later = Asked { origin: None, ..asked(challenge) };
                assert_eq!(signed.check(&authenticator.public(), &later), Ok(41));
            }
        }
    }
}

#[test]
fn each_field_that_is_another_is_refused_by_name() {
    let challenge = decision().challenge(&Nonce::new([7; 32]));
    let authenticator = Authenticator::ecdsa();
    let good = data("localhost", GOOD, 1, b"");
    let usual = client(&challenge, ORIGIN, "");
    let refused = |data: &[u8], client: &str| {
        authenticator.sign(data, client).check(&authenticator.public(), &asked(challenge)).unwrap_err()
    };
    let form = BadAssertion::Form("authenticator data");
    for (data, why) in [
        (data("example.com", GOOD, 1, b""), BadAssertion::Site),
        (data("localhost", VERIFIED, 1, b""), BadAssertion::Presence),
        (data("localhost", PRESENT, 1, b""), BadAssertion::Verification),
        (data("localhost", 0, 1, b""), BadAssertion::Presence),
        (data("localhost", GOOD | ATTESTED, 1, b"\xa0"), form),
        (data("localhost", GOOD | EXTENDED, 1, b""), form),
        (data("localhost", GOOD, 1, b"\xa0"), form),
        (data("localhost", GOOD | BACKED_UP, 1, b""), form),
        (good.get(..36).unwrap().to_vec(), form),
        (Vec::new(), form),
    ] {
        assert_eq!(refused(&data, &usual), why, "{data:?}");
    }
    let other = decision().challenge(&Nonce::new([8; 32]));
    let text = URL_SAFE_NO_PAD.encode(challenge.as_bytes());
    for (said, why) in [
        (usual.replace("webauthn.get", "webauthn.create"), BadAssertion::Type),
        (client(&other, ORIGIN, ""), BadAssertion::Challenge),
        (usual.replace(&text, ""), BadAssertion::Challenge),
        (usual.replace(&text, &format!("{text}=")), BadAssertion::Challenge),
        (client(&challenge, "http://localhost:7734", ""), BadAssertion::Origin),
        (client(&challenge, "http://localhost", ""), BadAssertion::Origin),
        (client(&challenge, "https://localhost:7733", ""), BadAssertion::Origin),
        (client(&challenge, "http://localhost.evil.example:7733", ""), BadAssertion::Origin),
        (client(&challenge, "", ""), BadAssertion::Origin),
        (client(&challenge, ORIGIN, r#","crossOrigin":true"#), BadAssertion::Framed),
        (client(&challenge, ORIGIN, r#","crossOrigin":"false""#), BadAssertion::Framed),
        (client(&challenge, ORIGIN, r#","topOrigin":"https://evil.example""#), BadAssertion::Framed),
        (client(&challenge, ORIGIN, r#","origin":"http://localhost:7733""#), BadAssertion::Form("client data")),
        (format!("{usual} {usual}"), BadAssertion::Form("client data")),
        ("[]".to_owned(), BadAssertion::Type),
    ] {
        assert_eq!(refused(&good, &said), why, "{said}");
    }
    let signed = authenticator.sign(&good, &usual);
    let check = |assertion: &Assertion, key: &PublicKey| assertion.check(key, &asked(challenge));
    assert_eq!(check(&signed, &Authenticator::ecdsa().public()), Err(BadAssertion::Signature));
    assert_eq!(check(&signed, &Authenticator::eddsa().public()), Err(BadAssertion::Signature));
    let counted =
        Assertion { authenticator_data: URL_SAFE_NO_PAD.encode(data("localhost", GOOD, 2, b"")), ..signed.clone() };
    assert_eq!(check(&counted, &authenticator.public()), Err(BadAssertion::Signature));
    for (broken, part) in [
        (Assertion { signature: "!".into(), ..signed.clone() }, "signature"),
        (Assertion { client_data: "A".repeat(LONGEST + 1), ..signed.clone() }, "client data"),
        (Assertion { authenticator_data: "AA==".into(), ..signed.clone() }, "authenticator data"),
    ] {
        assert_eq!(check(&broken, &authenticator.public()), Err(BadAssertion::Form(part)));
    }
    // Whoever looks later knows the site alone, which is enough to tell another's page.
    let later = Asked { origin: None, ..asked(challenge) };
    for origin in ["https://evil.example", "http://127.0.0.1:7733", "ftp://localhost", "http://localhost:7733/x"] {
        let signed = authenticator.sign(&good, &client(&challenge, origin, ""));
        assert_eq!(signed.check(&authenticator.public(), &later), Err(BadAssertion::Origin), "{origin}");
    }
}

/// Made by another implementation, with a key that is gone.
#[test]
fn an_rsa_key_is_checked_too() {
    let key: PublicKey = RSA_KEY.parse().unwrap();
    let challenge = decision().challenge(&Nonce::new([7; 32]));
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let signed = Assertion {
        authenticator_data: text(&data("localhost", GOOD, 5, b"")),
        client_data: text(client(&challenge, ORIGIN, "").as_bytes()),
        signature: RSA_SIGNATURE.into(),
    };
    assert_eq!(signed.check(&key, &asked(challenge)), Ok(5));
    let other = Assertion { authenticator_data: text(&data("localhost", GOOD, 6, b"")), ..signed };
    assert_eq!(other.check(&key, &asked(challenge)), Err(BadAssertion::Signature));
}

#[test]
fn a_challenge_is_for_one_decision_of_one_person() {
    let nonce = Nonce::new([1; 32]);
    let challenges = [
        decision().challenge(&nonce),
        decision().challenge(&Nonce::new([2; 32])),
        Decision { hold: HoldId::parse("hold-k3v7qx2m4n5p6r7t").unwrap(), ..decision() }.challenge(&nonce),
        Decision { digest: Hash::of(b"another deed"), ..decision() }.challenge(&nonce),
        Decision { act: Act::BreakGlass, ..decision() }.challenge(&nonce),
        Decision { act: Act::ApproveWithPass, ..decision() }.challenge(&nonce),
        Decision { terms: Hash::of(br#"{"reason":"fine"}"#), ..decision() }.challenge(&nonce),
        Decision { operator: OperatorId::authenticated("bob"), ..decision() }.challenge(&nonce),
        sign_in_challenge(&OperatorId::authenticated("ann"), &nonce),
        sign_in_challenge(&OperatorId::authenticated("bob"), &nonce),
    ];
    let different: std::collections::BTreeSet<_> = challenges.iter().collect();
    assert_eq!(different.len(), challenges.len());
    // Written out once, so that others can compute it.
    let lengths = |field: &[u8]| [&u32::try_from(field.len()).unwrap().to_be_bytes(), field].concat();
    let fields = [
        lengths(b"hold-k3v7qx2m4n5p6r7s"),
        lengths(Hash::of(b"deed").as_bytes()),
        lengths(b"approve"),
        lengths(Hash::of(b"{}").as_bytes()),
        lengths(b"ann"),
        lengths(&[1; 32]),
    ];
    let whole = [b"portcullis passkey decision v1\0".to_vec(), fields.concat()].concat();
    assert_eq!(decision().challenge(&nonce), Hash::of(&whole));
}

#[test]
fn a_counter_goes_up_or_is_not_kept() {
    assert_eq!([(0, 0), (0, 1), (4, 5)].map(|(before, now)| counted(before, now)), [Ok(()); 3]);
    assert_eq!([(1, 0), (5, 5), (5, 4)].map(|(before, now)| counted(before, now)), [Err(BadAssertion::Counter); 3]);
}

#[test]
fn a_public_key_is_read_as_it_was_written() {
    for key in [Authenticator::ecdsa().public(), Authenticator::eddsa().public(), RSA_KEY.parse().unwrap()] {
        assert_eq!(key.to_string().parse(), Ok(key));
    }
    for text in ["", "ES256:", "ES256:AAAA", "ES384:AAAA", "RS256:AAAA", "Ed25519:AA", "es256:AA"] {
        assert_eq!(text.parse::<PublicKey>(), Err(BadPublicKey), "{text}");
    }
    assert_eq!(PublicKey::es256(&[0; 31], &[0; 33]), Err(BadPublicKey));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_byte_of_an_assertion_can_be_another(which in 0..3_usize, place in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let challenge = decision().challenge(&Nonce::new([7; 32]));
        let authenticator = Authenticator::eddsa();
        let mut signed = authenticator.sign(&data("localhost", GOOD, 1, b""), &client(&challenge, ORIGIN, ""));
        let part = match which {
            0 => &mut signed.authenticator_data,
            1 => &mut signed.client_data,
            _ => &mut signed.signature,
        };
        let mut bytes = URL_SAFE_NO_PAD.decode(&part).unwrap();
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        *part = URL_SAFE_NO_PAD.encode(bytes);
        prop_assert!(signed.check(&authenticator.public(), &asked(challenge)).is_err());
    }

    #[test]
    fn nothing_from_outside_stops_the_checker(parts in prop::array::uniform3(".{0,200}")) {
        let [authenticator_data, client_data, signature] = parts;
        let assertion = Assertion { authenticator_data, client_data, signature };
        let key = Authenticator::eddsa().public();
        prop_assert!(assertion.check(&key, &asked(Hash::of(b""))).is_err());
    }
}
