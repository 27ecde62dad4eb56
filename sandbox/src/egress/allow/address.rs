//! Which addresses may be dialled: public ones, and private ones that the grant writes out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use policies::profile::Network;
use thiserror::Error;

/// Why an address may not be dialled.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(in crate::egress) enum Forbidden {
    /// It hands out the machine's own credentials.
    #[error("a metadata service's address")]
    Metadata,
    /// It is private, and the grant does not write it out.
    #[error("a private address that was not declared")]
    Private,
    /// Nothing that a tool could mean is there.
    #[error("no address of a host")]
    NoHost,
    /// It is the machine that the gateway runs on.
    #[error("this machine's own address")]
    Own,
}

/// Whether an address may be dialled.
///
/// # Errors
/// [`Forbidden`]
pub(in crate::egress) fn check(address: IpAddr, networks: &[Network]) -> Result<(), Forbidden> {
    let address = address.to_canonical();
    let inner = match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => embedded(v6),
    };
    let all = || std::iter::once(address).chain(inner.map(IpAddr::V4));
    if all().any(is_metadata) {
        return Err(Forbidden::Metadata);
    }
    if all().any(is_no_host) {
        return Err(Forbidden::NoHost);
    }
    if networks.iter().any(|network| network.contains(address)) || all().all(is_public) {
        return Ok(());
    }
    Err(Forbidden::Private)
}

/// Metadata services of clouds: whoever can ask them can become the machine.
const METADATA: [&str; 4] = ["169.254.169.0/24", "169.254.170.0/24", "fd00:ec2::/32", "fd20:ce::/32"];
const METADATA_HOSTS: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)), // Alibaba
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),   // Azure
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),     // Oracle
];

fn is_metadata(address: IpAddr) -> bool {
    METADATA_HOSTS.contains(&address) || is_in(address, &METADATA)
}

/// Never dialled, not even where the grant writes it out: this host, multicast, broadcast, the reserved rest, and
/// `198.18.0.0/15`, where our own synthetic addresses live.
fn is_no_host(address: IpAddr) -> bool {
    is_in(address, &["0.0.0.0/8", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4", "::/128", "ff00::/8"])
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => !is_in(address, &PRIVATE),
        // Of IPv6 only what is handed out is public; then what of it is not routed.
        IpAddr::V6(_) => is_in(address, &["2000::/3", "64:ff9b::/96"]) && !is_in(address, &UNROUTED),
    }
}

const PRIVATE: [&str; 8] = [
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
];

/// Teredo, benchmarking, ORCHID: tunnels and identifiers, not hosts.
const UNROUTED: [&str; 4] = ["2001::/32", "2001:2::/48", "2001:10::/28", "2001:20::/28"];

/// The IPv4 address that an IPv6 address leads to, where it leads to one.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    if address.is_unspecified() || address.is_loopback() {
        return None;
    }
    let v4 = |high: u16, low: u16| Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match address.segments() {
        // Compatible, mapped, translated (SIIT), NAT64, 6to4; ISATAP, below any prefix.
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..]
        | [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => v4(high, low),
        _ => None,
    }
}

fn is_in(address: IpAddr, networks: &[&str]) -> bool {
    // A network of ours that could not be read would hold everything: fail closed. A test reads them all.
    networks.iter().any(|network| Network::parse(network).map_or(true, |network| network.contains(address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(address: &str, networks: &[&str]) -> Result<(), Forbidden> {
        let networks: Vec<Network> = networks.iter().map(|network| Network::parse(network).unwrap()).collect();
        check(address.parse().unwrap(), &networks)
    }

    #[test]
    fn public_addresses_pass() {
        for address in ["1.1.1.1", "198.51.100.10", "192.0.2.1", "203.0.113.9", "2606:4700::1111", "64:ff9b::101:101"] {
            assert_eq!(verdict(address, &[]), Ok(()), "{address}");
        }
    }

    #[test]
    fn private_addresses_pass_only_where_they_are_written_out() {
        let private = [
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "127.0.0.1",
            "127.255.0.1",
            "100.64.0.1",
            "169.254.1.1",
            "192.0.0.8",
            "::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "::ffff:10.0.0.1",
            "::10.0.0.1",
            "2002:a00:1::",
            "64:ff9b::a00:1",
            "64:ff9b:1::a00:1",
            "::ffff:0:10.0.0.1",
            "2001:0:1::1",
            "2606:4700::5efe:10.0.0.1",
            "2606:4700::200:5efe:127.0.0.1",
            "5f00::1",
            "100::1",
        ];
        for address in private {
            assert_eq!(verdict(address, &[]), Err(Forbidden::Private), "{address}");
        }
        assert_eq!(verdict("10.1.2.3", &["10.1.0.0/16"]), Ok(()));
        assert_eq!(verdict("::ffff:10.1.2.3", &["10.1.0.0/16"]), Ok(()));
        assert_eq!(verdict("10.2.2.3", &["10.1.0.0/16"]), Err(Forbidden::Private));
        assert_eq!(verdict("::1", &["0.0.0.0/0"]), Err(Forbidden::Private));
    }

    #[test]
    fn metadata_services_are_never_reached() {
        let everything = ["0.0.0.0/0", "::/0"];
        let spellings = [
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "2002:a9fe:a9fe::",
            "64:ff9b::a9fe:a9fe",
            "::ffff:0:169.254.169.254",
            "fe80::5efe:a9fe:a9fe",
        ];
        for address in spellings {
            assert_eq!(verdict(address, &everything), Err(Forbidden::Metadata), "{address}");
        }
    }

    #[test]
    fn what_is_no_host_is_never_reached() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "198.18.0.1",
            "198.19.255.255",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "ff02::1",
        ] {
            assert_eq!(verdict(address, &["0.0.0.0/0", "::/0"]), Err(Forbidden::NoHost), "{address}");
        }
    }

    #[test]
    fn the_networks_above_can_be_read() {
        for network in METADATA.iter().chain(&PRIVATE).chain(&UNROUTED) {
            assert!(Network::parse(network).is_ok(), "{network}");
        }
    }
}
