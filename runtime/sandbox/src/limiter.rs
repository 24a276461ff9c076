//! Counts the memory of an instance, over everything that it has.

use wasmtime::ResourceLimiter;

use crate::engine::{INSTANCES, MEMORIES, TABLES};

/// Sums all linear memories and tables: wasmtime's own limits hold for each of them alone.
#[derive(Debug)]
pub struct Limiter {
    held: usize,
    limit: usize,
    refused: bool,
}

impl Limiter {
    /// `limit` in bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            held: 0,
            limit,
            refused: false,
        }
    }

    /// Something was asked for beyond the limit. A plugin rarely survives that, so what comes
    /// after is put down to it.
    pub fn refused(&self) -> bool {
        self.refused
    }

    /// Never taken back, not even if the growth fails after all: wasmtime also reports failures
    /// that it had not asked for, and a plugin could make it report any number of them.
    fn grow(&mut self, by: usize) -> bool {
        match self.held.checked_add(by) {
            Some(held) if held <= self.limit => {
                self.held = held;
                true
            }
            _ => {
                self.refused = true;
                false
            }
        }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let possible = maximum.is_none_or(|maximum| desired <= maximum);
        Ok(possible && self.grow(desired.saturating_sub(current)))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let possible = maximum.is_none_or(|maximum| desired <= maximum);
        let elements = desired.saturating_sub(current);
        Ok(possible && self.grow(elements.saturating_mul(size_of::<usize>())))
    }

    fn instances(&self) -> usize {
        INSTANCES as usize
    }

    fn tables(&self) -> usize {
        TABLES as usize
    }

    fn memories(&self) -> usize {
        MEMORIES as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_and_tables_are_counted_together() {
        let mut limiter = Limiter::new(1 << 20);
        assert!(limiter.memory_growing(0, 512 << 10, None).unwrap());
        assert!(limiter.table_growing(0, (256 << 10) / 8, None).unwrap());
        assert!(limiter.memory_growing(0, 256 << 10, None).unwrap());
        assert!(!limiter.refused());
        assert!(!limiter.memory_growing(256 << 10, 320 << 10, None).unwrap());
        assert!(limiter.refused());
    }

    #[test]
    fn growth_past_its_own_maximum_fails_and_is_not_counted() {
        let mut limiter = Limiter::new(1 << 20);
        assert!(!limiter.memory_growing(0, 1 << 20, Some(64 << 10)).unwrap());
        assert!(!limiter.refused());
        assert!(limiter.memory_growing(0, 1 << 20, None).unwrap());
    }
}
