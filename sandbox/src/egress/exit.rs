//! `Exit`: one sandbox's way out, closed unless a call has opened it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use audit::{Attempt, Observed};
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Body;
use policies::ServerName;
use policies::profile::Resources;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use vault::Placer;

use super::allow::{self, Denied, Host};
use super::authority::Authority;
use super::edge::{self, Door};
use super::grant::{Grant, InUse, Opening};
use super::http::Carried;
use super::ledger::attempt;
use super::names::Names;
use super::placeholder;
use super::resolve::{self, Asked};
use super::send::{self, Refused};
use super::{Doors, Egress, Packet};

/// One sandbox's way out.
pub(crate) struct Exit {
    server: ServerName,
    pub(super) egress: Arc<Egress>,
    pub(super) authority: Authority,
    state: Mutex<State>,
    /// Ends what is served for it.
    gone: CancellationToken,
    /// A connection to the resolver holds one.
    pub(super) questions: Arc<Semaphore>,
}

struct State {
    open: Option<Arc<Grant>>,
    names: Names,
    /// What was tried while no call ran: it is told with the next call.
    at_rest: Observed,
}

/// Connections to the resolver at once; it is mostly asked over UDP.
const QUESTIONS: usize = 16;

impl Exit {
    pub(super) fn new(egress: Arc<Egress>, server: ServerName) -> Arc<Self> {
        let gone = egress.stop.child_token();
        let state = State { open: None, names: Names::new(), at_rest: Observed::default() };
        Arc::new(Self {
            authority: Authority::new(&server),
            server,
            egress,
            state: Mutex::new(state),
            gone,
            questions: Arc::new(Semaphore::new(QUESTIONS)),
        })
    }

    /// Opens it for one call, which has it to itself.
    ///
    /// # Errors
    /// [`InUse`] while another call has it open.
    pub(crate) fn open(self: &Arc<Self>, resources: &Arc<Resources>, placer: Placer) -> Result<Opening, InUse> {
        let mut state = self.state();
        if state.open.is_some() {
            return Err(InUse);
        }
        let grant = Arc::new(Grant::new(Arc::clone(resources), placer, self.gone.child_token()));
        grant.ledger.merge(std::mem::take(&mut state.at_rest));
        state.open = Some(Arc::clone(&grant));
        drop(state);
        Ok(Opening::new(Arc::clone(self), grant))
    }

    /// The certificate (PEM) of the authority that signs what the edge shows this sandbox where it reads TLS. It
    /// belongs into the sandbox's trust store, and nowhere else. Empty where none can be made: then nothing that the edge
    /// would have to read passes.
    pub(crate) fn authority_pem(&self) -> &str {
        self.authority.pem()
    }

    /// Serves what comes out at these doors, until the exit is dropped.
    pub(crate) fn serve(self: &Arc<Self>, doors: Doors) {
        let Doors { dns, tcp, destination, proxy } = doors;
        let accept = |listener, door| self.spawn(edge::accept(Arc::downgrade(self), listener, door));
        if let Some((datagrams, listener)) = dns {
            self.spawn(resolve::serve_udp(Arc::downgrade(self), datagrams));
            accept(listener, Door::Resolver);
        }
        for listener in tcp {
            accept(listener, Door::Edge(destination));
        }
        if let Some(listener) = proxy {
            accept(listener, Door::Proxy);
        }
    }

    /// The firewall dropped a packet of this sandbox.
    pub(crate) fn dropped(&self, packet: Packet) {
        let protocol = match packet.protocol {
            1 | 58 => "icmp".to_owned(),
            6 => "tcp".to_owned(),
            17 => "udp".to_owned(),
            other => other.to_string(),
        };
        let host = self.host(packet.to).map(|host| host.to_string());
        let denied = Some("dropped by the firewall".to_owned());
        self.note(Attempt { host, address: Some(packet.to), port: packet.port, denied, ..attempt(&protocol) });
    }

    /// Sends a request of a Wasm guest, which has no sockets. `tls` says whether it goes over TLS. Redirects are answers:
    /// the guest follows them with a request of its own, which is checked again.
    ///
    /// # Errors
    /// [`Refused`]
    pub(crate) async fn send<B>(self: &Arc<Self>, request: Request<B>, tls: bool) -> Result<Response<Carried>, Refused>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        send::send(self, request, tls).await
    }

    /// The call that has it open.
    pub(super) fn grant(&self) -> Option<Arc<Grant>> {
        self.state().open.clone()
    }

    /// The host that a synthetic address stands for here.
    pub(super) fn host(&self, address: IpAddr) -> Option<Host> {
        match address.to_canonical() {
            IpAddr::V4(address) => self.state().names.host(address),
            IpAddr::V6(_) => None,
        }
    }

    /// Answers the sandbox's resolver, and notes the question. Nothing is asked of the world.
    pub(super) fn resolve(&self, asked: &Asked<'_>) -> Option<Ipv4Addr> {
        let mut state = self.state();
        let answer = state.resolve(asked);
        let seen = Attempt { host: Some(asked.shown()), ..attempt("dns") };
        state.note(Attempt { denied: answer.as_ref().err().cloned(), ..seen });
        answer.ok()
    }

    /// Notes an attempt with the call that runs; else it was made at rest.
    pub(super) fn note(&self, attempt: Attempt) {
        self.state().note(attempt);
    }

    pub(super) fn shut(&self, grant: &Arc<Grant>) {
        let mut state = self.state();
        if state.open.as_ref().is_some_and(|open| Arc::ptr_eq(open, grant)) {
            state.open = None;
        }
    }

    /// Runs something that ends with the exit at the latest.
    fn spawn(&self, served: impl Future<Output = ()> + Send + 'static) {
        let gone = self.gone.clone();
        self.egress.tasks.spawn(async move {
            tokio::select! {
                () = gone.cancelled() => {}
                () = served => {}
            }
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn resolve(&mut self, asked: &Asked<'_>) -> Result<Ipv4Addr, String> {
        let Some(grant) = &self.open else { return Err(AT_REST.to_owned()) };
        let host = asked.host().ok_or("the resolver answers no such question")?;
        if grant.placer.lends() && (placeholder::is_in(host.as_str().as_bytes()) || grant.gives_away(&host)) {
            return Err(Denied::Leak("a name holds what must not go there").to_string());
        }
        if !allow::is_named(grant.destinations(), &host) {
            return Err(Denied::Host.to_string());
        }
        let wild = !allow::is_written_out(grant.destinations(), &host) && !self.names.knows(&host);
        if wild && !grant.another_name() {
            return Err(Denied::TooMany("names").to_string());
        }
        Ok(self.names.address(&host))
    }

    fn note(&mut self, attempt: Attempt) {
        match &self.open {
            Some(grant) => grant.ledger.add(attempt),
            None => self.at_rest.add(Attempt { at_rest: true, ..attempt }),
        }
    }
}

/// Why nothing passes between calls.
pub(super) const AT_REST: &str = "no call runs";

impl Drop for Exit {
    fn drop(&mut self) {
        self.gone.cancel();
        let untold = self.state().at_rest.attempts().len();
        if untold > 0 {
            tracing::warn!(server = %self.server, untold, "a sandbox tried the network after its last call");
        }
    }
}
