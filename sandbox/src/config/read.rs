//! From keys to a config, collecting problems.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use http::{HeaderName, HeaderValue, Uri};
use policies::Hash;
use policies::profile::{Ceilings, Isolation, Placement, Resources};
use serde_json::Value;
use url::{Host, Url};

use super::reader::{Reader, kind};
use super::{Endpoint, Problem, Program, Reach, Said, ServerConfig, ServerKeys};
use crate::limits::Limits;
use crate::package::{Narrowing, Package};

pub(super) fn config(keys: &ServerKeys) -> Result<ServerConfig, Vec<Problem>> {
    let mut reader = Reader::default();
    let limits = reader.limits(keys);
    let ways = [&keys.command, &keys.url, &keys.package].map(Option::as_ref);
    let said = Said { folders: keys.folders.is_some(), egress: keys.egress.is_some() };
    let config = match ways {
        [Some(command), None, None] => reader.process(command, keys, limits).map(|(program, limits)| {
            let reach = Reach::Process(program);
            ServerConfig { reach, limits, package: None, said, lends: false }
        }),
        [None, Some(url), None] => reader.remote(url, keys).map(|endpoint| {
            let reach = Reach::Remote(endpoint);
            ServerConfig { reach, limits, package: None, said, lends: false }
        }),
        [None, None, Some(package)] => reader.package(package, keys, limits),
        [None, None, None] => reader.problem("command", "neither `command`, `url` nor `package`", "one of them"),
        _ => reader.problem("command", "more than one of `command`, `url` and `package`", "one of them"),
    };
    reader.finish(config)
}

/// A package as it asks to be run.
pub(super) fn packed(package: Package) -> ServerConfig {
    let ceilings = package.manifest().limits.clone();
    let reach = package.reach(&Narrowing { limits: ceilings.clone(), ..Narrowing::of(&package) });
    let limits = bounded(Limits::DEFAULT, &ceilings);
    ServerConfig { reach, limits, package: Some(Arc::new(package)), said: Said::default(), lends: false }
}

/// The limits of a server whose calls have these ceilings.
pub(super) fn bounded(limits: Limits, ceilings: &Ceilings) -> Limits {
    let answer = usize::try_from(ceilings.output).unwrap_or(usize::MAX);
    Limits { call: limits.call.min(ceilings.time), answer: limits.answer.min(answer), ..limits }
}

impl Reader {
    fn limits(&mut self, keys: &ServerKeys) -> Limits {
        let default = Limits::DEFAULT;
        Limits {
            start: self.duration("start_timeout", keys.start_timeout.as_ref()).unwrap_or(default.start),
            call: self.duration("call_timeout", keys.call_timeout.as_ref()).unwrap_or(default.call),
            answer: self.size("max_answer", keys.max_answer.as_ref()).unwrap_or(default.answer),
            in_flight: self.count("max_in_flight", keys.max_in_flight.as_ref()).unwrap_or(default.in_flight),
        }
    }

    fn out_of_place(&mut self, wanted: &str, keys: &[(&str, &Option<Value>)]) {
        for (key, value) in keys {
            if value.is_some() {
                self.problem::<()>(*key, "a key for another kind of server", wanted);
            }
        }
    }

    fn process(&mut self, command: &Value, keys: &ServerKeys, limits: Limits) -> Option<(Program, Limits)> {
        let elsewhere = [("headers", &keys.headers), ("insecure", &keys.insecure), ("digest", &keys.digest)];
        self.out_of_place("none of it beside `command`", &elsewhere);
        let words = self.words("command", command);
        let environment = self.environment("env", keys.env.as_ref());
        let folder = self.working(keys.cwd.as_ref());
        let jail = self.flag("jail", keys.jail.as_ref(), true);
        let resources = self.resources(keys, limits, jail);
        let limits = bounded(limits, &resources.limits);
        let (command, arguments) = words?;
        let resources = Arc::new(resources);
        Some((Program { command, arguments, environment, folder, jail, read: Vec::new(), resources }, limits))
    }

    /// What a command is granted: nothing packed it, so the operator's word is all there is.
    fn resources(&mut self, keys: &ServerKeys, limits: Limits, jail: bool) -> Resources {
        let placed = self.folders("folders", keys.folders.as_ref());
        let read = self.folders("read", keys.read.as_ref());
        let written = self.ceilings("limits", keys.limits.as_ref());
        let default = Ceilings { time: limits.call, output: limits.answer as u64, ..Ceilings::default() };
        let writable = |placed: super::Placed| {
            let writable = placed.writable.unwrap_or(false);
            placed.mount(writable)
        };
        let mut resources = Resources {
            sandbox: if jail { Isolation::Jail } else { Isolation::None },
            digest: None,
            folders: placed.into_iter().map(writable).chain(read.into_iter().map(|place| place.mount(false))).collect(),
            egress: self.destinations("egress", keys.egress.as_ref()),
            secrets: self.lent(keys, jail),
            limits: written.over(&default),
        };
        super::reach(&mut resources);
        resources
    }

    /// A process that nothing keeps has no edge, and what it is handed anyone on the machine may read.
    fn lent(&mut self, keys: &ServerKeys, jail: bool) -> Vec<Placement> {
        let placements = self.placements("secret", keys.secret.as_ref());
        if !jail && !placements.is_empty() {
            self.problem::<()>("secret", "it beside `jail = false`", "a jail: without one there is no edge");
        }
        placements
    }

