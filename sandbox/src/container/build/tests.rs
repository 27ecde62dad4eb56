use std::os::unix::fs::PermissionsExt as _;

use super::super::archive;
use super::super::layout::{ImageError, Layout, blob};
use super::*;

fn folder(recipe: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tool"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(folder.path().join("tool"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(folder.path().join(RECIPE), recipe).unwrap();
    folder
}

const PLAIN: &str = "[image]\nfiles = [{ from = \"tool\", to = \"/bin/tool\" }]\nlinks = [{ at = \"/sh\", to = \"bin/tool\" }]\ncommand = [\"/bin/tool\"]";

#[test]
fn the_same_files_make_the_same_image_wherever_and_whenever() {
    let (one, two) = (folder(PLAIN), folder(PLAIN));
    let built = build_image(one.path()).unwrap();
    assert_eq!(built.digest, build_image(two.path()).unwrap().digest);
    assert_eq!(built.digest, build_image(one.path()).unwrap().digest);
    assert_eq!(super::super::layout::digest_of(&built.folder).unwrap(), built.digest);
    fs::write(two.path().join("tool"), "#!/bin/false\n").unwrap();
    assert_ne!(built.digest, build_image(two.path()).unwrap().digest);
}

#[test]
fn an_image_builds_on_another() {
    let base = folder(PLAIN);
    let built = build_image(base.path()).unwrap();
    let above = folder(&format!("[image]\nbase = \"{}\"\nfiles = [\"tool\"]", built.folder.display()));
    let built = build_image(above.path()).unwrap();
    let layout = Layout::open_given(&built.folder).unwrap();
    assert_eq!(layout.manifest(built.digest).unwrap().layers.len(), 2);
}

#[test]
fn nothing_is_written_outside_the_image_nor_over_what_is_none() {
    assert!(build_image(folder("[image]\nfiles = [{ from = \"tool\", to = \"../x\" }]").path()).is_err());
    let other = folder(PLAIN);
    fs::create_dir(other.path().join("image")).unwrap();
    fs::write(other.path().join("image/precious"), "").unwrap();
    assert!(build_image(other.path()).is_err());
    assert!(other.path().join("image/precious").exists());
}

#[tokio::test]
async fn a_changed_blob_never_reaches_the_end_of_the_archive() {
    let folder = folder(PLAIN);
    let built = build_image(folder.path()).unwrap();
    let layout = Layout::open_given(&built.folder).unwrap();
    let manifest = layout.manifest(built.digest).unwrap();
    let path = built.folder.join(blob(manifest.layers[0].digest));
    let mut bytes = fs::read(&path).unwrap();
    bytes[600] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (to, mut from) = archive::pieces();
    let writing = tokio::task::spawn_blocking(move || archive::write(&layout, built.digest, &manifest, to));
    let mut all = Vec::new();
    let mut torn = false;
    while let Some(piece) = from.recv().await {
        match piece {
            Ok(piece) => all.extend_from_slice(&piece),
            Err(_) => torn = true,
        }
    }
    assert!(matches!(writing.await.unwrap(), Err(ImageError::Changed(_))));
    assert!(torn && !all.windows(13).any(|window| window == b"manifest.json"));
}
