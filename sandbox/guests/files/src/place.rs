//! `Place`: a path below the folder, by its text alone. The host holds the folder closed whatever is written here; this is
//! for errors that say what is wrong.

use std::io;
use std::path::PathBuf;

use crate::ToolError;

/// Where the host opens the folder.
const ROOT: &str = "/files";

/// A path below the folder.
pub(crate) struct Place {
    /// As it is shown.
    pub(crate) shown: String,
    /// As it is opened.
    pub(crate) path: PathBuf,
}

impl Place {
    /// A path as an agent writes it; the folder itself is `.`, or nothing.
    pub(crate) fn of(given: &str) -> Result<Self, ToolError> {
        let refused = |why: &str| Err(ToolError::InvalidArguments(format!("`{given}` {why}")));
        if given.starts_with('/') {
            return refused("is not relative: paths start in the folder, without `/`");
        }
        if given.contains('\0') || given.contains('\\') {
            return refused("holds a character that paths here do not have");
        }
        let names: Vec<&str> = given.split('/').filter(|name| !matches!(*name, "" | ".")).collect();
        if names.contains(&"..") {
            return refused("leaves the folder: `..` is not allowed");
        }
        Ok(Self {
            shown: if names.is_empty() { ".".to_owned() } else { names.join("/") },
            path: names.iter().fold(PathBuf::from(ROOT), |path, name| path.join(name)),
        })
    }

    /// The folder itself.
    pub(crate) fn is_root(&self) -> bool {
        self.shown == "."
    }

    /// What a system error means here.
    pub(crate) fn failed(&self, error: &io::Error) -> ToolError {
        let shown = &self.shown;
        ToolError::Failed(match error.kind() {
            io::ErrorKind::NotFound => format!("`{shown}` does not exist"),
            io::ErrorKind::AlreadyExists => format!("`{shown}` exists already"),
            io::ErrorKind::NotADirectory => format!("`{shown}` is not a folder, or something on the way to it is not"),
            io::ErrorKind::IsADirectory => format!("`{shown}` is a folder"),
            io::ErrorKind::DirectoryNotEmpty => format!("`{shown}` is not empty"),
            io::ErrorKind::PermissionDenied => {
                format!("`{shown}` may not be opened: it leads out of the folder, or it is read-only")
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => format!("there is no room left for `{shown}`"),
            _ => format!("`{shown}`: {error}"),
        })
    }
}
