//! `Pass`: one person's yes to further calls like one that they saw, for a time and a number of times.
//!
//! A pass lets nothing run by itself. A call that it covers is held as ever, and the pass gives its operator's approval to
//! that hold: the policies are asked whether they may approve *this* call now, a quorum still wants the others, and the
//! approval is bound, recorded and used up as any other. It never covers a call that is riskier than the one that was seen,
//! or risky for a reason that its operator was not shown, or that carries a secret.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Glob, Hold, Role, Step};
use crate::call::{AgentId, Hash, HoldId, Method, OperatorId, ServerName};
use crate::canon::{Object, Value};
use crate::decision::{Binding, Held};
use crate::risk::Risk;

/// A yes that was given beforehand. It is named after the hold that it was given with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    hold: HoldId,
    agent: AgentId,
    server: ServerName,
    tool: String,
    method: Method,
    by: OperatorId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    risk: Risk,
    reasons: BTreeSet<String>,
    binding: Binding,
    arguments: BTreeMap<String, Allowed>,
    times: u16,
    used: u16,
    made: Timestamp,
    expires: Timestamp,
}

/// What an argument may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Allowed {
    /// What it was: the hash of its canonical text.
    Same(Hash),
    /// A text of this pattern.
    Like(Glob),
    /// Anything.
    Any,
}

/// How far a pass goes beyond the call that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leeway {
    /// How many calls.
    pub times: u16,
    /// For how long.
    pub lasts: SignedDuration,
    /// The arguments that may differ, by name; all others must be what they were.
    #[serde(default)]
    pub arguments: BTreeMap<String, Loose>,
}

/// How an argument may differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Loose {
    /// It may be any text of this pattern.
    Like(Glob),
    /// It may be anything.
    Any,
}

/// Why there can be no such pass.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PassError {
    /// Too few or too many calls.
    #[error("a pass is for 1 to {MOST_TIMES} calls")]
    Times,
    /// Too short or too long.
    #[error("a pass lasts from a minute to a day")]
    Lasts,
    /// The call has no such argument.
    #[error("the call has no argument `{0}`")]
    NoArgument(String),
    /// The pattern would not have covered the call that was seen.
    #[error("the argument `{name}` is not like `{pattern}` in the call that was shown")]
    Unlike {
        /// Which argument.
        name: String,
        /// The pattern.
        pattern: Glob,
    },
}

/// The proof that a pass covers one call. Only [`Pass::covers`] makes one.
///
/// ```compile_fail
/// fn forge(honest: policies::approval::Covering, pass: policies::HoldId) -> policies::approval::Covering {
///     policies::approval::Covering { pass, ..honest }
/// }
/// ```
#[derive(Debug)]
#[must_use = "it approves a hold through `Audit::pass`"]
pub struct Covering {
    pass: HoldId,
    by: OperatorId,
    reason: Option<String>,
    binding: Binding,
    role: Option<Role>,
    observed: Vec<String>,
}

/// The most calls that one yes can let run: more is a policy, which others should read first.
pub const MOST_TIMES: u16 = 1_000;

/// The longest that one yes counts: a working day and the night after it.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(24);

const SHORTEST: SignedDuration = SignedDuration::from_mins(1);

impl Pass {
    /// The pass that an operator gives with their approval of this hold, whose call has these arguments.
    ///
    /// # Errors
    /// [`PassError`] if it would be too wide, or would not cover the call that was seen.
    pub fn new(
        hold: &Hold,
        arguments: &Value,
        (by, reason): (OperatorId, Option<String>),
        leeway: &Leeway,
        now: Timestamp,
    ) -> Result<Self, PassError> {
        if !(1..=MOST_TIMES).contains(&leeway.times) {
            return Err(PassError::Times);
        }
        if !(SHORTEST..=LONGEST).contains(&leeway.lasts) {
            return Err(PassError::Lasts);
        }
        let nothing = Object::new();
        let seen = arguments.as_object().unwrap_or(&nothing);
        if let Some(name) = leeway.arguments.keys().find(|name| !seen.contains_key(name)) {
            return Err(PassError::NoArgument(name.clone()));
        }
        let allowed = seen.iter().map(|(name, value)| Ok((name.to_owned(), allowed(name, value, leeway)?)));
        Ok(Self {
            hold: hold.id().clone(),
            agent: hold.agent().clone(),
            server: hold.server().clone(),
            tool: hold.tool().to_owned(),
            method: hold.method(),
            by,
            reason,
            risk: hold.risk(),
            reasons: reasons(hold),
            binding: hold.binding().clone(),
            arguments: allowed.collect::<Result<_, PassError>>()?,
            times: leeway.times,
            used: 0,
            made: now,
            expires: now.saturating_add(leeway.lasts).unwrap_or(now),
        })
    }

