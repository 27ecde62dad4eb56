//! The file's tables to a `Config`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use policies::ServerName;
use policies::decision::HoldTimes;
use policies::profile::Profile;
use sandbox::{ServerConfig, ServerKeys};
use toml::de::DeTable;

use super::section::{Section, Sheet};
use super::{
    AgentLimits, Config, Listen, MetricsAt, Origin, Overrides, PolicyFiles, Problem, Server, TlsFiles, default_state,
    packages,
};
use super::{people, sandboxes, secrets, telemetry};

pub(super) fn config(path: Option<&Path>, overrides: Overrides) -> Result<Config, Vec<Problem>> {
    let file = path.unwrap_or(Path::new("portcullis.toml"));
    let text = match path.map(std::fs::read_to_string).transpose() {
        Ok(text) => text.unwrap_or_default(),
        Err(error) => {
            return Err(vec![problem(Some(file), "portcullis.toml", error.to_string(), "a file that can be read")]);
        }
    };
    let sheet = Sheet::new(file, &text);
    let (table, errors) = DeTable::parse_recoverable(&text);
    for error in errors {
        sheet.problem(error.span().map_or(0, |span| span.start), "syntax", error.message().to_owned(), "TOML");
    }
    let root = Section::new(&sheet, "", Some(table.get_ref()));
    let state = root.string("state").map(|(text, _)| sheet.path(&text));
    let state = overrides.state.clone().or(state).or_else(default_state).unwrap_or_default();
    let config = read(&sheet, &root, state);
    root.finish(&TABLES);
    let mut problems = sheet.into_problems();
    let config = override_with(config, overrides, &mut problems);
    if problems.is_empty() {
        return Ok(config);
    }
    // Whoever mends the file wants to hear of the policies too.
    problems.extend(config.policy.load().err().unwrap_or_default());
    Err(problems)
}

const TABLES: [&str; 22] = [
    "listen",
    "agents",
    "server",
    "tool",
    "policy",
    "hold",
    "approve",
    "session",
    "operator",
    "state",
    "sandbox",
    "egress",
    "wasm",
    "bundled",
    "liveness",
    "vault",
    "secret",
    "redact",
    "audit",
    "notify",
    "export",
    "telemetry",
];

fn read(sheet: &Sheet<'_>, root: &Section<'_>, state: PathBuf) -> Config {
    let servers = servers(sheet, &root.below("server"), &state);
    let (sandbox, runtime) = sandboxes::settings(sheet, root, &state);
    let (operators, console) = people::operators(sheet, root.below("operator"));
    let (listen, metrics) = listen(sheet, root.below("listen"));
    Config {
        sandbox,
        runtime,
        vault: secrets::vault(sheet, root, &state),
        log: super::log::log(sheet, root.below("audit")),
        redact: secrets::redaction(sheet, root.below("redact")),
        notify: super::notify::channels(sheet, &root.below("notify")),
        export: super::export::exporters(sheet, &root.below("export")),
        bundled: sandboxes::bundled(sheet, &root.below("bundled")),
        liveness: sandboxes::liveness(sheet, root.below("liveness")),
        servers,
        state,
        listen,
        metrics,
        telemetry: telemetry::telemetry(sheet, root.below("telemetry")),
        agents: agents(root.below("agents")),
        tools: tools(sheet, &root.below("tool")),
        policy: policy(sheet, root.below("policy")),
        hold: hold(root.below("hold")),
        quorums: people::quorums(sheet, root.below("approve")),
        session_idle: session(root.below("session")),
        operators,
        console,
    }
}

fn listen(sheet: &Sheet<'_>, section: Section<'_>) -> (Listen, Option<MetricsAt>) {
    let address = section.string("address").and_then(|(text, at)| {
        let address = text.parse().ok();
        if address.is_none() {
            sheet.problem(at, "listen.address", format!("\"{text}\""), ADDRESS);
        }
        address
    });
    let (hosts, origins) = (section.strings("hosts"), section.strings("origins"));
    let files = tls(sheet, &section, "listen.tls");
    let metrics = telemetry::metrics(sheet, &section);
    section.finish(&["address", "hosts", "origins", "tls", "metrics", "metrics_hosts"]);
    let listen = Listen {
        address: address.unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8700)),
        hosts: hosts.unwrap_or_default(),
        origins: origins.unwrap_or_default(),
        tls: files,
    };
    (listen, metrics)
}

