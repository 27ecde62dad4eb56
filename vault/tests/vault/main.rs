//! The vault as the gateway and the sandbox use it, over a real log.

#[cfg(test)]
mod file;
#[cfg(test)]
mod lend;
#[cfg(test)]
mod sops;
#[cfg(test)]
mod world;
