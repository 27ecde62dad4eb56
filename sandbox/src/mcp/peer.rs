//! `Peer`: who waits for what from one server, and who is told what it says.

mod notice;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use audit::{Failure, FailureKind};
use policies::{Object, ServerName, Value};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::ask::{Ask, refusal, unknown_method};
use super::complaints::{Complaint, Complaints};
use super::flight::{Flight, Passenger, Reply};
use super::message::{Garbage, Message};
use super::request;
use crate::line::Event;
use crate::server::Change;

/// Who waits for what from one server.
pub(crate) struct Peer {
    server: ServerName,
    complaints: Complaints,
    changes: broadcast::Sender<Change>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    /// Ids are never used twice on one connection, so an answer to an id below `next` that nobody waits for is late.
    next: u64,
    flying: HashMap<u64, Waiting>,
    /// Questions of the server that are with an agent, by the canonical text of their id.
    asked: HashMap<String, Asked>,
    /// The connection is over.
    ended: bool,
}

struct Waiting {
    reply: oneshot::Sender<Reply>,
    passenger: Option<Passenger>,
}

struct Asked {
    flight: u64,
    over: oneshot::Sender<()>,
}

/// What taking a message leaves to do.
#[derive(Debug)]
pub(crate) enum Taken {
    /// Nothing.
    Done,
    /// Nothing, and nobody had asked for it: a connection may only send so much of that.
    Unsolicited,
    /// This must be said to the server.
    Say(Vec<u8>),
    /// This must be passed on, and what comes of it said to the server.
    Ask(Ask),
}

/// The most questions of one server that are with agents at once.
const MAX_ASKED: usize = 16;

impl Peer {
    pub(crate) fn new(server: ServerName, changes: broadcast::Sender<Change>) -> Arc<Self> {
        let complaints = Complaints::new(server.clone());
        Arc::new(Self { server, complaints, changes, table: Mutex::default() })
    }

    /// Which server.
    pub(crate) fn server(&self) -> &ServerName {
        &self.server
    }

    /// Counts what the server does wrong.
    pub(crate) fn complain(&self, complaint: Complaint, detail: &str) {
        self.complaints.note(complaint, detail);
    }

    /// Registers a request that is about to be sent; `None` when the connection is over, so nothing may be sent.
    pub(crate) fn board(self: &Arc<Self>, passenger: Option<Passenger>) -> Option<Flight> {
        let (reply, landed) = oneshot::channel();
        let mut table = self.table();
        if table.ended {
            return None;
        }
        table.next += 1;
        let id = table.next;
        table.flying.insert(id, Waiting { reply, passenger });
        Some(Flight::new(id, Arc::clone(self), landed))
    }

    /// Registers a request whose answer nobody waits for, so that it is expected all the same.
    pub(crate) fn board_unheard(&self) -> u64 {
        let mut table = self.table();
        table.next += 1;
        let id = table.next;
        table.flying.insert(id, Waiting { reply: oneshot::channel().0, passenger: None });
        id
    }

    pub(super) fn forget(&self, id: u64) {
        let mut table = self.table();
        table.flying.remove(&id);
        table.asked.retain(|_, asked| asked.flight != id);
    }

    /// Takes a message. `on` is the request whose own stream it came on, if it came on one.
    pub(crate) fn take(&self, message: Message, on: Option<u64>) -> Taken {
        match message {
            Message::Answer { id, outcome } => self.land(id, outcome, on),
            Message::Request { id, method, params } => self.asked(id, method, params, on),
            Message::Notification { method, params } => self.noticed(&method, params, on),
        }
    }

    /// Takes what is no message.
    pub(crate) fn take_garbage(&self, garbage: &Garbage, on: Option<u64>) -> Taken {
        self.complain(Complaint::Garbage, &garbage.why);
        // On a shared stream, text that names no call is somebody's stray `print`: no call is to fail over that.
        let Some(id) = on.or(garbage.answers) else { return Taken::Unsolicited };
        let detail = format!("the server's answer is malformed: {}", garbage.why);
        self.fail(id, Failure { kind: FailureKind::Malformed, detail });
        Taken::Unsolicited
    }

    /// Fails one request, if it is still waited for.
    pub(crate) fn fail(&self, id: u64, failure: Failure) {
        self.settle(id, Reply::Failed(failure));
    }

    /// Ends everything that is waited for; nothing can board any more.
    pub(crate) fn end(&self, reply: impl Fn() -> Reply) {
        let mut table = self.table();
        table.ended = true;
        table.asked.clear();
        for (_, waiting) in table.flying.drain() {
            // An error means that nobody waits any more.
            waiting.reply.send(reply()).ok();
        }
    }

