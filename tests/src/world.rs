//! A gateway of its own for one test: state folder, config, process, and its command line.

use std::fmt::Write as _;
use std::fs;
use std::io::{Seek as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::agent::Agent;
use crate::program::{self, Output, Program};

const READY: Duration = Duration::from_mins(1);

/// What a gateway is started with.
#[derive(Default)]
pub struct Setup {
    config: String,
    policies: Option<String>,
    no_defaults: bool,
    environment: Vec<(String, String)>,
    wrapper: Vec<String>,
    state: Option<PathBuf>,
    bundled: bool,
    newcomer: bool,
    liveness: Option<String>,
}

impl Setup {
    /// A gateway without servers, on its embedded defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A server that the gateway starts: program, then arguments.
    #[must_use]
    pub fn command(self, name: &str, command: &[&str]) -> Self {
        self.command_with(name, command, "")
    }

    /// A server that the gateway starts, with more keys for its table.
    #[must_use]
    pub fn command_with(mut self, name: &str, command: &[&str], keys: &str) -> Self {
        self.config.push_str(&server_table(name, command, keys));
        self
    }

    /// A server that the gateway connects to.
    #[must_use]
    pub fn remote(self, name: &str, endpoint: &str) -> Self {
        self.remote_with(name, endpoint, "")
    }

    /// A server that the gateway connects to, with more keys for its table.
    #[must_use]
    pub fn remote_with(mut self, name: &str, endpoint: &str, keys: &str) -> Self {
        writeln!(self.config, "[server.{name}]\nurl = {}\n{keys}", Value::from(endpoint)).expect("text grows");
        self
    }

    /// More of the config file.
    #[must_use]
    pub fn config(mut self, toml: &str) -> Self {
        writeln!(self.config, "{toml}").expect("text grows");
        self
    }

    /// With the tools that come with the gateway, which are off otherwise: most tests count what is offered.
    #[must_use]
    pub fn bundled(self) -> Self {
        Self { bundled: true, ..self }
    }

    /// As somebody runs it who has just installed it: without a config, in a home of its own.
    #[must_use]
    pub fn newcomer(self) -> Self {
        Self { newcomer: true, ..self }
    }

    /// With the gateway trying itself so often, which it does not otherwise: most tests count what is recorded.
    #[must_use]
    pub fn liveness(self, every: &str) -> Self {
        Self { liveness: Some(every.to_owned()), ..self }
    }

    /// With a log that waits for its disk no longer than the gateway does by itself. Most tests are about something else, and run
    /// on machines whose disk stands still for seconds while an image is unpacked beside them.
    #[must_use]
    pub fn hurried(self) -> Self {
        // An empty table: every key as it is by itself.
        self.config("[audit]")
    }

    /// Policies beside the defaults, in Cedar.
    #[must_use]
    pub fn policies(mut self, cedar: &str) -> Self {
        self.policies = Some(cedar.to_owned());
        self
    }

    /// Everything that the guard does not forbid runs without a person.
    #[must_use]
    pub fn allow_all(self) -> Self {
        Self { no_defaults: true, ..self }.policies(ALLOW_ALL)
    }

    /// A variable in the gateway's environment.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A program, with arguments, that starts the gateway.
    #[must_use]
    pub fn wrapped(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// A state folder outside the test's own.
    #[must_use]
    pub fn state(mut self, folder: &Path) -> Self {
        self.state = Some(folder.to_owned());
        self
    }

    /// Starts the gateway and waits until it listens.
    #[must_use]
    #[track_caller]
    pub fn start(self) -> World {
        let mut world = self.prepare();
        world.start();
        world
    }

    /// Writes everything that the gateway reads, and does not start it.
    #[must_use]
    pub fn prepare(self) -> World {
        let folder = TempDir::with_prefix("portcullis-").expect("a folder for the test");
        let mut config = self.config;
        if let Some(policies) = &self.policies {
            fs::write(folder.path().join("test.cedar"), policies).expect("the policies are written");
            writeln!(config, "[policy]\nfiles = [\"test.cedar\"]\ndefaults = {}", !self.no_defaults)
                .expect("text grows");
        }
        if !self.bundled && !config.contains("[bundled]") {
            config.push_str(UNBUNDLED);
        }
        if !config.contains("[audit]") {
            config.push_str(PATIENT);
        }
        let every = self.liveness.as_deref().unwrap_or("off");
        writeln!(config, "\n[liveness]\nevery = \"{every}\"").expect("text grows");
        if !self.newcomer {
            fs::write(folder.path().join("portcullis.toml"), config).expect("the config is written");
        }
        let state = self.state.unwrap_or_else(|| folder.path().join("state"));
        World {
            state,
            folder,
            environment: self.environment,
            wrapper: self.wrapper,
            gateway: None,
            endpoint: String::new(),
            token: String::new(),
        }
    }
}

/// The table of a server that the gateway starts. What our own servers write lies in a folder that is granted to them.
#[must_use]
pub fn server_table(name: &str, command: &[&str], keys: &str) -> String {
    let words: Vec<Value> = command.iter().map(|word| Value::from(*word)).collect();
    format!("[server.{name}]\ncommand = {}\n{}{keys}\n", Value::from(words), granted(command))
}

const PATIENT: &str = "\n[audit]\nwait = \"30s\"\n";

const UNBUNDLED: &str = "\n[bundled]\nfiles = false\nhttp = false\ntime = false\n";

/// Lets everybody into a folder: a gateway that is root starts its servers as nobody.
///
/// # Panics
/// When it is not ours.
pub fn open_to_everyone(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("it is ours");
}

/// What our own servers write (`--record FILE`) and wait for (`--trigger FILE`) lies outside their jail: the folder is
/// granted. A gateway that is root starts them as nobody, who may write there too.
fn granted(command: &[&str]) -> String {
    let named = |option: &str| command.iter().position(|word| *word == option).and_then(|at| command.get(at + 1));
    let mut folders: Vec<&Path> =
        ["--record", "--trigger"].into_iter().filter_map(named).filter_map(|file| Path::new(file).parent()).collect();
    folders.dedup();
    let Some(folder) = folders.first() else { return String::new() };
    let everyone = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    everyone(folder, 0o777);
    if let Some(record) = named("--record") {
        let record = Path::new(record);
        fs::OpenOptions::new().create(true).append(true).open(record).expect("the record is made");
        everyone(record, 0o666);
    }
    let folder = Value::from(folder.to_str().expect("a folder in UTF-8"));
    format!("folders = {{ {folder} = {{ folder = {folder}, writable = true }} }}\n")
}

const ALLOW_ALL: &str = r#"
@id("test-may-ask")
permit (principal, action == Action::"call", resource);
@id("test-runs")
permit (principal, action == Action::"call_unattended", resource);
@id("test-approves")
permit (principal, action == Action::"approve", resource);
"#;

/// A gateway and everything around it. Dropping it ends the gateway and removes its folder.
pub struct World {
    gateway: Option<Program>,
    state: PathBuf,
    environment: Vec<(String, String)>,
    wrapper: Vec<String>,
    endpoint: String,
    token: String,
    folder: TempDir,
}

impl World {
    /// Writes another config, with nothing that comes with the gateway.
    pub fn configure(&self, toml: &str) {
        let patient = if toml.contains("[audit]") { "" } else { PATIENT };
        let config = format!("{toml}\n{UNBUNDLED}{patient}\n[liveness]\nevery = \"off\"\n");
        fs::write(self.folder().join("portcullis.toml"), config).expect("the config is written");
    }

    /// Starts the gateway, again if it was stopped, and waits until it listens.
    ///
    /// # Panics
    /// When it does not come up.
    #[track_caller]
    pub fn start(&mut self) {
        let mut command = self.portcullis(&["serve", "--json", "--listen", "127.0.0.1:0"]);
        if self.is_configured() {
            command.args(["--config", "portcullis.toml"]);
        }
        let mut gateway = Program::start(&mut command);
        let line = gateway.line(READY);
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("not JSON: {line:?}: {error}"));
        told["endpoint"].as_str().expect("it says where it listens").clone_into(&mut self.endpoint);
        if let Some(token) = told["token"].as_str() {
            token.clone_into(&mut self.token);
        }
        self.gateway = Some(gateway);
    }

    /// Where agents knock.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The token of the agent `default`.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A folder that goes with the test; config and, mostly, state lie in it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The state folder.
    #[must_use]
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The agent `default`, stateless.
    #[must_use]
    pub fn modern(&self) -> Agent {
        Agent::modern(&self.endpoint, &self.token)
    }

    /// The agent `default`, of the era before.
    #[must_use]
    pub fn legacy(&self) -> Agent {
        Agent::legacy(&self.endpoint, &self.token)
    }

    /// Adds an agent and returns its token.
    #[must_use]
    #[track_caller]
    pub fn add_agent(&self, name: &str) -> String {
        let told = self.json(&["agent", "add", name]);
        told["token"].as_str().unwrap_or_else(|| panic!("no token in {told}")).to_owned()
    }

    /// The gateway's process.
    ///
    /// # Panics
    /// When it was not started.
    pub fn gateway(&mut self) -> &mut Program {
        self.gateway.as_mut().expect("the gateway was started")
    }

    /// The gateway's process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.gateway.as_ref().map(Program::id).expect("the gateway was started")
    }

    /// `kill -9`; what the gateway started is left to notice by itself.
    pub fn kill(&mut self) {
        if let Some(mut gateway) = self.gateway.take() {
            gateway.kill();
        }
    }

    /// Kills and starts again.
    #[track_caller]
    pub fn restart(&mut self) {
        self.kill();
        self.start();
    }

    /// Runs the command line against this gateway.
    #[must_use]
    #[track_caller]
    pub fn cli(&self, arguments: &[&str]) -> Output {
        let mut command = self.portcullis(arguments);
        program::run(&mut command, Duration::from_secs(30))
    }

    /// Runs the command line against this gateway, with this on its standard input.
    ///
    /// # Panics
    /// When no temporary file can be written.
    #[must_use]
    #[track_caller]
    pub fn cli_told(&self, arguments: &[&str], input: &str) -> Output {
        let mut file = tempfile::tempfile().expect("a file for the input");
        file.write_all(input.as_bytes()).and_then(|()| file.rewind()).expect("the input is written");
        let mut command = self.portcullis(arguments);
        command.stdin(file);
        program::run(&mut command, Duration::from_mins(1))
    }

    /// Runs the command line with `--json` and reads what it says: one value, or a list of those on separate lines.
    ///
    /// # Panics
    /// When the command fails or says something else.
    #[must_use]
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let mut with_json = arguments.to_vec();
        with_json.push("--json");
        let text = self.cli(&with_json).success();
        parsed(&text).unwrap_or_else(|error| panic!("{arguments:?} said {text:?}: {error}"))
    }

    /// Like `json`, for commands that list: always a list.
    #[must_use]
    #[track_caller]
    pub fn list(&self, arguments: &[&str]) -> Vec<Value> {
        match self.json(arguments) {
            Value::Array(items) => items,
            Value::Null => Vec::new(),
            one @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => vec![one],
        }
    }

    /// The open holds.
    #[must_use]
    #[track_caller]
    pub fn holds(&self) -> Vec<Value> {
        self.list(&["holds", "list"])
    }

    /// Waits for exactly one open hold and returns its id.
    ///
    /// # Panics
    /// When none comes in time.
    #[must_use]
    #[track_caller]
    pub fn hold(&self) -> String {
        let found = self.eventually("an open hold", || self.holds().into_iter().next());
        found["id"].as_str().unwrap_or_else(|| panic!("no id in {found}")).to_owned()
    }

    /// The whole log, oldest first.
    #[must_use]
    #[track_caller]
    pub fn log(&self) -> Vec<Value> {
        let mut records = self.list(&["log", "list", "--limit", "1000"]);
        records.sort_by_key(|record| record["seq"].as_u64());
        records
    }

    /// Checks that the log's chain is whole.
    #[track_caller]
    pub fn verify(&self) {
        drop(self.cli(&["log", "verify"]).success());
    }

    /// Tries until there is something, for at most a minute.
    ///
    /// # Panics
    /// When there is nothing by then.
    #[track_caller]
    pub fn eventually<T>(&self, what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
        let end = Instant::now() + Duration::from_mins(1);
        loop {
            if let Some(found) = attempt() {
                return found;
            }
            assert!(Instant::now() < end, "no {what} in time; the gateway said:\n{}", self.said());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the gateway wrote to its log on standard error.
    #[must_use]
    pub fn said(&self) -> String {
        self.gateway.as_ref().map(Program::stderr).unwrap_or_default()
    }

    fn portcullis(&self, arguments: &[&str]) -> Command {
        let binary = portcullis();
        let mut words = self.wrapper.iter().map(String::as_str).chain([binary.as_str()]);
        let mut command = program::command(words.next().expect("there is the binary"));
        command.args(words).args(arguments).arg("--state").arg(&self.state);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.folder.path());
        if !self.is_configured() {
            command.env("HOME", self.folder.path());
        }
        command
    }

    fn is_configured(&self) -> bool {
        self.folder().join("portcullis.toml").exists()
    }
}

fn parsed(text: &str) -> serde_json::Result<Value> {
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    text.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str::<Value>).collect()
}

/// The gateway's binary: `PORTCULLIS_BIN`, or the one that lies beside the tests.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn portcullis() -> String {
    std::env::var("PORTCULLIS_BIN").unwrap_or_else(|_| built("portcullis"))
}

/// A binary of this workspace, built in the same profile as the running test.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn built(name: &str) -> String {
    let running = std::env::current_exe().expect("a test is a file");
    let folder = running.parent().expect("a file lies in a folder");
    // Tests lie in `deps`, below the binaries.
    let folder = if folder.ends_with("deps") { folder.parent().expect("`deps` is not the root") } else { folder };
    let binary = folder.join(name);
    assert!(binary.is_file(), "{} is missing: `cargo build --workspace` comes first", binary.display());
    binary.to_str().expect("the path is UTF-8").to_owned()
}
