//! `Files`: the texts below some paths, one after the other.

use std::fs;
use std::path::{Path, PathBuf};

/// What is still to be read, and what was not.
pub(super) struct Files {
    /// Named by a person: read whatever it is called.
    named: Vec<PathBuf>,
    /// Found in folders.
    found: Vec<PathBuf>,
    largest: u64,
    skipped: Skipped,
}

/// What was not read.
#[derive(Default)]
pub(super) struct Skipped {
    pub(super) large: usize,
    pub(super) binary: usize,
    pub(super) failed: Vec<String>,
}

/// What others wrote and a person does not keep credentials in; each is larger than all the rest together.
const PASSED_OVER: &[&str] = &[".git", "node_modules", "target", ".venv", "venv", "__pycache__", ".cache", "dist-info"];

impl Files {
    pub(super) fn of(mut named: Vec<PathBuf>, largest: u64) -> Self {
        named.reverse();
        Self { named, found: Vec::new(), largest, skipped: Skipped::default() }
    }

    pub(super) fn skipped(&mut self) -> &mut Skipped {
        &mut self.skipped
    }

    pub(super) fn into_skipped(self) -> Skipped {
        self.skipped
    }

    /// The next text.
    pub(super) fn next_text(&mut self) -> Option<(PathBuf, String)> {
        loop {
            let (path, named) = match self.found.pop() {
                Some(path) => (path, false),
                None => (self.named.pop()?, true),
            };
            if let Some(text) = self.open(&path, named) {
                return Some((path, text));
            }
        }
    }

    /// The text, if this is one; what a folder holds is put with the rest.
    fn open(&mut self, path: &Path, named: bool) -> Option<String> {
        // A link that was found leads to what is read elsewhere, or out of the folder, or in a circle.
        let kind = if named { fs::metadata(path) } else { fs::symlink_metadata(path) };
        let kind = self.noting(path, kind)?;
        if kind.is_dir() {
            self.enter(path, named);
            return None;
        }
        if !kind.is_file() {
            return None;
        }
        if kind.len() > self.largest {
            self.skipped.large += 1;
            return None;
        }
        let bytes = self.noting(path, fs::read(path))?;
        let text = text(bytes);
        self.skipped.binary += usize::from(text.is_none());
        text
    }

    fn enter(&mut self, folder: &Path, named: bool) {
        let passed = |name: &std::ffi::OsStr| PASSED_OVER.iter().any(|passed| name == *passed);
        if !named && folder.file_name().is_some_and(passed) {
            return;
        }
        let Some(entries) = self.noting(folder, fs::read_dir(folder)) else { return };
        let mut paths: Vec<PathBuf> =
            entries.filter_map(|entry| self.noting(folder, entry)).map(|entry| entry.path()).collect();
        paths.sort_unstable_by(|a, b| b.cmp(a));
        self.found.append(&mut paths);
    }

    fn noting<T>(&mut self, path: &Path, result: std::io::Result<T>) -> Option<T> {
        result.map_err(|error| self.skipped.failed.push(format!("{}: {error}", path.display()))).ok()
    }
}

/// UTF-8, or UTF-16 with its mark; of anything else, what is ASCII enough.
fn text(bytes: Vec<u8>) -> Option<String> {
    match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => return Some(wide(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => return Some(wide(rest, u16::from_be_bytes)),
        _ => {}
    }
    // As `git` tells them apart: a program and a picture have a zero soon.
    if bytes.iter().take(8_000).any(|byte| *byte == 0) {
        return None;
    }
    Some(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

fn wide(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units: Vec<u16> = bytes.chunks_exact(2).filter_map(|pair| pair.first_chunk().copied()).map(unit).collect();
    String::from_utf16_lossy(&units)
}
