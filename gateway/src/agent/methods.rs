//! The method table: every method that an agent can call, dispatched by jsonrpsee's `RpcModule`.

use std::future::Future;
use std::sync::Arc;

use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::core::server::MethodCallback;
use jsonrpsee::server::{Extensions, Methods, RpcModule};
use jsonrpsee::types::{ErrorObjectOwned, Id, Params};
use policies::{Object, Value};
use sandbox::{Era, Listing};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Agents;
use super::asked::Asked;
use crate::answer::{NO_METHOD, RpcError};

/// Methods of 2026-07-28 alone.
const MODERN: [&str; 5] = ["server/discover", "subscriptions/listen", "tasks/get", "tasks/update", "tasks/cancel"];

/// Methods of the versions before.
const LEGACY: [&str; 5] = ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"];

type Answered = Result<Value, RpcError>;

#[derive(Clone)]
struct Request(Arc<Agents>, Arc<Asked>);

/// The method table.
///
/// # Errors
/// If a method is registered twice.
pub fn table() -> Result<Methods, RegisterMethodError> {
    let mut module = RpcModule::new(());
    add(&mut module, "tools/call", |on, asked| async move {
        let answer = on.call_tool(&asked).await;
        asked.told(&answer);
        answer
    })?;
    add(&mut module, "resources/read", |on, asked| async move { on.read_resource(&asked).await })?;
    add(&mut module, "prompts/get", |on, asked| async move { on.get_prompt(&asked).await })?;
    add(&mut module, "completion/complete", |on, asked| async move { on.complete(&asked).await })?;
    add(&mut module, "tools/list", |on, asked| async move { Ok(on.list(&asked, Listing::Tools).await) })?;
    add(&mut module, "prompts/list", |on, asked| async move { Ok(on.list(&asked, Listing::Prompts).await) })?;
    add(&mut module, "resources/list", |on, asked| async move { Ok(on.list(&asked, Listing::Resources).await) })?;
    add(
        &mut module,
        "resources/templates/list",
        |on, asked| async move { Ok(on.list(&asked, Listing::Templates).await) },
    )?;
    add(&mut module, "server/discover", |on, asked| async move { Ok(on.discover(&asked)) })?;
    add(&mut module, "subscriptions/listen", |on, asked| async move { on.listen(&asked).await })?;
    add(&mut module, "tasks/get", |on, asked| async move { on.get_task(&asked).await })?;
    add(&mut module, "tasks/update", |on, asked| async move { on.update_task(&asked).await })?;
    add(&mut module, "tasks/cancel", |on, asked| async move { on.cancel_task(&asked).await })?;
    add(&mut module, "initialize", |on, asked| async move {
        let (result, session) = on.initialize(&asked)?;
        asked.greet(session);
        Ok(result)
    })?;
    add(&mut module, "ping", |_, _| async { Ok(Object::new().into()) })?;
    add(&mut module, "logging/setLevel", |on, asked| async move { on.set_level(&asked) })?;
    add(&mut module, "resources/subscribe", |on, asked| async move { on.subscribe(&asked).await })?;
    add(&mut module, "resources/unsubscribe", |on, asked| async move { on.unsubscribe(&asked) })?;
    Ok(module.into())
}

/// What a method answered.
pub struct Reply {
    /// The whole JSON-RPC message.
    pub message: String,
    /// The error's code, if it is one.
    pub code: Option<i32>,
}

/// Finds the method, runs it, and puts the agent's id to what it answers.
pub async fn dispatch(agents: Arc<Agents>, asked: Arc<Asked>) -> Reply {
    let other_era: &[&str] = if asked.era == Era::Modern { &LEGACY } else { &MODERN };
    let method = asked.method.as_str();
    let known = agents.methods.method(method).filter(|_| !other_era.contains(&method)).cloned();
    let Some(MethodCallback::Async(callback)) = known else {
        let error = RpcError::new(NO_METHOD, "there is no such method in this version of the protocol");
        return Reply { message: error.to_message(Some(&asked.id)).to_string(), code: Some(NO_METHOD) };
    };
    let mut extensions = Extensions::new();
    extensions.insert(Request(agents, Arc::clone(&asked)));
    // jsonrpsee's ids are unsigned or strings; the agent's id, which may be negative, is put in below.
    let response = callback(Id::Number(0), Params::new(None), 0_u32.into(), usize::MAX, extensions).await;
    let parts: Parts<'_> = serde_json::from_str(response.as_json().get()).unwrap_or_default();
    let id = asked.id.value();
    let message = match (parts.result, parts.error) {
        (Some(result), None) => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{}}}"#, result.get()),
        (_, Some(error)) => format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{}}}"#, error.get()),
        (None, None) => {
            RpcError::new(INTERNAL, "the answer could not be written").to_message(Some(&asked.id)).to_string()
        }
    };
    Reply { message, code: response.as_error_code() }
}

/// A response in its parts, unread.
#[derive(Default, Deserialize)]
struct Parts<'a> {
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

const INTERNAL: i32 = -32603;

fn add<Fun, Fut>(module: &mut RpcModule<()>, name: &'static str, method: Fun) -> Result<(), RegisterMethodError>
where
    Fun: Fn(Arc<Agents>, Arc<Asked>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Answered> + Send + 'static,
{
    module.register_async_method(name, move |_, _, extensions| {
        let request = extensions.get::<Request>().cloned();
        let method = method.clone();
        async move {
            match request {
                Some(Request(agents, asked)) => method(agents, asked).await.map_err(ErrorObjectOwned::from),
                None => Err(RpcError::new(INTERNAL, "no request").into()),
            }
        }
    })?;
    Ok(())
}
