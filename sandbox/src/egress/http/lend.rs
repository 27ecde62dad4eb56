//! What is lent meets the wire here: secrets are placed into requests that were checked, what a tool sends and what it is
//! answered is searched. The one place, for the edge's clients and for Wasm guests.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use ::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderName, HeaderValue, IF_RANGE, RANGE, TRANSFER_ENCODING};
use ::http::request::Parts;
use ::http::{Request, Response};
use audit::Scrub;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Frame, SizeHint};
use vault::{Placer, Target, WHOLE};

use super::message::Plain;
use crate::egress::allow::{Denied, Route};
use crate::egress::edge::Passage;
use crate::egress::ledger::Flow;
use crate::egress::placeholder::{self, Watch};

type Boxed = Box<dyn std::error::Error + Send + Sync>;

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Cause(Boxed);

/// A body on its way, either way.
pub(crate) type Carried = UnsyncBoxBody<Bytes, Cause>;

/// A placeholder where none belongs.
const PLACEHOLDER: &str = "a placeholder was sent where it does not belong";

/// A secret that the tool holds, in plain or encoded.
const SECRET: &str = "a secret was sent where it must not go";

/// The request with what was lent for it. Nothing of it may change after this.
///
/// # Errors
/// [`Denied`]; then it must not be sent.
pub(in crate::egress) async fn lend<B>(
    request: Request<Plain<B>>,
    passage: &Passage,
    route: &Route<'_>,
    tls: bool,
) -> Result<Request<Carried>, Denied>
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Boxed>,
{
    // Its own: a future that borrows it cannot be shown to be `Send`.
    let placer = passage.grant.placer.clone();
    let (mut head, body) = request.into_parts();
    let body = body.map_err(|error| Cause(error.into()));
    if !placer.lends() {
        return Ok(Request::from_parts(head, body.boxed_unsync()));
    }
    // What comes back is searched: it must not be compressed, nor cut into pieces that are too small to be found.
    head.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    head.headers.remove(RANGE);
    head.headers.remove(IF_RANGE);
    let target = Target { host: route.host().as_str(), port: route.port(), tls };
    let (method, path) = (head.method.as_str().to_owned(), head.uri.path().to_owned());
    let searched = placer.is_weak() && !placer.may_send(&target, &method, &path);
    if searched && holds(&placer, &line(&head))? {
        return Err(Denied::Leak(SECRET));
    }
    let body = if placer.reads_body(&target, &method, &path) {
        let whole = Limited::new(body, WHOLE).collect().await.map_err(|_| Denied::Body)?.to_bytes();
        if searched && holds(&placer, &whole)? {
            return Err(Denied::Leak(SECRET));
        }
        let whole = placer.place(&target, &mut head, whole).map_err(|error| Denied::Place(error.to_string()))?;
        if placeholder::is_in(&whole) {
            return Err(Denied::Leak(PLACEHOLDER));
        }
        Full::new(whole).map_err(|never| match never {}).boxed_unsync()
    } else {
        placer.place(&target, &mut head, Bytes::new()).map_err(|error| Denied::Place(error.to_string()))?;
        let scrub = placer.scrub().filter(|_| searched);
        Searched { body, scrub, replaces: false, watch: Some(Watch::default()), over: false, flow: None }
            .of(&passage.flow)
    };
    if placeholder::is_in(&line(&head)) {
        return Err(Denied::Leak(PLACEHOLDER));
    }
    Ok(Request::from_parts(head, body))
}

/// Everything that a head says, as one text.
fn line(head: &Parts) -> Vec<u8> {
    let mut text = head.uri.to_string().into_bytes();
    for (name, value) in &head.headers {
        text.extend_from_slice(b"\n");
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
    }
    text
}

fn holds(placer: &Placer, bytes: &[u8]) -> Result<bool, Denied> {
    let Some(mut scrub) = placer.scrub() else { return Ok(false) };
    let searched = scrub.push(bytes).and_then(|_| scrub.finish());
    searched.map(|_| scrub.found() > 0).map_err(|_| Denied::Unsearched)
}

