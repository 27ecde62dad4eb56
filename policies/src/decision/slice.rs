//! `Slices`: for each tool the policies that can concern it, so that a thousand policies cost no more than a few.

use std::collections::HashMap;
use std::sync::Arc;

use cedar_policy::{ActionConstraint, Authorizer, Decision, EntityUid, PolicySet, Request, ResourceConstraint};

use super::ask::{Answer, Answering, Question, tool_id};
use super::observe::Says;
use crate::call::{Hash, Method, ServerName, Tool};

/// One policy with what the gateway reads from its annotations.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    id: String,
    text: String,
    inner: cedar_policy::Policy,
    /// It comes with the gateway.
    bundled: bool,
    /// Where it only watches: itself, to be asked alone.
    alone: Option<PolicySet>,
}

impl Policy {
    /// `inner` bears `id` as its Cedar id too.
    pub(super) fn new(id: String, inner: cedar_policy::Policy, bundled: bool) -> Self {
        Self { id, text: inner.to_string(), inner, bundled, alone: None }
    }

    /// The same, deciding nothing.
    pub(super) fn observed(self) -> Self {
        let alone = PolicySet::from_policies([self.inner.clone()]).unwrap_or_default();
        Self { alone: Some(alone), ..self }
    }

    pub(super) fn is_observed(&self) -> bool {
        self.alone.is_some()
    }

    pub(super) fn is_bundled(&self) -> bool {
        self.bundled
    }

    pub(super) fn looks_at_arguments(&self) -> bool {
        self.mentions("arguments")
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn reason(&self) -> Option<&str> {
        self.inner.annotation("reason")
    }

    pub(super) fn next(&self) -> Option<&str> {
        self.inner.annotation("next")
    }

    /// Whether its text holds this word: more often than it uses it, never less.
    fn mentions(&self, word: &str) -> bool {
        self.text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == word)
    }

    fn concerns(&self, action: &str) -> bool {
        let is = |uid: &EntityUid| uid.id().unescaped() == action;
        match self.inner.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(uid) => is(&uid),
            ActionConstraint::In(uids) => uids.iter().any(is),
        }
    }

    /// The one tool or server that it is about, if its head says so.
    fn about(&self) -> Option<EntityUid> {
        match self.inner.resource_constraint() {
            ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
            ResourceConstraint::Eq(uid) | ResourceConstraint::In(uid) | ResourceConstraint::IsIn(_, uid) => Some(uid),
        }
    }

    fn is_about(&self, server: &str, tool: Option<&str>) -> bool {
        self.about().is_none_or(|uid| match uid.type_name().basename() {
            "Server" => uid.id().unescaped() == server,
            "Tool" => Some(uid.id().unescaped()) == tool,
            _ => true,
        })
    }
}

/// Every slice, made at load.
#[derive(Debug)]
pub(super) struct Slices {
    policies: Arc<[Policy]>,
    tools: HashMap<String, Slice>,
    servers: HashMap<String, Slice>,
    rest: Slice,
}

impl Slices {
    pub(super) fn new(policies: Vec<Policy>) -> Self {
        let policies: Arc<[Policy]> = policies.into();
        let slice = |server: &str, tool: Option<&str>| Slice::new(&policies, |policy| policy.is_about(server, tool));
        let (mut tools, mut servers) = (HashMap::new(), HashMap::new());
        for uid in policies.iter().filter_map(Policy::about) {
            let name = uid.id().unescaped();
            if uid.type_name().basename() == "Server" {
                servers.entry(name.to_owned()).or_insert_with(|| slice(name, None));
            } else if let Some((server, _)) = name.split_once(['.', ':']) {
                tools.entry(name.to_owned()).or_insert_with(|| slice(server, Some(name)));
            }
        }
        let rest = slice("", None);
        Self { policies, tools, servers, rest }
    }

    pub(super) fn policies(&self) -> &[Policy] {
        &self.policies
    }

    pub(super) fn of(&self, tool: &Tool) -> &Slice {
        self.named(tool.server(), tool.method(), tool.name())
    }

    pub(super) fn named(&self, server: &ServerName, method: Method, tool: &str) -> &Slice {
        let by_tool = || self.tools.get(&tool_id(server, method, tool));
        let by_tool = if self.tools.is_empty() { None } else { by_tool() };
        by_tool.or_else(|| self.servers.get(server.as_str())).unwrap_or(&self.rest)
    }
}

/// The policies that can concern one tool, one set for each question.
#[derive(Debug)]
pub(super) struct Slice {
    all: Arc<[Policy]>,
    call: PolicySet,
    unattended: PolicySet,
    approve: PolicySet,
    break_glass: PolicySet,
    stand_in: PolicySet,
    /// Those that decide nothing.
    observed: Vec<Policy>,
    hash: Hash,
    /// Some policy looks at the arguments, or at the time: else they need not be built.
    arguments: bool,
    /// Some policy that decides nothing looks at the arguments: the call is not refused if they are too many for it.
    watched: bool,
    now: bool,
}