    fn package(&mut self, path: &Value, keys: &ServerKeys, limits: Limits) -> Option<ServerConfig> {
        let elsewhere =
            [("headers", &keys.headers), ("insecure", &keys.insecure), ("cwd", &keys.cwd), ("read", &keys.read)];
        self.out_of_place("none of it beside `package`", &elsewhere);
        let Some(path) = path.as_str() else { return self.problem("package", kind(path), "a folder's path") };
        let package = match Package::read(std::path::Path::new(path)) {
            Ok(package) => package,
            Err(problems) => {
                for problem in problems {
                    self.problem::<()>(format!("package.{}", problem.key), problem.found, problem.wanted);
                }
                return None;
            }
        };
        self.same_digest(&package, keys.digest.as_ref());
        let environment = self.environment("env", keys.env.as_ref());
        let jail = self.flag("jail", keys.jail.as_ref(), true);
        let narrowing =
            self.narrowing(&package, [&keys.folders, &keys.egress, &keys.limits, &keys.secret].map(Option::as_ref));
        if !jail && !narrowing.secrets.is_empty() {
            self.problem::<()>("secret", "it beside `jail = false`", "a jail: without one there is no edge");
        }
        let limits = bounded(limits, &narrowing.limits);
        let reach = package.reach(&Narrowing { environment, jail, ..narrowing });
        let said = Said { folders: true, egress: true };
        Some(ServerConfig { reach, limits, package: Some(Arc::new(package)), said, lends: false })
    }

    fn same_digest(&mut self, package: &Package, digest: Option<&Value>) {
        let Some(digest) = digest else { return };
        match digest.as_str().and_then(Hash::from_hex) {
            Some(digest) if digest == package.digest() => {}
            Some(_) => drop(self.problem::<()>(
                "digest",
                format!("a package with digest {}", package.digest()),
                "the package that was meant",
            )),
            None => drop(self.problem::<()>("digest", kind(digest), "64 hexadecimal digits")),
        }
    }

    fn working(&mut self, cwd: Option<&Value>) -> Option<PathBuf> {
        let cwd = cwd?;
        let Some(path) = cwd.as_str() else { return self.problem("cwd", kind(cwd), "a folder's path") };
        let folder = PathBuf::from(path);
        if folder.is_dir() { Some(folder) } else { self.problem("cwd", format!("`{path}`"), "a folder that exists") }
    }

    fn remote(&mut self, url: &Value, keys: &ServerKeys) -> Option<Endpoint> {
        let elsewhere = [
            ("env", &keys.env),
            ("cwd", &keys.cwd),
            ("folders", &keys.folders),
            ("egress", &keys.egress),
            ("secret", &keys.secret),
            ("read", &keys.read),
            ("limits", &keys.limits),
            ("jail", &keys.jail),
            ("digest", &keys.digest),
        ];
        self.out_of_place("none of it beside `url`", &elsewhere);
        let insecure = self.flag("insecure", keys.insecure.as_ref(), false);
        let uri = self.uri(url, insecure);
        let headers = self.headers(keys.headers.as_ref());
        Some(Endpoint { uri: uri?, headers })
    }

    fn uri(&mut self, url: &Value, insecure: bool) -> Option<Uri> {
        let Some(text) = url.as_str() else { return self.problem("url", kind(url), "a string") };
        let Ok(parsed) = Url::parse(text) else { return self.problem("url", "text that is no URL", "an http(s) URL") };
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return self.problem("url", "credentials in the URL", "them in `headers`, by `{ env = \"NAME\" }`");
        }
        match parsed.scheme() {
            "https" => {}
            "http" if insecure || is_loopback(&parsed) => {}
            "http" => {
                return self.problem(
                    "url",
                    "plain http to another machine",
                    "https, or `insecure = true` where the network is trusted",
                );
            }
            other => return self.problem("url", format!("scheme `{other}`"), "http or https"),
        }
        let mut bare = parsed;
        bare.set_fragment(None);
        match bare.as_str().parse() {
            Ok(uri) => Some(uri),
            Err(_) => self.problem("url", "an URL that HTTP cannot carry", "an http(s) URL"),
        }
    }

    fn headers(&mut self, headers: Option<&Value>) -> Vec<(HeaderName, HeaderValue)> {
        let mut parsed = Vec::new();
        for (name, value) in self.table("headers", headers) {
            let key = format!("headers.{name}");
            let Some(text) = self.text(&key, value) else { continue };
            let Ok(header) = HeaderName::from_bytes(name.as_bytes()) else {
                self.problem::<()>(&key, "characters that no header has", "a header's name");
                continue;
            };
            if is_ours(&header) {
                self.problem::<()>(&key, "a header that the gateway sets", "another");
                continue;
            }
            match HeaderValue::from_str(&text) {
                Ok(mut value) => {
                    value.set_sensitive(true);
                    parsed.push((header, value));
                }
                Err(_) => drop(self.problem::<()>(&key, "characters that no header may hold", "printable text")),
            }
        }
        parsed
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// What would change whom a request is for, or what it says, if a config could set it.
fn is_ours(header: &HeaderName) -> bool {
    let name = header.as_str();
    let framing =
        ["host", "content-length", "content-type", "transfer-encoding", "connection", "accept", "te", "upgrade"];
    name.starts_with("mcp-") || name == "last-event-id" || name == "accept-encoding" || framing.contains(&name)
}
