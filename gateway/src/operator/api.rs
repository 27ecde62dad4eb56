//! The methods that operators can call. Each that changes something records who asked for it.

use std::sync::Arc;

use audit::{Event as Recorded, MarkKind, StepRefused};
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::types::{ErrorObjectOwned, Params};
use jsonrpsee::{Methods, RpcModule};
use policies::approval::{Hold, Leeway};
use policies::{Hash, HoldId, Method, OperatorId, Role, ServerName, StepError};
use sandbox::Status;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use super::card::Card;
use super::find::find;
use super::grant::Grant;
use super::health::{BackendRow, Health, WitnessRow};
use super::people::{Caller, Claim, Needs, Person};
use super::pin::Pin;
use super::refused::Refused;
use super::rows::{Link, OperatorRow, PackageRow, Quarantine, ServerRow, ToolDiff, ToolRow, Whoami};
use super::{
    Operators, agents, delegations, events, exporters, now, observed, packages, passes, passkeys, reviews, rules, run,
    secrets, similar, staff, trail,
};
use crate::catalog::{AcceptError, Offer};
use crate::clock;
use crate::config::{Origin, Server};
use crate::console::Who;
use crate::hold::{Answer, AnswerError};
use crate::passkey::Given;

/// The longest reason: the agent is told, and it is kept in the log.
const REASON: usize = 2000;

