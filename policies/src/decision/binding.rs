//! `Binding`: everything that a verdict was about, as hashes, so that a change after approval is found and named.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::call::{Call, Hash};
use crate::profile::Profile;

/// What a verdict or an approval is bound to. Two calls with equal bindings are the same deed.
///
/// The session and the call's id are not in it: an identical retry of the same agent is the same deed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    agent: Hash,
    server: Hash,
    tool: Hash,
    definition: Hash,
    arguments: Hash,
    secrets: Hash,
    profile: Hash,
    policies: Hash,
}

/// What a call can differ in from the one that was approved, as a refusal names it: a field of a [`Binding`], or its risk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Field {
    /// Who calls.
    Agent,
    /// The server that offers the tool.
    Server,
    /// The tool's name and the MCP method.
    Tool,
    /// The tool's whole definition.
    Definition,
    /// The canonical arguments.
    Arguments,
    /// The secrets that the call borrows, and where each is placed.
    Secrets,
    /// What the tool may touch.
    Profile,
    /// The policies that apply to the tool.
    Policies,
    /// How dangerous the call is. No field of a binding, since less than was approved is not another deed; see
    /// [`Held::first_difference`](super::Held::first_difference).
    Risk,
}

impl Field {
    /// The field's name in records and refusals.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Server => "server",
            Self::Tool => "tool",
            Self::Definition => "definition",
            Self::Arguments => "arguments",
            Self::Secrets => "secrets",
            Self::Profile => "profile",
            Self::Policies => "policies",
            Self::Risk => "risk",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Binding {
    pub(crate) fn of(call: &Call, policies: Hash) -> Self {
        let tool = call.tool();
        Self {
            agent: Hash::of(call.agent().as_str().as_bytes()),
            server: Hash::of(tool.server().as_str().as_bytes()),
            // A tool that is named like a method must not pass for it; no method holds a line feed.
            tool: Hash::of(format!("{}\n{}", tool.method().as_str(), tool.name()).as_bytes()),
            definition: tool.hash(),
            arguments: Hash::of(call.canonical().as_bytes()),
            secrets: secrets(&tool.standing().profile),
            profile: tool.standing().profile.hash(),
            policies,
        }
    }

    /// One hash over all fields: what an operator's signature covers and what identical retries share.
    #[must_use]
    pub fn digest(&self) -> Hash {
        let lines = self.fields().map(|(field, hash)| format!("{field} {hash}\n"));
        Hash::of(format!("portcullis binding 1\n{}", lines.concat()).as_bytes())
    }

    /// The first field in which the other one differs, in the order of [`Field`].
    #[must_use]
    pub fn first_difference(&self, other: &Self) -> Option<Field> {
        let pairs = self.fields().into_iter().zip(other.fields());
        pairs.into_iter().find_map(|((field, ours), (_, theirs))| (ours != theirs).then_some(field))
    }

    /// Whether the other one differs in its arguments at most.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.first_difference(&Self { arguments: self.arguments, ..other.clone() }).is_none()
    }

    /// Whether the other one is the same request of the same agent, whatever has become of the tool, its profile and the
    /// policies.
    #[must_use]
    pub fn asks_the_same(&self, other: &Self) -> bool {
        let asked = |binding: &Self| [binding.agent, binding.server, binding.tool, binding.arguments];
        asked(self) == asked(other)
    }

    /// Every field with its hash.
    #[must_use]
    pub fn fields(&self) -> [(Field, Hash); 8] {
        [
            (Field::Agent, self.agent),
            (Field::Server, self.server),
            (Field::Tool, self.tool),
            (Field::Definition, self.definition),
            (Field::Arguments, self.arguments),
            (Field::Secrets, self.secrets),
            (Field::Profile, self.profile),
            (Field::Policies, self.policies),
        ]
    }
}

/// The names, and of each where it goes and how.
fn secrets(profile: &Profile) -> Hash {
    let placed = profile.resources().map(|resources| resources.secrets.as_slice()).unwrap_or_default();
    if placed.is_empty() {
        return Hash::of(profile.secrets().join("\n").as_bytes());
    }
    // `Debug` of plain data is total and unambiguous, as in [`Profile::hash`].
    Hash::of(format!("{:?} {placed:?}", profile.secrets()).as_bytes())
}
