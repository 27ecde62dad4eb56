//! What sandboxes cost, beside what they are made of. Needs root, for the engine and the guard.
//!
//! The measurements are `sandbox/tests/sandbox/measured`, each run here in a process of its own.

use std::ffi::OsString;
use std::io::{Write as _, stdout};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tests::engine::{Engine, Guard, Runtime, package, runsc_current};
use tests::{attacker, program};

const GUESTS: [&str; 3] =
    ["guests::a_call_of_a_guest", "guests::the_memory_of_bare_guests", "guests::the_memory_of_guests"];
const CONTAINERS: &str = "containers::a_call_of_a_server_in_a_container";

fn main() -> std::io::Result<()> {
    for guests in GUESTS {
        measure(&format!("measured::{guests}"), &[])?;
    }
    let engine = Engine::start();
    let mut runtimes = vec![(Runtime::Runc, "runc"), (Runtime::Runsc, "runsc")];
    runtimes.extend(runsc_current().map(|_| (Runtime::RunscCurrent, "runsc-current")));
    for (runtime, name) in runtimes {
        contained(&engine, runtime, name)?;
    }
    Ok(())
}

fn contained(engine: &Engine, runtime: Runtime, name: &str) -> std::io::Result<()> {
    let folder = TempDir::with_prefix("portcullis-bench-")?;
    let root = folder.path().canonicalize()?;
    let recipe = format!("files = [{{ from = '{}', to = '/hostile-tool' }}]", attacker::tool().display());
    let manifest = "[container]\nimage = \"image\"\ncommand = [\"/hostile-tool\"]\n";
    let package = package(&root, "hostile", &recipe, manifest);
    let guard = Guard::start(engine, runtime, &root, "");
    let places = [
        ("PORTCULLIS_BENCH_GUARD", guard.socket().into_os_string()),
        ("PORTCULLIS_BENCH_ENGINE", engine.socket().into_os_string()),
        ("PORTCULLIS_BENCH_PACKAGE", package.into_os_string()),
        ("PORTCULLIS_BENCH_RUNTIME", name.into()),
    ];
    measure(&format!("measured::{CONTAINERS}"), &places)
}

/// Runs one measurement, and passes its table on.
fn measure(name: &str, places: &[(&str, OsString)]) -> std::io::Result<()> {
    let mut command = measurements();
    command.args(["--ignored", "--nocapture", "--exact", name]).envs(places.iter().cloned());
    let said = program::run(&mut command, Duration::from_mins(30)).success();
    let noise = |line: &&str| line.starts_with("running") || line.starts_with("test result") || line.trim().is_empty();
    let mut out = stdout();
    for line in said.lines().filter(|line| !noise(line) && *line != ".") {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// `PORTCULLIS_BENCH_BIN`, where the measurements were built already; else cargo builds them.
fn measurements() -> Command {
    if let Some(built) = std::env::var_os("PORTCULLIS_BENCH_BIN") {
        return program::command(built);
    }
    let mut cargo = program::command(env!("CARGO"));
    // The same choice of packages as for the gateway: another one has other features, and builds everything again.
    cargo.envs(std::env::vars_os());
    cargo.args(["test", "--quiet", "--workspace", "--locked", "--release", "--test", "sandbox", "--"]);
    cargo
}
