//! Streamable HTTP: from a connection to a method, refusing as early as it can be seen.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use audit::Event;
use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use policies::{AgentId, Object, Value};
use sandbox::Era;
use tokio::sync::mpsc;

use super::Agents;
use super::asked::{Asked, META_VERSION, Meta, Origin};
use super::auth::{Admitted, Rejected};
use super::envelope::{self, Message};
use super::headers;
use super::legacy::Session;
use super::methods::{Reply, dispatch};
use super::stream::{Answered, Events};
use crate::answer::{self, HEADER_MISMATCH, INVALID_PARAMS, INVALID_REQUEST, MISSING_CAPABILITY, NO_METHOD, RpcError};
use crate::clock;
use crate::config::Listen;

/// Where requests come from.
#[derive(Clone)]
pub struct Door {
    /// The other end, for records: an address, or the socket's path.
    pub peer: String,
    /// Values of `Host` that are ours; `None` on the Unix socket, which no browser reaches.
    pub hosts: Option<Arc<Hosts>>,
}

/// The names that this endpoint answers to.
pub struct Hosts {
    loopback: bool,
    port: u16,
    named: Vec<String>,
    origins: Vec<String>,
}

/// A request that takes longer than this to be answered gets a stream, so that its client sees life.
const WHOLE_WITHIN: Duration = Duration::from_millis(500);

/// How long a body may take to arrive: a client that sends a byte a minute does not hold a place.
const BODY_WITHIN: Duration = Duration::from_secs(30);

type Answer = Response<Answered>;

impl Hosts {
    /// The names of this address, and those that the operator added.
    #[must_use]
    pub fn new(listen: &Listen, bound: SocketAddr) -> Self {
        Self {
            loopback: bound.ip().is_loopback(),
            port: bound.port(),
            named: listen.hosts.clone(),
            origins: listen.origins.clone(),
        }
    }

    /// DNS rebinding makes a browser send another site's name to a loopback address: `Host` must be ours.
    fn knows_host(&self, host: &str) -> bool {
        self.named.iter().any(|known| known.eq_ignore_ascii_case(host)) || (self.loopback && self.is_local(host))
    }

    fn knows_origin(&self, origin: &str) -> bool {
        let local = origin.strip_prefix("http://").is_some_and(|host| self.loopback && self.is_local(host));
        local || self.origins.iter().any(|known| known.eq_ignore_ascii_case(origin))
    }

    fn is_local(&self, host: &str) -> bool {
        let port = format!(":{}", self.port);
        let name = host.strip_suffix(&port).unwrap_or(host);
        ["localhost", "127.0.0.1", "[::1]"].iter().any(|local| local.eq_ignore_ascii_case(name))
    }
}

impl Agents {
    /// Answers one HTTP request.
    ///
    /// # Errors
    /// Never: every end is a response.
    pub async fn serve(self: Arc<Self>, door: Door, request: Request<Incoming>) -> Result<Answer, Infallible> {
        let (head, body) = request.into_parts();
        Ok(match self.knock(&door, &head).await {
            Ok(admitted) => self.enter(admitted, &head, body, door.hosts.is_some()).await,
            Err(refused) => *refused,
        })
    }

    /// Everything that can be refused before the body is read.
    async fn knock(&self, door: &Door, head: &Parts) -> Result<Admitted, Box<Answer>> {
        if head.uri.path() != "/mcp" {
            self.gate.record_stranger(&door.peer, "unknown-path", clock::now()).await;
            return Err(refuse(StatusCode::NOT_FOUND, &RpcError::new(INVALID_REQUEST, "the endpoint is /mcp")));
        }
        if let Some(hosts) = &door.hosts
            && let Err((what, header)) = of_ours(hosts, &head.headers)
        {
            self.gate.record_stranger(&door.peer, what, clock::now()).await;
            let next = "set `listen.hosts` or `listen.origins` if it is yours";
            let error =
                RpcError::new(INVALID_REQUEST, format!("this endpoint does not answer to that `{header}`; {next}"));
            return Err(refuse(StatusCode::FORBIDDEN, &error));
        }
        if self.stop.is_cancelled() {
            let error = RpcError::new(answer::BUSY, "the gateway is stopping");
            return Err(refuse(StatusCode::SERVICE_UNAVAILABLE, &error));
        }
        let now = clock::now();
        match self.gate.admit(&head.headers, now) {
            Ok(admitted) => Ok(admitted),
            Err(rejected) => {
                if matches!(rejected, Rejected::NoToken | Rejected::BadToken) {
                    self.gate.record_failure(&door.peer, rejected, now).await;
                }
                let (status, error) = rejected.into();
                Err(refuse(status, &error))
            }
        }
    }