    /// The proof that this pass covers a held call, if it does so at this time.
    #[must_use]
    pub fn covers(&self, held: &Held, now: Timestamp) -> Option<Covering> {
        let (assessment, binding) = (held.assessment(), held.binding());
        let shown = assessment.reasons.iter().all(|reason| self.reasons.contains(reason.id));
        let covers = self.is_live(now)
            && self.binding.is_like(binding)
            && assessment.risk <= self.risk
            && shown
            && !assessment.facts.secret_in_arguments
            && self.allows(held.call().arguments());
        covers.then(|| Covering {
            pass: self.hold.clone(),
            by: self.by.clone(),
            reason: self.reason.clone(),
            binding: binding.clone(),
            role: None,
            observed: Vec::new(),
        })
    }

    /// The pass after one more use; `None` where it has none left.
    #[must_use]
    pub fn after_use(self, now: Timestamp) -> Option<Self> {
        self.is_live(now).then(|| Self { used: self.used + 1, ..self })
    }

    /// Whether it can still be used. One of a time to come was made by a clock that was wrong, and lasts for nobody knows how long.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.used < self.times && self.made <= now && now < self.expires
    }

    /// What it holds of texts that are not ours: the arguments' names and patterns.
    pub fn texts<'a>(&'a self) -> impl Iterator<Item = &'a str> {
        let texts = |(name, allowed): (&'a String, &'a Allowed)| [Some(name.as_str()), allowed.pattern()];
        self.arguments.iter().flat_map(texts).flatten()
    }

    /// The same arguments by name, each of them allowed: one more is another deed.
    fn allows(&self, arguments: &Value) -> bool {
        let nothing = Object::new();
        let given = match arguments {
            Value::Object(given) => given,
            Value::Null => &nothing,
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => return false,
        };
        let fits =
            |(name, value): (&str, &Value)| self.arguments.get(name).is_some_and(|allowed| allowed.allows(value));
        given.len() == self.arguments.len() && given.iter().all(fits)
    }

    /// The hold that it was given with: its name.
    #[must_use]
    pub fn hold(&self) -> &HoldId {
        &self.hold
    }

    /// Whose calls it covers.
    #[must_use]
    pub fn agent(&self) -> &AgentId {
        &self.agent
    }

    /// The server of the tool.
    #[must_use]
    pub fn server(&self) -> &ServerName {
        &self.server
    }

    /// The tool's name at its server.
    #[must_use]
    pub fn tool(&self) -> &str {
        &self.tool
    }

    /// Which MCP request it covers.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// Who gave it.
    #[must_use]
    pub fn by(&self) -> &OperatorId {
        &self.by
    }

    /// Why, in their words, if they said.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The most dangerous call that it covers.
    #[must_use]
    pub fn risk(&self) -> Risk {
        self.risk
    }

    /// What each argument may be.
    #[must_use]
    pub fn arguments(&self) -> &BTreeMap<String, Allowed> {
        &self.arguments
    }

    /// How many calls it is for.
    #[must_use]
    pub fn times(&self) -> u16 {
        self.times
    }

    /// How many it has approved.
    #[must_use]
    pub fn used(&self) -> u16 {
        self.used
    }

    /// When it was given.
    #[must_use]
    pub fn made(&self) -> Timestamp {
        self.made
    }

    /// When it ends.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
}

