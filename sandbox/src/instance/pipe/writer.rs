//! The one task that writes to a child, so that a call given up never leaves half a line behind.

use tokio::io::AsyncWriteExt;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::instance::Input;

/// Messages that wait together are written together, up to this many.
const BATCH: usize = 32;

/// Writes until the connection closes, then closes the child's input.
pub(super) async fn write(
    mut stdin: Input,
    mut queue: mpsc::Receiver<Vec<u8>>,
    closing: CancellationToken,
    breaks: watch::Sender<Option<String>>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        batch.clear();
        tokio::select! {
            count = queue.recv_many(&mut batch, BATCH) => if count == 0 { return },
            () = closing.cancelled() => return,
        }
        let bytes = if let [only] = batch.as_mut_slice() { std::mem::take(only) } else { batch.concat() };
        tokio::select! {
            written = stdin.write_all(&bytes) => if written.is_err() {
                breaks.send_replace(Some("it closed its input".to_owned()));
                return;
            },
            () = closing.cancelled() => return,
        }
    }
}
