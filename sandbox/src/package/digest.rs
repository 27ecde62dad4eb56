//! The digest of a package: every file's path, whether it may be executed, and its content.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use policies::Hash;
use ring::digest::{Context, SHA256};

use crate::config::Problem;

/// More files than an image layout and a tool's source together have.
const MOST_FILES: usize = 20_000;

/// Deeper than this is a trap.
const DEEPEST: usize = 64;

/// The digest of everything in a folder. A link, a device or a socket has no place in a package: what it stands for would
/// be outside the digest.
pub(super) fn of(root: &Path) -> Result<Hash, Problem> {
    let mut whole = Context::new(&SHA256);
    for relative in &files(root)? {
        let path = root.join(relative);
        let executable = fs::symlink_metadata(&path).map_err(|error| wrong(relative, &error.to_string()))?;
        let executable = u8::from(executable.permissions().mode() & 0o111 != 0);
        // Fixed lengths: where one part ends and the next begins must not be movable.
        whole.update(Hash::of(relative.as_os_str().as_bytes()).as_bytes());
        whole.update(&[executable]);
        whole.update(content(&path).map_err(|error| wrong(relative, &error.to_string()))?.as_ref());
    }
    let mut bytes = [0; 32];
    bytes.copy_from_slice(whole.finish().as_ref());
    Ok(Hash::from_bytes(bytes))
}

/// Every file, by its path in the folder.
pub(super) fn files(root: &Path) -> Result<Vec<PathBuf>, Problem> {
    let mut files = Vec::new();
    walk(root, root, 0, &mut files)?;
    files.sort();
    Ok(files)
}

fn walk(root: &Path, folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Problem> {
    let relative = |path: &Path| path.strip_prefix(root).unwrap_or(path).to_owned();
    let failed = |error: std::io::Error| wrong(&relative(folder), &error.to_string());
    if depth > DEEPEST {
        return Err(wrong(&relative(folder), "folders too deep"));
    }
    for item in fs::read_dir(folder).map_err(failed)? {
        let item = item.map_err(failed)?;
        let (path, kind) = (item.path(), item.file_type().map_err(failed)?);
        if kind.is_dir() {
            walk(root, &path, depth + 1, files)?;
        } else if kind.is_file() {
            files.push(relative(&path));
        } else {
            let what = if kind.is_symlink() {
                "a link"
            } else if kind.is_socket() {
                "a socket"
            } else {
                "a device or a pipe"
            };
            return Err(wrong(&relative(&path), what));
        }
        if files.len() > MOST_FILES {
            return Err(wrong(&relative(&path), "more than 20000 files"));
        }
    }
    Ok(())
}

fn content(path: &Path) -> std::io::Result<ring::digest::Digest> {
    let mut file = File::open(path)?;
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(context.finish()),
            read => context.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

fn wrong(path: &Path, found: &str) -> Problem {
    Problem::new(path.display().to_string(), found, "a package of plain files")
}
