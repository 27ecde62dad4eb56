//! The one task that reads what a child says, in bounded memory and at a bounded rate.

use std::time::Duration;

use crate::instance::Output;
use audit::{Failure, FailureKind};
use policies::Limits as JsonLimits;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Wire;
use crate::allowance::Allowance;
use crate::instance::split::{Piece, Splitter};
use crate::limits::Limits;
use crate::mcp::{Ask, Complaint, Message, Reply, Taken};

/// Reads what a child says.
pub(super) struct Reader {
    wire: Wire,
    splitter: Splitter,
    json: JsonLimits,
    unsolicited: Allowance,
    tasks: TaskTracker,
    breaks: watch::Sender<Option<String>>,
}

/// What nobody asked for is read at this many messages a second; the rest waits in the pipe and so with the child.
const UNSOLICITED: u32 = 1000;

/// One message costs one unit, and another for each so many bytes.
const UNIT: usize = 4096;

/// The pipe's buffer in the kernel is this large.
const BUFFER: usize = 64 << 10;

impl Reader {
    pub(super) fn new(wire: Wire, limits: &Limits, tasks: TaskTracker, breaks: watch::Sender<Option<String>>) -> Self {
        let (splitter, json) = (Splitter::new(limits.answer), limits.json());
        Self { wire, splitter, json, unsolicited: Allowance::new(UNSOLICITED, Instant::now()), tasks, breaks }
    }

    /// Reads until the child's output ends or the connection closes.
    pub(super) async fn read(mut self, stdout: Output, drained: CancellationToken) {
        let closing = self.wire.closing.clone();
        let _drained = drained.drop_guard();
        let mut stdout = BufReader::with_capacity(BUFFER, stdout);
        loop {
            let owed = tokio::select! {
                chunk = stdout.fill_buf() => match chunk {
                    Ok([]) | Err(_) => break,
                    Ok(chunk) => {
                        let length = chunk.len();
                        let owed = self.chunk(chunk);
                        stdout.consume(length);
                        owed
                    }
                },
                () = closing.cancelled() => return,
            };
            if owed > Duration::ZERO {
                self.wire.peer.complain(Complaint::Flood, "");
                tokio::select! {
                    () = tokio::time::sleep(owed) => {}
                    () = closing.cancelled() => return,
                }
            }
        }
        self.breaks.send_if_modified(|why| why.is_none() && why.replace("it closed its output".to_owned()).is_none());
    }

    fn chunk(&mut self, chunk: &[u8]) -> Duration {
        let Self { wire, splitter, json, tasks, breaks, .. } = self;
        let mut cost = 0;
        splitter.feed(chunk, &mut |piece| match piece {
            Piece::Line(line) => cost += take(wire, json, tasks, line),
            Piece::Oversized(answers) => oversized(wire, breaks, json.bytes, answers),
            Piece::Endless => endless(wire, breaks, json.bytes),
        });
        self.unsolicited.spend(cost, Instant::now())
    }
}

/// Takes one line, and says what it cost of the allowance.
fn take(wire: &Wire, json: &JsonLimits, tasks: &TaskTracker, line: &[u8]) -> usize {
    let taken = match Message::parse(line, json) {
        Ok(message) => wire.peer.take(message, None),
        Err(garbage) => wire.peer.take_garbage(&garbage, None),
    };
    match taken {
        Taken::Done => return 0,
        Taken::Unsolicited => {}
        // A child that floods us with requests and reads no replies gets none.
        Taken::Say(message) => drop(wire.send(message)),
        Taken::Ask(ask) => drop(tasks.spawn(pass(wire.clone(), ask))),
    }
    1 + line.len() / UNIT
}

/// Ends with the call that the question belongs to: the connection's own end ends that.
async fn pass(wire: Wire, ask: Ask) {
    if let Some(message) = wire.peer.pass(ask).await {
        wire.send(message).ok();
    }
}

/// Whose answer it was may be certain; if not, nobody can wait on this connection with any hope.
fn oversized(wire: &Wire, breaks: &watch::Sender<Option<String>>, limit: usize, answers: Option<u64>) {
    wire.peer.complain(Complaint::Oversized, "");
    if let Some(id) = answers {
        let detail = format!("the server's answer is over {limit} bytes");
        return wire.peer.fail(id, Failure { kind: FailureKind::TooLarge, detail });
    }
    let detail = format!("the server sent a message over {limit} bytes that could be any call's answer");
    wire.peer.end(|| Reply::failed(FailureKind::TooLarge, detail.as_str()));
    break_off(breaks, "it sent a message over the limit that could be any call's answer");
}

/// It is no answer of anyone's, and there is nothing to read behind it.
fn endless(wire: &Wire, breaks: &watch::Sender<Option<String>>, limit: usize) {
    let detail = format!("the server sent a line without end, far over {limit} bytes");
    wire.peer.end(|| Reply::failed(FailureKind::TooLarge, detail.as_str()));
    break_off(breaks, "it sent a line without end");
}

fn break_off(breaks: &watch::Sender<Option<String>>, why: &str) {
    breaks.send_replace(Some(why.to_owned()));
}
