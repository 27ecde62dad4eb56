//! What is written of folders, destinations and limits, in a config and in a package's manifest alike.

use std::path::Path;
use std::time::Duration;

use policies::profile::{Ceilings, Destination, Folder, Mount, Profile, Protocol, Resources};
use serde_json::Value;

use super::Said;
use super::reader::{Reader, kind};

/// The ceilings that were written, each on its own; what was not written is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) time: Option<Duration>,
    pub(crate) memory: Option<u64>,
    pub(crate) cpu: Option<u32>,
    pub(crate) output: Option<u64>,
    pub(crate) processes: Option<u32>,
    pub(crate) disk: Option<u64>,
}

impl Written {
    /// These, and `others` for what was not written.
    pub(crate) fn over(&self, others: &Ceilings) -> Ceilings {
        Ceilings {
            time: self.time.unwrap_or(others.time),
            memory: self.memory.unwrap_or(others.memory),
            cpu: self.cpu.unwrap_or(others.cpu),
            output: self.output.unwrap_or(others.output),
            processes: self.processes.unwrap_or(others.processes),
            disk: self.disk.unwrap_or(others.disk),
        }
    }
}

const LIMITS: [&str; 6] = ["time", "memory", "cpu", "output", "processes", "disk"];

/// More than any machine that runs tools beside a gateway.
const MOST_MEMORY: u64 = 1 << 40;

impl Reader {
    /// `{ time = "30s", memory = "64 MiB", cpu = 500, output = "4 MiB", processes = 16, disk = "16 MiB" }`
    pub(crate) fn ceilings(&mut self, key: &str, value: Option<&Value>) -> Written {
        for (name, _) in self.table(key, value) {
            if !LIMITS.contains(&name.as_str()) {
                self.problem::<()>(format!("{key}.{name}"), "an unknown key", format!("one of {}", LIMITS.join(", ")));
            }
        }
        let of = |name: &str| (format!("{key}.{name}"), value.and_then(|table| table.get(name)));
        let ([time, memory, cpu], [output, processes, disk]) =
            (["time", "memory", "cpu"].map(of), ["output", "processes", "disk"].map(of));
        let large = "bytes, or text such as `64 MiB`, from 1 KiB to 1024 GiB";
        Written {
            time: self.duration(&time.0, time.1),
            memory: self.bytes(&memory.0, memory.1, MOST_MEMORY, large),
            cpu: self.number(&cpu.0, cpu.1, 256_000),
            output: self.size(&output.0, output.1).map(|bytes| bytes as u64),
            processes: self.number(&processes.0, processes.1, 65_536),
            disk: self.bytes(&disk.0, disk.1, MOST_MEMORY, large),
        }
    }

    /// An array of hosts, or of tables that say port, protocol, method and path as well.
    pub(crate) fn destinations(&mut self, key: &str, value: Option<&Value>) -> Vec<Destination> {
        let items = match value {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(other) => return self.problem(key, kind(other), "an array").unwrap_or_default(),
        };
        let one = |(place, item): (usize, &Value)| self.destination(&format!("{key}[{place}]"), item);
        items.iter().enumerate().filter_map(one).collect()
    }

    fn destination(&mut self, key: &str, item: &Value) -> Option<Destination> {
        let table = match item {
            Value::String(host) => serde_json::json!({ "host": host }),
            Value::Object(_) => item.clone(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                return self.problem(key, kind(item), "a host, or a table with `host`");
            }
        };
        let wanted = "`host`, and where needed `ports`, `protocol`, `methods`, `paths`, `addresses`, `pins`";
        match serde_json::from_value::<Destination>(table) {
            Err(error) => self.problem(key, error.to_string(), wanted),
            Ok(destination) => match destination.check() {
                Ok(()) => Some(destination),
                Err(error) => self.problem(key, error.to_string(), "a destination that means one thing"),
            },
        }
    }

