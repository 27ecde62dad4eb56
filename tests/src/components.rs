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

/// The folders, below `node_modules`, of a package and of everything that it depends on.
///
/// # Panics
/// When one of them is not installed.
#[must_use]
pub fn packages(name: &str) -> Vec<String> {
    let mut found = vec![name.to_owned()];
    let mut next = 0;
    while let Some(package) = found.get(next).cloned() {
        for dependency in dependencies(&package) {
            let place = installed(&package, &dependency);
            if !found.contains(&place) {
                found.push(place);
            }
        }
        next += 1;
    }
    found
}

fn dependencies(package: &str) -> Vec<String> {
    let manifest = std::fs::read(module(&format!("{package}/package.json"))).expect("a package has a manifest");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("a manifest is JSON");
    manifest["dependencies"].as_object().map(|all| all.keys().cloned().collect()).unwrap_or_default()
}

/// Where Node finds what a package imports: inside it, or beside it, or beside what it is inside of.
fn installed(package: &str, dependency: &str) -> String {
    let inside = |folder: &str| format!("{folder}/node_modules/{dependency}");
    let above = package.rmatch_indices("/node_modules/").filter_map(|(at, _)| package.get(..at));
    let places = std::iter::once(package).chain(above).map(inside).chain([dependency.to_owned()]);
    let there = |place: &String| folder().join("node_modules").join(place).is_dir();
    places.into_iter().find(there).unwrap_or_else(|| panic!("{package} lacks {dependency}"))
}

/// A program's shared libraries and its loader, where it asks for them.
///
/// # Panics
/// When it is no program of this machine.
#[must_use]
pub fn libraries(program: &str) -> Vec<String> {
    let told = program::run(program::command("ldd").arg(program), Duration::from_secs(20)).success();
    told.split_whitespace().filter(|word| word.starts_with('/')).map(ToOwned::to_owned).collect()
}

/// What makes components of Python.
///
/// # Panics
/// When it cannot be installed.
#[must_use]
pub fn componentize() -> PathBuf {
    let installer = Path::new(env!("CARGO_MANIFEST_DIR")).join("components/componentize");
    let mut command = program::command(installer);
    command.envs(std::env::vars_os()).env("PORTCULLIS_COMPONENTS", place());
    drop(program::run(&mut command, Duration::from_mins(5)).success());
    place().join("componentize/python/bin/componentize-py")
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
