//! How a guest came to an end that is no answer, in our own words: what a hostile guest put into a trap stays out.

use audit::{Failure, FailureKind};
use wasmtime::component::ResourceTableError;
use wasmtime::{PoolConcurrencyLimitError, Trap};
use wasmtime_wasi::I32Exit;

use super::limiter::Limiter;

/// What an error of the engine means for a call.
pub(super) fn failure(error: &wasmtime::Error, limiter: &Limiter) -> Failure {
    let failed = |kind, detail: String| Failure { kind, detail };
    if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
        return failed(FailureKind::Busy, "too many Wasm tools run at once".to_owned());
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => {
            return failed(FailureKind::OutOfTime, "the tool used up its share of the processor".to_owned());
        }
        Some(Trap::Interrupt) => return failed(FailureKind::OutOfTime, "the tool was interrupted".to_owned()),
        Some(_) | None => {}
    }
    // A guest that is refused memory ends in a trap of its allocator's choice.
    if limiter.refused {
        return failed(
            FailureKind::OutOfMemory,
            format!("the tool wanted more than {} MiB of memory", limiter.mebibytes()),
        );
    }
    let why = if let Some(trap) = error.downcast_ref::<Trap>() {
        trap.to_string()
    } else if let Some(exit) = error.downcast_ref::<I32Exit>() {
        format!("it exited with status {}", exit.0)
    } else if error.downcast_ref::<ResourceTableError>().is_some() {
        "it holds too many things of the host at once, or one that it does not have".to_owned()
    } else {
        "it did what the host does not allow".to_owned()
    };
    failed(FailureKind::Crashed, format!("the tool crashed: {why}"))
}
