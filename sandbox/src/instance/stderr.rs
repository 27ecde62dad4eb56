//! A server's standard error, to the log: bounded in length and rate.

use std::time::Duration;

use audit::Tail;
use policies::ServerName;
use tokio::io::{AsyncBufReadExt, BufReader};

use tokio::time::Instant;

use super::Output;
use super::split::{Piece, Splitter};
use crate::allowance::Allowance;

/// Longer lines are left out.
const LINE: usize = 4096;
/// More lines per second are counted, not shown.
const LINES: u32 = 50;
/// More bytes per second wait in the pipe.
const BYTES: u32 = 1 << 20;

/// Copies lines until the stream ends. At `debug`: a server may well write arguments there, and the log at its usual
/// level must hold none.
pub(crate) async fn copy(server: ServerName, stderr: Output, tail: Option<Tail>) {
    let mut reader = BufReader::new(stderr);
    let mut splitter = Splitter::new(LINE);
    let mut log = Log { server, tail, lines: Allowance::new(LINES, Instant::now()), left_out: 0 };
    let mut bytes = Allowance::new(BYTES, Instant::now());
    while let Ok(chunk) = reader.fill_buf().await {
        let length = chunk.len();
        if length == 0 {
            break;
        }
        splitter.feed(chunk, &mut |piece| log.piece(piece));
        reader.consume(length);
        tokio::time::sleep(bytes.spend(length, Instant::now())).await;
    }
}

struct Log {
    server: ServerName,
    /// `None` where nobody keeps secrets.
    tail: Option<Tail>,
    lines: Allowance,
    left_out: u64,
}

impl Log {
    fn piece(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Line(line) => self.line(&String::from_utf8_lossy(line)),
            Piece::Oversized(_) => self.line("(a line that is too long)"),
            Piece::Endless => {}
        }
    }

    fn line(&mut self, text: &str) {
        let now = Instant::now();
        // Also lines that are left out: what is split over them must be known again.
        let text = self.tail.as_mut().map_or_else(|| text.to_owned(), |tail| tail.word(text));
        if self.lines.owed(now) > Duration::ZERO {
            self.left_out += 1;
            return;
        }
        self.lines.spend(1, now);
        // `?` escapes control characters: a server must not write to the operator's terminal.
        tracing::debug!(server = %self.server, stderr = ?text, left_out = std::mem::take(&mut self.left_out));
    }
}
