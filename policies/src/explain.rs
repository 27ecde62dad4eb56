//! `Explanation`: why a verdict, for programs and for people.

mod replay;

use std::fmt;

use serde::Serialize;

use crate::decision::{Observed, Verdict};
use crate::risk::{Reason, Risk};
use crate::session::{Origin, Provenance};

pub use replay::{Replay, RowError};

/// Why a call was allowed, held or denied. Serialised it is one line of `portcullis explain --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    risk: Risk,
    reasons: Vec<Reason>,
    verdict: &'static str,
    policies: Vec<String>,
    provenance: Provenance,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    observed: Vec<Observed>,
}

impl Explanation {
    /// The explanation of a verdict.
    #[must_use]
    pub fn of(verdict: &Verdict) -> Self {
        let found = verdict.assessment();
        Self {
            risk: found.risk,
            reasons: found.reasons.clone(),
            verdict: verdict.as_str(),
            policies: found.policies.clone(),
            provenance: found.provenance.clone(),
            observed: found.observed.clone(),
        }
    }

    /// How dangerous the call is.
    #[must_use]
    pub fn risk(&self) -> Risk {
        self.risk
    }

    /// Why.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }

    /// `allow`, `hold` or `deny`.
    #[must_use]
    pub fn verdict(&self) -> &'static str {
        self.verdict
    }

    /// The ids of the policies that determined the verdict.
    #[must_use]
    pub fn policies(&self) -> &[String] {
        &self.policies
    }

    /// The policies that only watch and would have changed the verdict.
    #[must_use]
    pub fn observed(&self) -> &[Observed] {
        &self.observed
    }

    /// Where each argument value was seen first.
    #[must_use]
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }
}

impl fmt::Display for Explanation {
    /// A few lines for people: verdict and risk, the policies, each reason, each value that was seen before.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policies = if self.policies.is_empty() { "no policy".to_owned() } else { self.policies.join(", ") };
        writeln!(f, "{} · {} · {policies}", self.verdict, self.risk)?;
        for Reason { id, text, at } in &self.reasons {
            let at = at.as_deref().map(|at| format!(" [{}]", Shown(at))).unwrap_or_default();
            writeln!(f, "  {id}: {}{at}", Shown(text))?;
        }
        for Observed { policy, would } in &self.observed {
            writeln!(f, "  {policy} only watches, and would {} it", would.as_str())?;
        }
        for (pointer, origin) in self.provenance.iter() {
            match origin {
                Origin::Unseen => {}
                Origin::Forgotten { .. } => {
                    writeln!(f, "  {} may come from a result that was forgotten", Shown(pointer))?;
                }
                Origin::Seen(seen) => {
                    let (how, tool) = (seen.how.as_str(), Shown(&seen.tool));
                    let kind = if seen.untrusted { ", which outsiders can write to" } else { "" };
                    writeln!(f, "  {} came from result #{} of {tool}{kind} ({how})", Shown(pointer), seen.result)?;
                }
            }
        }
        Ok(())
    }
}

/// Text from outside on a terminal: nothing in it moves the cursor, hides, or turns the line around.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            let hidden = matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}');
            if c.is_control() || hidden { write!(f, "{}", c.escape_unicode())? } else { write!(f, "{c}")? }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
