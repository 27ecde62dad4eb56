//! The log on a real disk: what is acknowledged is there, whatever happens to the disk or the process.

#[cfg(test)]
mod authors;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod bench;
#[cfg(test)]
mod bodies;
#[cfg(test)]
mod columns;
#[cfg(test)]
mod concurrent;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod delegations;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod forged;
#[cfg(test)]
mod holds;
#[cfg(test)]
mod index;
#[cfg(test)]
mod names;
#[cfg(test)]
mod operators;
#[cfg(test)]
mod oracles;
#[cfg(test)]
mod passes;
#[cfg(test)]
mod passkeys;
#[cfg(test)]
mod projections;
#[cfg(test)]
mod proofs;
#[cfg(test)]
mod pruning;
#[cfg(test)]
mod query;
#[cfg(test)]
mod quorum;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod reviews;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod signed;
#[cfg(test)]
mod tamper;
#[cfg(test)]
mod tiles;
#[cfg(test)]
mod witness;
#[cfg(test)]
mod world;
