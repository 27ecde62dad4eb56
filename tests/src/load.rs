//! A closed-loop load: each connection sends the next request when it has read the last answer.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::wire::authority;

/// What to send, over and over, and where.
#[derive(Clone, Debug)]
pub struct Load {
    endpoint: String,
    request: Arc<[u8]>,
    /// What each answer must contain to count as one.
    expected: &'static str,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Answers as expected.
    pub answers: usize,
    /// Other answers, and connections that broke.
    pub failures: usize,
    /// One of the other answers.
    pub failure: Option<String>,
    /// For how long was sent.
    pub took: Duration,
    latencies: Vec<Duration>,
}

impl Measured {
    /// Answers a second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
    pub fn rate(&self) -> f64 {
        self.answers as f64 / self.took.as_secs_f64()
    }

    /// The latency below which this share (in thousandths) of the answers came.
    #[must_use]
    pub fn within(&self, thousandths: usize) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get(last * thousandths / 1000).copied().unwrap_or_default()
    }

    fn add(&mut self, other: Self) {
        self.answers += other.answers;
        self.failures += other.failures;
        self.failure = self.failure.take().or(other.failure);
        self.latencies.extend(other.latencies);
    }
}

impl Load {
    /// `request` is a whole HTTP request that keeps its connection alive.
    #[must_use]
    pub fn new(endpoint: &str, request: &[u8], expected: &'static str) -> Self {
        Self { endpoint: endpoint.to_owned(), request: request.into(), expected }
    }

    /// Sends over this many connections for this long.
    pub async fn run(&self, connections: usize, time: Duration) -> Measured {
        let begun = Instant::now();
        let end = begun + time;
        let mut running = JoinSet::new();
        for _ in 0..connections {
            let load = self.clone();
            running.spawn(async move { load.connection(end).await });
        }
        let mut all = Measured::default();
        while let Some(one) = running.join_next().await {
            all.add(one.unwrap_or_default());
        }
        all.took = begun.elapsed();
        all.latencies.sort_unstable();
        all
    }

    async fn connection(&self, end: Instant) -> Measured {
        let mut measured = Measured::default();
        if let Err(error) = self.converse(end, &mut measured).await {
            measured.failures += 1;
            measured.failure = Some(error.to_string());
        }
        measured
    }

    async fn converse(&self, end: Instant, measured: &mut Measured) -> io::Result<()> {
        let mut stream = TcpStream::connect(authority(&self.endpoint)).await?;
        stream.set_nodelay(true)?;
        let mut buffer = Vec::with_capacity(16 * 1024);
        while Instant::now() < end {
            let begun = Instant::now();
            stream.write_all(&self.request).await?;
            let answer = response(&mut stream, &mut buffer).await?;
            if answer.contains(self.expected) {
                measured.answers += 1;
                measured.latencies.push(begun.elapsed());
            } else {
                measured.failures += 1;
                measured.failure.get_or_insert_with(|| answer.into_owned());
            }
        }
        Ok(())
    }
}

/// One response of known length, head and body.
async fn response<'a>(stream: &mut TcpStream, buffer: &'a mut Vec<u8>) -> io::Result<std::borrow::Cow<'a, str>> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(length) = length(buffer)? {
            while buffer.len() < length {
                if stream.read_buf(buffer).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            return Ok(String::from_utf8_lossy(buffer));
        }
    }
}

/// Of head and body together, once the head is there.
fn length(buffer: &[u8]) -> io::Result<Option<usize>> {
    let Some(head) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = String::from_utf8_lossy(&buffer[..head]).to_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    let length = length.ok_or_else(|| io::Error::other(format!("a response without a length: {text}")))?;
    Ok(Some(head + 4 + length))
}
