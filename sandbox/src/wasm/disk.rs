//! `Room`: how much one call may still write to the folders that it was granted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamError, StreamResult};

/// How much one call may still write. Clones share it.
#[derive(Clone)]
pub(super) struct Room(Arc<AtomicU64>);

/// What a new name costs, whatever is in it: file systems run out of names before they run out of bytes.
pub(super) const NAME: u64 = 4096;

impl Room {
    pub(super) fn new(bytes: u64) -> Self {
        Self(Arc::new(AtomicU64::new(bytes)))
    }

    /// Takes so many bytes.
    ///
    /// # Errors
    /// `insufficient-space`, and then nothing is taken.
    pub(super) fn take(&self, bytes: u64) -> Result<(), ErrorCode> {
        let less = |left: u64| left.checked_sub(bytes);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .map(drop)
            .map_err(|_| ErrorCode::InsufficientSpace)
    }

    /// A stream that takes what is written to it.
    pub(super) fn meter(&self, stream: DynOutputStream) -> DynOutputStream {
        Box::new(Metered { stream, room: self.clone() })
    }
}

struct Metered {
    stream: DynOutputStream,
    room: Room,
}

impl OutputStream for Metered {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let full = |_| StreamError::LastOperationFailed(std::io::Error::from(rustix::io::Errno::NOSPC).into());
        self.room.take(bytes.len() as u64).map_err(full)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.stream.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.stream.check_write()
    }
}

#[async_trait]
impl Pollable for Metered {
    async fn ready(&mut self) {
        self.stream.ready().await;
    }
}
