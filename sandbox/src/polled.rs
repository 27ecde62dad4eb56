//! Sockets of kinds that the runtime has no type for, waited for by it all the same.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;

/// A socket that the runtime waits for. It must not block.
#[expect(
    deprecated,
    reason = "its successor is unsafe for types that may change their descriptor; an `OwnedFd` keeps its own to the end"
)]
pub(crate) fn polled(socket: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(socket)
}
