//! What one instance may take from the host: linear memory, tables, instances, host handles.
//!
//! Memory is counted over all memories of the container, and of those that `exec` runs beside it, against
//! `resources.limits.memory`. Growing beyond it ends
//! the container as the Linux kernel would (`OOMKilled`, 137) instead of failing the growth: programs are
//! written for a machine that never says no, and Kubernetes users look for `OOMKilled`. A memory whose own
//! declared maximum is reached only sees `memory.grow` fail, as the WebAssembly specification has it.

use wasmpod_sandbox::MemoryShare;
use wasmtime::{ResourceLimiter, Result};

/// Elements that all tables of a container may hold together; each costs the host 8 bytes. Beyond it
/// `table.grow` returns -1, and a module that declares more is not started. Source: a large C++ program
/// has some 100,000 indirectly called functions.
pub(crate) const MAX_TABLE_ELEMENTS: usize = 1 << 20;

/// Core instances of one container. A component made of dynamically linked libraries (Python and its
/// extension modules) has about a hundred. Beyond it the container is not started.
pub(crate) const MAX_INSTANCES: usize = 1_000;

/// Tables of one container; beyond it the container is not started.
const MAX_TABLES: usize = 1_000;

/// Linear memories of one container; beyond it the container is not started.
const MAX_MEMORIES: usize = 100;

/// Host objects (open files, sockets, streams, pollables) that one component may hold at a time. Beyond
/// it the next host call that needs one traps. Source: Linux's usual hard limit of open files is 524,288;
/// ten thousand sockets with two streams and three pollables each are 60,000.
pub(crate) const MAX_HOST_OBJECTS: usize = 200_000;

/// The accounts of one instance.
#[derive(Debug)]
pub(crate) struct Limits {
    memory: MemoryShare,
    /// What this instance has taken of it, which it gives back when it is dropped.
    memory_bytes: u64,
    last_growth_bytes: u64,
    table_elements: usize,
    last_growth_elements: usize,
}

impl Limits {
    /// Empty accounts of an instance that takes its memory from this share.
    pub(crate) const fn new(memory: MemoryShare) -> Self {
        Self {
            memory,
            memory_bytes: 0,
            last_growth_bytes: 0,
            table_elements: 0,
            last_growth_elements: 0,
        }
    }

    /// Bytes of memory that this instance has.
    pub(crate) const fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }
}

impl Drop for Limits {
    fn drop(&mut self) {
        self.memory.give_back(self.memory_bytes);
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let growth = u64::try_from(desired.saturating_sub(current)).unwrap_or(u64::MAX);
        self.memory.take(growth)?;
        self.memory_bytes = self.memory_bytes.saturating_add(growth);
        self.last_growth_bytes = growth;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> Result<()> {
        self.memory.give_back(self.last_growth_bytes);
        self.memory_bytes = self.memory_bytes.saturating_sub(self.last_growth_bytes);
        self.last_growth_bytes = 0;
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        let growth = desired.saturating_sub(current);
        let wanted = self.table_elements.saturating_add(growth);
        if wanted > MAX_TABLE_ELEMENTS || maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.table_elements = wanted;
        self.last_growth_elements = growth;
        Ok(true)
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> Result<()> {
        self.table_elements = self
            .table_elements
            .saturating_sub(self.last_growth_elements);
        self.last_growth_elements = 0;
        Ok(())
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_TABLES
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use wasmpod_sandbox::MemoryLimitExceeded;

    use super::*;

    #[test]
    fn an_instance_gives_back_what_it_took() {
        let share = MemoryShare::new(100);
        let mut limits = Limits::new(share.clone());
        assert!(limits.memory_growing(0, 60, None).unwrap());
        assert_eq!(share.used_bytes(), 60);
        drop(limits);
        assert_eq!(share.used_bytes(), 0);
    }

    #[test]
    fn all_memories_of_a_container_share_one_limit() {
        let mut limits = Limits::new(MemoryShare::new(100));
        assert!(limits.memory_growing(0, 60, None).unwrap());
        assert!(limits.memory_growing(0, 40, None).unwrap());
        let error = limits.memory_growing(60, 61, None).unwrap_err();
        let error = error.downcast::<MemoryLimitExceeded>().unwrap();
        assert_eq!((error.wanted_bytes, error.limit_bytes), (101, 100));
    }

    #[test]
    fn a_growth_beyond_the_memorys_own_maximum_fails_without_ending_the_container() {
        let mut limits = Limits::new(MemoryShare::new(100));
        assert!(!limits.memory_growing(0, 60, Some(50)).unwrap());
        assert!(
            limits.memory_growing(0, 100, None).unwrap(),
            "nothing was counted"
        );
    }

    #[test]
    fn a_growth_that_the_engine_could_not_do_is_given_back() {
        let mut limits = Limits::new(MemoryShare::new(100));
        assert!(limits.memory_growing(0, 100, None).unwrap());
        limits
            .memory_grow_failed(wasmtime::Error::msg("no memory"))
            .unwrap();
        assert!(limits.memory_growing(0, 100, None).unwrap());
    }

    #[test]
    fn tables_are_bounded_together() {
        let mut limits = Limits::new(MemoryShare::new(100));
        assert!(limits.table_growing(0, MAX_TABLE_ELEMENTS, None).unwrap());
        assert!(!limits.table_growing(0, 1, None).unwrap());
    }
}
