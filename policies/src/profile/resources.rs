//! `Resources`: what a sandbox opens for a call while it runs, and nothing else. A permit is bound to it.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::path::{self, plain_path};
use super::pattern::HostPattern;
use super::placement::Placement;
use crate::call::Hash;

/// What a sandbox opens for a call while it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// What keeps the tool from everything else.
    pub sandbox: Isolation,
    /// The digest of what runs; `None` where nobody can know, as with a command that fetches its own code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Hash>,
    /// Folders of the host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<Mount>,
    /// The network.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<Destination>,
    /// Secrets that are lent to it, each with its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Placement>,
    /// What it may cost.
    pub limits: Ceilings,
}

impl Resources {
    /// Where a path leads on the host, by the text of a component's argument; `None` where that cannot be told. A component
    /// with one folder has nowhere else to go, so a relative path starts there.
    #[must_use]
    pub fn leads(&self, path: &str, absolute: bool) -> Option<String> {
        let (Isolation::Wasm, [only]) = (self.sandbox, self.folders.as_slice()) else { return None };
        let root = only.folder.as_str().trim_end_matches('/');
        if !absolute {
            return Some(format!("{root}/{path}"));
        }
        let rest = path.strip_prefix(only.at.trim_end_matches('/'))?;
        (rest.is_empty() || rest.starts_with('/')).then(|| format!("{root}{rest}"))
    }
}

/// What keeps a tool from everything that it was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// A fresh instance of a component for every call.
    Wasm,
    /// A container on gVisor's own kernel.
    Gvisor,
    /// A container on the host's kernel: weaker, and only where the config says so.
    Runc,
    /// A process with its own view of the machine.
    Jail,
    /// Nothing: it can do whatever the gateway's user can.
    None,
}

impl Isolation {
    /// The name used in config, records and on cards.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wasm => "wasm",
            Self::Gvisor => "gvisor",
            Self::Runc => "runc",
            Self::Jail => "jail",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A folder of the host as the tool sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mount {
    /// Where it is on the host.
    pub folder: super::Folder,
    /// Where the tool finds it; the same path unless said otherwise.
    pub at: String,
    /// Whether the tool may change it.
    #[serde(default)]
    pub writable: bool,
}

/// One place that a tool may reach, while a call that was granted it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// By name, `*.name`, or one address.
    pub host: HostPattern,
    /// At these ports; the protocol's own unless said otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
    /// Spoken thus.
    #[serde(default)]
    pub protocol: Protocol,
    /// HTTP methods; empty allows every method.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Paths, each whole or, with `*` at its end, a beginning; empty allows every path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Private networks that the name may resolve to. Without one it must resolve to a public address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Network>,
    /// SHA-256 of public keys (SPKI), one of which the server must have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<Hash>,
}

impl Destination {
    /// The ports it may be reached at.
    #[must_use]
    pub fn ports(&self) -> &[u16] {
        match (self.ports.as_slice(), self.protocol) {
            ([], Protocol::Https | Protocol::Tls) => &[443],
            ([], Protocol::Http) => &[80],
            // Plain TCP has no port of its own: without one nothing is allowed.
            ([], Protocol::Tcp) => &[],
            (ports, _) => ports,
        }
    }

    /// Whether a request's method and path matter: then the edge must read what is sent.
    #[must_use]
    pub fn reads_requests(&self) -> bool {
        !self.methods.is_empty() || !self.paths.is_empty()
    }

    /// Whether a host, as the URL parser writes it, is meant, at this port and spoken to thus.
    #[must_use]
    pub fn is_at(&self, host: &str, port: u16, protocol: Protocol) -> bool {
        self.protocol == protocol && self.ports().contains(&port) && self.host.matches(host)
    }

    /// Whether a request is meant. A path that could be read in two ways is not, where paths decide.
    #[must_use]
    pub fn allows(&self, method: &str, path: &str) -> bool {
        self.has_method(method)
            && (self.paths.is_empty() || plain_path(path).is_ok_and(|plain| plain == path && self.has_path(&plain)))
    }

