//! How often what must hold every time is tried.

/// How often each step is killed: `PORTCULLIS_SOAK`, or ten times.
#[must_use]
pub fn times() -> usize {
    std::env::var("PORTCULLIS_SOAK").ok().and_then(|text| text.parse().ok()).unwrap_or(10)
}
