//! What a subscriber of holds hears: first every open hold, then each change.

use std::time::Duration;

use jsonrpsee::{PendingSubscriptionSink, SubscriptionSink};
use serde_json::value::to_raw_value;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::Operators;
use super::card::{Card, Event};
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

/// Tells until the subscriber or the gateway goes.
pub(super) async fn tell(operators: &Operators, pending: PendingSubscriptionSink, stop: &CancellationToken) {
    // Before the list is read: a hold that opens in between is told twice, never missed.
    let mut changes = operators.holds.changes();
    let Ok(sink) = pending.accept().await else { return };
    let mut event = Some(Event::Open { holds: cards(operators) });
    loop {
        if let Some(event) = event.take()
            && !send(&sink, &event).await
        {
            return;
        }
        let change = tokio::select! {
            change = changes.recv() => change,
            () = sink.closed() => return,
            () = stop.cancelled() => return,
        };
        event = match change {
            // The gateway's own trials are nobody's to answer: they would drown the holds that are.
            Ok(hold) if liveness::is_synthetic(&hold) => None,
            Ok(hold) => Some(Event::Changed { hold: Box::new(operators.told(&hold)) }),
            Err(RecvError::Lagged(_)) => Some(Event::Open { holds: cards(operators) }),
            Err(RecvError::Closed) => return,
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
