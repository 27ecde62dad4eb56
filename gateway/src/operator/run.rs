//! A call from a terminal: the same path as an agent's, as the agent `operator:NAME`.

use std::sync::Arc;
use std::time::Duration;

use jsonrpsee::{PendingSubscriptionSink, SubscriptionSink};
use policies::profile::Isolation;
use policies::{AgentId, Call, Limits, Object, Value};
use sandbox::Era;
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::time::Instant;

use super::Operators;
use super::card::{Card, Progress};
use super::people::Person;
use crate::agent::live::{Live, Next};
use crate::agent::tools::session_key;
use crate::answer::{self, RpcError};
use crate::call::{End, Heard, Terms};
use crate::clock;
use crate::telemetry::Trace;

/// Which tool, with what.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    name: String,
    arguments: Box<RawValue>,
}

/// As long as an agent's call may take.
const LONGEST: Duration = Duration::from_hours(1);

/// A subscriber that reads nothing for this long is gone.
const UNREAD: Duration = Duration::from_secs(20);

/// Runs the call, telling what happens to it until it is over. Whoever goes away gives it up.
pub(super) async fn run(operators: &Operators, by: &Person, wanted: Wanted, pending: PendingSubscriptionSink) {
    let Ok(sink) = pending.accept().await else { return };
    let ended = match start(operators, by, &wanted).await {
        Ok(live) => match follow(operators, live, &sink).await {
            Some(ended) => ended,
            None => return,
        },
        Err(error) => Err(error),
    };
    send(&sink, &over(ended)).await;
}

async fn start(operators: &Operators, by: &Person, wanted: &Wanted) -> Result<Live, RpcError> {
    let arguments = Value::parse(wanted.arguments.get().as_bytes(), &Limits::REQUEST)
        .map_err(|error| RpcError::new(answer::INVALID_PARAMS, format!("the arguments cannot be used: {error}")))?;
    if arguments.as_object().is_none() {
        return Err(RpcError::new(answer::INVALID_PARAMS, "the arguments must be a JSON object"));
    }
    let offered = operators.catalog.tool(&wanted.name).await;
    let none = || RpcError::new(answer::INVALID_PARAMS, "no such tool is offered; `portcullis tools list` shows all");
    let offered = offered.ok_or_else(none)?;
    let schema = offered.schema.as_ref().map_err(|why| RpcError::new(answer::INVALID_PARAMS, why.as_str()))?;
    schema.validate(&arguments).map_err(|wrong| {
        let wrong: Vec<String> = wrong.iter().map(|wrong| format!("`{}`: {}", wrong.at, wrong.message)).collect();
        RpcError::new(answer::INVALID_PARAMS, wrong.join("; "))
    })?;
    let agent = AgentId::authenticated(&format!("operator:{}", by.id));
    let call = Call::new(clock::call_id(), agent, session_key()?, Arc::clone(&offered.tool), arguments);
    Ok(operators.agents.start(call, terms(by), true))
}

/// `None` where the one who asked has gone.
async fn follow(operators: &Operators, mut live: Live, sink: &SubscriptionSink) -> Option<Result<Value, RpcError>> {
    loop {
        let next = tokio::select! {
            next = live.next() => next,
            () = sink.closed() => return None,
        };
        let progress = match next {
            Next::Heard(Heard::Held(hold)) => Progress::Held { hold: Box::new(operators.card(&hold)) },
            Next::Heard(Heard::Running) => Progress::Running,
            Next::Heard(Heard::Notice { params, .. }) => {
                let Ok(params) = RawValue::from_string(params.to_string()) else { continue };
                Progress::Notice { params }
            }
            // Nobody here answers a tool's questions: dropping the reply refuses.
            Next::Heard(Heard::Ask { .. }) => continue,
            Next::End(end) => return Some(end_of(end, &live)),
        };
        if !send(sink, &progress).await {
            return None;
        }
    }
}

fn end_of(end: Result<End, audit::AuditError>, live: &Live) -> Result<Value, RpcError> {
    match end {
        Ok(End::Answered { receipt, .. }) => answer::receipt(receipt, live.method, Era::Modern),
        Ok(End::Refused(refusal)) => answer::refusal(&refusal, live.method, Era::Modern),
        Ok(End::Held(hold)) => answer::pending(&hold, live.method, Era::Modern),
        Err(error) => Err((&error).into()),
    }
}

fn over(ended: Result<Value, RpcError>) -> Progress {
    let (ok, answer) = match ended {
        Ok(result) => (result.get("isError").and_then(Value::as_bool) != Some(true), result),
        Err(error) => (false, error.to_message(None).get("error").cloned().unwrap_or_default()),
    };
    let answer = RawValue::from_string(answer.to_string()).unwrap_or_default();
    Progress::Ended { ok, answer }
}

fn terms(by: &Person) -> Terms {
    Terms {
        era: Era::Modern,
        deadline: Instant::now() + LONGEST,
        progress: false,
        capabilities: Object::new().into(),
        trace: Trace::default(),
        log_level: None,
        resume: None,
        task: None,
        author: Some(Arc::clone(&by.author)),
    }
}

async fn send(sink: &SubscriptionSink, progress: &Progress) -> bool {
    match to_raw_value(progress) {
        Ok(event) => sink.send_timeout(event, UNREAD).await.is_ok(),
        Err(_) => false,
    }
}

impl Operators {
    /// A hold's card, which says so where too few may approve it.
    pub(super) fn told(&self, hold: &policies::approval::Hold) -> Card {
        Card::of(hold).lacking(self.holds.short(hold))
    }

    /// A hold's card with what an approval opens.
    pub(super) fn card(&self, hold: &policies::approval::Hold) -> Card {
        let profile = self.agents.config.profile(hold.server(), hold.tool());
        let mut card = self.told(hold).within(profile.resources().map(AsRef::as_ref));
        let jail = profile.resources().is_some_and(|resources| resources.sandbox == Isolation::Jail);
        if let (Some(grant), true) = (&mut card.grant, jail) {
            grant.warnings.extend(sandbox::jail::lacks());
        }
        card
    }
}
