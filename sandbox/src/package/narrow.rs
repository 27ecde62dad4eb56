//! What an operator leaves of what a package asks for: each grant lies inside one that the manifest asks for.

use policies::profile::{Ceilings, Destination, HostPattern, Mount, Placement, Profile, Resources, Way};
use serde_json::Value;

use super::{Manifest, Package};
use crate::config::{Reader, Written};

/// What is left of what a package asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Narrowing {
    pub(crate) folders: Vec<Mount>,
    pub(crate) egress: Vec<Destination>,
    pub(crate) secrets: Vec<Placement>,
    pub(crate) limits: Ceilings,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) jail: bool,
}

impl Narrowing {
    /// Everything but folders: which folder of the host it is to be, only an operator can say.
    pub(crate) fn of(package: &Package) -> Self {
        let Manifest { egress, limits, secrets, .. } = package.manifest();
        Self {
            folders: Vec::new(),
            egress: egress.clone(),
            secrets: secrets.clone(),
            limits: limits.clone(),
            environment: Vec::new(),
            jail: true,
        }
    }
}

impl Reader {
    /// Reads `folders`, `egress` and `limits`; what would widen is a problem.
    pub(crate) fn narrowing(&mut self, package: &Package, keys: [Option<&Value>; 4]) -> Narrowing {
        let [folders, egress, limits, secret] = keys;
        let whole = Narrowing::of(package);
        let manifest = package.manifest();
        Narrowing {
            folders: self.mounts(manifest, folders),
            egress: if egress.is_some() { self.narrowed(manifest, egress) } else { whole.egress },
            limits: self.lowered(&manifest.limits, limits),
            secrets: if secret.is_some() { self.mapped(manifest, secret) } else { whole.secrets },
            ..whole
        }
    }

    fn mounts(&mut self, manifest: &Manifest, value: Option<&Value>) -> Vec<Mount> {
        let mut mounts = Vec::new();
        for placed in self.folders("folders", value) {
            let key = format!("folders.{}", placed.at.as_str());
            let Some(asked) = manifest.folders.iter().find(|asked| asked.at == placed.at.as_str()) else {
                let asked: Vec<&str> = manifest.folders.iter().map(|asked| asked.at.as_str()).collect();
                let asked = if asked.is_empty() { "none".to_owned() } else { asked.join(", ") };
                self.problem::<()>(key, "a folder that the package does not ask for", format!("one of: {asked}"));
                continue;
            };
            if placed.writable == Some(true) && !asked.writable {
                self.problem::<()>(&key, "`writable = true`", "no more than the package asks for: only to read");
            }
            let writable = asked.writable && placed.writable.unwrap_or(true);
            mounts.push(placed.mount(writable));
        }
        mounts
    }

    fn narrowed(&mut self, manifest: &Manifest, value: Option<&Value>) -> Vec<Destination> {
        let mut left = Vec::new();
        for (place, wanted) in self.destinations("egress", value).into_iter().enumerate() {
            let inside = manifest.egress.iter().find_map(|asked| inside(asked, &wanted));
            match inside {
                Some(destination) => left.push(destination),
                None => {
                    let asked: Vec<String> = manifest.egress.iter().map(Destination::to_string).collect();
                    let asked = if asked.is_empty() { "no network".to_owned() } else { asked.join(", ") };
                    let within = format!("something inside what the package asks for: {asked}");
                    self.problem::<()>(format!("egress[{place}]"), format!("{wanted}"), within);
                }
            }
        }
        left
    }

    /// Under whichever name, each must go where the package asks for one, or to a part of that.
    fn mapped(&mut self, manifest: &Manifest, value: Option<&Value>) -> Vec<Placement> {
        let mut left = Vec::new();
        for (number, wanted) in self.placements("secret", value).into_iter().enumerate() {
            match manifest.secrets.iter().find_map(|asked| placed_inside(asked, &wanted)) {
                Some(placement) => left.push(placement),
                None => {
                    let asked: Vec<String> = manifest.secrets.iter().map(Placement::to_string).collect();
                    let asked = if asked.is_empty() { "no secret".to_owned() } else { asked.join(", ") };
                    let within = format!("something inside what the package asks for: {asked}");
                    self.problem::<()>(format!("secret[{number}]"), wanted.to_string(), within);
                }
            }
        }
        left
    }

    fn lowered(&mut self, asked: &Ceilings, value: Option<&Value>) -> Ceilings {
        let written: Written = self.ceilings("limits", value);
        let over = written.over(asked);
        let lower = over.narrower(asked);
        if over != lower {
            let most = format!(
                "no more than the package asks for: {:?}, {} bytes of memory, cpu {}, {} bytes of output, {} processes, {} bytes of disk",
                asked.time, asked.memory, asked.cpu, asked.output, asked.processes, asked.disk
            );
            self.problem::<()>("limits", "more than that", most);
        }
        lower
    }
}