impl Covering {
    /// The pass.
    #[must_use]
    pub fn pass(&self) -> &HoldId {
        &self.pass
    }

    /// The deed that it covers.
    #[must_use]
    pub fn binding(&self) -> &Binding {
        &self.binding
    }

    /// Whose approval it gives.
    #[must_use]
    pub fn by(&self) -> &OperatorId {
        &self.by
    }

    /// Whether they said why.
    #[must_use]
    pub fn is_reasoned(&self) -> bool {
        self.reason.is_some()
    }

    /// With the policies that only watch and would not have let the operator approve.
    pub fn observed(self, observed: Vec<String>) -> Self {
        Self { observed, ..self }
    }

    /// With the role that the operator has, where the hold asks for one.
    pub fn as_role(self, role: Option<Role>) -> Self {
        Self { role, ..self }
    }

    /// The approval.
    #[must_use]
    pub fn step(&self) -> Step {
        let Self { pass, by, reason, role, observed, .. } = self;
        let (by, reason, role, observed) = (by.clone(), reason.clone(), *role, observed.clone());
        Step::Approve { by, reason, proof: None, pass: Some(pass.clone()), lent: None, role, observed }
    }
}

impl Allowed {
    fn pattern(&self) -> Option<&str> {
        match self {
            Self::Like(glob) => Some(glob.as_str()),
            Self::Same(_) | Self::Any => None,
        }
    }

    fn allows(&self, value: &Value) -> bool {
        match self {
            Self::Same(hash) => Hash::of(value.canonical().as_bytes()) == *hash,
            Self::Like(glob) => value.as_str().is_some_and(|text| glob.matches(text)),
            Self::Any => true,
        }
    }
}

fn allowed(name: &str, value: &Value, leeway: &Leeway) -> Result<Allowed, PassError> {
    match leeway.arguments.get(name) {
        None => Ok(Allowed::Same(Hash::of(value.canonical().as_bytes()))),
        Some(Loose::Any) => Ok(Allowed::Any),
        Some(Loose::Like(glob)) if value.as_str().is_some_and(|text| glob.matches(text)) => {
            Ok(Allowed::Like(glob.clone()))
        }
        Some(Loose::Like(glob)) => Err(PassError::Unlike { name: name.to_owned(), pattern: glob.clone() }),
    }
}

