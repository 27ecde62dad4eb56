//! `fixture-server [--http ADDR] [--record FILE]`: the fixture, on stdio unless told to listen.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use tests::fixture::{Fixture, serve_http, serve_stdio};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut record = None;
    let mut listen = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--http" => listen = arguments.next(),
            "--record" => record = arguments.next().map(PathBuf::from),
            other => return Err(std::io::Error::other(format!("unknown argument `{other}`"))),
        }
    }
    let fixture = Arc::new(Fixture::new(record));
    match listen {
        None => serve_stdio(fixture).await,
        Some(address) => {
            let listener = TcpListener::bind(address).await?;
            writeln!(std::io::stdout(), "endpoint: http://{}/mcp", listener.local_addr()?)?;
            serve_http(fixture, listener).await
        }
    }
}