/// A certificate chain and its key, or neither.
pub(super) fn tls(sheet: &Sheet<'_>, section: &Section<'_>, name: &str) -> Option<TlsFiles> {
    let tls = section.below("tls");
    let pair = (tls.string("certificate"), tls.string("key"));
    let at = section.at("tls");
    tls.finish(&["certificate", "key"]);
    match pair {
        (Some((certificate, _)), Some((key, _))) => {
            Some(TlsFiles { certificate: sheet.path(&certificate), key: sheet.path(&key) })
        }
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            sheet.problem(at, name, "only one of `certificate` and `key`", "both");
            None
        }
    }
}

fn agents(section: Section<'_>) -> AgentLimits {
    let default = AgentLimits::default();
    let limits = AgentLimits {
        body: section.count("max_body", 1_024, 64 << 20).unwrap_or(default.body),
        in_flight: section.count("max_in_flight", 1, 100_000).unwrap_or(default.in_flight),
        rate: section.count("rate", 1, 10_000_000).unwrap_or(default.rate),
    };
    section.finish(&["max_body", "max_in_flight", "rate"]);
    limits
}

fn servers(sheet: &Sheet<'_>, all: &Section<'_>, state: &Path) -> BTreeMap<ServerName, Server> {
    let mut servers = BTreeMap::new();
    for name in all.rest() {
        let section = all.below(name);
        let parsed = ServerName::parse(name);
        if let Err(error) = &parsed {
            sheet.problem(all.at(name), all.key(name), error.to_string(), "another name");
        }
        let prefix = section.string("prefix").map(|(prefix, _)| prefix);
        let vouched = section.boolean("vouched").unwrap_or(false);
        let profile = profile(sheet, &section);
        let folder = packages(state).join(name);
        let added =
            parsed.is_ok() && folder.is_dir() && ["command", "url", "package"].iter().all(|key| section.at(key) == 0);
        let origin = if added { Origin::Added } else { Origin::Config };
        let package = added.then_some(folder);
        let reach = reach(sheet, &section, all.at(name), package.as_deref());
        if let (Ok(name), Some(reach)) = (parsed, reach) {
            let prefix = prefix.unwrap_or_else(|| format!("{name}."));
            servers.insert(name, Server { reach, prefix, vouched, profile, origin });
        }
    }
    servers
}

/// The keys that nobody has read yet say how the server is reached.
fn reach(sheet: &Sheet<'_>, section: &Section<'_>, at: usize, added: Option<&Path>) -> Option<ServerConfig> {
    let mut keys = serde_json::Map::new();
    keys.extend(added.map(|package| ("package".to_owned(), package.display().to_string().into())));
    for key in section.rest() {
        if !ServerKeys::NAMES.contains(&key) {
            sheet.problem(
                section.at(key),
                section.key(key),
                "an unknown key",
                format!("one of prefix, vouched, {}, {}", ServerKeys::NAMES.join(", "), Profile::KEYS.join(", ")),
            );
        } else if let Some((value, _)) = section.json(key) {
            let value = match value.as_str() {
                Some(path) if key == "package" => sheet.path(path).display().to_string().into(),
                Some(_) | None => value,
            };
            keys.insert(key.to_owned(), value);
        }
    }
    let keys: ServerKeys = serde_json::from_value(keys.into()).unwrap_or_default();
    match ServerConfig::parse(keys) {
        Ok(reach) => Some(reach),
        Err(problems) => {
            for problem in problems {
                let place = problem.key.split('.').next().map_or(0, |key| section.at(key));
                sheet.problem(
                    if place == 0 { at } else { place },
                    section.key(&problem.key),
                    problem.found,
                    problem.wanted,
                );
            }
            None
        }
    }
}

