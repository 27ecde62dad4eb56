//! Components that try what they must not: none of it works, and each attempt ends in an outcome with a name.

mod bundled;
mod cache;
mod escape;
pub(crate) mod guests;
mod limits;
mod network;
mod stdio;
mod wat;