    /// Whether a method is meant.
    #[must_use]
    pub fn has_method(&self, method: &str) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|allowed| allowed == method)
    }

    /// Whether a path in its one reading ([`plain_path`]) is meant.
    #[must_use]
    pub fn has_path(&self, plain: &str) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|pattern| path::matches(pattern, plain))
    }

    /// What stands in the way of using it as it is written.
    ///
    /// # Errors
    /// [`DestinationError`], the first there is.
    pub fn check(&self) -> Result<(), DestinationError> {
        if self.ports().is_empty() || self.ports.contains(&0) {
            return Err(DestinationError::Port);
        }
        let http = matches!(self.protocol, Protocol::Https | Protocol::Http);
        if self.reads_requests() && !http {
            return Err(DestinationError::NotHttp(self.protocol));
        }
        if !self.pins.is_empty() && matches!(self.protocol, Protocol::Http | Protocol::Tcp) {
            return Err(DestinationError::NotTls(self.protocol));
        }
        let is_token = |method: &&String| !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
        if let Some(method) = self.methods.iter().find(|method| !is_token(method)) {
            return Err(DestinationError::Method(method.clone()));
        }
        let is_path = |path: &&String| {
            let whole = path.strip_suffix('*').unwrap_or(path);
            path.starts_with('/')
                && !whole.contains(['*', '?', '#', '%', '\\'])
                && !path.contains("/..")
                && !path.contains("//")
        };
        match self.paths.iter().find(|path| !is_path(path)) {
            Some(path) => Err(DestinationError::Path(path.clone())),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Destination {
    /// `https://api.example.com:443/v1/* (GET)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports: Vec<String> = self.ports().iter().map(u16::to_string).collect();
        write!(f, "{}://{}:{}{}", self.protocol, self.host.as_str(), ports.join(","), self.paths.join(","))?;
        if !self.methods.is_empty() {
            write!(f, " ({})", self.methods.join(", "))?;
        }
        for network in &self.addresses {
            write!(f, " in {network}")?;
        }
        Ok(())
    }
}

/// Why a destination cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DestinationError {
    /// No port can be reached.
    #[error("no port: plain `tcp` needs `ports`, and 0 is none")]
    Port,
    /// Methods or paths of something that has none.
    #[error("`methods` and `paths` need `http` or `https`, not `{0}`")]
    NotHttp(Protocol),
    /// Pins of something that has no certificate.
    #[error("`pins` need `https` or `tls`, not `{0}`")]
    NotTls(Protocol),
    /// A method that HTTP has not.
    #[error("`{0}` is not a method: write `GET`, `POST`, …")]
    Method(String),
    /// A path that could mean two things.
    #[error("`{0}` is not a path: write `/v1/items`, or `/v1/*` for a beginning; without `..`, `//`, `%`, `?` and `#`")]
    Path(String),
}

/// How a destination is spoken to; what is spoken must be it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP/1.1 over TLS.
    #[default]
    Https,
    /// HTTP/1.1 in the clear.
    Http,
    /// TLS, whatever is inside.
    Tls,
    /// Any other protocol over TCP.
    Tcp,
}

impl Protocol {
    /// The name used in config, records and on cards.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::Tls => "tls",
            Self::Tcp => "tcp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Addresses that begin alike (`10.1.0.0/16`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

/// Why a network cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("`{0}` is not a network: write `10.1.0.0/16` or `fd00:1::/32`, with nothing after the prefix")]
pub struct NetworkError(String);

impl Network {
    /// A network in CIDR notation, written out: an address without a length is refused, and so is one with bits after it.
    ///
    /// # Errors
    /// [`NetworkError`]
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let refused = || NetworkError(text.to_owned());
        let (base, bits) = text.split_once('/').ok_or_else(refused)?;
        let base: IpAddr = base.parse().map_err(|_| refused())?;
        let digits = bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits: u8 = bits.parse().ok().filter(|_| digits).ok_or_else(refused)?;
        let network = Self { base, bits };
        let (value, width) = number(base);
        let host = value.checked_shl(128 - u32::from(width - bits.min(width))).unwrap_or(0);
        if bits > width || (bits < width && host != 0) { Err(refused()) } else { Ok(network) }
    }

