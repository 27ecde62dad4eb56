//! What we sign, prove and export, as two independent implementations read it: `ct-merkle`, and Cloudflare's `signed_note`
//! and `tlog_tiles`.

use std::fs;
use std::path::{Path, PathBuf};

use audit::{Event, Proof, Submission};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use sha2::Sha256;
use signed_note::{StandardVerifier, VerifierList};
use tlog_tiles::{HashReader, TileHashReader, TileReader};

use crate::world::{World, noon};

async fn grown(events: u32) -> World {
    let world = World::new();
    for number in 0..events {
        let event = Event::Stopped { reason: format!("number {number}"), running: 0 };
        world.audit.note(event, noon()).await.unwrap();
    }
    assert!(world.audit.stop().await);
    world
}

fn decode(line: &str) -> [u8; 32] {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(line).unwrap().try_into().unwrap()
}

/// The hashes between a file's head and its note.
fn hashes(file: &str, skipped: usize) -> Vec<[u8; 32]> {
    file.split_once("\n\n").unwrap().0.lines().skip(skipped).map(decode).collect()
}

/// The entries of an exported log.
fn entries(folder: &Path, size: u64) -> Vec<Vec<u8>> {
    entries_from(folder, 0, size)
}

/// Those from this bundle on.
fn entries_from(folder: &Path, first: u64, size: u64) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    for bundle in first..size.div_ceil(256) {
        let width = (size - bundle * 256).min(256);
        let partial = if width == 256 { String::new() } else { format!(".p/{width}") };
        let bytes = fs::read(folder.join(format!("tile/entries/{bundle:03}{partial}"))).unwrap();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (length, after) = rest.split_at(2);
            let (entry, after) = after.split_at(usize::from(u16::from_be_bytes(length.try_into().unwrap())));
            entries.push(entry.to_vec());
            rest = after;
        }
    }
    entries
}

struct Folder(PathBuf);

