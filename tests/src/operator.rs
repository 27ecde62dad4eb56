//! An operator's connection to a gateway: JSON-RPC over WebSocket on the Unix socket, framed by hand.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

/// A connection to the operators' socket.
#[derive(Debug)]
pub struct Operator {
    reader: BufReader<UnixStream>,
    asked: u64,
}

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0x8a;

impl Operator {
    /// Connects to the gateway that owns this state folder.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn connect(state: &Path) -> io::Result<Self> {
        let mut stream = UnixStream::connect(state.join("operator.sock"))?;
        // PINs are checked one after the other, slowly on purpose.
        stream.set_read_timeout(Some(Duration::from_mins(2)))?;
        let hello = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
        stream.write_all(hello.as_bytes())?;
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while reader.read_line(&mut line)? > 2 {
            line.clear();
        }
        Ok(Self { reader, asked: 0 })
    }

    /// One request: its result, or the gateway's error object. What is told meanwhile is passed over.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn ask(&mut self, method: &str, params: &Value) -> io::Result<Result<Value, Value>> {
        self.asked += 1;
        let request = json!({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params});
        self.send(TEXT, request.to_string().as_bytes())?;
        loop {
            let mut message = self.hear()?;
            if message["id"] == self.asked {
                let error = message["error"].take();
                return Ok(if error.is_null() { Ok(message["result"].take()) } else { Err(error) });
            }
        }
    }

    /// The next message, whatever it is about.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn hear(&mut self) -> io::Result<Value> {
        let mut text = Vec::new();
        loop {
            let [head, length] = self.bytes()?;
            let length = match length {
                126 => usize::from(u16::from_be_bytes(self.bytes()?)),
                127 => usize::try_from(u64::from_be_bytes(self.bytes()?)).map_err(io::Error::other)?,
                short => usize::from(short),
            };
            let mut payload = vec![0; length];
            self.reader.read_exact(&mut payload)?;
            match head & 0xf {
                CLOSE => return Err(io::ErrorKind::ConnectionReset.into()),
                PING => self.send(PONG, &payload)?,
                _ => text.append(&mut payload),
            }
            if head & 0x80 != 0 && !text.is_empty() {
                return serde_json::from_slice(&text).map_err(io::Error::other);
            }
        }
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// One frame: its length in two bytes, and a mask of zeros, which leaves the payload as it is.
    fn send(&mut self, head: u8, payload: &[u8]) -> io::Result<()> {
        let length = u16::try_from(payload.len()).map_err(io::Error::other)?;
        let mut frame = vec![head, 0xfe];
        frame.extend(length.to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(payload);
        self.reader.get_mut().write_all(&frame)
    }
}
