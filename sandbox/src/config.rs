//! `ServerConfig`: how a tool server is reached, parsed with every problem at once.

mod grants;
mod placements;
mod read;
mod reader;
mod words;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use audit::Redactor;
use http::{HeaderName, HeaderValue, Uri};
use policies::Hash;
use policies::profile::{Isolation, Profile, Resources};
use serde::Deserialize;

use crate::limits::Limits;
use crate::package::Package;
use crate::server::Kind;

pub(crate) use grants::{Placed, Written};
pub(crate) use placements::reach;
pub(crate) use reader::{Reader, kind};
pub use vault::Problem;

/// How one tool server is reached: born valid.
///
/// Has no `Debug`: environment and headers may hold credentials.
#[derive(Clone)]
pub struct ServerConfig {
    pub(crate) reach: Reach,
    pub(crate) limits: Limits,
    /// What it was packed as.
    pub(crate) package: Option<Arc<Package>>,
    /// What the operator has said of folders and hosts on its own: the profile's declarations do not fill it in then.
    pub(crate) said: Said,
    /// Secrets are lent to its calls by its profile.
    lends: bool,
}

/// Which grants are written out.
#[derive(Clone, Copy, Default)]
pub(crate) struct Said {
    pub(crate) folders: bool,
    pub(crate) egress: bool,
}

/// By which way.
#[derive(Clone)]
pub(crate) enum Reach {
    /// A child process that speaks over its standard streams.
    Process(Program),
    /// Streamable HTTP.
    Remote(Endpoint),
    /// A WebAssembly component.
    Wasm(WasmSource),
    /// A container that speaks over its standard streams.
    Container(ContainerSource),
    /// Not at all: this is why.
    Withheld(String),
}

/// What is started.
#[derive(Clone)]
pub(crate) struct Program {
    pub(crate) command: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    /// The gateway's own folder where none is given.
    pub(crate) folder: Option<PathBuf>,
    /// Whether it is kept from everything that `resources` does not name.
    pub(crate) jail: bool,
    /// Folders that it runs from: it may read them, beside the system's own.
    pub(crate) read: Vec<PathBuf>,
    pub(crate) resources: Arc<Resources>,
}

/// A component, fresh for every call.
#[derive(Clone)]
pub(crate) struct WasmSource {
    pub(crate) component: Component,
    /// It is a `wasi:cli` program that speaks MCP over its standard streams.
    pub(crate) stdio: bool,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) resources: Arc<Resources>,
}

/// Where a component's bytes are.
#[derive(Clone)]
pub(crate) enum Component {
    /// In a file of its package.
    File(PathBuf),
    /// In this binary.
    Bundled(&'static [u8]),
}

/// An image, and how it is started.
#[derive(Clone)]
pub(crate) struct ContainerSource {
    /// An OCI image layout.
    pub(crate) image: PathBuf,
    /// In place of the image's own command; empty for that.
    pub(crate) command: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) resources: Arc<Resources>,
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
    package: Option<serde_json::Value>,
    digest: Option<serde_json::Value>,
    env: Option<serde_json::Value>,
    cwd: Option<serde_json::Value>,
    headers: Option<serde_json::Value>,
    insecure: Option<serde_json::Value>,
    folders: Option<serde_json::Value>,
    egress: Option<serde_json::Value>,
    secret: Option<serde_json::Value>,
    read: Option<serde_json::Value>,
    limits: Option<serde_json::Value>,
    jail: Option<serde_json::Value>,
    start_timeout: Option<serde_json::Value>,
    call_timeout: Option<serde_json::Value>,
    max_answer: Option<serde_json::Value>,
    max_in_flight: Option<serde_json::Value>,
}

/// What all sandboxes share.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// What servers write to their standard error is redacted by it before it is logged.
    pub redactor: Option<Arc<Redactor>>,
    /// Who is asked for addresses; the machine's own resolvers where nobody is named.
    pub resolvers: Vec<std::net::SocketAddr>,
    /// Certificates (PEM) that are trusted beside those of the machine.
    pub authorities: Vec<PathBuf>,
    /// The folder for compiled components, which only the gateway may write.
    pub cache: PathBuf,
    /// The guard's socket, where it is not at its usual place.
    pub guard: Option<PathBuf>,
}

/// What the bundled `http` is granted: `{ egress = […], secret = […] }`, as in a server's table.
///
/// # Errors
/// Every problem there is.
pub fn web(table: &serde_json::Map<String, serde_json::Value>) -> Result<crate::wasm::Web, Vec<Problem>> {
    let mut reader = Reader::default();
    for name in table.keys().filter(|name| !["egress", "secret"].contains(&name.as_str())) {
        reader.problem::<()>(name, "an unknown key", "one of egress, secret");
    }
    let egress = reader.destinations("egress", table.get("egress"));
    let secrets = reader.placements("secret", table.get("secret"));
    reader.finish(Some(crate::wasm::Web { egress, secrets }))
}

impl ServerKeys {
    /// Their names.
    pub const NAMES: [&str; 18] = [
        "command",
        "url",
        "package",
        "digest",
        "env",
        "cwd",
        "headers",
        "insecure",
        "folders",
        "egress",
        "secret",
        "read",
        "limits",
        "jail",
        "start_timeout",
        "call_timeout",
        "max_answer",
        "max_in_flight",
    ];
}

