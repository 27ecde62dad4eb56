//! `Upstream`: the world as the edge reaches it: a name is resolved once for a connection, every address is checked, and
//! the address that was checked is the one that is dialled.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use thiserror::Error;
use tokio::net::{TcpStream, UdpSocket};

use super::allow::{Denied, Forbidden, Route};

/// The world as the edge reaches it.
pub(super) struct Upstream {
    resolver: TokioResolver,
}

/// Why there is no connection.
#[derive(Debug, Error)]
pub(super) enum DialError {
    /// The name leads where it must not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The name has no address.
    #[error("the name does not resolve")]
    Unresolved,
    /// Nobody answers there.
    #[error("cannot connect: {0}")]
    Unreachable(io::ErrorKind),
}

/// For one address, and for all addresses of a name together.
const CONNECT: Duration = Duration::from_secs(5);
const DIAL: Duration = Duration::from_secs(15);

/// Addresses of one name that are tried.
const TRIED: usize = 4;

/// Longer than this no answer is believed, whatever it says of itself.
const BELIEVED: Duration = Duration::from_mins(1);

impl Upstream {
    /// # Errors
    /// Where the machine's own resolvers are to be used and cannot be read.
    pub(super) fn new(resolvers: &[SocketAddr]) -> Result<Self, hickory_resolver::net::NetError> {
        let mut builder = if resolvers.is_empty() {
            TokioResolver::builder_tokio()?
        } else {
            let config = ResolverConfig::from_name_servers(resolvers.iter().map(name_server).collect());
            let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
            builder.options_mut().use_hosts_file = ResolveHosts::Never;
            builder
        };
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.positive_max_ttl = Some(BELIEVED);
        options.negative_max_ttl = Some(BELIEVED);
        Ok(Self { resolver: builder.build()? })
    }

    /// Connects to the host of a route.
    ///
    /// # Errors
    /// [`DialError`]
    pub(super) async fn dial(&self, route: &Route<'_>) -> Result<TcpStream, DialError> {
        let dial = async {
            let addresses = self.addresses(route).await?;
            connect(&addresses, route.port()).await
        };
        tokio::time::timeout(DIAL, dial).await.unwrap_or(Err(DialError::Unreachable(io::ErrorKind::TimedOut)))
    }

    /// The addresses of a host, all of which may be dialled: where one is forbidden, somebody plays with the name.
    async fn addresses(&self, route: &Route<'_>) -> Result<Vec<IpAddr>, DialError> {
        let addresses = match route.host().address() {
            Some(address) => vec![address],
            None => self.lookup(route.host().as_str()).await?,
        };
        for &address in &addresses {
            route.check_address(address)?;
            if !route.is_written_out(address) && is_own(address).await {
                return Err(Denied::Address(address, Forbidden::Own).into());
            }
        }
        Ok(addresses)
    }

    async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, DialError> {
        // The dot keeps the machine's search domains out: the name is whole.
        let found = self.resolver.lookup_ip(format!("{name}.")).await.map_err(|_| DialError::Unresolved)?;
        let addresses: Vec<IpAddr> = found.iter().collect();
        if addresses.is_empty() { Err(DialError::Unresolved) } else { Ok(addresses) }
    }
}

fn name_server(resolver: &SocketAddr) -> NameServerConfig {
    let mut config = NameServerConfig::udp_and_tcp(resolver.ip());
    config.connections.iter_mut().for_each(|connection: &mut ConnectionConfig| connection.port = resolver.port());
    config
}

async fn connect(addresses: &[IpAddr], port: u16) -> Result<TcpStream, DialError> {
    let mut last = io::ErrorKind::AddrNotAvailable;
    for &address in addresses.iter().take(TRIED) {
        match tokio::time::timeout(CONNECT, TcpStream::connect((address, port))).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true).ok();
                return Ok(stream);
            }
            Ok(Err(error)) => last = error.kind(),
            Err(_) => last = io::ErrorKind::TimedOut,
        }
    }
    Err(DialError::Unreachable(last))
}

/// Whether an address is one of this machine's. Services here may trust whoever comes from here, and a public address of
/// the machine's own passes every list. A datagram socket asks the routing table, and sends nothing.
async fn is_own(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let Ok(socket) = UdpSocket::bind((any, 0)).await else { return true };
    // No route: then there is nothing to protect, and dialling fails by itself.
    socket.connect((address, 9)).await.is_ok()
        && socket.local_addr().is_ok_and(|local| local.ip().to_canonical() == address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn this_machine_knows_its_own_addresses() {
        assert!(is_own("127.0.0.1".parse().unwrap()).await);
        assert!(!is_own("198.51.100.77".parse().unwrap()).await);
    }
}
