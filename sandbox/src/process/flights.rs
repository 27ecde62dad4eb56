//! `Flights`: how many calls run in a shared server, and whether one of them was given up.

use std::time::Duration;

use tokio::sync::watch;

/// The calls that run in one server.
#[derive(Default)]
pub(super) struct Flights {
    count: watch::Sender<usize>,
    given_up: watch::Sender<bool>,
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
        self.count.send_modify(|count| *count += 1);
        Flying { flights: self, landed: false }
    }

    /// Waits until a call was given up, and a moment longer. Cancel-safe.
    pub(super) async fn given_up(&self) {
        // An error would mean that this is gone.
        drop(self.given_up.subscribe().wait_for(|given_up| *given_up).await);
        tokio::time::sleep(HEED).await;
    }

    /// Waits until none runs: then nothing is lost by ending the server. Cancel-safe.
    pub(super) async fn none(&self) {
        drop(self.count.subscribe().wait_for(|count| *count == 0).await);
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
            self.flights.given_up.send_replace(true);
        }
        self.flights.count.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_that_was_given_up_waits_for_those_of_others() {
        let flights = Flights::default();
        let moment = || tokio::time::sleep(HEED * 2);
        let (one, other) = (flights.board(), flights.board());
        tokio::select! { () = flights.given_up() => panic!(), () = moment() => {} }
        drop(one);
        tokio::select! { () = flights.given_up() => {}, () = moment() => panic!() }
        tokio::select! { () = flights.none() => panic!(), () = moment() => {} }
        other.land();
        tokio::select! { () = flights.none() => {}, () = moment() => panic!() }
    }

    #[tokio::test]
    async fn a_server_whose_calls_are_answered_goes_on() {
        let flights = Flights::default();
        flights.board().land();
        let late = tokio::time::sleep(HEED * 2);
        tokio::select! { () = flights.given_up() => panic!(), () = late => {} }
    }
}
