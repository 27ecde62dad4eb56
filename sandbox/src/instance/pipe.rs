//! `Pipe`: a connection over a child's standard streams, shared by every call to it.

mod reader;
mod writer;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use audit::{FailureKind, Redactor};
use policies::{Call, Object, Value};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::Streams;
use super::stderr;
use crate::limits::Limits;
use crate::line::{Era, Line};
use crate::mcp::{Body, CANCELLED, Flight, Meta, Passenger, Peer, Reply, level, notification};
use crate::run::Surroundings;
use crate::server::Greeting;

/// A connection that is open, to a child that was not greeted yet.
pub(super) struct Opened {
    wire: Wire,
    /// What went wrong with it.
    broken: watch::Receiver<Option<String>>,
    /// Cancelled by the reader when the child's output has ended.
    drained: CancellationToken,
}

/// What every side of a connection shares.
#[derive(Clone)]
struct Wire {
    peer: Arc<Peer>,
    /// Whole messages, each one line. A full queue refuses: the child does not read.
    lines: mpsc::Sender<Vec<u8>>,
    /// Ends reader and writer; the writer closes the child's input.
    closing: CancellationToken,
}

/// A connection to a child that was greeted.
pub(crate) struct Pipe {
    wire: Wire,
    greeting: Greeting,
    /// The rank of the lowest log level that was asked for, on behalf of anyone.
    logs: AtomicU8,
}

/// The last words of a child that has exited take no longer than this to read.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The connection was over before the request was sent: it can be sent on another.
#[derive(Debug)]
pub(crate) struct Unsent;

/// No log level has this rank.
const NO_LOGS: u8 = u8::MAX;

/// Puts reader, writer and log onto a child's streams.
pub(super) fn open(peer: Arc<Peer>, streams: Streams, limits: &Limits, around: &Surroundings) -> Opened {
    let tasks = &around.tasks;
    // Room for every call at once, its cancellation, and replies to questions.
    let (lines, queue) = mpsc::channel(limits.in_flight * 2 + 64);
    let (breaks, broken) = watch::channel(None);
    let (closing, drained) = (CancellationToken::new(), CancellationToken::new());
    if let Some(stderr) = streams.stderr {
        let tail = around.redactor.as_ref().map(Redactor::tail);
        tasks.spawn(stderr::copy(peer.server().clone(), stderr, tail));
    }
    tasks.spawn(writer::write(streams.stdin, queue, closing.clone(), breaks.clone()));
    let wire = Wire { peer, lines, closing };
    let reader = reader::Reader::new(wire.clone(), limits, tasks.clone(), breaks);
    tasks.spawn(reader.read(streams.stdout, drained.clone()));
    Opened { wire, broken, drained }
}

impl Opened {
    /// Sends a request that `write` makes for its id.
    ///
    /// # Errors
    /// With a sentence, where it cannot be sent.
    pub(super) fn request(&self, write: impl FnOnce(u64) -> Result<Vec<u8>, &'static str>) -> Result<Flight, String> {
        let flight = self.wire.peer.board(None).ok_or("its connection ended")?;
        self.say(write(flight.id())?)?;
        Ok(flight)
    }

    /// Sends a notification.
    ///
    /// # Errors
    /// With a sentence, where it cannot be sent.
    pub(super) fn say(&self, message: Vec<u8>) -> Result<(), String> {
        self.wire.send(message).map_err(|_| "its connection ended".to_owned())
    }

    /// The same connection, for calls.
    pub(super) fn ready(&self, greeting: Greeting) -> Pipe {
        Pipe { wire: self.wire.clone(), greeting, logs: AtomicU8::new(NO_LOGS) }
    }

    /// Whether nothing is known to be wrong with it.
    pub(super) fn is_whole(&self) -> bool {
        self.broken.borrow().is_none() && !self.wire.closing.is_cancelled()
    }

    /// Waits until something is wrong with the connection, and says what. Cancel-safe.
    pub(super) async fn broken(&self) -> String {
        let mut broken = self.broken.clone();
        let why = broken.wait_for(Option::is_some).await;
        why.ok().and_then(|why| why.clone()).unwrap_or_else(|| "its connection ended".to_owned())
    }

    /// Waits until everything that the child said was taken.
    pub(super) async fn drained(&self) {
        // A grandchild may hold the stream open for ever.
        tokio::time::timeout(LAST_WORDS, self.drained.cancelled()).await.ok();
    }

    /// Closes it: whoever waits gets this reply.
    pub(super) fn close(&self, reply: impl Fn() -> Reply) {
        self.wire.peer.end(reply);
        self.wire.closing.cancel();
    }
}

