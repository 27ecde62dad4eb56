//! `Reloadable`: the policies in force, and how they are swapped while calls run.

use std::sync::{Arc, PoisonError, RwLock};

use audit::{Audit, Event};
use policies::Hash;
use policies::decision::{Policies, Source};
use tokio_util::task::TaskTracker;

use super::warn_of_observed;
use crate::clock;
use crate::config::{Loaded, PolicyFiles, Problem};

/// The policies in force, swapped whole.
pub struct Reloadable {
    files: PolicyFiles,
    current: RwLock<InForce>,
}

/// The policies in force, with their texts.
#[derive(Clone)]
pub struct InForce {
    /// What decides.
    pub policies: Arc<Policies>,
    /// The digest of the texts.
    pub hash: Hash,
    /// The texts that are not built in.
    pub sources: Arc<[Source]>,
}

impl Reloadable {
    /// Reads and compiles the policies.
    ///
    /// # Errors
    /// Every problem there is.
    pub fn load(files: PolicyFiles) -> Result<Self, Vec<Problem>> {
        let loaded = files.load()?;
        warn_of_observed(&loaded.policies);
        Ok(Self { files, current: RwLock::new(loaded.into()) })
    }

    /// The policies in force.
    #[must_use]
    pub fn current(&self) -> Arc<Policies> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).policies)
    }

    /// The policies in force, with their texts.
    #[must_use]
    pub fn in_force(&self) -> InForce {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where policies come from.
    #[must_use]
    pub fn files(&self) -> &PolicyFiles {
        &self.files
    }

    /// What is in force, or why it is not, for the log.
    pub(super) fn event(&self, reloaded: Result<(), &[Problem]>) -> Event {
        match reloaded {
            Ok(()) => {
                let InForce { policies, hash, .. } = self.in_force();
                let observed = policies.observed().map(|(id, _)| id.to_owned()).collect();
                Event::PoliciesLoaded { hash, sources: self.files.sources(), observed }
            }
            Err(problems) => Event::ReloadRefused { problems: problems.iter().map(ToString::to_string).collect() },
        }
    }

    /// Reads the files again and swaps the policies; a bad file changes nothing.
    ///
    /// # Errors
    /// Every problem there is.
    pub fn reload(&self) -> Result<String, Vec<Problem>> {
        let loaded = self.files.load()?;
        warn_of_observed(&loaded.policies);
        let what = format!("in force: {}", self.files.sources().join(", "));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = loaded.into();
        Ok(what)
    }
}

impl From<Loaded> for InForce {
    fn from(loaded: Loaded) -> Self {
        Self { policies: Arc::new(loaded.policies), hash: loaded.hash, sources: loaded.sources.into() }
    }
}

/// Reloads, and records what came of it.
pub(super) fn reload(policies: &Reloadable, audit: &Audit, tasks: &TaskTracker) -> Result<String, Vec<Problem>> {
    let reloaded = policies.reload();
    let event = policies.event(reloaded.as_ref().map(drop).map_err(Vec::as_slice));
    let audit = audit.clone();
    tasks.spawn(async move {
        if let Err(error) = audit.note(event, clock::now()).await {
            tracing::error!(%error, "a reload could not be recorded");
        }
    });
    reloaded
}
