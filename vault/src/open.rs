//! What a config's backends become.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::backend::env::EnvStore;
use crate::backend::file::{FileError, FileStore};
use crate::backend::hashicorp::{ConnectorError, Hashicorp};
use crate::backend::sops::Sops;
use crate::backend::{Backend, Store, Stores};
use crate::config::{Config, Kind};
use crate::secret::Secret;
use crate::vault::Around;

/// Why there is no vault.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A file of secrets.
    #[error("the secrets of `{backend}` cannot be opened")]
    File {
        /// By its name in the config.
        backend: String,
        /// Why.
        source: FileError,
    },
    /// An OpenBao or Vault that cannot be spoken to as it is configured.
    #[error("the backend `{backend}` cannot be used")]
    Hashicorp {
        /// By its name in the config.
        backend: String,
        /// Why.
        source: ConnectorError,
    },
    /// What was handed over from the environment.
    #[error("the secrets of the environment cannot be read")]
    Environment(#[source] std::io::Error),
}

/// The open backends.
pub(crate) struct Opened {
    pub(crate) stores: Stores,
    /// Those that this program writes.
    pub(crate) files: BTreeMap<String, Arc<FileStore>>,
    /// What is kept, by where it is: the redactor must know it before any call runs.
    pub(crate) stored: Vec<(String, Secret)>,
}

impl Opened {
    pub(crate) fn open(config: &Config, around: &Around) -> Result<Self, OpenError> {
        let mut opened = Self { stores: Stores::new(), files: BTreeMap::new(), stored: Vec::new() };
        for (name, kind) in &config.backends {
            let store = opened.one(config, name, kind, around)?;
            opened.stores.insert(name.clone(), store);
        }
        Ok(opened)
    }

    fn one(&mut self, config: &Config, name: &str, kind: &Kind, around: &Around) -> Result<Store, OpenError> {
        match kind {
            Kind::File(settings) => {
                let (passphrase, clock, grace) = (around.passphrase.clone(), around.clock, around.grace);
                let file = FileStore::open(settings.clone(), passphrase, clock, grace);
                let file = Arc::new(file.map_err(|source| OpenError::File { backend: name.to_owned(), source })?);
                self.stored.extend(file.values().into_iter().map(|(path, value)| (place(name, &path), value)));
                self.files.insert(name.to_owned(), Arc::clone(&file));
                Ok(kept(file))
            }
            Kind::Env => {
                let env = EnvStore::take().map_err(OpenError::Environment)?;
                let found = config.paths(name).filter_map(|path| Some((place(name, path), env.value(path)?)));
                self.stored.extend(found);
                Ok(kept(Arc::new(env)))
            }
            Kind::Hashicorp(settings) => {
                let backend = || name.to_owned();
                let opened =
                    Hashicorp::new(settings).map_err(|source| OpenError::Hashicorp { backend: backend(), source })?;
                let opened = Arc::new(opened);
                let (halt, tended) = (around.halt.clone(), Arc::clone(&opened));
                around.tasks.spawn(async move { halt.run_until_cancelled(tended.tend()).await });
                Ok(Store { backend: Arc::clone(&opened) as Arc<dyn Backend>, revoke: Some(opened) })
            }
            Kind::Sops(settings) => {
                let sops = Sops::new(settings.clone());
                for path in config.paths(name) {
                    match sops.read(path, Instant::now() + PATIENCE) {
                        Ok(Some((value, _))) => self.stored.push((place(name, path), value)),
                        Ok(None) => tracing::warn!(backend = name, "a secret that the config names is not there"),
                        Err(error) => tracing::warn!(backend = name, %error, "the secrets cannot be read yet"),
                    }
                }
                Ok(kept(Arc::new(sops)))
            }
        }
    }
}

/// How long a program may take at the start.
const PATIENCE: Duration = Duration::from_secs(10);

fn kept(backend: Arc<dyn Backend>) -> Store {
    Store { backend, revoke: None }
}

/// Where a value is kept: what it is learned under.
fn place(backend: &str, path: &str) -> String {
    format!("{backend}/{path}#")
}
