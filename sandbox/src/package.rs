//! `Package`: a tool as it is handed over: a folder with a manifest that says what it needs, and the digest of all of it.

mod digest;
mod manifest;
mod narrow;
mod tool;
mod unpack;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use policies::Hash;
use policies::profile::{Isolation, Mount, Resources};

use crate::config::{Component, ContainerSource, Problem, Program, Reach, WasmSource};

pub use manifest::{Asked, Manifest, Place};
pub use tool::DeclaredTool;
pub use unpack::unpack;

#[cfg(fuzzing)]
pub(crate) use manifest::parse;
pub(crate) use narrow::{Narrowing, narrow_hosts};
pub(crate) use tool::definitions;

/// A tool as it is handed over. What it asks for is a claim until an operator has added it, and never more than it asks for
/// is granted.
#[derive(Clone, Debug)]
pub struct Package {
    root: PathBuf,
    digest: Hash,
    manifest: Manifest,
}

/// The manifest's name in the package's folder.
pub(crate) const MANIFEST: &str = "portcullis-tool.toml";

/// A manifest is written by hand.
const LONGEST_MANIFEST: u64 = 1 << 20;

impl Package {
    /// Reads a package from its folder.
    ///
    /// # Errors
    /// Every problem there is, not only the first.
    pub fn read(folder: &Path) -> Result<Self, Vec<Problem>> {
        let text = manifest_text(folder).map_err(|problem| vec![problem])?;
        let root = folder.canonicalize().map_err(|error| vec![unreadable(folder, &error)])?;
        let manifest = manifest::parse(&text, &root);
        let digest = digest::of(&root);
        match (manifest, digest) {
            (Ok(manifest), Ok(digest)) => Ok(Self { root, digest, manifest }),
            (manifest, digest) => {
                let mut problems = manifest.err().unwrap_or_default();
                problems.extend(digest.err());
                Err(problems)
            }
        }
    }

    /// Copies its files, and nothing that is not in its digest, to a folder that is made.
    ///
    /// # Errors
    /// If one cannot be copied; then what was copied stays.
    pub fn copy(&self, folder: &Path) -> std::io::Result<()> {
        std::fs::create_dir(folder)?;
        for file in digest::files(&self.root).map_err(|problem| std::io::Error::other(problem.to_string()))? {
            let place = folder.join(&file);
            if let Some(parent) = place.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::copy(self.root.join(&file), place)?;
        }
        Ok(())
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The digest of every file in it.
    #[must_use]
    pub fn digest(&self) -> Hash {
        self.digest
    }

    /// What it says of itself and asks for.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// How it is reached, with what was left of what it asks for.
    pub(crate) fn reach(&self, narrowing: &Narrowing) -> Reach {
        let Manifest { what, environment, .. } = &self.manifest;
        let resources = |sandbox| Arc::new(self.resources(sandbox, narrowing));
        // What the operator sets wins over what the package brings.
        let environment: Vec<(String, String)> = environment.iter().chain(&narrowing.environment).cloned().collect();
        match what {
            Asked::Wasm { component, stdio } => Reach::Wasm(WasmSource {
                component: Component::File(self.root.join(component)),
                stdio: *stdio,
                environment,
                resources: resources(Isolation::Wasm),
            }),
            Asked::Container { image, command } => Reach::Container(ContainerSource {
                image: self.root.join(image),
                command: command.clone(),
                environment,
                resources: resources(Isolation::Gvisor),
            }),
            Asked::Process { command, arguments } => Reach::Process(Program {
                command: self.program(command),
                arguments: arguments.clone(),
                environment,
                folder: Some(self.root.clone()),
                jail: narrowing.jail,
                read: vec![self.root.clone()],
                resources: resources(if narrowing.jail { Isolation::Jail } else { Isolation::None }),
            }),
        }
    }

    fn resources(&self, sandbox: Isolation, narrowing: &Narrowing) -> Resources {
        let folders: Vec<Mount> = narrowing.folders.clone();
        let mut resources = Resources {
            sandbox,
            digest: Some(self.digest),
            folders,
            egress: narrowing.egress.clone(),
            secrets: narrowing.secrets.clone(),
            limits: narrowing.limits.clone(),
        };
        crate::config::reach(&mut resources);
        resources
    }

    /// A program of the package's own before one of the system's.
    fn program(&self, command: &str) -> String {
        let own = self.root.join(command);
        if own.is_file() { own.display().to_string() } else { command.to_owned() }
    }
}

fn manifest_text(folder: &Path) -> Result<String, Problem> {
    let file = folder.join(MANIFEST);
    let length = std::fs::symlink_metadata(&file).map_err(|error| unreadable(&file, &error))?.len();
    if length > LONGEST_MANIFEST {
        return Err(Problem::new(MANIFEST, format!("{length} bytes"), "at most 1 MiB"));
    }
    std::fs::read_to_string(&file).map_err(|error| unreadable(&file, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new(MANIFEST, format!("{}: {error}", path.display()), "a folder with the manifest of a tool package")
}

#[cfg(test)]
mod tests;
