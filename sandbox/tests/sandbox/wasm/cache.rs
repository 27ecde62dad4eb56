//! Compiled components: nothing is loaded but what this gateway compiled and signed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::guests::{Packed, component};
use crate::world::World;

/// Starts with a compiled component in the state folder that `change` has changed; says what lies there afterwards.
async fn restarted(change: impl FnOnce(PathBuf, &mut Vec<u8>)) -> (Vec<u8>, Vec<u8>) {
    let packed = Packed::new(&component("hostile"), "", "");
    let world = World::start(packed.config(""));
    assert_eq!(world.text("count", "{}").await, "0");
    let folder = world.state.path().join("wasm");
    let file = compiled(&folder);
    let mut bytes = fs::read(&file).unwrap();
    let good = bytes.clone();
    change(folder, &mut bytes);
    let state = tempfile::tempdir().unwrap();
    let kept = state.path().join("wasm");
    fs::create_dir(&kept).unwrap();
    fs::copy(file.with_file_name("cache.key"), kept.join("cache.key")).unwrap();
    fs::write(kept.join(file.file_name().unwrap()), &bytes).unwrap();
    let world = World::start_in(state, packed.config(""));
    assert_eq!(world.text("count", "{}").await, "0");
    (good, fs::read(compiled(&world.state.path().join("wasm"))).unwrap())
}

fn compiled(folder: &std::path::Path) -> PathBuf {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "cwasm")).unwrap()
}

#[tokio::test]
async fn a_forged_compiled_component_is_not_loaded() {
    // Bits in its signature, in its header and in its code; a file that is too short; one that is no ELF at all. Loading any
    // of the last two would crash the engine or run what stands there.
    for place in [3, 40, 5_000] {
        let (_, after) = restarted(|_, bytes| bytes[place] ^= 1).await;
        // It was compiled again, and what is there now is ours.
        assert!(after.len() > 5_000);
    }
    let (good, after) = restarted(|_, bytes| bytes.truncate(20)).await;
    assert_eq!(good.len(), after.len());
    let (good, after) = restarted(|_, bytes| *bytes = vec![0x90; bytes.len()]).await;
    assert!(good.len() == after.len() && after.iter().any(|byte| *byte != 0x90));
}

#[tokio::test]
async fn a_compiled_component_signed_with_another_key_is_not_loaded() {
    let (good, after) = restarted(|folder, _| fs::write(folder.join("cache.key"), [7; 32]).unwrap()).await;
    assert_ne!(good[..32], after[..32]);
}

#[tokio::test]
async fn a_compiled_component_does_not_stand_in_for_another() {
    let other = Packed::new(super::wat::world("", "unreachable").as_slice(), "", "").start("");
    other.ready().await;
    let folder = other.state.path().join("wasm");
    let stranger = fs::read(compiled(&folder)).unwrap();
    let (good, after) = restarted(|mine, bytes| {
        // Signed with the very key, for another component.
        fs::copy(folder.join("cache.key"), mine.join("cache.key")).unwrap();
        bytes.clone_from(&stranger);
    })
    .await;
    assert!(good.len() == after.len() && stranger.len() != after.len());
}

#[tokio::test]
async fn a_key_that_others_can_read_is_not_used() {
    let state = tempfile::tempdir().unwrap();
    let folder = state.path().join("wasm");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("cache.key"), [7; 32]).unwrap();
    fs::set_permissions(folder.join("cache.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let packed = Packed::new(&component("hostile"), "", "");
    let world = World::start_in(state, packed.config(""));
    let why = world.down().await;
    assert!(why.contains("readable by its owner only"), "{why}");
}

#[tokio::test]
async fn the_folder_and_the_key_are_the_gateways_own() {
    let world = Packed::new(&component("hostile"), "", "").start("");
    world.ready().await;
    let folder = world.state.path().join("wasm");
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(folder.join("cache.key")), mode(compiled(&folder)), mode(folder)), (0o600, 0o600, 0o700));
}
