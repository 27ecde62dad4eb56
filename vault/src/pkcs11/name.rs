//! `Pkcs11Name`: which key on which token, as a config names it; never its PIN.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::Pkcs11Error;
use crate::config::{Problem, Reader, kind};
use crate::own;

/// Which key on which token, reached by which module, and where its PIN stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pkcs11Name {
    pub(super) module: PathBuf,
    pub(super) token: Which,
    /// Its label.
    pub(super) key: String,
    pub(super) pin: Pin,
}

/// Which of the tokens that a module shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Label(String),
    Serial(String),
}

/// Where a PIN stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pin {
    /// Read at each login: whoever changes it writes a new file.
    File(PathBuf),
    /// The name of a variable.
    Env(String),
}

impl Pkcs11Name {
    /// Reads a table such as `{ pkcs11 = "/usr/lib/softhsm/libsofthsm2.so", token = "…", key = "…", pin = { file = "…" } }`.
    /// `at` is what it is called, and `base` what relative paths start from.
    ///
    /// # Errors
    /// Every problem. None repeats a PIN that stands where the name of its file belongs.
    pub fn parse(at: &str, table: &Map<String, Value>, base: &Path) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::default();
        for unknown in table.keys().filter(|name| !KEYS.contains(&name.as_str())) {
            reader.problem::<()>(format!("{at}.{unknown}"), "an unknown key", format!("one of {}", KEYS.join(", ")));
        }
        let module = text(&mut reader, at, table, "pkcs11").map(PathBuf::from);
        // By a bare name the loader would look through folders that the environment names.
        if module.as_ref().is_some_and(|module| !module.is_absolute()) {
            reader.problem::<()>(format!("{at}.pkcs11"), "a relative path", "the absolute path of a PKCS#11 module");
        }
        let token = match (table.contains_key("token"), table.contains_key("serial")) {
            (true, false) => text(&mut reader, at, table, "token").map(Which::Label),
            (false, true) => text(&mut reader, at, table, "serial").map(Which::Serial),
            (true, true) | (false, false) => {
                reader.problem(format!("{at}.token"), "both or neither", "`token`, a label, or `serial`, a number")
            }
        };
        let key = text(&mut reader, at, table, "key");
        let pin = pin(&mut reader, &format!("{at}.pin"), table.get("pin"), base);
        let read = (|| Some(Self { module: module?, token: token?, key: key?, pin: pin? }))();
        reader.finish(read)
    }
}

const KEYS: [&str; 5] = ["pkcs11", "token", "serial", "key", "pin"];

fn text(reader: &mut Reader, at: &str, table: &Map<String, Value>, name: &str) -> Option<String> {
    match table.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
        other => reader.problem(format!("{at}.{name}"), other.map_or("nothing", kind), "a text that is not empty"),
    }
}

fn pin(reader: &mut Reader, at: &str, value: Option<&Value>, base: &Path) -> Option<Pin> {
    let wanted =
        "`{ file = \"…\" }`, of a file of mode 0600, or `{ env = \"NAME\" }`: the PIN itself never stands here";
    let only = value.and_then(Value::as_object).filter(|table| table.len() == 1).and_then(|table| table.iter().next());
    match only.map(|(name, value)| (name.as_str(), value)) {
        Some(("file", Value::String(file))) if !file.is_empty() => Some(Pin::File(base.join(file))),
        Some(("env", Value::String(name))) if !name.is_empty() => Some(Pin::Env(name.clone())),
        Some(_) | None => reader.problem(at, value.map_or("nothing", kind), wanted),
    }
}

impl Pin {
    pub(super) fn read(&self) -> Result<Zeroizing<String>, Pkcs11Error> {
        let pin = match self {
            Self::File(path) => own::read(path, true).map_err(|bad| Pkcs11Error::NoPin(bad.to_string()))?,
            Self::Env(name) => match std::env::var(name) {
                Ok(pin) => Zeroizing::new(pin),
                Err(_) => return Err(Pkcs11Error::NoPin(format!("the variable `{name}` is not set"))),
            },
        };
        // An empty one would be asked for at the token's own keys, where it has some.
        if pin.is_empty() { Err(Pkcs11Error::NoPin("it is empty".to_owned())) } else { Ok(pin) }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(name) | Self::Serial(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(table: &Value) -> String {
        let read = Pkcs11Name::parse("audit.key", table.as_object().unwrap(), Path::new("/etc/portcullis"));
        read.err().unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_key_on_a_token_is_named_whole_and_its_pin_is_not() {
        let pin = json!({ "file": "pin" });
        let good = json!({ "pkcs11": "/usr/lib/m.so", "token": "t", "key": "k", "pin": pin });
        assert_eq!(problems(&good), "");
        let read = Pkcs11Name::parse("audit.key", good.as_object().unwrap(), Path::new("/etc/portcullis")).unwrap();
        assert_eq!(read.pin, Pin::File("/etc/portcullis/pin".into()));
        assert_eq!(problems(&json!({ "pkcs11": "/m.so", "serial": "17", "key": "k", "pin": { "env": "PIN" } })), "");
        let wrong = [
            (json!({ "pkcs11": "m.so", "token": "t", "key": "k", "pin": pin }), "audit.key.pkcs11"),
            (json!({ "pkcs11": "/m.so", "key": "k", "pin": pin }), "audit.key.token"),
            (json!({ "pkcs11": "/m.so", "token": "t", "serial": "1", "key": "k", "pin": pin }), "audit.key.token"),
            (json!({ "pkcs11": "/m.so", "token": "t", "pin": pin }), "audit.key.key"),
            (json!({ "pkcs11": "/m.so", "token": "t", "key": "k" }), "audit.key.pin"),
            (json!({ "pkcs11": "/m.so", "token": "t", "key": "k", "pin": "hunter2" }), "audit.key.pin"),
            (json!({ "pkcs11": "/m.so", "token": "t", "key": "k", "pin": { "value": "hunter2" } }), "audit.key.pin"),
            (
                json!({ "pkcs11": "/m.so", "token": "t", "key": "k", "pin": { "file": "a", "env": "B" } }),
                "audit.key.pin",
            ),
            (json!({ "pkcs11": "/m.so", "token": "t", "key": "k", "pin": pin, "slot": 1 }), "audit.key.slot"),
        ];
        for (table, key) in wrong {
            let told = problems(&table);
            assert!(told.contains(key) && !told.contains("hunter2"), "{table}: {told}");
        }
        assert_eq!(problems(&json!({})).lines().count(), 4, "all at once");
    }

    #[test]
    fn a_pin_is_in_a_file_for_its_owner_alone_and_not_empty() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pin");
        let read = |text: &str, mode| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            Pin::File(path.clone()).read().map(|pin| pin.to_string())
        };
        assert_eq!(read("12 34\n", 0o600), Ok("12 34".to_owned()));
        assert!(read("1234", 0o640).unwrap_err().to_string().contains("chmod 600"));
        assert!(read("\n", 0o600).unwrap_err().to_string().contains("empty"));
        assert!(Pin::Env("NOT_SET_ANYWHERE".to_owned()).read().unwrap_err().to_string().contains("NOT_SET_ANYWHERE"));
    }
}
