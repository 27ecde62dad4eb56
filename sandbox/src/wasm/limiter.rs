//! `Limiter`: what one guest may hold in memory. A refusal is remembered, because guests answer it with whatever trap their
//! allocator ends in.

use wasmtime::ResourceLimiter;

use super::engine::{MEMORY, TABLE};

/// What one guest may hold in memory.
pub(super) struct Limiter {
    /// Bytes that all its memories may have together.
    most: usize,
    used: usize,
    /// Something was refused.
    pub(super) refused: bool,
}

/// Core instances, memories and tables of one component: some languages link a dozen modules.
const INSTANCES: usize = 64;
const MEMORIES: usize = 8;
const TABLES: usize = 32;

impl Limiter {
    pub(super) fn new(most: u64) -> Self {
        Self { most: usize::try_from(most).unwrap_or(MEMORY).min(MEMORY), used: 0, refused: false }
    }

    /// The limit, for people.
    pub(super) fn mebibytes(&self) -> usize {
        self.most >> 20
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.used.saturating_sub(current).saturating_add(desired);
        let fits = total <= self.most;
        if fits {
            self.used = total;
        }
        self.refused |= !fits;
        Ok(fits)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.refused = true;
        Ok(())
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let fits = desired <= TABLE;
        self.refused |= !fits;
        Ok(fits)
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.refused = true;
        Ok(())
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        TABLES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}
