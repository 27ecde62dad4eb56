//! `Profile`: what an operator declared that a tool may touch, and what reading through it yields.

mod path;
mod pattern;
mod placement;
mod resources;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::call::Hash;
use crate::risk::Risk;

pub use path::plain_path;
pub use pattern::{DeclarationError, Folder, HostPattern, RecipientPattern};
pub use placement::{Part, Placement, PlacementError, Way};
pub use resources::{
    Ceilings, Destination, DestinationError, Isolation, Mount, Network, NetworkError, Protocol, Resources,
};

/// What an operator declared of a server or of one tool.
///
/// A list that was not declared says nothing; a list that was declared empty allows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<Vec<Folder>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hosts: Option<Vec<HostPattern>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recipients: Option<Vec<RecipientPattern>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reads: Option<Content>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    risk: Option<Risk>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<String>,
    /// Never written by an operator: the sandbox knows it.
    #[serde(skip)]
    resources: Option<Arc<Resources>>,
}

impl Profile {
    /// The keys of a `[server.NAME]` or `[tool."server.tool"]` table that belong to a profile.
    pub const KEYS: [&str; 6] = ["scope", "hosts", "reads", "recipients", "risk", "secrets"];

    /// Folders that may be written; `None` where none were declared, which puts every write outside.
    #[must_use]
    pub fn scope(&self) -> Option<&[Folder]> {
        self.scope.as_deref()
    }

    /// Hosts that may be reached; `None` where none were declared.
    #[must_use]
    pub fn hosts(&self) -> Option<&[HostPattern]> {
        self.hosts.as_deref()
    }

    /// Who may be written to; `None` where nobody was declared.
    #[must_use]
    pub fn recipients(&self) -> Option<&[RecipientPattern]> {
        self.recipients.as_deref()
    }

    /// What an answer holds, where the operator said so.
    #[must_use]
    pub fn reads(&self) -> Option<Content> {
        self.reads
    }

    /// The least risk that a call has, where the operator said so.
    #[must_use]
    pub fn at_least(&self) -> Option<Risk> {
        self.risk
    }

    /// The names of the secrets that a call may be lent.
    #[must_use]
    pub fn secrets(&self) -> &[String] {
        &self.secrets
    }

    /// What its sandbox opens while it runs; `None` where nothing of ours runs it.
    #[must_use]
    pub fn resources(&self) -> Option<&Arc<Resources>> {
        self.resources.as_ref()
    }

    /// The same, run in this sandbox. Where the operator declared no folders and no hosts, those that the sandbox opens are
    /// the declared ones: it keeps the tool from all others.
    #[must_use]
    pub fn with_resources(self, resources: Arc<Resources>) -> Self {
        let confined = resources.sandbox != Isolation::None;
        let writable = || resources.folders.iter().filter(|mount| mount.writable);
        let scope: Vec<Folder> = writable().filter_map(|mount| Folder::parse(&mount.at).ok()).collect();
        let hosts: Vec<HostPattern> = resources.egress.iter().map(|destination| destination.host.clone()).collect();
        Self {
            scope: self.scope.or_else(|| (confined && !scope.is_empty()).then_some(scope)),
            hosts: self.hosts.or_else(|| (confined && !hosts.is_empty()).then_some(hosts)),
            resources: Some(resources),
            ..self
        }
    }

    /// The same, with these secrets named.
    #[must_use]
    pub fn with_secrets(self, secrets: Vec<String>) -> Self {
        Self { secrets, ..self }
    }

    /// The same, with these folders that may be written.
    #[must_use]
    pub fn with_scope(self, scope: Vec<Folder>) -> Self {
        Self { scope: Some(scope), ..self }
    }

    /// The profile of one tool of a server: the tool's declarations inside those of its server, never beyond.
    #[must_use]
    pub fn merge(server: &Self, tool: &Self) -> Self {
        Self {
            scope: narrower(server.scope.as_deref(), tool.scope.as_deref(), Folder::holds),
            hosts: narrower(server.hosts.as_deref(), tool.hosts.as_deref(), HostPattern::holds),
            recipients: narrower(server.recipients.as_deref(), tool.recipients.as_deref(), RecipientPattern::holds),
            reads: tool.reads.or(server.reads),
            risk: server.risk.max(tool.risk),
            secrets: if tool.secrets.is_empty() { server.secrets.clone() } else { tool.secrets.clone() },
            resources: server.resources.clone(),
        }
    }

    /// The digest of everything declared: what a permit is bound to.
    #[must_use]
    pub fn hash(&self) -> Hash {
        // `Debug` of plain data is total and unambiguous (strings are quoted), which serialisers only promise to be.
        Hash::of(format!("{self:?}").as_bytes())
    }
}

