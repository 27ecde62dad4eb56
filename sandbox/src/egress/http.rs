//! HTTP/1.1 through the edge: every request is read, checked and written anew, so that what was checked is what is sent.

mod lend;
mod message;

use std::io;
use std::time::Duration;

use ::http::{Method, Request, Response, StatusCode};
use audit::Attempt;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;

use super::allow::{Denied, Route};
use super::edge::{Broken, Passage};
use super::ledger::attempt;
use super::tls::HTTP_1_1;

pub(crate) use lend::{Carried, Cause};
pub(super) use lend::{lend, scrubbed};
pub(super) use message::{Plain, check_guest, incoming, outgoing, target};

/// Serves a connection on which the tool speaks HTTP, one request after the other.
pub(super) async fn serve<S>(passage: &Passage, near: S, route: &Route<'_>, tls: bool) -> Result<(), Broken>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let exchange = Exchange { passage, route, tls, far: Mutex::new(None) };
    let answered = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(HEAD)
        .half_close(true)
        .serve_connection(TokioIo::new(near), service_fn(|request| exchange.answer(request)))
        .await;
    match answered {
        Ok(()) => Ok(()),
        Err(error) if error.is_parse() => Err(Denied::Protocol("it is no HTTP/1.1 that can be read in one way").into()),
        Err(error) => Err(io::Error::other(error).into()),
    }
}

/// Between two requests of a tool.
const IDLE: Duration = Duration::from_mins(1);

/// The longest head of a request.
const HEAD: usize = 64 * 1024;

/// What a tool is answered with: what the world said, or why it was not asked.
type Answer = Carried;

struct Exchange<'a> {
    passage: &'a Passage,
    route: &'a Route<'a>,
    tls: bool,
    /// The connection that the last request left usable.
    far: Mutex<Option<SendRequest<Carried>>>,
}

impl Exchange<'_> {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Answer>, hyper::Error> {
        let checked = message::check(&request, self.route, self.tls);
        self.note(request.method(), request.uri().path(), checked.as_ref().err());
        let path = match checked {
            Ok(path) => path,
            Err(denied) => return Ok(refusal(StatusCode::FORBIDDEN, &format!("not allowed: {denied}"))),
        };
        let method = request.method().clone();
        let request = outgoing(request, self.route, &path, self.tls);
        match self.exchange(request).await {
            Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                Ok(refusal(StatusCode::BAD_GATEWAY, "the server changed the protocol"))
            }
            Ok(response) => match scrubbed(response.map(Plain), self.passage) {
                Ok(response) => Ok(incoming(response, &method)),
                Err(denied) => {
                    self.passage.flow.denied(denied.to_string());
                    Ok(refusal(StatusCode::BAD_GATEWAY, &denied.to_string()))
                }
            },
            Err(Broken::Denied(denied)) => {
                self.passage.flow.denied(denied.to_string());
                Ok(refusal(StatusCode::FORBIDDEN, &format!("not allowed: {denied}")))
            }
            Err(broken @ (Broken::Failed(_) | Broken::Undialled(_))) => {
                Ok(refusal(StatusCode::BAD_GATEWAY, &broken.to_string()))
            }
        }
    }

    async fn exchange(&self, request: Request<Plain<Incoming>>) -> Result<Response<Incoming>, Broken> {
        let request = lend(request, self.passage, self.route, self.tls).await?;
        self.send(request).await
    }

    async fn send(&self, request: Request<Carried>) -> Result<Response<Incoming>, Broken> {
        // One request at a time: that is HTTP/1.1, and how the connection is served.
        let mut far = self.far.lock().await;
        let mut sender = match far.take() {
            Some(mut last) => match last.ready().await {
                Ok(()) => last,
                Err(_) => self.connect().await?,
            },
            None => self.connect().await?,
        };
        let response = sender.send_request(request).await.map_err(io::Error::other)?;
        *far = Some(sender);
        Ok(response)
    }

    async fn connect(&self) -> Result<SendRequest<Carried>, Broken> {
        let far = self.passage.dial(self.route).await?;
        let (sender, carried) = if self.tls {
            let far = self.passage.exit.egress.trust.connect(far, self.route, vec![HTTP_1_1.to_vec()]).await?;
            handshake(far).await?
        } else {
            handshake(far).await?
        };
        self.passage.spawn(carried);
        Ok(sender)
    }

    /// Notes a request.
    fn note(&self, method: &Method, path: &str, denied: Option<&Denied>) {
        self.passage.grant.ledger.add(Attempt {
            host: Some(self.route.host().to_string()),
            port: Some(self.route.port()),
            request: Some(shown(method, path)),
            denied: denied.map(Denied::to_string),
            ..attempt(if self.tls { "https" } else { "http" })
        });
    }
}

/// As much of a request as the record keeps.
pub(super) const SHOWN: usize = 200;

/// A request for the record. Of its query nothing is kept: secrets travel there.
pub(super) fn shown(method: &Method, path: &str) -> String {
    format!("{method} {path}").chars().take(SHOWN).collect()
}

/// Begins HTTP with the world: what sends requests, and what has to run meanwhile.
pub(super) async fn handshake<S, B>(
    far: S,
) -> Result<(SendRequest<B>, std::pin::Pin<Box<dyn Future<Output = ()> + Send>>), Broken>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(far)).await.map_err(io::Error::other)?;
    Ok((
        sender,
        Box::pin(async move { connection.await.unwrap_or_else(|error| tracing::debug!(%error, "a server left")) }),
    ))
}

fn refusal(status: StatusCode, why: &str) -> Response<Answer> {
    let text = Bytes::from(format!("the sandbox's way out: {why}\n"));
    let mut response = Response::new(Full::new(text).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response
}
