//! `Keeper`: the gateway's end of the guard. It connects again and again; while there is no guard, nothing can be made.

use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::protocol::{Order, Request, Told};
use super::wire::Wire;
use crate::egress::denied::Denied;

/// The gateway's end of the guard.
pub(crate) struct Keeper {
    socket: PathBuf,
    ids: AtomicU64,
    wanted: Mutex<HashMap<u64, Wanted>>,
    /// The connection, or why there is none.
    state: watch::Sender<Result<mpsc::Sender<Asked>, String>>,
}

/// What is asked, and the open files that belong to it.
type Asked = (Request, Vec<OwnedFd>);

/// Who is to hear of one sandbox.
struct Wanted {
    started: Option<oneshot::Sender<Result<Handed, String>>>,
    ended: Option<oneshot::Sender<Over>>,
    dropped: Arc<dyn Fn(Denied) + Send + Sync>,
    /// Cut when the guard goes away: what nobody guards is not spoken to.
    streams: Option<UnixStream>,
}

/// What the guard hands over.
pub(crate) struct Handed {
    pub(crate) streams: UnixStream,
    pub(crate) doors: Option<(UdpSocket, TcpListener, TcpListener)>,
}

/// How a sandbox ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Exited {
        code: i64,
        out_of_memory: bool,
    },
    /// The guard went away, and what it made with it.
    Guard,
}

/// A sandbox that the guard keeps. Dropping it ends it.
pub(crate) struct Kept {
    keeper: Arc<Keeper>,
    id: u64,
    ended: oneshot::Receiver<Over>,
}

/// How often a guard that is not there is looked for.
const AGAIN: Duration = Duration::from_millis(500);

/// How much may wait to be asked.
const ASKED: usize = 256;

/// How long a call waits for a guard that was just started.
const SOON: Duration = Duration::from_secs(5);

impl Keeper {
    /// Connects in the background, again and again until the gateway stops.
    pub(crate) fn connect(socket: PathBuf, tasks: &TaskTracker, stop: CancellationToken) -> Arc<Self> {
        let (state, _) = watch::channel(Err("the guard was not reached yet".to_owned()));
        let keeper = Arc::new(Self { socket, ids: AtomicU64::new(1), wanted: Mutex::default(), state });
        let this = Arc::clone(&keeper);
        tasks.spawn(async move { stop.run_until_cancelled(this.stay_connected()).await });
        keeper
    }

    /// Has a sandbox made. `dropped` hears what the firewall dropped of it.
    ///
    /// # Errors
    /// With a sentence that says why there is none.
    pub(crate) async fn start(
        self: &Arc<Self>,
        (order, lent): (Order, Vec<OwnedFd>),
        dropped: Arc<dyn Fn(Denied) + Send + Sync>,
    ) -> Result<(Kept, Handed), String> {
        let asking = self.connection().await?;
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let (started, handed) = oneshot::channel();
        let (over, ended) = oneshot::channel();
        self.wanted().insert(id, Wanted { started: Some(started), ended: Some(over), dropped, streams: None });
        // From here on dropping it tells the guard that it is not wanted.
        let kept = Kept { keeper: Arc::clone(self), id, ended };
        let order = Box::new(order);
        asking.send((Request::Start { id, order }, lent)).await.map_err(|_| GONE.to_owned())?;
        let handed = handed.await.unwrap_or_else(|_| Err(GONE.to_owned()))?;
        Ok((kept, handed))
    }

    async fn connection(&self) -> Result<mpsc::Sender<Asked>, String> {
        let mut state = self.state.subscribe();
        let connected = tokio::time::timeout(SOON, state.wait_for(Result::is_ok)).await;
        match connected {
            Ok(Ok(state)) => state.clone(),
            Ok(Err(_)) | Err(_) => self.state.borrow().clone(),
        }
    }

