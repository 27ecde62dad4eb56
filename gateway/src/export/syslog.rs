//! `Syslog`: RFC 5424, by datagrams or over TCP and TLS with octet counting (RFC 6587, RFC 5425).
//!
//! Syslog has no answer that says that a record was taken. Over TCP each batch has a connection of its own, which we end and the
//! collector then ends too once it has read all of it: that is waited for. What a collector reads and then loses is lost, and so is a
//! datagram that the network drops.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UdpSocket, UnixDatagram, lookup_host};

use super::format::{Line, Severity, host};
use super::sink::{Fate, Sink, all_taken};
use super::{OpenError, SendError};
use crate::config::Collector;
use crate::endpoint::Peer;

/// Sends to one collector.
pub(super) struct Syslog {
    way: Way,
    facility: u8,
    host: String,
}

enum Way {
    Udp(String, u16),
    Unix(PathBuf),
    Stream(Peer),
}

/// The most of a record that a datagram carries: UDP ends at 65,507 bytes, of which the header has some.
const DATAGRAM: usize = 64_000;

/// The largest `sequenceId` that RFC 5424 knows; then it begins again.
const SEQUENCES: u64 = 2_147_483_647;

impl Syslog {
    /// # Errors
    /// [`OpenError`]
    pub(super) fn open(to: &Collector, facility: u8, authority: Option<&Path>) -> Result<Self, OpenError> {
        let way = match to {
            Collector::Udp(host, port) => Way::Udp(host.clone(), *port),
            Collector::Unix(path) => Way::Unix(path.clone()),
            Collector::Tcp(host, port) => Way::Stream(Peer::plain(host.clone(), *port)),
            Collector::Tls(host, port) => Way::Stream(Peer::encrypted(host.clone(), *port, authority)?),
        };
        Ok(Self { way, facility, host: host() })
    }

    /// Without the byte order mark that RFC 5424 wants before UTF-8: collectors take it for a part of the record.
    fn message(&self, line: &Line) -> String {
        let priority = u32::from(self.facility) * 8 + severity(line.severity);
        let sequence = line.seq.saturating_sub(1) % SEQUENCES + 1;
        format!(
            "<{priority}>1 {:.6} {} portcullis {} {} [meta sequenceId=\"{sequence}\"][origin software=\"Portcullis\" \
             swVersion=\"{}\"] {}",
            line.at,
            self.host,
            std::process::id(),
            line.kind,
            env!("CARGO_PKG_VERSION"),
            line.text,
        )
    }
}

/// As syslog counts: 2 is critical, 6 informational.
fn severity(severity: Severity) -> u32 {
    match severity {
        Severity::Information => 6,
        Severity::Low => 5,
        Severity::Medium => 4,
        Severity::High => 3,
        Severity::Critical => 2,
    }
}

impl Sink for Syslog {
    fn send<'a>(&'a self, lines: &'a [Line]) -> BoxFuture<'a, Result<Vec<Fate>, SendError>> {
        Box::pin(async move {
            let messages: Vec<String> = lines.iter().map(|line| self.message(line)).collect();
            match &self.way {
                Way::Stream(peer) => stream(peer, &messages).await.map(|()| all_taken(lines)),
                Way::Udp(host, port) => {
                    each(&Socket::udp(host, *port).await.map_err(SendError::Connect)?, &messages).await
                }
                Way::Unix(path) => each(&Socket::unix(path).map_err(SendError::Connect)?, &messages).await,
            }
        })
    }

    fn longest(&self) -> Option<usize> {
        match self.way {
            Way::Udp(..) | Way::Unix(_) => Some(DATAGRAM),
            Way::Stream(_) => None,
        }
    }
}

/// All of them, each after its length; then the end of ours is said, and the collector's waited for.
async fn stream(peer: &Peer, messages: &[String]) -> Result<(), SendError> {
    let broken = |error: io::Error| SendError::Broken(error.into());
    let mut stream = peer.connect().await?;
    let bytes: String =
        messages.iter().flat_map(|message| [message.len().to_string(), " ".to_owned(), message.clone()]).collect();
    stream.write_all(bytes.as_bytes()).await.map_err(broken)?;
    stream.shutdown().await.map_err(broken)?;
    let mut ignored = [0; 512];
    loop {
        match stream.read(&mut ignored).await {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // TLS: most collectors end the connection without saying so first. Whoever can cut it on its way can pretend that: what
            // is lost so is missing in `sequenceId`.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(broken(error)),
        }
    }
}

/// What datagrams are sent through.
enum Socket {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl Socket {
    async fn udp(host: &str, port: u16) -> io::Result<Self> {
        let found = lookup_host((host, port)).await?.next();
        let to = found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))?;
        let from: SocketAddr = match to {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(from).await?;
        socket.connect(to).await?;
        Ok(Self::Udp(socket))
    }

    fn unix(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        Ok(Self::Unix(socket))
    }

    async fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Udp(socket) => socket.send(bytes).await,
            Self::Unix(socket) => socket.send(bytes).await,
        }
    }
}

/// A datagram each. What no datagram can carry is refused for good.
async fn each(socket: &Socket, messages: &[String]) -> Result<Vec<Fate>, SendError> {
    let mut fates = Vec::new();
    for message in messages {
        match socket.send(message.as_bytes()).await {
            Ok(_) => fates.push(Fate::Taken),
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error()) => {
                fates.push(Fate::Refused { status: 0, said: "it is too long for a datagram".to_owned() });
            }
            Err(error) if fates.is_empty() => return Err(SendError::Broken(error.into())),
            Err(error) => {
                fates.push(Fate::Again { status: 0, said: error.to_string() });
                break;
            }
        }
    }
    Ok(fates)
}
