//! Paths and addresses among a command's words.

use super::parse::{Command, Word};
use super::{Effect, Shell, shown};
use crate::facts::Zone;
use crate::facts::path::{Holding, Place, Power};
use crate::facts::url::Address;

impl Shell {
    /// Paths and addresses among a command's words: the weightiest thing that lies there.
    pub(super) fn words(&mut self, command: &Command, arguments: &[&str]) -> Holding {
        let read =
            command.redirects.iter().filter(|redirect| !redirect.writes).map(|redirect| redirect.to.text.as_str());
        let mut worst = Holding::Plain;
        for word in arguments.iter().copied().chain(read) {
            for part in
                [Some(word), word.split_once('=').map(|(_, value)| value), word.split_once('@').map(|(_, file)| file)]
                    .into_iter()
                    .flatten()
            {
                worst = worst.max(self.named(part));
            }
        }
        if worst == Holding::Credential {
            self.find(Effect::CredentialFile, "names a file of credentials");
        }
        self.private |= worst >= Holding::Private;
        worst
    }

    pub(super) fn named(&mut self, part: &str) -> Holding {
        if part.contains("://") || part.starts_with("//") {
            let address = Address::parse(part);
            if address.as_ref().is_some_and(|address| address.zone == Zone::Metadata) {
                self.find(Effect::CloudMetadata, "reaches a cloud's metadata service");
            }
            if !part.starts_with("file:") {
                return Holding::Plain;
            }
        } else if part.bytes().any(|byte| byte.is_ascii_digit() || byte == b'.')
            && part.len() < 64
            && !part.contains('/')
        {
            let host = part.trim_start_matches(|letter: char| !letter.is_ascii_alphanumeric());
            if is_address(host) && Address::of_host(host).is_some_and(|address| address.zone == Zone::Metadata) {
                self.find(Effect::CloudMetadata, "reaches a cloud's metadata service");
            }
        }
        if part.contains("/dev/tcp/") || part.contains("/dev/udp/") {
            self.find(Effect::RunsCode, "opens a connection by `/dev/tcp`");
        }
        if !part.contains(['/', '.', '\\']) && !part.starts_with("id_") {
            return Holding::Plain;
        }
        let place = Place::of(part);
        let holding = Holding::of(&place.path);
        if part.matches("..").count() >= 2 && holding >= Holding::Private {
            self.find(Effect::PathTraversal, "climbs to where secrets are kept");
        }
        holding
    }

    pub(super) fn redirected(&mut self, to: &Word, writes: bool, appends: bool) {
        if to.text.contains("/dev/tcp/") || to.text.contains("/dev/udp/") {
            self.find(Effect::RunsCode, "opens a connection by `/dev/tcp`");
        }
        if !writes || matches!(to.text.as_str(), "/dev/null" | "/dev/stderr" | "/dev/stdout" | "") {
            return;
        }
        let how = if appends { "appends to" } else { "writes" };
        self.find(Effect::WritesOutsideScope, &format!("{how} `{}`", shown(&to.text)));
        self.written.push(if to.dynamic { "?".to_owned() } else { to.text.clone() });
        if to.text.starts_with("/dev/") {
            self.find(Effect::Overwrites, "writes to a device");
        }
        self.power(&to.text);
    }

    pub(super) fn power(&mut self, path: &str) {
        let (effect, what) = match Power::of(&Place::of(path).path) {
            Power::None => return,
            Power::Identity => (Effect::ChangesIdentity, "who may log in"),
            Power::Policy => (Effect::ChangesPolicy, "what an agent or its gateway may do"),
            Power::Code => (Effect::RunsCode, "what runs by itself"),
        };
        self.find(effect, &format!("writes `{}`, which decides {what}", shown(path)));
    }
}

/// Whether a word may be an address written in numbers, or a name that ends in one of the network's.
fn is_address(word: &str) -> bool {
    let numeric =
        word.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':' | b'x' | b'X' | b'[' | b']'));
    (numeric && word.len() >= 7) || word.contains("metadata.") || word.contains("internal")
}
