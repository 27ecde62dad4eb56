//! `Guest`: a component that is compiled, linked and described: everything that can be done once. A call makes an instance of it.

use std::path::Path;
use std::sync::Arc;

use audit::{Failure, FailureKind};
use policies::{Call, Limits as JsonLimits, Method, Object, ServerName, Value};
use tokio::sync::broadcast;
use vault::Placer;
use wasmtime::Engine;
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, ComponentType, InstancePre, Lift, Lower,
};
use wasmtime_wasi::WasiCtxBuilder;

use super::cache::Cache;
use super::engine::{Ticking, engine};
use super::host::{Listener, Seen, State, linker};
use super::shelf::Shelf;
use super::stdio::Stdio;
use super::{binary, ending};
use crate::config::WasmSource;
use crate::egress::Exit;
use crate::instance::hand;
use crate::limits::Limits;
use crate::line::{Era, Line};
use crate::mcp::{Passenger, Reply};
use crate::server::{Change, Greeting};
use policies::profile::Resources;

/// A component that is ready to be called.
pub(crate) struct Guest {
    pub(super) server: ServerName,
    pub(super) engine: &'static Engine,
    pub(super) pre: InstancePre<State>,
    pub(super) resources: Arc<Resources>,
    pub(super) limits: Limits,
    environment: Vec<(String, String)>,
    speaks: Speaks,
}

/// What a component is spoken to in.
enum Speaks {
    /// The world of `sandbox/wit/tool.wit`.
    World { entrances: Entrances, greeting: Greeting, tools: Vec<Value> },
    /// MCP over standard streams.
    Stdio(Stdio),
}

/// The exports of the world.
#[derive(Clone, Copy)]
struct Entrances {
    describe: ComponentExportIndex,
    call: ComponentExportIndex,
}

/// What a guest is asked.
pub(super) enum Asked<'a> {
    /// To run a recorded call.
    Call(&'a Call, &'a Line),
    /// Anything else.
    Plain(&'static str, &'a Object),
}

/// What is around one instance.
#[derive(Default)]
pub(super) struct Surround {
    /// Its way out, opened; without one there is none, and no folder either.
    pub(super) exit: Option<Arc<Exit>>,
    /// Where to tell what it tried beside that.
    pub(super) seen: Seen,
    /// What its call was lent.
    pub(super) placer: Placer,
}

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum ToolError {
    #[component(name = "invalid-arguments")]
    InvalidArguments(String),
    #[component(name = "failed")]
    Failed(String),
}

impl Guest {
    /// Reads, compiles and links a component. Blocks.
    ///
    /// # Errors
    /// With a sentence that says why it cannot be used.
    pub(super) fn compile(
        server: ServerName,
        source: &WasmSource,
        cache: &Path,
        limits: Limits,
    ) -> Result<Self, String> {
        let engine = engine()?;
        let bytes = binary::read(source)?;
        let cache = Cache::open(cache).map_err(|error| error.to_string())?;
        let component =
            cache.component(engine, &bytes).map_err(|_| "it is no component that can be run here".to_owned())?;
        let linker = linker(engine).map_err(|_| "the host's interfaces cannot be linked".to_owned())?;
        let pre = linker
            .instantiate_pre(&component)
            .map_err(|_| "it asks for an interface that does not exist here".to_owned())?;
        let speaks = if source.stdio {
            Speaks::Stdio(Stdio::find(&pre)?)
        } else {
            let entrances = Entrances::find(&component)?;
            Speaks::World { entrances, greeting: greeting(&server), tools: Vec::new() }
        };
        let (resources, environment) = (Arc::clone(&source.resources), source.environment.clone());
        Ok(Self { server, engine, pre, resources, limits, environment, speaks })
    }

    /// The same, once it has said what it offers.
    ///
    /// # Errors
    /// With a sentence that says why it cannot be used.
    pub(super) async fn described(mut self, changes: broadcast::Sender<Change>) -> Result<Self, String> {
        match &self.speaks {
            Speaks::World { entrances, .. } => {
                let description = self.enter(&entrances.describe, (), Surround::default(), None).await;
                let (text,): (String,) = description.map_err(|failure| failure.detail)?;
                let listed = self.definitions(&text)?;
                if let Speaks::World { tools, .. } = &mut self.speaks {
                    *tools = listed;
                }
            }
            Speaks::Stdio(stdio) => {
                let stdio = stdio.greeted(&self, changes).await?;
                self.speaks = Speaks::Stdio(stdio);
            }
        }
        Ok(self)
    }

    /// What it says of itself.
    pub(crate) fn greeting(&self) -> Greeting {
        match &self.speaks {
            Speaks::World { greeting, .. } => greeting.clone(),
            Speaks::Stdio(stdio) => stdio.greeting().cloned().unwrap_or_else(|| greeting(&self.server)),
        }
    }

