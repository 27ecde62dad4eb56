//! A container's output as the engine frames it, taken apart again.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc;

/// What the container writes to its standard output; what it writes to its standard error goes elsewhere, or nowhere where
/// that is full.
pub(super) struct Stdout<R> {
    framed: R,
    head: [u8; HEAD],
    filled: usize,
    /// Bytes of this frame that were not read yet.
    left: usize,
    errors: Option<mpsc::Sender<Bytes>>,
}

/// The kind of stream, three zeros, the frame's length.
const HEAD: usize = 8;

/// How much is read of an error frame at a time.
const PIECE: usize = 8192;

/// How many pieces of standard error wait. A tool that floods it loses words there, and nothing else.
const WAITING: usize = 32;

const STDERR: u8 = 2;

/// Takes a framed stream apart.
pub(super) fn demux<R: AsyncRead + Unpin>(framed: R) -> (Stdout<R>, Stderr) {
    let (errors, from) = mpsc::channel(WAITING);
    (Stdout { framed, head: [0; HEAD], filled: 0, left: 0, errors: Some(errors) }, Stderr { from, piece: Bytes::new() })
}

impl<R: AsyncRead + Unpin> AsyncRead for Stdout<R> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if this.left == 0 && !ready!(this.poll_head(context))? {
                this.errors = None;
                return Poll::Ready(Ok(()));
            }
            if this.left == 0 {
                continue;
            }
            if this.head.first() == Some(&STDERR) {
                if !ready!(this.poll_error(context))? {
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            // Never past the frame: what follows is the next head.
            let mut part = to.take(this.left);
            ready!(Pin::new(&mut this.framed).poll_read(context, &mut part))?;
            let bytes = part.filled().to_vec();
            to.put_slice(&bytes);
            this.left -= bytes.len();
            return Poll::Ready(Ok(()));
        }
    }
}

impl<R: AsyncRead + Unpin> Stdout<R> {
    /// Reads the next frame's head; `false` at the end.
    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            let mut part = ReadBuf::new(self.head.get_mut(self.filled..).unwrap_or_default());
            ready!(Pin::new(&mut self.framed).poll_read(context, &mut part))?;
            match part.filled().len() {
                0 => return Poll::Ready(Ok(false)),
                length => self.filled += length,
            }
            if self.filled == HEAD {
                let [_, _, _, _, a, b, c, d] = self.head;
                self.filled = 0;
                self.left = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
                return Poll::Ready(Ok(true));
            }
        }
    }

    /// Reads some of an error frame; `false` at the end.
    fn poll_error(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut piece = BytesMut::zeroed(self.left.min(PIECE));
        let mut part = ReadBuf::new(&mut piece);
        ready!(Pin::new(&mut self.framed).poll_read(context, &mut part))?;
        let length = part.filled().len();
        piece.truncate(length);
        self.left -= length;
        if let Some(errors) = &self.errors {
            errors.try_send(piece.freeze()).ok();
        }
        Poll::Ready(Ok(length > 0))
    }
}

/// What the container writes to its standard error.
pub(super) struct Stderr {
    from: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl AsyncRead for Stderr {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.piece.is_empty() {
            match ready!(self.from.poll_recv(context)) {
                Some(piece) => self.piece = piece,
                None => return Poll::Ready(Ok(())),
            }
        }
        let length = self.piece.len().min(to.remaining());
        to.put_slice(self.piece.get(..length).unwrap_or_default());
        self.piece.advance(length);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    fn frame(kind: u8, text: &str) -> Vec<u8> {
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&[kind, 0, 0, 0], length.as_slice(), text.as_bytes()].concat()
    }

    #[tokio::test]
    async fn output_and_errors_are_told_apart_however_they_are_cut() {
        let whole = [frame(1, "one"), frame(2, "oops"), frame(1, ""), frame(1, " two")].concat();
        for cut in 1..whole.len() {
            let (first, second) = whole.split_at(cut);
            let (mut out, mut err) = demux(tokio::io::AsyncReadExt::chain(first, second));
            let (mut stdout, mut stderr) = (String::new(), String::new());
            out.read_to_string(&mut stdout).await.unwrap();
            err.read_to_string(&mut stderr).await.unwrap();
            assert_eq!((stdout.as_str(), stderr.as_str()), ("one two", "oops"), "{cut}");
        }
    }
}
