//! `Prober`: an image of the guard's own, with one program that tries to get out.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use policies::Hash;

use super::protocol::{Cost, NetworkOrder, Order, Reach, Runtime};
use crate::container::build::build_image;
use crate::probe::REACH;

/// Makes orders for probes.
pub(super) struct Prober {
    folder: PathBuf,
    /// The image, once it was needed.
    made: OnceLock<Result<(PathBuf, Hash), String>>,
}

/// Below the guard's folder.
pub(super) const FOLDER: &str = "probe";

/// What it is called in the engine and in the log.
pub(super) const SERVER: &str = "portcullis-probe";

const RECIPE: &str = "[image]\nfiles = [\"reach\"]\ncommand = [\"/reach\"]\n";

/// Little, and enough for gVisor.
const COST: Cost = Cost { memory: 32 << 20, cpu: 1000, processes: 8, disk: 1 << 20 };

impl Prober {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.join(FOLDER), made: OnceLock::new() }
    }

    /// A sandbox like any other with a network.
    ///
    /// # Errors
    /// With a sentence, where there is no image for it.
    pub(super) fn order(&self, runtime: Runtime, reach: &[Reach]) -> Result<Order, String> {
        let (image, digest) = self.made.get_or_init(|| self.make()).clone()?;
        let words = reach.iter().map(ToString::to_string);
        Ok(Order {
            server: SERVER.to_owned(),
            image,
            digest,
            command: std::iter::once("/reach".to_owned()).chain(words).collect(),
            environment: Vec::new(),
            folders: Vec::new(),
            lent: Vec::new(),
            runtime,
            cost: COST,
            network: Some(NetworkOrder { authority: String::new() }),
        })
    }

    fn make(&self) -> Result<(PathBuf, Hash), String> {
        self.write().map_err(|error| format!("the probe cannot be written: {error}"))?;
        let built = build_image(&self.folder).map_err(|error| error.to_string())?;
        Ok((built.folder, built.digest))
    }

    fn write(&self) -> io::Result<()> {
        if REACH.is_empty() {
            return Err(io::Error::other("there is none for this processor"));
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let program = self.folder.join("reach");
        fs::write(&program, REACH)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        fs::write(self.folder.join("image.toml"), RECIPE)
    }
}
