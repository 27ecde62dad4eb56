//! `Question`: a call in Cedar's terms. Built from values, not from JSON text: this is on every call's path.

use std::collections::HashSet;
use std::sync::LazyLock;

use cedar_policy::{Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression};

use super::slice::{Policy, Slice};
use super::{Assessment, Circumstances};
use crate::approval::{Approver, Hold};
use crate::call::{Call, Method, ServerName, Tool};
use crate::canon::Value;
use crate::facts::{Facts, Money, Verb};

/// A call put to the policies.
pub(super) struct Question {
    pub(super) call: Request,
    pub(super) unattended: Request,
    pub(super) entities: Entities,
    /// There are more argument values than the policies that only watch can be asked about.
    short: bool,
}

/// What the policies say, with those that determined it.
pub(super) enum Answer<'a> {
    Yes(Vec<&'a Policy>),
    /// The forbids; none if there is only no permit.
    No(Vec<&'a Policy>),
    /// The policies that could not be evaluated.
    Broken(Vec<&'a Policy>),
}

impl Answer<'_> {
    pub(super) fn ids(&self) -> Vec<String> {
        match self {
            Self::Yes(policies) | Self::No(policies) | Self::Broken(policies) => {
                policies.iter().map(|policy| policy.id().to_owned()).collect()
            }
        }
    }
}

/// Argument values that policies can look at. More are refused where a policy looks at any: it must not miss one.
const ARGUMENTS: usize = 4096;

/// The name of a tool in policies. A server's name holds neither `.` nor `:`, so no tool can pass for another server's,
/// nor for a request that is not a tool's.
pub(crate) fn tool_id(server: &ServerName, method: Method, tool: &str) -> String {
    match method {
        Method::CallTool => format!("{server}.{tool}"),
        Method::ReadResource | Method::GetPrompt | Method::Complete => format!("{server}:{}", method.as_str()),
    }
}

impl Question {
    /// `None` if the call cannot be put to the policies; it must then be denied.
    pub(super) fn new(call: &Call, assessment: &Assessment, around: &Circumstances<'_>, slice: &Slice) -> Option<Self> {
        let tool = uid(&NAMES.tool, &tool_id(call.tool().server(), call.tool().method(), call.tool().name()));
        let arguments = uid(&NAMES.arguments, "");
        let mut entities = vec![tool_entity(tool.clone(), call.tool())?];
        let tagged = || Entity::new_with_tags(arguments.clone(), [], [], tags(call.arguments())?).ok();
        let mut short = false;
        if slice.looks_at_arguments() {
            entities.push(tagged()?);
        } else if slice.watches_arguments() {
            // What only watches must not have a call refused.
            let tagged = tagged();
            short = tagged.is_none();
            entities.extend(tagged);
        }
        let mut context = described(assessment);
        context.extend(surrounding(around, assessment));
        context.push(("sandbox", string(sandbox(call.tool()))));
        context.push(("arguments", RestrictedExpression::new_entity_uid(arguments)));
        if slice.looks_at_time() {
            let now = around.now.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
            context.push(("now", RestrictedExpression::new_datetime(now)));
        }
        let context = Context::from_pairs(context.into_iter().map(|(name, value)| (name.to_owned(), value))).ok()?;
        let agent = uid(&NAMES.agent, call.agent().as_str());
        let request =
            |action: &EntityUid, context| Request::new(agent.clone(), action.clone(), tool.clone(), context, None).ok();
        Some(Self {
            call: request(&NAMES.call, context.clone())?,
            unattended: request(&NAMES.call_unattended, context)?,
            entities: Entities::from_entities(entities, None).ok()?,
            short,
        })
    }

    pub(super) fn is_short(&self) -> bool {
        self.short
    }
}

/// What an operator wants to do to a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answering {
    Approve,
    BreakGlass,
    StandIn,
}

