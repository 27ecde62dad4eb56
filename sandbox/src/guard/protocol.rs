//! What a gateway can ask of the guard, and what it is told: nothing here can name a privilege.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;

use policies::Hash;
use serde::{Deserialize, Serialize};

use crate::egress::denied::Denied;
use crate::instance::hand::Lending;

/// What the gateway asks. There is no field for privileges, devices, namespaces, networks or users of the host.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    /// A sandbox; `id` is the gateway's, and new.
    Start { id: u64, order: Box<Order> },
    /// Its end.
    Stop { id: u64 },
    /// A sandbox in which the guard's own probe tries to reach addresses of IPv4: granted nothing, it must not.
    Probe { id: u64, runtime: Runtime, reach: Vec<Reach> },
    /// How the guard fares.
    State,
}

/// What a probe tries to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Reach {
    Tcp(SocketAddrV4),
    Udp(SocketAddrV4),
}

impl fmt::Display for Reach {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(at) => write!(formatter, "tcp:{at}"),
            Self::Udp(at) => write!(formatter, "udp:{at}"),
        }
    }
}

/// A sandbox that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    /// The server's name, for people who look at the engine.
    pub(crate) server: String,
    /// The OCI layout folder.
    pub(crate) image: PathBuf,
    /// The digest of the manifest in it.
    pub(crate) digest: Hash,
    /// What runs in it, in place of what the image would run; its own where this is empty.
    pub(crate) command: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) folders: Vec<Folder>,
    /// What is lent for one call. An open file for each comes with the order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) lent: Vec<Lending>,
    pub(crate) runtime: Runtime,
    pub(crate) cost: Cost,
    /// With a network that leads to the gateway's edge and nowhere else; with none where this is `None`.
    pub(crate) network: Option<NetworkOrder>,
}

/// A folder of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Folder {
    pub(crate) host: PathBuf,
    pub(crate) at: String,
    pub(crate) writable: bool,
}

/// What runs the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Runtime {
    /// gVisor's own kernel.
    Gvisor,
    /// The host's kernel.
    Runc,
}

/// What the sandbox may cost as long as it lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cost {
    pub(crate) memory: u64,
    pub(crate) cpu: u32,
    pub(crate) processes: u32,
    pub(crate) disk: u64,
}

/// What its network needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NetworkOrder {
    /// The certificate, in PEM, that the sandbox is to trust beside the public ones.
    pub(crate) authority: String,
}

/// What the gateway is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Told {
    /// First, and unasked.
    Welcome { runtimes: Vec<Runtime>, userns: bool },
    /// What was asked: the engine in words, the tables of the firewall, and whether their rules were what they must be.
    State { engine: String, tables: Vec<String>, rules: Result<bool, String> },
    /// It runs. With it come its streams and, where it has a network, the resolver's UDP and TCP socket and the edge's.
    Started { id: u64, address: Option<Ipv4Addr> },
    /// It will not be made, because the guard's config does not hold it. Asking again does not help.
    Refused { id: u64, why: String },
    /// It could not be made.
    Failed { id: u64, why: String },
    /// It came to its end by itself.
    Ended { id: u64, code: i64, out_of_memory: bool },
    /// Nothing is left of it.
    Gone { id: u64 },
    /// Something that it sent was dropped.
    Dropped { id: u64, packet: Denied },
}
