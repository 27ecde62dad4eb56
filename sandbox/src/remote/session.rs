//! `Session`: a legacy server's session, and the ones that are open.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ::http::{HeaderMap, HeaderName, HeaderValue};
use audit::{Failure, FailureKind};
use policies::{Object, Value};
use tokio::sync::{OnceCell, broadcast};
use tokio_util::sync::CancellationToken;

use super::{Remote, VERSION};
use crate::line::Era;
use crate::mcp::{Body, Meta, Passenger, Peer, Reply, greeting_of_initialize, initialize, notification};
use crate::server::Greeting;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// What the agents of a session can be asked for. A server is told when a session opens, so there is one session for each
/// combination: a tool that would ask must not be told of an ability that its agent lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Abilities(u8);

const SAMPLING: u8 = 1;
const FORM: u8 = 2;
const URL: u8 = 4;
const ROOTS: u8 = 8;

impl Abilities {
    pub(super) const NONE: Self = Self(0);

    /// From an agent's `clientCapabilities`.
    pub(super) fn of(capabilities: &Value) -> Self {
        let has = |name: &str| capabilities.get(name).is_some_and(|value| value.as_object().is_some());
        let elicitation = capabilities.get("elicitation");
        let url = elicitation.is_some_and(|modes| modes.get("url").is_some());
        // An empty object means forms.
        let form = has("elicitation") && (!url || elicitation.is_some_and(|modes| modes.get("form").is_some()));
        let bits = [(has("sampling"), SAMPLING), (form, FORM), (url, URL), (has("roots"), ROOTS)];
        Self(bits.into_iter().filter(|(has, _)| *has).fold(0, |all, (_, bit)| all | bit))
    }

    fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    fn to_json(self) -> String {
        let modes = [(self.has(FORM), r#""form":{}"#), (self.has(URL), r#""url":{}"#)];
        let modes: Vec<_> = modes.into_iter().filter(|(has, _)| *has).map(|(_, mode)| mode).collect();
        let elicitation = format!(r#""elicitation":{{{}}}"#, modes.join(","));
        let members = [
            (self.has(SAMPLING), r#""sampling":{}"#),
            (!modes.is_empty(), &elicitation),
            (self.has(ROOTS), r#""roots":{"listChanged":false}"#),
        ];
        let members: Vec<_> = members.into_iter().filter(|(has, _)| *has).map(|(_, member)| member).collect();
        format!("{{{}}}", members.join(","))
    }
}

/// A legacy server's session.
pub(super) struct Session {
    remote: Weak<Remote>,
    abilities: Abilities,
    /// Servers without sessions give none.
    id: Option<HeaderValue>,
    greeting: Greeting,
    peer: Arc<Peer>,
    /// The rank of the lowest log level that was asked for, on behalf of anyone.
    logs: AtomicU8,
    closed: CancellationToken,
}

impl Session {
    pub(super) fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    pub(super) fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    pub(super) fn abilities(&self) -> Abilities {
        self.abilities
    }

    pub(super) fn remote(&self) -> Weak<Remote> {
        Weak::clone(&self.remote)
    }

    pub(super) fn has_id(&self) -> bool {
        self.id.is_some()
    }

    /// Cancelled when the session is over.
    pub(super) fn closed(&self) -> &CancellationToken {
        &self.closed
    }

    /// What every request of the session carries.
    pub(super) fn headers(&self) -> HeaderMap {
        headers(self.greeting.era, self.id.as_ref())
    }
}

fn headers(era: Era, id: Option<&HeaderValue>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(VERSION, HeaderValue::from_static(era.version()));
    headers.extend(id.map(|id| (SESSION, id.clone())));
    headers
}

/// Why no session could be opened.
#[derive(Clone, Debug)]
pub(super) enum Refused {
    /// The server answered, and it was not a greeting.
    ByServer(Failure),
    /// It could not be reached, or did not answer in time.
    Unreached(Failure),
}

impl Refused {
    pub(super) fn failure(self) -> Failure {
        match self {
            Self::ByServer(failure) | Self::Unreached(failure) => failure,
        }
    }
}

/// The sessions that are open, at most one for each combination of abilities.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<Abilities, Arc<OnceCell<Arc<Session>>>>>);

impl Sessions {
    /// The server has forgotten this one.
    pub(super) fn forget(&self, session: &Arc<Session>) {
        let mut open = self.open();
        let is_this = open.get(&session.abilities).and_then(|cell| cell.get()).is_some_and(|s| Arc::ptr_eq(s, session));
        if is_this {
            open.remove(&session.abilities);
        }
        drop(open);
        // INVARIANT: a session that is closed is not offered any more. Whoever waits for its end asks for the next one.
        session.closed.cancel();
    }

    /// Forgets all, and yields them.
    pub(super) fn take_all(&self) -> Vec<Arc<Session>> {
        let cells: Vec<_> = self.open().drain().map(|(_, cell)| cell).collect();
        let sessions: Vec<_> = cells.iter().filter_map(|cell| cell.get().cloned()).collect();
        for session in &sessions {
            session.closed.cancel();
        }
        sessions
    }

    fn cell(&self, abilities: Abilities) -> Arc<OnceCell<Arc<Session>>> {
        Arc::clone(self.open().entry(abilities).or_default())
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Abilities, Arc<OnceCell<Arc<Session>>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remote {
    /// The session for these abilities, opened if there is none; calls that come together open one.
    pub(super) async fn session(self: &Arc<Self>, abilities: Abilities) -> Result<Arc<Session>, Refused> {
        let cell = self.sessions.cell(abilities);
        let session = cell.get_or_try_init(|| async {
            let opened = tokio::time::timeout(self.limits.start, self.open_session(abilities)).await;
            opened.unwrap_or_else(|_| Err(Refused::Unreached(self.out_of_time())))
        });
        session.await.map(Arc::clone)
    }

    async fn open_session(self: &Arc<Self>, abilities: Abilities) -> Result<Arc<Session>, Refused> {
        // Only the session without abilities speaks for the server; the others repeat it.
        let changes =
            if abilities == Abilities::NONE { self.around.changes.clone() } else { broadcast::Sender::new(1) };
        let peer = Peer::new(self.server.clone(), changes);
        let Some(mut flight) = peer.board(None) else { return Err(stops()) };
        let message = initialize(flight.id(), &abilities.to_json());
        let response =
            self.http.post(message, HeaderMap::new()).await.map_err(|lost| Refused::Unreached(self.lost(lost)))?;
        let id = response.headers().get(SESSION).cloned();
        let reply = self.receive(response, &peer, &mut flight, None).await;
        let greeting = greeting(reply)?;
        let (remote, closed) = (Arc::downgrade(self), CancellationToken::new());
        let logs = AtomicU8::new(u8::MAX);
        let session = Arc::new(Session { remote, abilities, id, greeting, peer, logs, closed });
        self.deliver(&session, notification("notifications/initialized", "{}")).await;
        self.around.tasks.spawn(Arc::clone(self).hear(Arc::clone(&session)));
        Ok(session)
    }

    fn out_of_time(&self) -> Failure {
        let detail = format!("the server did not answer within {} s", self.limits.start.as_secs());
        Failure { kind: FailureKind::Unreachable, detail }
    }

    /// A legacy server logs for a whole session at one level: the lowest that any agent asked for.
    pub(super) fn lower_logs(self: &Arc<Self>, session: &Arc<Session>, passenger: &Passenger, level: Option<&str>) {
        let (Some(rank), Some(level)) = (passenger.logs, level) else { return };
        if session.greeting.offers("logging") && session.logs.fetch_min(rank, Ordering::Relaxed) > rank {
            let params: Object = [("level", Value::from(level))].into_iter().collect();
            let (remote, session) = (Arc::clone(self), Arc::clone(session));
            self.around.tasks.spawn(async move {
                let meta = Meta::own(session.greeting.era);
                let body = Body::Plain("logging/setLevel", &params);
                let asked = remote.exchange_legacy(session, &body, &meta, None);
                // A refusal costs log messages, not the call.
                tokio::time::timeout(crate::limits::ASIDE, asked).await.ok();
            });
        }
    }
}

fn greeting(reply: Reply) -> Result<Greeting, Refused> {
    let by_server =
        |detail: &str| Refused::ByServer(Failure { kind: FailureKind::Unsupported, detail: detail.to_owned() });
    match reply {
        Reply::Result(result) => greeting_of_initialize(result).map_err(by_server),
        Reply::Error(_) => Err(by_server("the server refused `initialize`")),
        Reply::Failed(failure) => Err(Refused::ByServer(failure)),
        Reply::Stopped => Err(stops()),
    }
}

fn stops() -> Refused {
    Refused::Unreached(Failure { kind: FailureKind::Unreachable, detail: "the gateway stops".to_owned() })
}

#[cfg(test)]
mod tests {
    use policies::Limits;

    use super::*;

    fn declared(capabilities: &str) -> String {
        Abilities::of(&Value::parse(capabilities.as_bytes(), &Limits::ANSWER).unwrap()).to_json()
    }

    #[test]
    fn a_session_declares_what_its_agents_can_do_and_no_more() {
        assert_eq!(declared("null"), "{}");
        assert_eq!(declared(r#"{"tasks":{},"extensions":{},"sampling":true}"#), "{}");
        assert_eq!(declared(r#"{"elicitation":{}}"#), r#"{"elicitation":{"form":{}}}"#);
        assert_eq!(declared(r#"{"elicitation":{"url":{}}}"#), r#"{"elicitation":{"url":{}}}"#);
        assert_eq!(
            declared(r#"{"elicitation":{"url":{},"form":{}},"roots":{},"sampling":{"tools":{}}}"#),
            r#"{"sampling":{},"elicitation":{"form":{},"url":{}},"roots":{"listChanged":false}}"#
        );
    }
}