impl TileReader for Folder {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = |tile: &tlog_tiles::Tile| {
            let partial = if tile.width() == 256 { String::new() } else { format!(".p/{}", tile.width()) };
            let path = format!("tile/{}/{:03}{partial}", tile.level(), tile.level_index());
            fs::read(self.0.join(&path)).unwrap_or_else(|error| panic!("{path}: {error}"))
        };
        Ok(tiles.iter().map(read).collect())
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn another_implementation_accepts_our_checkpoints_keys_and_tiles() {
    let world = grown(700).await;
    let folder = tempfile::tempdir().unwrap();
    audit::export(world.state.path(), folder.path()).unwrap();
    let note = signed_note::Note::from_bytes(&fs::read(folder.path().join("checkpoint")).unwrap()).unwrap();
    let vkey = audit::log_key(world.state.path()).unwrap().to_string();
    let known = VerifierList::new(vec![Box::new(StandardVerifier::new(&vkey).unwrap())]);
    assert_eq!(note.verify(&known).unwrap().0.len(), 1);
    let checkpoint = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
    assert_eq!(checkpoint.size(), 701);
    assert_eq!(vkey.split('+').next(), Some(checkpoint.origin()));

    // Its reader checks every tile that it reads against the root.
    let tiles = Folder(folder.path().to_owned());
    let reader = TileHashReader::new(checkpoint.size(), *checkpoint.hash(), &tiles);
    for (index, entry) in (0..).zip(entries(folder.path(), 701)) {
        let leaf = tlog_tiles::record_hash(&entry);
        assert_eq!(reader.read_hashes(&[tlog_tiles::stored_hash_index(0, index)]).unwrap(), [leaf], "{index}");
        if index % 50 == 0 || index > 690 {
            let theirs = tlog_tiles::prove_record(701, index, &reader).unwrap();
            let ours = audit::prove(world.state.path(), index + 1, None).unwrap().to_string();
            let ours: Vec<_> = hashes(&ours, 3).into_iter().map(tlog_tiles::Hash).collect();
            assert_eq!(ours, theirs, "{index}");
            tlog_tiles::check_record(&ours, 701, *checkpoint.hash(), index, leaf).unwrap();
        }
    }
    // Its signer's keys and notes are good for us too.
    let (skey, vkey) = (
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    );
    let mut theirs = signed_note::Note::new(note.text(), &[]).unwrap();
    theirs.add_sigs(&[&signed_note::StandardSigner::new(skey).unwrap()]).unwrap();
    let read = audit::Note::parse(std::str::from_utf8(&theirs.to_bytes()).unwrap()).unwrap();
    assert_eq!(read.verify(&vkey.parse().unwrap()), Ok(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tree_has_our_roots_and_accepts_our_proofs() {
    let world = grown(520).await;
    let folder = tempfile::tempdir().unwrap();
    let size = audit::export(world.state.path(), folder.path()).unwrap().checkpoint.size;
    let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    let mut roots: Vec<RootHash<Sha256>> = Vec::new();
    let entries = entries(folder.path(), size);
    for entry in &entries {
        tree.push(entry.clone());
        roots.push(tree.root());
    }
    let submission = Submission::newest(world.state.path()).unwrap();
    assert_eq!(tree.root().as_bytes().as_slice(), submission.checkpoint().root.as_bytes());
    for seq in (1..=size).step_by(13).chain([256, 257, 512, 513, size]) {
        let proof = audit::prove(world.state.path(), seq, None).unwrap();
        assert!(Proof::parse(&proof.to_string()).is_ok());
        let path = InclusionProof::<Sha256>::try_from_bytes(hashes(&proof.to_string(), 3).concat()).unwrap();
        let entry = &entries[usize::try_from(seq).unwrap() - 1];
        tree.root().verify_inclusion(entry, seq - 1, &path).unwrap();
    }
    for old in (1..size).step_by(11).chain([1, 255, 256, 257, 512, size - 1]) {
        let body = submission.body(world.state.path(), old).unwrap();
        let path = ConsistencyProof::<Sha256>::try_from_bytes(hashes(&body, 1).concat()).unwrap();
        let before = &roots[usize::try_from(old).unwrap() - 1];
        tree.root().verify_consistency(before, &path).unwrap_or_else(|error| panic!("{old}: {error:?}"));
    }
}

/// Has both implementations check what a log that was pruned up to `minimum` still proves. `before`: its export of before,
/// which has the entries that are gone.
pub(crate) fn accept_what_is_left(state: &Path, before: &Path, minimum: u64) {
    let folder = tempfile::tempdir().unwrap();
    let size = audit::export(state, folder.path()).unwrap().checkpoint.size;
    let mut entries = entries(before, size - 1);
    entries.truncate(usize::try_from(minimum).unwrap());
    entries.extend(entries_from(folder.path(), minimum / 256, size));
    let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    let mut roots: Vec<RootHash<Sha256>> = Vec::new();
    for entry in &entries {
        tree.push(entry.clone());
        roots.push(tree.root());
    }
    let submission = Submission::newest(state).unwrap();
    assert_eq!(tree.root().as_bytes().as_slice(), submission.checkpoint().root.as_bytes());
    let tiles = Folder(folder.path().to_owned());
    let root = tlog_tiles::Hash(*submission.checkpoint().root.as_bytes());
    let reader = TileHashReader::new(size, root, &tiles);
    for seq in minimum + 1..=size {
        let entry = &entries[usize::try_from(seq).unwrap() - 1];
        let proof = audit::prove(state, seq, None).unwrap().to_string();
        let path = InclusionProof::<Sha256>::try_from_bytes(hashes(&proof, 3).concat()).unwrap();
        tree.root().verify_inclusion(entry, seq - 1, &path).unwrap();
        let theirs = tlog_tiles::prove_record(size, seq - 1, &reader).unwrap();
        assert_eq!(hashes(&proof, 3).into_iter().map(tlog_tiles::Hash).collect::<Vec<_>>(), theirs, "{seq}");
        tlog_tiles::check_record(&theirs, size, root, seq - 1, tlog_tiles::record_hash(entry)).unwrap();
    }
    for old in minimum..size {
        let body = submission.body(state, old).unwrap();
        let path = ConsistencyProof::<Sha256>::try_from_bytes(hashes(&body, 1).concat()).unwrap();
        tree.root().verify_consistency(&roots[usize::try_from(old).unwrap() - 1], &path).unwrap();
    }
}
