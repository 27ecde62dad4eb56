//! `[[server.NAME.secret]]` and a package's `[[secret]]`: which secret goes where, and how.

use policies::profile::{Destination, Part, Placement, Resources, Way};
use serde_json::{Map, Value};

use super::reader::{Reader, kind};

/// The keys that say which requests.
const TO: [&str; 7] = ["host", "ports", "protocol", "methods", "paths", "addresses", "pins"];

/// The keys that say where in them.
const INTO: [&str; 6] = ["header", "basic", "query", "field", "sigv4", "hmac"];

/// The keys for what a tool reads itself.
const HELD: [&str; 3] = ["file", "stdin", "environment"];

/// A problem that is kept already.
struct Told;

impl Reader {
    /// An array of tables, each of one secret.
    pub(crate) fn placements(&mut self, key: &str, value: Option<&Value>) -> Vec<Placement> {
        let items = match value {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(other) => return self.problem(key, kind(other), format!("[[{key}]]")).unwrap_or_default(),
        };
        let mut placements: Vec<Placement> = Vec::new();
        for (number, item) in items.iter().enumerate() {
            let key = format!("{key}[{number}]");
            let Some(placement) = self.placement(&key, item) else { continue };
            if let Some(other) = placements.iter().find(|other| other.collides(&placement)) {
                let found = format!("a place that `{}` has already", other.secret);
                self.problem::<()>(&key, found, "one secret in one place");
            }
            placements.push(placement);
        }
        placements
    }

    fn placement(&mut self, key: &str, item: &Value) -> Option<Placement> {
        let Some(table) = item.as_object() else { return self.problem(key, kind(item), "a table") };
        let known = |name: &String| {
            let all = TO.iter().chain(&INTO).chain(&HELD).chain(&["name", "prefix", "placeholder"]);
            all.into_iter().any(|known| known == name)
        };
        for name in table.keys().filter(|name| !known(name)) {
            let name: String = name.chars().take(80).collect();
            let wanted = format!("name, prefix, placeholder, {}", [&TO[..], &INTO, &HELD].concat().join(", "));
            self.problem::<()>(format!("{key}.{name}"), "an unknown key", wanted);
        }
        let secret = self.word(&format!("{key}.name"), table.get("name"));
        let to = table.contains_key("host").then(|| self.to(key, table).ok_or(Told));
        let way = self.way(key, table, to);
        let placement = Placement { secret: secret?, way: way? };
        match placement.check() {
            Ok(()) => Some(placement),
            Err(error) => self.problem(key, error.to_string(), "a place that a secret can go to"),
        }
    }

    /// `to` is an error where there was a problem with it.
    fn way(&mut self, key: &str, table: &Map<String, Value>, to: Option<Result<Destination, Told>>) -> Option<Way> {
        let written = |names: &[&'static str]| -> Vec<&'static str> {
            names.iter().copied().filter(|name| table.contains_key(*name)).collect()
        };
        let ways: Vec<&str> = written(&INTO).into_iter().chain(written(&HELD)).collect();
        let [way] = ways.as_slice() else {
            let found =
                if ways.is_empty() { "no place".to_owned() } else { format!("{} together", ways.join(" and ")) };
            return self.problem(key, found, format!("one of {}, {}", INTO.join(", "), HELD.join(", ")));
        };
        if table.contains_key("prefix") && *way != "header" {
            self.problem::<()>(format!("{key}.prefix"), format!("it beside `{way}`"), "it beside `header` only");
        }
        let at = format!("{key}.{way}");
        let value = table.get(*way)?;
        if INTO.contains(way) {
            let placeholder = table.get("placeholder");
            let placeholder = placeholder.map(|value| self.word(&format!("{key}.placeholder"), Some(value)));
            let into = self.part(&at, way, value, table.get("prefix"));
            let Some(to) = to else { return self.problem(format!("{key}.host"), "nothing", "the host it is sent to") };
            return Some(Way::Edge {
                to: Box::new(to.ok()?),
                into: into?,
                placeholder: placeholder.map_or(Some(None), |p| p.map(Some))?,
            });
        }
        if table.contains_key("placeholder") {
            self.problem::<()>(
                format!("{key}.placeholder"),
                format!("it beside `{way}`"),
                "it where the tool holds nothing",
            );
        }
        let to = match to {
            Some(to) => Some(Box::new(to.ok()?)),
            None => None,
        };
        match *way {
            "file" => Some(Way::File { at: self.word(&at, Some(value))?, to }),
            "environment" => Some(Way::Environment { name: self.word(&at, Some(value))?, to }),
            _ if value == &Value::Bool(true) => Some(Way::Stdin { to }),
            _ => self.problem(at, kind(value), "true"),
        }
    }

    fn part(&mut self, at: &str, way: &str, value: &Value, prefix: Option<&Value>) -> Option<Part> {
        let prefix = prefix.map_or(Some(String::new()), |prefix| self.word(at, Some(prefix)));
        let mut member = |name: &str| match value {
            Value::Object(table) => self.word(&format!("{at}.{name}"), table.get(name)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                self.problem(at, kind(value), "a table")
            }
        };
        match way {
            "sigv4" => {
                let (region, service) = (member("region"), member("service"));
                Some(Part::SigV4 { region: region?, service: service? })
            }
            "hmac" => {
                let header = member("header");
                let before = if value.get("prefix").is_some() { member("prefix") } else { Some(String::new()) };
                Some(Part::Hmac { header: header?.to_ascii_lowercase(), prefix: before? })
            }
            "header" => Some(Part::Header { name: self.word(at, Some(value))?.to_ascii_lowercase(), prefix: prefix? }),
            "basic" => Some(Part::Basic { user: self.word(at, Some(value))? }),
            "query" => Some(Part::Query { name: self.word(at, Some(value))? }),
            _ => Some(Part::Field { name: self.word(at, Some(value))? }),
        }
    }

    fn to(&mut self, key: &str, table: &Map<String, Value>) -> Option<Destination> {
        let only: Map<String, Value> =
            table.iter().filter(|(name, _)| TO.contains(&name.as_str())).map(|(n, v)| (n.clone(), v.clone())).collect();
        match serde_json::from_value(only.into()) {
            Ok(to) => Some(to),
            Err(error) => self.problem(key, error.to_string(), "`host`, and where needed the other keys of `egress`"),
        }
    }

    fn word(&mut self, key: &str, value: Option<&Value>) -> Option<String> {
        match value {
            Some(Value::String(text)) if !text.is_empty() && !text.contains('\0') => Some(text.clone()),
            Some(Value::String(_)) => self.problem(key, "an empty text", "a text"),
            Some(other) => self.problem(key, kind(other), "a text"),
            None => self.problem(key, "nothing", "a text"),
        }
    }
}

/// Opens what secrets are sent to, where nothing was said of that host and port. What was said stays as narrow as it is.
pub(crate) fn reach(resources: &mut Resources) {
    let missing = |to: &&Destination| {
        let said = |other: &Destination| {
            let hosts = other.host.holds(&to.host) || to.host.holds(&other.host);
            hosts && other.ports().iter().any(|port| to.ports().contains(port))
        };
        !resources.egress.iter().any(said)
    };
    let mut missing: Vec<Destination> =
        resources.secrets.iter().filter_map(Placement::destination).filter(missing).cloned().collect();
    missing.dedup();
    for to in missing {
        if !resources.egress.contains(&to) {
            resources.egress.push(to);
        }
    }
}
