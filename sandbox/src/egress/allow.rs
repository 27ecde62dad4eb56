//! `Route`: what a grant says of one host and port. The one checker for the resolver, the edge and the Wasm hook. Pure.

mod address;
mod host;

use std::net::IpAddr;

use http::Method;
use policies::Hash;
use policies::profile::{Destination, Network, Protocol, plain_path};
use thiserror::Error;

pub(super) use address::Forbidden;
pub(super) use host::Host;

/// Why something may not be reached. What it says stands in the record of the call.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(super) enum Denied {
    /// No destination has this host.
    #[error("the host was not declared")]
    Host,
    /// The host is allowed, at other ports.
    #[error("the port was not declared")]
    Port,
    /// The host and port are allowed, spoken to otherwise.
    #[error("it does not speak what was declared: {0}")]
    Protocol(&'static str),
    /// Another name stands inside than the one that was dialled.
    #[error("`{0}` is not the host that was dialled")]
    Name(String),
    /// No destination has this method.
    #[error("the method was not declared")]
    Method,
    /// No destination has this path.
    #[error("the path was not declared")]
    Path,
    /// It could be read in two ways, of which one may be forbidden.
    #[error("{0}")]
    Ambiguous(&'static str),
    /// The host's address must not be reached.
    #[error("`{0}` is {1}")]
    Address(IpAddr, Forbidden),
    /// The server's key is none of those that were declared.
    #[error("the server's key is not one that was declared")]
    Pin,
    /// The tool tries to give away what it was lent.
    #[error("attempted leak: {0}")]
    Leak(&'static str),
    /// What was lent for it cannot be placed.
    #[error("{0}")]
    Place(String),
    /// What a secret belongs into cannot be read to its end.
    #[error("a secret belongs into the body, or signs it, and the body is broken or over 8 MiB")]
    Body,
    /// What may hold a secret cannot be read.
    #[error("it cannot be searched for secrets")]
    Unsearched,
    /// Too much at once.
    #[error("too many {0} in one call")]
    TooMany(&'static str),
}

/// Whether a name is worth an answer: some destination has it.
pub(super) fn is_named(destinations: &[Destination], host: &Host) -> bool {
    destinations.iter().any(|destination| destination.host.matches(host.as_str()))
}

/// Whether a name is written out, rather than one of those below a wildcard.
pub(super) fn is_written_out(destinations: &[Destination], host: &Host) -> bool {
    destinations.iter().any(|destination| destination.host.as_str() == host.as_str())
}

/// What a grant says of one host and port.
pub(super) struct Route<'a> {
    host: Host,
    port: u16,
    /// Never empty; all of one family (TCP, or what can be read).
    rules: Vec<&'a Destination>,
}

impl<'a> Route<'a> {
    /// # Errors
    /// [`Denied::Host`] or [`Denied::Port`].
    pub(super) fn find(destinations: &'a [Destination], host: Host, port: u16) -> Result<Self, Denied> {
        let named = |destination: &&Destination| destination.host.matches(host.as_str());
        let mut rules: Vec<&Destination> =
            destinations.iter().filter(named).filter(|destination| destination.ports().contains(&port)).collect();
        if rules.is_empty() {
            return Err(if is_named(destinations, &host) { Denied::Port } else { Denied::Host });
        }
        // Where a port is declared both as plain TCP and as something that can be checked, it is checked.
        if rules.iter().any(|rule| rule.protocol != Protocol::Tcp) {
            rules.retain(|rule| rule.protocol != Protocol::Tcp);
        }
        Ok(Self { host, port, rules })
    }

    /// The host.
    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    /// The port.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Whether bytes are carried unread.
    pub(super) fn is_tcp(&self) -> bool {
        self.rules.iter().all(|rule| rule.protocol == Protocol::Tcp)
    }

    /// The same, for what began as TLS.
    ///
    /// # Errors
    /// [`Denied::Protocol`] where TLS was not declared.
    pub(super) fn tls(mut self) -> Result<Self, Denied> {
        self.rules.retain(|rule| matches!(rule.protocol, Protocol::Https | Protocol::Tls));
        if self.rules.is_empty() { Err(Denied::Protocol("TLS")) } else { Ok(self) }
    }

    /// The same, for what did not begin as TLS.
    ///
    /// # Errors
    /// [`Denied::Protocol`] where HTTP in the clear was not declared.
    pub(super) fn http(mut self) -> Result<Self, Denied> {
        self.rules.retain(|rule| rule.protocol == Protocol::Http);
        if self.rules.is_empty() { Err(Denied::Protocol("no TLS")) } else { Ok(self) }
    }

    /// The same, for HTTP over TLS.
    ///
    /// # Errors
    /// [`Denied::Protocol`] where HTTPS was not declared.
    pub(super) fn https(mut self) -> Result<Self, Denied> {
        self.rules.retain(|rule| rule.protocol == Protocol::Https);
        if self.rules.is_empty() { Err(Denied::Protocol("HTTPS")) } else { Ok(self) }
    }

    /// Whether what is inside TLS may be anything.
    pub(super) fn is_opaque(&self) -> bool {
        self.rules.iter().any(|rule| rule.protocol == Protocol::Tls)
    }

    /// Whether HTTP was not declared at all: what is inside cannot be read.
    pub(super) fn is_only_opaque(&self) -> bool {
        self.rules.iter().all(|rule| rule.protocol != Protocol::Https)
    }

    /// Whether the edge has to stand in the middle of TLS: to read requests, or to see the server's key, which TLS 1.3
    /// shows to nobody else. A handshake of the edge's own, beside the tool's, would prove nothing of the tool's.
    pub(super) fn intercepts(&self) -> bool {
        self.rules.iter().any(|rule| rule.reads_requests() || !rule.pins.is_empty())
    }

    /// Whether a key of the server is one of those that were declared, by every rule that declares any.
    ///
    /// # Errors
    /// [`Denied::Pin`]
    pub(super) fn check_key(&self, key: Hash) -> Result<(), Denied> {
        let pinned = |rule: &&Destination| rule.pins.is_empty() || rule.pins.contains(&key);
        if self.rules.iter().all(pinned) { Ok(()) } else { Err(Denied::Pin) }
    }

    /// Whether any key was declared.
    pub(super) fn is_pinned(&self) -> bool {
        self.rules.iter().any(|rule| !rule.pins.is_empty())
    }

    /// Whether the address that the host resolved to may be dialled.
    ///
    /// # Errors
    /// [`Denied::Address`]
    pub(super) fn check_address(&self, address: IpAddr) -> Result<(), Denied> {
        let networks: Vec<Network> = self.rules.iter().flat_map(|rule| rule.addresses.iter().copied()).collect();
        address::check(address, &networks).map_err(|why| Denied::Address(address, why))
    }

    /// Whether an address was written out in the grant.
    pub(super) fn is_written_out(&self, address: IpAddr) -> bool {
        self.rules.iter().flat_map(|rule| &rule.addresses).any(|network| network.contains(address))
    }

    /// Whether a request may be made; returns the path (without query) as it must be sent.
    ///
    /// # Errors
    /// [`Denied`]
    pub(super) fn check_request(&self, method: &Method, path: &str) -> Result<String, Denied> {
        // CONNECT would make a tunnel of a server; TRACE would read back what the edge adds.
        if *method == Method::CONNECT || *method == Method::TRACE {
            return Err(Denied::Method);
        }
        if self.rules.iter().any(|rule| !rule.reads_requests()) {
            return Ok(path.to_owned());
        }
        let by_method: Vec<&&Destination> = self.rules.iter().filter(|rule| rule.has_method(method.as_str())).collect();
        if by_method.is_empty() {
            return Err(Denied::Method);
        }
        if by_method.iter().any(|rule| rule.paths.is_empty()) {
            return Ok(path.to_owned());
        }
        let plain = plain_path(path).map_err(Denied::Ambiguous)?;
        if by_method.iter().any(|rule| rule.has_path(&plain)) { Ok(plain) } else { Err(Denied::Path) }
    }

    /// Whether what a request does depends on its method and path alone. Some servers let headers overrule them.
    pub(super) fn restricts_requests(&self) -> bool {
        self.rules.iter().all(|rule| rule.reads_requests())
    }
}

#[cfg(test)]
mod tests;
