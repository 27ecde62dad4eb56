//! The log on a real disk: what is acknowledged is there, whatever happens to the disk or the process.

mod bodies;
mod concurrent;
mod crash;
mod disk;
mod holds;
mod projections;
mod query;
mod tamper;
mod world;
