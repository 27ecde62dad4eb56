//! Policy texts to `Policies`: parsed, named, held against the schema, and every problem found at once.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::LazyLock;

use cedar_policy::{PolicyId, PolicySet, Schema, ValidationMode, Validator};
use miette::Diagnostic;

use super::Policies;
use super::slice::{Policy, Slices};

/// A policy file: its name is only for messages.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file's name.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Something wrong in a policy file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The policy, if it can be named.
    pub policy: Option<String>,
    /// What is wrong, and what would be right where that is known.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        if let Some(policy) = &self.policy {
            write!(f, "policy `{policy}`: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

/// The policies that are always in force.
pub(super) const GUARD: &str = include_str!("../../rules/guard.cedar");
/// The default policies.
pub(super) const DEFAULT: &str = include_str!("../../rules/default.cedar");
/// What policies can ask about.
pub(super) const SCHEMA: &str = include_str!("../../rules/portcullis.cedarschema");

impl Policies {
    /// The policies that ship with the gateway.
    ///
    /// # Panics
    /// Never: they are part of the binary, and a test loads them.
    #[must_use]
    pub fn builtin() -> Self {
        #[expect(clippy::expect_used, reason = "embedded text; a test loads it")]
        Self::load(&[]).expect("the policies that ship are valid")
    }

    /// These policies in addition to the defaults.
    ///
    /// # Errors
    /// Every [`Problem`] in every source.
    pub fn load(sources: &[Source]) -> Result<Self, Vec<Problem>> {
        load(sources, true, &[])
    }

    /// These policies instead of the defaults, but for those that guard the gateway itself (`rules/guard.cedar`).
    ///
    /// # Errors
    /// Every [`Problem`] in every source.
    pub fn load_without_defaults(sources: &[Source]) -> Result<Self, Vec<Problem>> {
        load(sources, false, &[])
    }

    /// These policies, with the defaults or without, of which those with these ids decide nothing and are observed.
    ///
    /// # Errors
    /// Every [`Problem`] in every source. One that is about an id to observe has [`OBSERVE`] for its file.
    pub fn load_observing(sources: &[Source], defaults: bool, observe: &[String]) -> Result<Self, Vec<Problem>> {
        load(sources, defaults, observe)
    }
}

/// The `file` of a [`Problem`] that is about an id to observe.
pub const OBSERVE: &str = "policy.observe";

/// The schema that policies are held against, to be read by people and editors.
#[must_use]
pub fn schema_text() -> &'static str {
    SCHEMA
}

/// The texts of the policies that ship, by file name.
#[must_use]
pub fn shipped_policies() -> [(&'static str, &'static str); 2] {
    [("guard.cedar", GUARD), ("default.cedar", DEFAULT)]
}

fn shipped(name: &str, text: &str) -> Source {
    Source { name: format!("(built in) {name}"), text: text.to_owned() }
}

fn load(sources: &[Source], defaults: bool, observe: &[String]) -> Result<Policies, Vec<Problem>> {
    let mut loader = Loader { observe: observe.iter().map(String::as_str).collect(), ..Loader::default() };
    loader.read(&shipped("guard.cedar", GUARD), Origin::Guard);
    if defaults {
        loader.read(&shipped("default.cedar", DEFAULT), Origin::Bundled);
    }
    for source in sources {
        loader.read(source, Origin::Own);
    }
    if loader.problems.is_empty() {
        loader.unknown();
    }
    loader.problems.sort();
    if loader.problems.is_empty() {
        Ok(Policies { slices: Slices::new(loader.policies) })
    } else {
        Err(loader.problems)
    }
}

/// Where a policy comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// It guards the gateway's own promises.
    Guard,
    /// It is a default.
    Bundled,
    /// It is an operator's.
    Own,
}

#[derive(Default)]
struct Loader<'a> {
    policies: Vec<Policy>,
    problems: Vec<Problem>,
    /// Where each id was seen first.
    ids: HashMap<String, String>,
    /// The ids that decide nothing.
    observe: BTreeSet<&'a str>,
}

