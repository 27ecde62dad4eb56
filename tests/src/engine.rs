//! A container engine of the tests' own, and guards on it: in a network namespace of their own, so that no bridge, rule or log
//! group of theirs meets anything else's.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::program::{self, Output, Program};
use crate::{components, world};

/// A running engine. It ends with this value, or with the process.
pub struct Engine {
    folder: PathBuf,
    /// Ends when its standard input does: however the test ends, the engine does not stay.
    keeper: Mutex<Child>,
    guards: AtomicU16,
}

/// What runs the containers of a guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// Debian's gVisor of 2022, which uses the network stack of the container's namespace.
    Runsc,
    /// gVisor of this year, with a network stack of its own.
    RunscCurrent,
    /// The host's kernel.
    Runc,
    /// What the engine takes for gVisor, and starts nothing.
    Broken,
}

const SOON: Duration = Duration::from_mins(1);

/// Starts an engine, waits for the end of its input, and removes everything. An engine that was killed is not started again by
/// this: a line on the input does.
const KEEPER: &str = r#"
root=$1
ip link set lo up
run() {
    dockerd --config-file "$root/daemon.json" --host "unix://$root/engine.sock" --data-root "$root/data" --exec-root "$root/exec" \
        --pidfile "$root/pid" --bridge none --iptables=false >>"$root/log" 2>&1 &
}
run
while read -r line; do wait; rm -f "$root/pid" "$root/exec/containerd/containerd.pid"; run; done
kill "$(cat "$root/pid")" 2>/dev/null
wait
kill -9 "$(cat "$root/exec/containerd/containerd.pid")" 2>/dev/null
for shim in $(pgrep -f "^[^ ]*containerd-shim.*$root"); do
    pkill -9 -P "$shim"
    kill -9 "$shim"
done
grep -o "$root/[^ ]*" /proc/self/mounts | sort -r | while read -r at; do umount -l "$at"; done
rm -rf "$root"
"#;

impl Engine {
    /// The one that the tests of this process share.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Engine> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// One of its own, for tests that kill it.
    ///
    /// # Panics
    /// When it does not come up. Needs root.
    #[must_use]
    pub fn start() -> Self {
        let folder = TempDir::with_prefix("portcullis-engine-").expect("a folder for the engine").keep();
        fs::write(folder.join("daemon.json"), daemon()).expect("the engine's config is written");
        let mut command = program::command("unshare");
        command.args(["--net", "sh", "-c", KEEPER, "sh"]).arg(&folder);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let keeper = Mutex::new(command.spawn().expect("an engine's keeper"));
        let engine = Self { folder, keeper, guards: AtomicU16::new(0) };
        engine.wait();
        engine
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join("engine.sock")
    }

    /// Kills the engine, but nothing that it started.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&self) {
        let pid = fs::read_to_string(self.folder.join("pid")).expect("the engine runs");
        drop(program::run(program::command("kill").args(["-9", pid.trim()]), SOON).success());
    }

    /// Starts it again.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn restart(&self) {
        use std::io::Write as _;
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let input = keeper.stdin.as_mut().expect("its input is piped");
        input.write_all(b"again\n").expect("the keeper listens");
        drop(keeper);
        self.wait();
    }

    /// Runs the engine's own command line.
    #[must_use]
    #[track_caller]
    pub fn docker(&self, arguments: &[&str]) -> String {
        let host = format!("unix://{}", self.socket().display());
        program::run(program::command("docker").args(["--host", &host]).args(arguments), SOON).success()
    }

    /// Runs a program in the engine's network namespace.
    #[must_use]
    pub fn inside(&self, words: &[&str]) -> Output {
        program::run(program::command("nsenter").arg(self.namespace()).args(words), SOON)
    }

    /// What guards made and did not remove: containers, networks, bridges and mounts.
    #[must_use]
    pub fn left(&self) -> Vec<String> {
        let label = "label=portcullis.guard";
        let mut left: Vec<String> = Vec::new();
        for arguments in [
            &["ps", "--all", "--filter", label, "--format", "container {{.Names}}"][..],
            &["network", "ls", "--filter", label, "--format", "network {{.Name}}"],
        ] {
            left.extend(self.docker(arguments).lines().map(ToOwned::to_owned));
        }
        let links = self.inside(&["ip", "-o", "link"]).success();
        left.extend(links.lines().filter(|line| line.contains(": pc") || line.contains("veth")).map(ToOwned::to_owned));
        left
    }

    fn namespace(&self) -> String {
        format!("--net=/proc/{}/ns/net", self.keeper.lock().unwrap_or_else(PoisonError::into_inner).id())
    }

    fn wait(&self) {
        let end = Instant::now() + SOON;
        let host = format!("unix://{}", self.socket().display());
        loop {
            let mut command = program::command("docker");
            let version = command.args(["--host", &host, "version", "--format", "{{.Server.Version}}"]);
            if program::run(version, SOON).status.success() {
                return;
            }
            let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(Instant::now() < end, "the engine does not come up: {}", log());
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let keeper = self.keeper.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(keeper.stdin.take());
        drop(keeper.wait());
    }
}

