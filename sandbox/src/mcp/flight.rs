//! `Flight`: one request of ours that has not been answered.

use std::sync::Arc;

use audit::{Failure, FailureKind};
use policies::{Object, Value};
use tokio::sync::{mpsc, oneshot};

use super::peer::Peer;
use crate::line::Event;

/// How one of our requests came back.
#[derive(Debug)]
pub(crate) enum Reply {
    /// With a result.
    Result(Value),
    /// With a JSON-RPC error object.
    Error(Value),
    /// Not, or not in a form that can be passed on.
    Failed(Failure),
    /// Not, because the gateway stops.
    Stopped,
}

impl Reply {
    /// A failure in our own words.
    pub(crate) fn failed(kind: FailureKind, detail: impl Into<String>) -> Self {
        Self::Failed(Failure { kind, detail: detail.into() })
    }

    /// A tool's result of text. Its own error is a result too: an agent's model is to read it.
    pub(crate) fn said(texts: &[&str], error: bool) -> Self {
        let block = |text: &&str| -> Value {
            [("type", Value::from("text")), ("text", (*text).into())].into_iter().collect::<Object>().into()
        };
        let content: Vec<Value> = texts.iter().map(block).collect();
        let result: Object = [("content", Value::from(content)), ("isError", error.into())].into_iter().collect();
        Self::Result(result.into())
    }
}

/// The agent's side of a call in flight.
#[derive(Clone, Debug)]
pub(crate) struct Passenger {
    /// Where notices and questions go.
    pub(crate) events: mpsc::Sender<Event>,
    /// Whether it asked for progress.
    pub(crate) progress: bool,
    /// The lowest level of log messages that it asked for.
    pub(crate) logs: Option<u8>,
}

/// One request of ours that has not been answered. Dropping it forgets the request: an answer that comes later is late.
pub(crate) struct Flight {
    id: u64,
    peer: Arc<Peer>,
    reply: oneshot::Receiver<Reply>,
}

impl Flight {
    pub(super) fn new(id: u64, peer: Arc<Peer>, reply: oneshot::Receiver<Reply>) -> Self {
        Self { id, peer, reply }
    }

    /// The request's id on the wire.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Waits for the reply. Cancel-safe.
    pub(crate) async fn reply(&mut self) -> Reply {
        match (&mut self.reply).await {
            Ok(reply) => reply,
            // The sender is only dropped unused when the connection is.
            Err(_) => Reply::failed(FailureKind::Exited, "the connection to the server ended"),
        }
    }

    /// The reply, if it is there.
    pub(crate) fn landed(&mut self) -> Option<Reply> {
        self.reply.try_recv().ok()
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.peer.forget(self.id);
    }
}

/// Orders log levels (RFC 5424) from `debug` up; one that nobody knows counts as the most severe, so it is not lost.
pub(crate) fn level(name: &str) -> u8 {
    const LEVELS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];
    (0..).zip(LEVELS).find_map(|(rank, level)| (level == name).then_some(rank)).unwrap_or(7)
}