/// What is wanted, with what it leaves open as it was asked for; `None` where it reaches beyond.
fn inside(asked: &Destination, wanted: &Destination) -> Option<Destination> {
    let host = holds(&asked.host, &wanted.host) && asked.protocol == wanted.protocol;
    let ports = wanted.ports.iter().all(|port| asked.ports().contains(port));
    let methods = subset(&asked.methods, &wanted.methods, |asked, wanted| asked == wanted);
    let paths = subset(&asked.paths, &wanted.paths, |asked, wanted| path_holds(asked, wanted));
    let pins = subset(&asked.pins, &wanted.pins, |asked, wanted| asked == wanted);
    let addresses = wanted.addresses.iter().all(|network| asked.addresses.contains(network));
    (host && ports && methods && paths && pins && addresses).then(|| Destination {
        host: wanted.host.clone(),
        ports: or(&wanted.ports, &asked.ports),
        protocol: asked.protocol,
        methods: or(&wanted.methods, &asked.methods),
        paths: or(&wanted.paths, &asked.paths),
        addresses: or(&wanted.addresses, &asked.addresses),
        pins: or(&wanted.pins, &asked.pins),
    })
}

/// The secret that is wanted, where the other one was asked for; `None` where that reaches beyond. What the tool would hold may
/// be kept from it and placed at the edge instead; never the other way round.
fn placed_inside(asked: &Placement, wanted: &Placement) -> Option<Placement> {
    let narrower = |asked: &Destination, wanted: &Destination| inside(asked, wanted).map(Box::new);
    // Nothing asked for is nowhere.
    let sent = |asked: &Option<Box<Destination>>, wanted: &Option<Box<Destination>>| match (asked, wanted) {
        (_, None) => Some(None),
        (Some(asked), Some(wanted)) => narrower(asked, wanted).map(Some),
        (None, Some(_)) => None,
    };
    let way = match (&asked.way, &wanted.way) {
        (Way::Edge { to: asked, into: there, .. }, Way::Edge { to, into, placeholder }) if there == into => {
            Way::Edge { to: narrower(asked, to)?, into: into.clone(), placeholder: placeholder.clone() }
        }
        (Way::File { at: there, to: asked }, Way::File { at, to }) if there == at => {
            Way::File { at: at.clone(), to: sent(asked, to)? }
        }
        (Way::Stdin { to: asked }, Way::Stdin { to }) => Way::Stdin { to: sent(asked, to)? },
        (Way::Environment { name: there, to: asked }, Way::Environment { name, to }) if there == name => {
            Way::Environment { name: name.clone(), to: sent(asked, to)? }
        }
        (
            Way::File { to: Some(asked), .. }
            | Way::Stdin { to: Some(asked) }
            | Way::Environment { to: Some(asked), .. },
            Way::Edge { to, into, placeholder },
        ) => Way::Edge { to: narrower(asked, to)?, into: into.clone(), placeholder: placeholder.clone() },
        _ => return None,
    };
    Some(Placement { secret: wanted.secret.clone(), way })
}

fn or<T: Clone>(wanted: &[T], asked: &[T]) -> Vec<T> {
    if wanted.is_empty() { asked.to_vec() } else { wanted.to_vec() }
}

/// An empty list asks for everything, and wants what was asked.
fn subset<T>(asked: &[T], wanted: &[T], holds: fn(&T, &T) -> bool) -> bool {
    asked.is_empty() || wanted.iter().all(|wanted| asked.iter().any(|asked| holds(asked, wanted)))
}

fn path_holds(asked: &str, wanted: &str) -> bool {
    match asked.strip_suffix('*') {
        Some(start) => wanted.starts_with(start),
        None => asked == wanted,
    }
}

fn holds(outer: &HostPattern, inner: &HostPattern) -> bool {
    outer == inner || outer.matches(inner.as_str().trim_start_matches("*."))
}

/// Leaves of a package's destinations only those that the profile's `hosts` name.
pub(crate) fn narrow_hosts(resources: &mut Resources, profile: &Profile) {
    let Some(hosts) = profile.hosts() else { return };
    let narrower = |asked: &Destination| {
        let host = |host: &HostPattern| {
            if holds(host, &asked.host) {
                return Some(asked.host.clone());
            }
            holds(&asked.host, host).then(|| host.clone())
        };
        let left: Vec<Destination> =
            hosts.iter().filter_map(host).map(|host| Destination { host, ..asked.clone() }).collect();
        left
    };
    let mut left: Vec<Destination> = Vec::new();
    for destination in resources.egress.iter().flat_map(narrower) {
        if !left.contains(&destination) {
            left.push(destination);
        }
    }
    resources.egress = left;
}