    async fn enter(self: Arc<Self>, admitted: Admitted, head: &Parts, body: Incoming, mirrored: bool) -> Answer {
        let session = match head.headers.get("mcp-session-id").map(|header| header.to_str()) {
            None => None,
            Some(header) => match header.ok().and_then(|header| self.session(&admitted.agent, header)) {
                Some(session) => Some(session),
                // 404 tells a legacy client to greet again.
                None => {
                    self.note_bad(&admitted.agent, None, "unknown-session", "no such session").await;
                    return *refuse(StatusCode::NOT_FOUND, &RpcError::new(INVALID_REQUEST, "there is no such session"));
                }
            },
        };
        let modern = headers::version(&head.headers).is_ok_and(|version| version == Some(Era::MODERN));
        match head.method {
            Method::POST => self.post(admitted, session, head, body, mirrored).await,
            Method::GET if !modern && accepts(&head.headers, "text/event-stream") => self.stream(admitted, session),
            Method::DELETE if !modern && session.is_some() => {
                if let Some(session) = &session {
                    self.end_session(session);
                }
                empty(StatusCode::OK)
            }
            _ => {
                self.note_bad(&admitted.agent, None, "http-method", "only POST is served here").await;
                let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
                response
            }
        }
    }

    async fn post(
        self: Arc<Self>,
        admitted: Admitted,
        session: Option<Session>,
        head: &Parts,
        body: Incoming,
        mirrored: bool,
    ) -> Answer {
        let read = match media(&head.headers) {
            Ok(()) => self.read(body).await,
            Err(refused) => Err(refused),
        };
        let bytes = match read {
            Ok(bytes) => bytes,
            Err((status, error)) => {
                self.note_bad(&admitted.agent, None, "bad-body", &error.message).await;
                return *refuse(status, &error);
            }
        };
        match Message::parse(&bytes) {
            Ok(Message::Request(request)) => self.request(admitted, session, head, request, mirrored).await,
            Ok(Message::Notification { method, params }) => {
                self.notified(&admitted, session.as_ref(), &method, &params);
                empty(StatusCode::ACCEPTED)
            }
            Ok(Message::Answer { id, answer }) => {
                let taken = self.legacy.answered(&admitted.agent, &id, answer);
                empty(if taken { StatusCode::ACCEPTED } else { StatusCode::BAD_REQUEST })
            }
            Err(refused) => {
                let error = RpcError::from(&refused.error);
                self.note_bad(&admitted.agent, None, "bad-message", &error.message).await;
                json(StatusCode::BAD_REQUEST, error.to_message(refused.id.as_ref()).to_string())
            }
        }
    }

    async fn request(
        self: Arc<Self>,
        admitted: Admitted,
        session: Option<Session>,
        head: &Parts,
        request: envelope::Request,
        mirrored: bool,
    ) -> Answer {
        let stated = match headers::version(&head.headers) {
            Ok(version) => version,
            Err(error) => return self.bad_request(&admitted, &request, &error).await,
        };
        // What differs is told before what is unknown: a version in the body that the header does not name is neither's.
        let named = request.params.get("_meta").and_then(|meta| meta.get(META_VERSION)).and_then(Value::as_str);
        if mirrored && named.is_some() && named != stated {
            return self.bad_request(&admitted, &request, &headers::mismatch("MCP-Protocol-Version")).await;
        }
        // A greeting may name a version that is not spoken here: it is answered with one that is.
        let version = stated.filter(|_| request.method != "initialize");
        let meta = match Meta::read(&request.params, version, session.as_ref()) {
            Ok(meta) => meta,
            Err(error) => return self.bad_request(&admitted, &request, &error).await,
        };
        if meta.era == Era::Modern
            && mirrored
            && let Err(error) = headers::check(&head.headers, &request.method, &request.params)
        {
            return self.bad_request(&admitted, &request, &error).await;
        }
        let (voice, said) = mpsc::channel(64);
        let may_stream = accepts(&head.headers, "text/event-stream");
        let sent = mirrored.then(|| head.headers.clone());
        let origin = Origin { agent: admitted.agent.clone(), session, headers: sent, may_stream, voice };
        let mut asked = Asked::new(origin, request, meta);
        if let (Era::Legacy(_), Some(session)) = (asked.era, &asked.origin.session) {
            asked.log_level = Some(self.legacy.level(session).unwrap_or_else(|| "info".to_owned()));
        }
        let method = self.calls.metrics.method(&asked.method);
        asked.begin(self.calls.tracer.as_ref(), method, self.audit.redactor());
        self.answer(admitted, Arc::new(asked), said).await
    }

