//! `Config`: `portcullis.toml` and the command line, parsed with every problem at once, born valid.

mod export;
mod keys;
mod log;
mod notify;
mod people;
mod read;
mod sandboxes;
mod secrets;
mod section;
mod shelf;
mod signer;
mod telemetry;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use audit::Personal;
use jiff::SignedDuration;
use policies::approval::Quorums;
use policies::decision::{HoldTimes, OBSERVE, Policies, Source, shipped_policies};
use policies::profile::{Isolation, Profile};
use policies::{Hash, ServerName};
use sandbox::{ServerConfig, Settings, Web};

pub use export::{Collector, Export, Format, Login, Sink};
pub(crate) use keys::{bare, usable};
pub use log::Log;
pub use notify::{Mail, Notify, Security, Way};
pub use shelf::packages;
pub use signer::{KeyPlace, SignerError};
pub use telemetry::{MetricsAt, Telemetry, Word};

/// Everything that an operator can set.
pub struct Config {
    /// Where the log, the keys and the sockets live.
    pub state: PathBuf,
    /// Where agents knock.
    pub listen: Listen,
    /// Where metrics and health are asked; `None` for nowhere.
    pub metrics: Option<MetricsAt>,
    /// Who is sent traces and figures.
    pub telemetry: Option<Telemetry>,
    /// What one agent may ask at once.
    pub agents: AgentLimits,
    /// The tool servers.
    pub servers: BTreeMap<ServerName, Server>,
    /// What is declared of single tools, by `server.tool`.
    pub tools: BTreeMap<String, Profile>,
    /// Which policies decide.
    pub policy: PolicyFiles,
    /// How long a held call waits.
    pub hold: HoldTimes,
    /// How many people approve a held call, where the config says so.
    pub quorums: Quorums,
    /// How long an agent may be idle before its session ends.
    pub session_idle: SignedDuration,
    /// Users, beside the gateway's own, who may answer holds.
    pub operators: Vec<u32>,
    /// Where the console listens; `None` for no console.
    pub console: Option<ConsoleAt>,
    /// The channels through which people are told of held calls, by name.
    pub notify: BTreeMap<String, Notify>,
    /// Where records are passed on to, by name.
    pub export: BTreeMap<String, Export>,
    /// What all sandboxes share.
    pub sandbox: Settings,
    /// Where secrets are kept.
    pub vault: vault::Config,
    /// Who signs the log, and where its newest checkpoint is kept.
    pub log: Log,
    /// What is redacted beside secrets, and for how long.
    pub redact: Redaction,
    /// Which kernel containers run on.
    pub runtime: Isolation,
    /// Which of the tools that come with the gateway are offered.
    pub bundled: Bundled,
    /// How often the gateway tries itself; `None` for never.
    pub liveness: Option<SignedDuration>,
}

/// What is redacted beside secrets, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Redaction {
    /// How long a secret is looked for after nobody holds it.
    pub grace: Duration,
    /// Which kinds of what identifies people.
    pub personal: Personal,
}

impl Default for Redaction {
    fn default() -> Self {
        Self { grace: Duration::from_mins(15), personal: Personal::default() }
    }
}

/// Which of the tools that come with the gateway are offered.
#[derive(Clone, Debug)]
pub struct Bundled {
    /// `files`, below this folder, or below `files` in the state folder.
    pub files: Option<Option<PathBuf>>,
    /// `http`, to what it is granted.
    pub http: Option<Web>,
    /// `time`.
    pub time: bool,
}

impl Default for Bundled {
    fn default() -> Self {
        Self { files: Some(None), http: Some(Web::default()), time: true }
    }
}

/// Where agents knock.
pub struct Listen {
    /// The address; port 0 takes a free one.
    pub address: SocketAddr,
    /// Values of `Host` that are accepted beside the loopback names.
    pub hosts: Vec<String>,
    /// Values of `Origin` that are accepted beside the loopback ones.
    pub origins: Vec<String>,
    /// Certificate chain and key, both PEM. Required off loopback.
    pub tls: Option<TlsFiles>,
}

