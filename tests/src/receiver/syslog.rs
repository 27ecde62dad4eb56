//! A syslog collector over TCP: it reads to the end, and then ends its own side.

use std::io;
use std::net::TcpStream;

use super::{State, Wire};

/// Everything that one client sends.
pub(super) fn serve(state: &State, mut wire: Box<dyn Wire>, raw: &TcpStream) -> io::Result<()> {
    let mut text = Vec::new();
    wire.read_to_end(&mut text)?;
    state.end(&text, raw, |_| Ok(()))
}
