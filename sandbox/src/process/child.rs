//! `Child`: one started program and its process group.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};

use crate::config::Program;

/// One started program and its process group. Dropping it kills the program, but only the program.
pub(super) struct Child {
    child: tokio::process::Child,
    group: Option<Pid>,
}

/// The program's standard streams.
pub(super) struct Streams {
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

/// What of the gateway's own environment a child gets. Credentials live in all the others.
const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];

/// How long each step of ending a child may take before the next, harsher one.
const GRACE: Duration = Duration::from_secs(2);

impl Child {
    /// Starts the program.
    ///
    /// # Errors
    /// With a sentence that says why it cannot be started.
    pub(super) fn start(program: &Program) -> Result<(Self, Streams), String> {
        let mut command = command(program);
        let mut child = command.spawn().map_err(|error| format!("it cannot be started: {}", error.kind()))?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err("it cannot be started: its standard streams are missing".to_owned());
        };
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Ok((Self { child, group }, Streams { stdin, stdout, stderr }))
    }

    /// Waits until it ended, and says how. Cancel-safe.
    pub(super) async fn exited(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => shown(status),
            Err(_) => "was lost".to_owned(),
        }
    }

    /// Ends it and whatever it started, its input being closed already. Takes at most three times [`GRACE`].
    pub(super) async fn end(&mut self) {
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

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // An error means that nobody is left in the group.
            kill_process_group(group, signal).ok();
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

fn command(program: &Program) -> Command {
    #[expect(clippy::disallowed_methods, reason = "the one place where tool servers are started")]
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

fn shown(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}
