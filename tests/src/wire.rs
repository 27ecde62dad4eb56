//! HTTP/1.1 by hand, so that a test can send what no library would, and see exactly what came back.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// One connection to an address.
pub struct Wire {
    reader: BufReader<TcpStream>,
}

/// Status, headers and where the body begins.
#[derive(Clone, Debug)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A whole response.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status and headers.
    pub head: Head,
    /// The body, chunks joined; for SSE the whole stream.
    pub body: String,
}

impl Wire {
    /// Connects to the host and port of an endpoint's URL.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn connect(endpoint: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(authority(endpoint))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        stream.set_write_timeout(Some(Duration::from_secs(20)))?;
        Ok(Self { reader: BufReader::new(stream) })
    }

    /// How long one read may take.
    pub fn patience(&mut self, limit: Duration) {
        self.reader.get_ref().set_read_timeout(Some(limit)).expect("a timeout can be set");
    }

    /// Sends these bytes as they are.
    ///
    /// # Errors
    /// When the peer no longer takes them.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    /// Reads status line and headers.
    ///
    /// # Errors
    /// When the peer closes or says something else.
    pub fn head(&mut self) -> io::Result<Head> {
        let line = self.text_line()?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("not a status line: {line:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.text_line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
        Ok(Head { status, headers })
    }

    /// Reads a whole response.
    ///
    /// # Errors
    /// When the peer closes early.
    pub fn response(&mut self) -> io::Result<Response> {
        let head = self.head()?;
        let mut body = Vec::new();
        if head.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
            while let Some(chunk) = self.chunk()? {
                body.extend(chunk);
            }
        } else if let Some(length) = head.header("content-length").and_then(|length| length.parse().ok()) {
            body = vec![0; length];
            self.reader.read_exact(&mut body)?;
        } else if !matches!(head.status, 202 | 204 | 304) {
            self.reader.read_to_end(&mut body)?;
        }
        Ok(Response { head, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// Reads one chunk of a chunked body; `None` after the last.
    ///
    /// # Errors
    /// When the peer closes early.
    pub fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let line = self.text_line()?;
        let length = line.split(';').next().unwrap_or_default().trim();
        let length =
            usize::from_str_radix(length, 16).map_err(|_| io::Error::other(format!("not a chunk: {line:?}")))?;
        let mut chunk = vec![0; length];
        self.reader.read_exact(&mut chunk)?;
        self.text_line()?;
        Ok((length > 0).then_some(chunk))
    }

    fn text_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}

/// `host:port` of an endpoint's URL.
#[must_use]
pub fn authority(endpoint: &str) -> &str {
    let rest = endpoint.strip_prefix("http://").unwrap_or(endpoint);
    rest.split('/').next().unwrap_or(rest)
}

/// A POST to the endpoint with these headers and this body.
#[must_use]
pub fn post(endpoint: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("POST /mcp HTTP/1.1\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        write!(text, "Host: {}\r\n", authority(endpoint)).expect("text grows");
    }
    for (name, value) in headers {
        write!(text, "{name}: {value}\r\n").expect("text grows");
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend(body);
    bytes
}