    fn land(&self, id: Option<u64>, outcome: Result<Value, Value>, on: Option<u64>) -> Taken {
        let matches = id.is_some() && (on.is_none() || on == id);
        if let Some(id) = id.filter(|_| matches) {
            let reply = outcome.map_or_else(Reply::Error, Reply::Result);
            return if self.settle(id, reply) { Taken::Done } else { self.unmatched(id) };
        }
        self.wrong_id(on)
    }

    fn settle(&self, id: u64, reply: Reply) -> bool {
        let waiting = self.table().flying.remove(&id);
        let was_waiting = waiting.is_some();
        if let Some(waiting) = waiting {
            // An error means that the waiter has just given up, which is no fault of the server.
            waiting.reply.send(reply).ok();
        }
        was_waiting
    }

    fn unmatched(&self, id: u64) -> Taken {
        let was_asked = (1..=self.table().next).contains(&id);
        if was_asked {
            self.complain(Complaint::LateAnswer, "");
            return Taken::Unsolicited;
        }
        self.wrong_id(None)
    }

    /// The call that waits must not wait for its deadline, where it can be told which one it is.
    fn wrong_id(&self, on: Option<u64>) -> Taken {
        self.complain(Complaint::UnknownId, "");
        if let Some(id) = on.or_else(|| self.only_flight()) {
            let detail = "the server answered with an id that it was not asked with".to_owned();
            self.fail(id, Failure { kind: FailureKind::Malformed, detail });
        }
        Taken::Unsolicited
    }

    fn only_flight(&self) -> Option<u64> {
        let table = self.table();
        let mut flights = table.flying.keys();
        flights.next().copied().filter(|_| flights.next().is_none())
    }

    fn asked(&self, id: Value, method: String, params: Value, on: Option<u64>) -> Taken {
        match method.as_str() {
            "ping" => Taken::Say(request::result(&id, &Object::new().into())),
            "sampling/createMessage" | "elicitation/create" | "roots/list" => self.ask(id, method, params, on),
            _ => {
                self.complain(Complaint::RefusedRequest, "no client of ours serves that method");
                Taken::Say(request::error(&id, &unknown_method()))
            }
        }
    }

    fn ask(&self, id: Value, method: String, params: Value, on: Option<u64>) -> Taken {
        let mut table = self.table();
        let refused = match table.related(&params, on) {
            Err(why) => why,
            Ok(_) if table.asked.len() >= MAX_ASKED => "too many requests wait for an answer",
            Ok((flight, events)) => {
                let (withdraw, over) = oneshot::channel();
                let key = id.canonical().as_str().to_owned();
                table.asked.insert(key, Asked { flight, over: withdraw });
                return Taken::Ask(Ask { id, method, params, events, over });
            }
        };
        drop(table);
        self.complain(Complaint::RefusedRequest, refused);
        Taken::Say(request::error(&id, &refusal(refused)))
    }

    /// Passes a question on; yields what must be said to the server, if anything. Ends when the call does.
    pub(crate) async fn pass(&self, ask: Ask) -> Option<Vec<u8>> {
        let key = ask.id.canonical();
        let said = ask.answered().await;
        self.table().asked.remove(key.as_str());
        said
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // No code of ours panics while it holds the table; were it to, the table is still whole.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn passengers(&self) -> impl Iterator<Item = (u64, &Passenger)> {
        self.flying.iter().filter_map(|(id, waiting)| Some((*id, waiting.passenger.as_ref()?)))
    }

    fn passenger(&self, id: u64, wanted: impl Fn(&Passenger) -> bool) -> Option<mpsc::Sender<Event>> {
        let passenger = self.flying.get(&id)?.passenger.as_ref()?;
        wanted(passenger).then(|| passenger.events.clone())
    }

    /// Which call a server's question belongs to. On a shared stream only a lone call or our own token in the question
    /// can say; to guess would put one agent's question to another agent's user.
    fn related(&self, params: &Value, on: Option<u64>) -> Result<(u64, mpsc::Sender<Event>), &'static str> {
        let hint = || params.pointer("/_meta/progressToken").and_then(Value::as_u64);
        if let Some(id) = on.or_else(hint) {
            let events = self.passenger(id, |_| true);
            return events.map(|events| (id, events)).ok_or("the call that this request belongs to is over");
        }
        let mut passengers = self.passengers();
        match (passengers.next(), passengers.next()) {
            (Some((id, passenger)), None) => Ok((id, passenger.events.clone())),
            (None, _) => Err("no call is running that this request could belong to"),
            (Some(_), Some(_)) => Err("several calls are running, and nothing says which one this request belongs to"),
        }
    }
}

#[cfg(test)]
mod tests;
