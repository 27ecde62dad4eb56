//! `Visit`: a look at the guard by somebody who keeps no sandboxes there: how it fares, and whether its block holds.

use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use rustix::net::sockopt::socket_peercred;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::client::{Handed, handed};
use super::protocol::{Reach, Request, Runtime, Told};
use super::wire::Wire;
use crate::container::spawn::{opened, spoken};
use crate::egress::Exit;
use crate::instance::{Body, Ended, Spawned};

/// A connection to the guard.
pub(crate) struct Visit {
    wire: Wire,
    /// What may run containers there.
    pub(crate) runtimes: Vec<Runtime>,
}

/// How the guard fares.
pub(crate) struct State {
    pub(crate) engine: String,
    pub(crate) tables: Vec<String>,
    pub(crate) rules: Result<bool, String>,
}

const GONE: &str = "the guard went away";

impl Visit {
    /// # Errors
    /// With a sentence that says why there is no guard for us.
    pub(crate) async fn begin(socket: &Path) -> Result<Self, String> {
        let wire = Wire::connect(socket).map_err(|error| format!("none at {}: {error}", socket.display()))?;
        let root = socket_peercred(wire.as_fd()).is_ok_and(|peer| peer.uid.is_root());
        if !root {
            return Err(format!("whoever listens at {} is not root", socket.display()));
        }
        match wire.receive::<Told>().await {
            Ok(Some((Told::Welcome { runtimes, .. }, _))) => Ok(Self { wire, runtimes }),
            Ok(Some((Told::Refused { why, .. }, _))) => Err(why),
            Ok(_) | Err(_) => Err(GONE.to_owned()),
        }
    }

    /// # Errors
    /// Where it does not say.
    pub(crate) async fn state(&self) -> Result<State, String> {
        self.wire.send(&Request::State, &[]).await.map_err(|error| error.to_string())?;
        loop {
            match self.wire.receive::<Told>().await {
                Ok(Some((Told::State { engine, tables, rules }, _))) => return Ok(State { engine, tables, rules }),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return Err(GONE.to_owned()),
            }
        }
    }

    /// Has a probe made, which says on its output whom it reached.
    ///
    /// # Errors
    /// With a sentence that says why there is none.
    pub(crate) async fn probe(
        self,
        runtime: Runtime,
        reach: Vec<Reach>,
        exit: Arc<Exit>,
        tasks: &TaskTracker,
    ) -> Result<Spawned, String> {
        let asked = Request::Probe { id: 1, runtime, reach };
        self.wire.send(&asked, &[]).await.map_err(|error| error.to_string())?;
        let Handed { streams, doors } = self.started(&exit).await?;
        let doors = doors.ok_or("it has no network to be tried")?;
        exit.serve(opened(doors).map_err(|error| format!("its network cannot be served: {error}"))?);
        let streams = spoken(streams).map_err(|error| format!("its streams cannot be used: {error}"))?;
        let stop = CancellationToken::new();
        let (listening, heard) = (stop.clone(), Arc::clone(&exit));
        tasks.spawn(async move { listening.run_until_cancelled(self.listen(&heard)).await });
        Ok(Spawned { streams, body: Box::new(Probe { _stop: stop.drop_guard() }), exit: Some(exit) })
    }

    async fn started(&self, exit: &Exit) -> Result<Handed, String> {
        loop {
            match self.wire.receive::<Told>().await {
                Ok(Some((Told::Started { .. }, fds))) => return handed(fds).ok_or_else(|| GONE.to_owned()),
                Ok(Some((Told::Refused { why, .. } | Told::Failed { why, .. }, _))) => return Err(why),
                Ok(Some((Told::Dropped { packet, .. }, _))) => exit.dropped(packet.packet()),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return Err(GONE.to_owned()),
            }
        }
    }

    /// Hears what the firewall dropped. With it ends the connection, and the probe's sandbox.
    async fn listen(self, exit: &Exit) {
        while let Ok(Some((told, _))) = self.wire.receive::<Told>().await {
            if let Told::Dropped { packet, .. } = told {
                exit.dropped(packet.packet());
            }
        }
    }
}

/// The probe's container.
struct Probe {
    _stop: DropGuard,
}

impl Body for Probe {
    fn ended(&mut self) -> BoxFuture<'_, Ended> {
        Box::pin(std::future::pending())
    }

    fn end(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