    /// `{ "/data" = "/srv/data" }`: where the tool finds a folder, and where it is here; a table says `writable` as well.
    /// An array names folders that are at the same place for both.
    pub(crate) fn folders(&mut self, key: &str, value: Option<&Value>) -> Vec<Placed> {
        let pairs: Vec<(String, Value)> = match value {
            None => return Vec::new(),
            Some(Value::Array(items)) => {
                items.iter().map(|item| (item.as_str().unwrap_or_default().to_owned(), item.clone())).collect()
            }
            Some(Value::Object(table)) => table.iter().map(|(at, place)| (at.clone(), place.clone())).collect(),
            Some(other) => return self.problem(key, kind(other), "a table").unwrap_or_default(),
        };
        pairs.into_iter().filter_map(|(at, place)| self.placed(&format!("{key}.{at}"), &at, &place)).collect()
    }

    fn placed(&mut self, key: &str, at: &str, place: &Value) -> Option<Placed> {
        let at = self.folder(key, at)?;
        let (folder, writable) = match place {
            Value::String(folder) => (Some(folder.as_str()), None),
            Value::Object(table) => {
                for name in table.keys().filter(|name| !["folder", "writable"].contains(&name.as_str())) {
                    self.problem::<()>(format!("{key}.{name}"), "an unknown key", "one of folder, writable");
                }
                let writable =
                    table.get("writable").map(|flag| self.flag(&format!("{key}.writable"), Some(flag), false));
                (table.get("folder").and_then(Value::as_str), writable)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => (None, None),
        };
        let Some(folder) = folder else {
            return self.problem(
                key,
                kind(place),
                "a folder of this machine, or `{ folder = \"…\", writable = true }`",
            );
        };
        let folder = self.folder(key, folder)?;
        if !std::path::Path::new(folder.as_str()).is_dir() {
            return self.problem(key, format!("`{}`", folder.as_str()), "a folder that exists");
        }
        Some(Placed { at, folder, writable })
    }

    /// A folder from the root.
    pub(crate) fn folder(&mut self, key: &str, path: &str) -> Option<Folder> {
        match Folder::parse(path) {
            Ok(folder) => Some(folder),
            Err(error) => self.problem(key, error.to_string(), "a folder's whole path"),
        }
    }
}

/// Where a folder is put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) at: Folder,
    pub(crate) folder: Folder,
    /// `None` where it was not said.
    pub(crate) writable: Option<bool>,
}

impl Placed {
    pub(crate) fn mount(self, writable: bool) -> Mount {
        Mount { folder: self.folder, at: self.at.as_str().to_owned(), writable }
    }
}

/// The folders that a command line names, to be written: whoever wrote it means the command to work there, and each call
/// that writes is still judged by its scope.
pub(super) fn named(arguments: &[String]) -> Vec<Mount> {
    let folders = arguments.iter().filter(|word| Path::new(word).is_dir()).filter_map(|word| Folder::parse(word).ok());
    let mount = |folder: Folder| Mount { at: folder.as_str().to_owned(), folder, writable: true };
    folders.filter(|folder| folder.as_str() != "/").map(mount).collect()
}

/// What a command's profile declares, as its sandbox opens it.
pub(super) fn fill(resources: &mut Resources, said: Said, profile: &Profile) {
    if !said.folders {
        let mount = |folder: &Folder| Mount { folder: folder.clone(), at: folder.as_str().to_owned(), writable: true };
        let missing =
            |folder: &&Folder| !resources.folders.iter().any(|mount| mount.writable && mount.folder == **folder);
        let mounts: Vec<Mount> = profile.scope().unwrap_or_default().iter().filter(missing).map(mount).collect();
        resources.folders.extend(mounts);
    }
    if !said.egress {
        let web = |host: &policies::profile::HostPattern| {
            [Protocol::Https, Protocol::Http].map(|protocol| Destination {
                host: host.clone(),
                ports: Vec::new(),
                protocol,
                methods: Vec::new(),
                paths: Vec::new(),
                addresses: Vec::new(),
                pins: Vec::new(),
            })
        };
        resources.egress.extend(profile.hosts().unwrap_or_default().iter().flat_map(web));
    }
}
