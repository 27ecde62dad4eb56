//! Ports for servers that are told where to listen, or that must come back to where they were.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// A free port of loopback that stays free while nobody listens: none of those that the kernel gives to whoever connects.
///
/// # Panics
/// When a thousand in a row are taken.
#[must_use]
pub fn free() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).expect("it is below ten thousand");
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (0..1_000).map(|_| first + NEXT.fetch_add(1, Ordering::Relaxed)).find(free).expect("a port is free")
}
