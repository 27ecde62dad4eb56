//! `Drops`: what the firewall in a jail dropped, told to the call that its exit is open for.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::egress::Exit;
use crate::egress::denied::Dropped;

/// What the firewall in one jail drops.
pub(super) struct Drops {
    dropped: Dropped,
    exit: Weak<Exit>,
    /// Whoever holds it reads and tells in one step, so that nothing read is still untold when a call is closed.
    telling: Mutex<()>,
}

impl Drops {
    pub(super) fn new(dropped: Dropped, exit: &Arc<Exit>) -> Arc<Self> {
        Arc::new(Self { dropped, exit: Arc::downgrade(exit), telling: Mutex::new(()) })
    }

    /// Tells of what is there now. The kernel has it by the time that the program knows of it.
    pub(super) fn tell(&self) {
        let _telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(exit) = self.exit.upgrade() else { return };
        for denied in self.dropped.now() {
            exit.dropped(denied.packet());
        }
    }

    /// Tells of it as it comes, until the jail's exit is gone.
    pub(super) async fn watch(self: Arc<Self>) {
        while self.exit.strong_count() > 0 && self.dropped.readable().await.is_ok() {
            self.tell();
        }
    }
}
