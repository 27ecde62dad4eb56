//! `Names`: the synthetic addresses of one sandbox, each of which stands for one name.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use super::allow::Host;

/// The synthetic addresses of one sandbox. An address keeps its meaning for as long as the sandbox lives, or is never
/// given out again before all others were: a tool that remembers one must not reach another name with it.
pub(super) struct Names {
    by_host: HashMap<Host, u32>,
    by_offset: HashMap<u32, Host>,
    next: u32,
}

/// `198.18.0.0/15`, set aside for benchmarks (RFC 2544): routed nowhere, and no private network of anybody's.
const BASE: u32 = u32::from_be_bytes([198, 18, 0, 0]);
const SIZE: u32 = 1 << 17;

/// The first few are left to whoever makes the sandbox's network: the resolver and the proxy need addresses too.
const RESERVED: u32 = 16;

/// Names that are kept. Wildcards are bounded for each call; this bounds what many calls leave behind.
const KEPT: usize = 4096;

impl Names {
    pub(super) fn new() -> Self {
        Self { by_host: HashMap::new(), by_offset: HashMap::new(), next: RESERVED }
    }

    /// The address that stands for a host here, now.
    pub(super) fn address(&mut self, host: &Host) -> Ipv4Addr {
        if let Some(offset) = self.by_host.get(host) {
            return Ipv4Addr::from(BASE + offset);
        }
        if self.by_host.len() >= KEPT {
            self.by_host.clear();
            self.by_offset.clear();
        }
        let offset = self.next;
        self.next = if offset + 1 < SIZE { offset + 1 } else { RESERVED };
        self.by_host.insert(host.clone(), offset);
        self.by_offset.insert(offset, host.clone());
        Ipv4Addr::from(BASE + offset)
    }

    /// Whether a host has an address already.
    pub(super) fn knows(&self, host: &Host) -> bool {
        self.by_host.contains_key(host)
    }

    /// The host that an address stands for.
    pub(super) fn host(&self, address: Ipv4Addr) -> Option<Host> {
        self.by_offset.get(&u32::from(address).checked_sub(BASE)?).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(n: usize) -> Host {
        Host::parse(&format!("h{n}.test")).unwrap()
    }

    #[test]
    fn an_address_stands_for_one_name() {
        let mut names = Names::new();
        let (a, b) = (names.address(&host(1)), names.address(&host(2)));
        assert_ne!(a, b);
        assert_eq!(names.address(&host(1)), a);
        assert_eq!(names.host(a), Some(host(1)));
        assert_eq!(names.host("198.18.0.1".parse().unwrap()), None);
        assert_eq!(names.host("10.0.0.1".parse().unwrap()), None);
    }

    #[test]
    fn a_forgotten_name_does_not_leave_its_address_to_the_next() {
        let mut names = Names::new();
        let first = names.address(&host(0));
        let others = (1..=KEPT).filter(|n| names.address(&host(*n)) == first).count();
        assert_eq!(others, 0);
        assert_eq!(names.host(first), None);
        assert!(u32::from(names.address(&host(KEPT))) < BASE + SIZE);
    }
}
