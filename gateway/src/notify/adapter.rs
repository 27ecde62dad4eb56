//! `Adapter`: what each kind of channel does.

use futures_util::future::BoxFuture;

use super::SendError;
use super::message::Message;

/// One kind of channel.
pub(super) trait Adapter: Send + Sync {
    /// Sends a message once, and waits until somebody says that it was taken.
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<(), SendError>>;
}
