//! What the gateway is told about a tool server.

use std::fmt;

use policies::profile::Isolation;
use policies::{ServerName, Value};
use thiserror::Error;
use tokio::time::Instant;

use crate::line::Era;

/// How a tool server is, now.
#[derive(Clone, Debug)]
pub struct ServerState {
    /// Where its code runs.
    pub kind: Kind,
    /// Whether it can be called.
    pub status: Status,
}

/// Where a tool server's code runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A child process of the gateway.
    Process {
        /// Whether anything keeps it from what it was not granted. Where this is `false` the process can do whatever
        /// the gateway's user can, and the gateway says so at start.
        jailed: bool,
    },
    /// Elsewhere, behind an URL.
    Remote,
    /// In a fresh instance of a component for every call.
    Wasm,
    /// In a container.
    Container {
        /// On which kernel: gVisor's own, or the host's.
        runtime: Isolation,
    },
    /// Nowhere: it must not run.
    Withheld,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Process { jailed: true } => "process, jailed",
            Self::Process { jailed: false } => "process, not jailed",
            Self::Remote => "remote",
            Self::Wasm => "wasm",
            Self::Container { runtime: Isolation::Runc } => "container on the host's kernel (runc)",
            Self::Container { .. } => "container (gvisor)",
            Self::Withheld => "withheld",
        })
    }
}

/// Whether a tool server can be called.
#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    /// It is being started or greeted.
    Starting,
    /// It answered.
    Ready(Greeting),
    /// It is not there.
    Down {
        /// One sentence for people. It holds nothing that the server wrote.
        why: String,
        /// When it is tried again.
        retry_at: Instant,
    },
}

/// What a server said of itself when it was greeted: claims, none of them verified.
#[derive(Clone, Debug, PartialEq)]
pub struct Greeting {
    /// The era that lists are asked in.
    pub era: Era,
    /// `capabilities`, as sent.
    pub capabilities: Value,
    /// `serverInfo`, as sent.
    pub info: Value,
    /// `instructions`, as sent.
    pub instructions: Option<String>,
}

impl Greeting {
    /// Whether it declares this capability.
    #[must_use]
    pub fn offers(&self, capability: &str) -> bool {
        self.capabilities.get(capability).is_some_and(|value| !value.is_null())
    }
}

/// What a server can be asked to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Listing {
    /// `tools/list`
    Tools,
    /// `resources/list`
    Resources,
    /// `resources/templates/list`
    Templates,
    /// `prompts/list`
    Prompts,
}

impl Listing {
    /// The MCP method.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::Tools => "tools/list",
            Self::Resources => "resources/list",
            Self::Templates => "resources/templates/list",
            Self::Prompts => "prompts/list",
        }
    }

    /// The result's member that holds the items.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
            Self::Prompts => "prompts",
        }
    }

    /// The capability that declares it.
    #[must_use]
    pub fn capability(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Resources | Self::Templates => "resources",
            Self::Prompts => "prompts",
        }
    }
}

/// Something about a server changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It says that a list is not what it was. A change of resources also means [`Listing::Templates`].
    List {
        /// Which server.
        server: ServerName,
        /// Which list.
        what: Listing,
    },
    /// It says that a watched resource is not what it was.
    Resource {
        /// Which server.
        server: ServerName,
        /// Which resource.
        uri: String,
    },
    /// It became ready, or went down. Ask [`Sandbox::server`](crate::Sandbox::server); lists may have changed meanwhile.
    Status {
        /// Which server.
        server: ServerName,
    },
}

/// Why a server could not be asked for something that is not a call.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ServerError {
    /// No server has this name.
    #[error("there is no server `{0}`")]
    Unknown(ServerName),
    /// It is not there.
    #[error("the server is down: {why}")]
    Down {
        /// One sentence for people.
        why: String,
    },
    /// It did not answer in time.
    #[error("the server did not answer in time")]
    OutOfTime,
    /// It answered with a JSON-RPC error.
    #[error("the server answered with error {code}")]
    Refused {
        /// The error's code. Its message stays out: it is the server's text.
        code: i64,
    },
    /// Its answer was no answer.
    #[error("the server's answer cannot be used: {detail}")]
    Malformed {
        /// What is wrong with it.
        detail: String,
    },
    /// Its answer, or its list, was longer than allowed.
    #[error("the server's answer is too large: {detail}")]
    TooLarge {
        /// Which limit.
        detail: String,
    },
    /// More is watched, or asked at once, than allowed.
    #[error("too much at once: {detail}")]
    Busy {
        /// Which limit.
        detail: String,
    },
    /// It cannot do that.
    #[error("the server does not offer {0}")]
    NotOffered(&'static str),
}
