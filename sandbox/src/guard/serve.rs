//! `Guard`: serves gateways, one a connection; what was made for a connection ends with it.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::blocking;
use super::cell::Cell;
use super::config::GuardConfig;
use super::engine::Engine;
use super::network::{Networks, Watch};
use super::probe::{self, Prober};
use super::protocol::{Order, Request, Told};
use super::wire::{Door, Wire};
use crate::egress::denied::Denied;

/// What every connection shares.
pub(super) struct Guard {
    pub(super) config: GuardConfig,
    pub(super) engine: Arc<Engine>,
    pub(super) networks: Arc<Networks>,
    tasks: TaskTracker,
    stop: CancellationToken,
    places: Arc<Semaphore>,
    prober: Prober,
    /// The ids of the sandboxes that live: their containers' and networks' names end with them.
    alive: Mutex<HashSet<String>>,
    /// Whom to tell of packets, by the interface that they came in by.
    watched: Mutex<HashMap<u32, (u64, Gateway)>>,
}

/// A gateway, to be told things.
#[derive(Clone)]
pub(super) struct Gateway {
    told: mpsc::Sender<(Told, Vec<OwnedFd>)>,
}

/// How much a gateway may leave unread.
const UNREAD: usize = 1024;

/// A gateway that reads nothing for so long is not told any more.
const READS: Duration = Duration::from_secs(10);

/// What one probe may try.
const REACHED: usize = 16;

/// A packet that is repeated within this time is one attempt.
const REPEATED: Duration = Duration::from_secs(1);

/// How often it is looked for what an earlier guard left. An engine makes a container in less.
const SWEEP: Duration = Duration::from_secs(10);

/// Rules that change all the time are looked at this often.
const LOOK: Duration = Duration::from_millis(20);

impl Gateway {
    /// Waits for room, within reason.
    pub(super) async fn tell(&self, told: Told, fds: Vec<OwnedFd>) {
        // One that went away, or does not read, learns of it by the end of its connection.
        self.told.send_timeout((told, fds), READS).await.ok();
    }
}

