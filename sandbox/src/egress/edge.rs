//! The edge: takes each connection of a sandbox, finds out where it is meant to go, and carries it there if the call's
//! grant says so.
//!
//! ```text
//! address ─► name ─► port ─► first bytes ─┬─ TLS ─► SNI ─┬─► carried unread
//!                                         │              └─► read as HTTP, under the sandbox's own authority
//!                                         ├─ HTTP ─► every request
//!                                         └─ TCP, where declared: neither TLS nor HTTP
//! ```

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::{Arc, Weak};
use std::time::Duration;

use audit::Attempt;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;

use super::DestinationOf;
use super::allow::{Denied, Host, Route};
use super::exit::{AT_REST, Exit};
use super::grant::Grant;
use super::ledger::{Flow, attempt};
use super::stream::Stream;
use super::upstream::DialError;
use super::{http, proxy, resolve, tcp, tls};

/// Where a connection came out of its sandbox.
#[derive(Clone, Copy)]
pub(super) enum Door {
    /// It asks for names.
    Resolver,
    /// It was made to an address.
    Edge(DestinationOf),
    /// It says where it wants to go.
    Proxy,
}

/// Takes connections for as long as the exit lives.
pub(super) async fn accept(exit: Weak<Exit>, listener: TcpListener, door: Door) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, mostly: it passes.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let Some(exit) = exit.upgrade() else { return };
        match door {
            Door::Resolver => ask(exit, stream),
            Door::Edge(of) => match destination(&stream, of) {
                Ok(to) => arrive(&exit, stream, Some(to)),
                Err(_) => drop(stream.set_zero_linger()),
            },
            Door::Proxy => arrive(&exit, stream, None),
        }
    }
}

fn ask(exit: Arc<Exit>, stream: TcpStream) {
    if let Ok(slot) = Arc::clone(&exit.questions).try_acquire_owned() {
        exit.egress.tasks.clone().spawn(async move {
            resolve::serve_tcp(exit, stream).await;
            drop(slot);
        });
    }
}

/// A socket of both families has IPv4 connections under IPv6 addresses.
fn destination(stream: &TcpStream, of: DestinationOf) -> io::Result<SocketAddr> {
    let local = stream.local_addr()?;
    let local = SocketAddr::new(local.ip().to_canonical(), local.port());
    match (of, local) {
        (DestinationOf::LocalAddress, _) => Ok(local),
        (DestinationOf::Redirected, SocketAddr::V4(_)) => Ok(rustix::net::sockopt::ip_original_dst(stream)?.into()),
        (DestinationOf::Redirected, SocketAddr::V6(_)) => Ok(rustix::net::sockopt::ipv6_original_dst(stream)?.into()),
    }
}

/// A connection of a call, on its way.
pub(super) struct Passage {
    pub(super) exit: Arc<Exit>,
    pub(super) grant: Arc<Grant>,
    pub(super) flow: Arc<Flow>,
    /// Its place among the call's connections.
    _place: OwnedSemaphorePermit,
}

