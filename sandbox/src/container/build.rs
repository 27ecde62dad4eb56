//! Makes an image from files, offline: the same files make the same image, byte for byte.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use policies::Hash;
use serde::Deserialize;
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};
use thiserror::Error;

use super::layout::{Descriptor, ImageError, Index, Layout, Manifest, blob};

/// What an image is made from: the `[image]` table of `image.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipe {
    /// A layout folder to build on.
    base: Option<PathBuf>,
    /// Where the layout is written.
    #[serde(default = "out")]
    out: PathBuf,
    files: Vec<Source>,
    #[serde(default)]
    links: Vec<Link>,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    image: Recipe,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Source {
    /// To the same place below `/`.
    Same(PathBuf),
    Moved {
        from: PathBuf,
        to: PathBuf,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    at: PathBuf,
    to: PathBuf,
}

/// An image that was made.
#[derive(Debug)]
pub struct Built {
    /// Its layout.
    pub folder: PathBuf,
    /// The digest of its manifest: what is pinned.
    pub digest: Hash,
    /// How large it is.
    pub bytes: u64,
}

/// Why an image could not be made.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The recipe is not valid.
    #[error("{path}: {why}")]
    Recipe {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What is in the way.
        source: io::Error,
    },
    /// What it builds on cannot be used.
    #[error("the base cannot be used: {0}")]
    Base(String),
}

impl From<ImageError> for BuildError {
    fn from(error: ImageError) -> Self {
        Self::Base(error.to_string())
    }
}

/// The recipe's name in a folder.
const RECIPE: &str = "image.toml";

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

fn out() -> PathBuf {
    "image".into()
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BuildError {
    let path = path.to_owned();
    move |source| BuildError::File { path, source }
}

/// Makes the image that the recipe of a folder describes.
///
/// # Errors
/// [`BuildError`]
pub fn build_image(folder: &Path) -> Result<Built, BuildError> {
    let path = folder.join(RECIPE);
    let text = fs::read_to_string(&path).map_err(at(&path))?;
    let invalid =
        |error: toml::de::Error| BuildError::Recipe { path: path.clone(), why: error.to_string().trim().to_owned() };
    let recipe = toml::from_str::<File>(&text).map_err(invalid)?.image;
    let tree = tree(folder, &recipe).map_err(|error| match error {
        BuildError::Recipe { why, .. } => BuildError::Recipe { path: path.clone(), why },
        other @ (BuildError::File { .. } | BuildError::Base(_)) => other,
    })?;
    let out = folder.join(&recipe.out);
    let mut layout = Writer::create(&out)?;
    let mut base = recipe.base.as_ref().map(|base| Base::read(&folder.join(base))).transpose()?.unwrap_or_default();
    for layer in &base.layers {
        layout.copy(&base, layer)?;
    }
    let (layer, whole) = layout.layer(&tree)?;
    base.add(&recipe, layer, whole);
    let config = layout.put(CONFIG, base.config.to_string().as_bytes())?;
    let manifest = Manifest { schema_version: 2, media_type: Some(MANIFEST.to_owned()), config, layers: base.layers };
    layout.finish(&manifest)
}

/// What stands where in the layer, in order.
type Tree = BTreeMap<PathBuf, Entry>;

enum Entry {
    Folder(u32),
    File(PathBuf, u32),
    Link(PathBuf),
}

fn tree(folder: &Path, recipe: &Recipe) -> Result<Tree, BuildError> {
    let mut tree = Tree::new();
    // What every program expects, and what engines mount over.
    for (name, mode) in [("dev", 0o755), ("etc", 0o755), ("proc", 0o755), ("sys", 0o755), ("tmp", 0o1777)] {
        tree.insert(name.into(), Entry::Folder(mode));
    }
    for source in &recipe.files {
        let (from, to) = match source {
            Source::Same(path) => (path, path),
            Source::Moved { from, to } => (from, to),
        };
        collect(&mut tree, &folder.join(from), &inside(to)?)?;
    }
    for link in &recipe.links {
        place(&mut tree, &inside(&link.at)?, Entry::Link(link.to.clone()));
    }
    Ok(tree)
}

/// A path below the image's root.
fn inside(path: &Path) -> Result<PathBuf, BuildError> {
    let relative: PathBuf =
        path.strip_prefix("/").unwrap_or(path).components().filter(|part| *part != Component::CurDir).collect();
    let plain =
        !relative.as_os_str().is_empty() && relative.components().all(|part| matches!(part, Component::Normal(_)));
    let why = format!("`{}` does not name a place below the image's root", path.display());
    if plain { Ok(relative) } else { Err(BuildError::Recipe { path: PathBuf::new(), why }) }
}

fn collect(tree: &mut Tree, from: &Path, to: &Path) -> Result<(), BuildError> {
    let found = fs::symlink_metadata(from).map_err(at(from))?;
    if found.is_symlink() {
        place(tree, to, Entry::Link(fs::read_link(from).map_err(at(from))?));
    } else if found.is_dir() {
        place(tree, to, Entry::Folder(0o755));
        for entry in fs::read_dir(from).map_err(at(from))? {
            let entry = entry.map_err(at(from))?;
            collect(tree, &entry.path(), &to.join(entry.file_name()))?;
        }
    } else if found.is_file() {
        // Only whether it can be run: who may write it differs from one checkout to the next.
        let mode = if found.permissions().mode() & 0o111 == 0 { 0o644 } else { 0o755 };
        place(tree, to, Entry::File(from.to_owned(), mode));
    } else {
        return Err(BuildError::Recipe {
            path: PathBuf::new(),
            why: format!("{} is neither file, folder nor link", from.display()),
        });
    }
    Ok(())
}

fn place(tree: &mut Tree, to: &Path, entry: Entry) {
    for above in to.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
        tree.entry(above.to_owned()).or_insert(Entry::Folder(0o755));
    }
    tree.insert(to.to_owned(), entry);
}

