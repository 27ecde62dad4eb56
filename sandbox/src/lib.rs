//! Runs recorded calls where they can do no harm.
//!
//! The edge `sandbox → audit` is the guarantee: [`Sandbox::run`] asks for an [`Entry`](audit::Entry), the proof that the
//! call's intent is on disk, and what comes back is [`Raw`](audit::Raw), which only `audit` can read.

mod allowance;
mod commands;
mod config;
mod container;
mod egress;
#[cfg(fuzzing)]
pub mod fuzz;
mod guard;
mod instance;
pub mod jail;
mod limits;
mod line;
mod mcp;
mod package;
mod phase;
mod polled;
mod pool;
pub mod probe;
mod process;
mod remote;
mod run;
mod server;
mod sse;
mod wasm;
mod watched;

pub use config::{Problem, ServerConfig, ServerKeys, Settings, web};
pub use container::build::{BuildError, Built, build_image};
pub use guard::{GuardConfig, GuardConfigError, GuardError, guard};
pub use line::{Era, Event, Line, Resume};
pub use package::{Asked, DeclaredTool, Manifest, Package, Place, unpack};
pub use run::Sandbox;
pub use server::{Change, Greeting, Kind, Listing, ServerError, ServerState, Status};
pub use wasm::{Bundled, Web, bundled, bundled_http, bundled_offers};
