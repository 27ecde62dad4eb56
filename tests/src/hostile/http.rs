//! A hostile server behind HTTP/1.1, by hand: as much of the protocol as a client needs in order to be misled.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::abort;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::{Act, Hostile};

/// Serves every path until the process ends.
///
/// # Errors
/// When the listener fails.
pub fn serve_http(hostile: Hostile, listener: &TcpListener) -> io::Result<()> {
    let hostile = Arc::new(hostile);
    loop {
        let (stream, _) = listener.accept()?;
        let hostile = Arc::clone(&hostile);
        drop(thread::spawn(move || converse(&hostile, &stream)));
    }
}

fn converse(hostile: &Hostile, stream: &TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some((method, body)) = request(&mut reader)? {
        if method != "POST" {
            status(stream, "405 Method Not Allowed")?;
        } else if body.contains(r#""id""#) {
            perform(hostile.answer(&body), stream)?;
        } else {
            status(stream, "202 Accepted")?;
        }
    }
    Ok(())
}

/// Method and body of the next request; `None` when the client is done.
fn request(reader: &mut BufReader<&TcpStream>) -> io::Result<Option<(String, String)>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let method = line.split(' ').next().unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let header = header.trim_end().to_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some((method, String::from_utf8_lossy(&body).into_owned())))
}

fn perform(act: Act, mut stream: &TcpStream) -> io::Result<()> {
    match act {
        Act::Say(body) => {
            stream.write_all(head(body.len()).as_bytes())?;
            stream.write_all(body.as_bytes())
        }
        Act::Hang => loop {
            thread::sleep(Duration::from_hours(1));
        },
        Act::Exit => abort(),
        Act::Flood => {
            stream.write_all(head(usize::MAX).as_bytes())?;
            loop {
                stream.write_all(&[b' '; 16_000])?;
            }
        }
        Act::Drip(body) => {
            stream.write_all(head(body.len()).as_bytes())?;
            for byte in body.bytes() {
                stream.write_all(&[byte])?;
                thread::sleep(Duration::from_secs(1));
            }
            Ok(())
        }
    }
}

fn head(length: usize) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n")
}

fn status(mut stream: &TcpStream, status: &str) -> io::Result<()> {
    stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes())
}