    /// JSON if the answer comes soon and nothing is said before it, else a stream.
    async fn answer(self: Arc<Self>, admitted: Admitted, asked: Arc<Asked>, mut said: mpsc::Receiver<Value>) -> Answer {
        let (era, may_stream) = (asked.era, asked.origin.may_stream);
        let (held, begun) = (Arc::clone(&asked), Instant::now());
        let mut reply: Pin<Box<dyn Future<Output = Reply> + Send>> = Box::pin(async move {
            let reply = dispatch(Arc::clone(&self), Arc::clone(&held)).await;
            self.note_unfit(&held, &reply).await;
            held.ended(reply.code);
            self.calls.metrics.answered(&held.method, begun.elapsed());
            drop(admitted); // the place is taken for as long as the request lives
            reply
        });
        if !may_stream {
            drop(said);
            return finished(&reply.await, era, &asked);
        }
        let first = tokio::select! {
            biased;
            reply = &mut reply => return finished(&reply, era, &asked),
            first = said.recv() => first,
            () = tokio::time::sleep(WHOLE_WITHIN) => None,
        };
        drop(asked);
        sse(Events::new(first.as_ref(), said, reply))
    }

    fn stream(self: Arc<Self>, admitted: Admitted, session: Option<Session>) -> Answer {
        let (voice, said) = mpsc::channel(64);
        let origin = Origin { agent: admitted.agent.clone(), session, headers: None, may_stream: true, voice };
        let request =
            envelope::Request { id: envelope::Id::ours(String::new()), method: String::new(), params: Object::new() };
        let Ok(meta) = Meta::read(&request.params, None, origin.session.as_ref()) else {
            return empty(StatusCode::BAD_REQUEST);
        };
        let asked = Asked::new(origin, request, meta);
        // A stream that only listens does not take a place among the requests in flight.
        drop(admitted);
        let events = async move {
            self.listen_legacy(&asked).await;
            Reply { message: String::new(), code: None }
        };
        sse(Events::new(None, said, Box::pin(events)))
    }

    fn notified(&self, admitted: &Admitted, session: Option<&Session>, method: &str, params: &Object) {
        if method == "notifications/cancelled"
            && let Some(request) = params.get("requestId")
        {
            self.legacy.cancel(&admitted.agent, session, request);
        }
    }

    async fn read(&self, body: Incoming) -> Result<Bytes, (StatusCode, RpcError)> {
        let limit = self.config.agents.body;
        match tokio::time::timeout(BODY_WITHIN, Limited::new(body, limit).collect()).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                let error = RpcError::new(INVALID_REQUEST, format!("the body is longer than {limit} bytes"));
                Err((StatusCode::PAYLOAD_TOO_LARGE, error))
            }
            Ok(Err(_)) => Err((StatusCode::BAD_REQUEST, RpcError::new(INVALID_REQUEST, "the body broke off"))),
            Err(_) => Err((StatusCode::REQUEST_TIMEOUT, RpcError::new(INVALID_REQUEST, "the body came too slowly"))),
        }
    }

    /// What was refused before it was a call, and by nobody who recorded it.
    async fn note_unfit(&self, asked: &Asked, reply: &Reply) {
        let Some(code @ (NO_METHOD | INVALID_PARAMS | HEADER_MISMATCH | MISSING_CAPABILITY)) = reply.code else {
            return;
        };
        if !asked.is_noted() {
            let reason = format!("answered with error {code}");
            self.note_bad(&asked.origin.agent, Some(&asked.method), "unfit-request", &reason).await;
        }
    }

    async fn bad_request(&self, admitted: &Admitted, request: &envelope::Request, error: &RpcError) -> Answer {
        self.note_bad(&admitted.agent, Some(&request.method), "bad-request", &error.message).await;
        json(StatusCode::BAD_REQUEST, error.to_message(Some(&request.id)).to_string())
    }

    async fn note_bad(&self, agent: &AgentId, method: Option<&str>, rule: &str, reason: &str) {
        let event = Event::RequestRefused {
            agent: Some(agent.clone()),
            method: method.map(|method| method.chars().take(128).collect()),
            rule: rule.to_owned(),
            reason: reason.to_owned(),
        };
        if let Err(error) = self.audit.note(event, clock::now()).await {
            tracing::error!(%error, "a refused request could not be recorded");
        }
    }
}

