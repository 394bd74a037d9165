//! The pool: an engine for instances that live as long as a request.
//!
//! An instance of a container's own takes new mappings for its memory and its stack, page faults for what it touches,
//! and gives all of that back to the kernel at its end; for one that answers a request in microseconds that is most of
//! its cost. Here memories, tables and stacks are mapped once, and an instance takes those that another has left: what
//! that one wrote has been overwritten with what the program begins with (or given back to the kernel, beyond
//! [`KEPT_MEMORY_BYTES`]), so that nothing of it is seen.
//!
//! The engine runs the same code as the optimised one, out of the same entry of the code store. It is made with the first
//! HTTP component, and shared by all of them. When all [`SEATS`] are taken, or where the operating system does not give
//! what it needs, instances are made as those of containers are; a request never waits for a seat, and never learns
//! which kind it had.
//!
//! What it deliberately does not do: run containers. They live long, may map shared segments into their memory, and would
//! leave what they used as resident memory of the pool.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::{Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use crate::code_store::Code;
use crate::engine::{Tier, config};
use crate::host::ComponentState;
use crate::limits::{MAX_INSTANCES, MAX_TABLE_ELEMENTS};
use crate::link::Linkers;

/// Instances that the pool has room for, those with more than one memory or many tables counted as several. Twice the
/// requests that one container answers at a time unless it says otherwise. A seat costs two mappings for its stack from
/// the beginning and about three for its memory from its first use, of the 65,530 that Linux allows a process.
const SEATS: u32 = 256;

/// Tables for each seat. What `wit-component` makes of a program has two.
const TABLES_PER_SEAT: u32 = 4;

/// Memories for each seat: one of the program, and one for the engine's heap of objects where it uses them (GC).
const MEMORIES_PER_SEAT: u32 = 2;

/// Tables of one module: compilers make one; those of dynamically linked libraries some more. A component with a module
/// that has more does not use the pool.
const MAX_TABLES_PER_MODULE: u32 = TABLES_PER_SEAT;

/// Bytes of a memory that are overwritten after use and stay resident for the next instance, as far as they were touched;
/// what is beyond is given back to the kernel. A small program touches some 30 KiB. All seats together thus keep
/// 64 MiB at most, and of tables 16 MiB.
const KEPT_MEMORY_BYTES: usize = 256 << 10;

/// The same for a table.
const KEPT_TABLE_BYTES: usize = 16 << 10;

/// An engine that keeps what instances leave for the next ones.
pub(crate) struct Pool {
    engine: Engine,
    linkers: Linkers,
    seats: Arc<Semaphore>,
}

/// A component that can have its instances in the pool.
pub(crate) struct Pooled {
    pub(crate) proxy: ProxyPre<ComponentState>,
    seats: Arc<Semaphore>,
    seats_each: u32,
}

/// An instance's place in the pool; to be dropped after its store.
pub(crate) struct Seat(
    #[expect(dead_code, reason = "its drop frees the seat")] OwnedSemaphorePermit,
);

impl Pool {
    /// An empty pool.
    ///
    /// # Errors
    /// The operating system does not give the address space, some terabytes of which nothing is resident.
    pub(crate) fn new() -> wasmtime::Result<Self> {
        // Without knowing which pages were touched, keeping some would mean to write all of them each time.
        let knowing = pooling(Enabled::Yes, KEPT_MEMORY_BYTES, KEPT_TABLE_BYTES);
        let engine = Engine::new(&knowing)
            .or_else(|_| Engine::new(&pooling(Enabled::No, 0, KEPT_TABLE_BYTES)))?;
        Ok(Self {
            linkers: Linkers::new(&engine)?,
            engine,
            seats: Arc::new(Semaphore::new(usize::try_from(SEATS)?)),
        })
    }

    /// The engine, which loads code of [`Tier::Optimised`].
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Joins code of this engine with this host; nothing if its instances do not fit.
    pub(crate) fn link(&self, code: &Code) -> Option<Pooled> {
        let Code::Component(component) = code else {
            return None;
        };
        let needs = component.resources_required()?;
        let seats_each = needs
            .num_memories
            .max(needs.num_tables.div_ceil(TABLES_PER_SEAT))
            .max(1);
        let proxy = ProxyPre::new(self.linkers.component(component).ok()?).ok()?;
        (seats_each <= SEATS).then(|| Pooled {
            proxy,
            seats: Arc::clone(&self.seats),
            seats_each,
        })
    }
}

impl Pooled {
    /// A place for one more instance, if there is one.
    pub(crate) fn seat(&self) -> Option<Seat> {
        let seats = Arc::clone(&self.seats);
        seats.try_acquire_many_owned(self.seats_each).ok().map(Seat)
    }
}

fn pooling(
    knows_touched_pages: Enabled,
    kept_memory_bytes: usize,
    kept_table_bytes: usize,
) -> wasmtime::Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(SEATS)
        .total_stacks(SEATS)
        .total_memories(SEATS * MEMORIES_PER_SEAT)
        .total_gc_heaps(SEATS)
        .total_tables(SEATS * TABLES_PER_SEAT)
        .max_tables_per_module(MAX_TABLES_PER_MODULE)
        .table_elements(MAX_TABLE_ELEMENTS)
        // Their descriptions are on the heap, so this bounds nothing that was set aside.
        .total_core_instances(
            SEATS.saturating_mul(u32::try_from(MAX_INSTANCES).unwrap_or(u32::MAX)),
        )
        .linear_memory_keep_resident(kept_memory_bytes)
        .table_keep_resident(kept_table_bytes)
        .pagemap_scan(knows_touched_pages);
    let mut config = config(Tier::Optimised);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}
