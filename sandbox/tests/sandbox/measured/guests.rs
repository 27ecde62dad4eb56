//! A Wasm guest: bare wasmtime that instantiates and calls, and the sandbox's part of a call's path.

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use http::{Request, Response};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

use super::{HEAD, Times, opened, resident};
use crate::wasm::guests::{Packed, component};
use crate::world::{World, line};

/// Calls in one batch, and batches.
const BATCH: usize = 250;
const BATCHES: usize = 20;

/// Guests that live at once.
const LIVE: usize = 1000;

const ECHO: &str = r#"{"text":"the quick brown fox"}"#;
const SLEEP: &str = r#"{"ms":600000}"#;

struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    nowhere: Nowhere,
    table: ResourceTable,
}

impl State {
    fn new() -> Self {
        let (wasi, table) = (WasiCtxBuilder::new().build(), ResourceTable::new());
        Self { wasi, http: WasiHttpCtx::new(), nowhere: Nowhere, table }
    }
}

/// The world of tools may ask the web; what is measured here does not.
struct Nowhere;

type Rest = Box<dyn Future<Output = Result<(), wasmtime_wasi_http::Error>> + Send>;
type Sent = Box<dyn Future<Output = Result<(Response<WasiBody>, Rest), wasmtime_wasi_http::Error>> + Send>;

impl WasiHttpHooks for Nowhere {
    fn send_request(&mut self, _: Request<WasiBody>, _: Option<RequestOptions>, _: Rest) -> Sent {
        Box::new(async { Err(wasmtime_wasi_http::Error::HttpRequestDenied) })
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.nowhere, table: &mut self.table, ctx: &mut self.http }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// wasmtime as anyone would set it up for speed: pooled, without fuel, epochs or ceilings.
struct Bare {
    engine: Engine,
    pre: wasmtime::component::InstancePre<State>,
}

impl Bare {
    fn new() -> Self {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(1024)
            .total_core_instances(8192)
            .total_memories(2048)
            .total_tables(4096)
            .total_stacks(1024)
            .max_memory_size(64 << 20)
            .table_elements(20_000)
            .linear_memory_keep_resident(64 << 10);
        let mut config = Config::new();
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool)).memory_reservation(64 << 20);
        let engine = Engine::new(&config).unwrap();
        let mut linker = Linker::<State>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker).unwrap();
        let component = Component::new(&engine, component("hostile")).unwrap();
        let mut host = linker.instance("portcullis:tool/host@0.1.0").unwrap();
        host.func_new("log", |_, _, _, _| Ok(())).unwrap();
        let pre = linker.instantiate_pre(&component).unwrap();
        Self { engine, pre }
    }

    async fn call(&self, name: &str, arguments: &str) -> String {
        let mut store = Store::new(&self.engine, State::new());
        let instance = self.pre.instantiate_async(&mut store).await.unwrap();
        let call = instance.get_func(&mut store, "call").unwrap();
        let call = call.typed::<(&str, &str), (Result<String, Error>,)>(&store).unwrap();
        let (answer,) = call.call_async(&mut store, (name, arguments)).await.unwrap();
        answer.unwrap_or_else(|(Error::Arguments(why) | Error::Failed(why))| panic!("{why}"))
    }
}

#[derive(wasmtime::component::ComponentType, wasmtime::component::Lift)]
#[component(variant)]
enum Error {
    #[component(name = "invalid-arguments")]
    Arguments(String),
    #[component(name = "failed")]
    Failed(String),
}

async fn ours() -> World {
    let keys = format!("max_in_flight = {LIVE}\ncall_timeout = '15m'");
    let world = Packed::new(&component("hostile"), "", "[limits]\ntime = '15m'").start(&keys);
    world.ready().await;
    world
}

#[tokio::test]
#[ignore = "`just bench sandbox`"]
async fn a_call_of_a_guest() {
    let (bare, world) = (Bare::new(), ours().await);
    let (mut without, mut with) = (Times::default(), Times::default());
    for batch in 0..=BATCHES {
        // In turns, so that what else the machine does weighs on both. The first warms up.
        let mut round = (Times::default(), Times::default());
        let bare_calls = async |times: &mut Times| {
            for _ in 0..BATCH {
                times.of(bare.call("echo", ECHO)).await;
            }
        };
        round.0.batch(bare_calls).await;
        round.1.calls(&world, BATCH, "echo", ECHO).await;
        if batch > 0 {
            without.add(round.0);
            with.add(round.1);
        }
    }
    println!("{HEAD}\n{}", without.row("wasmtime: instantiate and call", None));
    println!("{}", with.row("the sandbox's part of a call", Some(&without)));
}

fn told(name: &str, before: u64) {
    let each = resident().saturating_sub(before) / LIVE as u64;
    println!("{name:44} {LIVE} live: {} KiB each", each / 1024);
}

#[tokio::test]
#[ignore = "`just bench sandbox`"]
async fn the_memory_of_bare_guests() {
    let bare = Bare::new();
    bare.call("echo", ECHO).await;
    let before = resident();
    let mut living: FuturesUnordered<_> = (0..LIVE).map(|_| bare.call("sleep", SLEEP)).collect();
    tokio::time::timeout(std::time::Duration::from_secs(5), living.next()).await.unwrap_err();
    told("wasmtime: resident memory", before);
}

#[tokio::test]
#[ignore = "`just bench sandbox`"]
async fn the_memory_of_guests() {
    let world = ours().await;
    let first = opened(&world, 1, "echo", ECHO).await;
    for (entry, leases) in &first {
        world.sandbox.run(entry, leases, line().0).await;
    }
    let entries = opened(&world, LIVE, "sleep", SLEEP).await;
    let mut lines: Vec<_> = (0..LIVE).map(|_| line()).collect();
    for (line, _) in &mut lines {
        line.deadline += std::time::Duration::from_mins(5);
    }
    let before = resident();
    let mut living: FuturesUnordered<_> =
        entries.iter().zip(lines).map(|((entry, leases), (line, _))| world.sandbox.run(entry, leases, line)).collect();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(5), living.next()).await;
    assert!(ended.is_err(), "one did not stay");
    told("the sandbox: resident memory", before);
}
