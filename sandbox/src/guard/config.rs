//! `GuardConfig`: what the guard's requests can reach, in a file that only root can write.

use std::fs;
use std::io::{self, Read};
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use policies::Hash;
use policies::profile::Network;
use serde::Deserialize;
use thiserror::Error;

use super::protocol::Runtime;

/// What the guard may do, and for whom.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardConfig {
    /// Users whose gateways are served.
    pub(super) uids: Vec<u32>,
    /// The group that may connect, where there are several users.
    pub(super) group: Option<u32>,
    /// The engine's socket.
    #[serde(default = "engine")]
    pub(super) engine: PathBuf,
    /// Which guard this is, where a machine has several: its table, networks and containers bear the name.
    #[serde(default = "name")]
    pub(super) name: String,
    /// Where it keeps what its sandboxes read while they run.
    #[serde(default = "folder")]
    pub(super) folder: PathBuf,
    /// Folders below which image layouts may lie.
    pub(super) images: Vec<PathBuf>,
    /// Where given, only images with these manifest digests.
    pub(super) digests: Option<Vec<Hash>>,
    /// A public key (PEM, ECDSA P-256): where given, every image must bear a cosign signature by it.
    pub(super) cosign_key: Option<PathBuf>,
    /// Folders of the host that sandboxes may be given.
    #[serde(default, rename = "folder_grant")]
    pub(super) folders: Vec<Grant>,
    /// What may run containers.
    #[serde(default = "runtimes")]
    pub(super) runtimes: Vec<Runtime>,
    /// What the engine calls gVisor.
    #[serde(default = "gvisor")]
    pub(super) gvisor: String,
    /// The user inside.
    #[serde(default = "user")]
    pub(super) user: u32,
    /// The most sandboxes at once.
    #[serde(default = "sandboxes")]
    pub(super) sandboxes: usize,
    /// The most memory of one, in MiB.
    #[serde(default = "memory_mib")]
    pub(super) memory_mib: u64,
    /// The most processes and threads of one.
    #[serde(default = "processes")]
    pub(super) processes: u32,
    /// Addresses for the sandboxes: a private network of at least /24 that nothing else uses.
    #[serde(default = "network")]
    pub(super) network: Network,
    /// The netfilter log group that tells what was dropped.
    #[serde(default = "log_group")]
    pub(super) log_group: u16,
}

/// A folder of the host that sandboxes may be given, with all below it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Grant {
    pub(super) path: PathBuf,
    #[serde(default)]
    pub(super) writable: bool,
}

/// Why a guard's config cannot be used.
#[derive(Debug, Error)]
pub enum GuardConfigError {
    /// It cannot be read.
    #[error("the guard's config {path} cannot be read")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What is in the way.
        source: io::Error,
    },
    /// Somebody else than root can change it.
    #[error(
        "{0} can be changed by others than root: the file and every folder above it must belong to root, and be writable by nobody else"
    )]
    NotRoots(PathBuf),
    /// It is not what it should be.
    #[error("the guard's config is not valid: {0}")]
    Invalid(String),
}

fn engine() -> PathBuf {
    "/run/docker.sock".into()
}
fn name() -> String {
    "portcullis".to_owned()
}
fn folder() -> PathBuf {
    "/run/portcullis-guard".into()
}
fn runtimes() -> Vec<Runtime> {
    vec![Runtime::Gvisor]
}
fn gvisor() -> String {
    "runsc".to_owned()
}
fn user() -> u32 {
    65534
}
fn sandboxes() -> usize {
    64
}
fn memory_mib() -> u64 {
    2048
}
fn processes() -> u32 {
    1024
}
#[expect(clippy::expect_used, reason = "a constant, held by a test")]
fn network() -> Network {
    Network::parse("10.213.0.0/16").expect("a network")
}
fn log_group() -> u16 {
    8671
}

/// A config that is longer is none.
const LONGEST: u64 = 1 << 20;

