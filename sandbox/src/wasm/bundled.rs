//! The tools that come with the gateway: `files`, `http` and `time`, so that it is useful with nothing else installed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use policies::profile::{
    Ceilings, DeclarationError, Destination, Folder, Isolation, Mount, Placement, Profile, Resources,
};
use policies::{Hash, ServerName};
use serde_json::Value;

use crate::config::{Component, ServerConfig, WasmSource, reach};

/// A bundled server.
pub struct Bundled {
    /// Its name, and so the beginning of its tools' names.
    pub name: ServerName,
    /// How it is run.
    pub config: ServerConfig,
    /// What policies are told of it.
    pub profile: Profile,
}

const FILES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/files.wasm"));
const HTTP: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/http.wasm"));
const TIME: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/time.wasm"));

/// Where the guest `files` finds its folder.
const FILES_AT: &str = "/files";

/// What the bundled `http` reaches, and what is placed into its requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Web {
    /// These and nothing else, but for where secrets go.
    pub egress: Vec<Destination>,
    /// Which secrets go where.
    pub secrets: Vec<Placement>,
}

/// The bundled servers. `files` works below its folder, which must exist when it is called; `http` reaches what it is granted
/// and nothing else.
///
/// # Errors
/// [`DeclarationError`], where the folder's path cannot be granted.
pub fn bundled(folder: &Path, web: Web) -> Result<Vec<Bundled>, DeclarationError> {
    let shown = folder.to_str().ok_or_else(|| DeclarationError::Folder(folder.display().to_string()))?;
    let folder = Folder::parse(shown)?;
    let files = Resources {
        folders: vec![Mount { folder: folder.clone(), at: FILES_AT.to_owned(), writable: true }],
        ..resources(FILES)
    };
    let scope = Profile::default().with_scope(vec![folder]);
    let servers = [
        ("files", component(FILES, files), scope),
        ("http", lent_http(web), Profile::default()),
        ("time", component(TIME, resources(TIME)), Profile::default()),
    ];
    let named = |(name, config, profile): (&str, ServerConfig, Profile)| {
        Some(Bundled { name: ServerName::parse(name).ok()?, profile: config.profile(profile), config })
    };
    Ok(servers.into_iter().filter_map(named).collect())
}

/// Whether a bundled server has this tool.
#[must_use]
pub fn bundled_offers(server: &str, tool: &str) -> bool {
    let definitions = match server {
        "files" => include_str!("../../guests/files/src/definitions.json"),
        "http" => include_str!("../../guests/http/src/definitions.json"),
        "time" => include_str!("../../guests/time/src/definitions.json"),
        _ => return false,
    };
    let definitions: Value = serde_json::from_str(definitions).unwrap_or_default();
    let tools = definitions.get("tools").and_then(Value::as_array);
    tools.is_some_and(|tools| tools.iter().any(|found| found.get("name").and_then(Value::as_str) == Some(tool)))
}

/// The bundled `http`, which reaches these and nothing else.
#[must_use]
pub fn bundled_http(egress: Vec<Destination>) -> ServerConfig {
    component(HTTP, Resources { egress, ..resources(HTTP) })
}

fn lent_http(web: Web) -> ServerConfig {
    let mut resources = Resources { egress: web.egress, secrets: web.secrets, ..resources(HTTP) };
    reach(&mut resources);
    component(HTTP, resources)
}

fn component(bytes: &'static [u8], resources: Resources) -> ServerConfig {
    let (component, resources) = (Component::Bundled(bytes), Arc::new(resources));
    ServerConfig::wasm(WasmSource { component, stdio: false, environment: Vec::new(), resources })
}

fn resources(bytes: &[u8]) -> Resources {
    let limits = Ceilings {
        time: Duration::from_secs(30),
        memory: 64 << 20,
        output: 8 << 20,
        processes: 1,
        ..Ceilings::default()
    };
    Resources {
        sandbox: Isolation::Wasm,
        digest: Some(Hash::of(bytes)),
        folders: Vec::new(),
        egress: Vec::new(),
        secrets: Vec::new(),
        limits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundled_server_is_known_by_its_own_tools_only() {
        assert!(bundled_offers("files", "delete") && bundled_offers("http", "fetch") && bundled_offers("time", "now"));
        assert!(!bundled_offers("files", "write_file") && !bundled_offers("notes", "delete"));
    }
}
