//! How a method is asked: by whom, with which proof, and for no more than that allows.

use std::sync::Arc;

use audit::Event as Recorded;
use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::types::{ErrorObjectOwned, Params};
use policies::OperatorId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Operators;
use super::people::{Caller, Claim, Needs, Person};
use super::pin::Pin;
use super::refused::Refused;
use crate::clock;
use crate::passkey::Given;

pub(super) type Asked<T> = Result<T, Refused>;

pub(super) type Module = RpcModule<Operators>;

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

pub(super) async fn admitted(operators: &Operators, caller: Option<&Caller>, needs: Needs) -> Asked<Person> {
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

impl Operators {
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
}
