//! `Flights`: how many calls run in a shared server, and whether one of them was given up.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// The calls that run in one server.
#[derive(Default)]
pub(super) struct Flights {
    count: AtomicUsize,
    given_up: AtomicBool,
    /// None runs any more, and one was given up.
    empty: Notify,
}

/// One of them. Dropping it before it landed gives it up.
pub(super) struct Flying<'a> {
    flights: &'a Flights,
    landed: bool,
}

/// A server is told of a cancellation, and has this long to do with it what it wants to.
const HEED: Duration = Duration::from_millis(500);

impl Flights {
    pub(super) fn board(&self) -> Flying<'_> {
        self.count.fetch_add(1, Ordering::SeqCst);
        Flying { flights: self, landed: false }
    }

    /// Waits until a call was given up and, a moment later, no other runs: then nothing is lost by ending the server. While
    /// others run it waits for them, since they belong to someone else. Cancel-safe.
    pub(super) async fn abandoned(&self) {
        self.given_up.store(false, Ordering::SeqCst);
        loop {
            self.empty.notified().await;
            tokio::time::sleep(HEED).await;
            if self.count.load(Ordering::SeqCst) == 0 && self.given_up.load(Ordering::SeqCst) {
                return;
            }
        }
    }
}

impl Flying<'_> {
    pub(super) fn land(mut self) {
        self.landed = true;
    }
}

impl Drop for Flying<'_> {
    fn drop(&mut self) {
        if !self.landed {
            self.flights.given_up.store(true, Ordering::SeqCst);
        }
        let last = self.flights.count.fetch_sub(1, Ordering::SeqCst) == 1;
        if last && self.flights.given_up.load(Ordering::SeqCst) {
            self.flights.empty.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_that_was_given_up_waits_for_those_of_others() {
        let flights = Flights::default();
        let abandoned = flights.abandoned();
        tokio::pin!(abandoned);
        let moment = || tokio::time::sleep(HEED * 2);
        let (one, other) = (flights.board(), flights.board());
        tokio::select! { () = &mut abandoned => panic!(), () = moment() => {} }
        drop(one);
        tokio::select! { () = &mut abandoned => panic!(), () = moment() => {} }
        other.land();
        tokio::select! { () = &mut abandoned => {}, () = moment() => panic!() }
    }

    #[tokio::test]
    async fn a_server_whose_calls_are_answered_goes_on() {
        let flights = Flights::default();
        flights.board().land();
        let late = tokio::time::sleep(HEED * 2);
        tokio::select! { () = flights.abandoned() => panic!(), () = late => {} }
    }
}
