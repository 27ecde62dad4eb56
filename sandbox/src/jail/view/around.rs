//! `Around`: where a program is, and what it runs from: its runtime, its package, and the files that its command line names.
//!
//! Never a home folder, nor one that holds it: what a person keeps there is what a jail is to keep from tools.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::config::Program;

/// What a program runs from.
pub(super) struct Around {
    /// The program itself, from the root.
    pub(super) command: PathBuf,
    /// Where it was to start.
    pub(super) folder: PathBuf,
    /// What it reads.
    pub(super) paths: Vec<PathBuf>,
}

/// A file in a folder says that the folder is a package.
const PACKAGES: [&str; 6] = ["package.json", "pyproject.toml", "pyvenv.cfg", "setup.py", "requirements.txt", "Gemfile"];

/// A program by its name, whatever its mode is.
const SCRIPTS: [&str; 9] = ["js", "mjs", "cjs", "ts", "py", "rb", "sh", "pl", "php"];

/// A folder that holds programs lies in the runtime that they belong to.
const BINARIES: [&str; 4] = ["bin", "sbin", "shims", "Scripts"];

/// An interpreter may be a script itself.
const DEPTH: usize = 4;

impl Around {
    /// # Errors
    /// With a sentence, where the program cannot be found.
    pub(super) fn of(program: &Program) -> Result<Self, String> {
        let here = std::env::current_dir().unwrap_or_else(|_| "/".into());
        let folder = program.folder.as_ref().map_or_else(|| here.clone(), |folder| here.join(folder));
        let command = find(&program.command, &folder)
            .ok_or_else(|| format!("it cannot be started: there is no program `{}`", program.command))?;
        let mut around = Self { command: command.clone(), folder: folder.clone(), paths: Vec::new() };
        around.program(&command, DEPTH);
        // A folder that the config names is meant to be seen.
        around.paths.extend(program.folder.is_some().then(|| folder.clone()));
        for argument in &program.arguments {
            around.argument(argument, &folder);
        }
        Ok(around)
    }

    /// A program with its runtime, and that of whatever interprets it.
    fn program(&mut self, path: &Path, depth: usize) {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        for path in [path, &real] {
            self.paths.push(runtime(path).unwrap_or_else(|| path.to_owned()));
        }
        self.paths.extend(package(&real));
        if let (Some(interpreter), Some(less)) = (interpreter(&real), depth.checked_sub(1)) {
            self.program(&interpreter, less);
        }
    }

    /// A file or folder that the command line names, also as `--option=/path`.
    fn argument(&mut self, argument: &str, folder: &Path) {
        let value = argument.split_once('=').filter(|_| argument.starts_with('-')).map_or(argument, |(_, value)| value);
        if value.is_empty() || value.starts_with('-') {
            return;
        }
        let path = folder.join(value);
        // A bare word is a file only where it looks like one: `install` is not the folder of that name.
        let named = value.contains('/') || is_script(&path);
        if !named || !path.exists() {
            return;
        }
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        if real.is_file() && is_script(&real) {
            self.program(&path, DEPTH);
            self.paths.extend(beside(&path));
            self.paths.extend(beside(&real));
        }
        self.paths.push(path);
    }
}

