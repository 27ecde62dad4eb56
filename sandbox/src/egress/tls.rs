//! TLS through the edge: carried unread once its name is checked, or read under the sandbox's own authority.

mod hello;
mod trust;

use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;

use super::allow::{Denied, Route};
use super::edge::{Broken, PATIENCE, Passage, within};
use super::http;
use super::stream::{self, Stream};
use hello::Hello;

pub(super) use trust::Trust;

/// The first byte of a record that begins TLS.
pub(super) const HANDSHAKE: u8 = 22;

/// Carries a connection that began as TLS.
pub(super) async fn carry(passage: &Passage, mut near: Stream, route: Route<'_>) -> Result<(), Broken> {
    passage.flow.speaks("tls");
    let hello = read(&mut near).await?;
    hello.check(route.host())?;
    match (route.is_opaque(), route.is_pinned()) {
        _ if passage.grant.reads(route.host().as_str(), route.port()) && !route.is_only_opaque() => {
            intercept(passage, near, route, &hello).await
        }
        (true, true) => relay(passage, near, &route, hello.alpn).await,
        (false, _) if route.intercepts() => intercept(passage, near, route, &hello).await,
        (true, false) | (false, _) => pass(passage, near, &route, &hello).await,
    }
}

/// How many bytes a beginning takes, and whom it names.
#[cfg(fuzzing)]
pub(crate) fn beginning(bytes: &[u8]) -> Option<(usize, Option<String>)> {
    Hello::read(bytes).ok()?.map(|hello| (hello.length, hello.name))
}

async fn read(near: &mut Stream) -> Result<Hello, Broken> {
    let read = async {
        loop {
            if let Some(hello) = Hello::read(near.ahead())? {
                return Ok(hello);
            }
            if !near.look().await? {
                return Err(Denied::Protocol("its TLS ends as it begins").into());
            }
        }
    };
    let slow = || Err(Denied::Protocol("its TLS takes too long to begin").into());
    tokio::time::timeout(PATIENCE, read).await.unwrap_or_else(|_| slow())
}

/// Carries it unread. What is inside is between the tool and the host that its grant names.
async fn pass(passage: &Passage, mut near: Stream, route: &Route<'_>, hello: &Hello) -> Result<(), Broken> {
    if hello.hides {
        return Err(Denied::Ambiguous("its TLS hides the host it asks for").into());
    }
    let mut far = passage.dial(route).await?;
    far.write_all(&near.take(hello.length)).await?;
    if asks_again(&mut far).await? {
        near.write_all(&far.take(usize::MAX)).await?;
        let second = read_again(&mut near).await?;
        second.check(route.host())?;
        if second.hides {
            return Err(Denied::Ambiguous("its TLS hides the host it asks for").into());
        }
    }
    Ok(stream::join(near, far).await?)
}

/// Whether a server asks for another beginning, which could have another name. Servers differ in whether they notice.
async fn asks_again(far: &mut Stream) -> Result<bool, Broken> {
    loop {
        match far.ahead() {
            [HANDSHAKE, 3, _, _, _, SERVER_HELLO, _, _, _, 3, _, random @ ..] if random.len() >= AGAIN.len() => {
                return Ok(random.starts_with(&AGAIN));
            }
            // An alert: the handshake failed.
            [ALERT, 3, ..] => return Ok(false),
            [HANDSHAKE, 3, _, _, _, SERVER_HELLO, _, _, _, 3, _, ..] | [ALERT] => {}
            [HANDSHAKE, 3, _, _, _, SERVER_HELLO, ..] if far.ahead().len() < 11 => {}
            [HANDSHAKE, 3, ..] | [HANDSHAKE] | [] if far.ahead().len() < 6 => {}
            _ => return Err(Denied::Protocol("the server does not answer in TLS").into()),
        }
        if !far.look().await? {
            return Ok(false);
        }
    }
}

const ALERT: u8 = 21;
const SERVER_HELLO: u8 = 2;

/// The random value that makes a server's greeting a request for another beginning (RFC 8446, 4.1.3).
const AGAIN: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// Reads a second beginning without taking it. Before it stands a record that means nothing (RFC 8446, D.4).
async fn read_again(near: &mut Stream) -> Result<Hello, Broken> {
    let read = async {
        loop {
            let bytes = near.ahead().strip_prefix(&NOTHING).unwrap_or(near.ahead());
            if let Some(hello) = Hello::read(bytes)? {
                return Ok(hello);
            }
            if !near.look().await? {
                return Err(Denied::Protocol("its TLS ends as it begins").into());
            }
        }
    };
    let slow = || Err(Denied::Protocol("its TLS takes too long to begin").into());
    tokio::time::timeout(PATIENCE, read).await.unwrap_or_else(|_| slow())
}

/// A `change_cipher_spec` record.
const NOTHING: [u8; 6] = [20, 3, 3, 0, 1, 1];

/// Reads it as HTTP. The world is dialled only for a request that may be made.
async fn intercept(passage: &Passage, near: Stream, route: Route<'_>, hello: &Hello) -> Result<(), Broken> {
    passage.flow.speaks("https");
    let route = route.https()?;
    if !hello.alpn.is_empty() && !hello.alpn.iter().any(|offered| offered == HTTP_1_1) {
        return Err(Denied::Protocol("it insists on another HTTP than 1.1").into());
    }
    let near = accept(passage, near, &route, vec![HTTP_1_1.to_vec()]).await?;
    http::serve(passage, near, &route, true).await
}

/// The only protocol that the edge reads.
pub(super) const HTTP_1_1: &[u8] = b"http/1.1";

/// Carries what is inside, whatever it is, between two sessions: only thus the server's key is seen.
async fn relay(passage: &Passage, near: Stream, route: &Route<'_>, alpn: Vec<Vec<u8>>) -> Result<(), Broken> {
    let far = passage.dial(route).await?;
    let far = passage.exit.egress.trust.connect(far, route, alpn).await?;
    let chosen = far.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
    let near = accept(passage, near, route, chosen.into_iter().collect()).await?;
    Ok(stream::join(near, far).await?)
}

type Accepted = tokio_rustls::server::TlsStream<Stream>;

async fn accept(passage: &Passage, near: Stream, route: &Route<'_>, alpn: Vec<Vec<u8>>) -> Result<Accepted, Broken> {
    let config = passage.exit.authority.config(route.host(), alpn).map_err(std::io::Error::other)?;
    Ok(within(PATIENCE, TlsAcceptor::from(config).accept(near)).await?)
}