    async fn stay_connected(&self) {
        loop {
            let why = match self.serve().await {
                Ok(()) => GONE.to_owned(),
                Err(error) => format!("the guard at {} cannot be used: {error}", self.socket.display()),
            };
            self.lose(&why);
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// One connection, until it ends.
    async fn serve(&self) -> io::Result<()> {
        let wire = Wire::connect(&self.socket)?;
        // Anyone could sit at a path; what we are handed decides where a tool's words go.
        let root = socket_peercred(wire.as_fd())?.uid.is_root();
        if !root {
            return Err(io::Error::other("whoever listens there is not root"));
        }
        let (asking, mut asked) = mpsc::channel(ASKED);
        loop {
            tokio::select! {
                told = wire.receive::<Told>() => match told? {
                    Some((Told::Welcome { .. }, _)) => drop(self.state.send_replace(Ok(asking.clone()))),
                    Some((Told::Refused { id: 0, why }, _)) => return Err(io::Error::other(why)),
                    Some((told, fds)) => self.hear(told, fds),
                    None => return Ok(()),
                },
                Some((request, lent)) = asked.recv() => {
                    let lent: Vec<_> = lent.iter().map(AsFd::as_fd).collect();
                    wire.send(&request, &lent).await?;
                }
            }
        }
    }

    fn hear(&self, told: Told, fds: Vec<OwnedFd>) {
        match told {
            Told::Started { id, .. } => self.answer(id, handed(fds).ok_or_else(|| GONE.to_owned())),
            Told::Refused { id, why } => self.answer(id, Err(format!("the guard refuses it: {why}"))),
            Told::Failed { id, why } => self.answer(id, Err(why)),
            Told::Ended { id, code, out_of_memory } => {
                let over = self.wanted().get_mut(&id).and_then(|wanted| wanted.ended.take());
                if let Some(over) = over {
                    over.send(Over::Exited { code, out_of_memory }).ok();
                }
            }
            Told::Dropped { id, packet } => {
                let dropped = self.wanted().get(&id).map(|wanted| Arc::clone(&wanted.dropped));
                if let Some(dropped) = dropped {
                    dropped(packet);
                }
            }
            Told::Gone { id } => drop(self.wanted().remove(&id)),
            Told::Welcome { .. } | Told::State { .. } => {}
        }
    }

    fn answer(&self, id: u64, handed: Result<Handed, String>) {
        let mut wanted = self.wanted();
        let Some(wanted) = wanted.get_mut(&id) else { return };
        let handed = handed.and_then(|handed| {
            let streams = handed.streams.try_clone().map_err(|error| format!("its streams cannot be kept: {error}"))?;
            wanted.streams = Some(streams);
            Ok(handed)
        });
        if let Some(started) = wanted.started.take() {
            started.send(handed).ok();
        }
    }

    /// The connection is over, and with it every sandbox.
    fn lose(&self, why: &str) {
        let changed = self.state.send_replace(Err(why.to_owned()));
        if !matches!(changed, Err(before) if before == why) {
            tracing::warn!(why, "there is no guard: containers cannot be made");
        }
        let lost: Vec<Wanted> = self.wanted().drain().map(|(_, wanted)| wanted).collect();
        for Wanted { started, ended, streams, .. } in lost {
            if let Some(streams) = streams {
                // One that was closed already is as good as cut.
                streams.shutdown(Shutdown::Both).ok();
            }
            if let Some(started) = started {
                started.send(Err(why.to_owned())).ok();
            }
            if let Some(ended) = ended {
                ended.send(Over::Guard).ok();
            }
        }
    }

    fn wanted(&self) -> MutexGuard<'_, HashMap<u64, Wanted>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const GONE: &str = "the guard went away";

impl Kept {
    /// Waits until it has ended by itself. Cancel-safe; may be asked again.
    pub(crate) async fn ended(&mut self) -> Over {
        if self.ended.is_terminated() {
            return Over::Guard;
        }
        (&mut self.ended).await.unwrap_or(Over::Guard)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.keeper.wanted().remove(&self.id);
        if let Ok(asking) = &*self.keeper.state.borrow() {
            // A queue this full means a guard that does not read: its connection will end, and the sandbox with it.
            asking.try_send((Request::Stop { id: self.id }, Vec::new())).ok();
        }
    }
}

pub(super) fn handed(fds: Vec<OwnedFd>) -> Option<Handed> {
    let mut fds = fds.into_iter();
    let streams = UnixStream::from(fds.next()?);
    let doors = match (fds.next(), fds.next(), fds.next()) {
        (Some(udp), Some(dns), Some(edge)) => Some((udp.into(), dns.into(), edge.into())),
        (None, None, None) => None,
        _ => return None,
    };
    Some(Handed { streams, doors })
}