impl Loader<'_> {
    fn read(&mut self, source: &Source, origin: Origin) {
        match source.text.parse::<PolicySet>() {
            Ok(set) => self.take(source, &set, origin),
            Err(errors) => {
                for error in errors.iter() {
                    self.problem(source, offset_of(error), None, full_message(error));
                }
            }
        }
    }

    fn take(&mut self, source: &Source, set: &PolicySet, origin: Origin) {
        for template in set.templates() {
            let at = offset_of_text(source, &template.to_string());
            self.problem(
                source,
                at,
                None,
                "templates are not supported: write the principal and the resource out".into(),
            );
        }
        let mut policies: Vec<&cedar_policy::Policy> = set.policies().collect();
        policies.sort_by_key(|policy| offset_of_policy(policy));
        let mut named = PolicySet::new();
        for policy in policies {
            let at = offset_of_policy(policy);
            let Some(id) = self.name(source, policy, at) else { continue };
            let observed = self.is_observed(source, policy, &id, origin);
            let policy = policy.new_id(PolicyId::new(&id));
            if named.add(policy.clone()).is_ok() {
                let policy = Policy::new(id, policy, origin != Origin::Own);
                self.policies.push(if observed { policy.observed() } else { policy });
            }
        }
        self.validate(source, &named);
    }

    /// Whether the policy decides nothing, by its own word or by the config's.
    fn is_observed(&mut self, source: &Source, policy: &cedar_policy::Policy, id: &str, origin: Origin) -> bool {
        let at = offset_of_policy(policy);
        let said = match policy.annotation("mode") {
            None | Some("enforce") => false,
            Some("observe") => true,
            Some(other) => {
                let message = format!("`{}` is no mode: it is `observe` or `enforce`", other.escape_debug());
                self.problem(source, at, Some(id.to_owned()), message);
                false
            }
        };
        let listed = self.observe.contains(id);
        if listed && origin == Origin::Guard {
            let message = format!("`{id}` guards the gateway itself: it is always in force");
            self.problems.push(Problem { file: OBSERVE.to_owned(), line: 0, policy: None, message });
            return false;
        }
        said || listed
    }

    /// An id that is listed and belongs to no policy was meant for one that is in force.
    fn unknown(&mut self) {
        for id in self.observe.iter().filter(|id| !self.ids.contains_key(**id)) {
            let message = format!("there is no policy `{}`", id.escape_debug());
            self.problems.push(Problem { file: OBSERVE.to_owned(), line: 0, policy: None, message });
        }
    }

    /// The policy's id, if it has a usable and new one.
    fn name(&mut self, source: &Source, policy: &cedar_policy::Policy, at: usize) -> Option<String> {
        let Some(id) = policy.annotation("id") else {
            self.problem(source, at, None, "a policy needs an id, as in `@id(\"no-deletes\")`".into());
            return None;
        };
        if !is_id(id) {
            let message = format!("`{}` is not an id: 1 to 64 of a-z, 0-9, `-`, `_`, `.`", id.escape_debug());
            self.problem(source, at, None, message);
            return None;
        }
        if let Some(first) = self.ids.get(id) {
            let message = format!("the id is taken by a policy in {first}");
            self.problem(source, at, Some(id.to_owned()), message);
            return None;
        }
        self.ids.insert(id.to_owned(), format!("{}:{}", source.name, line(&source.text, at)));
        Some(id.to_owned())
    }

    /// Warnings count: a policy that can never apply, or hides letters in its text, is not what its author believes.
    fn validate(&mut self, source: &Source, set: &PolicySet) {
        let result = VALIDATOR.validate(set, ValidationMode::Strict);
        for error in result.validation_errors() {
            let id: &str = error.policy_id().as_ref();
            let at = labelled(error).unwrap_or_else(|| policy_offset(set, id));
            self.problem(source, at, Some(id.to_owned()), message(error, id));
        }
        for warning in result.validation_warnings() {
            let id: &str = warning.policy_id().as_ref();
            let at = labelled(warning).unwrap_or_else(|| policy_offset(set, id));
            self.problem(source, at, Some(id.to_owned()), message(warning, id));
        }
    }

    fn problem(&mut self, source: &Source, at: usize, policy: Option<String>, message: String) {
        let problem = Problem { file: source.name.clone(), line: line(&source.text, at), policy, message };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "embedded text; a test loads it")]
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).expect("the schema that ships is valid");
    Validator::new(schema)
});

fn is_id(id: &str) -> bool {
    let allowed = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
    (1..=64).contains(&id.len()) && id.bytes().all(allowed)
}

/// The message without the policy's name in front, which the problem says already.
fn message(error: &impl Diagnostic, id: &str) -> String {
    let text = full_message(error);
    text.strip_prefix(&format!("for policy `{id}`, ")).map_or(text.clone(), str::to_owned)
}

fn full_message(error: &impl Diagnostic) -> String {
    let help = error.help().map(|help| format!(" ({help})")).unwrap_or_default();
    format!("{error}{help}")
}

fn offset_of(error: &impl Diagnostic) -> usize {
    labelled(error).unwrap_or(0)
}

fn labelled(error: &impl Diagnostic) -> Option<usize> {
    error.labels()?.map(|label| label.offset()).next()
}

fn policy_offset(set: &PolicySet, id: &str) -> usize {
    set.policy(&PolicyId::new(id)).map_or(0, offset_of_policy)
}

fn offset_of_policy(policy: &cedar_policy::Policy) -> usize {
    policy.as_ref().loc().map_or(0, |at| at.span.offset())
}

/// A template's first line, looked for as it was written; the file's beginning if it is not found.
fn offset_of_text(source: &Source, text: &str) -> usize {
    text.lines().next().and_then(|first| source.text.find(first)).unwrap_or(0)
}

fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}
