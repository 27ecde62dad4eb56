//! `Risk`: how much a call can harm, with the reasons.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much a call can harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Risk {
    /// Reads in a closed world, or what others wrote.
    Low,
    /// Reads private data, or writes what can be taken back, inside the declared scope.
    Medium,
    /// Sends, shares, invites, grants, or writes outside the declared scope.
    High,
    /// Destroys, pays, changes identities or policy, runs code.
    Critical,
}

impl Risk {
    /// The name in reports and config.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }

    /// 1 (LOW) to 4 (CRITICAL), for comparisons in policies.
    #[must_use]
    pub fn level(self) -> i64 {
        match self {
            Self::Low => 1,
            Self::Medium => 2,
            Self::High => 3,
            Self::Critical => 4,
        }
    }

    /// One level more; CRITICAL stays.
    #[must_use]
    pub fn raised(self) -> Self {
        match self {
            Self::Low => Self::Medium,
            Self::Medium => Self::High,
            Self::High | Self::Critical => Self::Critical,
        }
    }
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One reason for a call's risk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Reason {
    /// What policies match on: stable, in kebab case.
    pub id: &'static str,
    /// One sentence for people.
    pub text: String,
    /// JSON pointer into the arguments, where one argument is the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// A call's risk with its reasons: at least one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Assessed {
    /// The risk.
    pub risk: Risk,
    /// Why, the weightiest first.
    pub reasons: Vec<Reason>,
}

/// Reasons that no approval outweighs: the default policies deny them.
pub const DENIED: [&str; 5] =
    [SECRET_EXFILTRATION, CLOUD_METADATA, PATH_TRAVERSAL, CHANGED_DEFINITION, UNKNOWN_TOOL];

/// A credential or a credential file would leave for the network.
pub const SECRET_EXFILTRATION: &str = "secret-exfiltration";
/// The call would reach a cloud's metadata service, in whatever spelling.
pub const CLOUD_METADATA: &str = "cloud-metadata";
/// A path climbs out of where it starts, or hides that it does.
pub const PATH_TRAVERSAL: &str = "path-traversal";
/// The tool's definition is not the pinned one; set by whoever knows the pins.
pub const CHANGED_DEFINITION: &str = "changed-definition";
/// No server offers such a tool; set by whoever knows the catalog.
pub const UNKNOWN_TOOL: &str = "unknown-tool";