fn of_ours(hosts: &Hosts, headers: &HeaderMap) -> Result<(), (&'static str, &'static str)> {
    let mut named = headers.get_all(HOST).iter();
    let host = named.next().and_then(|host| host.to_str().ok());
    if named.next().is_some() || !host.is_some_and(|host| hosts.knows_host(host)) {
        return Err(("foreign-host", "Host"));
    }
    let mut origins = headers.get_all(ORIGIN).iter();
    if origins.all(|origin| origin.to_str().is_ok_and(|origin| hosts.knows_origin(origin))) {
        Ok(())
    } else {
        Err(("foreign-origin", "Origin"))
    }
}

fn media(headers: &HeaderMap) -> Result<(), (StatusCode, RpcError)> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        let error = RpcError::new(INVALID_REQUEST, "`Content-Type` must be application/json");
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, error));
    }
    if accepts(headers, "application/json") || accepts(headers, "text/event-stream") {
        return Ok(());
    }
    let error = RpcError::new(INVALID_REQUEST, "`Accept` must allow application/json or text/event-stream");
    Err((StatusCode::NOT_ACCEPTABLE, error))
}

fn accepts(headers: &HeaderMap, wanted: &str) -> bool {
    let mut named = headers.get_all(ACCEPT).iter().peekable();
    if named.peek().is_none() {
        return wanted == "application/json";
    }
    let family = wanted.split('/').next().unwrap_or_default();
    named.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|range| {
        let range = range.split(';').next().unwrap_or_default().trim();
        range == "*/*" || range.eq_ignore_ascii_case(wanted) || range.strip_suffix("/*").is_some_and(|of| of == family)
    })
}

fn finished(reply: &Reply, era: Era, asked: &Asked) -> Answer {
    let status = reply.code.map_or(StatusCode::OK, |code| answer::status(code, era));
    let mut response = json(status, reply.message.clone());
    if let Some(session) = asked.greeted().and_then(|session| HeaderValue::from_str(&session).ok()) {
        response.headers_mut().insert("mcp-session-id", session);
    }
    response
}

fn refuse(status: StatusCode, error: &RpcError) -> Box<Answer> {
    let mut response = json(status, error.to_message(None).to_string());
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"portcullis\""));
    }
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    Box::new(response)
}

fn json(status: StatusCode, text: String) -> Answer {
    let mut response = Response::new(Answered::Whole(Full::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn empty(status: StatusCode) -> Answer {
    let mut response = Response::new(Answered::Whole(Full::default()));
    *response.status_mut() = status;
    response
}

fn sse(events: Events) -> Answer {
    let mut response = Response::new(Answered::Stream(Box::new(events)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(text: &str) -> Hosts {
        let listen = Listen {
            address: text.parse().unwrap(),
            hosts: vec!["gw.example:443".to_owned()],
            origins: vec!["https://app.example".to_owned()],
            tls: None,
        };
        Hosts::new(&listen, text.parse().unwrap())
    }

    #[test]
    fn only_our_own_names_are_answered() {
        let local = hosts("127.0.0.1:8700");
        for host in ["127.0.0.1:8700", "localhost:8700", "LOCALHOST", "[::1]:8700", "gw.example:443"] {
            assert!(local.knows_host(host), "{host}");
        }
        for host in ["evil.example", "localhost:1", "localhost.evil.example:8700", "127.0.0.1.evil.example", ""] {
            assert!(!local.knows_host(host), "{host}");
        }
        assert!(!hosts("0.0.0.0:443").knows_host("localhost:443"));
    }

    #[test]
    fn only_our_own_origins_are_answered() {
        let local = hosts("127.0.0.1:8700");
        assert!(local.knows_origin("http://localhost:8700") && local.knows_origin("https://app.example"));
        for origin in [
            "null",
            "https://evil.example",
            "http://localhost:9",
            "https://localhost:8700",
            "http://evil@localhost:8700",
        ] {
            assert!(!local.knows_origin(origin), "{origin}");
        }
    }

    #[test]
    fn accept_is_read_as_a_list_of_ranges() {
        let accepts = |value: &'static str, wanted| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(value));
            super::accepts(&headers, wanted)
        };
        assert!(accepts("application/json, text/event-stream", "text/event-stream"));
        assert!(accepts("*/*", "text/event-stream") && accepts("text/*;q=0.5", "text/event-stream"));
        assert!(!accepts("application/json", "text/event-stream") && !accepts("text/html", "application/json"));
    }
}
