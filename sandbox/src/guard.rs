//! The guard: the one small process that needs root. It makes containers, their networks and the rules around them, and hands
//! what must be served to a gateway that has no privileges.
//!
//! ```text
//! gateway ── Start, Stop ──► guard ──► engine, nft, netlink
//!         ◄── streams, sockets, Ended, Dropped ──
//! ```
//!
//! A connection is a gateway: when it ends, so does everything that was made for it. When the guard ends by accident the rules stay and
//! nothing answers behind them, so everything is denied; the next guard of the same name finds what was left by its label and removes it.

mod cell;
mod check;
pub(crate) mod client;
mod config;
mod engine;
mod network;
mod probe;
pub(crate) mod protocol;
mod serve;
pub(crate) mod visit;
pub(crate) mod wire;

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::egress::nft::FirewallError;
pub use config::{GuardConfig, GuardConfigError};
use engine::{Engine, EngineError};
use network::Networks;
use serve::Guard;
use wire::Door;

/// Why the guard cannot guard.
#[derive(Debug, Error)]
pub enum GuardError {
    /// It is not root.
    #[error("the guard makes networks and containers, and only root can: run it as root")]
    NotRoot,
    /// Another guard of this name runs.
    #[error("another guard named `{0}` runs on this machine")]
    Twice(String),
    /// The engine does not do what it must.
    #[error("{0}")]
    Engine(String),
    /// The firewall does not take the rules.
    #[error("the firewall's rules cannot be installed: {0}")]
    Firewall(String),
    /// Something of the system.
    #[error("{what}")]
    System {
        /// What was tried.
        what: String,
        /// What is in the way.
        source: io::Error,
    },
}

impl From<EngineError> for GuardError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error.to_string())
    }
}

impl From<FirewallError> for GuardError {
    fn from(error: FirewallError) -> Self {
        Self::Firewall(error.chain())
    }
}

/// Guards until `stop` is cancelled; then removes everything it made, the rules last. `ready` is called when gateways can connect.
///
/// # Errors
/// [`GuardError`], where it cannot begin.
pub async fn guard(
    config: GuardConfig,
    socket: &Path,
    ready: impl FnOnce(&str),
    stop: CancellationToken,
) -> Result<(), GuardError> {
    if !rustix::process::geteuid().is_root() {
        return Err(GuardError::NotRoot);
    }
    let system = |what: &str| {
        let what = what.to_owned();
        move |source| GuardError::System { what, source }
    };
    private(&config.folder).map_err(system("its folder cannot be made"))?;
    let lock = lock(&config.folder, &config.name)?;
    let engine = Engine::connect(&config).await?;
    engine.sweep(|_| false).await?;
    clear(&config.folder).map_err(system("its folder cannot be cleared"))?;
    let networks = Networks::new(&config);
    networks.firewall.install()?;
    let tasks = TaskTracker::new();
    let dropped = networks.watch().map_err(system("dropped packets cannot be read"))?;
    let door = open(socket, &config).map_err(system("its socket cannot be made"))?;
    let summary = engine.summary();
    let (folder, firewall) = (config.folder.clone(), Arc::clone(&networks.firewall));
    let guard = Guard::new(config, engine, networks, tasks.clone(), stop.clone());
    ready(&summary);
    guard.serve(door, dropped).await;
    tasks.close();
    tasks.wait().await;
    // Sandboxes are gone; so may the rules be.
    blocking(move || firewall.remove()).await?;
    fs::remove_file(socket).ok();
    clear(&folder).map_err(system("its folder cannot be cleared"))?;
    drop(lock);
    Ok(())
}

/// Runs what waits for other programs where it holds nobody up.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FirewallError> + Send + 'static,
) -> Result<T, FirewallError> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or(Err(FirewallError::Changed))
}

fn private(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o711).create(folder)
}

fn lock(folder: &Path, name: &str) -> Result<fs::File, GuardError> {
    let path: PathBuf = folder.join(format!("{name}.lock"));
    let system = |source| GuardError::System { what: format!("{} cannot be made", path.display()), source };
    let file = fs::File::create(&path).map_err(system)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| GuardError::Twice(name.to_owned()))?;
    Ok(file)
}

/// Removes what earlier sandboxes were given.
fn clear(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.ends_with(probe::FOLDER) {
            fs::remove_dir_all(&path)?;
        } else if path.is_dir() {
            cell::remove_folder(&path)?;
        }
    }
    Ok(())
}

/// For the gateways' users to connect to; who may do more than connect is decided by user.
fn open(socket: &Path, config: &GuardConfig) -> io::Result<Door> {
    if let Err(error) = fs::remove_file(socket)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let door = Door::open(socket)?;
    fs::set_permissions(socket, fs::Permissions::from_mode(0o660))?;
    let owner = match config.uids.as_slice() {
        [one] => Some(*one),
        [] | [_, _, ..] => None,
    };
    std::os::unix::fs::chown(socket, owner, config.group)?;
    Ok(door)
}
