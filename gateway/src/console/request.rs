//! What a request must show before anything is done for it: our `Host`, our `Origin`, the cookie and the page's token.

use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{CONTENT_TYPE, COOKIE, HOST, ORIGIN, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Request};

use super::answer::Failure;
use super::session::Session;
use super::{Desk, clock};

/// The header that holds the page's token.
pub(super) const CSRF: HeaderName = HeaderName::from_static("x-csrf-token");

/// The cookie's name.
pub(super) const NAME: &str = "portcullis";

/// The names that the console answers to.
pub(crate) struct Names {
    secure: bool,
    local: Vec<String>,
    named: Vec<String>,
}

/// Whether a browser on this machine reaches it as `localhost`.
fn is_local(bound: SocketAddr) -> bool {
    bound.ip().is_loopback() || bound.ip().is_unspecified()
}

impl Names {
    /// Those of loopback, if it listens there, else its own address; and the config's.
    pub(crate) fn new(bound: SocketAddr, secure: bool, named: &[String]) -> Self {
        let port = bound.port();
        let local = if is_local(bound) {
            ["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{port}")).to_vec()
        } else {
            vec![bound.to_string()]
        };
        Self { secure, local, named: named.iter().map(|name| name.to_ascii_lowercase()).collect() }
    }

    /// The name to link to: the config's first, or one that always leads here from this machine.
    pub(super) fn first(&self) -> &str {
        self.named.first().or(self.local.first()).map_or("localhost", String::as_str)
    }

    /// Whether a request without a session came here by a name of ours.
    pub(crate) fn are_asked<B>(&self, request: &Request<B>) -> bool {
        self.check(request).is_ok()
    }

    /// DNS rebinding makes a browser send another site's name to a loopback address: `Host` must be ours, and one. A page
    /// of another site cannot hide that it is one from a browser that sends `Sec-Fetch-Site`.
    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<(), Failure> {
        let host = only(request.headers(), &HOST).ok_or(Failure::Host)?.to_ascii_lowercase();
        if !self.local.contains(&host) && !self.named.contains(&host) {
            return Err(Failure::Host);
        }
        if request.uri().authority().is_some_and(|authority| !authority.as_str().eq_ignore_ascii_case(&host)) {
            return Err(Failure::Host);
        }
        let navigates =
            request.method() == http::Method::GET && !is_upgrade(request) && request.uri().path() != "/session";
        match request.headers().get("sec-fetch-site").map(HeaderValue::as_bytes) {
            None | Some(b"same-origin" | b"none") => Ok(()),
            // Following a link from elsewhere is no harm: what it opens is a page, which nobody else can read.
            Some(_) if navigates => Ok(()),
            Some(_) => Err(Failure::Origin),
        }
    }

    /// A page of ours sent it: browsers say so with every request that is not a plain GET, and cannot be made to lie.
    pub(super) fn sent_by_us<B>(&self, request: &Request<B>) -> Result<(), Failure> {
        let headers = request.headers();
        let host = only(headers, &HOST).ok_or(Failure::Host)?.to_ascii_lowercase();
        let origin = only(headers, &ORIGIN).ok_or(Failure::Origin)?;
        let (scheme, from) = origin.split_once("://").ok_or(Failure::Origin)?;
        // In front of a name of the config there may be a proxy that speaks TLS for us.
        let proxied = self.named.contains(&host);
        let schemes: &[&str] = match (self.secure, proxied) {
            (true, _) => &["https"],
            (false, true) => &["https", "http"],
            (false, false) => &["http"],
        };
        if schemes.contains(&scheme) && from.eq_ignore_ascii_case(&host) { Ok(()) } else { Err(Failure::Origin) }
    }
}

impl Desk {
    /// The session of a request that only a page of ours can have sent.
    pub(super) fn of_our_page<B>(&self, request: &Request<B>) -> Result<Arc<Session>, Failure> {
        self.front.names.sent_by_us(request)?;
        let session = self.of_cookie(request.headers())?;
        // A browser lets no page set headers of a WebSocket's handshake: there the token stands in the address.
        let token = if is_upgrade(request) { query(request) } else { only(request.headers(), &CSRF) };
        if !token.is_some_and(|token| session.knows(token)) {
            return Err(Failure::Csrf);
        }
        if !is_upgrade(request) && request.uri().path() == "/api" {
            of_json(request)?;
        }
        Ok(session)
    }

    /// The session of the cookie.
    pub(super) fn of_cookie(&self, headers: &HeaderMap) -> Result<Arc<Session>, Failure> {
        let id = cookie(headers).ok_or(Failure::NoSession)?;
        self.front.sessions.find(id, clock::now()).ok_or(Failure::NoSession)
    }
}

/// A form of another site can send text, and not this.
pub(super) fn of_json<B>(request: &Request<B>) -> Result<(), Failure> {
    let kind = only(request.headers(), &CONTENT_TYPE).and_then(|kind| kind.split(';').next()).map(str::trim);
    if kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) { Ok(()) } else { Err(Failure::NotJson) }
}

pub(super) fn is_upgrade<B>(request: &Request<B>) -> bool {
    only(request.headers(), &UPGRADE).is_some_and(|to| to.eq_ignore_ascii_case("websocket"))
}

/// The cookie's value; two of the name are none.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let texts = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut ours = pairs.filter(|(name, _)| *name == NAME).map(|(_, value)| value);
    let value = ours.next()?;
    ours.next().is_none().then_some(value)
}

fn query<B>(request: &Request<B>) -> Option<&str> {
    request.uri().query()?.split('&').find_map(|pair| pair.strip_prefix("csrf="))
}

/// A header that stands once: two could be read in two ways.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}