impl Drop for Opened {
    /// Reader and writer have nothing to wait for any more.
    fn drop(&mut self) {
        self.close(|| Reply::failed(FailureKind::Exited, "the server was ended"));
    }
}

impl Wire {
    /// Queues one message. Never waits.
    fn send(&self, mut message: Vec<u8>) -> Result<(), Stuck> {
        message.push(b'\n');
        self.lines.try_send(message).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Stuck::Full,
            mpsc::error::TrySendError::Closed(_) => Stuck::Closed,
        })
    }
}

/// Why a message could not be queued.
#[derive(Clone, Copy, Debug)]
enum Stuck {
    /// The child does not read.
    Full,
    /// The connection is over.
    Closed,
}

impl Pipe {
    /// What the child said of itself.
    pub(crate) fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// Sends a call and waits for its reply.
    pub(crate) async fn call(&self, call: &Call, line: &Line) -> Result<Reply, Unsent> {
        let era = self.greeting.era;
        if line.resume.is_some() && era != Era::Modern {
            let detail = "the server does not know how to go on with a call that asked for input";
            return Ok(Reply::failed(FailureKind::Unsupported, detail));
        }
        let passenger = Passenger::of(line);
        self.lower_logs(&passenger, line.log_level.as_deref());
        self.exchange(&Body::Call(call, line.resume.as_ref()), &Meta::of(line, era), Some(passenger)).await
    }

    /// Asks something that is not a call, and waits for the reply.
    pub(crate) async fn ask(&self, body: &Body<'_>, meta: &Meta<'_>) -> Result<Reply, Unsent> {
        self.exchange(body, meta, None).await
    }

    async fn exchange(&self, body: &Body<'_>, meta: &Meta<'_>, passenger: Option<Passenger>) -> Result<Reply, Unsent> {
        let flight = self.wire.peer.board(passenger).ok_or(Unsent)?;
        let message = match body.write(flight.id(), meta) {
            Ok(message) => message,
            Err(why) => return Ok(Reply::failed(FailureKind::Malformed, why)),
        };
        match self.wire.send(message) {
            Ok(()) => {}
            Err(Stuck::Full) => {
                return Ok(Reply::failed(FailureKind::Busy, "the server does not read what it is sent"));
            }
            Err(Stuck::Closed) => return Err(Unsent),
        }
        let mut sent = Sent { wire: &self.wire, flight, over: false };
        let reply = sent.flight.reply().await;
        sent.over = true;
        Ok(reply)
    }

    /// Opens a `subscriptions/listen` for these resources and every list, in place of `previous`; yields its id.
    pub(crate) fn listen(&self, uris: &BTreeSet<String>, previous: Option<u64>) -> Option<u64> {
        let params = self.greeting.listen(uris)?;
        let id = self.wire.peer.board_unheard();
        let message = Body::Plain("subscriptions/listen", &params).write(id, &Meta::own(Era::Modern)).ok()?;
        self.wire.send(message).ok()?;
        if let Some(previous) = previous {
            self.wire.give_up(previous);
        }
        Some(id)
    }

    /// A legacy server logs for the whole connection at one level: the lowest that any agent asked for. Who gets what of
    /// it is decided where it arrives.
    fn lower_logs(&self, passenger: &Passenger, level: Option<&str>) {
        let (Some(rank), Some(level)) = (passenger.logs, level) else { return };
        if self.greeting.era == Era::Modern || !self.greeting.offers("logging") {
            return;
        }
        if self.logs.fetch_min(rank, Ordering::Relaxed) > rank {
            let params: Object = [("level", Value::from(level))].into_iter().collect();
            let id = self.wire.peer.board_unheard();
            if let Ok(message) = Body::Plain("logging/setLevel", &params).write(id, &Meta::own(self.greeting.era)) {
                // A refusal costs log messages, not the call.
                self.wire.send(message).ok();
            }
        }
    }
}

impl Wire {
    fn give_up(&self, id: u64) {
        let params = format!(r#"{{"requestId":{id},"reason":"the caller gave it up"}}"#);
        // A server that does not read its input does not read this either.
        self.send(notification(CANCELLED, &params)).ok();
    }
}

/// A request on the wire. Dropping it before its reply tells the server that nobody waits for it.
struct Sent<'a> {
    wire: &'a Wire,
    flight: Flight,
    over: bool,
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.wire.give_up(self.flight.id());
        }
    }
}

impl Passenger {
    /// The agent's side of a line.
    pub(crate) fn of(line: &Line) -> Self {
        let logs = line.log_level.as_deref().map(level);
        Self { events: line.events.clone(), progress: line.progress, logs }
    }
}