/// What both lists allow: of each pair where one holds the other, the narrower.
fn narrower<T: Clone + PartialEq>(
    server: Option<&[T]>,
    tool: Option<&[T]>,
    holds: fn(&T, &T) -> bool,
) -> Option<Vec<T>> {
    let (server, tool) = match (server, tool) {
        (None, None) => return None,
        (Some(one), None) | (None, Some(one)) => return Some(one.to_vec()),
        (Some(server), Some(tool)) => (server, tool),
    };
    let mut both: Vec<T> =
        tool.iter().filter(|inner| server.iter().any(|outer| holds(outer, inner))).cloned().collect();
    for inner in server {
        if tool.iter().any(|outer| holds(outer, inner)) && !both.contains(inner) {
            both.push(inner.clone());
        }
    }
    Some(both)
}

/// What reading through a tool yields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// Nothing that others wrote, nothing private.
    #[default]
    Plain,
    /// What others wrote: it may hold instructions meant for the agent.
    Untrusted,
    /// What is private: it must not leave unseen.
    Sensitive,
    /// Both, as a mail inbox is.
    UntrustedSensitive,
}

impl Content {
    /// From the two facts.
    #[must_use]
    pub fn new(untrusted: bool, sensitive: bool) -> Self {
        match (untrusted, sensitive) {
            (false, false) => Self::Plain,
            (true, false) => Self::Untrusted,
            (false, true) => Self::Sensitive,
            (true, true) => Self::UntrustedSensitive,
        }
    }

    /// Whether others wrote it.
    #[must_use]
    pub fn untrusted(self) -> bool {
        matches!(self, Self::Untrusted | Self::UntrustedSensitive)
    }

    /// Whether it is private.
    #[must_use]
    pub fn sensitive(self) -> bool {
        matches!(self, Self::Sensitive | Self::UntrustedSensitive)
    }

    /// What holds of either.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::new(self.untrusted() || other.untrusted(), self.sensitive() || other.sensitive())
    }

    /// The name used in config.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Untrusted => "untrusted",
            Self::Sensitive => "sensitive",
            Self::UntrustedSensitive => "untrusted-sensitive",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(json: &str) -> Profile {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn an_undeclared_list_is_not_an_empty_one() {
        assert_eq!(profile("{}").scope(), None);
        assert_eq!(profile(r#"{"scope":[]}"#).scope(), Some(&[][..]));
        assert_ne!(profile("{}").hash(), profile(r#"{"scope":[]}"#).hash());
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(serde_json::from_str::<Profile>(r#"{"scopes":["/a"]}"#).is_err());
    }

    #[test]
    fn a_tool_cannot_widen_what_its_server_may_touch() {
        let server = profile(r#"{"scope":["/home/me"],"hosts":["*.example.com"],"risk":"MEDIUM"}"#);
        let tool =
            profile(r#"{"scope":["/home/me/notes","/etc"],"hosts":["api.example.com","evil.test"],"risk":"LOW"}"#);
        let merged = Profile::merge(&server, &tool);
        assert_eq!(merged.scope().unwrap(), [Folder::parse("/home/me/notes").unwrap()]);
        assert_eq!(merged.hosts().unwrap(), [HostPattern::parse("api.example.com").unwrap()]);
        assert_eq!(merged.at_least(), Some(Risk::Medium));
    }

    #[test]
    fn a_folder_ends_at_its_name() {
        let folder = Folder::parse("/srv/data/").unwrap();
        assert!(folder.contains("/srv/data"));
        assert!(folder.contains("/srv/data/a"));
        assert!(!folder.contains("/srv/database"));
        assert!(Folder::parse("/").unwrap().contains("/etc"));
        assert!(Folder::parse("relative").is_err());
        assert!(Folder::parse("/srv/../etc").is_err());
        assert_eq!(Folder::parse("C:\\work").unwrap().as_str(), "C:/work");
    }

    #[test]
    fn a_wildcard_host_needs_a_name_and_a_dot() {
        let below = HostPattern::parse("*.example.com").unwrap();
        assert!(below.matches("api.example.com"));
        assert!(!below.matches("example.com"));
        assert!(!below.matches("evilexample.com"));
        assert!(HostPattern::parse("*.com").is_err());
        assert!(HostPattern::parse("https://example.com").is_err());
    }

    #[test]
    fn a_domain_of_recipients_is_the_end_of_one_address() {
        let domain = RecipientPattern::parse("@example.com").unwrap();
        assert!(domain.matches("Ann@Example.com"));
        assert!(!domain.matches("ann@notexample.com"));
        assert!(!domain.matches("ann@evil.test@example.com"));
        assert!(!domain.matches("@example.com.evil.test"));
    }
}