/// The ids of the reasons that were shown.
fn reasons(hold: &Hold) -> BTreeSet<String> {
    let reasons = hold.assessment().get("reasons").and_then(serde_json::Value::as_array);
    let id = |reason: &serde_json::Value| Some(reason.get("id")?.as_str()?.to_owned());
    reasons.into_iter().flatten().filter_map(id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::tests::{call_of, held, held_by, noon};

    const SEEN: &str = r#"{"path":"/srv/notes/a.md","recursive":false}"#;

    fn hold(arguments: &str) -> Hold {
        Hold::open(HoldId::from_random([9; 10]), &held(arguments), 1, noon())
    }

    fn leeway(arguments: &[(&str, Loose)]) -> Leeway {
        let arguments = arguments.iter().map(|(name, loose)| ((*name).to_owned(), loose.clone())).collect();
        Leeway { times: 2, lasts: SignedDuration::from_hours(1), arguments }
    }

    fn like(pattern: &str) -> Loose {
        Loose::Like(Glob::parse(pattern).unwrap())
    }

    fn pass(arguments: &[(&str, Loose)]) -> Pass {
        made(&leeway(arguments)).unwrap()
    }

    fn made(leeway: &Leeway) -> Result<Pass, PassError> {
        let seen = Value::parse(SEEN.as_bytes(), &crate::Limits::ANSWER).unwrap();
        Pass::new(&hold(SEEN), &seen, (OperatorId::authenticated("ann"), None), leeway, noon())
    }

    #[test]
    fn a_pass_covers_the_same_call_and_what_it_lets_differ() {
        let same = pass(&[]);
        assert!(same.covers(&held(SEEN), noon()).is_some());
        assert!(same.covers(&held(r#"{"path":"/srv/notes/b.md","recursive":false}"#), noon()).is_none());
        let like = pass(&[("path", like("/srv/notes/*"))]);
        let covers = |arguments: &str| like.covers(&held(arguments), noon()).is_some();
        assert!(covers(SEEN) && covers(r#"{"path":"/srv/notes/b.md","recursive":false}"#));
        for other in [
            r#"{"path":"/srv/notes/b.md","recursive":true}"#,
            r#"{"path":"/srv/notes/b.md"}"#,
            r#"{"path":"/srv/notes/b.md","recursive":false,"force":true}"#,
            r#"{"path":"/srv/notes/../b.md","recursive":false}"#,
            r#"{"path":["/srv/notes/b.md"],"recursive":false}"#,
            r#"{"path":"/etc/passwd","recursive":false}"#,
            "{}",
            "[]",
        ] {
            assert!(!covers(other), "{other}");
        }
        let any = pass(&[("path", Loose::Any), ("recursive", Loose::Any)]);
        assert!(any.covers(&held(r#"{"path":"/srv/other.md","recursive":[1]}"#), noon()).is_some());
        // A system's file is a reason that the call which was seen did not have.
        assert!(any.covers(&held(r#"{"path":"/etc/passwd","recursive":false}"#), noon()).is_none());
    }

    #[test]
    fn another_agent_another_definition_a_secret_or_a_new_reason_is_not_covered() {
        let pass = pass(&[("path", Loose::Any)]);
        assert!(pass.covers(&held_by("eve", SEEN), noon()).is_none());
        let other = crate::decision::tests::tool("files", r#"{"name":"delete","description":"other"}"#);
        let policies = crate::Policies::builtin();
        let verdict =
            policies.decide(call_of("agent", other, SEEN), &crate::decision::tests::around(&crate::Session::fresh()));
        let crate::Verdict::Hold(other) = verdict else { panic!("it is held") };
        assert!(pass.covers(&other, noon()).is_none());
        let leaking = format!(r#"{{"path":"ghp_{}","recursive":false}}"#, "16C7e42F292c6912E7710c838347Ae178B4a");
        assert!(pass.covers(&held(&leaking), noon()).is_none());
        let mut calmer = pass.clone();
        calmer.risk = Risk::Low;
        assert!(calmer.covers(&held(SEEN), noon()).is_none());
        let mut unshown = pass.clone();
        unshown.reasons.clear();
        assert!(unshown.covers(&held(SEEN), noon()).is_none());
    }

    #[test]
    fn a_pass_ends_with_its_time_and_with_its_last_use() {
        let pass = pass(&[]);
        let over = noon() + SignedDuration::from_hours(1);
        assert!(pass.covers(&held(SEEN), over).is_none() && pass.clone().after_use(over).is_none());
        let twice = pass.after_use(noon()).unwrap().after_use(noon()).unwrap();
        assert_eq!((twice.used(), twice.times()), (2, 2));
        assert!(twice.covers(&held(SEEN), noon()).is_none() && twice.after_use(noon()).is_none());
    }

    #[test]
    fn a_pass_that_would_not_have_covered_what_was_seen_is_none() {
        let of = |leeway: Leeway| made(&leeway).unwrap_err();
        assert_eq!(of(Leeway { times: 0, ..leeway(&[]) }), PassError::Times);
        assert_eq!(of(Leeway { times: MOST_TIMES + 1, ..leeway(&[]) }), PassError::Times);
        assert_eq!(of(Leeway { lasts: SignedDuration::from_secs(59), ..leeway(&[]) }), PassError::Lasts);
        assert_eq!(of(Leeway { lasts: SignedDuration::from_hours(25), ..leeway(&[]) }), PassError::Lasts);
        assert_eq!(of(leeway(&[("force", Loose::Any)])), PassError::NoArgument("force".into()));
        assert!(matches!(of(leeway(&[("path", like("/etc/*"))])), PassError::Unlike { .. }));
        assert!(matches!(of(leeway(&[("recursive", like("f*"))])), PassError::Unlike { .. }));
    }
}