fn tools(sheet: &Sheet<'_>, all: &Section<'_>) -> BTreeMap<String, Profile> {
    let mut tools = BTreeMap::new();
    for name in all.rest() {
        let section = all.below(name);
        if !name.contains('.') {
            sheet.problem(all.at(name), all.key(name), "a name without a server", "[tool.\"server.tool\"]");
        }
        tools.insert(name.to_owned(), profile(sheet, &section));
        section.finish(&Profile::KEYS);
    }
    tools
}

/// Each key on its own first, so that each problem has its line.
fn profile(sheet: &Sheet<'_>, section: &Section<'_>) -> Profile {
    let mut members = serde_json::Map::new();
    for key in Profile::KEYS {
        let Some((value, at)) = section.json(key) else { continue };
        let one = serde_json::Map::from_iter([(key.to_owned(), value.clone())]);
        match serde_json::from_value::<Profile>(one.into()) {
            Ok(_) => drop(members.insert(key.to_owned(), value)),
            Err(error) => {
                sheet.problem(at, section.key(key), error.to_string(), "a declaration as the reference shows it");
            }
        }
    }
    serde_json::from_value(members.into()).unwrap_or_default()
}

fn policy(sheet: &Sheet<'_>, section: Section<'_>) -> PolicyFiles {
    let files = section.strings("files").unwrap_or_default().iter().map(|file| sheet.path(file)).collect();
    let defaults = section.boolean("defaults").unwrap_or(true);
    let observe = section.strings("observe").unwrap_or_default();
    section.finish(&["files", "defaults", "observe"]);
    PolicyFiles { files, defaults, observe }
}

fn hold(section: Section<'_>) -> HoldTimes {
    let default = HoldTimes::default();
    let times = HoldTimes {
        low: section.duration("low").unwrap_or(default.low),
        medium: section.duration("medium").unwrap_or(default.medium),
        high: section.duration("high").unwrap_or(default.high),
        critical: section.duration("critical").unwrap_or(default.critical),
    };
    section.finish(&["low", "medium", "high", "critical"]);
    times
}

fn session(section: Section<'_>) -> SignedDuration {
    let idle = section.duration("idle").unwrap_or(SignedDuration::from_mins(30));
    section.finish(&["idle"]);
    idle
}

fn override_with(mut config: Config, overrides: Overrides, problems: &mut Vec<Problem>) -> Config {
    if config.state == PathBuf::new() {
        problems.push(problem(None, "--state", "neither $XDG_STATE_HOME nor $HOME", "a folder"));
    }
    if let Some(listen) = overrides.listen {
        match listen.parse() {
            Ok(address) => config.listen.address = address,
            Err(_) => problems.push(problem(None, "--listen", format!("\"{listen}\""), ADDRESS)),
        }
    }
    for (name, reach) in overrides.servers {
        match (ServerName::parse(&name), ServerConfig::parse_argument(&reach)) {
            (Ok(name), Ok(reach)) => {
                let server = Server::new(&name, reach);
                config.servers.insert(name, server);
            }
            (name_or_error, reach_or_errors) => {
                let key = format!("--server {name}");
                problems
                    .extend(name_or_error.err().map(|error| problem(None, &key, error.to_string(), "another name")));
                for wrong in reach_or_errors.err().unwrap_or_default() {
                    problems.push(problem(None, &format!("{key} {}", wrong.key), wrong.found, &wrong.wanted));
                }
            }
        }
    }
    if overrides.no_liveness {
        config.liveness = None;
    }
    super::shelf::add(&mut config.servers, &config.state);
    sandboxes::bundle(&mut config, problems);
    sandboxes::settle(&mut config, overrides.no_jail);
    secrets::check(&config, problems);
    if !config.listen.address.ip().is_loopback() && config.listen.tls.is_none() {
        let wanted = "a loopback address, or `[listen.tls]` with `certificate` and `key`: tokens must not cross a network in the clear";
        problems.push(problem(None, "listen.address", config.listen.address.to_string(), wanted));
    }
    config
}

fn problem(file: Option<&Path>, key: &str, found: impl Into<String>, wanted: &str) -> Problem {
    Problem {
        file: file.map(Path::to_owned),
        line: None,
        key: key.to_owned(),
        found: found.into(),
        wanted: wanted.to_owned(),
    }
}

const ADDRESS: &str = "an address and port like 127.0.0.1:8700";
