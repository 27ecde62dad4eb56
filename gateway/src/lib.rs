//! Agents in front, tools behind: the MCP endpoint, the path of a call, the operators' socket and the command line.
//!
//! Read `call.rs` first.

pub mod agent;
pub mod answer;
pub mod app;
pub mod call;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
mod drain;
mod endpoint;
pub mod export;
pub mod hold;
mod kept;
pub mod liveness;
pub mod metrics;
pub mod notify;
pub mod operator;
pub mod passkey;
pub mod seal;
pub mod sessions;
pub mod telemetry;
pub mod witness;
