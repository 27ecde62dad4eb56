//! One request and its reply, whichever way the server chooses to send it.

use std::sync::Arc;

use ::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use ::http::{HeaderMap, HeaderValue, Response, StatusCode};
use audit::{Failure, FailureKind};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;

use super::session::Session;
use super::stream::{Stream, too_large};
use super::{Remote, modern_headers};
use crate::limits::ASIDE;
use crate::mcp::{
    Body, CANCELLED, Complaint, Flight, Garbage, Message, Meta, Passenger, Peer, Reply, Taken, notification,
};

/// What a response's head promises.
enum Promise {
    Json,
    Events,
    /// No answer at all, in our own words.
    Nothing(Failure),
}

/// After an event stream broke off, it is taken up again so many times.
const RESUMED: usize = 10;

impl Remote {
    /// One request of 2026-07-28.
    pub(super) async fn exchange_modern(
        &self,
        body: &Body<'_>,
        meta: &Meta<'_>,
        passenger: Option<Passenger>,
    ) -> Reply {
        let Some(mut flight) = self.peer.board(passenger) else { return Reply::Stopped };
        let message = match body.write(flight.id(), meta) {
            Ok(message) => message,
            Err(why) => return Reply::failed(FailureKind::Malformed, why),
        };
        match self.http.post(message, modern_headers(body)).await {
            Ok(response) => self.receive(response, &self.peer, &mut flight, None).await,
            Err(lost) => Reply::Failed(self.lost(lost)),
        }
    }

    /// One request of the legacy era. A session that the server has forgotten is replaced, once: it refused the request
    /// before it looked at it.
    pub(super) async fn exchange_legacy(
        self: &Arc<Self>,
        mut session: Arc<Session>,
        body: &Body<'_>,
        meta: &Meta<'_>,
        passenger: Option<Passenger>,
    ) -> Reply {
        let mut is_repeated = false;
        loop {
            let peer = Arc::clone(session.peer());
            let Some(flight) = peer.board(passenger.clone()) else { return Reply::Stopped };
            let message = match body.write(flight.id(), meta) {
                Ok(message) => message,
                Err(why) => return Reply::failed(FailureKind::Malformed, why),
            };
            let mut sent = Sent { remote: self, session: &session, flight, over: false };
            let response = match self.http.post(message, session.headers()).await {
                Ok(response) => response,
                Err(lost) => return Reply::Failed(self.lost(lost)),
            };
            let status = response.status();
            if status != StatusCode::NOT_FOUND || !session.has_id() || is_repeated {
                let reply = self.receive(response, &peer, &mut sent.flight, Some(&session)).await;
                sent.over = true;
                if matches!(status, StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND) {
                    // Some servers say so of a session that they do not know; the next call gets a new one.
                    self.sessions.forget(&session);
                }
                return reply;
            }
            sent.over = true;
            drop(sent);
            self.sessions.forget(&session);
            session = match self.session(session.abilities()).await {
                Ok(session) => session,
                Err(refused) => return Reply::Failed(refused.failure()),
            };
            is_repeated = true;
        }
    }

    /// Reads the reply out of a response. `session` is there in the legacy era.
    pub(super) async fn receive(
        &self,
        response: Response<Incoming>,
        peer: &Arc<Peer>,
        flight: &mut Flight,
        session: Option<&Arc<Session>>,
    ) -> Reply {
        let status = response.status();
        let reply = match promise(&response) {
            Promise::Nothing(failure) => Err(failure),
            Promise::Json if status.is_success() => self.receive_json(response, peer, flight).await,
            Promise::Json => self.receive_error(response, flight).await,
            Promise::Events => self.receive_events(response, peer, flight, session).await,
        };
        reply.unwrap_or_else(Reply::Failed)
    }

    async fn receive_json(
        &self,
        response: Response<Incoming>,
        peer: &Arc<Peer>,
        flight: &mut Flight,
    ) -> Result<Reply, Failure> {
        let body = self.collect(response).await?;
        match Message::parse(&body, &self.limits.json()) {
            Ok(message) => drop(peer.take(message, Some(flight.id()))),
            Err(garbage) => drop(peer.take_garbage(&garbage, Some(flight.id()))),
        }
        flight.landed().ok_or_else(|| malformed("the server sent something else in place of an answer"))
    }

    /// With an error status, the error is this request's, whatever id it bears: some servers refuse before they read it.
    async fn receive_error(&self, response: Response<Incoming>, flight: &Flight) -> Result<Reply, Failure> {
        let status = response.status();
        let body = self.collect(response).await?;
        match Message::parse(&body, &self.limits.json()) {
            Ok(Message::Answer { id, outcome: Err(error) }) if id.is_none_or(|id| id == flight.id()) => {
                Ok(Reply::Error(error))
            }
            Ok(Message::Answer { .. } | Message::Request { .. } | Message::Notification { .. })
            | Err(Garbage { .. }) => Err(refused(status)),
        }
    }

    async fn receive_events(
        &self,
        response: Response<Incoming>,
        peer: &Arc<Peer>,
        flight: &mut Flight,
        session: Option<&Arc<Session>>,
    ) -> Result<Reply, Failure> {
        let mut stream = Stream::new(response.into_body(), &self.limits);
        for _ in 0..=RESUMED {
            while let Some(data) = stream.next().await? {
                let on = Some(flight.id());
                let solicited = self.take(&data, peer, session, on);
                if let Some(reply) = flight.landed() {
                    if !stream.is_finished() {
                        self.around.tasks.spawn(stream.finish());
                    }
                    return Ok(reply);
                }
                if !solicited {
                    stream.pay(data.len()).await;
                }
            }
            stream = self.resume(stream, session).await?;
        }
        Err(ended_early())
    }

