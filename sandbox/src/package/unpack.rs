//! Unpacks a package from a tar that a stranger made: plain files and folders, below one new folder, within bounds.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use tar::{Archive, Entry, EntryType};

use crate::config::Problem;

/// What is unpacked at most: an image with its layers fits.
const MOST_BYTES: u64 = 4 << 30;

const MOST_ENTRIES: usize = 20_000;

/// Unpacks a tar into a folder, which is made and must not be there.
///
/// # Errors
/// The first thing in it that has no place in a package; then the folder is gone again.
pub fn unpack(tar: &Path, folder: &Path) -> Result<(), Problem> {
    let failed = |error: io::Error| wrong(&tar.display().to_string(), &error.to_string(), "a tar of a tool package");
    let file = File::open(tar).map_err(failed)?;
    fs::create_dir(folder).map_err(failed)?;
    let unpacked = Unpacker { folder, left: MOST_BYTES, made: BTreeSet::new() }.all(file);
    if unpacked.is_err() {
        fs::remove_dir_all(folder).map_err(failed)?;
    }
    unpacked
}

struct Unpacker<'a> {
    folder: &'a Path,
    left: u64,
    made: BTreeSet<PathBuf>,
}

impl Unpacker<'_> {
    fn all(mut self, file: File) -> Result<(), Problem> {
        let broken = |error: io::Error| wrong("tar", &error.to_string(), "a tar without compression");
        let mut archive = Archive::new(io::BufReader::new(file));
        // Raw: an extension's own reading would take names and links of any length and kind.
        for (number, entry) in archive.entries().map_err(broken)?.raw(true).enumerate() {
            if number >= MOST_ENTRIES {
                return Err(wrong("tar", "more than 20000 entries", "a tool package"));
            }
            self.one(entry.map_err(broken)?)?;
        }
        Ok(())
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not known is refused")]
    fn one(&mut self, entry: Entry<'_, impl Read>) -> Result<(), Problem> {
        let (named, kind) = (String::from_utf8_lossy(&entry.path_bytes()).into_owned(), entry.header().entry_type());
        match kind {
            EntryType::Regular => {
                let path = self.place(&named)?;
                self.file(entry, &path, &named)
            }
            EntryType::Directory => self.place(&named).and_then(|path| {
                fs::create_dir_all(&path).map_err(|error| wrong(&named, &error.to_string(), "a folder"))
            }),
            EntryType::XHeader | EntryType::XGlobalHeader => harmless_extension(entry),
            EntryType::Symlink | EntryType::Link => Err(wrong(&named, "a link", "plain files and folders")),
            EntryType::Char | EntryType::Block | EntryType::Fifo => {
                Err(wrong(&named, "a device or a pipe", "plain files and folders"))
            }
            // `tar` may come to know more kinds; whatever they are, packages have none of them.
            _ => Err(wrong(
                &named,
                "an entry of a kind that packages have not",
                "`tar --format=ustar`, names of 100 bytes",
            )),
        }
    }

    /// Where an entry goes: below the folder, whatever it is called.
    fn place(&self, named: &str) -> Result<PathBuf, Problem> {
        let mut path = self.folder.to_owned();
        for part in Path::new(named).components() {
            match part {
                Component::Normal(part) => path.push(part),
                Component::CurDir => {}
                Component::RootDir | Component::ParentDir | Component::Prefix(_) => {
                    return Err(wrong(named, "a path that leaves the package", "paths inside it, without `..`"));
                }
            }
        }
        if named.contains('\0') || named.chars().any(char::is_control) {
            return Err(wrong(named, "a name with control characters", "another name"));
        }
        Ok(path)
    }

    fn file(&mut self, entry: Entry<'_, impl Read>, path: &Path, named: &str) -> Result<(), Problem> {
        let failed = |error: io::Error| wrong(named, &error.to_string(), "a file that can be unpacked");
        let size = entry.header().entry_size().map_err(failed)?;
        self.left =
            self.left.checked_sub(size).ok_or_else(|| wrong(named, "more than 4 GiB in all", "a smaller package"))?;
        if !self.made.insert(path.to_owned()) {
            return Err(wrong(named, "a file that comes twice", "each file once"));
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        let mode = if entry.header().mode().map_err(failed)? & 0o111 == 0 { 0o644 } else { 0o755 };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(failed)?;
        let copied = io::copy(&mut entry.take(size), &mut file).map_err(failed)?;
        if copied == size { Ok(()) } else { Err(wrong(named, "a file that ends too early", "a whole tar")) }
    }
}

/// Times and owners of a file may stand before it; what would rename, link or resize it may not.
fn harmless_extension(entry: Entry<'_, impl Read>) -> Result<(), Problem> {
    let mut text = Vec::new();
    let read = entry.take(1 << 16).read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text);
    let harmful = |line: &str| {
        let key = line.split_once(' ').and_then(|(_, rest)| rest.split_once('=')).map_or(line, |(key, _)| key);
        matches!(key, "path" | "linkpath" | "size") || key.starts_with("GNU.sparse")
    };
    if read.is_err() || text.len() >= 1 << 16 || text.lines().any(harmful) {
        return Err(wrong(
            "tar",
            "an extension that renames or resizes a file",
            "`tar --format=ustar`, names of 100 bytes",
        ));
    }
    Ok(())
}

fn wrong(key: &str, found: &str, wanted: &str) -> Problem {
    Problem::new(key.chars().take(200).collect::<String>(), found, wanted)
}