/// What an image builds on.
struct Base {
    layout: Option<Layout>,
    layers: Vec<Descriptor>,
    config: Value,
}

impl Default for Base {
    fn default() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let config = json!({"architecture": architecture, "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}});
        Self { layout: None, layers: Vec::new(), config }
    }
}

impl Base {
    fn read(folder: &Path) -> Result<Self, BuildError> {
        let layout = Layout::open_given(folder)?;
        let manifest = layout.manifest(layout.only()?)?;
        let config = serde_json::from_slice(&layout.document(manifest.config.digest)?);
        let mut config: Value = config.map_err(|error| BuildError::Base(error.to_string()))?;
        // A history that does not speak of every layer is worse than none.
        config.as_object_mut().map(|config| config.remove("history"));
        Ok(Self { layout: Some(layout), layers: manifest.layers, config })
    }

    fn add(&mut self, recipe: &Recipe, layer: Descriptor, whole: Hash) {
        self.layers.push(layer);
        if let Some(Value::Array(digests)) = self.config.pointer_mut("/rootfs/diff_ids") {
            digests.push(Value::from(format!("sha256:{whole}")));
        }
        let Some(Value::Object(config)) = self.config.get_mut("config") else { return };
        if !recipe.command.is_empty() {
            config.remove("Entrypoint");
            config.insert("Cmd".to_owned(), recipe.command.clone().into());
        }
        if !recipe.environment.is_empty() {
            let words: Vec<String> = recipe.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
            config.insert("Env".to_owned(), words.into());
        }
    }
}

/// A layout that is being written.
struct Writer {
    folder: PathBuf,
    bytes: u64,
}

impl Writer {
    fn create(folder: &Path) -> Result<Self, BuildError> {
        if folder.exists() && !folder.join("oci-layout").exists() {
            let why = "it exists and is no image layout; it is not overwritten".to_owned();
            return Err(BuildError::Recipe { path: folder.to_owned(), why });
        }
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(at(folder))?;
        }
        let blobs = folder.join("blobs/sha256");
        fs::create_dir_all(&blobs).map_err(at(&blobs))?;
        Ok(Self { folder: folder.to_owned(), bytes: 0 })
    }

