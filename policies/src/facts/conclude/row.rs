//! The row of the risk table that a call's verb stands in.

use super::Conclusion;
use crate::facts::arguments::Sign;
use crate::facts::{Effect, Finding, Verb, Zone, shown};
use crate::profile::Content;

impl Conclusion<'_> {
    /// The row of the verb itself.
    pub(super) fn base(&mut self) {
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
        // That it reads as well is no news beside what else it does.
        let beside = |found: &Finding| found.effect > Effect::AsksAddress;
        let more = self.found.findings.iter().chain(&self.facts.findings).any(beside);
        let shown_by_shell = effect == Effect::Reads && (shell || more);
        if !(told || shown_by_shell) {
            let at = if effect == Effect::WritesOutsideScope {
                self.facts.paths.iter().find(|path| !path.in_scope).map(|path| path.at.clone())
            } else {
                None
            };
            self.facts.findings.insert(0, Finding { effect, text, at });
        }
    }

    pub(super) fn written(&self, name: &str) -> (Effect, String) {
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

    pub(super) fn sent(&self, name: &str) -> (Effect, String) {
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
    pub(super) fn content(&self) -> Content {
        let declared = self.profile.reads();
        let mut content = declared.unwrap_or(self.tool.reads).and(self.facts.reads);
        if self.facts.destinations.iter().any(|host| host.zone == Zone::Public)
            && declared.is_none()
            && self.found.shell.is_none()
        {
            content = content.and(Content::Untrusted);
        }
        if self.found.shows(Sign::Private) {
            content = content.and(Content::Sensitive);
        }
        content
    }

    /// An update that its own server calls destructive overwrites; a tool that reaches an open world shows others what it keeps.
    pub(super) fn annotated(&mut self) {
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
}
