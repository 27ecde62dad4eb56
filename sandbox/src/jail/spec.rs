//! `Spec`: a whole jail as one value, which the gateway makes and the helper obeys; and what the helper says back.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::instance::hand::Lending;

/// What the helper must know before there is a jail. Sent first, on its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Frame {
    /// The name of its control group.
    pub(super) name: String,
    pub(super) bounds: Bounds,
}

/// What a jail may cost.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Bounds {
    /// Bytes of memory.
    pub(super) memory: u64,
    /// Processes and threads.
    pub(super) processes: u32,
    /// Thousandths of a processor.
    pub(super) cpu: u32,
    /// Bytes of scratch space.
    pub(super) disk: u64,
}

/// What is in a jail. It comes with the program's three standard streams.
///
/// Has no `Debug`: the environment may hold credentials.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Spec {
    /// As it is named inside.
    pub(super) command: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    /// Where it starts, inside.
    pub(super) folder: PathBuf,
    /// What of the host is seen, parents before what lies in them.
    pub(super) binds: Vec<Bind>,
    /// Links that the host's root has: `/bin` to `usr/bin`.
    pub(super) links: Vec<(PathBuf, PathBuf)>,
    /// Files of our own making.
    pub(super) files: Vec<(PathBuf, String)>,
    /// What is lent for one call. An open file for each comes after the streams.
    pub(super) lent: Vec<Lending>,
    pub(super) bounds: Bounds,
    /// What leads out; `None` leaves it without sockets.
    pub(super) network: Option<Doorway>,
}

/// A file or folder of the host, as the program sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Bind {
    pub(super) at: PathBuf,
    /// Without links.
    pub(super) source: PathBuf,
    pub(super) writable: bool,
}

/// What leads out of a jail.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Doorway {
    /// What is listened on where the firewall cannot send everything to one door.
    pub(super) ports: Vec<u16>,
    /// The program that makes firewall rules, if there is one.
    pub(super) nft: Option<PathBuf>,
}

/// Which sockets come with [`Said::Ready`], in this order: UDP and TCP for names, listeners, and the log of what was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Doors {
    pub(super) listeners: usize,
    /// Whether everything is redirected to the one listener, and what cannot be is dropped and logged.
    pub(super) redirected: bool,
}

/// What the helper says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Said {
    /// The first process is there and bounded: it takes the [`Spec`] now.
    Placed {
        /// Whether the kernel bounds its memory.
        bounded: bool,
    },
    /// The program runs.
    Ready(Option<Doors>),
    /// There is no jail, and nothing runs.
    Refused(String),
    /// The program ended.
    Ended { code: Option<i32>, signal: Option<i32> },
    /// It used more memory than it was granted, and is being ended.
    OutOfMemory,
}

/// A step that could not be taken. Nothing runs then.
#[derive(Debug, Error)]
#[error("{step}: {why}")]
pub(super) struct Stuck {
    step: String,
    why: String,
}

/// Names the step that failed.
pub(super) trait Step<T> {
    fn step(self, step: impl Into<String>) -> Result<T, Stuck>;
}

impl<T, E: std::fmt::Display> Step<T> for Result<T, E> {
    fn step(self, step: impl Into<String>) -> Result<T, Stuck> {
        self.map_err(|error| Stuck { step: step.into(), why: error.to_string() })
    }
}

/// Where the program's own folders are. `/tmp` is the third.
pub(super) const HOME: &str = "/home/tool";

/// Whom names are asked of: a loopback address that nothing else uses.
pub(super) const RESOLVER: std::net::Ipv4Addr = std::net::Ipv4Addr::new(127, 0, 0, 53);

/// The netlink group that dropped packets are logged to.
pub(super) const DROPPED: u16 = 77;
