//! Values that name something: places, addresses, people, things.

use super::{Arguments, Sign};
use crate::facts::lexicon::thing as t;
use crate::facts::path::{MAX_PATH, Place};
use crate::facts::sql::Sql;
use crate::facts::url::{Address, MAX_URL};
use crate::facts::words::{among, words};
use crate::facts::{Effect, Verb, is_hidden, listed, shown};

impl Arguments<'_> {
    pub(super) fn path(&mut self, text: &str, sent: bool) {
        if text.starts_with("http://") || text.starts_with("https://") {
            return self.url(text, true);
        }
        self.hidden(text);
        self.injection(text, true);
        self.target();
        self.bounded(text, MAX_PATH);
        let place = Place::of(text);
        let output = self.pointer.rsplit('/').next().is_some_and(|name| {
            words(name).iter().any(|word| {
                matches!(word.as_str(), "output" | "dest" | "destination" | "save" | "out" | "to" | "download")
            })
        });
        let exports = self.tool.words.iter().any(|word| {
            matches!(word.as_str(), "download" | "export" | "save" | "screenshot" | "dump" | "backup" | "capture")
        });
        self.sign(Sign::Saves, self.tool.verb == Verb::Read && (output || exports) && text.contains(['/', '\\']));
        let root = self.pointer.rsplit('/').next().is_some_and(|name| {
            words(name)
                .iter()
                .any(|word| matches!(word.as_str(), "repo" | "cwd" | "root" | "workdir" | "workspace" | "base"))
        });
        if root && place.absolute && self.base.is_none() {
            self.base = Some(place.path.clone());
        }
        self.places.push((place, self.pointer.clone(), sent));
    }

    /// An attachment is named by its path, or is its content.
    pub(super) fn attachment(&mut self, text: &str) {
        if text.len() < 512 && (is_pathlike(text) || text.contains('.')) {
            self.path(text, true);
        }
    }

    pub(super) fn url(&mut self, text: &str, whole: bool) {
        if whole {
            self.target();
            self.hidden(text);
            self.bounded(text, MAX_URL);
            if text.starts_with('-') {
                self.injection(text, true);
            }
        }
        let trimmed = text.trim();
        if trimmed.to_ascii_lowercase().starts_with("file:") {
            return self.path_of_url(trimmed);
        }
        let lower: String = trimmed.chars().take(12).collect::<String>().to_ascii_lowercase();
        if lower.starts_with("javascript:") || lower.starts_with("vbscript:") || lower.starts_with("data:text/h") {
            return self.find(Effect::RunsCode, "runs a script that stands in an address".to_owned());
        }
        let parsed = Address::parse(trimmed).or_else(|| {
            if whole && !trimmed.contains(' ') && trimmed.contains(['.', ':', '[']) {
                Address::of_host(trimmed.split('/').next().unwrap_or_default())
            } else {
                None
            }
        });
        let Some(address) = parsed else {
            if whole && trimmed.starts_with(['/', '~', '.']) {
                self.path(trimmed, false);
            }
            return;
        };
        self.addresses.push((address, self.pointer.clone()));
    }

    pub(super) fn path_of_url(&mut self, text: &str) {
        let rest = text.get(5..).unwrap_or_default();
        let path = rest.strip_prefix("//").map_or(rest, |rest| rest.strip_prefix("localhost").unwrap_or(rest));
        self.places.push((Place::of(path), self.pointer.clone(), false));
        if self.tool.about & (t::WEB | t::BROWSER) != 0 {
            self.find(Effect::PrivateAddress, "opens a local file through a tool of the web".to_owned());
        }
    }

    pub(super) fn host(&mut self, text: &str) {
        self.hidden(text);
        self.injection(text, true);
        self.target();
        if self.bounded(text, MAX_HOST) {
            return;
        }
        let parsed = if text.contains("://") {
            Address::parse(text)
        } else {
            Address::of_host(text.split('/').next().unwrap_or_default())
        };
        if let Some(address) = parsed {
            self.addresses.push((address, self.pointer.clone()));
        }
    }

    pub(super) fn recipient(&mut self, text: &str) {
        self.hidden(text);
        self.target();
        for one in text.split([',', ';']).map(str::trim).filter(|one| !one.is_empty()) {
            self.recipients.push((listed(one), self.pointer.clone()));
        }
    }

    pub(super) fn plain(&mut self, text: &str) {
        if text.len() < 2_048 {
            self.hidden(text);
            self.injection(text, false);
            if text.contains("://") && !text.contains(' ') {
                self.url(text, false);
            }
        }
    }

    /// Shell syntax or an option where a plain value belongs: a tool that builds a command line from it runs more.
    pub(super) fn injection(&mut self, text: &str, option: bool) {
        let text = text.get(..text.floor_char_boundary(MAX_PATH)).unwrap_or_default();
        let shell = text.contains("$(") || text.contains('`') && text.matches('`').count() >= 2;
        let chained = [";", "&&", "||", "|", "\n"].iter().any(|sign| {
            text.split(sign).skip(1).any(|after| {
                let next = after
                    .trim_start_matches([' ', '&', '|'])
                    .split([' ', ';', '|', '\t', '<', '>'])
                    .next()
                    .unwrap_or_default();
                among(INJECTED, next.rsplit('/').next().unwrap_or_default())
            })
        });
        let quoted = text.contains('\'') && {
            let lower = text.to_ascii_lowercase();
            ["' or ", "' and ", "'; drop", "';drop", "' union ", "'--", "' --", "'; delete"]
                .iter()
                .any(|part| lower.contains(part))
        };
        let stacked = text.split(';').skip(1).any(Sql::looks_like);
        // Git runs what follows `ext::`.
        let transport = text.starts_with("ext::") || text.starts_with("fd::");
        let optional = text.starts_with('-')
            && text.len() > 2
            && text.as_bytes().get(1).is_some_and(|byte| *byte == b'-' || byte.is_ascii_alphabetic())
            && (option || text.contains('=') || self.tool.about & t::REPO != 0)
            && text.bytes().any(|byte| byte.is_ascii_alphabetic());
        if shell || chained || quoted || stacked || optional || transport {
            self.find(Effect::CommandInjection, format!("a plain value holds command syntax: `{}`", shown(text)));
        }
    }

    pub(super) fn hidden(&mut self, text: &str) {
        if text
            .chars()
            .take(4_096)
            .any(|letter| is_hidden(letter) || (letter.is_control() && !matches!(letter, '\n' | '\t' | '\r' | '\0')))
        {
            self.find(Effect::HiddenCharacters, "a value holds characters that people do not see".to_owned());
        }
    }

    /// Whether a value is longer than is read of it; what is not read is not harmless.
    pub(super) fn bounded(&mut self, text: &str, most: usize) -> bool {
        let over = text.len() > most;
        if over {
            self.find(Effect::Unknown, "a value is longer than is read of it".to_owned());
        }
        over
    }
}

/// Whether a value is written as a place is.
pub(super) fn is_pathlike(text: &str) -> bool {
    let mut bytes = text.bytes();
    let drive = matches!((bytes.next(), bytes.next(), bytes.next()), (Some(letter), Some(b':'), Some(b'\\' | b'/')) if letter.is_ascii_alphabetic());
    let start = text.starts_with(['/', '~', '\\'])
        || text.starts_with("./")
        || text.starts_with("../")
        || text.starts_with("..\\")
        || text == ".."
        || text.starts_with("file:");
    let encoded = text.to_ascii_lowercase().contains("%2e%2e");
    (start || drive || encoded || text.contains("/../") || text.contains("\\..\\")) && text.len() < 4_096
}

/// Programs that injected commands start with.
const INJECTED: &str = "rm curl wget sh bash zsh cat nc ncat python python3 perl ruby node sudo id whoami touch echo ls powershell \
    cmd ping nslookup env printenv dd chmod chown kill mkfs eval exec base64 scp ssh tee del calc calc.exe open \
    xdg-open sleep reboot shutdown uname php socat telnet cp mv git npm npx pip";

const MAX_HOST: usize = 2 * 1024;
