//! `Stream`: one side of a connection, which ends with the call, is counted, and can be looked into before it is read.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, ReadBuf};
use tokio::net::TcpStream;

use super::grant::Grant;
use super::ledger::Flow;

/// One side of a connection.
pub(super) struct Stream {
    tcp: TcpStream,
    /// Read already, and not taken yet.
    ahead: BytesMut,
    grant: Arc<Grant>,
    counted: Counted,
}

/// Whether what passes here is counted, and as what.
enum Counted {
    /// What is read, the tool sent.
    AsTool(Arc<Flow>),
    /// What is read, the world sent.
    AsWorld(Arc<Flow>),
    Elsewhere,
}

impl Counted {
    fn read(&self, bytes: usize) {
        match self {
            Self::AsTool(flow) => flow.sent(bytes),
            Self::AsWorld(flow) => flow.received(bytes),
            Self::Elsewhere => {}
        }
    }

    fn written(&self, bytes: usize) {
        match self {
            Self::AsTool(flow) => flow.received(bytes),
            Self::AsWorld(flow) => flow.sent(bytes),
            Self::Elsewhere => {}
        }
    }
}

/// What is carried at once, each way. Together with the bound on connections it bounds the memory of a call.
const CHUNK: usize = 64 * 1024;

impl Stream {
    /// The tool's side.
    pub(super) fn near(tcp: TcpStream, grant: Arc<Grant>, flow: Arc<Flow>) -> Self {
        tcp.set_nodelay(true).ok();
        Self { tcp, ahead: BytesMut::new(), grant, counted: Counted::AsTool(flow) }
    }

    /// The world's side.
    pub(super) fn far(tcp: TcpStream, grant: Arc<Grant>) -> Self {
        Self { tcp, ahead: BytesMut::new(), grant, counted: Counted::Elsewhere }
    }

    /// The same, where no tool's side is counted: a guest has no socket.
    pub(super) fn counted(self, flow: &Arc<Flow>) -> Self {
        Self { counted: Counted::AsWorld(Arc::clone(flow)), ..self }
    }

    /// What was read ahead.
    pub(super) fn ahead(&self) -> &[u8] {
        &self.ahead
    }

    /// Takes the first bytes of what was read ahead.
    pub(super) fn take(&mut self, length: usize) -> BytesMut {
        self.ahead.split_to(length.min(self.ahead.len()))
    }

    /// Reads more ahead; `false` at the end. Cancel-safe.
    pub(super) async fn look(&mut self) -> io::Result<bool> {
        self.ahead.reserve(4096);
        let read = self.tcp.read_buf(&mut self.ahead).await?;
        self.counted.read(read);
        Ok(read > 0)
    }

    /// Ends the connection so that the tool notices: with a reset.
    pub(super) fn reset(self) {
        self.tcp.set_zero_linger().ok();
    }

    /// Whatever this side does after the call's end, not one more byte passes: the task that carries it may still be
    /// running on another thread when the exit closes.
    fn open(&self) -> io::Result<()> {
        if self.grant.is_closed() { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.open()?;
        if self.ahead.has_remaining() {
            let length = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead.split_to(length));
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.tcp).poll_read(cx, buffer);
        self.counted.read(buffer.filled().len() - before);
        polled
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.open()?;
        let polled = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        if let Poll::Ready(Ok(written)) = &polled {
            self.counted.written(*written);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

/// Carries bytes both ways until both have ended; an end is passed on. A slow reader slows its writer down.
pub(super) async fn join<N, F>(near: N, far: F) -> io::Result<()>
where
    N: AsyncRead + AsyncWrite,
    F: AsyncRead + AsyncWrite,
{
    let ((near_reader, near_writer), (far_reader, far_writer)) = (tokio::io::split(near), tokio::io::split(far));
    tokio::try_join!(carry(near_reader, far_writer), carry(far_reader, near_writer)).map(|_| ())
}

/// Carries bytes one way.
pub(super) async fn carry<R: AsyncRead, W: AsyncWrite>(reader: R, writer: W) -> io::Result<()> {
    tokio::pin!(reader, writer);
    tokio::io::copy_buf(&mut BufReader::with_capacity(CHUNK, reader), &mut writer).await?;
    writer.shutdown().await
}
