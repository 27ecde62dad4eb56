//! Where a call reaches: hosts, people, paths, against what the operator declared.

use super::Conclusion;
use crate::facts::arguments::Sign;
use crate::facts::lexicon::thing as t;
use crate::facts::path::{Holding, Place, Power};
use crate::facts::url::Address;
use crate::facts::words::among;
use crate::facts::{Destination, Effect, NamedPath, Recipient, Verb, Zone, listed, shown};
use crate::profile::Content;

impl Conclusion<'_> {
    pub(super) fn destinations(&mut self) {
        let browser = self.tool.about & t::BROWSER != 0;
        for (address, at) in std::mem::take(&mut self.found.addresses) {
            let declared =
                self.profile.hosts().is_some_and(|hosts| hosts.iter().any(|host| host.matches(&address.host)));
            let network = address.is_web() || among(NETWORK_SCHEMES, &address.scheme);
            if address.zone == Zone::Metadata {
                self.add(
                    Effect::CloudMetadata,
                    format!("`{}` leads to a cloud's metadata service", shown(&address.host)),
                    Some(&at),
                );
            } else if network
                && !declared
                && (address.zone == Zone::Private || (address.zone == Zone::Loopback && !browser))
            {
                self.add(
                    Effect::PrivateAddress,
                    format!("`{}` lies in the machine or the network around it", shown(&address.host)),
                    Some(&at),
                );
            } else if self.profile.hosts().is_some() && network && !declared {
                self.add(
                    Effect::NewDestination,
                    format!("`{}` is not a declared host", shown(&address.host)),
                    Some(&at),
                );
            } else if among(ODD_SCHEMES, &address.scheme) {
                self.add(
                    Effect::NewDestination,
                    format!("`{}:` is not a scheme that tools of the web need", shown(&address.scheme)),
                    Some(&at),
                );
            }
            self.carried(&address, declared, &at);
            if network && !address.host.is_empty() {
                self.facts.destinations.push(Destination {
                    host: listed(&address.host),
                    zone: address.zone,
                    declared,
                    at,
                });
            }
        }
    }

    pub(super) fn carried(&mut self, address: &Address, declared: bool, at: &str) {
        if address.carries && !declared {
            self.add(Effect::DataInUrl, format!("the address carries data to `{}`", shown(&address.host)), Some(at));
        }
        if address.password && self.found.secret.is_none() {
            self.found.secret = Some(("password", at.to_owned(), true));
        }
        if address.asks && !declared {
            self.add(Effect::AsksAddress, format!("the address asks `{}` something", shown(&address.host)), Some(at));
        }
        self.facts.open_world |= address.is_web();
    }

    pub(super) fn paths(&mut self) {
        let writes = self.writes();
        let remote = self.found.shows(Sign::Remote) || self.tool.about & (t::CLOUD | t::TRACKER | t::CHAT) != 0;
        for (place, at, sent) in std::mem::take(&mut self.found.places) {
            let joined = match &self.found.base {
                Some(base) if !place.absolute => format!("{}/{}", base.trim_end_matches('/'), place.path),
                Some(_) => place.path.clone(),
                // A component knows its folders by other names than the host, and can reach nothing else.
                None => {
                    let led = self.profile.resources().and_then(|opened| opened.leads(&place.path, place.absolute));
                    led.unwrap_or_else(|| place.path.clone())
                }
            };
            let in_scope = place.climbs.is_none()
                && !joined.contains("..")
                && self.profile.scope().is_some_and(|folders| folders.iter().any(|folder| folder.contains(&joined)));
            let left = place.dotted && !in_scope && self.profile.scope().is_some();
            if let Some(why) = place.climbs.or_else(|| left.then_some("climbs out of the declared folders")) {
                self.add(Effect::PathTraversal, format!("`{}` {why}", shown(&place.path)), Some(&at));
            }
            let holding = Holding::of(&place.path);
            let sent = sent || matches!(self.verb, Verb::Send | Verb::Invite | Verb::Grant);
            if writes && !sent {
                self.power(&place.path, &at);
            } else {
                self.holding(holding, &place.path, sent, &at);
            }
            if self.profile.scope().is_some() && !in_scope && !writes && !remote {
                self.add(
                    Effect::ReadsOutsideScope,
                    format!("`{}` lies outside the declared folders", shown(&place.path)),
                    Some(&at),
                );
            }
            if !remote {
                self.facts.paths.push(NamedPath { path: listed(&joined), in_scope, at });
            }
        }
        for (path, at) in std::mem::take(&mut self.found.written) {
            let place = Place::of(&path);
            let in_scope = self.profile.scope().is_some_and(|folders| {
                folders.iter().any(|folder| folder.contains(&place.path) && place.climbs.is_none())
            });
            self.facts.paths.push(NamedPath { path: listed(&place.path), in_scope, at });
        }
        self.scope_of_shell();
    }

    /// A command that writes only inside the declared folders does no more than a tool that writes there.
    pub(super) fn scope_of_shell(&mut self) {
        if self.found.shell.is_some()
            && !self.facts.paths.is_empty()
            && self.facts.paths.iter().all(|path| path.in_scope)
        {
            for finding in &mut self.found.findings {
                if finding.effect == Effect::WritesOutsideScope {
                    finding.effect = Effect::WritesInScope;
                }
            }
        }
    }

    pub(super) fn holding(&mut self, holding: Holding, path: &str, sent: bool, at: &str) {
        match holding {
            Holding::Plain => {}
            Holding::Received => self.facts.reads = self.facts.reads.and(Content::Untrusted),
            Holding::Private | Holding::Credential => {
                self.found.sign(Sign::Private, true);
                if sent && (holding == Holding::Credential || path.contains(".env")) {
                    self.add(
                        Effect::SecretExfiltration,
                        format!("`{}` holds credentials and would be sent", shown(path)),
                        Some(at),
                    );
                } else if holding == Holding::Credential {
                    self.add(
                        Effect::CredentialFile,
                        format!("`{}` is where credentials are kept", shown(path)),
                        Some(at),
                    );
                }
            }
        }
    }

    pub(super) fn power(&mut self, path: &str, at: &str) {
        let (effect, what) = match Power::of(path) {
            Power::None => return,
            Power::Identity => (Effect::ChangesIdentity, "who may log in"),
            Power::Policy => (Effect::ChangesPolicy, "what an agent or its gateway may do"),
            Power::Code => (Effect::RunsCode, "what runs by itself later"),
        };
        self.add(effect, format!("`{}` decides {what}", shown(path)), Some(at));
    }

    pub(super) fn recipients(&mut self) {
        let writes = self.verb >= Verb::Keep;
        for (who, at) in std::mem::take(&mut self.found.recipients) {
            if writes {
                let declared =
                    self.profile.recipients().is_some_and(|known| known.iter().any(|known| known.matches(&who)));
                self.facts.recipients.push(Recipient { who, declared, at });
            }
        }
        // An entry in one's own calendar is one's own until others are asked in.
        let invites = |recipient: &&Recipient| {
            let key = recipient.at.to_ascii_lowercase();
            ["attendee", "participant", "invitee", "guest", "email", "member"].iter().any(|name| key.contains(name))
        };
        let event = self.tool.about & (t::EVENT | t::CALENDAR) != 0 && matches!(self.verb, Verb::Keep | Verb::Write);
        if let Some(Recipient { who, at, .. }) = self.facts.recipients.iter().find(invites).filter(|_| event).cloned() {
            self.add(Effect::Invites, format!("asks `{}` in", shown(&who)), Some(&at));
            self.verb = self.verb.max(Verb::Invite);
        }
    }
}

const NETWORK_SCHEMES: &str =
    "ftp sftp ssh gopher ldap redis rediss postgres postgresql mysql mongodb amqp smb telnet dict tftp git";
/// Schemes that reach more than a page.
const ODD_SCHEMES: &str =
    "gopher dict ftp tftp ldap ldaps smb jar netdoc chrome view-source php expect phar sftp telnet";