/// The response without any secret that a server gives back.
///
/// # Errors
/// [`Denied`]; then nothing of it may be shown.
pub(in crate::egress) fn scrubbed<B>(response: Response<B>, passage: &Passage) -> Result<Response<Carried>, Denied>
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Boxed>,
{
    let placer = &passage.grant.placer;
    let (mut head, body) = response.into_parts();
    let body = body.map_err(|error| Cause(error.into()));
    let Some(scrub) = placer.scrub() else {
        return Ok(Response::from_parts(head, body.boxed_unsync()));
    };
    // A reason in the server's own words would be sent on.
    head.extensions.clear();
    let names: Vec<HeaderName> = head.headers.keys().cloned().collect();
    for name in names {
        let values: Vec<HeaderValue> = head.headers.get_all(&name).iter().cloned().collect();
        let whole: Vec<u8> = values.iter().flat_map(|value| [value.as_bytes(), b"\n"].concat()).collect();
        if holds(placer, &whole)? || holds(placer, name.as_str().as_bytes())? {
            head.headers.remove(name);
        }
    }
    if body.is_end_stream() {
        return Ok(Response::from_parts(head, body.boxed_unsync()));
    }
    let identity = |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    let chunked = |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    let plain = head.headers.get_all(CONTENT_ENCODING).iter().all(identity)
        && head.headers.get_all(TRANSFER_ENCODING).iter().all(chunked);
    if !plain {
        return Err(Denied::Unsearched);
    }
    let searched = Searched { body, scrub: Some(scrub), replaces: true, watch: None, over: false, flow: None };
    Ok(Response::from_parts(head, searched.of(&passage.flow)))
}

/// A body that is searched as it passes.
struct Searched<B> {
    body: B,
    scrub: Option<Scrub>,
    /// Whether what is found is replaced; otherwise it ends the body.
    replaces: bool,
    watch: Option<Watch>,
    over: bool,
    flow: Option<Arc<Flow>>,
}

impl<B> Searched<B>
where
    B: Body<Data = Bytes, Error = Cause> + Unpin + Send + 'static,
{
    /// Boxed; what must not pass is noted there.
    fn of(mut self, flow: &Arc<Flow>) -> Carried {
        if self.body.is_end_stream() {
            return self.body.boxed_unsync();
        }
        self.flow = Some(Arc::clone(flow));
        self.boxed_unsync()
    }

    fn leak(&mut self, why: &'static str) -> Cause {
        let denied = Denied::Leak(why);
        if let Some(flow) = &self.flow {
            flow.denied(denied.to_string());
        }
        self.over = true;
        Cause(denied.into())
    }

    fn search(&mut self, piece: Option<&Bytes>) -> Result<Bytes, Cause> {
        if let (Some(piece), Some(watch)) = (piece, &mut self.watch)
            && watch.sees(piece)
        {
            return Err(self.leak(PLACEHOLDER));
        }
        let Some(scrub) = &mut self.scrub else { return Ok(piece.cloned().unwrap_or_default()) };
        let passed = match piece {
            Some(piece) => scrub.push(piece),
            None => scrub.finish(),
        };
        if !self.replaces && scrub.found() > 0 {
            return Err(self.leak(SECRET));
        }
        passed.map(Bytes::from).map_err(|withheld| {
            self.over = true;
            Cause(withheld.into())
        })
    }
}

impl<B> Body for Searched<B>
where
    B: Body<Data = Bytes, Error = Cause> + Unpin + Send + 'static,
{
    type Data = Bytes;
    type Error = Cause;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cause>>> {
        loop {
            if self.over {
                return Poll::Ready(None);
            }
            let passed = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.search(Some(&data)),
                    // Trailers were dropped before.
                    Err(_) => continue,
                },
                Some(Err(error)) => Err(error),
                None => {
                    self.over = true;
                    self.search(None)
                }
            };
            match passed {
                Ok(passed) if passed.is_empty() => {}
                passed => return Poll::Ready(Some(passed.map(Frame::data))),
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        if self.replaces { SizeHint::default() } else { self.body.size_hint() }
    }
}
