//! `Host`: a name or an address in its one spelling.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// A name or an address in its one spelling: lower case, IDNs in ASCII, no dot at the end; an address however it was
/// written (`2130706433`, `0x7f.1`, `[::ffff:127.0.0.1]`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::egress) struct Host {
    text: String,
    address: Option<IpAddr>,
}

/// A name has at most so many bytes (RFC 1035).
const LONGEST: usize = 253;

impl Host {
    /// A host without port; an IPv6 address with or without brackets. `None` where it is none.
    pub(in crate::egress) fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            return Some(Self::from(IpAddr::from(address)));
        }
        match url::Host::parse(text).ok()? {
            url::Host::Ipv4(address) => Some(Self::from(IpAddr::from(address))),
            url::Host::Ipv6(address) => Some(Self::from(IpAddr::from(address))),
            url::Host::Domain(name) => {
                let name = name.strip_suffix('.').unwrap_or(&name);
                is_name(name).then(|| Self { text: name.to_owned(), address: None })
            }
        }
    }

    /// `host` or `host:port`, as a URL or a `Host` header has it, and the port where there is one.
    pub(in crate::egress) fn with_port(authority: &str) -> Option<(Self, Option<u16>)> {
        let bracketed = authority.starts_with('[');
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !bracketed || host.ends_with(']') => (host, Some(port)),
            Some(_) | None => (authority, None),
        };
        // Without brackets a second colon would make two readings of one text.
        if !bracketed && host.contains(':') {
            return None;
        }
        let port = match port {
            Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            Some(_) => return None,
            None => None,
        };
        Some((Self::parse(host)?, port))
    }

    /// As rules are written.
    pub(in crate::egress) fn as_str(&self) -> &str {
        &self.text
    }

    /// The address, where it is one.
    pub(in crate::egress) fn address(&self) -> Option<IpAddr> {
        self.address
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let text = match address {
            IpAddr::V4(v4) => v4.to_string(),
            // As the URL parser writes it, and with it every pattern.
            IpAddr::V6(v6) => url::Host::<&str>::Ipv6(v6).to_string(),
        };
        Self { text, address: Some(address) }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// Underscores are no part of a host's name, but of many names that hosts have.
fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
    };
    name.len() <= LONGEST && name.split('.').all(is_label)
}
