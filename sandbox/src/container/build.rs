//! Makes an image from files, offline: the same files make the same image, byte for byte.

mod tree;
mod writer;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use policies::Hash;
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;

use super::layout::{Descriptor, ImageError, Layout, Manifest};
use tree::tree;
use writer::Writer;

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

#[cfg(test)]
mod tests;