/// Where the console listens.
pub struct ConsoleAt {
    /// The address; port 0 takes a free one.
    pub address: SocketAddr,
    /// The config asks for this address; else another port will do.
    pub chosen: bool,
    /// Values of `Host` that are accepted beside the loopback names.
    pub hosts: Vec<String>,
    /// Certificate chain and key. Required off loopback.
    pub tls: Option<TlsFiles>,
}

/// A certificate chain and its key, both PEM.
#[derive(Clone)]
pub struct TlsFiles {
    /// The chain.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// What one agent may ask at once.
#[derive(Clone, Copy, Debug)]
pub struct AgentLimits {
    /// The longest body, in bytes.
    pub body: usize,
    /// Requests in flight.
    pub in_flight: usize,
    /// Requests a second, and the largest burst.
    pub rate: u32,
}

impl Default for AgentLimits {
    fn default() -> Self {
        Self { body: 4 << 20, in_flight: 256, rate: 2_000 }
    }
}

/// One tool server.
pub struct Server {
    /// How it is reached.
    pub reach: ServerConfig,
    /// What stands before its tools' names; `server.` unless set.
    pub prefix: String,
    /// Whether its annotations are believed.
    pub vouched: bool,
    /// What its tools may touch.
    pub profile: Profile,
    /// How it came here.
    pub origin: Origin,
}

/// How a tool server came to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The config names it.
    Config,
    /// It is a package that was added, and is pinned.
    Added,
    /// It comes with the gateway.
    Bundled,
    /// Only the gateway itself may see and call its tools.
    Hidden,
}

impl Server {
    /// A server that nothing is declared of.
    #[must_use]
    pub fn new(name: &ServerName, reach: ServerConfig) -> Self {
        let prefix = format!("{name}.");
        Self { reach, prefix, vouched: false, profile: Profile::default(), origin: Origin::Config }
    }
}

/// Which policies decide.
#[derive(Clone, Debug)]
pub struct PolicyFiles {
    /// The operator's own, in Cedar.
    pub files: Vec<PathBuf>,
    /// Whether the built-in ones stand beside them.
    pub defaults: bool,
    /// The ids of those that decide nothing and are observed.
    pub observe: Vec<String>,
}

/// Compiled policies.
pub struct Loaded {
    /// The policies.
    pub policies: Policies,
    /// The digest of their texts.
    pub hash: Hash,
    /// The texts that are not built in.
    pub sources: Vec<Source>,
}

/// What the command line sets over the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--state`
    pub state: Option<PathBuf>,
    /// `--listen`
    pub listen: Option<String>,
    /// `--server NAME=COMMAND` or `NAME=URL`, as pairs.
    pub servers: Vec<(String, String)>,
    /// `--no-jail`: processes run as what they are.
    pub no_jail: bool,
    /// `--no-liveness`: the gateway does not try itself.
    pub no_liveness: bool,
}

/// One thing wrong with a config or a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file; `None` for the command line.
    pub file: Option<PathBuf>,
    /// The line in it, from 1.
    pub line: Option<usize>,
    /// The key, or the policy's id.
    pub key: String,
    /// What was found.
    pub found: String,
    /// What was wanted.
    pub wanted: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{}:{line}: ", file.display())?,
            (Some(file), None) => write!(f, "{}: ", file.display())?,
            (None, _) => {}
        }
        write!(f, "`{}`: found {}", self.key, self.found)?;
        if self.wanted.is_empty() { Ok(()) } else { write!(f, ", wanted {}", self.wanted) }
    }
}

impl Config {
    /// Reads the file, if one is named or stands at the default place, and the command line over it.
    ///
    /// # Errors
    /// Every problem there is, not only the first.
    pub fn load(path: Option<&Path>, overrides: Overrides) -> Result<Self, Vec<Problem>> {
        let default = default_file().filter(|file| path.is_none() && file.is_file());
        read::config(path.or(default.as_deref()), overrides)
    }

