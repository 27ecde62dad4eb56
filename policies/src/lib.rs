//! Decides what may happen to a call. Pure: no I/O, no clock, no async; time and facts are arguments.

pub mod call;
pub mod canon;
pub mod facts;
pub mod profile;
pub mod risk;

pub use call::{
    AgentId, Annotations, Call, CallId, Hash, HoldId, Method, OperatorId, ServerName, SessionKey, Standing, Tool,
};
pub use canon::{Canonical, Limits, Object, ParseError, Value};
