//! What the tool and its arguments show together.

use super::arguments::Arguments;
use super::lexicon::thing as t;
use super::path::{Holding, Power};
use super::tool::ToolFacts;
use super::url::Address;
use super::{Destination, Effect, Facts, Finding, NamedPath, Recipient, Verb, Zone, effect_of, shown};
use crate::canon::Value;
use crate::profile::{Content, Profile};

/// What a call does.
pub(super) fn facts(tool: &ToolFacts, profile: &Profile, arguments: &Value) -> Facts {
    let mut conclusion =
        Conclusion { tool, profile, found: Arguments::of(tool, arguments), facts: Facts::default(), verb: tool.verb };
    conclusion.verb();
    conclusion.destinations();
    conclusion.recipients();
    conclusion.paths();
    conclusion.flags();
    conclusion.money();
    conclusion.egress();
    conclusion.secrets();
    conclusion.base();
    conclusion.finish()
}

struct Conclusion<'a> {
    tool: &'a ToolFacts,
    profile: &'a Profile,
    found: Arguments<'a>,
    facts: Facts,
    /// The weightiest verb so far.
    verb: Verb,
}

impl Conclusion<'_> {
    /// A deferring tool does what its arguments say; any other does at least that.
    fn verb(&mut self) {
        let settled = self.found.settled;
        self.verb = match settled {
            Some(settled) if self.tool.deferring => settled,
            Some(settled) => self.tool.verb.max(settled),
            None => self.tool.verb,
        };
        // A request without a method is a GET; with a body it is more.
        let request = self.found.requests() && !self.found.addresses.is_empty();
        if request && settled.is_none() && self.tool.deferring && matches!(self.verb, Verb::Unknown) {
            self.verb = if self.found.has_body { Verb::Send } else { Verb::Read };
        }
        if self.found.saves && self.verb == Verb::Read {
            self.verb = Verb::Write;
        }
        if self.tool.words.iter().any(|word| word == "many" || word == "all")
            && self.found.empty_filter
            && self.verb == Verb::Write
        {
            self.add(Effect::Overwrites, "the filter is empty: it changes everything".to_owned(), None);
        }
    }

    fn destinations(&mut self) {
        let browser = self.tool.about & t::BROWSER != 0;
        for (address, at) in std::mem::take(&mut self.found.addresses) {
            let declared =
                self.profile.hosts().is_some_and(|hosts| hosts.iter().any(|host| host.matches(&address.host)));
            let network = address.is_web() || NETWORK_SCHEMES.contains(&address.scheme.as_str());
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
            } else if matches!(
                address.scheme.as_str(),
                "gopher"
                    | "dict"
                    | "ftp"
                    | "tftp"
                    | "ldap"
                    | "ldaps"
                    | "smb"
                    | "jar"
                    | "netdoc"
                    | "chrome"
                    | "view-source"
                    | "php"
                    | "expect"
                    | "phar"
                    | "sftp"
                    | "telnet"
            ) {
                self.add(
                    Effect::NewDestination,
                    format!("`{}:` is not a scheme that tools of the web need", shown(&address.scheme)),
                    Some(&at),
                );
            }
            self.carried(&address, declared, &at);
            if network && !address.host.is_empty() {
                self.facts.destinations.push(Destination {
                    host: shown(&address.host),
                    zone: address.zone,
                    declared,
                    at,
                });
            }
        }
    }

    fn carried(&mut self, address: &Address, declared: bool, at: &str) {
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

    fn recipients(&mut self) {
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

    fn paths(&mut self) {
        let writes = self.writes();
        let remote = self.found.remote || self.tool.about & (t::CLOUD | t::TRACKER | t::CHAT) != 0;
        for (place, at, sent) in std::mem::take(&mut self.found.places) {
            let joined = match &self.found.base {
                Some(base) if !place.absolute => format!("{}/{}", base.trim_end_matches('/'), place.path),
                _ => place.path.clone(),
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
                self.facts.paths.push(NamedPath { path: shown(&joined), in_scope, at });
            }
        }
        for (path, at) in std::mem::take(&mut self.found.written) {
            let place = super::path::Place::of(&path);
            let in_scope = self.profile.scope().is_some_and(|folders| {
                folders.iter().any(|folder| folder.contains(&place.path) && place.climbs.is_none())
            });
            self.facts.paths.push(NamedPath { path: shown(&place.path), in_scope, at });
        }
        self.scope_of_shell();
    }

    /// A command that writes only inside the declared folders does no more than a tool that writes there.
    fn scope_of_shell(&mut self) {
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

    fn holding(&mut self, holding: Holding, path: &str, sent: bool, at: &str) {
        match holding {
            Holding::Plain => {}
            Holding::Received => self.facts.reads = self.facts.reads.and(Content::Untrusted),
            Holding::Private | Holding::Credential => {
                self.found.private = true;
                if sent && holding == Holding::Credential || (sent && path.contains(".env")) {
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

    fn power(&mut self, path: &str, at: &str) {
        let (effect, what) = match Power::of(path) {
            Power::None => return,
            Power::Identity => (Effect::ChangesIdentity, "who may log in"),
            Power::Policy => (Effect::ChangesPolicy, "what an agent or its gateway may do"),
            Power::Code => (Effect::RunsCode, "what runs by itself later"),
        };
        self.add(effect, format!("`{}` decides {what}", shown(path)), Some(at));
    }

    fn writes(&self) -> bool {
        !matches!(self.verb, Verb::Read | Verb::Interact | Verb::Execute)
    }

    /// `force: true` means something only where something is changed.
    fn flags(&mut self) {
        for (effect, what, at) in std::mem::take(&mut self.found.flags) {
            let counts = match effect {
                Effect::ChangesPolicy => true,
                Effect::Sends => matches!(self.verb, Verb::Keep | Verb::Write | Verb::Interact),
                _ => self.verb > Verb::Keep || (self.verb == Verb::Keep && effect != Effect::Grants),
            };
            if counts {
                self.add(effect, format!("the argument {what}"), Some(&at));
            }
        }
    }

    fn money(&mut self) {
        let money = std::mem::take(&mut self.found.money);
        let unsaid = matches!(self.verb, Verb::Unknown | Verb::Send | Verb::Write | Verb::Operate | Verb::Execute);
        let books = self.found.pays
            && self.tool.words.iter().any(|word| {
                matches!(
                    word.as_str(),
                    "book" | "order" | "reserve" | "reservation" | "purchase" | "flight" | "exchange"
                )
            });
        // A message has no amount; what is sent with one is worth something.
        let worth = self.verb == Verb::Send && money.amount.is_some() && self.tool.things & t::BILL == 0;
        if unsaid && (worth || (books && self.verb > Verb::Read)) {
            self.add(Effect::MovesMoney, "it commits to pay".to_owned(), None);
            self.verb = Verb::Pay;
        }
        if unsaid
            && money.amount.is_some()
            && (money.payee.is_some() || (money.currency.is_some() && !self.facts.recipients.is_empty()))
            && self.tool.things & t::BILL == 0
        {
            self.add(Effect::MovesMoney, "an amount and somebody to get it".to_owned(), None);
            self.verb = Verb::Pay;
        }
        if self.verb == Verb::Pay {
            self.facts.money = Some(money);
        }
    }

    /// Whether values of the arguments reach somebody or something outside.
    fn egress(&mut self) {
        let outside = t::WEB | t::TRACKER | t::DOC | t::CHAT | t::MAIL | t::CLOUD;
        let sends = matches!(self.verb, Verb::Send | Verb::Invite | Verb::Grant | Verb::Pay);
        let remote_write = self.verb > Verb::Keep && (self.tool.about & outside != 0 || self.tool.remote_repository());
        let asks_outside =
            self.verb == Verb::Read && self.tool.about & t::WEB != 0 && self.tool.about & (t::FILE | t::OWN) == 0;
        let browser = self.verb == Verb::Interact && self.tool.about & t::BROWSER != 0;
        let reaches = !self.facts.destinations.is_empty();
        self.facts.egress = self.found.egress || sends || remote_write || asks_outside || browser || reaches;
        self.facts.open_world |= self.tool.open_world || sends || reaches;
        let declared_open = self.tool.annotations.open_world == Some(true)
            && self.verb == Verb::Keep
            && self.tool.things & t::DRAFT == 0;
        self.facts.egress |= declared_open;
    }

    fn secrets(&mut self) {
        let Some((kind, at, used)) = self.found.secret.take() else { return };
        self.facts.secret_in_arguments = true;
        if self.facts.egress && !used {
            self.add(
                Effect::SecretExfiltration,
                format!("an argument that leaves holds a credential ({kind})"),
                Some(&at),
            );
        } else if self.verb != Verb::Read || self.facts.egress {
            self.add(Effect::SecretInArguments, format!("an argument holds a credential ({kind})"), Some(&at));
        }
    }

    /// The row of the verb itself.
    fn base(&mut self) {
        let name = shown(&self.tool.name);
        let by = if self.tool.by_description { "its description says that it" } else { "the tool" };
        let looks = if self.verb == Verb::Read { self.content() } else { Content::Plain };
        let (effect, text) = match self.verb {
            Verb::Read if looks.sensitive() => (Effect::ReadsSensitive, format!("`{name}` reads what is private")),
            Verb::Read if looks.untrusted() => (Effect::ReadsUntrusted, format!("`{name}` reads what others wrote")),
            Verb::Read => (Effect::Reads, format!("`{name}` only reads")),
            Verb::Interact => (Effect::Interacts, format!("`{name}` acts on a page")),
            Verb::Keep => (Effect::Keeps, format!("`{name}` changes what is the agent's or its user's own")),
            Verb::Write => self.written(&name),
            Verb::Operate => (Effect::Operates, format!("`{name}`: {by} starts, stops or switches something")),
            Verb::Unknown => (Effect::Unknown, format!("nothing tells what `{name}` does")),
            Verb::Send => self.sent(&name),
            Verb::Invite => (Effect::Invites, format!("`{name}`: {by} asks somebody in")),
            Verb::Grant => (Effect::Grants, format!("`{name}`: {by} gives a permission or shares")),
            Verb::Overwrite => (Effect::Overwrites, format!("`{name}`: {by} replaces what is there")),
            Verb::Delete => (Effect::Deletes, format!("`{name}`: {by} removes or ends something")),
            Verb::Pay => (Effect::MovesMoney, format!("`{name}`: {by} moves money or commits to pay")),
            Verb::Identity => (Effect::ChangesIdentity, format!("`{name}`: {by} changes an identity or a credential")),
            Verb::Govern => (Effect::ChangesPolicy, format!("`{name}`: {by} changes a policy or a safeguard")),
            Verb::Execute => (Effect::RunsCode, format!("`{name}`: {by} runs code")),
        };
        let told = self.found.findings.iter().chain(&self.facts.findings).any(|found| found.effect == effect);
        let shell =
            self.verb == Verb::Read && self.found.findings.iter().any(|found| found.effect == Effect::RunsLooks);
        if !told && !(shell && effect == Effect::Reads) {
            let at = if effect == Effect::WritesOutsideScope {
                self.facts.paths.iter().find(|path| !path.in_scope).map(|path| path.at.clone())
            } else {
                None
            };
            self.facts.findings.insert(0, Finding { effect, text, at });
        }
    }

    fn written(&self, name: &str) -> (Effect, String) {
        let paths = &self.facts.paths;
        if let Some(outside) = paths.iter().find(|path| !path.in_scope) {
            let why = if self.profile.scope().is_some() {
                "lies outside the declared folders"
            } else {
                "is written, and no folder is declared"
            };
            (Effect::WritesOutsideScope, format!("`{}` {why}", outside.path))
        } else if paths.is_empty() {
            (Effect::WritesOutsideScope, format!("`{name}` writes, and nothing declares where it may"))
        } else {
            (Effect::WritesInScope, format!("`{name}` writes inside the declared folders"))
        }
    }

    fn sent(&self, name: &str) -> (Effect, String) {
        let (people, hosts) = (&self.facts.recipients, &self.facts.destinations);
        let declared = !(people.is_empty() && hosts.is_empty())
            && people.iter().all(|one| one.declared)
            && hosts.iter().all(|host| host.declared);
        if declared {
            return (Effect::SendsToDeclared, format!("`{name}` sends to those only whom the operator declared"));
        }
        match people.iter().find(|one| !one.declared) {
            Some(one) => (Effect::Sends, format!("`{name}` sends to `{}`", one.who)),
            None => (Effect::Sends, format!("`{name}` sends or publishes to others")),
        }
    }

    /// What the answer holds.
    fn content(&self) -> Content {
        let declared = self.profile.reads();
        let mut content = declared.unwrap_or(self.tool.reads).and(self.facts.reads);
        if self.facts.destinations.iter().any(|host| host.zone == Zone::Public)
            && declared.is_none()
            && self.found.shell.is_none()
        {
            content = content.and(Content::Untrusted);
        }
        if self.found.private {
            content = content.and(Content::Sensitive);
        }
        content
    }

    fn finish(mut self) -> Facts {
        let content = self.content();
        let answers = matches!(self.verb, Verb::Read | Verb::Interact | Verb::Unknown | Verb::Execute)
            || self.found.private
            || self.profile.reads().is_some();
        let declared_world = self.tool.annotations.open_world == Some(true);
        self.facts.reads = if answers { content } else { Content::new(content.untrusted() && declared_world, false) };
        // A network command's answer is the network's.
        if self.found.egress {
            self.facts.reads = self.facts.reads.and(Content::Untrusted);
        }
        if self.found.private && self.verb != Verb::Read || self.found.shell.is_some() && self.found.private {
            self.add(Effect::ReadsSensitive, "it reads what is private".to_owned(), None);
        }
        self.facts.findings.append(&mut self.found.findings);
        let refuted = self.tool.findings.iter().filter(|finding| {
            // A file tool that its server calls destructive writes files: its scope tells how much that is.
            finding.effect != Effect::Overwrites || !matches!(self.verb, Verb::Write) || self.facts.paths.is_empty()
        });
        self.facts.findings.extend(refuted.cloned());
        self.annotated();
        self.facts.verb =
            self.facts.findings.iter().map(|found| verb_of(found.effect)).max().unwrap_or(self.verb).max(self.verb);
        self.facts.sql = self.found.sql;
        self.facts.shell = self.found.shell;
        self.facts.targets = std::mem::take(&mut self.found.targets);
        self.facts.findings.dedup();
        self.facts
    }

    /// An update that its own server calls destructive overwrites; a tool that reaches an open world shows others what it keeps.
    fn annotated(&mut self) {
        let hints = self.tool.annotations;
        let destroys = hints.destructive == Some(true) && hints.read_only != Some(true);
        let local = !self.facts.paths.is_empty();
        if destroys
            && !local
            && matches!(self.verb, Verb::Write | Verb::Operate | Verb::Unknown)
            && !self.tool.deferring
        {
            self.add(Effect::Overwrites, "its server says that it destroys (`destructiveHint`)".to_owned(), None);
        }
    }

    fn add(&mut self, effect: Effect, text: String, at: Option<&str>) {
        if !self.facts.findings.iter().any(|found| found.effect == effect) {
            self.facts.findings.push(Finding { effect, text, at: at.map(str::to_owned) });
        }
    }
}

/// The verb that a finding stands for.
fn verb_of(effect: Effect) -> Verb {
    let verbs = [
        Verb::Interact,
        Verb::Keep,
        Verb::Write,
        Verb::Operate,
        Verb::Unknown,
        Verb::Send,
        Verb::Invite,
        Verb::Grant,
        Verb::Overwrite,
        Verb::Delete,
        Verb::Pay,
        Verb::Identity,
        Verb::Govern,
        Verb::Execute,
    ];
    verbs.into_iter().find(|verb| effect_of(*verb) == effect).unwrap_or(Verb::Read)
}

const NETWORK_SCHEMES: &[&str] = &[
    "ftp",
    "sftp",
    "ssh",
    "gopher",
    "ldap",
    "redis",
    "rediss",
    "postgres",
    "postgresql",
    "mysql",
    "mongodb",
    "amqp",
    "smb",
    "telnet",
    "dict",
    "tftp",
    "git",
];
