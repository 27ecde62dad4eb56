//! `portcullis-tool.toml`: what a package is and asks for, read with every problem at once.

use std::path::{Component, Path};

use policies::ServerName;
use policies::profile::{Ceilings, Destination, Placement, Way};
use serde_json::Value as Json;

use super::tool::DeclaredTool;
use crate::config::{Problem, Reader, kind};

/// What a package says of itself and asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The server's name, unless it is added under another.
    pub name: ServerName,
    /// Its version, as its author counts.
    pub version: Option<String>,
    /// What it is for, in its author's words.
    pub description: Option<String>,
    /// What runs, and in what.
    pub what: Asked,
    /// Tools that it declares itself; empty where it is asked for them when it runs.
    pub tools: Vec<DeclaredTool>,
    /// Folders that it wants to find.
    pub folders: Vec<Place>,
    /// What it wants to reach.
    pub egress: Vec<Destination>,
    /// What it may cost.
    pub limits: Ceilings,
    /// Secrets that it wants to use, and where each is to go.
    pub secrets: Vec<Placement>,
    /// Variables that it is started with.
    pub environment: Vec<(String, String)>,
}

/// What runs, by paths inside the package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A WebAssembly component.
    Wasm {
        /// Its file.
        component: String,
        /// It is a `wasi:cli` program that speaks MCP over its standard streams.
        stdio: bool,
    },
    /// A container.
    Container {
        /// The folder of its OCI image layout.
        image: String,
        /// In place of the image's own command; empty for that.
        command: Vec<String>,
    },
    /// A process in a jail.
    Process {
        /// A file of the package, or a program of the system.
        command: String,
        /// Its arguments.
        arguments: Vec<String>,
    },
}

impl Asked {
    /// The name used in manifests.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Wasm { .. } => "wasm",
            Self::Container { .. } => "container",
            Self::Process { .. } => "process",
        }
    }
}

/// A folder that a tool wants to find: which one of the host's it is, the operator says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where it wants to find it.
    pub at: String,
    /// Whether it wants to change it.
    pub writable: bool,
}

const KEYS: [&str; 12] = [
    "name",
    "kind",
    "version",
    "description",
    "wasm",
    "container",
    "process",
    "tool",
    "folder",
    "egress",
    "limits",
    "secret",
];

pub(crate) fn parse(text: &str, root: &Path) -> Result<Manifest, Vec<Problem>> {
    let table: Json = toml::from_str(text).map_err(|error| {
        let line =
            error.span().map_or(1, |span| text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1);
        vec![Problem::new(super::MANIFEST, format!("line {line}: {}", error.message()), "TOML")]
    })?;
    let mut reader = Reader::default();
    let manifest = reader.manifest(&table, root);
    reader.finish(manifest)
}

impl Reader {
    fn manifest(&mut self, table: &Json, root: &Path) -> Option<Manifest> {
        self.known("", table, &KEYS);
        let name = self.required("name", table.get("name")).and_then(|name| match ServerName::parse(&name) {
            Ok(name) => Some(name),
            Err(error) => self.problem("name", error.to_string(), "a server's name"),
        });
        let (version, description) = (self.optional("version", table), self.optional("description", table));
        let what = self.asked(table, root);
        let environment = what.as_ref().map(Asked::as_str).and_then(|kind| Some((kind, table.get(kind)?.get("env"))));
        let environment = environment.map(|(kind, env)| self.literal(&format!("{kind}.env"), env)).unwrap_or_default();
        let tools = self.tools(table.get("tool"));
        if !tools.is_empty() {
            self.runs_a_program(what.as_ref());
        }
        let folders = self.places(table.get("folder"));
        let egress = self.destinations("egress", table.get("egress"));
        let limits = self.ceilings("limits", table.get("limits")).over(&Ceilings::default());
        let secrets = self.placements("secret", table.get("secret"));
        if let Some(what) = &what {
            self.fits(what, &secrets);
        }
        let (name, what) = (name?, what?);
        Some(Manifest { name, version, description, what, tools, folders, egress, limits, secrets, environment })
    }

    fn asked(&mut self, table: &Json, root: &Path) -> Option<Asked> {
        let wanted = "`wasm`, `container` or `process`";
        let kind = self.required("kind", table.get("kind"))?;
        if !["wasm", "container", "process"].contains(&kind.as_str()) {
            return self.problem("kind", format!("`{}`", shorten(&kind)), wanted);
        }
        for other in ["wasm", "container", "process"].into_iter().filter(|other| *other != kind) {
            if table.get(other).is_some() {
                self.problem::<()>(other, "a table of another kind", format!("only [{kind}]"));
            }
        }
        let Some(section) = table.get(&kind).filter(|section| section.is_object()) else {
            return self.problem(&kind, "nothing", format!("a table [{kind}] that says what runs"));
        };
        match kind.as_str() {
            "wasm" => self.wasm(section, root),
            "container" => self.container(section, root),
            _ => self.program(section),
        }
    }

