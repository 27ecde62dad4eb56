//! Files as SOPS writes them, by its documented format.

use std::fs;
use std::path::Path;

use aes_gcm::aead::consts::{U16, U32};
use aes_gcm::aead::{AeadInPlace as _, KeyInit as _};
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, Nonce};
use age::secrecy::ExposeSecret as _;
use age::x25519::Identity;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA512, digest};

use crate::world::{NEXT, VALUE, World, hex, in_a_file};

const KEY: [u8; 32] = [9; 32];
const CONFIG: &str = "[vault.team]\nkind = \"sops\"\nfile = \"team.json\"\nkey = \"keys.txt\"\n\
                      [secret.one]\nfrom = \"team\"\npath = \"github/token\"\n";

fn sealed(value: &str, path: &str) -> String {
    let cipher = AesGcm::<Aes256, U32, U16>::new_from_slice(&KEY).unwrap();
    let (mut data, iv) = (value.as_bytes().to_vec(), [3; 32]);
    let tag = cipher.encrypt_in_place_detached(Nonce::<U32>::from_slice(&iv), path.as_bytes(), &mut data).unwrap();
    let encode = |bytes: &[u8]| STANDARD.encode(bytes);
    format!("ENC[AES256_GCM,data:{},iv:{},tag:{},type:str]", encode(&data), encode(&iv), encode(&tag))
}

/// A document with one token, one word that is not encrypted, and the MAC of both; the key for whoever has `identity`.
fn document(token: &str, identity: &Identity) -> String {
    let written = "2026-11-27T00:00:00Z";
    let mac = hex(digest(&SHA512, format!("{token}plain").as_bytes()).as_ref()).to_uppercase();
    let key = age::encrypt_and_armor(&identity.to_public(), &KEY).unwrap();
    serde_json::json!({
        "github": { "token": sealed(token, "github:token:") },
        "note_unencrypted": "plain",
        "sops": {
            "age": [{ "recipient": identity.to_public().to_string(), "enc": key }],
            "lastmodified": written,
            "mac": sealed(&mac, written),
            "unencrypted_suffix": "_unencrypted",
            "version": "3.9.4",
        },
    })
    .to_string()
}

fn write(folder: &Path, token: &str) -> Identity {
    let identity = Identity::generate();
    let line = format!("# created: today\n{}\n", identity.to_string().expose_secret());
    fs::write(folder.join("keys.txt"), line).unwrap();
    fs::write(folder.join("team.json"), document(token, &identity)).unwrap();
    identity
}

#[tokio::test]
async fn a_value_of_a_sops_file_is_lent_and_known_to_the_redactor_from_the_start() {
    let state = tempfile::tempdir().unwrap();
    let identity = write(state.path(), VALUE);
    let world = World::start_in(state, CONFIG).unwrap();
    assert!(!world.redacted(VALUE).contains(VALUE));
    // A new version needs no restart.
    fs::write(world.state.path().join("team.json"), document(NEXT, &identity)).unwrap();
    let entry = world.entry(vec![in_a_file("one")], &[]).await;
    let leases = world.lease(&entry).await.unwrap();
    assert!(!world.redacted(NEXT).contains(NEXT));
    world.close(entry, leases, "{}").await;
    assert!(world.records().contains(r#""version":"2026-11-27T00:00:00Z""#));
}

#[tokio::test]
async fn a_sops_file_that_was_changed_or_whose_key_is_not_ours_lends_nothing() {
    let state = tempfile::tempdir().unwrap();
    let identity = write(state.path(), VALUE);
    let world = World::start_in(state, CONFIG).unwrap();
    let file = world.state.path().join("team.json");
    let good = document(VALUE, &identity);
    // A value in the clear, which only the MAC guards; a value moved to another path; another recipient.
    let changed = good.replace("\"plain\"", "\"plaim\"");
    let moved = good.replace("\"token\":\"ENC", "\"tokem\":\"ENC");
    for (bad, why) in [(changed, "no sense"), (moved, "no sense"), (document(VALUE, &Identity::generate()), "sealed")] {
        fs::write(&file, bad).unwrap();
        let entry = world.entry(vec![in_a_file("one")], &[]).await;
        let refused = world.lease(&entry).await.err().unwrap().to_string();
        assert!(refused.contains("`team`") && refused.contains(why), "{refused}");
    }
}
