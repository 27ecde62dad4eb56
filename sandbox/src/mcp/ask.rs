//! `Ask`: a server's question on its way to an agent, and the answer on its way back.

use audit::Raw;
use policies::{Object, Value};
use tokio::sync::{mpsc, oneshot};

use super::request;
use crate::line::Event;

/// A server's question that waits to be passed on.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(super) id: Value,
    pub(super) method: String,
    pub(super) params: Value,
    pub(super) events: mpsc::Sender<Event>,
    /// Gets a message when the server withdraws its question; closes when the call is over.
    pub(super) over: oneshot::Receiver<()>,
}

impl Ask {
    /// Passes the question on and waits for what must be said to the server: nothing, if it withdrew the question.
    /// Ends by itself when the call does.
    pub(super) async fn answered(self) -> Option<Vec<u8>> {
        let (reply, answer) = oneshot::channel();
        let event = Event::Ask { method: self.method, params: Raw::new(self.params), reply };
        if self.events.try_send(event).is_err() {
            return Some(request::error(&self.id, &refusal("the agent cannot be asked now")));
        }
        tokio::select! {
            answer = answer => Some(match answer {
                Ok(Ok(result)) => request::result(&self.id, &result),
                Ok(Err(error)) => request::error(&self.id, &error),
                Err(_) => request::error(&self.id, &refusal("the agent was not asked")),
            }),
            over = self.over => match over {
                Ok(()) => None,
                Err(_) => Some(request::error(&self.id, &refusal("the call that this request belongs to is over"))),
            },
        }
    }
}

/// An error for a request that is refused. Its code is the one that clients use for "the user said no": servers take that
/// for an answer, where they might take a protocol error for a broken connection.
pub(super) fn refusal(message: &str) -> Value {
    error(-1, message)
}

/// An error for a request that no client of ours could serve.
pub(super) fn unknown_method() -> Value {
    error(-32601, "this client does not serve that method")
}

fn error(code: i64, message: &str) -> Value {
    let members: Object = [("code", Value::from(code)), ("message", Value::from(message))].into_iter().collect();
    members.into()
}
