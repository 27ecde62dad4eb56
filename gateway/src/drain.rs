//! Serves one connection to its end, or, when the gateway stops, to the end of what is being answered.

use std::pin::{Pin, pin};

use tokio_util::sync::CancellationToken;

/// Serves a connection. Told to stop, it is made to `finish`: it answers what it has begun and takes nothing more.
pub(crate) async fn drained<C: Future>(connection: C, finish: fn(Pin<&mut C>), stop: &CancellationToken) -> C::Output {
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            finish(connection.as_mut());
            connection.await
        }
    }
}
