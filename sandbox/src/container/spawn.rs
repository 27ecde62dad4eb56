//! `Contained`: servers in containers, which the guard makes and whose streams it hands over.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use audit::{Failure, FailureKind};
use futures_util::future::BoxFuture;
use policies::profile::Isolation;
use policies::{Hash, ServerName};
use tokio::net::{TcpListener, UdpSocket};
use vault::Placer;

use super::demux::demux;
use crate::config::ContainerSource;
use crate::egress::denied::Denied;
use crate::egress::{DestinationOf, Doors, Egress, Exit};
use crate::guard::client::{Handed, Keeper, Kept, Over};
use crate::guard::protocol::{Cost, Folder, NetworkOrder, Order, Runtime};
use crate::guard::wire::FDS;
use crate::instance::{Body, Ended, Spawn, Spawned, Streams, hand};

/// How servers in containers are started.
#[derive(Clone)]
pub(crate) struct Contained {
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) egress: Arc<Egress>,
    pub(crate) source: ContainerSource,
    /// The image's manifest.
    pub(crate) digest: Hash,
}

impl Spawn for Contained {
    fn spawn<'a>(&'a self, server: &'a ServerName, placer: &'a Placer) -> BoxFuture<'a, Result<Spawned, Failure>> {
        Box::pin(async move { self.start(server, placer).await.map_err(no_sandbox) })
    }
}

impl Contained {
    async fn start(&self, server: &ServerName, placer: &Placer) -> Result<Spawned, String> {
        let exit = (!self.source.resources.egress.is_empty()).then(|| self.egress.exit(server));
        let told = exit.clone();
        let dropped = move |denied: Denied| {
            if let Some(exit) = &told {
                exit.dropped(denied.packet());
            }
        };
        let (kept, handed) = self.keeper.start(self.order(server, exit.as_deref(), placer)?, Arc::new(dropped)).await?;
        let Handed { streams, doors } = handed;
        if let (Some(exit), Some(doors)) = (&exit, doors) {
            exit.serve(opened(doors).map_err(|error| format!("its network cannot be served: {error}"))?);
        }
        let lost = |error: std::io::Error| format!("its streams cannot be used: {error}");
        let mut streams = spoken(streams).map_err(lost)?;
        let input = hand::input(&mut streams.stdin, &self.source.resources, placer).await;
        input.map_err(|error| error.to_string())?;
        Ok(Spawned { streams, body: Box::new(Contents { kept: Some(kept) }), exit })
    }

    /// What the guard is asked for: never more than was granted.
    fn order(
        &self,
        server: &ServerName,
        exit: Option<&Exit>,
        placer: &Placer,
    ) -> Result<(Order, Vec<OwnedFd>), String> {
        let resources = &self.source.resources;
        let runtime = match resources.sandbox {
            Isolation::Gvisor => Runtime::Gvisor,
            Isolation::Runc => Runtime::Runc,
            Isolation::Wasm | Isolation::Jail | Isolation::None => {
                return Err(format!("its sandbox is `{}`, not a container", resources.sandbox));
            }
        };
        let folder = |mount: &policies::profile::Mount| Folder {
            host: mount.folder.as_str().into(),
            at: mount.at.clone(),
            writable: mount.writable,
        };
        let limits = &resources.limits;
        let (lent, files) = hand::over(placer).map_err(|error| error.to_string())?;
        if lent.len() > FDS {
            return Err(format!("a container can be lent {FDS} secrets to read, not {}", lent.len()));
        }
        let stand_ins = hand::stand_ins(resources, placer);
        let order = Order {
            server: server.to_string(),
            image: self.source.image.clone(),
            digest: self.digest,
            command: self.source.command.clone(),
            environment: self.source.environment.iter().cloned().chain(stand_ins).collect(),
            folders: resources.folders.iter().map(folder).collect(),
            lent,
            runtime,
            cost: Cost { memory: limits.memory, cpu: limits.cpu, processes: limits.processes, disk: limits.disk },
            network: exit.map(|exit| NetworkOrder { authority: exit.authority_pem().to_owned() }),
        };
        Ok((order, files.into_iter().map(OwnedFd::from).collect()))
    }
}

/// A container's streams, which the engine frames.
pub(crate) fn spoken(streams: std::os::unix::net::UnixStream) -> std::io::Result<Streams> {
    streams.set_nonblocking(true)?;
    let (output, stdin) = tokio::net::UnixStream::from_std(streams)?.into_split();
    let (stdout, stderr) = demux(output);
    Ok(Streams { stdin: Box::new(stdin), stdout: Box::new(stdout), stderr: Some(Box::new(stderr)) })
}

/// The guard's sockets, for this runtime.
pub(crate) fn opened(
    (udp, dns, edge): (std::net::UdpSocket, std::net::TcpListener, std::net::TcpListener),
) -> std::io::Result<Doors> {
    udp.set_nonblocking(true)?;
    dns.set_nonblocking(true)?;
    edge.set_nonblocking(true)?;
    Ok(Doors {
        dns: Some((UdpSocket::from_std(udp)?, TcpListener::from_std(dns)?)),
        tcp: vec![TcpListener::from_std(edge)?],
        destination: DestinationOf::Redirected,
        proxy: None,
    })
}

fn no_sandbox(why: String) -> Failure {
    Failure { kind: FailureKind::NoSandbox, detail: why }
}

/// A container that runs.
struct Contents {
    /// `None` once it was ended.
    kept: Option<Kept>,
}

impl Body for Contents {
    fn ended(&mut self) -> BoxFuture<'_, Ended> {
        Box::pin(async move {
            match &mut self.kept {
                Some(kept) => ended(kept.ended().await),
                None => Ended::exited("it was ended"),
            }
        })
    }

    fn end(&mut self) -> BoxFuture<'_, ()> {
        // Its input is closed; what it would still say nobody hears. The guard kills it.
        drop(self.kept.take());
        Box::pin(std::future::ready(()))
    }
}

/// What the engine says of an end, in our words. Engines and runtimes tell running out of memory apart from being killed in
/// different ways, or not at all: 137 without more is one of them.
fn ended(over: Over) -> Ended {
    match over {
        Over::Exited { out_of_memory: true, .. } => {
            Ended::new(FailureKind::OutOfMemory, "it used more memory than its sandbox has")
        }
        Over::Exited { code: 137, .. } => {
            Ended::new(FailureKind::Crashed, "it was killed, most likely for using too much memory")
        }
        Over::Exited { code: code @ 0..=127, .. } => Ended::status(i32::try_from(code).unwrap_or(i32::MAX)),
        Over::Exited { code, .. } if code > 128 => {
            Ended::new(FailureKind::Crashed, format!("it was ended by signal {}", code - 128))
        }
        Over::Exited { .. } => Ended::new(FailureKind::Crashed, "the container engine lost it"),
        Over::Guard => Ended::new(FailureKind::NoSandbox, "the guard that kept it went away"),
    }
}