impl GuardConfig {
    /// Reads a config.
    ///
    /// # Errors
    /// [`GuardConfigError`]; also where anyone but root could have written it.
    pub fn load(path: &Path) -> Result<Self, GuardConfigError> {
        let unreadable = |source| GuardConfigError::Read { path: path.to_owned(), source };
        let file = fs::File::open(path).map_err(unreadable)?;
        let real = fs::canonicalize(path).map_err(unreadable)?;
        // What was opened, and every folder that leads to it: who can rename a folder can replace the file.
        roots(&real, &file.metadata().map_err(unreadable)?)?;
        for above in real.ancestors().skip(1) {
            roots(above, &fs::symlink_metadata(above).map_err(unreadable)?)?;
        }
        let mut text = String::new();
        file.take(LONGEST).read_to_string(&mut text).map_err(unreadable)?;
        let invalid = |error: toml::de::Error| GuardConfigError::Invalid(error.to_string().trim().to_owned());
        toml::from_str::<Self>(&text).map_err(invalid)?.check()
    }

    fn check(self) -> Result<Self, GuardConfigError> {
        let invalid = |why: &str| Err(GuardConfigError::Invalid(why.to_owned()));
        let named = (1..=24).contains(&self.name.len())
            && self.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if !named {
            return invalid("`name` wants 1 to 24 lower-case letters and digits");
        }
        if self.subnets().is_none() {
            return invalid("`network` wants an IPv4 network of /8 to /24");
        }
        if self.user == 0 {
            return invalid("`user` must not be root");
        }
        let paths = self.images.iter().chain(self.folders.iter().map(|grant| &grant.path));
        if let Some(path) = paths.chain([&self.folder, &self.engine]).find(|path| !plain(path)) {
            return invalid(&format!("`{}` is not an absolute path without `..`", path.display()));
        }
        if self.runtimes.is_empty() || self.sandboxes == 0 || self.sandboxes > 1024 {
            return invalid("`runtimes` must name one, and `sandboxes` is 1 to 1024");
        }
        Ok(self)
    }

    /// The first address of the sandboxes' network, and how many networks of four addresses it holds.
    pub(super) fn subnets(&self) -> Option<(Ipv4Addr, u32)> {
        let (base, bits) = self.network_text()?;
        (8..=24).contains(&bits).then(|| (base, 1 << (30 - bits)))
    }

    /// The same as nft and the engine write it.
    pub(super) fn network_text(&self) -> Option<(Ipv4Addr, u32)> {
        let text = self.network.to_string();
        let (base, bits) = text.split_once('/')?;
        Some((base.parse().ok()?, bits.parse().ok()?))
    }
}

/// Whether a path is absolute and means what it says.
pub(super) fn plain(path: &Path) -> bool {
    path.is_absolute() && path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
}

fn roots(path: &Path, found: &fs::Metadata) -> Result<(), GuardConfigError> {
    // In a folder with the sticky bit, root's own files stay root's.
    let others = found.mode() & 0o022 != 0 && !(found.is_dir() && found.mode() & 0o1000 != 0);
    if found.uid() == 0 && !others { Ok(()) } else { Err(GuardConfigError::NotRoots(path.to_owned())) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn load(text: &str, mode: u32) -> Result<GuardConfig, GuardConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("guard.toml");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        GuardConfig::load(&path)
    }

    const LEAST: &str = "uids = [1000]\nimages = [\"/srv/images\"]\n";

    #[test]
    fn defaults_are_the_strict_ones() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let config = load(LEAST, 0o644).unwrap();
        assert_eq!((config.runtimes, config.user, config.folders.len()), (vec![Runtime::Gvisor], 65534, 0));
        assert_eq!(network().to_string(), "10.213.0.0/16");
    }

    #[test]
    fn a_config_that_others_can_write_is_refused() {
        assert!(matches!(load(LEAST, 0o666), Err(GuardConfigError::NotRoots(_))));
        assert!(matches!(load(LEAST, 0o664), Err(GuardConfigError::NotRoots(_))));
    }

    #[test]
    fn what_it_does_not_know_it_refuses() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        for wrong in [
            "privileged = true",
            "user = 0",
            "name = \"A\"",
            "network = \"fd00::/64\"",
            "images = [\"rel\"]",
            "runtimes = []",
        ] {
            let text =
                if wrong.starts_with("images") { format!("uids = [1]\n{wrong}") } else { format!("{LEAST}{wrong}") };
            assert!(matches!(load(&text, 0o600), Err(GuardConfigError::Invalid(_))), "{wrong}");
        }
    }
}