    /// What declares its tools must say what each of them runs.
    fn runs_a_program(&mut self, what: Option<&Asked>) {
        let (key, found, wanted) = match what {
            Some(Asked::Wasm { .. }) => ("tool", "a component, which says itself what its tools are", "no [[tool]]"),
            Some(Asked::Container { command, .. }) if command.is_empty() => {
                ("container.command", "nothing", "the program that each [[tool]] runs")
            }
            Some(Asked::Container { .. } | Asked::Process { .. }) | None => return,
        };
        self.problem::<()>(key, found, wanted);
    }

    fn wasm(&mut self, section: &Json, root: &Path) -> Option<Asked> {
        self.known("wasm.", section, &["component", "stdio", "env"]);
        let stdio = self.flag("wasm.stdio", section.get("stdio"), false);
        let component = self.inside("wasm.component", section.get("component"), root, Path::is_file)?;
        Some(Asked::Wasm { component, stdio })
    }

    fn container(&mut self, section: &Json, root: &Path) -> Option<Asked> {
        self.known("container.", section, &["image", "command", "env"]);
        let command = self.strings("container.command", section.get("command"));
        let image = self.inside("container.image", section.get("image"), root, Path::is_dir)?;
        Some(Asked::Container { image, command })
    }

    fn program(&mut self, section: &Json) -> Option<Asked> {
        self.known("process.", section, &["command", "env"]);
        let (command, arguments) = self.words("process.command", section.get("command").unwrap_or(&Json::Null))?;
        Some(Asked::Process { command, arguments })
    }

    /// A path that stays in the package.
    fn inside(&mut self, key: &str, value: Option<&Json>, root: &Path, is: fn(&Path) -> bool) -> Option<String> {
        let path = self.required(key, value)?;
        let plain = Path::new(&path).components().all(|part| matches!(part, Component::Normal(_)));
        if !plain {
            return self.problem(key, format!("`{}`", shorten(&path)), "a path inside the package, without `..`");
        }
        if !is(&root.join(&path)) {
            return self.problem(key, format!("`{}`, which is not there", shorten(&path)), "a path inside the package");
        }
        Some(path)
    }

    fn places(&mut self, value: Option<&Json>) -> Vec<Place> {
        let mut places: Vec<Place> = Vec::new();
        for (place, item) in self.items("folder", value).into_iter().enumerate() {
            let key = format!("folder[{place}]");
            self.known(&format!("{key}."), item, &["at", "writable"]);
            let writable = self.flag(&format!("{key}.writable"), item.get("writable"), false);
            let at = self.required(&format!("{key}.at"), item.get("at"));
            let Some(at) = at.and_then(|at| self.folder(&format!("{key}.at"), &at)) else { continue };
            if at.as_str() == "/" || places.iter().any(|other| other.at == at.as_str()) {
                self.problem::<()>(format!("{key}.at"), format!("`{}`", at.as_str()), "a folder of its own");
            }
            places.push(Place { at: at.as_str().to_owned(), writable });
        }
        places
    }

    /// A component without standard streams has no standard input.
    fn fits(&mut self, what: &Asked, secrets: &[Placement]) {
        let stdin = secrets.iter().any(|placement| matches!(placement.way, Way::Stdin { .. }));
        if stdin && matches!(what, Asked::Wasm { stdio: false, .. }) {
            self.problem::<()>("secret", "`stdin` of a component that has none", "another place, or `wasm.stdio`");
        }
    }

    /// Variables of a package: the gateway's own environment is none of its business.
    fn literal(&mut self, key: &str, value: Option<&Json>) -> Vec<(String, String)> {
        for (name, value) in self.table(key, value) {
            if !value.is_string() {
                self.problem::<()>(format!("{key}.{name}"), kind(value), "a string");
                return Vec::new();
            }
        }
        self.environment(key, value)
    }

    pub(super) fn items<'a>(&mut self, key: &str, value: Option<&'a Json>) -> Vec<&'a Json> {
        match value {
            None => Vec::new(),
            Some(Json::Array(items)) => items.iter().collect(),
            Some(other) => self.problem(key, kind(other), format!("[[{key}]]")).unwrap_or_default(),
        }
    }

    pub(super) fn known(&mut self, before: &str, table: &Json, keys: &[&str]) {
        for key in table.as_object().into_iter().flat_map(serde_json::Map::keys) {
            if !keys.contains(&key.as_str()) {
                let key = format!("{before}{}", shorten(key));
                self.problem::<()>(key, "an unknown key", format!("one of {}", keys.join(", ")));
            }
        }
    }

    pub(super) fn required(&mut self, key: &str, value: Option<&Json>) -> Option<String> {
        match value {
            Some(Json::String(text)) if !text.is_empty() && !text.contains('\0') => Some(text.clone()),
            Some(other) => self.problem(key, kind(other), "a string"),
            None => self.problem(key, "nothing", "a string"),
        }
    }

    fn optional(&mut self, key: &str, table: &Json) -> Option<String> {
        table.get(key).and_then(|value| self.required(key, Some(value)))
    }
}

/// Text of a stranger, in a message of ours.
fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}