impl ServerConfig {
    /// The image layout that its containers are made from.
    #[must_use]
    pub fn image(&self) -> Option<&Path> {
        match &self.reach {
            Reach::Container(source) => Some(&source.image),
            Reach::Process(_) | Reach::Remote(_) | Reach::Wasm(_) | Reach::Withheld(_) => None,
        }
    }

    /// The address of a remote server.
    #[must_use]
    pub fn uri(&self) -> Option<&Uri> {
        match &self.reach {
            Reach::Remote(endpoint) => Some(&endpoint.uri),
            Reach::Process(_) | Reach::Wasm(_) | Reach::Container(_) | Reach::Withheld(_) => None,
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

    /// The server of a package that was added, as the package asks for it.
    #[must_use]
    pub fn packed(package: Package) -> Self {
        read::packed(package)
    }

    /// A component, as it is. Its ceilings hold beside the limits of every server.
    pub(crate) fn wasm(source: WasmSource) -> Self {
        let limits = read::bounded(Limits::DEFAULT, &source.resources.limits);
        Self { reach: Reach::Wasm(source), limits, package: None, said: Said::default(), lends: false }
    }

    /// A server that must not run, and why: it is down until the next start.
    #[must_use]
    pub fn withheld(why: impl Into<String>) -> Self {
        Self {
            reach: Reach::Withheld(why.into()),
            limits: Limits::DEFAULT,
            package: None,
            said: Said::default(),
            lends: false,
        }
    }

    /// Where the server's code will run.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match &self.reach {
            Reach::Process(program) => Kind::Process { jailed: program.jail },
            Reach::Remote(_) => Kind::Remote,
            Reach::Wasm(_) => Kind::Wasm,
            Reach::Container(source) => Kind::Container { runtime: source.resources.sandbox },
            Reach::Withheld(_) => Kind::Withheld,
        }
    }

    /// What it was packed as.
    #[must_use]
    pub fn package(&self) -> Option<&Package> {
        self.package.as_deref()
    }

    /// The digest of the package it comes from.
    #[must_use]
    pub fn digest(&self) -> Option<Hash> {
        self.package().map(Package::digest)
    }

    /// What its sandbox opens for a call; `None` where nothing of ours runs it.
    #[must_use]
    pub fn resources(&self) -> Option<&Arc<Resources>> {
        match &self.reach {
            Reach::Process(program) => Some(&program.resources),
            Reach::Wasm(source) => Some(&source.resources),
            Reach::Container(source) => Some(&source.resources),
            Reach::Remote(_) | Reach::Withheld(_) => None,
        }
    }

    /// Containers run on this runtime.
    #[must_use]
    pub fn on(mut self, runtime: Isolation) -> Self {
        if let Reach::Container(source) = &mut self.reach {
            Arc::make_mut(&mut source.resources).sandbox = runtime;
        }
        self
    }

    /// A process runs as what it is, with everything that the gateway's user may do.
    #[must_use]
    pub fn unjailed(mut self) -> Self {
        if let Reach::Process(program) = &mut self.reach {
            program.jail = false;
            Arc::make_mut(&mut program.resources).sandbox = Isolation::None;
        }
        self
    }

    /// What the profile declares is what the sandbox opens: of a package, hosts only narrow; of a command, `scope` is
    /// mounted and `hosts` are reached over the web's ports, where no `folders` and no `egress` say it better. Where there
    /// is not even a `scope`, the folders that the command line names are what the command is for.
    #[must_use]
    pub fn declared(mut self, profile: &Profile) -> Self {
        self.lends |= !profile.secrets().is_empty();
        let (said, packed) = (self.said, self.package.is_some());
        let resources = match &mut self.reach {
            Reach::Process(program) => {
                let resources = Arc::make_mut(&mut program.resources);
                if !packed && !said.folders && profile.scope().is_none() {
                    resources.folders.extend(grants::named(&program.arguments));
                }
                resources
            }
            Reach::Wasm(source) => Arc::make_mut(&mut source.resources),
            Reach::Container(source) => Arc::make_mut(&mut source.resources),
            Reach::Remote(_) | Reach::Withheld(_) => return self,
        };
        if packed {
            crate::package::narrow_hosts(resources, profile);
        } else {
            grants::fill(resources, said, profile);
        }
        self
    }

    /// Whether secrets are lent to its calls: then each has its sandbox to itself.
    pub(crate) fn lends(&self) -> bool {
        self.lends || self.package().is_some_and(|package| !package.manifest().secrets.is_empty())
    }

    /// The profile with what the sandbox opens: a permit is bound to it.
    #[must_use]
    pub fn profile(&self, declared: Profile) -> Profile {
        let placed = self.resources().map(|resources| resources.secrets.as_slice()).unwrap_or_default();
        let mut secrets: Vec<String> = placed.iter().map(|placement| placement.secret.clone()).collect();
        secrets.sort();
        secrets.dedup();
        let declared = if declared.secrets().is_empty() { declared.with_secrets(secrets) } else { declared };
        match self.resources() {
            Some(resources) => declared.with_resources(Arc::clone(resources)),
            None => declared,
        }
    }

    /// The package that a folder holds, where the keys name none and the folder has one: the package that was added
    /// under the server's name.
    #[must_use]
    pub fn is_added(&self, below: &Path) -> bool {
        self.package().is_some_and(|package| package.root().starts_with(below))
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
