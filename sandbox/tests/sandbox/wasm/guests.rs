//! The hostile guests, compiled once, and packages around them.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use sandbox::ServerConfig;
use tempfile::TempDir;

use crate::world::World;

/// Where the hostile guests lie, compiled.
static GUESTS: LazyLock<PathBuf> = LazyLock::new(|| {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    #[expect(clippy::disallowed_methods, reason = "a test compiles what it attacks with")]
    let mut cargo = std::process::Command::new(env!("CARGO"));
    let foreign =
        ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR", "RUSTC_WORKSPACE_WRAPPER"];
    for name in foreign {
        cargo.env_remove(name);
    }
    let built = cargo
        .args(["build", "--release", "--locked", "-p", "hostile", "-p", "hostile-stdio"])
        .args(["--target", "wasm32-wasip2", "--target-dir"])
        .arg(&target)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("guests"))
        .status();
    assert!(built.unwrap().success(), "the hostile guests do not compile");
    target.join("wasm32-wasip2/release")
});

/// A package of one component; `manifest` is what follows its first lines.
pub(crate) struct Packed {
    pub(super) folder: TempDir,
}

impl Packed {
    pub(crate) fn new(component: &[u8], wasm: &str, manifest: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tool.wasm"), component).unwrap();
        let manifest = format!(
            "name = 'under-test'\nkind = 'wasm'\nversion = '1.0.0'\ndescription = 'x'\n[wasm]\ncomponent = 'tool.wasm'\n{wasm}\n{manifest}"
        );
        std::fs::write(folder.path().join("portcullis-tool.toml"), manifest).unwrap();
        Self { folder }
    }

    /// A world that runs it, and keeps it.
    pub(crate) fn start(self, config: &str) -> World {
        let mut world = World::start(self.config(config));
        world.keeps = Some(self.folder);
        world
    }

    pub(super) fn config(&self, more: &str) -> ServerConfig {
        crate::world::config(&format!("package = '{}'\n{more}", self.folder.path().display()))
    }
}

pub(crate) fn component(name: &str) -> Vec<u8> {
    std::fs::read(GUESTS.join(format!("{name}.wasm"))).unwrap()
}

/// The hostile guest, with what a manifest asks for and a config grants.
pub(super) fn hostile(manifest: &str, config: &str) -> World {
    Packed::new(&component("hostile"), "", manifest).start(config)
}