    fn put(&mut self, media_type: &str, bytes: &[u8]) -> Result<Descriptor, BuildError> {
        let digest = Hash::of(bytes);
        self.write(&blob(digest), bytes)?;
        Ok(Descriptor { media_type: media_type.to_owned(), digest, size: bytes.len() as u64, annotations: None })
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), BuildError> {
        let path = self.folder.join(name);
        self.bytes += bytes.len() as u64;
        fs::write(&path, bytes).map_err(at(&path))
    }

    fn copy(&mut self, base: &Base, layer: &Descriptor) -> Result<(), BuildError> {
        let Some(layout) = &base.layout else { return Ok(()) };
        let path = self.folder.join(blob(layer.digest));
        let mut from = layout.blob(layer)?;
        let mut to = fs::File::create(&path).map_err(at(&path))?;
        self.bytes += io::copy(&mut from, &mut to).map_err(at(&path))?;
        Ok(from.finish()?)
    }

    /// Writes the layer; yields it and the digest of its content, which are one: it is not compressed.
    fn layer(&mut self, tree: &Tree) -> Result<(Descriptor, Hash), BuildError> {
        let path = self.folder.join("layer.tmp");
        let mut hashed = Hashed {
            to: io::BufWriter::new(fs::File::create(&path).map_err(at(&path))?),
            hash: ring::digest::Context::new(&ring::digest::SHA256),
            size: 0,
        };
        archive(tree, &mut hashed)?;
        hashed.flush().map_err(at(&path))?;
        let mut digest = [0; 32];
        digest.copy_from_slice(hashed.hash.finish().as_ref());
        let (digest, size) = (Hash::from_bytes(digest), hashed.size);
        self.bytes += size;
        let place = self.folder.join(blob(digest));
        fs::rename(&path, &place).map_err(at(&place))?;
        Ok((Descriptor { media_type: LAYER.to_owned(), digest, size, annotations: None }, digest))
    }

    fn finish(mut self, manifest: &Manifest) -> Result<Built, BuildError> {
        let text = serde_json::to_vec(manifest).map_err(|error| BuildError::Base(error.to_string()))?;
        let manifest = self.put(MANIFEST, &text)?;
        let digest = manifest.digest;
        let index = serde_json::to_vec(&Index { schema_version: 2, manifests: vec![manifest] });
        self.write("index.json", &index.map_err(|error| BuildError::Base(error.to_string()))?)?;
        self.write("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(Built { folder: self.folder, digest, bytes: self.bytes })
    }
}

fn archive(tree: &Tree, to: &mut Hashed) -> Result<(), BuildError> {
    let mut archive = Builder::new(to);
    for (path, entry) in tree {
        let mut header = Header::new_gnu();
        // Neither owner nor time: they are those of whoever builds.
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        let written = match entry {
            Entry::Folder(mode) => {
                header.set_entry_type(EntryType::Directory);
                header.set_mode(*mode);
                archive.append_data(&mut header, path, io::empty())
            }
            Entry::Link(to) => {
                header.set_entry_type(EntryType::Symlink);
                header.set_mode(0o777);
                archive.append_link(&mut header, path, to)
            }
            Entry::File(from, mode) => {
                let file = fs::File::open(from).map_err(at(from))?;
                header.set_entry_type(EntryType::Regular);
                header.set_mode(*mode);
                header.set_size(file.metadata().map_err(at(from))?.len());
                archive.append_data(&mut header, path, file)
            }
        };
        written.map_err(at(path))?;
    }
    archive.finish().map_err(at(Path::new("layer")))
}

struct Hashed {
    to: io::BufWriter<fs::File>,
    hash: ring::digest::Context,
    size: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write_all(bytes)?;
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::super::archive;
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
}
