//! `Bare`: a program that nothing keeps from anything, and its process group.
//!
//! The child gets its own process group and an environment of `PATH`, `HOME`, `LANG` and `TMPDIR` (what `npx` and `uvx`
//! cannot do without) and what its config names, nothing else. It is ended by closing its input, then SIGTERM, then SIGKILL,
//! each to the whole group, two seconds apart. Should the gateway itself be killed, its children see the end of their input;
//! one that ignores that outlives it: only a jail dies with the gateway.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use audit::{Failure, FailureKind};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use policies::ServerName;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use vault::Placer;

use crate::config::Program;
use crate::instance::{Body, Ended, Spawn, Spawned, Streams};

/// A program that is started as it is: what an operator asked for by `jail = false`.
pub(crate) struct Bare(pub(crate) Program);

impl Spawn for Bare {
    fn spawn<'a>(&'a self, _: &'a ServerName, _: &'a Placer) -> BoxFuture<'a, Result<Spawned, Failure>> {
        let started = start(&self.0).map_err(|detail| Failure { kind: FailureKind::Unreachable, detail });
        std::future::ready(started).boxed()
    }
}

/// One started program and its process group.
struct Group {
    child: Child,
    group: Option<Pid>,
}

/// What of the gateway's own environment a child gets. Credentials live in all the others.
const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];

/// How long each step of ending a child may take before the next, harsher one.
const GRACE: Duration = Duration::from_secs(2);

fn start(program: &Program) -> Result<Spawned, String> {
    let mut child = command(program).spawn().map_err(|error| format!("it cannot be started: {}", error.kind()))?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
        return Err("it cannot be started: its standard streams are missing".to_owned());
    };
    let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let streams = Streams { stdin: Box::new(stdin), stdout: Box::new(stdout), stderr: Some(Box::new(stderr)) };
    Ok(Spawned { streams, body: Box::new(Group { child, group }), exit: None })
}

impl Body for Group {
    fn ended(&mut self) -> BoxFuture<'_, Ended> {
        async {
            match self.child.wait().await {
                Ok(status) => ended(status),
                Err(_) => Ended::exited("it was lost"),
            }
        }
        .boxed()
    }

    fn end(&mut self) -> BoxFuture<'_, ()> {
        async {
            for signal in [Signal::TERM, Signal::KILL] {
                if tokio::time::timeout(GRACE, self.child.wait()).await.is_ok() {
                    break;
                }
                self.signal(signal);
            }
            // SIGKILL cannot be ignored, but a process in uninterruptible sleep takes it late; tokio reaps it then.
            if tokio::time::timeout(GRACE, self.child.wait()).await.is_err() {
                tracing::error!("a server's process does not die");
            }
            // What it left running in its group: grandchildren that would hold files, ports and memory.
            self.signal(Signal::KILL);
            self.group = None;
        }
        .boxed()
    }
}

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // An error means that nobody is left in the group.
            kill_process_group(group, signal).ok();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

fn command(program: &Program) -> Command {
    #[expect(clippy::disallowed_methods, reason = "the place where tool servers are started that nothing keeps")]
    let mut command = Command::new(&program.command);
    command
        .args(&program.arguments)
        .env_clear()
        .envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        .envs(program.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(program.folder.as_deref().unwrap_or(Path::new(".")))
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

fn ended(status: ExitStatus) -> Ended {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::status(code),
        (None, Some(signal)) => Ended::exited(format!("it was ended by signal {signal}")),
        (None, None) => Ended::exited("it ended"),
    }
}
