//! Everything that a guest can call: each interface that is linked stands here, and what is not here does not exist for a guest.
//!
//! | interface | what a guest gets |
//! | --- | --- |
//! | `portcullis:tool/host` | messages to the agent, bounded |
//! | `wasi:io`, `wasi:clocks`, `wasi:random` | streams, the time, randomness |
//! | `wasi:cli` | an empty environment, no arguments, no terminal; streams that are empty but for stdio servers |
//! | `wasi:filesystem` | the granted folders, and so many bytes to write |
//! | `wasi:sockets` | refusals, each of them recorded |
//! | `wasi:http` | the granted hosts, through the edge |

mod files;
mod log;
#[expect(
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    reason = "the signatures are those that a linker takes"
)]
mod sockets;
mod web;

use std::sync::{Arc, Mutex, PoisonError};

use audit::{Attempt, Observed};
use policies::profile::{Ceilings, Mount, Resources};
use wasmtime::component::{Linker, ResourceTable};
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings as p2;
use wasmtime_wasi::random::{WasiRandom, WasiRandomView as _};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::p2::bindings::http as p2_http;
use wasmtime_wasi_http::{WasiHttp, WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::disk::Room;
use super::guest::Surround;
use super::limiter::Limiter;
use super::shelf::Shelf;
use log::Messages;
use web::Web;

pub(super) use log::Listener;

/// What one guest has, and what is known of it.
pub(super) struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    web: Web,
    room: Room,
    messages: Messages,
    pub(super) limiter: Limiter,
    seen: Seen,
    /// Gone when the guest is.
    _lent: Shelf,
}

/// What a guest tried beside the edge: nothing of it passed. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Observed>>);

/// Things of the host that a guest may hold at once: descriptors, streams, requests. Each may stand for an open file, and the
/// gateway has only so many.
const HANDLES: usize = 256;

/// Bytes that a guest may hand over in one host call, beside what it writes to a stream.
const HANDED: usize = 32 << 20;

/// Bytes of header fields of one request or response.
const FIELDS: usize = 64 << 10;

impl State {
    /// A guest with these limits and folders.
    ///
    /// # Errors
    /// With a sentence, where a granted folder cannot be opened.
    pub(super) fn new(
        limits: &Ceilings,
        (folders, lent): (&[Mount], Shelf),
        wasi: &mut WasiCtxBuilder,
        around: Surround,
        listener: Option<Listener>,
    ) -> Result<Self, String> {
        for mount in folders {
            let perms = if mount.writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            wasi.preopened_dir(mount.folder.as_str(), &mount.at, perms)
                .map_err(|_| format!("the folder `{}` cannot be opened", mount.folder.as_str()))?;
        }
        // Sockets can be made, so that it can be recorded what they were to reach; the default check refuses every address.
        wasi.allow_tcp(true).allow_udp(true).allow_ip_name_lookup(false);
        let (mut table, mut http) = (ResourceTable::new(), WasiHttpCtx::new());
        table.set_max_capacity(HANDLES);
        http.set_field_size_limit(FIELDS);
        Ok(Self {
            table,
            wasi: wasi.build(),
            http,
            web: Web::new(around.exit),
            room: Room::new(limits.disk),
            messages: Messages::new(listener),
            limiter: Limiter::new(limits.memory),
            seen: around.seen,
            _lent: lent,
        })
    }

    /// A store for one guest, with every limit in force.
    pub(super) fn store(self, engine: &Engine, resources: &Resources) -> wasmtime::Result<Store<Self>> {
        let mut store = Store::new(engine, self);
        store.limiter(|state| &mut state.limiter);
        store.set_fuel(fuel(resources))?;
        store.set_hostcall_fuel(HANDED);
        // At each tick the guest gives way to whatever else runs here; whoever gives its call up ends it there.
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Yield(1)));
        store.set_epoch_deadline(1);
        Ok(store)
    }

    fn note(&self, attempt: Attempt) {
        self.seen.0.lock().unwrap_or_else(PoisonError::into_inner).add(attempt);
    }
}

impl Seen {
    pub(super) fn take(&self) -> Observed {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A share of a processor over the granted time, in instructions: a processor of today does at least so many in a nanosecond.
fn fuel(resources: &Resources) -> u64 {
    const A_NANOSECOND: u128 = 4;
    let work = resources.limits.time.as_nanos() * u128::from(resources.limits.cpu) / 1000 * A_NANOSECOND;
    u64::try_from(work).unwrap_or(u64::MAX)
}

/// Everything that a guest can call.
///
/// # Errors
/// Where two interfaces are linked by one name, which is a mistake in this file.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    let l = &mut linker;
    // `wasi:io`, `wasi:clocks`, `wasi:random/random`, and the standard streams.
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(l)?;
    p2::random::insecure::add_to_linker::<State, WasiRandom>(l, State::random)?;
    p2::random::insecure_seed::add_to_linker::<State, WasiRandom>(l, State::random)?;
    p2::cli::exit::add_to_linker::<State, WasiCli>(l, State::cli)?;
    p2::cli::environment::add_to_linker::<State, WasiCli>(l, State::cli)?;
    p2::cli::terminal_input::add_to_linker::<State, WasiCli>(l, State::cli)?;
    p2::cli::terminal_output::add_to_linker::<State, WasiCli>(l, State::cli)?;
    p2::cli::terminal_stdin::add_to_linker::<State, WasiCli>(l, State::cli)?;
    p2::cli::terminal_stdout::add_to_linker::<State, WasiCli>(l, State::cli)?;
    p2::cli::terminal_stderr::add_to_linker::<State, WasiCli>(l, State::cli)?;
    p2::filesystem::preopens::add_to_linker::<State, WasiFilesystem>(l, State::filesystem)?;
    p2::filesystem::types::add_to_linker::<State, WasiFilesystem>(l, State::filesystem)?;
    files::meter(l)?;
    sockets::refuse(l)?;
    p2_http::outgoing_handler::add_to_linker::<State, WasiHttp>(l, State::http)?;
    p2_http::types::add_to_linker::<State, WasiHttp>(l, &p2_http::types::LinkOptions::default(), State::http)?;
    log::add(l)?;
    Ok(linker)
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.web, table: &mut self.table, ctx: &mut self.http }
    }
}
