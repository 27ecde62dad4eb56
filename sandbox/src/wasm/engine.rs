//! The one engine of the process: what every guest is compiled for, and the clock that can interrupt each of them.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// What one memory of a guest may be at most, whatever its ceiling says: the size of a slot in the pool.
pub(super) const MEMORY: usize = 64 << 20;

/// Entries of one table. Compiled languages need a few hundred; interpreters, some ten thousand.
pub(super) const TABLE: usize = 20_000;

/// Guests that live at once in the whole process.
pub(super) const GUESTS: u32 = 1_024;

/// How often a guest that computes is made to give way, and so how soon one ends that nobody waits for.
const TICK: Duration = Duration::from_millis(10);

/// What stays mapped of a slot's memory between two guests. It is zeroed, not kept: a new guest finds nothing of the old one.
const KEPT: usize = 64 << 10;

/// A stack of this size overflows into an error long before the host's own ends.
const STACK: usize = 512 << 10;

static ENGINE: OnceLock<Result<Engine, String>> = OnceLock::new();
static CLOCK: OnceLock<Thread> = OnceLock::new();
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// The engine.
///
/// # Errors
/// With a sentence, where this machine cannot run Wasm.
pub(super) fn engine() -> Result<&'static Engine, &'static str> {
    ENGINE
        .get_or_init(|| start().map_err(|error| format!("Wasm cannot be run here: {error}")))
        .as_ref()
        .map_err(String::as_str)
}

/// While one of these lives, the clock ticks.
pub(super) struct Ticking(());

impl Ticking {
    pub(super) fn begin() -> Self {
        if RUNNING.fetch_add(1, Ordering::SeqCst) == 0
            && let Some(clock) = CLOCK.get()
        {
            clock.unpark();
        }
        Self(())
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::SeqCst);
    }
}

fn start() -> Result<Engine, wasmtime::Error> {
    let engine = Engine::new(&config())?;
    let ticked = engine.clone();
    // A thread of its own and not a task: guests that fill every thread of the runtime must be interrupted all the same.
    let clock = thread::Builder::new().name("wasm-clock".to_owned()).spawn(move || tick(&ticked))?;
    CLOCK.get_or_init(|| clock.thread().clone());
    Ok(engine)
}

fn tick(engine: &Engine) {
    loop {
        if RUNNING.load(Ordering::SeqCst) == 0 {
            // Whoever begins first unparks; if that was just now, this returns at once.
            thread::park();
        } else {
            thread::sleep(TICK);
            engine.increment_epoch();
        }
    }
}

fn config() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(GUESTS)
        .total_core_instances(GUESTS * 8)
        .total_memories(GUESTS * 2)
        .total_tables(GUESTS * 4)
        .total_stacks(GUESTS)
        .max_memory_size(MEMORY)
        .table_elements(TABLE)
        .linear_memory_keep_resident(KEPT);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .memory_reservation(MEMORY as u64)
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(STACK)
        // Where the traps of a hostile guest lie tells nobody anything.
        .wasm_backtrace_max_frames(None);
    config
}
