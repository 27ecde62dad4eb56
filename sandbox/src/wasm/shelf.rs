//! `Shelf`: the files and variables that one call's guest is lent. In memory, and wiped when the guest is gone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use policies::profile::Way;
use vault::Placer;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

/// Where nothing is written to a disk, and only root and our own user can look.
const MEMORY: &str = "/dev/shm";

/// What is left of a gateway that was killed begins like this, and is removed by the next.
const NAME: &str = "portcullis-lent";

static SHELVES: AtomicU64 = AtomicU64::new(0);

/// The files of one guest. Dropped, they are gone.
#[derive(Default)]
pub(super) struct Shelf {
    folders: Vec<(PathBuf, PathBuf)>,
    files: Vec<PathBuf>,
}

impl Shelf {
    /// Lays out what a call is lent, and sets its variables.
    ///
    /// # Errors
    /// With a sentence, where something cannot be handed over; then the guest must not run.
    pub(super) fn lay(placer: &Placer, wasi: &mut WasiCtxBuilder) -> Result<Self, String> {
        let mut shelf = Self::default();
        for handed in placer.handed() {
            let laid = match handed.way() {
                Way::File { at, .. } => shelf
                    .file(Path::new(at))
                    .and_then(|mut file| placer.hand(&handed, &mut file).map_err(io::Error::other)),
                Way::Environment { name, .. } => {
                    let name = name.clone();
                    placer
                        .hand_text(&handed, &mut |value| {
                            wasi.env(&name, value);
                        })
                        .map_err(io::Error::other)
                }
                // Standard input is written when the conversation begins.
                Way::Stdin { .. } | Way::Edge { .. } => Ok(()),
            };
            laid.map_err(|error| format!("what it is lent cannot be handed over: {error}"))?;
        }
        for (at, folder) in &shelf.folders {
            wasi.preopened_dir(folder, at.to_string_lossy(), FsPerms::ReadOnly)
                .map_err(|_| "what it is lent cannot be shown to it".to_owned())?;
        }
        Ok(shelf)
    }

    fn file(&mut self, at: &Path) -> io::Result<File> {
        let (Some(above), Some(name)) = (at.parent(), at.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let known = self.folders.iter().find(|(inside, _)| inside == above).map(|(_, folder)| folder.clone());
        let folder = match known {
            Some(folder) => folder,
            None => {
                let folder = make()?;
                self.folders.push((above.to_owned(), folder.clone()));
                folder
            }
        };
        let path = folder.join(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o400).open(&path)?;
        self.files.push(path);
        Ok(file)
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        for file in &self.files {
            if let Err(error) = wipe(file) {
                tracing::error!(%error, "a file that was lent to a component could not be wiped");
            }
        }
        for (_, folder) in &self.folders {
            // What is left is empty, and the next gateway tries again.
            fs::remove_dir(folder).ok();
        }
    }
}

/// A folder of our own in memory.
fn make() -> io::Result<PathBuf> {
    if rustix::fs::statfs(MEMORY)?.f_type != TMPFS {
        return Err(io::Error::other(format!("{MEMORY} is not in memory on this machine")));
    }
    let number = SHELVES.fetch_add(1, Ordering::Relaxed);
    if number == 0 {
        sweep();
    }
    let folder = Path::new(MEMORY).join(format!("{NAME}-{}-{number}", std::process::id()));
    DirBuilder::new().mode(0o700).create(&folder)?;
    Ok(folder)
}

const TMPFS: i64 = 0x0102_1994;

fn wipe(file: &Path) -> io::Result<()> {
    fs::set_permissions(file, fs::Permissions::from_mode(0o600))?;
    let length = usize::try_from(fs::metadata(file)?.len()).unwrap_or_default();
    OpenOptions::new().write(true).open(file)?.write_all(&vec![0; length])?;
    fs::remove_file(file)
}

/// Removes what gateways left that were killed.
fn sweep() {
    for entry in fs::read_dir(MEMORY).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(NAME)) else { continue };
        let process = rest.trim_start_matches('-').split('-').next().unwrap_or_default();
        if process.parse::<u32>().is_ok() && !Path::new("/proc").join(process).exists() {
            for file in fs::read_dir(entry.path()).into_iter().flatten().flatten() {
                // Another user's is not ours to remove, and cannot be.
                wipe(&file.path()).ok();
            }
            fs::remove_dir(entry.path()).ok();
        }
    }
}
