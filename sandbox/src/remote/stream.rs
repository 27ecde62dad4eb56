//! `Stream`: a response body that is an event stream, read at a bounded rate.

use std::collections::VecDeque;
use std::time::Duration;

use audit::{Failure, FailureKind};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::allowance::Allowance;
use crate::limits::Limits;
use crate::sse::{Decoder, SseEvent, TooLarge};

/// A response body that is an event stream.
pub(super) struct Stream {
    body: Incoming,
    decoder: Decoder,
    events: VecDeque<SseEvent>,
    limit: usize,
    unsolicited: Allowance,
    /// Where to go on after an interruption.
    pub(super) last_id: Option<String>,
    /// How long to wait before that.
    pub(super) retry: Duration,
}

/// What nobody asked for is read at this many events a second.
const UNSOLICITED: u32 = 1000;

/// One event costs one unit, and another for each so many bytes.
const UNIT: usize = 4096;

/// Where a server does not say how long to wait.
const RETRY: Duration = Duration::from_secs(1);

impl Stream {
    pub(super) fn new(body: Incoming, limits: &Limits) -> Self {
        Self {
            body,
            decoder: Decoder::new(limits.answer),
            events: VecDeque::new(),
            limit: limits.answer,
            unsolicited: Allowance::new(UNSOLICITED, Instant::now()),
            last_id: None,
            retry: RETRY,
        }
    }

    /// The next event's data; `None` when the stream has ended, however it did. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        loop {
            if let Some(event) = self.events.pop_front() {
                self.last_id = event.id.or(self.last_id.take());
                self.retry = event.retry.map_or(self.retry, |retry| retry.clamp(SHORTEST_RETRY, LONGEST_RETRY));
                if !event.data.is_empty() {
                    return Ok(Some(event.data));
                }
                continue;
            }
            let Some(Ok(frame)) = self.body.frame().await else { return Ok(None) };
            if let Ok(chunk) = frame.into_data() {
                self.decoder.feed(&chunk, &mut self.events).map_err(|TooLarge| too_large(self.limit))?;
            }
        }
    }

    /// Pays for an event of so many bytes that nobody asked for, waiting where there were too many: the server feels it.
    pub(super) async fn pay(&mut self, bytes: usize) {
        let owed = self.unsolicited.spend(1 + bytes / UNIT, Instant::now());
        if owed > Duration::ZERO {
            tokio::time::sleep(owed).await;
        }
    }

    /// Reads the little that follows the answer, so that the connection can be used again.
    pub(super) async fn finish(mut self) {
        let rest = async { while let Some(Ok(_)) = self.body.frame().await {} };
        tokio::time::timeout(FINISH, rest).await.ok();
    }

    /// Whether the end is here already.
    pub(super) fn is_finished(&mut self) -> bool {
        use hyper::body::Body;
        self.body.is_end_stream()
    }
}

const FINISH: Duration = Duration::from_secs(1);
const SHORTEST_RETRY: Duration = Duration::from_millis(10);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// The failure of an answer over the limit.
pub(super) fn too_large(limit: usize) -> Failure {
    Failure { kind: FailureKind::TooLarge, detail: format!("the server's answer is over {limit} bytes") }
}