fn daemon() -> String {
    let current =
        runsc_current().map_or(String::new(), |path| format!(r#", "runsc-current": {{"path": "{}"}}"#, path.display()));
    format!(
        r#"{{"runtimes": {{"runsc": {{"path": "/usr/bin/runsc", "runtimeArgs": ["--network=host"]}}, "broken": {{"path": "/bin/false"}}{current}}}}}"#
    )
}

/// This year's gVisor, where `components/install` could build it.
#[must_use]
pub fn runsc_current() -> Option<PathBuf> {
    let path = components::place().join("runsc/runsc");
    path.is_file().then_some(path)
}

/// A guard on an engine. Dropping it kills it.
pub struct Guard<'a> {
    engine: &'a Engine,
    folder: TempDir,
    program: Option<Program>,
}

impl<'a> Guard<'a> {
    /// Starts one that serves root and finds its images below `images`.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    #[track_caller]
    pub fn start(engine: &'a Engine, runtime: Runtime, images: &Path, more: &str) -> Self {
        let number = engine.guards.fetch_add(1, Ordering::Relaxed);
        let folder = TempDir::with_prefix("portcullis-guard-").expect("a folder for the guard");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("everybody may connect");
        let (runtimes, gvisor) = match runtime {
            Runtime::Runsc => ("gvisor", "runsc"),
            Runtime::RunscCurrent => ("gvisor", "runsc-current"),
            Runtime::Runc => ("runc", "runsc"),
            Runtime::Broken => ("gvisor", "broken"),
        };
        let mut config = format!(
            "engine = \"{engine}\"\nimages = [\"{images}\"]\nname = \"test{number}\"\nfolder = \"{run}\"\nlog_group = {group}\n\
             network = \"10.{net}.0.0/16\"\nruntimes = [\"{runtimes}\"]\ngvisor = \"{gvisor}\"\n",
            engine = engine.socket().display(),
            images = images.display(),
            run = folder.path().join("run").display(),
            group = 100 + number,
            net = 100 + number,
        );
        if !more.contains("uids") {
            config.insert_str(0, "uids = [0]\n");
        }
        writeln!(config, "{more}").expect("text grows");
        fs::write(folder.path().join("guard.toml"), config).expect("the guard's config is written");
        let mut guard = Self { engine, folder, program: None };
        guard.restart();
        guard
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("guard.sock")
    }

    /// What a gateway's config says of it.
    #[must_use]
    pub fn setting(&self, runtime: Runtime) -> String {
        let weaker = if runtime == Runtime::Runc { "runtime = \"runc\"\n" } else { "" };
        format!("[sandbox]\nguard = \"{}\"\n{weaker}", self.socket().display())
    }

    /// Starts it, again if it was killed, and waits until it guards.
    ///
    /// # Panics
    /// When it does not come up.
    #[track_caller]
    pub fn restart(&mut self) {
        drop(fs::remove_file(self.socket()));
        let mut command = program::command("nsenter");
        command.arg(self.engine.namespace()).arg(world::portcullis()).arg("guard");
        command.arg("--config").arg(self.folder.path().join("guard.toml")).arg("--socket").arg(self.socket());
        let mut program = Program::start(&mut command);
        let end = Instant::now() + SOON;
        while !program.stderr().contains("guarding at") {
            assert!(program.is_running() && Instant::now() < end, "the guard does not guard: {}", program.stderr());
            thread::sleep(Duration::from_millis(20));
        }
        self.program = Some(program);
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut program) = self.program.take() {
            program.kill();
        }
    }

    /// Tells it to stop and waits until it did.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn stop(&mut self) {
        if let Some(mut program) = self.program.take() {
            program.signal(rustix::process::Signal::TERM);
            let status = program.wait(SOON);
            assert!(status.success(), "{status}: {}", program.stderr());
        }
    }

    /// What it said.
    #[must_use]
    pub fn said(&self) -> String {
        self.program.as_ref().map(Program::stderr).unwrap_or_default()
    }

    /// Its children that ended and were not reaped.
    #[must_use]
    pub fn zombies(&self) -> Vec<String> {
        let parent = self.program.as_ref().map(|program| program.id().to_string()).unwrap_or_default();
        let mut command = program::command("ps");
        let children = program::run(command.args(["-o", "stat=,comm=", "--ppid", &parent]), SOON).stdout;
        children.lines().filter(|line| line.starts_with('Z')).map(ToOwned::to_owned).collect()
    }

    /// The rules in its namespace.
    #[must_use]
    pub fn rules(&self) -> String {
        self.engine.inside(&["nft", "list", "ruleset"]).success()
    }

    /// What is mounted for its sandboxes.
    #[must_use]
    pub fn mounts(&self) -> Vec<String> {
        let run = self.folder.path().join("run").display().to_string();
        let mounts = fs::read_to_string("/proc/self/mounts").expect("the mounts of this process");
        mounts.lines().filter(|line| line.contains(&run)).map(ToOwned::to_owned).collect()
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if !thread::panicking() {
            return self.stop();
        }
        // A test that fails leaves no mount behind either: those of a guard that is killed stay until the next one.
        if let Some(mut program) = self.program.take() {
            program.signal(rustix::process::Signal::TERM);
            let end = Instant::now() + SOON;
            while program.is_running() && Instant::now() < end {
                thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

/// Makes a package of a tool in a container: the files, as `image.toml` lists them, and the manifest's lines.
///
/// # Panics
/// When it cannot be made.
#[must_use]
#[track_caller]
pub fn package(folder: &Path, name: &str, recipe: &str, manifest: &str) -> PathBuf {
    let package = folder.join(name);
    fs::create_dir_all(&package).expect("a folder for the package");
    fs::write(package.join("image.toml"), format!("[image]\n{recipe}")).expect("the recipe is written");
    let manifest =
        format!("name = \"{name}\"\nkind = \"container\"\nversion = \"1.0.0\"\ndescription = \"A tool\"\n{manifest}");
    fs::write(package.join("portcullis-tool.toml"), manifest).expect("the manifest is written");
    let mut command = program::command(world::portcullis());
    drop(program::run(command.args(["images", "build"]).arg(&package), SOON).success());
    package
}
