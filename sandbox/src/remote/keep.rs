//! The background side of a remote server: greeting it, hearing of changes, and taking leave.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ::http::StatusCode;
use policies::{Object, Value};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::http::Lost;
use super::session::{Abilities, Session};
use super::stream::Stream;
use super::{Remote, modern_headers};
use crate::instance::Ended;
use crate::limits::ASIDE;
use crate::line::Era;
use crate::mcp::{Body, Meta, Probe, Reply, probe};
use crate::phase::{Backoff, Phase};
use crate::server::Greeting;

/// A modern server that answers the probe slowly is still better greeted once it does than with `initialize`; one that
/// never does must leave time for that.
const PROBE: Duration = Duration::from_secs(10);

/// How soon a stream of changes that ended is opened again: servers and proxies close idle ones as a matter of course.
const REOPEN: Duration = Duration::from_secs(1);

impl Remote {
    /// Keeps the server greeted until the gateway stops.
    pub(super) async fn keep(self: Arc<Self>, closed: CancellationToken) {
        let _closed = closed.drop_guard();
        let mut backoff = Backoff::new();
        while !self.around.stop.is_cancelled() {
            self.phases.enter(Phase::Starting);
            let began = Instant::now();
            let why = tokio::select! {
                why = self.live() => why,
                () = self.around.stop.cancelled() => break,
            };
            self.sessions.take_all();
            let wait = backoff.after(began.elapsed());
            self.phases.enter(Phase::down(Ended::exited(why), Instant::now() + wait));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.around.stop.cancelled() => {}
            }
        }
        self.take_leave().await;
    }

    /// From greeting to loss; says what was lost.
    async fn live(self: &Arc<Self>) -> String {
        match tokio::time::timeout(self.limits.start, self.greet()).await {
            Ok(Ok(greeting)) => {
                self.modern_only.store(false, Ordering::Relaxed);
                self.phases.enter(Phase::Ready(Arc::new(greeting.clone())));
                tokio::select! {
                    () = self.unreached.notified() => "it cannot be reached".to_owned(),
                    why = self.follow(&greeting) => why,
                }
            }
            Ok(Err(why)) => why,
            Err(_) => format!("it did not answer within {} s", self.limits.start.as_secs()),
        }
    }

    async fn greet(self: &Arc<Self>) -> Result<Greeting, String> {
        if let Probe::Modern(greeting) = self.probe().await? {
            return Ok(greeting);
        }
        let session = self.session(Abilities::NONE).await.map_err(|refused| refused.failure().detail)?;
        Ok(session.greeting().clone())
    }

    async fn probe(&self) -> Result<Probe, String> {
        let params = Object::new();
        let body = Body::Plain("server/discover", &params);
        let Some(mut flight) = self.peer.board(None) else { return Err("the gateway stops".to_owned()) };
        let message = body.write(flight.id(), &Meta::own(Era::Modern))?;
        let exchange = async {
            match self.http.post(message, modern_headers(&body)).await {
                Ok(response) => Ok(self.receive(response, &self.peer, &mut flight, None).await),
                Err(Lost::Unsent(why)) => Err(format!("it cannot be reached: {why}")),
                Err(lost @ Lost::Unanswered(_)) => Ok(Reply::Failed(self.lost(lost))),
            }
        };
        match tokio::time::timeout(PROBE.min(self.limits.start / 2), exchange).await {
            Ok(Ok(Reply::Result(result))) => Ok(probe(Ok(result))),
            Ok(Ok(Reply::Error(error))) => Ok(probe(Err(error))),
            Ok(Ok(Reply::Failed(_) | Reply::Stopped)) | Err(_) => Ok(Probe::Legacy),
            Ok(Err(why)) => Err(why),
        }
    }

    /// Hears of changes for as long as the server can be reached; says why it cannot.
    async fn follow(self: &Arc<Self>, greeting: &Greeting) -> String {
        match greeting.era {
            Era::Modern => self.listen(greeting).await,
            Era::Legacy(_) => self.resubscribe().await,
        }
    }

    /// A modern server tells of changes in the answer to `subscriptions/listen`, opened anew whenever more or less is
    /// watched.
    async fn listen(self: &Arc<Self>, greeting: &Greeting) -> String {
        let mut watched = self.watched.subscribe();
        loop {
            let uris = watched.borrow_and_update().keys().cloned().collect();
            let hear = async {
                match greeting.listen(&uris) {
                    Some(params) => self.hear_modern(&params).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                heard = hear => match heard {
                    Ok(()) => tokio::time::sleep(REOPEN).await,
                    Err(why) => return why,
                },
                changed = watched.changed() => if changed.is_err() {
                    return "the gateway stops".to_owned();
                },
            }
        }
    }

    /// One stream of changes, to its end. A server that does not offer it is not asked again.
    async fn hear_modern(&self, params: &Object) -> Result<(), String> {
        let body = Body::Plain("subscriptions/listen", params);
        let Some(flight) = self.peer.board(None) else { return Err("the gateway stops".to_owned()) };
        let message = body.write(flight.id(), &Meta::own(Era::Modern))?;
        let posted = tokio::time::timeout(self.limits.start, self.http.post(message, modern_headers(&body))).await;
        let response = match posted {
            Ok(Ok(response)) => response,
            Ok(Err(Lost::Unsent(why))) => return Err(format!("it cannot be reached: {why}")),
            Ok(Err(Lost::Unanswered(_))) | Err(_) => return Ok(()),
        };
        if !is_stream(&response) {
            return std::future::pending().await;
        }
        let mut stream = Stream::new(response.into_body(), &self.limits);
        while let Ok(Some(data)) = stream.next().await {
            self.take(&data, &self.peer, None, None);
            stream.pay(data.len()).await;
        }
        Ok(())
    }

    /// A legacy server is told of each resource; how it then tells of changes is [`Self::hear`]'s.
    async fn resubscribe(self: &Arc<Self>) -> String {
        let mut watched = self.watched.subscribe();
        let (mut known, mut told) = (BTreeSet::new(), None);
        loop {
            let wanted: BTreeSet<String> = watched.borrow_and_update().keys().cloned().collect();
            let Ok(session) = self.session(Abilities::NONE).await else {
                return "it does not open a session any more".to_owned();
            };
            if told.as_ref().is_none_or(|told| !Arc::ptr_eq(told, &session)) {
                known.clear(); // a new session knows of nothing
            }
            self.subscribe(&session, &known, &wanted).await;
            tokio::select! {
                changed = watched.changed() => if changed.is_err() {
                    return "the gateway stops".to_owned();
                },
                () = session.closed().cancelled() => {}
            }
            (known, told) = (wanted, Some(session));
        }
    }

    async fn subscribe(self: &Arc<Self>, session: &Arc<Session>, known: &BTreeSet<String>, wanted: &BTreeSet<String>) {
        let gone = known.difference(wanted).map(|uri| ("resources/unsubscribe", uri));
        let new = wanted.difference(known).map(|uri| ("resources/subscribe", uri));
        for (method, uri) in gone.chain(new) {
            let params: Object = [("uri", Value::from(uri.as_str()))].into_iter().collect();
            let (body, meta) = (Body::Plain(method, &params), Meta::own(session.greeting().era));
            let asked = self.exchange_legacy(Arc::clone(session), &body, &meta, None);
            if !matches!(tokio::time::timeout(ASIDE, asked).await, Ok(Reply::Result(_))) {
                tracing::warn!(server = %self.server, method, "the server did not take a subscription");
            }
        }
    }

    /// A legacy session's own stream, where the server offers one: changes, and questions that it ties to no request.
    pub(super) async fn hear(self: Arc<Self>, session: Arc<Session>) {
        let hear = async {
            while let Some(mut stream) = self.open_stream(&session).await {
                while let Ok(Some(data)) = stream.next().await {
                    self.take(&data, session.peer(), Some(&session), None);
                    stream.pay(data.len()).await;
                }
                tokio::time::sleep(stream.retry.max(REOPEN)).await;
            }
        };
        tokio::select! {
            () = hear => {}
            () = session.closed().cancelled() => {}
            () = self.around.stop.cancelled() => {}
        }
    }

    async fn open_stream(&self, session: &Session) -> Option<Stream> {
        let opened = tokio::time::timeout(self.limits.start, self.http.get(session.headers())).await;
        match opened {
            Ok(Ok(response)) if is_stream(&response) => Some(Stream::new(response.into_body(), &self.limits)),
            // 405 is the usual refusal. Whatever else it is, calls do not need the stream.
            Ok(Ok(_)) | Err(_) => None,
            Ok(Err(lost)) => {
                if let Lost::Unsent(_) = lost {
                    self.unreached.notify_one();
                }
                None
            }
        }
    }

    async fn take_leave(&self) {
        self.peer.end(|| Reply::Stopped);
        for session in self.sessions.take_all() {
            session.peer().end(|| Reply::Stopped);
            if session.has_id() {
                // 405 says that the server ends sessions by itself.
                tokio::time::timeout(ASIDE, self.http.delete(session.headers())).await.ok();
            }
        }
    }
}

fn is_stream(response: &::http::Response<hyper::body::Incoming>) -> bool {
    let kind = response.headers().get(::http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    response.status() == StatusCode::OK && kind.is_some_and(|kind| kind.starts_with("text/event-stream"))
}
