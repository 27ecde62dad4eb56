//! The packages that were added: folders below `packages` in the state folder, each a server of its name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use policies::ServerName;
use sandbox::{Package, ServerConfig};

use super::{Origin, Server};

/// Where packages are kept that were added.
#[must_use]
pub fn packages(state: &Path) -> PathBuf {
    state.join("packages")
}

/// The packages that are there and that the config says nothing of. One that cannot be read is a server that is down: it
/// must not keep the others from starting.
pub(super) fn add(servers: &mut BTreeMap<ServerName, Server>, state: &Path) {
    let Ok(found) = std::fs::read_dir(packages(state)) else { return };
    for folder in found.flatten() {
        let name = folder.file_name();
        let Some(name) = name.to_str().and_then(|name| ServerName::parse(name).ok()) else { continue };
        if servers.contains_key(&name) {
            continue;
        }
        let reach = match Package::read(&folder.path()) {
            Ok(package) => ServerConfig::packed(package),
            Err(problems) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                ServerConfig::withheld(format!("its package cannot be used: {}", problems.join("; ")))
            }
        };
        let server = Server { origin: Origin::Added, ..Server::new(&name, reach) };
        servers.insert(name, server);
    }
}
