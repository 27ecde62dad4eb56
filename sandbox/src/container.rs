//! Containers: what one may do, the images that they are made from, and how servers live in them. The engine itself is the
//! guard's alone.

pub(crate) mod archive;
pub(crate) mod build;
mod demux;
pub(crate) mod layout;
mod seccomp;
pub(crate) mod signature;
pub(crate) mod spawn;
pub(crate) mod spec;

use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::ContainerSource;
use crate::egress::Egress;
use crate::guard::client::Keeper;
pub(crate) use spawn::Contained;

/// What servers in containers share: the guard that makes them, and the way out.
pub(crate) struct Containers {
    keeper: Arc<Keeper>,
    egress: Arc<Egress>,
}

/// Where the guard listens unless the config says otherwise.
pub(crate) const GUARD: &str = "/run/portcullis.sock";

impl Containers {
    /// Connects to the guard in the background.
    pub(crate) fn new(
        guard: Option<PathBuf>,
        egress: Arc<Egress>,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let keeper = Keeper::connect(guard.unwrap_or_else(|| GUARD.into()), tasks, stop);
        Self { keeper, egress }
    }

    /// How a server in a container is started.
    ///
    /// # Errors
    /// With a sentence, where its image cannot be used.
    pub(crate) fn contain(&self, source: ContainerSource) -> Result<Contained, String> {
        let digest = layout::digest_of(&source.image).map_err(|error| error.to_string())?;
        Ok(Contained { keeper: Arc::clone(&self.keeper), egress: Arc::clone(&self.egress), source, digest })
    }
}
