//! What the tests run against and with: servers good and bad, real clients, a real gateway process.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a harness that cannot go on fails the test that uses it, and says why"
)]

pub mod agent;
pub mod attacker;
pub mod badge;
pub mod browser;
pub mod client;
pub mod collector;
pub mod components;
pub mod double;
pub mod engine;
pub mod fixture;
pub mod hostile;
pub mod internet;
pub mod invocations;
pub mod ledger;
pub mod load;
pub mod office;
pub mod openbao;
pub mod operator;
pub mod port;
pub mod postgres;
pub mod program;
pub mod receiver;
pub mod scrape;
pub mod server;
pub mod soak;
pub mod softhsm;
pub mod usage;
pub mod wire;
pub mod world;
