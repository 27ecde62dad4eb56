//! A forwarder that adds an agent's token to each request, for clients that cannot send one. It changes nothing else but
//! its own name.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use crate::wire::authority;

/// A running forwarder. Its thread ends with the process.
pub struct Badge {
    endpoint: String,
}

impl Badge {
    /// Forwards to `endpoint` as the agent with this token.
    #[must_use]
    pub fn start(endpoint: &str, token: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let own = listener.local_addr().expect("the listener is bound");
        let (to, token) = (authority(endpoint).to_owned(), token.to_owned());
        drop(thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (to, token) = (to.clone(), token.clone());
                // A client that breaks its connection off ends it, and nothing else.
                drop(thread::spawn(move || forward(&stream, &to, &token)));
            }
        }));
        Self { endpoint: format!("http://localhost:{}/mcp", own.port()) }
    }

    /// Where clients connect.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

/// Carries one request and its response: both sides are told that the connection closes after it.
fn forward(client: &TcpStream, to: &str, token: &str) -> io::Result<()> {
    let own = format!("localhost:{}", client.local_addr()?.port());
    let mut from = BufReader::new(client);
    let mut head = String::new();
    let mut length = 0_u64;
    loop {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let lower = line.to_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line.trim().is_empty() {
            break;
        }
        if !lower.starts_with("connection:") && !lower.starts_with("authorization:") {
            // A client that names this forwarder means the gateway; another name stays what it is.
            head.push_str(&line.replace(&own, to));
        }
    }
    let mut server = TcpStream::connect(to)?;
    server.set_nodelay(true)?;
    write!(server, "{head}Authorization: Bearer {token}\r\nConnection: close\r\n\r\n")?;
    io::copy(&mut from.by_ref().take(length), &mut server)?;
    let (mut watched, other) = (client.try_clone()?, server.try_clone()?);
    drop(thread::spawn(move || {
        // The client says nothing more; when it goes away, so does the request.
        io::copy(&mut watched, &mut io::sink()).ok();
        other.shutdown(Shutdown::Both).ok();
    }));
    let mut client = client;
    io::copy(&mut server, &mut client)?;
    client.shutdown(Shutdown::Both)
}
