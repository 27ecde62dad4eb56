//! From keys to a config, collecting problems.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};
use serde_json::Value;
use url::{Host, Url};

use super::{Endpoint, Problem, Program, Reach, ServerConfig, ServerKeys};
use crate::limits::Limits;

pub(super) fn config(keys: &ServerKeys) -> Result<ServerConfig, Vec<Problem>> {
    let mut reader = Reader { problems: Vec::new() };
    let limits = reader.limits(keys);
    let reach = match (&keys.command, &keys.url) {
        (Some(command), None) => reader.process(command, keys).map(Reach::Process),
        (None, Some(url)) => reader.remote(url, keys).map(Reach::Remote),
        (None, None) => reader.problem("command", "neither `command` nor `url`", "one of them"),
        (Some(_), Some(_)) => reader.problem("command", "both `command` and `url`", "one of them"),
    };
    match reach {
        Some(reach) if reader.problems.is_empty() => Ok(ServerConfig { reach, limits }),
        Some(_) | None => Err(reader.problems),
    }
}

struct Reader {
    problems: Vec<Problem>,
}

impl Reader {
    fn problem<T>(&mut self, key: impl Into<String>, found: impl Into<String>, wanted: impl Into<String>) -> Option<T> {
        self.problems.push(Problem::new(key, found, wanted));
        None
    }

    fn limits(&mut self, keys: &ServerKeys) -> Limits {
        let default = Limits::DEFAULT;
        Limits {
            start: self.duration("start_timeout", keys.start_timeout.as_ref()).unwrap_or(default.start),
            call: self.duration("call_timeout", keys.call_timeout.as_ref()).unwrap_or(default.call),
            answer: self.size("max_answer", keys.max_answer.as_ref()).unwrap_or(default.answer),
            in_flight: self.count("max_in_flight", keys.max_in_flight.as_ref()).unwrap_or(default.in_flight),
        }
    }

    fn process(&mut self, command: &Value, keys: &ServerKeys) -> Option<Program> {
        for (key, value) in [("headers", &keys.headers), ("insecure", &keys.insecure)] {
            if value.is_some() {
                self.problem::<()>(key, "a key for `url`", "none of it beside `command`");
            }
        }
        let words = self.words(command);
        let environment = self.environment(keys.env.as_ref());
        let folder = self.folder(keys.cwd.as_ref());
        let (command, arguments) = words?;
        Some(Program { command, arguments, environment, folder })
    }

    fn words(&mut self, command: &Value) -> Option<(String, Vec<String>)> {
        let wanted = "an array of strings: program, then arguments";
        let words: Option<Vec<String>> =
            command.as_array().and_then(|words| words.iter().map(|word| word.as_str().map(str::to_owned)).collect());
        let Some(words) = words else { return self.problem("command", kind(command), wanted) };
        if words.iter().any(|word| word.contains('\0')) {
            return self.problem("command", "a NUL character", wanted);
        }
        match words.split_first() {
            Some((program, arguments)) if !program.is_empty() => Some((program.clone(), arguments.to_vec())),
            Some(_) | None => self.problem("command", "no program", wanted),
        }
    }

    fn environment(&mut self, env: Option<&Value>) -> Vec<(String, String)> {
        let mut environment = Vec::new();
        for (name, value) in self.table("env", env) {
            let key = format!("env.{name}");
            if name.is_empty() || name.contains(['=', '\0']) {
                self.problem::<()>(&key, "a name with `=` or NUL, or none", "a variable's name");
            }
            let Some(text) = self.text(&key, value) else { continue };
            if text.contains('\0') {
                self.problem::<()>(&key, "a NUL character", "a string without it");
            }
            environment.push((name.clone(), text));
        }
        environment
    }

    fn folder(&mut self, cwd: Option<&Value>) -> Option<PathBuf> {
        let cwd = cwd?;
        let Some(path) = cwd.as_str() else { return self.problem("cwd", kind(cwd), "a folder's path") };
        let folder = PathBuf::from(path);
        if folder.is_dir() { Some(folder) } else { self.problem("cwd", format!("`{path}`"), "a folder that exists") }
    }

    fn remote(&mut self, url: &Value, keys: &ServerKeys) -> Option<Endpoint> {
        for (key, value) in [("env", &keys.env), ("cwd", &keys.cwd)] {
            if value.is_some() {
                self.problem::<()>(key, "a key for `command`", "none of it beside `url`");
            }
        }
        let insecure = match &keys.insecure {
            None => false,
            Some(Value::Bool(insecure)) => *insecure,
            Some(other) => {
                self.problem::<()>("insecure", kind(other), "true or false");
                false
            }
        };
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

    fn table<'a>(&mut self, key: &str, value: Option<&'a Value>) -> Vec<(&'a String, &'a Value)> {
        match value {
            None => Vec::new(),
            Some(Value::Object(table)) => table.iter().collect(),
            Some(other) => self.problem(key, kind(other), "a table").unwrap_or_default(),
        }
    }

    /// A string, or `{ env = "NAME" }`.
    fn text(&mut self, key: &str, value: &Value) -> Option<String> {
        let wanted = "a string or `{ env = \"NAME\" }`";
        if let Some(text) = value.as_str() {
            return Some(text.to_owned());
        }
        let Some(table) = value.as_object() else { return self.problem(key, kind(value), wanted) };
        let name = table.get("env").and_then(Value::as_str).filter(|_| table.len() == 1);
        let Some(name) = name else { return self.problem(key, "another table", wanted) };
        match std::env::var(name) {
            Ok(text) => Some(text),
            Err(_) => {
                self.problem(key, format!("`{name}`, which is not set"), "a variable of the gateway's environment")
            }
        }
    }

    fn duration(&mut self, key: &str, value: Option<&Value>) -> Option<Duration> {
        let wanted = "seconds, or text such as `90s` or `5m`, from 1 s to 1 day";
        let value = value?;
        let duration = match value {
            Value::Number(seconds) => seconds.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            Value::String(text) => text.parse::<jiff::SignedDuration>().ok().and_then(|span| span.try_into().ok()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        match duration {
            Some(duration) if (Duration::from_secs(1)..=Duration::from_hours(24)).contains(&duration) => Some(duration),
            Some(_) | None => self.problem(key, shown(value), wanted),
        }
    }

    fn size(&mut self, key: &str, value: Option<&Value>) -> Option<usize> {
        let value = value?;
        let bytes = match value {
            Value::Number(bytes) => bytes.as_u64(),
            Value::String(text) => bytes(text),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
        match bytes {
            Some(bytes) if (1024..=1 << 30).contains(&bytes) => Some(bytes),
            Some(_) | None => self.problem(key, shown(value), "bytes, or text such as `16 MiB`, from 1 KiB to 1 GiB"),
        }
    }

    fn count(&mut self, key: &str, value: Option<&Value>) -> Option<usize> {
        let value = value?;
        match value.as_u64().and_then(|count| usize::try_from(count).ok()) {
            Some(count) if (1..=4096).contains(&count) => Some(count),
            Some(_) | None => self.problem(key, shown(value), "a number from 1 to 4096"),
        }
    }
}

fn bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let scale = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(scale)
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

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "a table",
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Number(_) | Value::String(_) => format!("`{value}`"),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => kind(value).to_owned(),
    }
}
