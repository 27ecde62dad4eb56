//! `Wire`: whole messages, each with the sockets that belong to it, over a Unix socket of the sequenced-packet kind.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, listen,
    recvmsg, sendmsg, socket_with,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::polled::polled;

/// The longest message. Below the kernel's default for a socket's buffer, so that none is refused for its length.
const LONGEST: usize = 128 << 10;

/// The most sockets that one message carries.
pub(crate) const FDS: usize = 4;

/// One end of a connection. The kernel keeps messages apart and sockets with their message.
pub(crate) struct Wire {
    socket: AsyncFd<OwnedFd>,
}

/// A socket that waits for connections.
pub(super) struct Door {
    socket: AsyncFd<OwnedFd>,
}

const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

impl Door {
    /// Listens at a path.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, FLAGS, None)?;
        bind(&socket, &SocketAddrUnix::new(path)?)?;
        listen(&socket, 16)?;
        Ok(Self { socket: polled(socket)? })
    }

    /// Waits for the next connection. Cancel-safe.
    pub(super) async fn accept(&self) -> io::Result<Wire> {
        let accepted = self.socket.async_io(Interest::READABLE, |socket| Ok(accept_with(socket, FLAGS)?)).await?;
        Ok(Wire { socket: polled(accepted)? })
    }
}

impl Wire {
    /// Connects to a path.
    pub(crate) fn connect(path: &Path) -> io::Result<Self> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, FLAGS, None)?;
        connect(&socket, &SocketAddrUnix::new(path)?)?;
        Ok(Self { socket: polled(socket)? })
    }

    /// Sends a message. Cancel-safe: it is sent whole, or not at all.
    pub(crate) async fn send(&self, message: &impl Serialize, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = serde_json::to_vec(message)?;
        let send = |socket: &OwnedFd| {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
                return Err(io::Error::other("too many sockets for one message"));
            }
            sendmsg(socket, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL)?;
            Ok(())
        };
        self.socket.async_io(Interest::WRITABLE, send).await
    }

    /// Waits for a message; `None` at the end. Cancel-safe.
    ///
    /// # Errors
    /// Also where a message is too long or makes no sense: then nothing that follows can be trusted.
    pub(crate) async fn receive<M: DeserializeOwned>(&self) -> io::Result<Option<(M, Vec<OwnedFd>)>> {
        let (bytes, fds) = self.socket.async_io(Interest::READABLE, receive).await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        Ok(Some((serde_json::from_slice(&bytes)?, fds)))
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn receive(socket: &OwnedFd) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut bytes = vec![0; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message was too long"));
    }
    bytes.truncate(received.bytes);
    Ok((bytes, fds))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pair(folder: &Path) -> (Door, Wire) {
        let path = folder.join("s");
        let door = Door::open(&path).unwrap();
        (door, Wire::connect(&path).unwrap())
    }

    #[tokio::test]
    async fn a_message_arrives_whole_with_its_sockets() {
        let folder = tempfile::tempdir().unwrap();
        let (door, client) = pair(folder.path());
        let server = door.accept().await.unwrap();
        let (one, two) = std::os::unix::net::UnixStream::pair().unwrap();
        server.send(&json!({"a": 1}), &[one.as_fd(), two.as_fd()]).await.unwrap();
        server.send(&json!({"b": 2}), &[]).await.unwrap();
        let (first, fds) = client.receive::<Value>().await.unwrap().unwrap();
        assert_eq!((first, fds.len()), (json!({"a": 1}), 2));
        let (second, fds) = client.receive::<Value>().await.unwrap().unwrap();
        assert_eq!((second, fds.len()), (json!({"b": 2}), 0));
        drop(server);
        assert!(client.receive::<Value>().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn more_sockets_than_are_ever_sent_end_the_connection() {
        let folder = tempfile::tempdir().unwrap();
        let (door, client) = pair(folder.path());
        let server = door.accept().await.unwrap();
        let (one, _two) = std::os::unix::net::UnixStream::pair().unwrap();
        let many = [one.as_fd(); 9];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(9))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&many)));
        sendmsg(&client, &[IoSlice::new(b"{}")], &mut control, SendFlags::NOSIGNAL).unwrap();
        assert!(server.receive::<Value>().await.is_err());
    }
}
