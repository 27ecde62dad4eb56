//! `Keys`: what the tables of channels and exporters have in common: URLs, files with credentials, times.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use url::{Host, Url};

use super::section::{Section, Sheet};

/// The keys of one channel or exporter.
pub(super) struct Keys<'a> {
    pub(super) sheet: &'a Sheet<'a>,
    pub(super) section: &'a Section<'a>,
    /// Where its table stands: what is missing has no line of its own.
    pub(super) at: usize,
}

impl<'a> Keys<'a> {
    /// The keys of a table below `all`, whose name is checked.
    pub(super) fn new(sheet: &'a Sheet<'a>, all: &Section<'_>, name: &str, section: &'a Section<'a>) -> Self {
        let at = all.at(name);
        if !is_name(name) {
            sheet.problem(at, all.key(name), "a name with other characters", NAME);
        }
        Self { sheet, section, at }
    }

    /// Its value may hold a token: it is never repeated.
    pub(super) fn url(&self, key: &str, default: Option<&str>) -> Option<Url> {
        let text = match default {
            Some(default) if self.section.at(key) == 0 => default.to_owned(),
            Some(_) | None => self.text(key)?,
        };
        let url = usable(&text);
        if url.is_none() {
            self.problem(key, "another text", URL);
        }
        url
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        if self.section.at(key) == 0 {
            self.problem(key, "nothing", "a text");
            return None;
        }
        let (text, _) = self.section.string(key)?;
        if text.is_empty() {
            self.problem(key, "an empty text", "one that is not");
            return None;
        }
        Some(text)
    }

    /// `{ file = "…" }`; what is written in place of it is never repeated.
    #[expect(clippy::option_option, reason = "nothing was said, and what was said is wrong, are two things")]
    pub(super) fn credential(&self, key: &str, needed: bool) -> Option<Option<PathBuf>> {
        let wanted = "`{ file = \"…\" }`, a file for its owner alone";
        let Some((value, _)) = self.section.json(key) else {
            if needed {
                self.problem(key, "nothing", wanted);
            }
            return (!needed).then_some(None);
        };
        let file = value.as_object().filter(|table| table.len() == 1);
        let file = file.and_then(|table| table.get("file")).and_then(Value::as_str);
        if file.is_none() {
            self.problem(key, "something else", wanted);
        }
        file.map(|file| Some(self.sheet.path(file)))
    }

    pub(super) fn within(&self, default: Duration) -> Duration {
        let within = self.section.duration("timeout").and_then(|within| Duration::try_from(within).ok());
        if within.is_some_and(|within| !(Duration::from_secs(1)..=Duration::from_mins(1)).contains(&within)) {
            self.problem("timeout", "another time", "a time from \"1s\" to \"1m\"");
        }
        within.unwrap_or(default)
    }

    pub(super) fn problem(&self, key: &str, found: impl Into<String>, wanted: &str) {
        let at = Some(self.section.at(key)).filter(|at| *at > 0).unwrap_or(self.at);
        self.sheet.problem(at, self.section.key(key), found, wanted);
    }
}

/// Names stand in ids, headers and file names.
fn is_name(name: &str) -> bool {
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    letters && (1..=32).contains(&name.len())
}

const NAME: &str = "at most 32 letters, digits, `-` and `_`";

/// A URL that messages and records may be sent to: encrypted, or to this machine.
pub(crate) fn usable(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = url.scheme() == "http" && bare(&url).is_some_and(|host| is_local(&host));
    let whole = url.has_host() && url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    (whole && (url.scheme() == "https" || plain)).then_some(url)
}

const URL: &str = "an https URL without user, password and fragment; http to this machine only";

/// The host as it is dialled: an IPv6 address without its brackets.
pub(crate) fn bare(url: &Url) -> Option<String> {
    match url.host()? {
        Host::Domain(name) => Some(name.to_owned()),
        Host::Ipv4(address) => Some(address.to_string()),
        Host::Ipv6(address) => Some(address.to_string()),
    }
}

/// Whether it is this machine.
pub(super) fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