    /// What is declared of one tool.
    #[must_use]
    pub fn profile(&self, server: &ServerName, tool: &str) -> Arc<Profile> {
        let of_server = self.servers.get(server).map(|server| &server.profile);
        let of_tool = self.tools.get(&format!("{server}.{tool}"));
        let none = Profile::default();
        Arc::new(Profile::merge(of_server.unwrap_or(&none), of_tool.unwrap_or(&none)))
    }
}

impl PolicyFiles {
    /// Where the policies come from.
    #[must_use]
    pub fn sources(&self) -> Vec<String> {
        let shipped = if self.defaults { ["guard.cedar", "default.cedar"].as_slice() } else { &["guard.cedar"] };
        let files = self.files.iter().map(|file| file.display().to_string());
        shipped.iter().map(|name| (*name).to_owned()).chain(files).collect()
    }

    /// Reads and compiles the policies.
    ///
    /// # Errors
    /// Every problem there is, not only the first.
    pub fn load(&self) -> Result<Loaded, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut sources = Vec::new();
        for file in &self.files {
            match std::fs::read_to_string(file) {
                Ok(text) => sources.push(Source { name: file.display().to_string(), text }),
                Err(error) => problems.push(Problem {
                    file: Some(file.clone()),
                    line: None,
                    key: "policy.files".into(),
                    found: error.to_string(),
                    wanted: "a file that can be read".into(),
                }),
            }
        }
        match self.compile(sources) {
            Ok(loaded) if problems.is_empty() => Ok(loaded),
            Ok(_) => Err(problems),
            Err(wrong) => Err(problems.into_iter().chain(wrong).collect()),
        }
    }

    /// Compiles these texts in place of the files'.
    ///
    /// # Errors
    /// Every problem there is.
    pub fn compile(&self, sources: Vec<Source>) -> Result<Loaded, Vec<Problem>> {
        let loaded = Policies::load_observing(&sources, self.defaults, &self.observe);
        let problem = |problem: policies::decision::Problem| {
            let of_config = problem.file == OBSERVE;
            Problem {
                file: (!of_config).then(|| problem.file.into()),
                line: (!of_config).then_some(problem.line),
                key: problem.policy.unwrap_or_else(|| if of_config { OBSERVE } else { "policy" }.to_owned()),
                found: problem.message,
                wanted: if of_config { "ids of policies that can be observed".to_owned() } else { String::new() },
            }
        };
        let policies = loaded.map_err(|problems| problems.into_iter().map(problem).collect::<Vec<_>>())?;
        Ok(Loaded { policies, hash: self.hash(&sources), sources })
    }

    fn hash(&self, sources: &[Source]) -> Hash {
        let shipped = shipped_policies().into_iter().filter(|(name, _)| self.defaults || *name == "guard.cedar");
        let texts = shipped.map(|(_, text)| text).chain(sources.iter().map(|source| source.text.as_str()));
        // Hashes of hashes: where one text ends and the next begins must not be movable. What is in force and what only
        // watches is not the same, though the texts are.
        let observe = (!self.observe.is_empty()).then(|| format!("observe {:?}", self.observe));
        let texts = texts.map(str::to_owned).chain(observe);
        Hash::of(&texts.flat_map(|text| *Hash::of(text.as_bytes()).as_bytes()).collect::<Vec<u8>>())
    }
}

/// `$XDG_STATE_HOME/portcullis`, or `~/.local/state/portcullis`.
#[must_use]
pub fn default_state() -> Option<PathBuf> {
    home("XDG_STATE_HOME", ".local/state")
}

fn default_file() -> Option<PathBuf> {
    home("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("portcullis.toml"))
}

fn home(variable: &str, below: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = named.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(below)));
    base.map(|base| base.join("portcullis"))
}

#[cfg(test)]
mod tests;