/// A program by its name, as a shell would find it.
fn find(name: &str, folder: &Path) -> Option<PathBuf> {
    let runs = |path: &PathBuf| {
        fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    if name.contains('/') {
        return Some(folder.join(name)).filter(runs);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(name)).find(runs)
}

/// `/opt/node` of `/opt/node/bin/npx`; nothing of what the system has anyway.
fn runtime(path: &Path) -> Option<PathBuf> {
    let binaries = path.parent().filter(|folder| folder.file_name().is_some_and(|name| is_one_of(name, &BINARIES)))?;
    let root = binaries.parent()?;
    // `~/.local/bin` is where programs of all sorts are linked from, and `~/.local` is a home folder of its own.
    let is_runtime = ["lib", "libexec", "pyvenv.cfg", "share", "include"].iter().any(|name| root.join(name).exists());
    (is_runtime && !is_personal(root)).then(|| root.to_owned())
}

/// The topmost `node_modules` that it lies in, else the nearest folder that says it is a package.
fn package(path: &Path) -> Option<PathBuf> {
    let above = || path.ancestors().skip(1).filter(|folder| !is_personal(folder));
    let modules = above().filter(|folder| folder.file_name().is_some_and(|name| name == "node_modules")).last();
    let marked = || above().find(|folder| PACKAGES.iter().any(|name| folder.join(name).is_file()));
    modules.or_else(marked).map(Path::to_owned)
}

/// A script without a package has its folder: what it imports lies there.
fn beside(path: &Path) -> Option<PathBuf> {
    let folder = path.parent()?;
    let deep = folder.components().count() > 2;
    (package(path).is_none() && deep && !is_personal(folder)).then(|| folder.to_owned())
}

/// A home folder, what holds one, and what is everyone's.
fn is_personal(folder: &Path) -> bool {
    let home = std::env::var_os("HOME").map(PathBuf::from).and_then(|home| home.canonicalize().ok());
    let homes = home.iter().flat_map(|home| [home.clone(), home.join(".local"), home.join(".config")]);
    let shared = ["/tmp", "/var/tmp", "/etc", "/srv", "/var/lib", "/mnt", "/media"].map(PathBuf::from);
    let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    homes.chain(shared).any(|personal| personal.starts_with(&real))
}

fn is_script(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|name| is_one_of(name, &SCRIPTS)) || interpreter(path).is_some()
}

fn is_one_of(name: &std::ffi::OsStr, names: &[&str]) -> bool {
    names.iter().any(|one| name == *one)
}

/// What the first line of a script names: `#!/usr/bin/env node` is `node` as it is found.
fn interpreter(path: &Path) -> Option<PathBuf> {
    let mut line = Vec::new();
    fs::File::open(path).ok()?.take(256).read_to_end(&mut line).ok()?;
    let line = line.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split_whitespace();
    let program = PathBuf::from(words.next()?);
    if program.file_name()? != "env" {
        return Some(program).filter(|program| program.is_absolute());
    }
    let name = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
    find(name, Path::new("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_a_runtime_is_seen_with_it_and_without_the_home_folder() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("node/bin")).unwrap();
        fs::create_dir_all(root.join("node/lib")).unwrap();
        assert_eq!(runtime(&root.join("node/bin/npx")), Some(root.join("node")));
        assert_eq!(runtime(&root.join("node/other/npx")), None);
        assert!(is_personal(Path::new("/")) && is_personal(Path::new("/tmp")) && !is_personal(&root));
        assert!(is_personal(&PathBuf::from(std::env::var_os("HOME").unwrap())));
    }

    #[test]
    fn a_file_of_a_package_brings_the_package_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let inner = root.join("app/node_modules/a/node_modules/b");
        fs::create_dir_all(&inner).unwrap();
        fs::write(root.join("app/package.json"), "{}").unwrap();
        assert_eq!(package(&inner.join("index.js")), Some(root.join("app/node_modules")));
        assert_eq!(package(&root.join("app/build/index.js")), Some(root.join("app")));
        assert_eq!(package(&root.join("loose.py")), None);
        assert_eq!(beside(&root.join("loose.py")), Some(root.clone()));
        assert_eq!(beside(Path::new("/tmp/loose.py")), None);
    }

    #[test]
    fn a_script_names_what_runs_it() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("tool");
        fs::write(&script, "#!/usr/bin/env -S sh -e\n").unwrap();
        assert!(interpreter(&script).is_some_and(|found| found.ends_with("sh")));
        fs::write(&script, "#!/bin/sh\n").unwrap();
        assert_eq!(interpreter(&script), Some("/bin/sh".into()));
        fs::write(&script, "\x7fELF").unwrap();
        assert_eq!(interpreter(&script), None);
    }
}
