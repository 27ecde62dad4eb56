//! Greeting a child: `server/discover`, then `initialize` for whoever does not know it.

use std::time::Duration;

use policies::Object;

use super::pipe::Opened;
use crate::line::Era;
use crate::mcp::{Body, Flight, Meta, Probe, Reply, greeting_of_initialize, initialize, notification, probe};
use crate::server::Greeting;

/// How a child is greeted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// With `server/discover` first.
    Probe,
    /// With `initialize` at once: the last time it ended over the probe.
    Initialize,
}

impl Manner {
    /// It ended before it answered. Some legacy servers do, over a request that comes before `initialize`.
    pub(super) fn failed(&mut self) {
        *self = match self {
            Self::Probe => Self::Initialize,
            Self::Initialize => Self::Probe,
        };
    }
}

/// A legacy server may drop what comes before `initialize` without a word.
const PROBE: Duration = Duration::from_secs(10);

/// What a child's agents can be asked for: at this point no agent is known, so everything that can be passed on. One
/// that cannot answer refuses.
const CAPABILITIES: &str = r#"{"sampling":{},"elicitation":{},"roots":{"listChanged":false}}"#;

/// Greets a child; the caller sets the deadline.
///
/// # Errors
/// With a sentence that says why it cannot be used.
pub(super) async fn greet(pipe: &Opened, manner: &Manner) -> Result<Greeting, String> {
    if *manner == Manner::Initialize {
        let mut initializing = send_initialize(pipe)?;
        return initialized(pipe, initializing.reply().await);
    }
    let mut probing = send_probe(pipe)?;
    let answer = tokio::time::timeout(PROBE, probing.reply()).await;
    match answer.map(probed) {
        Ok(Probe::Modern(greeting)) => Ok(greeting),
        Ok(Probe::Legacy) => initialized(pipe, send_initialize(pipe)?.reply().await),
        Err(_) => either(pipe, probing).await,
    }
}

/// It said nothing yet: it may be slow to start (`npx` fetches packages), or it may not know the probe.
async fn either(pipe: &Opened, mut probing: Flight) -> Result<Greeting, String> {
    let mut initializing = send_initialize(pipe)?;
    tokio::select! {
        answer = probing.reply() => match probed(answer) {
            Probe::Modern(greeting) => Ok(greeting),
            Probe::Legacy => initialized(pipe, initializing.reply().await),
        },
        answer = initializing.reply() => initialized(pipe, answer),
    }
}

fn probed(reply: Reply) -> Probe {
    match reply {
        Reply::Result(result) => probe(Ok(result)),
        Reply::Error(error) => probe(Err(error)),
        Reply::Failed(_) | Reply::Stopped => Probe::Legacy,
    }
}

fn initialized(pipe: &Opened, reply: Reply) -> Result<Greeting, String> {
    let greeting = match reply {
        Reply::Result(result) => greeting_of_initialize(result).map_err(str::to_owned)?,
        Reply::Error(_) => return Err("it refused `initialize`".to_owned()),
        Reply::Failed(failure) => return Err(failure.detail),
        Reply::Stopped => return Err("the gateway stops".to_owned()),
    };
    pipe.say(notification("notifications/initialized", "{}"))?;
    Ok(greeting)
}

fn send_probe(pipe: &Opened) -> Result<Flight, String> {
    let params = Object::new();
    pipe.request(|id| Body::Plain("server/discover", &params).write(id, &Meta::own(Era::Modern)))
}

fn send_initialize(pipe: &Opened) -> Result<Flight, String> {
    pipe.request(|id| Ok(initialize(id, CAPABILITIES)))
}
