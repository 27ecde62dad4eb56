//! Programs that tests start: each in a process group of its own, and ended when its value is dropped.

use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// A command that inherits nothing it was not given but `PATH` and `HOME`.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "tests start programs, and start them only here")]
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    for name in ["PATH", "HOME", "TMPDIR", "LANG", "SSL_CERT_FILE", "LLVM_PROFILE_FILE"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// What a program that has ended said.
#[derive(Clone, Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Standard output of a program that succeeded.
    #[must_use]
    #[track_caller]
    pub fn success(self) -> String {
        assert!(self.status.success(), "ended with {}\nstdout: {}\nstderr: {}", self.status, self.stdout, self.stderr);
        self.stdout
    }
}

/// Runs a program to its end; one that takes longer than `limit` is killed and fails the test.
#[track_caller]
pub fn run(command: &mut Command, limit: Duration) -> Output {
    let mut program = Program::start(command);
    let status = program.wait(limit);
    Output { status, stdout: program.stdout(), stderr: program.stderr() }
}

/// A running program.
pub struct Program {
    /// The command, for messages.
    name: String,
    child: Child,
    stdout: Stream,
    stderr: Stream,
}

impl Program {
    /// Starts `command` in its own process group and begins to read what it says.
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let stdout = Stream::read(child.stdout.take().expect("stdout is piped"));
        let stderr = Stream::read(child.stderr.take().expect("stderr is piped"));
        Self { name: format!("{command:?}"), child, stdout, stderr }
    }

    /// The process id, which is also that of its group.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its standard input, once, if the command pipes it.
    pub fn stdin(&mut self) -> Option<std::process::ChildStdin> {
        self.child.stdin.take()
    }

    /// The next line of standard output.
    ///
    /// # Panics
    /// When none comes in time.
    #[track_caller]
    pub fn line(&mut self, limit: Duration) -> String {
        let lines = self.stdout.lines.lock().unwrap_or_else(PoisonError::into_inner);
        match lines.recv_timeout(limit) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("no line within {limit:?}; stderr: {}", self.stderr()),
            Err(RecvTimeoutError::Disconnected) => panic!("it ended; stderr: {}", self.stderr()),
        }
    }

    /// Everything said so far on standard output.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Everything said so far on standard error.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Whether it is still running.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// Sends a signal to the program alone, not to what it started.
    pub fn signal(&self, signal: Signal) {
        let pid = pid(&self.child);
        kill_process(pid, signal).expect("the program is there to be signalled");
    }

    /// Kills the program alone, at once, as a power cut would, and waits until it is gone.
    pub fn kill(&mut self) {
        self.child.kill().expect("the program is there to be killed");
        self.child.wait().expect("the program was started here");
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// When it does not come in time; the program is killed then.
    #[track_caller]
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("the program was started here") {
                self.stdout.finish();
                self.stderr.finish();
                return status;
            }
            if Instant::now() > end {
                let (name, stdout, stderr) = (&self.name, self.stdout(), self.stderr());
                panic!("still running after {limit:?}: {name}\nstdout: {stdout}\nstderr: {stderr}");
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The group outlives its leader if the leader left children behind: they end here too.
        kill_process_group(pid(&self.child), Signal::KILL).ok();
        drop(self.child.wait());
    }
}

fn pid(child: &Child) -> Pid {
    let id = i32::try_from(child.id()).expect("process ids are small");
    Pid::from_raw(id).expect("process ids are not zero")
}

/// One of a program's outputs, read as it comes.
struct Stream {
    text: Arc<Mutex<String>>,
    /// Locked, so that threads of one test can share a gateway.
    lines: Mutex<Receiver<String>>,
    reader: Option<thread::JoinHandle<()>>,
}

impl Stream {
    fn read(from: impl Read + Send + 'static) -> Self {
        let (sender, lines) = channel();
        let text = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&text);
        let reader = thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut bytes = Vec::new();
            while from.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
                let line = String::from_utf8_lossy(&bytes).into_owned();
                bytes.clear();
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() < MOST_KEPT {
                    kept.push_str(&line);
                }
                drop(kept);
                drop(sender.send(line.trim_end_matches('\n').to_owned())); // nobody has to listen
            }
        });
        Self { text, lines: Mutex::new(lines), reader: Some(reader) }
    }

    fn text(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until everything is read, unless a child of the program holds the pipe open.
    fn finish(&mut self) {
        let end = Instant::now() + Duration::from_secs(2);
        while self.reader.as_ref().is_some_and(|reader| !reader.is_finished()) && Instant::now() < end {
            thread::sleep(Duration::from_millis(2));
        }
        drop(self.reader.take());
    }
}

/// A program that talks without end must not eat the test's memory.
const MOST_KEPT: usize = 4 * 1024 * 1024;