pub(super) type Asked<T> = Result<T, Refused>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// One of whatever a method is about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    pub(super) id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Approved {
    id: String,
    /// What was seen: a hold of another deed is not approved.
    #[serde(default)]
    digest: Option<Hash>,
    #[serde(default)]
    reason: Option<String>,
    /// How far it goes beyond this call.
    #[serde(default)]
    pass: Option<Leeway>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Adding {
    name: String,
    role: Role,
    #[serde(default, deserialize_with = "uid")]
    uid: Option<u32>,
    new_pin: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pinning {
    name: String,
    new_pin: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Denied {
    id: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fresh {
    new_pin: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Joining {
    name: String,
    #[serde(default)]
    expires: Option<jiff::Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    name: String,
    /// The definition that the operator saw; another one is not accepted.
    #[serde(default)]
    hash: Option<Hash>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Packed {
    path: std::path::PathBuf,
    #[serde(default)]
    name: Option<ServerName>,
    digest: Hash,
}

/// Every method, over these.
pub(super) fn methods(operators: Operators, stop: CancellationToken) -> Result<Methods, RegisterMethodError> {
    let mut module = RpcModule::new(operators);
    readers(&mut module)?;
    changers(&mut module)?;
    staffers(&mut module)?;
    module.register_subscription(
        "holds_subscribe",
        "holds_event",
        "holds_unsubscribe",
        move |_, sink, all, extensions| {
            let stop = stop.clone();
            async move {
                let caller = extensions.get::<Caller>().cloned();
                let admitted = admitted(&all, caller.as_ref(), Needs::Read).await;
                match admitted.and(caller.ok_or(Refused::Nobody)) {
                    Ok(caller) => return events::tell(&all, &caller, sink, &stop).await,
                    Err(refused) => sink.reject(ErrorObjectOwned::from(refused)).await,
                }
                Ok(())
            }
        },
    )?;
    passkeys::register(&mut module)?;
    similar::register(&mut module)?;
    reviews::register(&mut module)?;
    delegations::register(&mut module)?;
    trail::register(&mut module)?;
    now::register(&mut module)?;
    rules::register(&mut module)?;
    observed::register(&mut module)?;
    module.register_subscription(
        "calls_run",
        "calls_event",
        "calls_leave",
        |params, sink, all, extensions| async move {
            match (admitted(&all, extensions.get::<Caller>(), Needs::Operate).await, params.parse()) {
                (Ok(by), Ok(wanted)) => run::run(&all, &by, wanted, sink).await,
                (Err(refused), _) => sink.reject(ErrorObjectOwned::from(refused)).await,
                (_, Err(error)) => sink.reject(ErrorObjectOwned::from(Refused::Params(error.to_string()))).await,
            }
        },
    )?;
    Ok(module.into())
}

pub(super) type Module = RpcModule<Operators>;

fn readers(to: &mut Module) -> Result<(), RegisterMethodError> {
    use Needs::Read;
    method(to, "whoami", Read, |all, by, Nothing {}| async move { Ok(all.whoami(by)) })?;
    method(to, "health", Read, |all, _, Nothing {}| async move { Ok(all.health().await) })?;
    method(to, "holds_list", Read, |all, _, Nothing {}| async move { Ok(events::cards(&all)) })?;
    method(to, "holds_show", Read, |all, _, asked: Which| async move { all.show(&asked.id) })?;
    method(to, "passes_list", Read, |all, _, Nothing {}| async move { Ok(passes::list(&all.audit)) })?;
    method(to, "agents_list", Read, |all, _, Nothing {}| async move { Ok(agents::list(&all.audit)) })?;
    method(to, "tools_list", Read, |all, _, Nothing {}| async move { Ok(all.tools()) })?;
    method(to, "tools_diff", Read, |all, _, asked: Named| async move { all.diff(&asked.name) })?;
    method(to, "servers_list", Read, |all, _, Nothing {}| async move { Ok(all.servers()) })?;
    method(to, "secrets_list", Read, |all, _, Nothing {}| async move { all.shelf().list() })?;
    method(to, "secrets_recipient", Read, |all, _, asked: Named| async move { all.shelf().recipient(&asked.name) })?;
    method(to, "operators_list", Read, |all, _, Nothing {}| async move { Ok(staff::list(&all.audit)) })?;
    asking(to, "console_link", Read, |all, caller, by, Nothing {}| async move { all.link(&caller, by) })
}

fn changers(to: &mut Module) -> Result<(), RegisterMethodError> {
    use Needs::{Approve, Change, Operate};
    method(to, "holds_approve", Approve, |all, by, asked: Approved| async move {
        let reason = asked.reason.as_deref().map(reason).transpose()?;
        all.answer(&asked.id, by, Answer::Approve { reason, digest: asked.digest, pass: asked.pass }).await
    })?;
    method(to, "holds_deny", Operate, |all, by, asked: Denied| async move {
        let reason = reason(&asked.reason)?;
        all.answer(&asked.id, by, Answer::Deny { reason }).await
    })?;
    method(to, "passes_revoke", Operate, |all, by, asked: Which| async move {
        passes::revoke(&all.audit, &by.id, &asked.id).await
    })?;
    method(to, "agents_add", Change, |all, by, asked: Joining| async move {
        agents::add(&all.audit, &by.id, &asked.name, asked.expires).await
    })?;
    method(to, "agents_remove", Change, |all, by, asked: Named| async move {
        agents::remove(&all.audit, &by.id, &asked.name).await
    })?;
    method(to, "tools_accept", Change, |all, by, asked: Accepted| async move { all.accept(&by, &asked).await })?;
    method(to, "packages_add", Change, |all, by, asked: Packed| async move { all.add_package(&by.id, asked).await })?;
    method(to, "packages_remove", Change, |all, by, asked: Named| async move {
        packages::remove(&all.audit, &by.id, &all.agents.config.state, &asked.name).await
    })?;
    method(to, "quarantine_lift", Change, |all, by, asked: Named| async move {
        packages::lift(&all.audit, &by.id, &asked.name).await
    })?;
    method(to, "secrets_set", Change, |all, by, asked: secrets::Setting| async move {
        all.shelf().set(&by.id, asked).await
    })?;
    method(to, "secrets_remove", Change, |all, by, asked: Named| async move {
        all.shelf().remove(&by.id, &asked.name).await
    })?;
    method(to, "secrets_revoke", Change, |all, by, asked: Named| async move {
        all.shelf().revoke(&by.id, &asked.name).await
    })?;
    method(to, "policies_reload", Change, |all, by, Nothing {}| async move { all.reload(by.id).await })
}

fn staffers(to: &mut Module) -> Result<(), RegisterMethodError> {
    use Needs::{Govern, Own};
    method(to, "operators_add", Govern, |all, by, asked: Adding| async move { all.add_operator(&by, asked).await })?;
    method(to, "operators_remove", Govern, |all, by, asked: Named| async move {
        staff::remove(&all.audit, &by.id, &asked.name).await
    })?;
    asking(to, "operators_pin", Govern, |all, caller, by, asked: Pinning| async move {
        all.set_pin(&caller, &by.id, &asked.name, asked.new_pin).await
    })?;
    // With the old one, in the same request.
    asking(to, "pin_change", Own, |all, caller, by, asked: Fresh| async move {
        all.set_pin(&caller, &by.id, by.id.as_str(), asked.new_pin).await
    })
}

/// Registers a method that knows who asks, what for, and what that takes.
pub(super) fn method<P, T, Run, Done>(
    module: &mut Module,
    name: &'static str,
    needs: Needs,
    run: Run,
) -> Result<(), RegisterMethodError>
where
    P: DeserializeOwned + Send,
    T: Serialize + Send + Clone + 'static,
    Run: Fn(Arc<Operators>, Person, P) -> Done + Send + Sync + Clone + 'static,
    Done: Future<Output = Asked<T>> + Send,
{
    asking(module, name, needs, move |operators, _, by, asked| run(operators, by, asked))
}

/// Registers a method that knows where the request came from, too.
pub(super) fn asking<P, T, Run, Done>(
    module: &mut Module,
    name: &'static str,
    needs: Needs,
    run: Run,
) -> Result<(), RegisterMethodError>
where
    P: DeserializeOwned + Send,
    T: Serialize + Send + Clone + 'static,
    Run: Fn(Arc<Operators>, Caller, Person, P) -> Done + Send + Sync + Clone + 'static,
    Done: Future<Output = Asked<T>> + Send,
{
    module.register_async_method(name, move |params, operators, extensions| {
        let run = run.clone();
        async move {
            let caller = extensions.get::<Caller>().cloned().ok_or(Refused::Nobody)?;
            let (mut claim, given, asked) = claimed(&params)?;
            let nonce = given.as_ref().and_then(Given::nonce);
            if let Some(given) = given {
                claim.signed = Some(Box::new(operators.signed(name, &caller, given, &asked)?));
            }
            let admitted = operators.people.admit(&caller, claim, needs).await;
            let by = match admitted {
                Ok(by) => by,
                Err(refused) => return Err(operators.turned_away(name, None, refused).await.into()),
            };
            if let (Some(_), Some(nonce)) = (&by.signed, nonce) {
                operators.answered(&caller, &nonce)?;
            }
            let (who, theirs) = (by.id.clone(), Arc::new(operators.by(&by)));
            match run(theirs, caller, by, parsed(asked)?).await {
                Ok(done) => Ok::<_, ErrorObjectOwned>(done),
                Err(refused) => Err(operators.turned_away(name, Some(&who), refused).await.into()),
            }
        }
    })?;
    Ok(())
}

async fn admitted(operators: &Operators, caller: Option<&Caller>, needs: Needs) -> Asked<Person> {
    let caller = caller.ok_or(Refused::Nobody)?;
    operators.people.admit(caller, Claim::default(), needs).await
}

pub(super) type Members = serde_json::Map<String, serde_json::Value>;

/// Who it says it is, what a passkey signed, and the rest of the parameters. No parameters are an empty object.
fn claimed(params: &Params<'_>) -> Asked<(Claim, Option<Given>, Members)> {
    let text = params.as_str().filter(|text| *text != "[]").unwrap_or("{}");
    let mut members: Members = serde_json::from_str(text).map_err(|error| Refused::Params(error.to_string()))?;
    let mut text = |name: &str| match members.remove(name) {
        None => Ok(None),
        Some(serde_json::Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refused::Params(format!("`{name}` must be a string"))),
    };
    let claim = Claim { name: text("as")?, pin: text("pin")?.map(Pin::typed), signed: None };
    let given = members.remove("assertion").map(serde_json::from_value).transpose();
    let given = given.map_err(|error| Refused::Params(format!("`assertion`: {error}")))?;
    Ok((claim, given, members))
}

pub(super) fn parsed<P: DeserializeOwned>(members: Members) -> Asked<P> {
    serde_json::from_value(members.into()).map_err(|error| Refused::Params(error.to_string()))
}

/// A number, or the same as text: the command line's parameters are all text.
fn uid<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    let uid = value.as_u64().and_then(|uid| u32::try_from(uid).ok());
    let uid = uid.or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    uid.map(Some).ok_or_else(|| serde::de::Error::custom("a uid is a number"))
}

pub(super) fn reason(reason: &str) -> Asked<String> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(Refused::Params("the reason is empty: whoever reads it can do better with one".into()));
    }
    if reason.len() > REASON {
        return Err(Refused::Params(format!("the reason is longer than {REASON} bytes")));
    }
    Ok(reason.to_owned())
}

impl Operators {
    /// What one request sees. INVARIANT: what a method writes through its log is refused unless whoever asks is still who was let in.
    fn by(&self, person: &Person) -> Self {
        Self { audit: self.audit.by(Some(&person.author)), ..self.clone() }
    }

    async fn health(&self) -> Health {
        let exporters = exporters::rows(self).await;
        let tools = self.catalog.tools();
        let offered = tools.iter().filter(|offer| offer.status == "offered").count();
        let log = self.audit.healthy().map_or_else(|error| error.to_string(), |()| "ok".to_owned());
        Health {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            log,
            holds: events::cards(self).len(),
            liveness: self.liveness.state(),
            observed: observed::warnings(&self.agents.calls.policies.current()),
            quorums: self.holds.unreachable(),
            offered,
            withheld: tools.len() - offered,
            witnesses: self.witnesses.list().into_iter().map(WitnessRow::from).collect(),
            backends: self.agents.calls.vault.answers().into_iter().map(BackendRow::from).collect(),
            exporters,
        }
    }

    fn shelf(&self) -> secrets::Shelf<'_> {
        secrets::Shelf { vault: &self.agents.calls.vault, audit: &self.audit }
    }

    fn show(&self, given: &str) -> Asked<Card> {
        let id = find(&self.holds.list(), given)?;
        let hold = self.hold(&id).ok_or_else(|| unknown_hold(&id))?;
        Ok(self.card(&hold).with(self.holds.arguments(&id).as_ref()))
    }

    fn hold(&self, id: &HoldId) -> Option<Hold> {
        self.holds.get(id).or_else(|| self.holds.stored(id))
    }

    async fn answer(&self, given: &str, by: Person, answer: Answer) -> Asked<Card> {
        let id = find(&self.holds.list(), given)?;
        match self.holds.answer(&id, &by, answer).await {
            Ok(hold) => Ok(self.told(&hold)),
            Err(error) => Err(self.refused_answer(id, by, error).await),
        }
    }

    /// Records an answer that had no effect, and says why. Of whom there is no more, all that they asked for is.
    pub(super) async fn refused_answer(&self, id: HoldId, by: Person, error: AnswerError) -> Refused {
        let refused = self.unanswered(&id, &error);
        if !matches!(refused, Refused::Gone) {
            let event = Recorded::AnswerRefused { by: by.id, hold: id, reason: error.to_string() };
            if let Err(error) = self.audit.by(None).note(event, clock::now()).await {
                tracing::error!(%error, "a refused answer could not be recorded");
            }
        }
        refused
    }

    fn unanswered(&self, id: &HoldId, error: &AnswerError) -> Refused {
        let now = self.hold(id).map(|hold| Card::of(&hold).next);
        let state = |next: Option<String>, otherwise: &str| Refused::State {
            what: error.to_string(),
            next: next.unwrap_or_else(|| otherwise.to_owned()),
        };
        match error {
            AnswerError::Unknown(_) if now.is_none() => unknown_hold(id),
            AnswerError::NotAllowed { next, .. } => {
                state(next.clone(), "another operator must answer it, or a policy must permit you to approve it")
            }
            AnswerError::Pass(_) | AnswerError::Secret(_) => {
                state(None, "narrow it, or approve this call alone: nothing was approved")
            }
            AnswerError::Another(_) => state(None, "read it again: portcullis holds show"),
            AnswerError::Refused(StepRefused::Audit(error)) => (*error).into(),
            AnswerError::Refused(StepRefused::Step(step @ StepError::NoGlass)) => {
                Refused::State { what: step.to_string(), next: "approve it: portcullis holds approve".to_owned() }
            }
            AnswerError::Refused(StepRefused::Step(
                step @ (StepError::ApprovedAlready { .. }
                | StepError::OnePerson { .. }
                | StepError::NoDelegation
                | StepError::NoOperator { .. }
                | StepError::NotOfRole(_)
                | StepError::NoRole),
            )) => Refused::State { what: step.to_string(), next: "somebody else has to approve it".to_owned() },
            AnswerError::Refused(StepRefused::Step(step @ StepError::NoPasskey { .. })) => Refused::State {
                what: step.to_string(),
                next: "answer again, with a passkey that you still have or with your PIN".to_owned(),
            },
            AnswerError::Unknown(_) | AnswerError::Refused(_) => {
                state(now, "`portcullis log list` shows what became of it")
            }
        }
    }

    /// Who was turned away for what they are is recorded, but a loop of theirs must not fill the disk; that a PIN is needed, or was
    /// wrong, is told elsewhere. So is recorded who is not who was let in any more (`asked`).
    async fn turned_away(&self, method: &str, asked: Option<&OperatorId>, refused: Refused) -> Refused {
        let gone = matches!(refused, Refused::Gone);
        let who = if let Refused::Role { who, .. } = &refused { Some(who) } else { asked.filter(|_| gone) };
        if let Some(who) = who
            && let Some(action) = self.people.refusal(&format!("was refused {method}: {refused}"))
        {
            let event = Recorded::OperatorSeen { by: who.clone(), action };
            if let Err(error) = self.audit.note(event, clock::now()).await {
                tracing::error!(%error, "a refused operator could not be recorded");
            }
        }
        refused
    }

    fn whoami(&self, by: Person) -> Whoami {
        Whoami { pin: by.is_added(), name: by.id, role: by.role, people: self.people.count() }
    }

    /// The kernel says who it is. A session makes no further one: it would never end, and outlive its own sign-out.
    fn link(&self, caller: &Caller, by: Person) -> Asked<Link> {
        if matches!(caller, Caller::Session(_)) {
            return Err(Refused::State {
                what: "a session of the console signs nobody in".to_owned(),
                next: "on the gateway's machine: portcullis console".to_owned(),
            });
        }
        let who = Who::person(&by);
        if by.is_added() && !who.stands(&self.audit.operators()) {
            return Err(Refused::Gone);
        }
        let front = self.console.as_ref().ok_or(Refused::NoConsole)?;
        Ok(Link { url: front.link(who, by.proved), name: by.id, role: by.role })
    }

    /// Sets a PIN. It ends every session of its operator, since one may be that of who knew the old one, but for the session that
    /// asks: that one has proved who it is just now.
    async fn set_pin(&self, caller: &Caller, by: &OperatorId, name: &str, pin: String) -> Asked<OperatorRow> {
        let changed = staff::set_pin(&self.audit, by, name, pin).await?;
        if let (Caller::Session(session), Some(operator)) = (caller, self.audit.operator(&changed.name)) {
            session.set_pin(&operator);
        }
        Ok(changed)
    }

    async fn add_operator(&self, by: &Person, asked: Adding) -> Asked<OperatorRow> {
        let Adding { name, role, uid, new_pin } = asked;
        let added = staff::add(&self.audit, &by.id, staff::Joining { name, role, uid, pin: new_pin }).await?;
        if self.people.are_elsewhere()
            && let Err(error) = super::open_to_all(&self.agents.config.state)
        {
            tracing::error!(%error, "the operators' socket could not be opened to others");
        }
        Ok(added)
    }

    fn tools(&self) -> Vec<ToolRow> {
        self.catalog.tools().into_iter().map(ToolRow::from).collect()
    }

    fn servers(&self) -> Vec<ServerRow> {
        let shown = self.agents.config.servers.iter().filter(|(_, server)| server.origin != Origin::Hidden);
        shown.map(|(name, server)| self.server(name, server)).collect()
    }

    fn server(&self, name: &ServerName, server: &Server) -> ServerRow {
        let state = self.agents.calls.sandbox.server(name);
        let (status, why) = match state.map(|state| state.status) {
            Some(Status::Ready(_)) => ("ready", None),
            Some(Status::Starting) => ("starting", None),
            Some(Status::Down { why, .. }) => ("down", Some(why)),
            None => ("down", Some("it is not configured any more".to_owned())),
        };
        let quarantine = self.audit.mark(MarkKind::Quarantine, name);
        ServerRow {
            name: name.to_string(),
            kind: server.reach.kind().to_string(),
            status: status.to_owned(),
            why,
            version: server.reach.package().and_then(|package| package.manifest().version.clone()),
            grant: server.reach.resources().map(|resources| Grant::of(resources)),
            quarantine: quarantine.map(|mark| Quarantine { tool: mark.value, since: mark.at }),
        }
    }

    async fn add_package(&self, by: &OperatorId, asked: Packed) -> Asked<PackageRow> {
        let Packed { path, name, digest } = asked;
        if !path.is_absolute() {
            return Err(Refused::Params("the package's path must be whole".into()));
        }
        let state = &self.agents.config.state;
        packages::add(&self.audit, by, state, packages::Adding { path, name, digest }).await
    }

    fn diff(&self, name: &str) -> Asked<ToolDiff> {
        let offer = self.catalog.tools().into_iter().find(|offer| offer.shown_name == name);
        let offer = offer.ok_or_else(|| unknown_tool(name))?;
        let pin = self.audit.pin(&offer.server, Method::CallTool, &offer.name);
        let Some((pin, pending)) = pin.and_then(|pin| pin.pending.clone().map(|pending| (pin, pending))) else {
            return Err(nothing_to_accept(name));
        };
        let raw = |value: &policies::Value| RawValue::from_string(value.to_string());
        let (pinned, now) =
            raw(&pin.definition).and_then(|pinned| Ok((pinned, raw(&pending.definition)?))).map_err(|_| {
                Refused::State {
                    what: format!("the definition of `{name}` cannot be shown"),
                    next: "see the gateway's log".into(),
                }
            })?;
        Ok(ToolDiff { name: name.to_owned(), pinned, now, hash: pending.hash })
    }

    async fn accept(&self, by: &Person, asked: &Accepted) -> Asked<Vec<String>> {
        if let Some(seen) = asked.hash {
            // Between the diff and the answer a server may change its mind: what was not read is not accepted.
            if self.diff(&asked.name)?.hash != seen {
                return Err(Refused::State {
                    what: format!("`{}` changed again since it was shown", asked.name),
                    next: format!("read it again: portcullis tools diff {}", asked.name),
                });
            }
        }
        self.catalog.accept(&asked.name, asked.hash, by).await.map_err(|error| match error {
            AcceptError::Audit(error) => error.into(),
            AcceptError::Nothing(_) => nothing_to_accept(&asked.name),
        })
    }

    async fn reload(&self, by: OperatorId) -> Asked<String> {
        let event = Recorded::OperatorSeen { by, action: "reload policies".into() };
        self.audit.note(event, clock::now()).await?;
        (self.reload)().map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Refused::State {
                what: format!("nothing changed; the policies have problems:\n{}", problems.join("\n")),
                next: "mend them, and check before the next try: portcullis check".into(),
            }
        })
    }
}

fn unknown_hold(id: &HoldId) -> Refused {
    Refused::Unknown { what: "hold", name: id.to_string(), next: "`portcullis holds list` shows the open ones" }
}

fn unknown_tool(name: &str) -> Refused {
    Refused::Unknown { what: "tool", name: name.to_owned(), next: "`portcullis tools list` shows every tool" }
}

fn nothing_to_accept(name: &str) -> Refused {
    Refused::Unknown {
        what: "changed tool or server",
        name: name.to_owned(),
        next: "`portcullis tools list` shows what changed and waits to be accepted",
    }
}

impl From<Offer> for ToolRow {
    fn from(offer: Offer) -> Self {
        Self {
            name: offer.shown_name,
            server: offer.server.to_string(),
            tool: offer.name,
            status: offer.status.to_owned(),
            why: offer.why,
            hash: offer.hash.map(|hash| hash.to_string()),
        }
    }
}
