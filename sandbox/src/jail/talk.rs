//! The gateway's side of the socket to a helper.

use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use audit::{Failure, FailureKind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio_util::task::TaskTracker;

use super::drops::Drops;
use super::spec::{Doors, Said};
use super::wire;
use crate::egress::denied::Dropped;
use crate::egress::{DestinationOf, Exit};

/// There is no jail, so nothing runs.
pub(super) fn no_jail(why: &impl std::fmt::Display) -> Failure {
    let detail = format!("its jail cannot be made: {why} (`portcullis doctor` says what is missing)");
    Failure { kind: FailureKind::NoSandbox, detail }
}

/// Sends one value, and these files with it.
pub(super) async fn send(socket: &mut UnixStream, value: &impl Serialize, files: &[BorrowedFd<'_>]) -> io::Result<()> {
    let body = wire::body(value)?;
    socket.async_io(Interest::WRITABLE, || wire::send_length(&*socket, body.len(), files)).await?;
    socket.write_all(&body).await
}

/// Receives one value and its files. Not cancel-safe.
pub(super) async fn receive<T: DeserializeOwned>(socket: &mut UnixStream) -> io::Result<(T, Vec<OwnedFd>)> {
    let (length, files) = socket.async_io(Interest::READABLE, || wire::receive_length(&*socket)).await?;
    let mut body = vec![0; length];
    socket.read_exact(&mut body).await?;
    Ok((serde_json::from_slice(&body)?, files))
}

/// What the helper says once the program runs; no files come with it.
pub(super) async fn hear(socket: &OwnedReadHalf) -> io::Result<Said> {
    let ready = || async {
        socket.readable().await?;
        Ok::<_, io::Error>(())
    };
    let length = loop {
        ready().await?;
        match socket.as_ref().try_io(Interest::READABLE, || wire::receive_length(socket.as_ref())) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            length => break length?.0,
        }
    };
    let mut body = vec![0; length];
    let mut filled = 0;
    while let Some(rest) = body.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        ready().await?;
        match socket.try_read(rest) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(serde_json::from_slice(&body)?)
}

/// What was opened inside the jail's network, to be listened at from here.
pub(super) struct Opened {
    doors: Doors,
    files: Vec<OwnedFd>,
}

impl Opened {
    pub(super) fn new(doors: Doors, files: Vec<OwnedFd>) -> Self {
        Self { doors, files }
    }

    /// Hands it to the edge. Yields what is to be told before a call is closed.
    pub(super) fn serve(self, exit: &Arc<Exit>, tasks: &TaskTracker) -> io::Result<Option<Arc<Drops>>> {
        let mut files = self.files.into_iter();
        let mut next = || files.next().ok_or(io::ErrorKind::UnexpectedEof);
        let names = (datagrams(next()?)?, listener(next()?)?);
        let tcp: Vec<_> = (0..self.doors.listeners).map(|_| listener(next()?)).collect::<io::Result<_>>()?;
        let mut drops = None;
        if self.doors.redirected {
            let watched = Drops::new(Dropped::read(next()?)?, exit);
            tasks.spawn(Arc::clone(&watched).watch());
            drops = Some(watched);
        }
        let destination = if self.doors.redirected { DestinationOf::Redirected } else { DestinationOf::LocalAddress };
        exit.serve(crate::egress::Doors { dns: Some(names), tcp, destination, proxy: None });
        Ok(drops)
    }
}

fn datagrams(file: OwnedFd) -> io::Result<tokio::net::UdpSocket> {
    let socket = UdpSocket::from(file);
    socket.set_nonblocking(true)?;
    tokio::net::UdpSocket::from_std(socket)
}

fn listener(file: OwnedFd) -> io::Result<tokio::net::TcpListener> {
    let listener = TcpListener::from(file);
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener)
}