    /// Whether an address lies in it. An IPv4 address inside IPv6 is the IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let ((base, width), (value, of)) = (number(self.base), number(address.to_canonical()));
        width == of && (base ^ value).checked_shr(u32::from(width - self.bits)).unwrap_or(0) == 0
    }
}

/// An address as a number, and how many bits it has.
fn number(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

/// What one call, or the sandbox it runs in, may cost. Going over any of them is an outcome with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ceilings {
    /// From start to answer.
    pub time: Duration,
    /// Bytes of memory.
    pub memory: u64,
    /// Thousandths of a processor.
    pub cpu: u32,
    /// Bytes of one answer.
    pub output: u64,
    /// Processes and threads.
    pub processes: u32,
    /// Bytes of scratch space.
    pub disk: u64,
}

impl Default for Ceilings {
    fn default() -> Self {
        Self {
            time: Duration::from_mins(5),
            memory: 512 << 20,
            cpu: 1000,
            output: 16 << 20,
            processes: 128,
            disk: 64 << 20,
        }
    }
}

impl Ceilings {
    /// The narrower of both, each on its own.
    #[must_use]
    pub fn narrower(&self, other: &Self) -> Self {
        Self {
            time: self.time.min(other.time),
            memory: self.memory.min(other.memory),
            cpu: self.cpu.min(other.cpu),
            output: self.output.min(other.output),
            processes: self.processes.min(other.processes),
            disk: self.disk.min(other.disk),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(json: &str) -> Destination {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_network_is_written_out() {
        for wrong in ["10.0.0.0", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/+8", "::/129", "fd00::1/64", "x/8"] {
            assert!(Network::parse(wrong).is_err(), "{wrong}");
        }
        let network = Network::parse("10.1.0.0/16").unwrap();
        assert!(network.contains("10.1.255.255".parse().unwrap()) && !network.contains("10.2.0.0".parse().unwrap()));
        assert!(network.contains("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!network.contains("::a01:203".parse().unwrap()));
        assert!(Network::parse("0.0.0.0/0").unwrap().contains("255.255.255.255".parse().unwrap()));
        assert!(!Network::parse("0.0.0.0/0").unwrap().contains("::1".parse().unwrap()));
        let one = Network::parse("fd00::1/128").unwrap();
        assert!(one.contains("fd00::1".parse().unwrap()) && !one.contains("fd00::2".parse().unwrap()));
    }

    #[test]
    fn a_destination_that_could_mean_more_is_refused() {
        let check = |json: &str| destination(json).check();
        assert_eq!(check(r#"{"host":"a.test"}"#), Ok(()));
        assert_eq!(check(r#"{"host":"a.test","protocol":"tcp"}"#), Err(DestinationError::Port));
        assert!(check(r#"{"host":"a.test","protocol":"tls","paths":["/a"]}"#).is_err());
        assert!(check(r#"{"host":"a.test","protocol":"http","pins":[]}"#).is_ok());
        for path in ["v1", "/a/../b", "/a*b", "/%2e", "//a", "/a?b"] {
            assert!(check(&format!(r#"{{"host":"a.test","paths":["{path}"]}}"#)).is_err(), "{path}");
        }
        assert!(check(r#"{"host":"a.test","methods":["get"]}"#).is_err());
    }

    #[test]
    fn a_destination_reads_as_it_is_meant() {
        let shown = destination(r#"{"host":"*.a.test","methods":["GET"],"paths":["/v1/*"]}"#).to_string();
        assert_eq!(shown, "https://*.a.test:443/v1/* (GET)");
    }
}
