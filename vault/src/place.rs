//! `Placer`: puts lent secrets where they were declared to go, while their call runs.

mod body;
mod hand;
mod head;
mod sigv4;

use std::sync::Arc;

use audit::Scrub;
use bytes::Bytes;
use http::request::Parts;
use policies::profile::{Destination, Part, Protocol, Way};
use ring::hmac;
use thiserror::Error;

use crate::lent::{Lent, Shared};

pub use hand::Handed;

/// What the edge holds of one call's leases. Clones share them; ended, it is worth nothing. The default has none.
#[derive(Clone, Default)]
pub struct Placer {
    shared: Option<Arc<Shared>>,
}

/// Where a request goes, and nowhere else.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The host, as the URL parser writes it.
    pub host: &'a str,
    /// The port.
    pub port: u16,
    /// Whether it goes over TLS.
    pub tls: bool,
}

/// Why a request is not sent.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// The call has ended.
    #[error("the call that borrowed the secret has ended")]
    Ended,
    /// The value has characters that cannot stand where it is to go.
    #[error("the secret `{0}` cannot stand where it is to be placed")]
    Unusable(String),
    /// The body is nothing that a field can be placed into.
    #[error("a secret belongs into the body, which is no JSON object and no form that can be read in one way")]
    Body,
    /// What the secret is to sign is longer than can be held.
    #[error("a secret belongs into the body, or signs it, and the body is over 8 MiB")]
    TooLong,
    /// It cannot be handed over.
    #[error("the secret `{0}` cannot be handed over")]
    Sink(String, #[source] std::io::Error),
}

/// The longest body that a secret is placed into, or signs.
pub const WHOLE: usize = 8 << 20;

impl Target<'_> {
    fn is_in(&self, to: &Destination) -> bool {
        let protocol = if self.tls { Protocol::Https } else { Protocol::Http };
        to.is_at(self.host, self.port, protocol)
    }
}

impl Placer {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared: Some(shared) }
    }

    /// Whether anything was lent, placed or handed over.
    #[must_use]
    pub fn lends(&self) -> bool {
        // Also after the end: what is sent then is refused, not sent without.
        self.shared.as_ref().is_some_and(|shared| shared.desk.is_some())
    }

    /// Whether anything is to be placed into requests to this host and port: then the edge must read them.
    #[must_use]
    pub fn is_for(&self, host: &str, port: u16) -> bool {
        self.any(|lent| match &lent.placement.way {
            Way::Edge { to, .. } => to.is_at(host, port, Protocol::Https) || to.is_at(host, port, Protocol::Http),
            Way::File { .. } | Way::Stdin { .. } | Way::Environment { .. } => false,
        })
    }

    /// Whether the tool holds a secret itself: then what it sends must be searched.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        self.any(|lent| lent.placement.way.is_weak())
    }

    /// Whether the tool may itself send a secret that it holds in this request.
    #[must_use]
    pub fn may_send(&self, target: &Target<'_>, method: &str, path: &str) -> bool {
        self.any(|lent| {
            let to = lent.placement.destination().filter(|_| lent.placement.way.is_weak());
            to.is_some_and(|to| target.is_in(to) && to.allows(method, path))
        })
    }

    /// Whether the body of such a request must be at hand as a whole, up to [`WHOLE`].
    #[must_use]
    pub fn reads_body(&self, target: &Target<'_>, method: &str, path: &str) -> bool {
        self.any(|lent| {
            into(lent, target, method, path).is_some_and(|part| match part {
                Part::Field { .. } | Part::SigV4 { .. } | Part::Hmac { .. } => true,
                Part::Header { .. } | Part::Basic { .. } | Part::Query { .. } => false,
            })
        })
    }

    /// Places into a request that was checked and written anew what was declared for it; answers the body as it must be sent,
    /// where there was one. Nothing of the request may change after this: it may be signed.
    ///
    /// # Errors
    /// [`PlaceError`]; then the request must not be sent.
    pub fn place(&self, target: &Target<'_>, head: &mut Parts, body: Bytes) -> Result<Bytes, PlaceError> {
        let Some(shared) = &self.shared else { return Ok(body) };
        let time = shared.desk.as_ref().map(|desk| (desk.clock)());
        let (method, path) = (head.method.as_str().to_owned(), head.uri.path().to_owned());
        let place = |held: &std::collections::BTreeMap<_, Lent>| {
            let mut meant: Vec<(&Lent, &Part)> =
                held.values().filter_map(|lent| Some((lent, into(lent, target, &method, &path)?))).collect();
            // What signs comes last, and of two that sign the one that signs the head.
            meant.sort_by_key(|(_, part)| match part {
                Part::Header { .. } | Part::Basic { .. } | Part::Query { .. } | Part::Field { .. } => 0,
                Part::Hmac { .. } => 1,
                Part::SigV4 { .. } => 2,
            });
            let mut body = body;
            for (lent, part) in meant {
                body = put(lent, part, (head, body), time)?;
                lent.count(&format!("{part} to {}:{}", target.host, target.port));
            }
            Ok(body)
        };
        shared.with(place).ok_or(PlaceError::Ended)?
    }

    /// Replaces live secrets in what comes back, or finds them in what the tool sends; `None` where nothing was lent.
    #[must_use]
    pub fn scrub(&self) -> Option<Scrub> {
        let desk = self.shared.as_ref()?.desk.as_ref()?;
        Some(desk.redactor.scrub())
    }

    fn any(&self, is: impl Fn(&Lent) -> bool) -> bool {
        // What has ended is told by `place`: until then it is as it was.
        self.shared.as_ref().is_some_and(|shared| shared.with(|held| held.values().any(is)).unwrap_or(false))
    }
}

/// The part of such a request that a secret belongs into.
fn into<'l>(lent: &'l Lent, target: &Target<'_>, method: &str, path: &str) -> Option<&'l Part> {
    match &lent.placement.way {
        Way::Edge { to, into, .. } if target.is_in(to) && to.allows(method, path) => Some(into),
        Way::Edge { .. } | Way::File { .. } | Way::Stdin { .. } | Way::Environment { .. } => None,
    }
}

fn put(
    lent: &Lent,
    part: &Part,
    (head, body): (&mut Parts, Bytes),
    time: Option<jiff::Timestamp>,
) -> Result<Bytes, PlaceError> {
    let value = lent.value.expose();
    let unusable = || PlaceError::Unusable(lent.placement.secret.clone());
    match part {
        Part::Header { name, prefix } => head::set(head, name, prefix.as_bytes(), value).ok_or_else(unusable)?,
        Part::Basic { user } => head::basic(head, user, value).ok_or_else(unusable)?,
        Part::Query { name } => head::query(head, name, value).ok_or_else(unusable)?,
        Part::Field { name } => {
            let value = std::str::from_utf8(value).map_err(|_| unusable())?;
            return body::field(head, &body, name, value).ok_or(PlaceError::Body);
        }
        Part::Hmac { header, prefix } => {
            let signed = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, value), &body);
            let signature = sigv4::hex(signed.as_ref());
            head::set(head, header, prefix.as_bytes(), signature.as_bytes()).ok_or_else(unusable)?;
        }
        Part::SigV4 { region, service } => {
            let signer = sigv4::Signer::new(value, region, service).ok_or_else(unusable)?;
            signer.sign(head, &body, time.ok_or(PlaceError::Ended)?).ok_or_else(unusable)?;
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests;