/// The question whether this operator may answer this hold so.
pub(super) fn answering(how: Answering, approver: &Approver<'_>, hold: &Hold) -> Option<(Request, Entities)> {
    let principal = uid(&NAMES.operator, approver.operator.as_str());
    let parents = HashSet::from([uid(&NAMES.role, approver.role.as_str())]);
    let context = [
        ("risk", string(hold.risk().as_str())),
        ("level", RestrictedExpression::new_long(hold.risk().level())),
        ("agent", RestrictedExpression::new_entity_uid(uid(&NAMES.agent, hold.agent().as_str()))),
        ("own", RestrictedExpression::new_bool(owns(approver, hold))),
        ("required", RestrictedExpression::new_long(i64::from(hold.required()))),
        ("people", RestrictedExpression::new_long(i64::try_from(approver.people).unwrap_or(i64::MAX))),
        ("by", string(approver.by.as_str())),
        ("keyed", RestrictedExpression::new_bool(approver.passkeys > 0)),
        ("reasoned", RestrictedExpression::new_bool(approver.reasoned)),
        ("pass", RestrictedExpression::new_bool(approver.pass)),
    ];
    let context = Context::from_pairs(context.map(|(name, value)| (name.to_owned(), value))).ok()?;
    let tool = uid(&NAMES.tool, &tool_id(hold.server(), hold.method(), hold.tool()));
    let server = HashSet::from([uid(&NAMES.server, hold.server().as_str())]);
    let entities = [Entity::new_no_attrs(principal.clone(), parents), Entity::new_no_attrs(tool.clone(), server)];
    let action = match how {
        Answering::Approve => NAMES.approve.clone(),
        Answering::BreakGlass => NAMES.break_glass.clone(),
        Answering::StandIn => NAMES.stand_in.clone(),
    };
    let request = Request::new(principal, action, tool, context, None).ok()?;
    Some((request, Entities::from_entities(entities, None).ok()?))
}

/// Whether the call is of an agent that acts for whoever asks.
pub(super) fn owns(approver: &Approver<'_>, hold: &Hold) -> bool {
    let named = hold.agent().as_str().strip_prefix("operator:");
    approver.own || named.is_some_and(|name| name.eq_ignore_ascii_case(approver.operator.as_str()))
}

/// What keeps the tool from what it was not granted.
fn sandbox(tool: &Tool) -> &'static str {
    tool.standing().profile.resources().map_or("remote", |resources| resources.sandbox.as_str())
}

type Pairs = Vec<(&'static str, RestrictedExpression)>;

fn described(assessment: &Assessment) -> Pairs {
    let facts = &assessment.facts;
    let mut pairs = vec![
        ("risk", string(assessment.risk.as_str())),
        ("level", RestrictedExpression::new_long(assessment.risk.level())),
        ("reasons", set(assessment.reasons.iter().map(|reason| reason.id))),
        ("verb", string(verb(facts.verb))),
        ("destinations", set(facts.destinations.iter().map(|destination| destination.host.as_str()))),
        ("recipients", set(facts.recipients.iter().map(|recipient| recipient.who.as_str()))),
        ("paths", set(facts.paths.iter().map(|path| path.path.as_str()))),
        ("programs", set(facts.shell.iter().flat_map(|shell| &shell.programs).map(String::as_str))),
        ("statements", set(facts.sql.iter().flat_map(|sql| &sql.statements).copied())),
        ("tables", set(facts.sql.iter().flat_map(|sql| &sql.tables).map(String::as_str))),
        ("egress", RestrictedExpression::new_bool(facts.egress)),
        ("open_world", RestrictedExpression::new_bool(facts.open_world)),
        ("secret_in_arguments", RestrictedExpression::new_bool(facts.secret_in_arguments)),
        ("reads", legs(facts.reads.untrusted(), facts.reads.sensitive())),
    ];
    pairs.extend(money(facts).map(|money| ("money", money)));
    pairs
}

fn surrounding(around: &Circumstances<'_>, assessment: &Assessment) -> Pairs {
    let session = around.session.facts();
    vec![
        ("session", legs(session.untrusted, session.sensitive)),
        ("tainted", set(assessment.provenance.untrusted().map(|(pointer, _)| pointer))),
        ("first_use", RestrictedExpression::new_bool(around.first_use)),
        ("undeclared", RestrictedExpression::new_bool(around.undeclared)),
        ("anomaly", RestrictedExpression::new_bool(around.anomaly)),
    ]
}

fn money(facts: &Facts) -> Option<RestrictedExpression> {
    let Money { amount, currency, payee } = facts.money.as_ref()?;
    let amount =
        amount.as_deref().and_then(whole_units).map(|amount| ("amount", RestrictedExpression::new_long(amount)));
    let currency = currency.as_deref().map(|currency| ("currency", string(currency)));
    let payee = payee.as_deref().map(|payee| ("payee", string(payee)));
    record(amount.into_iter().chain(currency).chain(payee))
}

fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Read => "read",
        Verb::Interact => "interact",
        Verb::Keep => "keep",
        Verb::Write => "write",
        Verb::Operate => "operate",
        Verb::Unknown => "unknown",
        Verb::Send => "send",
        Verb::Invite => "invite",
        Verb::Grant => "grant",
        Verb::Overwrite => "overwrite",
        Verb::Delete => "delete",
        Verb::Pay => "pay",
        Verb::Identity => "identity",
        Verb::Govern => "govern",
        Verb::Execute => "execute",
    }
}

