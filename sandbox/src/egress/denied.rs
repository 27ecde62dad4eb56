//! What the firewall dropped, as the kernel tells it: netfilter log messages, whose payload a hostile tool wrote.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

use rustix::net::netlink::{NETFILTER, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, send, socket_with};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::Packet;
use crate::polled::polled;

/// A packet that was dropped.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Denied {
    /// The index of the interface that it came in by: no sender can choose it.
    pub(crate) interface: u32,
    /// What it says of where it is from.
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    /// The protocol's number (6 is TCP).
    pub(crate) protocol: u8,
    /// Of protocols that have ports.
    pub(crate) port: Option<u16>,
}

impl Denied {
    /// The same, as the edge records it.
    pub(crate) fn packet(&self) -> Packet {
        Packet { protocol: self.protocol, to: self.destination, port: self.port }
    }
}

/// The packets that rules with one log group dropped, in one network namespace.
pub(crate) struct Dropped {
    socket: AsyncFd<OwnedFd>,
}

/// A burst of this many bytes is kept until it is read.
const BUFFER: usize = 8 << 20;

/// As much of each packet as tells where it was to go.
const SNAP: u32 = 128;

impl Dropped {
    /// Opens the log of a group in this thread's network namespace. Needs `CAP_NET_ADMIN` there.
    pub(crate) fn open(group: u16) -> io::Result<OwnedFd> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(NETFILTER))?;
        bind(&socket, &SocketAddrNetlink::new(0, 0))?;
        // Root of another namespace may not go beyond the system's limit; then a shorter burst is kept.
        rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER)
            .or_else(|_| rustix::net::sockopt::set_socket_recv_buffer_size(&socket, BUFFER))?;
        for attribute in [attribute(1, &[1]), attribute(2, &mode()), attribute(5, &1_u32.to_be_bytes())] {
            configure(&socket, group, &attribute)?;
        }
        Ok(socket)
    }

    /// The same log, read from this runtime.
    pub(crate) fn read(socket: OwnedFd) -> io::Result<Self> {
        Ok(Self { socket: polled(socket)? })
    }

    /// Waits for packets. Cancel-safe.
    pub(crate) async fn next(&self) -> io::Result<Vec<Denied>> {
        let read = |socket: &OwnedFd| {
            let mut buffer = vec![0; 64 << 10];
            let (length, _) = recv(socket, buffer.as_mut_slice(), RecvFlags::empty())?;
            buffer.truncate(length);
            Ok(packets(&buffer))
        };
        match self.socket.async_io(Interest::READABLE, read).await {
            // More was dropped than could be kept: what follows is still true.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOBUFS.raw_os_error()) => Ok(Vec::new()),
            other => other,
        }
    }
}

impl Dropped {
    /// Waits until there is something to read with [`Self::now`]. Cancel-safe.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await?.clear_ready();
        Ok(())
    }

    /// What is there now, without waiting.
    pub(crate) fn now(&self) -> Vec<Denied> {
        let mut buffer = vec![0; 64 << 10];
        let mut found = Vec::new();
        for _ in 0..MOST {
            match recv(self.socket.get_ref(), buffer.as_mut_slice(), RecvFlags::DONTWAIT) {
                Ok((length, _)) => found.extend(packets(buffer.get(..length).unwrap_or_default())),
                // More was dropped than could be kept: what follows is still true.
                Err(rustix::io::Errno::NOBUFS | rustix::io::Errno::INTR) => {}
                Err(_) => break,
            }
        }
        found
    }
}

/// A flood must not keep whoever reads it from everything else.
const MOST: usize = 4096;

/// Copies the packet's beginning into the message.
fn mode() -> [u8; 6] {
    let [a, b, c, d] = SNAP.to_be_bytes();
    [a, b, c, d, 2, 0]
}

/// One netlink attribute, padded.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

const LOG: u16 = 4 << 8;
const CONFIGURE: u16 = LOG | 1;
const REQUEST_AND_ACK: u16 = 1 | 4;
const ERROR: u16 = 2;

fn configure(socket: &OwnedFd, group: u16, attribute: &[u8]) -> io::Result<()> {
    let mut message = Vec::new();
    let length = u32::try_from(20 + attribute.len()).unwrap_or(u32::MAX);
    message.extend_from_slice(&length.to_ne_bytes());
    message.extend_from_slice(&CONFIGURE.to_ne_bytes());
    message.extend_from_slice(&REQUEST_AND_ACK.to_ne_bytes());
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(&[0, 0]);
    message.extend_from_slice(&group.to_be_bytes());
    message.extend_from_slice(attribute);
    send(socket, &message, SendFlags::empty())?;
    acknowledged(socket)
}

