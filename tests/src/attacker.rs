//! The tool server that attacks what it runs in, built where it is first needed.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use crate::program;

/// Where `hostile-tool` is: a static program, so that the same file runs in a jail and in an empty container.
///
/// # Panics
/// If it cannot be built.
#[must_use]
pub fn tool() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build)
}

/// Where the hostile component is.
///
/// # Panics
/// If it cannot be built.
#[must_use]
pub fn guest() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sandbox/guests/Cargo.toml");
        component(&guests, &["-p", "hostile"], "guests").join("hostile.wasm")
    })
}

/// Compiles components, and says where they are.
///
/// # Panics
/// If they do not compile.
#[must_use]
pub fn component(manifest: &Path, more: &[&str], name: &str) -> PathBuf {
    let home = std::env::var_os("HOME").expect("HOME is set");
    let target = Path::new(&home).join(".cache/portcullis").join(name);
    let mut command = program::command(env!("CARGO"));
    command.envs(std::env::vars_os());
    for foreign in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR"] {
        command.env_remove(foreign);
    }
    command.args(["build", "--quiet", "--release", "--locked", "--target", COMPONENT]).args(more);
    command.arg("--manifest-path").arg(manifest).arg("--target-dir").arg(&target);
    drop(program::run(&mut command, Duration::from_mins(5)).success());
    target.join(COMPONENT).join("release")
}

const COMPONENT: &str = "wasm32-wasip2";

const TARGET: &str = "x86_64-unknown-linux-musl";

fn build() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("hostile-tool/Cargo.toml");
    let home = std::env::var_os("HOME").expect("HOME is set");
    let target = Path::new(&home).join(".cache/portcullis/hostile-tool");
    let mut command = program::command(env!("CARGO"));
    command.envs(std::env::vars_os()).env_remove("RUSTFLAGS").env_remove("CARGO_TARGET_DIR");
    command.args(["build", "--quiet", "--locked", "--target", TARGET]).arg("--manifest-path").arg(manifest);
    command.arg("--target-dir").arg(&target);
    drop(program::run(&mut command, Duration::from_mins(5)).success());
    target.join(TARGET).join("debug/hostile-tool")
}
