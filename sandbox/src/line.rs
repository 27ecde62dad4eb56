//! `Line`: what joins one running call to the agent that made it.

use audit::Raw;
use policies::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What joins one running call to the agent that made it.
#[derive(Debug)]
pub struct Line {
    /// The era that the agent speaks. A server that speaks both is spoken to in this one, so nothing is translated.
    pub agent_era: Era,
    /// Where notices and questions of the server go while the call runs. When it is full, notices are dropped and
    /// questions refused: a slow agent never holds up another's answer.
    pub events: mpsc::Sender<Event>,
    /// The agent or an operator gave the call up.
    pub cancel: CancellationToken,
    /// When the call has to be over. The server's own `call_timeout` may end it earlier.
    pub deadline: Instant,
    /// Whether the agent asked for progress.
    pub progress: bool,
    /// What the agent's client can be asked for: an object with `sampling`, `elicitation` and `roots`. Anything else in
    /// it stays here.
    pub capabilities: Value,
    /// The call goes on where an `input_required` answer left it.
    pub resume: Option<Resume>,
    /// `traceparent` and `tracestate`; other names stay here.
    pub trace: Vec<(String, String)>,
    /// The lowest level of log messages that the agent asked for, if it did.
    pub log_level: Option<String>,
}

/// What continues a call that was answered with `input_required`.
#[derive(Debug)]
pub struct Resume {
    /// The server's `requestState`, unsealed.
    pub state: Option<String>,
    /// The agent's `inputResponses`.
    pub responses: Option<Value>,
}

/// What a server says while a call runs.
pub enum Event {
    /// A notification: `notifications/progress` (our token taken out) or `notifications/message`.
    Notice {
        /// The notification's method.
        method: String,
        /// Its params.
        params: Raw,
    },
    /// A request to the agent: `sampling/createMessage`, `elicitation/create` or `roots/list`.
    Ask {
        /// The request's method.
        method: String,
        /// Its params.
        params: Raw,
        /// The result, or a JSON-RPC error object. Dropping it refuses. It closes when the server withdraws the
        /// request or the call ends.
        reply: oneshot::Sender<Result<Value, Value>>,
    },
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Notice { method, .. } => f.debug_struct("Notice").field("method", method).finish_non_exhaustive(),
            Self::Ask { method, .. } => f.debug_struct("Ask").field("method", method).finish_non_exhaustive(),
        }
    }
}

/// A family of protocol versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Era {
    /// 2026-07-28: stateless, every request describes itself.
    Modern,
    /// Before: `initialize`, sessions, requests in both directions. The version is one of [`Era::LEGACY`].
    Legacy(&'static str),
}

impl Era {
    /// The version of [`Era::Modern`].
    pub const MODERN: &'static str = "2026-07-28";
    /// The versions that begin with `initialize`, newest first.
    pub const LEGACY: [&'static str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

    /// The era of a version, if it is one that we speak.
    #[must_use]
    pub fn of(version: &str) -> Option<Self> {
        if version == Self::MODERN {
            return Some(Self::Modern);
        }
        Self::LEGACY.into_iter().find(|known| *known == version).map(Self::Legacy)
    }

    /// The version.
    #[must_use]
    pub fn version(self) -> &'static str {
        match self {
            Self::Modern => Self::MODERN,
            Self::Legacy(version) => version,
        }
    }
}
