//! Decides what may happen to a call. Pure: no I/O, no clock, no async; time and facts are arguments.

pub mod approval;
pub mod call;
pub mod canon;
pub mod decision;
pub mod explain;
pub mod facts;
pub mod profile;
pub mod risk;
pub mod schema;
pub mod session;

pub use approval::{Approved, Approver, By, Hold, HoldState, Pass, Review, Role, Step, StepError};
pub use call::{
    AgentId, Annotations, Call, CallId, Hash, HoldId, Method, OperatorId, ServerName, SessionKey, Standing, Tool,
};
pub use canon::{Canonical, Limits, Object, ParseError, Value};
pub use decision::{
    Assessment, Because, Binding, Circumstances, Denial, Held, HoldTimes, NotApproved, Permit, Policies, Refused,
    Verdict,
};
pub use explain::Explanation;
pub use facts::Facts;
pub use profile::{Content, Profile};
pub use risk::{Reason, Risk};
pub use schema::Schema;
pub use session::{Provenance, Session, SessionFacts};
