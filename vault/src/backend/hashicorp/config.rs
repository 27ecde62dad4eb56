//! `Settings`: what a config says of one OpenBao or Vault: `[vault.NAME]` of the kind `hashicorp`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use url::{Host, Url};
use zeroize::Zeroizing;

use super::login::Login;
use crate::config::{Reader, kind};
use crate::own::Own;

/// What a config says of one OpenBao or Vault.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) address: Url,
    pub(crate) namespace: Option<String>,
    /// If there is one, nothing else is trusted.
    pub(crate) ca: Option<PathBuf>,
    pub(crate) login: Login,
    /// Of one request.
    pub(crate) timeout: Duration,
}

const KEYS: [&str; 9] = ["kind", "address", "namespace", "ca", "insecure", "token", "approle", "kubernetes", "timeout"];

impl Settings {
    /// `key` is what the table is called, and `base` what relative paths start from.
    pub(crate) fn parse(reader: &mut Reader, key: &str, table: &Map<String, Value>, base: &Path) -> Option<Self> {
        let mut keys = Keys { reader, key, base };
        keys.known(key, table, &KEYS);
        let insecure = keys.reader.flag(&format!("{key}.insecure"), table.get("insecure"), false);
        let address = keys.address(table.get("address"), insecure);
        let namespace = keys.optional("namespace", table.get("namespace"), is_namespace, "names between slashes");
        let ca = keys.optional("ca", table.get("ca"), |path| !path.is_empty(), "a file in PEM form");
        let timeout = keys.reader.duration(&format!("{key}.timeout"), table.get("timeout")).unwrap_or(TIMEOUT);
        let login = keys.login(table);
        let ca = ca?.map(|path| base.join(path));
        Some(Self { address: address?, namespace: namespace?, ca, login: login?, timeout })
    }
}

/// A backend on the same network answers in milliseconds; a call waits for ten seconds at most.
const TIMEOUT: Duration = Duration::from_secs(5);

struct Keys<'a> {
    reader: &'a mut Reader,
    key: &'a str,
    base: &'a Path,
}

