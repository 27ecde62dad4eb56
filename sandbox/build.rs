//! Compiles the bundled Wasm tools (`guests/`), so that the crate can embed them.

use std::env;
use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-wasip2";

/// What a cargo around this build says to itself, and what would change how guests are compiled.
const FOREIGN: [&str; 10] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_BOOTSTRAP",
    "CLIPPY_ARGS",
    "RUSTDOCFLAGS",
];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let guests = folder.join("guests");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for watched in ["files", "http", "time", "Cargo.toml", "Cargo.lock"].map(|name| guests.join(name)) {
        writeln!(std::io::stdout(), "cargo::rerun-if-changed={}", watched.display())?;
    }
    writeln!(std::io::stdout(), "cargo::rerun-if-changed={}", folder.join("wit").display())?;
    has_target()?;
    let target = out.join("guests");
    let built = command("CARGO")?
        .args(["build", "--release", "--locked", "-p", "files", "-p", "http", "-p", "time"])
        .args(["--target", TARGET, "--target-dir"])
        .arg(&target)
        .current_dir(&guests)
        .status()?;
    if !built.success() {
        return Err(format!("the bundled tools in `{}` do not compile for {TARGET}", guests.display()).into());
    }
    for name in ["files", "http", "time"] {
        let file = format!("{name}.wasm");
        std::fs::copy(target.join(TARGET).join("release").join(&file), out.join(&file))?;
    }
    reach(&folder, &out)
}

/// The probe that `doctor` starts in sandboxes: no libc, so that it runs in an empty one. Empty where it was not written for
/// the processor.
fn reach(folder: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let source = folder.join("reach/main.rs");
    writeln!(std::io::stdout(), "cargo::rerun-if-changed={}", source.display())?;
    let target = env::var("TARGET")?;
    if !["x86_64-", "aarch64-"].iter().any(|known| target.starts_with(known)) {
        return Ok(std::fs::write(out.join("reach"), [])?);
    }
    let mut compiler = command("RUSTC")?;
    compiler.args(["--edition", "2024", "--crate-type", "bin", "--crate-name", "reach", "--target", &target]);
    compiler.args(["-Copt-level=s", "-Cpanic=abort", "-Crelocation-model=static", "-Cstrip=symbols"]);
    compiler.args(["-Clink-arg=-nostartfiles", "-Clink-arg=-nostdlib", "-Clink-arg=-static", "-o"]);
    let built = compiler.arg(out.join("reach")).arg(&source).status()?;
    if built.success() { Ok(()) } else { Err(format!("`{}` does not compile", source.display()).into()) }
}

/// A missing target is the one thing that goes wrong on a fresh machine: its error must say what to do.
fn has_target() -> Result<(), Box<dyn Error>> {
    let printed = command("RUSTC")?.args(["--print", "target-libdir", "--target", TARGET]).output()?;
    let libraries = String::from_utf8(printed.stdout)?;
    if printed.status.success() && Path::new(libraries.trim()).is_dir() {
        return Ok(());
    }
    Err(format!("the bundled tools need the target {TARGET}; run `rustup target add {TARGET}`").into())
}

#[expect(clippy::disallowed_methods, reason = "a build script starts the compiler; nothing of it is in the binary")]
fn command(program: &str) -> Result<Command, env::VarError> {
    let mut command = Command::new(env::var(program)?);
    for name in FOREIGN {
        command.env_remove(name);
    }
    Ok(command)
}