/// Reads until the kernel has said whether it took the last message; it answers before `send` returns.
fn acknowledged(socket: &OwnedFd) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let (length, _) = recv(socket, buffer.as_mut_slice(), RecvFlags::empty())?;
        let Some(message) = buffer.get(..length) else { continue };
        if u16_at(message, 4) == Some(ERROR) {
            return match i32::from_ne_bytes(array(message, 16).unwrap_or([0xff; 4])) {
                0 => Ok(()),
                code => Err(io::Error::from_raw_os_error(-code)),
            };
        }
    }
}

/// The packets in what one read gave. Whatever does not read as one is left out: the sender of a packet chooses its bytes.
pub(crate) fn packets(mut messages: &[u8]) -> Vec<Denied> {
    let mut found = Vec::new();
    while let Some(length) = array(messages, 0).map(u32::from_ne_bytes).and_then(|length| usize::try_from(length).ok())
    {
        let Some(message) = messages.get(..length).filter(|message| message.len() >= 20) else { break };
        if u16_at(message, 4) == Some(LOG) {
            found.extend(packet(message.get(20..).unwrap_or_default()));
        }
        messages = messages.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

fn packet(attributes: &[u8]) -> Option<Denied> {
    let (mut interface, mut payload) = (0, None);
    for (kind, value) in Attributes(attributes) {
        match kind {
            4 => interface = u32::from_be_bytes(array(value, 0)?),
            9 => payload = Some(value),
            _ => {}
        }
    }
    let bytes = payload?;
    match bytes.first()? >> 4 {
        4 => v4(interface, bytes),
        6 => v6(interface, bytes),
        _ => None,
    }
}

fn v4(interface: u32, bytes: &[u8]) -> Option<Denied> {
    let header = usize::from(bytes.first()? & 0xf) * 4;
    let protocol = *bytes.get(9)?;
    let source = IpAddr::V4(Ipv4Addr::from(array::<4>(bytes, 12)?));
    let destination = IpAddr::V4(Ipv4Addr::from(array::<4>(bytes, 16)?));
    // Only a first fragment has ports.
    let first = u16::from_be_bytes(array(bytes, 6)?).trailing_zeros() >= 13;
    let port = if first { port(protocol, bytes.get(header..)?) } else { None };
    Some(Denied { interface, source, destination, protocol, port })
}

fn v6(interface: u32, bytes: &[u8]) -> Option<Denied> {
    // Extension headers are not followed: then the protocol is the first one's number, which is true as well.
    let protocol = *bytes.get(6)?;
    let source = IpAddr::V6(Ipv6Addr::from(array::<16>(bytes, 8)?));
    let destination = IpAddr::V6(Ipv6Addr::from(array::<16>(bytes, 24)?));
    Some(Denied { interface, source, destination, protocol, port: port(protocol, bytes.get(40..)?) })
}

fn port(protocol: u8, segment: &[u8]) -> Option<u16> {
    // TCP, UDP, DCCP, SCTP, UDP-Lite
    matches!(protocol, 6 | 17 | 33 | 132 | 136).then(|| array(segment, 2).map(u16::from_be_bytes)).flatten()
}

struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::from(u16_at(self.0, 0)?);
        let kind = u16_at(self.0, 2)? & 0x3fff;
        let value = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(payload: &[u8]) -> Vec<u8> {
        let mut body = vec![2, 0, 0, 9];
        body.extend(attribute(10, b"portcullis\0"));
        body.extend(attribute(4, &7_u32.to_be_bytes()));
        body.extend(attribute(9, payload));
        let mut message = Vec::new();
        message.extend_from_slice(&u32::try_from(16 + body.len()).unwrap().to_ne_bytes());
        message.extend_from_slice(&LOG.to_ne_bytes());
        message.extend_from_slice(&[0; 10]);
        message.extend(body);
        message
    }

    fn udp() -> Vec<u8> {
        let mut bytes = vec![0x45, 0, 0, 29, 0, 0, 0, 0, 64, 17, 0, 0, 10, 213, 0, 2, 198, 51, 100, 9];
        bytes.extend([0x30, 0x39, 0x27, 0x0f, 0, 9, 0, 0, b'x']);
        bytes
    }

    #[test]
    fn a_dropped_datagram_tells_where_it_was_to_go() {
        let two = [message(&udp()), message(&udp())].concat();
        let found = packets(&two);
        let expected = Denied {
            interface: 7,
            source: "10.213.0.2".parse().unwrap(),
            destination: "198.51.100.9".parse().unwrap(),
            protocol: 17,
            port: Some(9999),
        };
        assert_eq!(found, [expected.clone(), expected]);
    }

    #[test]
    fn a_later_fragment_has_no_port() {
        let mut fragment = udp();
        fragment[7] = 1;
        assert_eq!(packets(&message(&fragment))[0].port, None);
    }

    #[test]
    fn no_cut_and_no_changed_byte_makes_more_of_it_than_a_packet() {
        let whole = message(&udp());
        for end in 0..whole.len() {
            assert!(packets(&whole[..end]).len() <= 1);
        }
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                assert!(packets(&changed).len() <= 1);
            }
        }
        assert!(packets(&[0; 64]).is_empty());
    }
}
