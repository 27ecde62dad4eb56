//! `Risk`: how much a call can harm, with the reasons.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::call::Standing;
use crate::facts::{Effect, Facts, Verb};
use crate::session::{Origin, Provenance, SessionFacts};

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
    /// Every risk, the lowest first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

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
pub const DENIED: [&str; 5] = [SECRET_EXFILTRATION, CLOUD_METADATA, PATH_TRAVERSAL, CHANGED_DEFINITION, UNKNOWN_TOOL];

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

/// The risk of a call, and why.
///
/// The base is the weightiest row that its facts show. Then what speaks for more raises it by one level, once, however
/// much there is: an argument from untrusted content, a way out of a session that has read both untrusted and private
/// content, and (never above LOW, or every first read would ask) a first use, an anomaly, an unpinned tool.
#[must_use]
pub fn assess(
    facts: &Facts,
    standing: &Standing,
    session: SessionFacts,
    provenance: &Provenance,
    first_use: bool,
    anomaly: bool,
) -> Assessed {
    let mut rows: Vec<(Risk, Reason)> = facts
        .findings
        .iter()
        .map(|found| {
            let (risk, id) = row(found.effect);
            (risk, Reason { id, text: found.text.clone(), at: found.at.clone() })
        })
        .collect();
    if let Some(risk) = standing.profile.at_least() {
        rows.push((risk, reason("declared-risk", "the operator declared this risk for the tool")));
    }
    if facts.egress && facts.verb != Verb::Read {
        rows.extend(leaving(provenance).map(|reason| (Risk::High, reason)));
    }
    if rows.is_empty() {
        // Facts that show nothing were not made by `Facts::of`.
        rows.push((Risk::High, reason("unknown-effect", "nothing tells what this call does")));
    }
    // What is denied comes first, so that no padding with other findings can push it off the list.
    rows.sort_by_key(|(risk, reason)| std::cmp::Reverse((DENIED.contains(&reason.id), *risk)));
    let base = rows.iter().map(|(risk, _)| *risk).max().unwrap_or(Risk::High);
    let mut reasons: Vec<Reason> = rows.into_iter().map(|(_, reason)| reason).collect();
    let modifiers = modifiers(base, facts, standing, session, provenance, first_use, anomaly);
    let mut risk = if modifiers.is_empty() { base } else { base.raised() };
    // The third leg is counted once: where data can leave by a read, it makes the read HIGH instead of raising it.
    if modifiers.iter().any(|reason| reason.id == THIRD_LEG) && asks(facts) {
        risk = risk.max(Risk::High);
        reasons.push(reason("data-after-untrusted", "data may leave after the session has read what others wrote"));
    }
    reasons.extend(modifiers);
    Assessed { risk, reasons }
}

/// The risk table: the row of each finding, and the id that policies know it by.
fn row(effect: Effect) -> (Risk, &'static str) {
    match effect {
        Effect::Reads => (Risk::Low, "reads"),
        Effect::ReadsUntrusted => (Risk::Low, "reads-untrusted"),
        Effect::AsksAddress => (Risk::Low, "asks-address"),
        Effect::ReadsSensitive => (Risk::Medium, "reads-sensitive"),
        Effect::RunsLooks => (Risk::Medium, "runs-known-commands"),
        Effect::Interacts => (Risk::Medium, "interacts"),
        Effect::Keeps => (Risk::Medium, "keeps-own"),
        Effect::WritesInScope => (Risk::Medium, "writes-in-scope"),
        Effect::SendsToDeclared => (Risk::Medium, "sends-to-declared"),
        Effect::AnnotatedWrite => (Risk::Medium, "annotated-not-read-only"),
        Effect::WritesOutsideScope => (Risk::High, "writes-outside-scope"),
        Effect::ReadsOutsideScope => (Risk::High, "reads-outside-scope"),
        Effect::Operates => (Risk::High, "operates"),
        Effect::Unknown => (Risk::High, "unknown-effect"),
        Effect::Sends => (Risk::High, "sends"),
        Effect::Invites => (Risk::High, "invites"),
        Effect::Grants => (Risk::High, "grants-permission"),
        Effect::NewDestination => (Risk::High, "new-destination"),
        Effect::PrivateAddress => (Risk::High, "private-address"),
        Effect::DataInUrl => (Risk::High, "data-in-url"),
        Effect::CredentialFile => (Risk::High, "credential-file"),
        Effect::SecretInArguments => (Risk::High, "secret-in-arguments"),
        Effect::HiddenCharacters => (Risk::High, "hidden-characters"),
        Effect::InstructionsInDefinition => (Risk::High, "instructions-in-definition"),
        Effect::AnnotatedDestructive => (Risk::High, "annotated-destructive"),
        Effect::Overwrites => (Risk::Critical, "overwrites"),
        Effect::Deletes => (Risk::Critical, "deletes"),
        Effect::MovesMoney => (Risk::Critical, "moves-money"),
        Effect::ChangesIdentity => (Risk::Critical, "changes-identity"),
        Effect::ChangesPolicy => (Risk::Critical, "changes-policy"),
        Effect::RunsCode => (Risk::Critical, "runs-code"),
        Effect::CommandInjection => (Risk::Critical, "command-injection"),
        Effect::SecretExfiltration => (Risk::Critical, SECRET_EXFILTRATION),
        Effect::CloudMetadata => (Risk::Critical, CLOUD_METADATA),
        Effect::PathTraversal => (Risk::Critical, PATH_TRAVERSAL),
    }
}