/// Rounded up, so that 100.01 is not within 100; without its sign, so that -100 is not within 50.
pub(super) fn whole_units(amount: &str) -> Option<i64> {
    let amount = amount.trim().trim_start_matches(['-', '+']);
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let rest = i64::from(fraction.bytes().any(|byte| byte != b'0'));
    let digits = whole.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| whole.parse::<i64>().ok()?.checked_add(rest)).flatten()
}

fn tool_entity(id: EntityUid, tool: &Tool) -> Option<Entity> {
    let attributes = [
        ("name", string(tool.name())),
        ("method", string(tool.method().as_str())),
        ("pinned", RestrictedExpression::new_bool(tool.standing().pinned)),
        ("vouched", RestrictedExpression::new_bool(tool.standing().vouched)),
    ];
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
    Entity::new(id, attributes, HashSet::from([uid(&NAMES.server, tool.server().as_str())])).ok()
}

fn tags(arguments: &Value) -> Option<Vec<(String, RestrictedExpression)>> {
    let mut tags = Vec::new();
    arguments.walk(&mut |pointer, value| {
        let text = match value {
            Value::String(text) => text.as_str(),
            Value::Number(number) => number.as_str(),
            Value::Bool(true) => "true",
            Value::Bool(false) => "false",
            Value::Null => "null",
            Value::Array(_) | Value::Object(_) => return,
        };
        if tags.len() <= ARGUMENTS {
            tags.push((pointer.to_owned(), string(text)));
        }
    });
    (tags.len() <= ARGUMENTS).then_some(tags)
}

fn legs(untrusted: bool, sensitive: bool) -> RestrictedExpression {
    let legs = [("untrusted", untrusted), ("sensitive", sensitive)];
    let legs = legs.map(|(name, value)| (name, RestrictedExpression::new_bool(value)));
    // Two distinct names make a record; were they not, policies that read it would fail, and with them the call.
    record(legs).unwrap_or_else(|| RestrictedExpression::new_bool(true))
}

fn record(fields: impl IntoIterator<Item = (&'static str, RestrictedExpression)>) -> Option<RestrictedExpression> {
    RestrictedExpression::new_record(fields.into_iter().map(|(name, value)| (name.to_owned(), value))).ok()
}

fn set<'a>(texts: impl Iterator<Item = &'a str>) -> RestrictedExpression {
    RestrictedExpression::new_set(texts.map(string))
}

fn string(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

/// Names that the schema declares, parsed once.
struct Names {
    agent: EntityTypeName,
    operator: EntityTypeName,
    role: EntityTypeName,
    server: EntityTypeName,
    tool: EntityTypeName,
    arguments: EntityTypeName,
    call: EntityUid,
    call_unattended: EntityUid,
    approve: EntityUid,
    break_glass: EntityUid,
    stand_in: EntityUid,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "a constant identifier; every test of a decision holds it")]
    let kind = |name: &str| -> EntityTypeName { name.parse().expect("an identifier is a type's name") };
    let action = kind("Action");
    Names {
        agent: kind("Agent"),
        operator: kind("Operator"),
        role: kind("Role"),
        server: kind("Server"),
        tool: kind("Tool"),
        arguments: kind("Arguments"),
        call: uid(&action, "call"),
        call_unattended: uid(&action, "call_unattended"),
        approve: uid(&action, "approve"),
        break_glass: uid(&action, "break_glass"),
        stand_in: uid(&action, "stand_in"),
    }
});
