//! Runs recorded calls where they can do no harm.
//!
//! The edge `sandbox → audit` is the guarantee: [`Sandbox::run`] asks for an [`Entry`](audit::Entry), the proof that the
//! call's intent is on disk, and what comes back is [`Raw`](audit::Raw), which only `audit` can read.

mod allowance;
mod config;
mod limits;
mod line;
mod mcp;
mod phase;
mod process;
mod remote;
mod run;
mod server;
mod sse;
mod watched;

pub use config::{Problem, ServerConfig, ServerKeys};
pub use line::{Era, Event, Line, Resume};
pub use run::Sandbox;
pub use server::{Change, Greeting, Kind, Listing, ServerError, ServerState, Status};
