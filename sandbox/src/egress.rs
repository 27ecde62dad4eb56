//! `Egress`: the only way out of every sandbox: closed, but for what one running call was granted.

mod allow;
mod authority;
pub(crate) mod denied;
mod edge;
mod exit;
mod grant;
mod http;
mod ledger;
mod names;
pub(crate) mod nft;
pub(crate) mod placeholder;
mod proxy;
mod resolve;
mod send;
mod stream;
mod tcp;
mod tls;
mod upstream;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use policies::ServerName;
use thiserror::Error;
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use tls::Trust;
use upstream::Upstream;

pub(crate) use exit::Exit;
pub(crate) use grant::Opening;
pub(crate) use http::Cause;
pub(crate) use ledger::attempt;
pub(crate) use send::Refused;
#[cfg(fuzzing)]
pub(crate) use {resolve::answer, tls::beginning};

/// What every sandbox's way out shares. One a gateway.
pub(crate) struct Egress {
    tasks: TaskTracker,
    stop: CancellationToken,
    upstream: Upstream,
    trust: Trust,
}

/// How the gateway reaches the world on behalf of tools: the `[egress]` table of the config.
#[derive(Clone, Debug, Default)]
pub(crate) struct EgressConfig {
    /// Who is asked for addresses; the machine's own resolvers where nobody is named.
    pub(crate) resolvers: Vec<SocketAddr>,
    /// Certificates (PEM) that are trusted beside those of the machine.
    pub(crate) authorities: Vec<PathBuf>,
}

/// Why no sandbox can be given a way out.
#[derive(Debug, Error)]
pub(crate) enum EgressError {
    /// The machine's own resolvers are to be asked, and are not known.
    #[error("cannot read which resolvers this machine uses")]
    Resolvers(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A configured authority cannot be read.
    #[error("`{path}` holds no certificate that can be trusted")]
    Authority {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Where a sandbox's packets come out. Whether the listeners live in the jail's own network or on a bridge is not the
/// edge's business.
pub(crate) struct Doors {
    /// Where names are asked for.
    pub(crate) dns: Option<(UdpSocket, TcpListener)>,
    /// Where connections to synthetic addresses arrive.
    pub(crate) tcp: Vec<TcpListener>,
    /// How to learn which address a connection was made to.
    pub(crate) destination: DestinationOf,
    /// Where `CONNECT host:port` is understood, for tools that insist on a proxy.
    pub(crate) proxy: Option<TcpListener>,
}

/// How to learn which address a connection was made to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DestinationOf {
    /// It is the socket's own: the synthetic addresses are local where the listener is.
    LocalAddress,
    /// The firewall redirected it, and remembers (`SO_ORIGINAL_DST`).
    Redirected,
}

/// A packet that the firewall dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    /// The number of its protocol.
    pub(crate) protocol: u8,
    /// Where it was to go.
    pub(crate) to: IpAddr,
    /// The port, where the protocol has ports.
    pub(crate) port: Option<u16>,
}

impl Egress {
    /// All work belongs to `tasks` and ends when `stop` is cancelled.
    ///
    /// # Errors
    /// [`EgressError`]
    pub(crate) fn new(
        config: &EgressConfig,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, EgressError> {
        let upstream = Upstream::new(&config.resolvers).map_err(|error| EgressError::Resolvers(error.into()))?;
        let trust = Trust::new(&config.authorities)?;
        Ok(Arc::new(Self { tasks, stop, upstream, trust }))
    }

    /// The way out of one sandbox, closed.
    pub(crate) fn exit(self: &Arc<Self>, server: &ServerName) -> Arc<Exit> {
        Exit::new(Arc::clone(self), server.clone())
    }
}

#[cfg(test)]
mod tests;
