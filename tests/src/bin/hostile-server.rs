//! `hostile-server --mode MODE [--http ADDR] [--record FILE] [--trigger FILE]`: one way to misbehave, on stdio unless told to listen.

use std::io::{Error, Result, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;

use tests::hostile::{Hostile, Mode, serve_http, serve_stdio};

fn main() -> Result<()> {
    let (mut mode, mut listen, mut record, mut trigger) = (None, None, None, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or_else(|| Error::other(format!("`{argument}` needs a value")))?;
        match argument.as_str() {
            "--mode" => mode = Mode::named(&value),
            "--http" => listen = Some(value),
            "--record" => record = Some(PathBuf::from(value)),
            "--trigger" => trigger = Some(PathBuf::from(value)),
            other => return Err(Error::other(format!("unknown argument `{other}`"))),
        }
    }
    let hostile = Hostile::new(mode.ok_or_else(|| Error::other("--mode names no mode"))?, record, trigger);
    match listen {
        None => serve_stdio(hostile),
        Some(address) => {
            let listener = TcpListener::bind(address)?;
            writeln!(std::io::stdout(), "endpoint: http://{}/mcp", listener.local_addr()?)?;
            serve_http(hostile, &listener)
        }
    }
}
