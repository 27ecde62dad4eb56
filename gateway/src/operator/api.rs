//! The methods that operators can call. Each that changes something records who asked for it.

use audit::Event as Recorded;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::types::ErrorObjectOwned;
use jsonrpsee::{Methods, RpcModule};
use policies::OperatorId;
use tokio_util::sync::CancellationToken;

use super::health::{BackendRow, Health, WitnessRow};
use super::method::{Asked, Module, admitted, asking, method};
use super::params::{
    Accepted, Adding, Approved, Denied, Fresh, Joining, Named, Nothing, Packed, Pinning, Which, reason,
};
use super::people::{Caller, Needs, Person};
use super::refused::Refused;
use super::rows::{Link, OperatorRow, Whoami};
use super::{
    Operators, agents, delegations, events, exporters, now, observed, packages, passes, passkeys, reviews, rules, run,
    secrets, similar, staff, trail,
};
use crate::clock;
use crate::console::Who;
use crate::hold::Answer;

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

impl Operators {
    /// What one request sees. INVARIANT: what a method writes through its log is refused unless whoever asks is still who was let in.
    pub(super) fn by(&self, person: &Person) -> Self {
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
