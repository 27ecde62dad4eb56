//! Networks: each sandbox has a bridge of its own, with two addresses, and the doors that stand on it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use policies::Hash;
use rustix::net::netlink::{NETFILTER, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::config::GuardConfig;
use crate::egress::denied::Dropped;
use crate::egress::nft::{DNS_PORT, EDGE_PORT, Firewall, Member};
use crate::polled::polled;

/// What the sandboxes' networks share.
pub(super) struct Networks {
    pub(super) firewall: Arc<Firewall>,
    group: u16,
    prefix: String,
    base: u32,
    places: u32,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    places: BTreeSet<u32>,
    /// Places are used in turn: what the kernel remembers of an address is old by the time it comes again.
    next: u32,
}

/// The addresses of one sandbox. Free again when dropped.
pub(super) struct Place {
    networks: Arc<Networks>,
    number: u32,
    pub(super) bridge: String,
}

/// The resolver's and the edge's sockets.
pub(super) struct Listeners {
    pub(super) udp: UdpSocket,
    pub(super) dns: TcpListener,
    pub(super) edge: TcpListener,
}

/// What the kernel tells without being asked.
pub(super) struct Watch {
    pub(super) dropped: Dropped,
    changes: AsyncFd<OwnedFd>,
}

impl Networks {
    pub(super) fn new(config: &GuardConfig) -> Arc<Self> {
        let prefix = prefix(&config.name);
        let network = config.network_text().unwrap_or((Ipv4Addr::UNSPECIFIED, 32));
        let (base, places) = config.subnets().unwrap_or((Ipv4Addr::UNSPECIFIED, 0));
        let firewall = Arc::new(Firewall::new(&config.name, &prefix, network, config.log_group));
        Arc::new(Self {
            firewall,
            group: config.log_group,
            prefix,
            base: u32::from(base),
            places,
            taken: Mutex::default(),
        })
    }

    /// Addresses that nobody has.
    pub(super) fn place(self: &Arc<Self>, id: &str) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let next = taken.next;
        let number =
            (0..self.places).map(|step| (next + step) % self.places).find(|number| !taken.places.contains(number))?;
        taken.places.insert(number);
        taken.next = number + 1;
        Some(Place { networks: Arc::clone(self), number, bridge: format!("{}{id}", self.prefix) })
    }

    /// Hears of dropped packets and of changed rules from now on.
    pub(super) fn watch(&self) -> io::Result<Watch> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let changes = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(NETFILTER))?;
        // NFNLGRP_NFTABLES
        bind(&changes, &SocketAddrNetlink::new(0, 1 << 6))?;
        Ok(Watch { dropped: Dropped::read(Dropped::open(self.group)?)?, changes: polled(changes)? })
    }
}

impl Watch {
    /// Waits until rules changed, anyone's. Cancel-safe.
    pub(super) async fn changed(&self) {
        let drain = |socket: &OwnedFd| {
            let mut buffer = vec![0; 32 << 10];
            match recv(socket, buffer.as_mut_slice(), RecvFlags::empty()) {
                // More changed than the kernel could tell: that says enough.
                Ok(_) | Err(rustix::io::Errno::NOBUFS) => Ok(()),
                Err(error) => Err(error.into()),
            }
        };
        // An error is no reason to look less closely.
        let _told: io::Result<()> = self.changes.async_io(Interest::READABLE, drain).await;
    }
}

impl Place {
    pub(super) fn door(&self) -> Ipv4Addr {
        Ipv4Addr::from(self.networks.base + self.number * 4 + 1)
    }

    pub(super) fn inside(&self) -> Ipv4Addr {
        Ipv4Addr::from(self.networks.base + self.number * 4 + 2)
    }

    /// As the engine writes it.
    pub(super) fn subnet(&self) -> String {
        format!("{}/30", Ipv4Addr::from(self.networks.base + self.number * 4))
    }

    pub(super) fn member(&self) -> Member {
        Member { bridge: self.bridge.clone(), inside: self.inside(), door: self.door() }
    }

    /// Makes the bridge lead nowhere by itself, whatever the rules say; yields its index.
    pub(super) fn seal(&self) -> io::Result<u32> {
        let bridge = &self.bridge;
        fs::write(format!("/proc/sys/net/ipv4/conf/{bridge}/forwarding"), "0")?;
        match fs::write(format!("/proc/sys/net/ipv6/conf/{bridge}/disable_ipv6"), "1") {
            // A kernel without IPv6.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
        let index = rustix::net::netdevice::name_to_index(
            rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None)?,
            bridge,
        )?;
        Ok(index)
    }

    /// Opens the doors on the bridge.
    pub(super) fn listen(&self) -> io::Result<Listeners> {
        let at = |port| SocketAddrV4::new(self.door(), port);
        Ok(Listeners {
            udp: UdpSocket::bind(at(DNS_PORT))?,
            dns: TcpListener::bind(at(DNS_PORT))?,
            edge: TcpListener::bind(at(EDGE_PORT))?,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.networks.taken.lock().unwrap_or_else(PoisonError::into_inner).places.remove(&self.number);
    }
}

/// Removes what still hangs on a bridge whose containers have gone: an engine that was killed while it started one forgets that
/// it had laid a wire to it.
pub(super) async fn cut(bridge: &str) {
    let listed = ip(&["-o", "link", "show", "master", bridge]).await.unwrap_or_default();
    let wires = listed.lines().filter_map(|line| line.split([' ', '@']).nth(1));
    for wire in wires.map(|wire| wire.trim_end_matches(':')) {
        tracing::warn!(bridge, wire, "a wire that an earlier engine left is removed");
        ip(&["link", "delete", wire]).await;
    }
}

/// What iproute2 says. Without it nothing is lost but order: such a wire leads nowhere.
#[expect(clippy::disallowed_methods, reason = "part of the sandbox, and no tool")]
async fn ip(words: &[&str]) -> Option<String> {
    let output = tokio::process::Command::new("ip").args(words).kill_on_drop(true).output().await.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// How the names of a guard's bridges begin. With eight digits for the sandbox they are as long as the kernel lets names be.
pub(super) fn prefix(name: &str) -> String {
    let hash: String = Hash::of(name.as_bytes()).to_string().chars().take(4).collect();
    format!("pc{hash}-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_sandboxes_share_an_address_and_a_name_fits_the_kernel() {
        let config = toml::from_str("uids = []\nimages = []\nnetwork = \"10.9.0.0/24\"").unwrap();
        let networks = Networks::new(&config);
        let places: Vec<Place> = (0..64).map(|_| networks.place("0123abcd").unwrap()).collect();
        assert!(networks.place("0123abcd").is_none());
        let addresses: BTreeSet<_> = places.iter().flat_map(|place| [place.door(), place.inside()]).collect();
        assert_eq!((addresses.len(), places[0].bridge.len()), (128, 15));
        assert_eq!(places[1].subnet(), "10.9.0.4/30");
        drop(places);
        assert!(networks.place("0123abcd").is_some());
    }
}
