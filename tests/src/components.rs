//! The real clients, servers and the conformance suite, as `tests/components/install` left them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::program;

/// Where everything is. Installs it first if the lock files changed.
///
/// # Panics
/// When it cannot be installed.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = place();
        let installer = Path::new(env!("CARGO_MANIFEST_DIR")).join("components/install");
        let mut command = program::command(installer);
        command.envs(std::env::vars_os()).env("PORTCULLIS_COMPONENTS", &folder); // registry settings come from outside
        drop(program::run(&mut command, Duration::from_mins(15)).success());
        folder
    })
}

/// Where everything is, installed or not.
///
/// # Panics
/// Without a home folder.
#[must_use]
pub fn place() -> PathBuf {
    std::env::var_os("PORTCULLIS_COMPONENTS").map_or_else(default, PathBuf::from)
}

fn default() -> PathBuf {
    Path::new(&std::env::var_os("HOME").expect("HOME is set")).join(".cache/portcullis/components")
}

/// A program of the Python environment.
#[must_use]
pub fn python(name: &str) -> String {
    path(&folder().join("python/bin").join(name))
}

/// The Node that everything from npm runs on.
#[must_use]
pub fn node() -> String {
    python("node")
}

/// A file below `node_modules`.
#[must_use]
pub fn module(file: &str) -> String {
    path(&folder().join("node_modules").join(file))
}

/// A script of ours that drives a client.
#[must_use]
pub fn script(name: &str) -> String {
    path(&Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name))
}

/// `node` with one file of `node_modules`, and the environment in which it finds the rest.
#[must_use]
pub fn node_command(file: &str) -> Command {
    let mut command = program::command(node());
    command.arg(file).env("PATH", search_path()).env("NODE_PATH", folder().join("node_modules"));
    command
}

/// A `PATH` on which the components come first.
#[must_use]
pub fn search_path() -> String {
    let rest = std::env::var("PATH").unwrap_or_default();
    format!("{}:{rest}", path(&folder().join("python/bin")))
}

fn path(path: &Path) -> String {
    path.to_str().expect("the path is UTF-8").to_owned()
}
