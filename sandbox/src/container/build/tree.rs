//! `Tree`: what stands where in the layer that is added, in order.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use super::{BuildError, Recipe, Source, at};

/// What stands where in the layer, in order.
pub(super) type Tree = BTreeMap<PathBuf, Entry>;

pub(super) enum Entry {
    Folder(u32),
    File(PathBuf, u32),
    Link(PathBuf),
}

pub(super) fn tree(folder: &Path, recipe: &Recipe) -> Result<Tree, BuildError> {
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
