//! One request and its response: what is checked of it, and how it is written anew.

use std::pin::Pin;
use std::task::{Context, Poll};

use ::http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use ::http::uri::Scheme;
use ::http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::egress::allow::{Denied, Host, Route};

/// Whether a request may be made; returns its path as it must be sent.
pub(super) fn check<B>(request: &Request<B>, route: &Route<'_>, tls: bool) -> Result<String, Denied> {
    if !matches!(request.version(), Version::HTTP_11 | Version::HTTP_10) {
        return Err(Denied::Protocol("another HTTP than 1.1"));
    }
    if request.headers().contains_key(UPGRADE) {
        return Err(Denied::Protocol("it would change the protocol"));
    }
    check_target(request.uri(), route, tls)?;
    check_host(request.headers(), route, tls)?;
    check_headers(request.headers(), route)?;
    route.check_request(request.method(), request.uri().path())
}

/// Whether a guest's request may be made, whose host is the route's already; returns its path as it must be sent.
pub(in crate::egress) fn check_guest<B>(request: &Request<B>, route: &Route<'_>) -> Result<String, Denied> {
    if request.headers().contains_key(UPGRADE) {
        return Err(Denied::Protocol("it would change the protocol"));
    }
    check_headers(request.headers(), route)?;
    route.check_request(request.method(), request.uri().path())
}

/// A whole URL in place of a path must be of the host that was dialled.
fn check_target(uri: &Uri, route: &Route<'_>, tls: bool) -> Result<(), Denied> {
    let scheme = if tls { Scheme::HTTPS } else { Scheme::HTTP };
    match (uri.scheme(), uri.authority()) {
        (None, None) if uri.path().starts_with('/') => Ok(()),
        (Some(named), Some(authority)) if *named == scheme => is_dialled(authority.as_str(), route, tls),
        (Some(_) | None, _) => Err(Denied::Ambiguous("the request's target is no path")),
    }
}

fn check_host(headers: &HeaderMap, route: &Route<'_>, tls: bool) -> Result<(), Denied> {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(Denied::Ambiguous("the request names no host, or more than one"));
    };
    is_dialled(host.to_str().unwrap_or_default(), route, tls)
}

fn is_dialled(authority: &str, route: &Route<'_>, tls: bool) -> Result<(), Denied> {
    let usual = usual_port(tls);
    match Host::with_port(authority) {
        Some((host, port)) if host == *route.host() && port.unwrap_or(usual) == route.port() => Ok(()),
        Some(_) | None => Err(Denied::Name(authority.chars().take(80).collect())),
    }
}

fn usual_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

/// Where method and path decide, nothing may overrule them.
fn check_headers(headers: &HeaderMap, route: &Route<'_>) -> Result<(), Denied> {
    if route.restricts_requests() && OVERRULES.iter().any(|name| headers.contains_key(*name)) {
        return Err(Denied::Ambiguous("a header names another method or path"));
    }
    Ok(())
}

const OVERRULES: [&str; 6] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
    "x-forwarded-uri",
];

/// The host and port that a guest's request names.
pub(in crate::egress) fn target(uri: &Uri, tls: bool) -> Option<(Host, u16)> {
    let (host, port) = Host::with_port(uri.authority()?.as_str())?;
    Some((host, port.unwrap_or_else(|| usual_port(tls))))
}

/// The request as it leaves. This is the one place where an outgoing request is rewritten: for the edge's clients and for
/// Wasm guests, after every check, and before its bytes go to the host of `route` and to nobody else.
pub(in crate::egress) fn outgoing<B>(
    request: Request<B>,
    route: &Route<'_>,
    path: &str,
    tls: bool,
) -> Request<Plain<B>> {
    let (mut parts, body) = request.into_parts();
    drop_hop_by_hop(&mut parts.headers);
    // How long the body is follows from the body: what the tool said of it could be read in two ways.
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.remove(EXPECT);
    parts.headers.insert(HOST, host(route, tls));
    let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    // A path that was checked parses; were it not so, the root of the host is all that is asked for.
    parts.uri = Uri::try_from(format!("{path}{query}")).unwrap_or_else(|_| Uri::from_static("/"));
    parts.version = Version::HTTP_11;
    Request::from_parts(parts, Plain(body))
}

/// The host as the grant writes it, so that no second spelling of it reaches a server.
fn host(route: &Route<'_>, tls: bool) -> HeaderValue {
    let written = match route.port() {
        port if port == usual_port(tls) => route.host().to_string(),
        port => format!("{}:{port}", route.host()),
    };
    HeaderValue::try_from(written).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The response as it comes back. This is the one place where a response is rewritten.
pub(in crate::egress) fn incoming<B>(mut response: Response<B>, method: &Method) -> Response<B> {
    drop_hop_by_hop(response.headers_mut());
    let bodiless = *method == Method::HEAD || response.status() == StatusCode::NOT_MODIFIED;
    if !bodiless {
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    response
}

/// Drops what belongs to one connection, and what the connection's own header says belongs to it.
fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .filter(|name| name != HOST)
        .collect();
    let always = [CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];
    for name in named.iter().chain(&always) {
        headers.remove(name);
    }
    for name in ["keep-alive", "proxy-connection", "http2-settings", "alt-svc"] {
        headers.remove(name);
    }
}

/// A body without trailers, which would be headers that nobody checked. Streamed, never kept.
pub(in crate::egress) struct Plain<B>(pub(in crate::egress) B);

impl<B: Body<Data = Bytes> + Unpin> Body for Plain<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        loop {
            return match Pin::new(&mut self.0).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => continue,
                other @ (Poll::Ready(_) | Poll::Pending) => other,
            };
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