impl Guard {
    pub(super) fn new(
        config: GuardConfig,
        engine: Arc<Engine>,
        networks: Arc<Networks>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(config.sandboxes));
        let prober = Prober::new(&config.folder);
        Arc::new(Self {
            config,
            engine,
            networks,
            tasks,
            stop,
            places,
            prober,
            alive: Mutex::default(),
            watched: Mutex::default(),
        })
    }

    /// Until it is to stop.
    pub(super) async fn serve(self: Arc<Self>, door: Door, watch: Watch) {
        let (guard, stop) = (Arc::clone(&self), self.stop.clone());
        self.tasks.spawn(async move {
            tokio::select! {
                () = guard.report(&watch) => {}
                () = guard.keep_rules(&watch) => {}
                () = guard.keep_clear() => {}
                () = stop.cancelled() => {}
            }
        });
        while let Some(accepted) = self.stop.run_until_cancelled(door.accept()).await {
            match accepted {
                Ok(wire) => drop(self.tasks.spawn(Arc::clone(&self).connection(wire))),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }

    /// A sandbox of this id lives.
    pub(super) fn born(&self, id: &str) {
        self.alive().insert(id.to_owned());
    }

    /// It does not any more.
    pub(super) fn gone(&self, id: &str) {
        self.alive().remove(id);
    }

    fn alive(&self) -> MutexGuard<'_, HashSet<String>> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.tasks.spawn(work)
    }

    pub(super) fn stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Tells this gateway what came in by this interface and was dropped.
    pub(super) fn watch(&self, interface: u32, id: u64, gateway: &Gateway) {
        self.watched().insert(interface, (id, gateway.clone()));
    }

    pub(super) fn unwatch(&self, interface: u32) {
        self.watched().remove(&interface);
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<u32, (u64, Gateway)>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connection(self: Arc<Self>, wire: Wire) {
        let uid = socket_peercred(wire.as_fd()).ok().map(|peer| peer.uid.as_raw());
        if uid.is_none_or(|uid| !self.config.uids.contains(&uid)) {
            tracing::warn!(uid, "a user that is not in the guard's `uids` was turned away");
            let why = format!("user {} is not in the guard's `uids`", uid.unwrap_or(u32::MAX));
            wire.send(&Told::Refused { id: 0, why }, &[]).await.ok();
            return;
        }
        tracing::info!(uid, "a gateway is served");
        let wire = Arc::new(wire);
        let (told, queue) = mpsc::channel(UNREAD);
        let gateway = Gateway { told };
        let over = self.stop.child_token();
        self.tasks.spawn(write(Arc::clone(&wire), queue));
        gateway
            .tell(Told::Welcome { runtimes: self.engine.runtimes.clone(), userns: self.engine.userns }, Vec::new())
            .await;
        let mut cells = HashMap::new();
        while let Some(Ok(Some((request, fds)))) = over.run_until_cancelled(wire.receive::<Request>()).await {
            if !self.take((request, fds), &gateway, &over, &mut cells).await {
                tracing::warn!(uid, "a gateway asked for what makes no sense; its connection is ended");
                break;
            }
        }
        over.cancel();
        tracing::info!(uid, "a gateway's connection ended; its sandboxes are removed");
    }

    /// Does what is asked; `false` where it makes no sense.
    async fn take(
        self: &Arc<Self>,
        (request, fds): (Request, Vec<OwnedFd>),
        gateway: &Gateway,
        over: &CancellationToken,
        cells: &mut HashMap<u64, CancellationToken>,
    ) -> bool {
        match request {
            Request::Start { id, order } => {
                // Nobody has anything else to hand to the guard.
                if fds.len() != order.lent.len() {
                    return false;
                }
                cells.retain(|_, cell| !cell.is_cancelled());
                let stop = over.child_token();
                if cells.insert(id, stop.clone()).is_some() {
                    return false;
                }
                let lent = fds.into_iter().map(File::from).collect();
                match self.config.allows(&order) {
                    Ok(()) => self.start(id, (*order, lent), gateway, stop).await,
                    Err(why) => refuse(id, &order.server, why, gateway, &stop).await,
                }
            }
            Request::Probe { id, runtime, reach } => {
                let stop = over.child_token();
                if !fds.is_empty() || reach.len() > REACHED || cells.insert(id, stop.clone()).is_some() {
                    return false;
                }
                match self.config.runs(runtime).and_then(|()| self.prober.order(runtime, &reach)) {
                    Ok(order) => self.start(id, (order, Vec::new()), gateway, stop).await,
                    Err(why) => refuse(id, probe::SERVER, why, gateway, &stop).await,
                }
            }
            Request::State => gateway.tell(self.state().await, Vec::new()).await,
            Request::Stop { id } => {
                if !fds.is_empty() {
                    return false;
                }
                // One that ended by itself may be stopped all the same.
                if let Some(stop) = cells.remove(&id) {
                    stop.cancel();
                }
            }
        }
        true
    }

    async fn start(
        self: &Arc<Self>,
        id: u64,
        (order, lent): (Order, Vec<File>),
        gateway: &Gateway,
        stop: CancellationToken,
    ) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            stop.cancel();
            let why = format!("the guard already keeps {} sandboxes", self.config.sandboxes);
            return gateway.tell(Told::Failed { id, why }, Vec::new()).await;
        };
        let cell = Cell::new(Arc::clone(self), gateway.clone(), id, (order, lent));
        self.tasks.spawn(async move {
            cell.live(stop.clone()).await;
            stop.cancel();
            drop(place);
        });
    }

    async fn state(&self) -> Told {
        let firewall = Arc::clone(&self.networks.firewall);
        let rules = blocking(move || firewall.verify()).await.map_err(|error| error.chain());
        let tables = ["inet", "bridge"].map(|family| format!("{family} {}", self.config.name));
        Told::State { engine: self.engine.summary(), tables: tables.into(), rules }
    }

    /// Tells gateways what their sandboxes tried. Never returns.
    async fn report(&self, watch: &Watch) {
        let mut seen: HashMap<Denied, Instant> = HashMap::new();
        loop {
            let packets = match watch.dropped.next().await {
                Ok(packets) => packets,
                Err(error) => {
                    tracing::error!(%error, "dropped packets cannot be read");
                    tokio::time::sleep(REPEATED).await;
                    continue;
                }
            };
            let now = Instant::now();
            seen.retain(|_, at| now.duration_since(*at) < REPEATED);
            for packet in packets {
                if seen.insert(packet.clone(), now).is_none() {
                    self.report_one(packet);
                }
            }
        }
    }

    fn report_one(&self, packet: Denied) {
        if let Some((id, gateway)) = self.watched().get(&packet.interface) {
            // A flood is told in part: what is full already says that something is wrong.
            gateway.told.try_send((Told::Dropped { id: *id, packet }, Vec::new())).ok();
        }
    }

    /// Removes what an engine made for a guard that was killed before it was there: the first look did not see it. Never returns.
    async fn keep_clear(&self) {
        loop {
            tokio::time::sleep(SWEEP).await;
            let alive = |name: &str| self.alive().iter().any(|id| name.ends_with(id.as_str()));
            // An engine that is away is looked at again.
            if let Err(error) = self.engine.sweep(alive).await {
                tracing::debug!(%error, "what an earlier guard may have left cannot be looked for");
            }
        }
    }

    /// Puts the rules back whenever another program changed them. Never returns.
    async fn keep_rules(&self, watch: &Watch) {
        loop {
            watch.changed().await;
            let firewall = Arc::clone(&self.networks.firewall);
            match blocking(move || firewall.verify()).await {
                Ok(true) => {}
                Ok(false) => tracing::warn!("another program changed the firewall's rules; they were put back"),
                Err(error) => tracing::error!(
                    error = error.chain(),
                    "the firewall's rules are not what they should be; nothing starts"
                ),
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Writes what a gateway is told, until nobody tells it any more or it is gone.
async fn write(wire: Arc<Wire>, mut queue: mpsc::Receiver<(Told, Vec<OwnedFd>)>) {
    while let Some((told, fds)) = queue.recv().await {
        let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        if wire.send(&told, &fds).await.is_err() {
            return;
        }
    }
}

async fn refuse(id: u64, server: &str, why: String, gateway: &Gateway, stop: &CancellationToken) {
    tracing::warn!(server, why, "an order is not within the guard's config");
    stop.cancel();
    gateway.tell(Told::Refused { id, why }, Vec::new()).await;
}
