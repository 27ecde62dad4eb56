//! What gateway and helper say to each other over the inherited socket: one length, one JSON value, and open files.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A jail has a few dozen mounts and an environment; this is far more.
const LONGEST: usize = 4 << 20;

/// The most open files that come with one value: three for names and the log, and one for each port.
pub(super) const MOST: usize = 64;

/// Sends one value, and these files with it.
pub(super) fn send(mut socket: &UnixStream, value: &impl Serialize, files: &[BorrowedFd<'_>]) -> io::Result<()> {
    let body = body(value)?;
    send_length(socket, body.len(), files)?;
    socket.write_all(&body)
}

/// Receives one value and its files. Reads not a byte further: what follows may be for someone else.
pub(super) fn receive<T: DeserializeOwned>(mut socket: &UnixStream) -> io::Result<(T, Vec<OwnedFd>)> {
    let (length, files) = receive_length(socket)?;
    let mut body = vec![0; length];
    socket.read_exact(&mut body)?;
    Ok((serde_json::from_slice(&body)?, files))
}

/// A value as it is sent.
pub(super) fn body(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let body = serde_json::to_vec(value)?;
    if body.len() <= LONGEST { Ok(body) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// The length goes first, and the files with it: whoever reads a length has them.
pub(super) fn send_length(socket: impl AsFd, length: usize, files: &[BorrowedFd<'_>]) -> io::Result<()> {
    let length = u32::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() && !control.push(SendAncillaryMessage::ScmRights(files)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let sent = sendmsg(socket, &[IoSlice::new(&length.to_be_bytes())], &mut control, SendFlags::NOSIGNAL)?;
    if sent == 4 { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// The length of what follows, and the files that came with it.
pub(super) fn receive_length(socket: impl AsFd) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut length = [0; 4];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::WAITALL;
    let received = recvmsg(socket, &mut [IoSliceMut::new(&mut length)], &mut control, flags)?;
    let mut files = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            files.extend(rights);
        }
    }
    // Four bytes that were sent at once arrive at once.
    if received.bytes != 4 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length <= LONGEST { Ok((length, files)) } else { Err(io::ErrorKind::InvalidData.into()) }
}
