//! `Shelf`: where secrets are kept: behind a running gateway, or in files that nobody else has open.

use std::path::Path;

use policies::OperatorId;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vault::{Listed, Sealed, Vault};

use crate::app::{Around, open_vault};
use crate::cli::print::Trouble;
use crate::cli::serve::refused;
use crate::cli::{Global, advised};
use crate::config::{Config, Overrides};
use crate::operator::Peers;
use crate::operator::client::{Client, ConnectError};
use crate::operator::refused::Refused;
use crate::operator::secrets::{self, Changed, Setting};

pub(super) enum Shelf {
    Running(Client),
    Alone(Box<Alone>),
}

pub(super) struct Alone {
    audit: audit::Audit,
    vault: Vault,
    around: Around,
    by: OperatorId,
}

impl Shelf {
    pub(super) async fn open(global: &Global, config: Option<&Path>) -> anyhow::Result<Self> {
        let overrides = Overrides { state: global.state.clone(), ..Overrides::default() };
        // A running gateway has its own config; this one says where its state is.
        let config = Config::load(config, overrides).map_err(|problems| refused(&problems))?;
        match Client::connect(&config.state).await {
            Ok(client) => Ok(Self::Running(client)),
            Err(ConnectError::NotRunning { .. }) => {
                let audit = crate::app::open_log(&config.state)?;
                let (background, stop, halt) = (TaskTracker::new(), CancellationToken::new(), CancellationToken::new());
                let around = Around { background, stop, halt, tracer: None };
                let vault = open_vault(&config, &audit, &around)?;
                Ok(Self::Alone(Box::new(Alone { audit, vault, around, by: Peers::new(&[]).own() })))
            }
            Err(error) => Err(advised(error.into())),
        }
    }

    pub(super) async fn list(&self) -> anyhow::Result<Vec<Listed>> {
        match self {
            Self::Running(client) => client.ask("secrets_list", &[]).await.map_err(|error| advised(error.into())),
            Self::Alone(alone) => alone.shelf().list().map_err(|error| told(&error)),
        }
    }

    pub(super) async fn recipient(&self, name: &str) -> anyhow::Result<String> {
        match self {
            Self::Running(client) => {
                client.ask("secrets_recipient", &[("name", name)]).await.map_err(|error| advised(error.into()))
            }
            Self::Alone(alone) => alone.shelf().recipient(name).map_err(|error| told(&error)),
        }
    }

    pub(super) async fn set(&self, name: &str, sealed: Sealed, force: bool, rotate: bool) -> anyhow::Result<Changed> {
        match self {
            Self::Running(client) => {
                let params = [
                    ("name", json!(name)),
                    ("sealed", json!(sealed)),
                    ("force", json!(force)),
                    ("rotate", json!(rotate)),
                ];
                client.ask_with("secrets_set", &params).await.map_err(|error| advised(error.into()))
            }
            Self::Alone(alone) => {
                let setting = Setting { name: name.to_owned(), sealed, force, rotate };
                alone.shelf().set(&alone.by, setting).await.map_err(|error| told(&error))
            }
        }
    }

    pub(super) async fn remove(&self, name: &str) -> anyhow::Result<Changed> {
        match self {
            Self::Running(client) => {
                client.ask("secrets_remove", &[("name", name)]).await.map_err(|error| advised(error.into()))
            }
            Self::Alone(alone) => alone.shelf().remove(&alone.by, name).await.map_err(|error| told(&error)),
        }
    }

    pub(super) async fn revoke(&self, name: &str) -> anyhow::Result<Changed> {
        match self {
            Self::Running(client) => {
                client.ask("secrets_revoke", &[("name", name)]).await.map_err(|error| advised(error.into()))
            }
            Self::Alone(alone) => alone.shelf().revoke(&alone.by, name).await.map_err(|error| told(&error)),
        }
    }

    /// Lets what runs beside come to its end.
    pub(super) async fn close(self) {
        if let Self::Alone(alone) = self {
            alone.around.halt.cancel();
            alone.around.background.close();
            alone.around.background.wait().await;
            alone.audit.stop().await;
        }
    }
}

impl Alone {
    fn shelf(&self) -> secrets::Shelf<'_> {
        secrets::Shelf { vault: &self.vault, audit: &self.audit }
    }
}

fn told(refused: &Refused) -> anyhow::Error {
    Trouble::new(refused.to_string()).next(refused.next()).into()
}