    /// Takes up an event stream of the legacy era where it broke off, if the server said how.
    async fn resume(&self, stream: Stream, session: Option<&Arc<Session>>) -> Result<Stream, Failure> {
        let (Some(session), Some(last)) = (session, &stream.last_id) else { return Err(ended_early()) };
        tokio::time::sleep(stream.retry).await;
        let mut headers = session.headers();
        if let Ok(last) = HeaderValue::from_str(last) {
            headers.insert("last-event-id", last);
        }
        let response = self.http.get(headers).await.map_err(|lost| self.lost(lost))?;
        if response.status() != StatusCode::OK || !matches!(promise(&response), Promise::Events) {
            return Err(ended_early());
        }
        let mut resumed = Stream::new(response.into_body(), &self.limits);
        resumed.last_id = stream.last_id;
        resumed.retry = stream.retry;
        Ok(resumed)
    }

    /// Takes one event; whether somebody had asked for it.
    pub(super) fn take(&self, data: &[u8], peer: &Arc<Peer>, session: Option<&Arc<Session>>, on: Option<u64>) -> bool {
        let taken = match Message::parse(data, &self.limits.json()) {
            Ok(message) => peer.take(message, on),
            Err(garbage) => peer.take_garbage(&garbage, on),
        };
        match (taken, session) {
            (Taken::Done, _) => return true,
            (Taken::Unsolicited, _) => {}
            (Taken::Say(message), Some(session)) => self.say(session, message),
            (Taken::Ask(ask), Some(session)) => {
                let (peer, session, remote) = (Arc::clone(peer), Arc::clone(session), session.remote());
                self.around.tasks.spawn(async move {
                    if let (Some(message), Some(remote)) = (peer.pass(ask).await, remote.upgrade()) {
                        remote.deliver(&session, message).await;
                    }
                });
            }
            (Taken::Say(_) | Taken::Ask(_), None) => {
                peer.complain(Complaint::RefusedRequest, "a modern server must not send requests");
            }
        }
        false
    }

    /// Says something that nobody waits for, in the background.
    fn say(&self, session: &Arc<Session>, message: Vec<u8>) {
        let (session, remote) = (Arc::clone(session), session.remote());
        self.around.tasks.spawn(async move {
            if let Some(remote) = remote.upgrade() {
                remote.deliver(&session, message).await;
            }
        });
    }

    /// Posts a message that has no answer.
    pub(super) async fn deliver(&self, session: &Session, message: Vec<u8>) {
        let posted = tokio::time::timeout(ASIDE, self.http.post(message, session.headers())).await;
        if !matches!(posted, Ok(Ok(response)) if response.status().is_success()) {
            tracing::debug!(server = %self.server, "the server did not take a message");
        }
    }

    async fn collect(&self, response: Response<Incoming>) -> Result<Bytes, Failure> {
        let limit = self.limits.answer;
        let body = Limited::new(response.into_body(), limit).collect().await;
        let body =
            body.map_err(|error| if error.is::<LengthLimitError>() { too_large(limit) } else { ended_early() })?;
        Ok(body.to_bytes())
    }
}

fn promise(response: &Response<Incoming>) -> Promise {
    let status = response.status();
    let encoded = response.headers().get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity");
    if status.is_redirection() {
        let detail = format!("the server answered with a redirect ({}), and none is followed", status.as_u16());
        return Promise::Nothing(Failure { kind: FailureKind::Malformed, detail });
    }
    if encoded {
        return Promise::Nothing(malformed("the server's answer has an encoding that was not asked for"));
    }
    match media_type(response.headers()) {
        "application/json" => Promise::Json,
        "text/event-stream" if status == StatusCode::OK => Promise::Events,
        _ if !status.is_success() => Promise::Nothing(refused(status)),
        "" => Promise::Nothing(malformed("the server took the request and did not answer it")),
        _ => Promise::Nothing(malformed("the server's answer is neither JSON nor an event stream")),
    }
}

/// Without parameters; media types are ASCII and told apart without case, and no server writes these two in capitals.
fn media_type(headers: &HeaderMap) -> &str {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

/// A status in place of an answer. The body stays unread: it is a proxy's or a framework's page.
pub(super) fn refused(status: StatusCode) -> Failure {
    let code = status.as_u16();
    let detail = match code {
        401 | 403 => format!("the server refused the gateway's credentials ({code})"),
        404 | 405 => format!("there is no tool server at the configured URL ({code})"),
        _ => format!("the server answered with status {code}"),
    };
    // Below 500 nothing ran; above, nobody knows.
    let kind = if status.is_server_error() { FailureKind::Exited } else { FailureKind::Unreachable };
    Failure { kind, detail }
}

fn malformed(detail: &str) -> Failure {
    Failure { kind: FailureKind::Malformed, detail: detail.to_owned() }
}

fn ended_early() -> Failure {
    Failure { kind: FailureKind::Exited, detail: "the connection ended before the answer did".to_owned() }
}

/// A legacy request on the wire. Dropping it before its reply tells the server that nobody waits for it: to such a server
/// a closed connection says nothing.
struct Sent<'a> {
    remote: &'a Remote,
    session: &'a Arc<Session>,
    flight: Flight,
    over: bool,
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        if !self.over {
            let params = format!(r#"{{"requestId":{},"reason":"the caller gave it up"}}"#, self.flight.id());
            self.remote.say(self.session, notification(CANCELLED, &params));
        }
    }
}
