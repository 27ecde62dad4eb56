//! `ServerConfig`: how a tool server is reached, parsed with every problem at once.

mod read;
mod words;

use std::fmt;
use std::path::PathBuf;

use http::{HeaderName, HeaderValue, Uri};
use serde::Deserialize;

use crate::limits::Limits;
use crate::server::Kind;

/// How one tool server is reached: born valid.
///
/// Has no `Debug`: environment and headers may hold credentials.
#[derive(Clone)]
pub struct ServerConfig {
    pub(crate) reach: Reach,
    pub(crate) limits: Limits,
}

/// By which way.
#[derive(Clone)]
pub(crate) enum Reach {
    /// A child process that speaks over its standard streams.
    Process(Program),
    /// Streamable HTTP.
    Remote(Endpoint),
}

/// What is started.
#[derive(Clone)]
pub(crate) struct Program {
    pub(crate) command: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    /// The gateway's own folder where none is given.
    pub(crate) folder: Option<PathBuf>,
}

/// What is connected to.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) uri: Uri,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

/// The keys of a `[server.NAME]` table that say how the server is reached, as they were written.
///
/// For `#[serde(flatten)]` in a struct that denies unknown fields. Reading it never fails over a value of the wrong type:
/// [`ServerConfig::parse`] reports that along with every other problem.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct ServerKeys {
    command: Option<serde_json::Value>,
    url: Option<serde_json::Value>,
    env: Option<serde_json::Value>,
    cwd: Option<serde_json::Value>,
    headers: Option<serde_json::Value>,
    insecure: Option<serde_json::Value>,
    start_timeout: Option<serde_json::Value>,
    call_timeout: Option<serde_json::Value>,
    max_answer: Option<serde_json::Value>,
    max_in_flight: Option<serde_json::Value>,
}

/// One thing wrong with a server's config. Never repeats a value that may be a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, below `[server.NAME]`.
    pub key: String,
    /// What was found.
    pub found: String,
    /// What was wanted.
    pub wanted: String,
}

impl Problem {
    fn new(key: impl Into<String>, found: impl Into<String>, wanted: impl Into<String>) -> Self {
        Self { key: key.into(), found: found.into(), wanted: wanted.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: found {}, wanted {}", self.key, self.found, self.wanted)
    }
}

impl ServerKeys {
    /// Their names.
    pub const NAMES: [&str; 10] = [
        "command",
        "url",
        "env",
        "cwd",
        "headers",
        "insecure",
        "start_timeout",
        "call_timeout",
        "max_answer",
        "max_in_flight",
    ];
}

impl ServerConfig {
    /// The address of a remote server.
    #[must_use]
    pub fn uri(&self) -> Option<&Uri> {
        match &self.reach {
            Reach::Process(_) => None,
            Reach::Remote(endpoint) => Some(&endpoint.uri),
        }
    }

    /// Reads the keys of a `[server.NAME]` table. A value written `{ env = "NAME" }` is taken from the gateway's
    /// environment, now.
    ///
    /// # Errors
    /// Every problem there is, not only the first.
    #[expect(clippy::needless_pass_by_value, reason = "raw keys have no use after they were parsed")]
    pub fn parse(keys: ServerKeys) -> Result<Self, Vec<Problem>> {
        read::config(&keys)
    }

    /// Reads what follows `--server NAME=`: an URL, or a command line in which quotes and backslashes keep words together
    /// as a shell would. Nothing is expanded.
    ///
    /// # Errors
    /// Every problem there is.
    pub fn parse_argument(text: &str) -> Result<Self, Vec<Problem>> {
        let mut keys = ServerKeys::default();
        if text.starts_with("http://") || text.starts_with("https://") {
            keys.url = Some(text.into());
        } else {
            keys.command = Some(words::split(text).map_err(|problem| vec![problem])?.into());
        }
        Self::parse(keys)
    }

    /// Where the server's code will run.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.reach {
            Reach::Process(_) => Kind::Process { jailed: false },
            Reach::Remote(_) => Kind::Remote,
        }
    }
}

impl<'de> Deserialize<'de> for ServerConfig {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = |problems: Vec<Problem>| problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ");
        Self::parse(ServerKeys::deserialize(deserializer)?).map_err(|problems| serde::de::Error::custom(text(problems)))
    }
}

#[cfg(test)]
mod tests;
