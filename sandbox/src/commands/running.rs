//! `Running`: one command while it runs for one call.

use std::sync::Arc;
use std::time::Duration;

use audit::{Failure, FailureKind, Observed, Redactor};
use policies::ServerName;
use policies::profile::Resources;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use vault::Placer;

use crate::egress::Opening;
use crate::instance::{Body, Ended, Input, Output, Spawned, copy_stderr};
use crate::limits::Limits;
use crate::mcp::Reply;
use crate::run::Surroundings;

/// One command while it runs. However it is dropped, its way out is closed first, what was seen is told, and nothing of it
/// goes on.
pub(super) struct Running<'a> {
    stdin: Option<Input>,
    stdout: Option<Output>,
    body: Box<dyn Body>,
    opening: Option<Opening>,
    seen: &'a mut Observed,
}

/// What a command that has ended said last is in the pipe already; a child of it may hold the pipe open for ever.
const LAST_WORDS: Duration = Duration::from_millis(500);

impl<'a> Running<'a> {
    pub(super) fn open(
        spawned: Spawned,
        (resources, placer): (&Arc<Resources>, &Placer),
        (server, around): (&ServerName, &Surroundings),
        seen: &'a mut Observed,
    ) -> Result<Self, Failure> {
        let Spawned { streams, body, exit } = spawned;
        let opening = exit.map(|exit| exit.open(resources, placer.clone())).transpose();
        let in_use = |_| Failure { kind: FailureKind::NoSandbox, detail: "its way out is in use".to_owned() };
        let opening = opening.map_err(in_use)?;
        if let Some(stderr) = streams.stderr {
            let tail = around.redactor.as_ref().map(Redactor::tail);
            around.tasks.spawn(copy_stderr(server.clone(), stderr, tail));
        }
        Ok(Self { stdin: Some(streams.stdin), stdout: Some(streams.stdout), body, opening, seen })
    }

    /// Lets it read its input, and waits for its end. Dropping the future ends it.
    pub(super) async fn finish(mut self, input: &[u8], limits: &Limits) -> Reply {
        let (Some(stdin), Some(stdout)) = (self.stdin.take(), self.stdout.take()) else { return Reply::Stopped };
        let mut said = Vec::new();
        let ended = match ended(self.body.as_mut(), feed(stdin, input), hear(stdout, &mut said, limits)).await {
            Ok(ended) => ended,
            Err(failure) => return Reply::Failed(failure),
        };
        answer(&ended, said)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.body.settle();
        if let Some(opening) = self.opening.take() {
            self.seen.merge(opening.close());
        }
    }
}

async fn ended(
    body: &mut dyn Body,
    feed: impl Future<Output = Result<(), Failure>>,
    hear: impl Future<Output = Result<(), Failure>>,
) -> Result<Ended, Failure> {
    let mut talk = std::pin::pin!(async { tokio::try_join!(feed, hear).map(|((), ())| ()) });
    tokio::select! {
        talked = &mut talk => talked?,
        ended = body.ended() => {
            tokio::time::timeout(LAST_WORDS, talk).await.unwrap_or(Ok(()))?;
            return Ok(ended);
        }
    }
    Ok(body.ended().await)
}

/// A command need not read what it is given.
async fn feed(mut stdin: Input, input: &[u8]) -> Result<(), Failure> {
    stdin.write_all(input).await.ok();
    stdin.shutdown().await.ok();
    Ok(())
}

async fn hear(mut stdout: Output, said: &mut Vec<u8>, limits: &Limits) -> Result<(), Failure> {
    let mut chunk = vec![0; 64 << 10];
    loop {
        // An error is an end too: what it means, the status says.
        let length = stdout.read(&mut chunk).await.unwrap_or_default();
        if length == 0 {
            return Ok(());
        }
        said.extend_from_slice(chunk.get(..length).unwrap_or_default());
        if said.len() > limits.answer {
            return Err(limits.too_large());
        }
    }
}

/// What it wrote, and where it says that it failed, how.
fn answer(ended: &Ended, said: Vec<u8>) -> Reply {
    let Some(status) = ended.status else { return Reply::failed(ended.kind, ended.why.as_str()) };
    match String::from_utf8(said) {
        Ok(said) if status == 0 => Reply::said(&[&said], false),
        Ok(said) => Reply::said(&[&said, &format!("the command exited with status {status}")], true),
        Err(_) => Reply::failed(FailureKind::Malformed, "the command's output is not UTF-8 text"),
    }
}
