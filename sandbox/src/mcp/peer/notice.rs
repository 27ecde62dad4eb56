//! What a server says without being asked, to whom it concerns.

use audit::Raw;
use policies::Value;
use tokio::sync::mpsc;

use super::{Peer, Taken};
use crate::line::Event;
use crate::mcp::complaints::Complaint;
use crate::mcp::flight::{Passenger, level};
use crate::server::{Change, Listing};

impl Peer {
    pub(super) fn noticed(&self, method: &str, params: Value, on: Option<u64>) -> Taken {
        match method {
            "notifications/progress" => self.progressed(method, params, on),
            "notifications/message" => self.logged(method, &params, on),
            "notifications/cancelled" => self.withdrawn(&params),
            "notifications/tools/list_changed" => self.changed(&[Listing::Tools]),
            "notifications/prompts/list_changed" => self.changed(&[Listing::Prompts]),
            "notifications/resources/list_changed" => self.changed(&[Listing::Resources, Listing::Templates]),
            "notifications/resources/updated" => self.updated(&params),
            // What no library knows belongs to the call on whose own stream it came, and on a shared one to nobody.
            _ => self.told(method, &params, on),
        }
    }

    fn progressed(&self, method: &str, mut params: Value, on: Option<u64>) -> Taken {
        // Our token stays here: the agent has its own, or another agent's call would be named to it.
        let token = params.as_object_mut().and_then(|params| params.remove("progressToken"));
        let token = token.and_then(|token| token.as_u64()).filter(|token| on.is_none_or(|on| on == *token));
        let wanted = |passenger: &Passenger| passenger.progress;
        let events = token.and_then(|token| self.table().passenger(token, wanted));
        self.deliver(events.as_slice(), method, &params)
    }

    fn logged(&self, method: &str, params: &Value, on: Option<u64>) -> Taken {
        let rank = level(params.get("level").and_then(Value::as_str).unwrap_or_default());
        let wanted = |passenger: &Passenger| passenger.logs.is_some_and(|lowest| rank >= lowest);
        let table = self.table();
        let events: Vec<_> = match on {
            Some(id) => table.passenger(id, wanted).into_iter().collect(),
            None => {
                table.passengers().filter(|(_, passenger)| wanted(passenger)).map(|(_, p)| p.events.clone()).collect()
            }
        };
        drop(table);
        self.deliver(&events, method, params)
    }

    fn told(&self, method: &str, params: &Value, on: Option<u64>) -> Taken {
        let events = on.and_then(|id| self.table().passenger(id, |_| true));
        self.deliver(events.as_slice(), method, params)
    }

    fn deliver(&self, events: &[mpsc::Sender<Event>], method: &str, params: &Value) -> Taken {
        let sent = events.iter().filter(|events| {
            let event = Event::Notice { method: method.to_owned(), params: Raw::new(params.clone()) };
            events.try_send(event).is_ok()
        });
        if sent.count() == 0 {
            self.complain(Complaint::DroppedNotice, "");
            return Taken::Unsolicited;
        }
        Taken::Done
    }

    fn withdrawn(&self, params: &Value) -> Taken {
        let key = params.get("requestId").map(|id| id.canonical().as_str().to_owned()).unwrap_or_default();
        if let Some(asked) = self.table().asked.remove(&key) {
            // An error means that the answer is already on its way.
            asked.over.send(()).ok();
        }
        Taken::Unsolicited
    }

    fn changed(&self, what: &[Listing]) -> Taken {
        for what in what {
            self.announce(Change::List { server: self.server.clone(), what: *what });
        }
        Taken::Unsolicited
    }

    fn updated(&self, params: &Value) -> Taken {
        if let Some(uri) = params.get("uri").and_then(Value::as_str) {
            self.announce(Change::Resource { server: self.server.clone(), uri: uri.to_owned() });
        }
        Taken::Unsolicited
    }

    fn announce(&self, change: Change) {
        // An error means that nobody listens.
        self.changes.send(change).ok();
    }
}