/// How a connection ends before its time.
#[derive(Debug, Error)]
pub(super) enum Broken {
    /// It must not go on.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// It cannot.
    #[error("cannot be carried: {0}")]
    Failed(#[from] io::Error),
    /// There is nobody at the other end.
    #[error("{0}")]
    Undialled(DialError),
}

impl From<DialError> for Broken {
    fn from(error: DialError) -> Self {
        match error {
            DialError::Denied(denied) => Self::Denied(denied),
            DialError::Unresolved | DialError::Unreachable(_) => Self::Undialled(error),
        }
    }
}

/// Starts to carry a connection, or resets it: to an address, or to where it says (a proxy's client).
fn arrive(exit: &Arc<Exit>, stream: TcpStream, to: Option<SocketAddr>) {
    let host = to.and_then(|to| exit.host(to.ip()));
    let seen = Attempt {
        host: host.as_ref().map(Host::to_string),
        address: to.filter(|_| host.is_none()).map(|to| to.ip()),
        port: to.map(|to| to.port()),
        ..attempt("tcp")
    };
    let refuse = |seen: Attempt, why: String| {
        exit.note(Attempt { denied: Some(why), ..seen });
        drop(stream.set_zero_linger());
    };
    let Some(grant) = exit.grant() else { return refuse(seen, AT_REST.to_owned()) };
    let passage = match Passage::begin(exit, &grant, seen) {
        Ok(passage) => passage,
        Err(refused) => return refuse(refused.0, refused.1.to_string()),
    };
    // The tool must not see a connection end before it is noted why: its call, and with it the record, could be over by then.
    let open = stream.as_fd().try_clone_to_owned();
    let near = Stream::near(stream, grant, Arc::clone(&passage.flow));
    let target = to.map(|to| (host.unwrap_or_else(|| Host::from(to.ip())), to.port()));
    exit.egress.tasks.spawn(async move {
        tokio::select! {
            biased;
            () = passage.grant.ended() => {}
            () = passage.run(near, target) => {}
        }
        drop(open);
    });
}

/// How long a tool may take to say what it wants.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

impl Passage {
    /// Notes a connection that begins, where there is room for one more.
    ///
    /// # Errors
    /// [`Denied::TooMany`], with what is not noted yet.
    pub(super) fn begin(exit: &Arc<Exit>, grant: &Arc<Grant>, seen: Attempt) -> Result<Self, Box<(Attempt, Denied)>> {
        let Some(place) = grant.connect() else { return Err(Box::new((seen, Denied::TooMany("connections")))) };
        let flow = grant.ledger.begin(seen);
        Ok(Self { exit: Arc::clone(exit), grant: Arc::clone(grant), flow, _place: place })
    }

    async fn run(&self, near: Stream, target: Option<(Host, u16)>) {
        let carried = match target {
            Some((host, port)) => self.carry(near, host, port).await,
            None => proxy::serve(self, near).await,
        };
        match carried {
            Ok(()) => {}
            Err(Broken::Denied(denied)) => self.flow.denied(denied.to_string()),
            Err(broken @ (Broken::Failed(_) | Broken::Undialled(_))) => tracing::debug!(%broken, "a connection ended"),
        }
    }

    /// Carries a connection to a host and port.
    pub(super) async fn carry(&self, mut near: Stream, host: Host, port: u16) -> Result<(), Broken> {
        let route = match Route::find(self.grant.destinations(), host, port) {
            Ok(route) => route,
            Err(denied) => {
                near.reset();
                return Err(denied.into());
            }
        };
        if route.is_tcp() {
            return tcp::carry(self, near, &route).await;
        }
        if near.ahead().is_empty() && !within(PATIENCE, near.look()).await? {
            return Ok(());
        }
        match near.ahead().first() {
            Some(&tls::HANDSHAKE) => tls::carry(self, near, route.tls()?).await,
            Some(_) | None => {
                self.flow.speaks("http");
                http::serve(self, near, &route.http()?, false).await
            }
        }
    }

    /// Connects to the world.
    pub(super) async fn dial(&self, route: &Route<'_>) -> Result<Stream, DialError> {
        let tcp = self.exit.egress.upstream.dial(route).await?;
        if let Ok(peer) = tcp.peer_addr() {
            self.flow.dialled(peer.ip());
        }
        Ok(Stream::far(tcp, Arc::clone(&self.grant)))
    }

    /// Runs something beside the connection that ends with the call at the latest.
    pub(super) fn spawn(&self, beside: impl Future<Output = ()> + Send + 'static) {
        let grant = Arc::clone(&self.grant);
        self.exit.egress.tasks.spawn(async move {
            tokio::select! {
                biased;
                () = grant.ended() => {}
                () = beside => {}
            }
        });
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.grant.ledger.end(&self.flow);
    }
}

/// Waits, but not for ever.
pub(super) async fn within<T>(patience: Duration, wait: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(patience, wait).await.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
}
