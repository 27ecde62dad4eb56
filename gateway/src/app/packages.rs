//! The servers of a config as this machine has them: their folders, and whether their packages are what was added.

use std::fs;
use std::os::unix::fs::DirBuilderExt;

use anyhow::Context as _;
use audit::{Audit, MarkKind};
use policies::ServerName;
use sandbox::ServerConfig;

use crate::config::{Config, Origin, Server};

/// The folders of tools that come with the gateway: whoever starts it for the first time has none.
pub(super) fn make_folders(config: &Config) -> anyhow::Result<()> {
    let bundled = config.servers.values().filter(|server| server.origin == Origin::Bundled);
    for mount in bundled.filter_map(|server| server.reach.resources()).flat_map(|resources| &resources.folders) {
        let folder = mount.folder.as_str();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("cannot make {folder}"))?;
    }
    Ok(())
}

/// Withholds every added package that is not what an operator added, and tells of those that are gone.
pub(super) fn pinned(config: &mut Config, audit: &Audit) {
    let pins = audit.marks(MarkKind::Package);
    let find = |name: &ServerName| pins.iter().find(|pin| pin.name == *name);
    for (name, server) in config.servers.iter_mut().filter(|(_, server)| server.origin == Origin::Added) {
        let why = match (find(name), server.reach.digest()) {
            (None, _) => "no operator has added this package: portcullis tools add PATH",
            (Some(pin), Some(digest)) if pin.value != digest.to_string() => {
                "the package is not the one that was added: look at it, and add it again"
            }
            (Some(_), _) => continue,
        };
        server.reach = ServerConfig::withheld(why);
    }
    for pin in &pins {
        if !config.servers.contains_key(&pin.name) {
            let reach = ServerConfig::withheld("the package that was added is gone from the state folder");
            let server = Server { origin: Origin::Added, ..Server::new(&pin.name, reach) };
            config.servers.insert(pin.name.clone(), server);
        }
    }
}
