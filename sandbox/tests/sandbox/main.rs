//! Tool servers that do everything wrong, as real programs: what happens to the call, and to the calls beside it.

#[cfg(test)]
mod measured;
#[cfg(test)]
mod process;
#[cfg(test)]
mod remote;
#[cfg(test)]
mod wasm;
#[cfg(test)]
mod web;
#[cfg(test)]
mod world;
