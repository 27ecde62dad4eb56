//! Raw JSON-RPC 2.0 as the Model Context Protocol speaks it, in both eras, with nothing lost on the way.
//!
//! ```text
//! bytes ─ Message::parse ─► Message ─ Peer::take ─► an answer for its flight
//!                                               ├─► a notice or a question for the call it belongs to
//!                                               └─► a Change for everyone
//! ```

mod ask;
mod complaints;
mod flight;
mod greeting;
mod header;
mod list;
mod message;
mod peer;
mod request;
mod skim;

pub(crate) use ask::Ask;
pub(crate) use complaints::Complaint;
pub(crate) use flight::{Flight, Passenger, Reply, level};
pub(crate) use greeting::{Probe, greeting_of_initialize, probe};
pub(crate) use header::{named, parameters};
pub(crate) use list::{Page, Pages};
pub(crate) use message::{Garbage, Message};
pub(crate) use peer::{Peer, Taken};
pub(crate) use request::{Body, CANCELLED, Meta, initialize, notification};
pub(crate) use skim::Skim;
