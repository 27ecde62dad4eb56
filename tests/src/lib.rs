//! What the tests run against and with: servers good and bad, real clients, a real gateway process.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a harness that cannot go on fails the test that uses it, and says why"
)]

pub mod fixture;
pub mod hostile;
pub mod invocations;
