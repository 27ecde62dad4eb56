//! The exporters as the console shows them: how far each has come, and whether it gets on.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Operators;
use crate::export::Progress;

/// An exporter, and how it gets on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExporterRow {
    /// Its name in the config.
    pub name: String,
    /// What it passes records on to.
    pub kind: String,
    /// How far it has come, in words.
    pub place: String,
    /// `ok`, or why it does not get on.
    pub state: String,
}

impl From<Progress> for ExporterRow {
    fn from(progress: Progress) -> Self {
        let place = progress.place();
        let trouble = progress.trouble.map(|trouble| trouble.error);
        let state = progress.astray.or(trouble).unwrap_or_else(|| "ok".to_owned());
        Self { name: progress.name, kind: progress.kind.to_owned(), place, state }
    }
}

/// Every exporter of the config, as its files and the log say it.
pub(super) async fn rows(all: &Operators) -> Vec<ExporterRow> {
    let config = Arc::clone(&all.agents.config);
    if config.export.is_empty() {
        return Vec::new();
    }
    let work = move || Progress::all(&config).into_iter().map(ExporterRow::from).collect();
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "how far exporters have come could not be read");
        Vec::new()
    })
}
