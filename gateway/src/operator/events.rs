//! What a subscriber of holds hears: first every open hold, then each change.

use std::time::Duration;

use jsonrpsee::core::SubscriptionResult;
use jsonrpsee::{PendingSubscriptionSink, SubscriptionSink};
use serde_json::value::to_raw_value;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::Operators;
use super::card::{Card, Event};
use super::people::Caller;
use super::refused::Refused;
use crate::liveness;

/// A subscriber that reads nothing for this long is gone.
const UNREAD: Duration = Duration::from_secs(20);

/// Every open hold, oldest deadline first.
pub(super) fn cards(operators: &Operators) -> Vec<Card> {
    operators
        .holds
        .list()
        .iter()
        .filter(|hold| !liveness::is_synthetic(hold))
        .map(|hold| operators.told(hold))
        .collect()
}

/// Tells until the subscriber or the gateway goes, or whoever it is is let in no more: a connection on the Unix socket may be older than
/// the end of what let it in.
pub(super) async fn tell(
    operators: &Operators,
    caller: &Caller,
    pending: PendingSubscriptionSink,
    stop: &CancellationToken,
) -> SubscriptionResult {
    // Before the list is read: a hold that opens in between is told twice, never missed.
    let mut changes = operators.holds.changes();
    let Ok(sink) = pending.accept().await else { return Ok(()) };
    let mut event = Some(Event::Open { holds: cards(operators) });
    loop {
        if let Some(event) = event.take() {
            if !operators.people.still_serve(caller) {
                return Err(Refused::Nobody.into());
            }
            if !send(&sink, &event).await {
                return Ok(());
            }
        }
        let change = tokio::select! {
            change = changes.recv() => change,
            () = sink.closed() => return Ok(()),
            () = stop.cancelled() => return Ok(()),
        };
        event = match change {
            // The gateway's own trials are nobody's to answer: they would drown the holds that are.
            Ok(hold) if liveness::is_synthetic(&hold) => None,
            Ok(hold) => Some(Event::Changed { hold: Box::new(operators.told(&hold)) }),
            Err(RecvError::Lagged(_)) => Some(Event::Open { holds: cards(operators) }),
            Err(RecvError::Closed) => return Ok(()),
        };
    }
}

/// Whether the subscriber is still there.
async fn send(sink: &SubscriptionSink, event: &Event) -> bool {
    match to_raw_value(event) {
        Ok(event) => sink.send_timeout(event, UNREAD).await.is_ok(),
        Err(error) => {
            tracing::error!(%error, "a hold cannot be written as JSON");
            false
        }
    }
}