fn reason(id: &'static str, text: &str) -> Reason {
    Reason { id, text: text.to_owned(), at: None }
}

/// Values of private content that would leave.
fn leaving(provenance: &Provenance) -> impl Iterator<Item = Reason> {
    provenance.sensitive().filter(|(at, _)| !names_a_thing(at)).take(1).map(|(at, origin)| Reason {
        id: "sensitive-value-leaves",
        text: format!("a value that would leave {}", told(origin)),
        at: Some(at.to_owned()),
    })
}

/// Whether an address asks something beyond its path: the place where data leaves by a read.
fn asks(facts: &Facts) -> bool {
    let declared = facts.destinations.iter().all(|host| host.declared);
    !declared && (facts.shows(Effect::DataInUrl) || facts.shows(Effect::AsksAddress))
}

fn modifiers(
    base: Risk,
    facts: &Facts,
    standing: &Standing,
    session: SessionFacts,
    provenance: &Provenance,
    first_use: bool,
    anomaly: bool,
) -> Vec<Reason> {
    let mut raising: Vec<Reason> = tainted(facts, provenance);
    if facts.egress && session.untrusted && session.sensitive {
        raising.push(reason(
            THIRD_LEG,
            "the session has read untrusted and private content, and this call can carry it out",
        ));
    }
    if base > Risk::Low {
        let soft = [
            (first_use, "first-use", "the agent uses this tool for the first time"),
            (anomaly, "anomaly", "the call is unlike what the agent usually does"),
            (!standing.pinned, "unpinned", "the tool's definition is not pinned"),
        ];
        raising.extend(soft.into_iter().filter(|(holds, ..)| *holds).map(|(_, id, text)| reason(id, text)));
    }
    raising
}

/// Arguments that an outsider may have chosen, where they matter: what decides where the effect goes, and anything that
/// a call writes or sends. Which issue is read next, an outsider may well propose.
fn tainted(facts: &Facts, provenance: &Provenance) -> Vec<Reason> {
    let target = |at: &str| {
        facts
            .targets
            .iter()
            .any(|target| at == target || at.strip_prefix(target.as_str()).is_some_and(|rest| rest.starts_with('/')))
    };
    let matters = |at: &str| target(at) || (facts.verb >= Verb::Keep && !names_a_thing(at));
    let found = provenance.untrusted().filter(|(at, _)| matters(at)).take(MAX_TAINTED);
    found
        .map(|(at, origin)| Reason {
            id: "tainted-argument",
            text: format!("`{at}` {}", told(origin)),
            at: Some(at.to_owned()),
        })
        .collect()
}

/// Whether a pointer leads to an identifier: which thing is meant, not what is done with it.
fn names_a_thing(at: &str) -> bool {
    let name = at
        .rsplit('/')
        .find(|part| !part.bytes().all(|byte| byte.is_ascii_digit()))
        .unwrap_or_default()
        .to_ascii_lowercase();
    ["id", "ids", "key", "number", "uid", "uuid", "ref", "sha", "owner", "repo", "index", "page", "cursor", "limit"]
        .iter()
        .any(|end| name.ends_with(end))
}

fn told(origin: &Origin) -> String {
    match origin {
        Origin::Seen(seen) => format!("was first seen in result {} of `{}`", seen.result, seen.tool),
        Origin::Forgotten { .. } => "may come from content that the session no longer remembers".to_owned(),
        Origin::Unseen => "was not seen before".to_owned(),
    }
}

const THIRD_LEG: &str = "third-leg";
const MAX_TAINTED: usize = 8;

#[cfg(test)]
mod tests;
