//! An exported log is checked with nothing but the public key; a changed byte of any of its files is found and named.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use audit::{Event, Trusted, Verified, VerifierKey, VerifyError, What};
use tempfile::TempDir;

use crate::world::{World, noon};

async fn exported(events: u32) -> (World, TempDir, VerifierKey) {
    let world = World::new();
    drop(world.call(r#"{"path":"/srv/salaries.txt"}"#, "{}").await);
    for number in 0..events {
        let event = Event::Stopped { reason: format!("number {number}"), running: 0 };
        world.audit.note(event, noon()).await.unwrap();
    }
    assert!(world.audit.stop().await);
    let folder = tempfile::tempdir().unwrap();
    audit::export(world.state.path(), folder.path()).unwrap();
    let key = audit::log_key(world.state.path()).unwrap();
    (world, folder, key)
}

fn verify(folder: &Path, key: &VerifierKey) -> Result<Verified, VerifyError> {
    audit::verify_tiles(folder, key, &Trusted::default())
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exported_log_is_the_log_and_holds_no_values() {
    let (world, folder, key) = exported(700).await;
    let (live, tiles) = (world.verify().unwrap(), verify(folder.path(), &key).unwrap());
    assert_eq!((tiles.records, tiles.head, tiles.last), (live.records, live.head, live.last));
    let paths: Vec<String> = files(folder.path())
        .keys()
        .map(|path| path.strip_prefix(folder.path()).unwrap().display().to_string())
        .collect();
    assert_eq!(
        paths,
        [
            "checkpoint",
            "tile/0/000",
            "tile/0/001",
            "tile/0/002.p/191",
            "tile/1/000.p/2",
            "tile/entries/000",
            "tile/entries/001",
            "tile/entries/002.p/191",
        ]
    );
    for (path, bytes) in files(folder.path()) {
        for value in ["salaries", "number 7", "session-1"] {
            assert!(!bytes.windows(value.len()).any(|window| window == value.as_bytes()), "{value} in {path:?}");
        }
    }
    let (_other, _folder, stranger) = exported(1).await;
    assert!(verify(folder.path(), &stranger).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flipped_byte_and_every_other_length_of_every_file_is_found_and_named() {
    let (_world, folder, key) = exported(6).await;
    let change = |path: &Path, bytes: &[u8]| {
        fs::write(path, bytes).unwrap();
        match verify(folder.path(), &key) {
            Err(VerifyError::Broken(broken)) => broken,
            other => panic!("{}: {other:?}", path.display()),
        }
    };
    for (path, bytes) in files(folder.path()) {
        let name = path.strip_prefix(folder.path()).unwrap().display().to_string();
        for place in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[place] ^= 0x20;
            let broken = change(&path, &flipped);
            // A length that is changed makes other records of what follows.
            let entry = matches!(&broken.what, What::Chain | What::Column("seq"))
                && name.starts_with("tile/entries")
                && (1..=9).contains(&broken.seq);
            let tile = matches!(&broken.what, What::Tile(tile) | What::File(tile) if name == format!("tile/{tile}"));
            let note = matches!(&broken.what, What::Note(_) | What::Origin(_)) && name == "checkpoint";
            let named = entry || tile || note;
            assert!(named, "{name} {place}: {broken}");
        }
        drop(change(&path, &bytes[..bytes.len() - 1]));
        drop(change(&path, &[bytes.as_slice(), b"\0"].concat()));
        drop(change(&path, &[bytes.as_slice(), &bytes].concat()));
        fs::remove_file(&path).unwrap();
        let gone = verify(folder.path(), &key).unwrap_err().to_string();
        assert!(gone.contains(&name), "{name}: {gone}");
        fs::write(&path, &bytes).unwrap();
    }
    assert_eq!(verify(folder.path(), &key).unwrap().records, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_changed_places_are_found_even_if_their_tile_follows() {
    let (_world, folder, key) = exported(6).await;
    let tile = folder.path().join("tile/0/000.p/9");
    let bundle = folder.path().join("tile/entries/000.p/9");
    let (mut hashes, bytes) = (fs::read(&tile).unwrap(), fs::read(&bundle).unwrap());
    let mut entries = Vec::new();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let length = 2 + usize::from(u16::from_be_bytes([rest[0], rest[1]]));
        entries.push(rest[..length].to_vec());
        rest = &rest[length..];
    }
    entries.swap(4, 5);
    fs::write(&bundle, entries.concat()).unwrap();
    let found = verify(folder.path(), &key).unwrap_err().to_string();
    assert!(found.starts_with("record 5: "), "{found}");
    let (four, five) = hashes[4 * 32..6 * 32].split_at_mut(32);
    four.swap_with_slice(five);
    fs::write(&tile, &hashes).unwrap();
    let found = verify(folder.path(), &key).unwrap_err().to_string();
    assert!(found.starts_with("record 5: "), "{found}");
    // An entry that is dropped, with its hash, under the same checkpoint.
    entries.swap(4, 5);
    entries.remove(8);
    fs::write(&bundle, entries.concat()).unwrap();
    assert!(verify(folder.path(), &key).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_split_view_and_a_roll_back_of_exported_logs_are_found_with_an_earlier_checkpoint() {
    let (world, folder, key) = exported(6).await;
    let earlier = verify(folder.path(), &key).unwrap().signed.unwrap().0;
    let longer = audit::Checkpoint { size: 12, ..earlier.clone() };
    let other = audit::Checkpoint { root: policies::Hash::of(b"other"), size: 4, ..earlier };
    for (checkpoint, what) in [(longer, What::RolledBack(12)), (other, What::SplitView(4))] {
        let trusted = Trusted { key: None, checkpoint: Some(checkpoint) };
        match audit::verify_tiles(folder.path(), &key, &trusted) {
            Err(VerifyError::Broken(broken)) => assert_eq!(broken.what, what),
            other => panic!("{other:?}"),
        }
        match audit::verify_with(world.state.path(), &trusted) {
            Err(VerifyError::Broken(broken)) => assert_eq!(broken.what, what),
            other => panic!("{other:?}"),
        }
    }
}
