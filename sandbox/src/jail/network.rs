//! The jail's own network: a loopback that every address leads to, and the doors that the gateway listens at.
//!
//! Whatever the program connects to is local here, so it arrives at a listener of ours or nowhere. The listeners are made
//! while this process still may, and passed to the gateway, which reads what comes in from outside of this network. With a
//! firewall in it every TCP port is redirected to one listener, and what is not TCP is dropped and told.

use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

use super::spec::{DROPPED, Doorway, RESOLVER, Step, Stuck};
use crate::egress::denied::Dropped;

/// What was opened in the jail's network, for the gateway.
pub(super) struct Open {
    pub(super) names: (UdpSocket, TcpListener),
    pub(super) listeners: Vec<TcpListener>,
    /// Where the firewall tells what it dropped, if there is one.
    pub(super) dropped: Option<OwnedFd>,
}

impl Open {
    /// In the order of [`Doors`](super::spec::Doors).
    pub(super) fn files(&self) -> Vec<BorrowedFd<'_>> {
        let names = [self.names.0.as_fd(), self.names.1.as_fd()];
        let listeners = self.listeners.iter().map(AsFd::as_fd);
        names.into_iter().chain(listeners).chain(self.dropped.as_ref().map(AsFd::as_fd)).collect()
    }
}

/// Opens the doors.
pub(super) fn open(doorway: &Doorway) -> Result<Open, Stuck> {
    lead_here().step("routes of its own")?;
    let resolver = SocketAddr::from((RESOLVER, 53));
    let names = UdpSocket::bind(resolver).and_then(|udp| Ok((udp, TcpListener::bind(resolver)?))).step("a resolver")?;
    if let Some(nft) = &doorway.nft {
        let any = listen(0).step("a door")?;
        let port = any.first().and_then(|listener| listener.local_addr().ok()).map_or(0, |at| at.port());
        if redirect(nft, port).is_ok() {
            let dropped = Dropped::open(DROPPED).step("what the firewall drops")?;
            return Ok(Open { names, listeners: any, dropped: Some(dropped) });
        }
    }
    let listeners: Result<Vec<_>, _> = doorway.ports.iter().map(|port| listen(*port)).collect();
    Ok(Open { names, listeners: listeners.step("a door")?.into_iter().flatten().collect(), dropped: None })
}

/// One listener for both families: the second is there where the kernel has it.
fn listen(port: u16) -> io::Result<Vec<TcpListener>> {
    let both = TcpListener::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
    Ok(vec![both.or_else(|_| TcpListener::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))))?])
}

/// A firewall that sends all TCP to one port and drops the rest, telling of it.
#[expect(clippy::disallowed_methods, reason = "the system's own program for its rules; nothing of the tool runs yet")]
fn redirect(nft: &Path, port: u16) -> io::Result<()> {
    let mut running =
        Command::new(nft).args(["-f", "-"]).env_clear().stdin(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    if let Some(mut stdin) = running.stdin.take() {
        stdin.write_all(rules(port).as_bytes())?;
    }
    if running.wait()?.success() { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
}

fn rules(port: u16) -> String {
    format!(
        "table inet portcullis {{
            chain aside {{
                type nat hook output priority -100; policy accept;
                ip daddr {RESOLVER} tcp dport 53 accept
                meta l4proto tcp redirect to :{port}
            }}
            chain out {{
                type filter hook output priority 0; policy drop;
                meta l4proto tcp accept
                ip daddr {RESOLVER} udp dport 53 accept
                ip saddr {RESOLVER} udp sport 53 accept
                meta l4proto icmpv6 icmpv6 type {{ nd-router-solicit, nd-neighbor-solicit, mld2-listener-report }} drop
                log group {DROPPED}
            }}
        }}"
    )
}

/// Makes every address a local one.
fn lead_here() -> io::Result<()> {
    let link = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    ask(&link, NEW_LINK, 0, &[0u8.to_ne_bytes().as_slice(), &[0; 3], &1u32.to_ne_bytes(), &UP, &UP].concat())?;
    ask(&link, NEW_ROUTE, CREATE, &everything(AF_INET))?;
    // A kernel without IPv6 leads nowhere in it.
    ask(&link, NEW_ROUTE, CREATE, &everything(AF_INET6)).ok();
    Ok(())
}

const NEW_LINK: u16 = 16;
const NEW_ROUTE: u16 = 24;
const REQUEST_ACK: u16 = 5;
const CREATE: u16 = 0x400;
const UP: [u8; 4] = 1u32.to_ne_bytes();
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// `ip route add local default dev lo table local`
fn everything(family: u8) -> Vec<u8> {
    const LOCAL_TABLE: u8 = 255;
    const BOOT: u8 = 3;
    const HOST_SCOPE: u8 = 254;
    const LOCAL: u8 = 2;
    const OUT_INTERFACE: u16 = 4;
    let scope = if family == AF_INET { HOST_SCOPE } else { 0 };
    let route = [family, 0, 0, 0, LOCAL_TABLE, BOOT, scope, LOCAL, 0, 0, 0, 0];
    [route.as_slice(), &attribute(OUT_INTERFACE, &1u32.to_ne_bytes())].concat()
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    let mut bytes = [length.to_ne_bytes().as_slice(), &kind.to_ne_bytes(), value].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// One request to the kernel, acknowledged.
fn ask(link: &OwnedFd, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len() + 16).unwrap_or(u32::MAX);
    let kinds = [kind.to_ne_bytes(), (REQUEST_ACK | flags).to_ne_bytes()].concat();
    let message = [length.to_ne_bytes().as_slice(), &kinds, &[0; 8], body].concat();
    send(link, &message, SendFlags::empty())?;
    let mut answer = [0; 512];
    let (_, length) = recv(link, &mut answer[..], RecvFlags::empty())?;
    // After the header an acknowledgement has an error number, which is 0.
    let code = answer.get(..length).and_then(|answer| answer.get(16..20)).and_then(|code| code.try_into().ok());
    match code.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(error) => Err(io::Error::from_raw_os_error(-error)),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_ends_where_the_next_can_begin() {
        assert_eq!(attribute(1, &[7]).len(), 8);
        assert_eq!(attribute(1, &[7; 4]).len(), 8);
        assert_eq!(everything(AF_INET).len(), 20);
    }

    #[test]
    fn nothing_but_tcp_and_names_gets_out() {
        let rules = rules(4321);
        assert!(rules.contains("policy drop") && rules.contains("redirect to :4321") && rules.contains("log group 77"));
    }
}