impl Keys<'_> {
    fn known(&mut self, key: &str, table: &Map<String, Value>, known: &[&str]) {
        for name in table.keys().filter(|name| !known.contains(&name.as_str())) {
            self.reader.problem::<()>(
                format!("{key}.{name}"),
                "an unknown key",
                format!("one of {}", known.join(", ")),
            );
        }
    }

    fn address(&mut self, value: Option<&Value>, insecure: bool) -> Option<Url> {
        let key = format!("{}.address", self.key);
        let wanted = "an address such as `https://vault.example:8200`";
        let Some(text) = value.and_then(Value::as_str) else {
            return self.reader.problem(key, value.map_or("nothing", kind), wanted);
        };
        let Some(url) = Url::parse(text).ok().filter(is_plain) else {
            // What stands before an `@` is a credential.
            return self.reader.problem(key, "another text", format!("{wanted}, with no user, query or fragment"));
        };
        if url.scheme() == "http" && !insecure && !is_loopback(&url) {
            let found = "`http` to another machine, where all could read what is lent";
            return self.reader.problem(key, found, "`https`, or `insecure = true`");
        }
        Some(url)
    }

    /// `Some(None)` where it is not there, `None` where it is wrong.
    #[expect(clippy::option_option, reason = "what is missing is not what is wrong")]
    fn optional(
        &mut self,
        name: &str,
        value: Option<&Value>,
        good: impl Fn(&str) -> bool,
        wanted: &str,
    ) -> Option<Option<String>> {
        match value {
            None => Some(None),
            Some(Value::String(text)) if good(text) => Some(Some(text.clone())),
            Some(other) => self.reader.problem(format!("{}.{name}", self.key), kind(other), wanted),
        }
    }

    fn login(&mut self, table: &Map<String, Value>) -> Option<Login> {
        let ways = ["token", "approle", "kubernetes"].map(|name| table.get(name).map(|value| (name, value)));
        let [found] = ways.into_iter().flatten().collect::<Vec<_>>().try_into().ok().or_else(|| {
            let wanted = "one of `token`, `approle` and `kubernetes`";
            self.reader.problem(format!("{}.token", self.key), "no way to log in, or more than one", wanted)
        })?;
        let (name, value) = found;
        let key = format!("{}.{name}", self.key);
        let Some(table) = value.as_object() else {
            // Not repeated: it may be the token.
            let wanted = "a table: a credential stands in a file or a variable, never in the config";
            return self.reader.problem(key, "a value that is not a table", wanted);
        };
        match name {
            "token" => self.own(&key, table).map(Login::Token),
            "approle" => self.approle(&key, table),
            _ => self.kubernetes(&key, table),
        }
    }

    /// `{ file = "…" }` or `{ env = "NAME" }`.
    fn own(&mut self, key: &str, table: &Map<String, Value>) -> Option<Own> {
        self.known(key, table, &["file", "env"]);
        let (file, env) = (table.get("file").and_then(Value::as_str), table.get("env").and_then(Value::as_str));
        match (file, env) {
            (Some(file), None) => Some(Own::File(self.base.join(file))),
            (None, Some(name)) => match std::env::var(name) {
                Ok(text) => Some(Own::Held(Arc::new(Zeroizing::new(text)))),
                Err(_) => {
                    let found = format!("`{name}`, which is not set");
                    self.reader.problem(format!("{key}.env"), found, "a variable of the gateway's environment")
                }
            },
            _ => {
                let wanted = "`file`, of a file of mode 0600, or `env`, the name of a variable";
                self.reader.problem(key, "neither a file nor a variable, or both", wanted)
            }
        }
    }

    fn approle(&mut self, key: &str, table: &Map<String, Value>) -> Option<Login> {
        self.known(key, table, &["role_id", "secret_id", "mount"]);
        let role = self.word(&format!("{key}.role_id"), table.get("role_id"), None);
        let mount = self.word(&format!("{key}.mount"), table.get("mount"), Some("approle"));
        let secret = format!("{key}.secret_id");
        let secret = match table.get("secret_id").and_then(Value::as_object) {
            Some(table) => self.own(&secret, table),
            None => self.reader.problem(secret, "no table", "`{ file = \"…\" }` or `{ env = \"NAME\" }`"),
        };
        Some(Login::AppRole { mount: mount?, role: role?, secret: secret? })
    }

    fn kubernetes(&mut self, key: &str, table: &Map<String, Value>) -> Option<Login> {
        self.known(key, table, &["role", "jwt", "mount"]);
        let role = self.word(&format!("{key}.role"), table.get("role"), None);
        let mount = self.word(&format!("{key}.mount"), table.get("mount"), Some("kubernetes"));
        let jwt = match table.get("jwt") {
            None => Some(SERVICE_ACCOUNT),
            Some(Value::String(path)) => Some(path.as_str()),
            Some(_) => self.reader.problem(format!("{key}.jwt"), "a value that is not a text", "a file's path"),
        };
        Some(Login::Kubernetes { mount: mount?, role: role?, jwt: Own::Platform(self.base.join(jwt?)) })
    }

    /// A name that becomes part of a path or of a body.
    fn word(&mut self, key: &str, value: Option<&Value>, default: Option<&str>) -> Option<String> {
        match (value, default) {
            (None, Some(default)) => Some(default.to_owned()),
            (Some(Value::String(text)), _) if super::path::check(text).is_ok() => Some(text.clone()),
            (Some(other), _) => self.reader.problem(key, kind(other), "a name"),
            (None, None) => self.reader.problem(key, "nothing", "a name"),
        }
    }
}

/// Where Kubernetes puts a pod's own token.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// An address and nothing beside it.
fn is_plain(url: &Url) -> bool {
    let web = ["http", "https"].contains(&url.scheme());
    web && url.host().is_some()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// It becomes a header's value.
fn is_namespace(text: &str) -> bool {
    super::path::check(text.trim_end_matches('/')).is_ok() && text.is_ascii()
}