    /// Answers, in a new instance.
    pub(super) async fn run(&self, asked: Asked<'_>, around: Surround) -> Reply {
        match (&self.speaks, asked) {
            (Speaks::World { entrances, .. }, Asked::Call(call, line)) => {
                self.call(entrances, call, line, around).await.unwrap_or_else(Reply::Failed)
            }
            (Speaks::World { tools, .. }, Asked::Plain("tools/list", _)) => {
                let listed: Object = [("tools", Value::from(tools.clone()))].into_iter().collect();
                Reply::Result(listed.into())
            }
            (Speaks::World { .. }, Asked::Plain(..)) => {
                Reply::failed(FailureKind::Unsupported, "a component offers tools, and nothing else")
            }
            (Speaks::Stdio(stdio), asked) => stdio.run(self, asked, around).await,
        }
    }

    async fn call(&self, entrances: &Entrances, call: &Call, line: &Line, around: Surround) -> Result<Reply, Failure> {
        if call.tool().method() != Method::CallTool {
            return Ok(Reply::failed(FailureKind::Unsupported, "a component offers tools, and nothing else"));
        }
        let arguments = if call.arguments().is_null() { "{}" } else { call.canonical().as_str() };
        let listener = Listener { server: self.server.clone(), passenger: Passenger::of(line) };
        let params = (call.tool().name(), arguments);
        let entered = self.enter(&entrances.call, params, around, Some(listener)).await?;
        let (answer,): (Result<String, ToolError>,) = entered;
        Ok(match answer {
            Ok(text) => self.result(&text),
            Err(ToolError::InvalidArguments(text)) => self.fault(&format!("the arguments do not fit: {text}")),
            Err(ToolError::Failed(text)) => self.fault(&text),
        })
    }

    /// Calls an export in a new instance, under every limit.
    async fn enter<P, R>(
        &self,
        entrance: &ComponentExportIndex,
        params: P,
        around: Surround,
        listener: Option<Listener>,
    ) -> Result<R, Failure>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let _ticking = Ticking::begin();
        let state = self.state(&mut WasiCtxBuilder::new(), around, listener)?;
        let mut store = state.store(self.engine, &self.resources).map_err(|_| no_sandbox("no store can be made"))?;
        let entered = async {
            let instance = self.pre.instantiate_async(&mut store).await?;
            let function = instance.get_typed_func::<P, R>(&mut store, entrance)?;
            function.call_async(&mut store, params).await
        };
        let entered = entered.await;
        entered.map_err(|error| ending::failure(&error, &store.data().limiter))
    }

    /// What a new instance finds.
    pub(super) fn state(
        &self,
        wasi: &mut WasiCtxBuilder,
        around: Surround,
        listener: Option<Listener>,
    ) -> Result<State, Failure> {
        // Without a way out there is no call, and what is not a call is granted nothing.
        wasi.envs(&self.environment);
        wasi.envs(&hand::stand_ins(&self.resources, &around.placer));
        let lent = Shelf::lay(&around.placer, wasi).map_err(no_sandbox)?;
        let folders = if around.exit.is_some() { self.resources.folders.as_slice() } else { &[] };
        State::new(&self.resources.limits, (folders, lent), wasi, around, listener).map_err(no_sandbox)
    }

    fn json(&self) -> JsonLimits {
        self.limits.json()
    }

    fn definitions(&self, text: &str) -> Result<Vec<Value>, String> {
        let described = Value::parse(text.as_bytes(), &self.json())
            .map_err(|error| format!("what it says of itself is not JSON as it must be: {error}"))?;
        let tools = described.get("tools").and_then(Value::as_array);
        tools.map(<[Value]>::to_vec).ok_or_else(|| "what it says of itself names no `tools`".to_owned())
    }

    fn result(&self, text: &str) -> Reply {
        if text.len() > self.limits.answer {
            return Reply::Failed(self.limits.too_large());
        }
        match Value::parse(text.as_bytes(), &self.json()) {
            Ok(result @ Value::Object(_))
                if result.get("content").is_some_and(|content| content.as_array().is_some()) =>
            {
                Reply::Result(result)
            }
            Ok(_) => Reply::failed(FailureKind::Malformed, "the tool's result has no `content`"),
            Err(error) => Reply::failed(FailureKind::Malformed, format!("the tool's result is not JSON: {error}")),
        }
    }

    /// A tool's own error is a result: an agent's model is to read it.
    fn fault(&self, text: &str) -> Reply {
        if text.len() > self.limits.answer {
            return Reply::Failed(self.limits.too_large());
        }
        Reply::said(&[text], true)
    }
}

impl Entrances {
    fn find(component: &Component) -> Result<Self, String> {
        let find = |name: &str| {
            let missing = || format!("it does not export `{name}` as the world `portcullis:tool/tool` has it");
            component.get_export_index(None, name).ok_or_else(missing)
        };
        Ok(Self { describe: find("describe")?, call: find("call")? })
    }
}

fn greeting(server: &ServerName) -> Greeting {
    let capabilities = [("tools", Object::new()), ("logging", Object::new())].into_iter().collect::<Object>();
    let info: Object =
        [("name", Value::from(server.as_str())), ("version", env!("CARGO_PKG_VERSION").into())].into_iter().collect();
    Greeting { era: Era::Modern, capabilities: capabilities.into(), info: info.into(), instructions: None }
}

pub(super) fn no_sandbox(why: impl Into<String>) -> Failure {
    Failure { kind: FailureKind::NoSandbox, detail: why.into() }
}
