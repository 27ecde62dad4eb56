//! Probes: what this machine has for sandboxes, asked without changing anything.

mod block;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bollard::Docker;
use policies::Hash;

use crate::container::layout::{ImageError, Layout};
pub(crate) use block::REACH;
pub use block::{Guarded, Proof, container, guard, jail};

/// How long any of them may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The version of Landlock's interface.
#[must_use]
pub fn landlock() -> Option<u32> {
    crate::jail::landlock()
}

/// The names of the tables that are ours.
///
/// # Errors
/// Why they cannot be read.
pub async fn nftables() -> Result<Vec<String>, String> {
    let nft = found("nft").ok_or("nft is not installed")?;
    let listed = said(&nft, &["list", "tables"]).await?;
    Ok(listed.lines().filter(|line| line.contains(" portcullis")).map(str::to_owned).collect())
}

/// The container engine's name and version.
///
/// # Errors
/// Why there is none.
pub async fn engine() -> Result<String, String> {
    let engine = Docker::connect_with_defaults().map_err(|_| "no engine is configured")?;
    let version = tokio::time::timeout(PATIENCE, engine.version()).await.map_err(|_| "it does not answer")?;
    let version = version.map_err(|_| "no engine answers at its socket")?;
    Ok(format!("docker {}", version.version.unwrap_or_default()))
}

/// The version of gVisor's runtime, if it starts at all.
///
/// # Errors
/// Why it cannot be used.
pub async fn runsc() -> Result<String, String> {
    let runsc = found("runsc").ok_or("runsc is not installed")?;
    let version = said(&runsc, &["--version"]).await?;
    Ok(version.lines().next().unwrap_or_default().to_owned())
}

/// The digest of the manifest in an image layout, and how many bytes the layers have. The guard checks each blob when it loads
/// the image; this reads the manifest only.
///
/// # Errors
/// Why it cannot be used.
pub fn image(folder: &Path) -> Result<(Hash, u64), String> {
    let read = || {
        let layout = Layout::open_given(folder)?;
        let digest = layout.only()?;
        Ok((digest, layout.manifest(digest)?.layers.iter().map(|layer| layer.size).sum()))
    };
    read().map_err(|error: ImageError| error.to_string())
}

/// A program of the system: where administrators' programs are, a user's PATH may not lead.
fn found(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin", "/usr/local/bin"].map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

async fn said(program: &Path, words: &[&str]) -> Result<String, String> {
    #[expect(clippy::disallowed_methods, reason = "programs of the system, asked for their version or their tables")]
    let mut command = tokio::process::Command::new(program);
    command.args(words).env_clear().stdin(Stdio::null()).kill_on_drop(true);
    let ended = tokio::time::timeout(PATIENCE, command.output()).await.map_err(|_| "it does not end")?;
    let ended = ended.map_err(|error| error.to_string())?;
    if ended.status.success() {
        return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
    }
    let why = String::from_utf8_lossy(&ended.stderr);
    Err(why.lines().next().unwrap_or("it fails").chars().take(200).collect())
}
