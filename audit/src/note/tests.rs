use super::*;

/// The specification's example, of another implementation.
const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

#[test]
fn a_note_of_another_implementation_is_accepted() {
    let key: VerifierKey = KEY.parse().unwrap();
    let note = Note::parse(NOTE).unwrap();
    assert_eq!(note.verify(&key), Ok(None));
    assert_eq!(note.to_string(), NOTE);
    assert_eq!(key.to_string(), KEY);
}

#[test]
fn every_flipped_dropped_or_added_byte_of_a_note_is_found() {
    let key: VerifierKey = KEY.parse().unwrap();
    let holds = |bytes: &[u8]| {
        std::str::from_utf8(bytes).is_ok_and(|text| Note::parse(text).is_ok_and(|note| note.verify(&key).is_ok()))
    };
    let bytes = NOTE.as_bytes();
    assert!(holds(bytes));
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.to_vec();
            flipped[place] ^= 1 << bit;
            assert!(!holds(&flipped), "{place} {bit}");
        }
        let mut dropped = bytes.to_vec();
        dropped.remove(place);
        assert!(!holds(&dropped), "{place}");
        let mut added = bytes.to_vec();
        added.insert(place, b'\n');
        assert!(!holds(&added), "{place}");
        assert!(!holds(&bytes[..place]), "{place}");
    }
}

#[test]
fn a_key_with_a_typing_error_is_none() {
    for place in 0..KEY.len() {
        let mut wrong = KEY.as_bytes().to_vec();
        wrong[place] = if wrong[place] == b'x' { b'y' } else { b'x' };
        assert!(std::str::from_utf8(&wrong).unwrap().parse::<VerifierKey>().is_err(), "{place}");
    }
}

#[test]
fn a_key_file_is_for_its_owner_alone_and_reads_back() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.key");
    let made = FileKey::make(&path, "example.com/log", KeyType::Log).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(FileKey::make(&path, "example.com/log", KeyType::Log).is_err(), "a key is never overwritten");
    let read = FileKey::read(&path, KeyType::Log).unwrap();
    assert_eq!(read.verifier(), made.verifier());
    let note = Note::new("text\n".to_owned()).sign(&read).unwrap();
    assert_eq!(note.verify(made.verifier()), Ok(None));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(FileKey::read(&path, KeyType::Log), Err(BadKey::Exposed)));
}