impl Slice {
    fn new(all: &Arc<[Policy]>, concerned: impl Fn(&Policy) -> bool) -> Self {
        let chosen: Vec<&Policy> = all.iter().filter(|policy| concerned(policy)).collect();
        // INVARIANT: what only watches is in none of the sets that are asked for a verdict.
        let (observed, enforced): (Vec<&Policy>, Vec<&Policy>) =
            chosen.iter().copied().partition(|policy| policy.is_observed());
        let set = |action| {
            let policies = enforced.iter().filter(|policy| policy.concerns(action)).map(|policy| policy.inner.clone());
            // Ids are unique by now; should two ever collide, the empty set permits nothing.
            PolicySet::from_policies(policies).unwrap_or_default()
        };
        Self {
            all: Arc::clone(all),
            call: set("call"),
            unattended: set("call_unattended"),
            approve: set("approve"),
            break_glass: set("break_glass"),
            stand_in: set("stand_in"),
            hash: hash(&chosen),
            arguments: enforced.iter().any(|policy| policy.looks_at_arguments()),
            watched: observed.iter().any(|policy| policy.looks_at_arguments()),
            now: chosen.iter().any(|policy| policy.mentions("now")),
            observed: observed.into_iter().cloned().collect(),
        }
    }

    pub(super) fn hash(&self) -> Hash {
        self.hash
    }

    pub(super) fn looks_at_arguments(&self) -> bool {
        self.arguments
    }

    pub(super) fn watches_arguments(&self) -> bool {
        self.watched
    }

    pub(super) fn observed(&self) -> impl Iterator<Item = &Policy> {
        self.observed.iter()
    }

    pub(super) fn looks_at_time(&self) -> bool {
        self.now
    }

    pub(super) fn find(&self, id: &str) -> Option<&Policy> {
        self.all.iter().find(|policy| policy.id() == id)
    }

    pub(super) fn may_call(&self, question: &Question) -> Answer<'_> {
        self.ask(&self.call, &question.call, &question.entities)
    }

    pub(super) fn may_call_unattended(&self, question: &Question) -> Answer<'_> {
        self.ask(&self.unattended, &question.unattended, &question.entities)
    }

    pub(super) fn may_answer(&self, how: Answering, asked: &(Request, cedar_policy::Entities)) -> Answer<'_> {
        let policies = match how {
            Answering::Approve => &self.approve,
            Answering::BreakGlass => &self.break_glass,
            Answering::StandIn => &self.stand_in,
        };
        self.ask(policies, &asked.0, &asked.1)
    }

    /// What an observed policy says to each of the two questions, by itself.
    pub(super) fn alone(&self, policy: &Policy, question: &Question) -> [Says; 2] {
        let Some(alone) = &policy.alone else { return [Says::Nothing; 2] };
        [&question.call, &question.unattended].map(|request| Says::of(&self.ask(alone, request, &question.entities)))
    }

    /// What an observed policy says to whether this operator may answer so, by itself.
    pub(super) fn alone_on_answer(&self, policy: &Policy, asked: &(Request, cedar_policy::Entities)) -> Says {
        policy.alone.as_ref().map_or(Says::Nothing, |alone| Says::of(&self.ask(alone, &asked.0, &asked.1)))
    }

    /// Cedar leaves out a policy that cannot be evaluated; a `forbid` left out would be a hole, so any error is final.
    fn ask(&self, policies: &PolicySet, request: &Request, entities: &cedar_policy::Entities) -> Answer<'_> {
        let response = Authorizer::new().is_authorized(request, policies, entities);
        let errors: Vec<&str> = response.diagnostics().errors().map(policy_of).collect();
        if !errors.is_empty() {
            return Answer::Broken(self.named(&errors));
        }
        let reasons: Vec<&str> = response.diagnostics().reason().map(AsRef::as_ref).collect();
        match response.decision() {
            Decision::Allow => Answer::Yes(self.named(&reasons)),
            Decision::Deny => Answer::No(self.named(&reasons)),
        }
    }

    /// These policies, in the order they were read.
    fn named(&self, ids: &[&str]) -> Vec<&Policy> {
        self.all.iter().filter(|policy| ids.contains(&policy.id())).collect()
    }
}

fn policy_of(error: &cedar_policy::AuthorizationError) -> &str {
    match error {
        cedar_policy::AuthorizationError::PolicyEvaluationError(error) => error.policy_id().as_ref(),
    }
}

fn hash(policies: &[&Policy]) -> Hash {
    // An approval is void when a policy begins to decide, or ends to.
    let line = |policy: &&Policy| {
        let Policy { id, text, .. } = policy;
        if policy.is_observed() { format!("{:?}\n", ("observed", id, text)) } else { format!("{:?}\n", (id, text)) }
    };
    let mut lines: Vec<String> = policies.iter().map(line).collect();
    lines.sort();
    Hash::of(lines.concat().as_bytes())
}
