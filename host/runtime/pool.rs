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
use crate::http::HandlerPre;
use crate::limits::{MAX_INSTANCES, MAX_TABLE_ELEMENTS};
use crate::link::Linkers;

/// Instances that the pool has room for, those with more than one memory or many tables counted as several. Twice the
/// requests that one container answers at a time unless it says otherwise. A seat costs two mappings for its stack from
/// the beginning and about three for its memory from its first use, of the 65,530 that Linux allows a process. Of a stack
/// stays resident what was touched, some 12 KiB as a rule, all of its megabyte at most.
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
    pub(crate) proxy: HandlerPre,
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
    /// The operating system is not Linux, or does not give the address space, some terabytes of which nothing is resident.
    pub(crate) fn new() -> wasmtime::Result<Self> {
        // Others cannot put a memory's first content back without mapping it anew, or count as used what is set aside.
        if !cfg!(target_os = "linux") {
            return Err(wasmtime::Error::msg("no pool on this operating system"));
        }
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

    /// Seats that nobody has.
    #[cfg(test)]
    pub(crate) fn free_seats(&self) -> usize {
        self.seats.available_permits()
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
            proxy: HandlerPre::V0_2(proxy),
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

#[cfg(test)]
mod tests {
    use wasmtime::Store;
    use wasmtime::component::{Component, Linker};

    use super::*;
    use crate::code_store::{Compiled, load_bytes};
    use crate::inspect::Kind;

    /// Counts what is not as the program begins (memory of 2.5 MiB, a table, a global), and then leaves all of it, and
    /// more that it grows, in another state.
    const SOILER: &str = r#"(component
        (core module $m
            (memory 40)
            (table $t 4 funcref)
            (global $g (mut i32) (i32.const 7))
            (data (i32.const 65536) "beginning")
            (elem declare func $f)
            (func $f)
            (func (export "run") (result i32)
                (local $at i32) (local $found i32)
                (local.set $found
                    (i32.add (i32.ne (global.get $g) (i32.const 7))
                    (i32.add (i32.ne (memory.size) (i32.const 40))
                    (i32.add (i32.ne (table.size $t) (i32.const 4))
                    (i32.add (i32.eqz (ref.is_null (table.get $t (i32.const 1))))
                        (i64.ne (i64.load (i32.const 65536)) (i64.const 0x6e696e6e69676562)))))))
                (loop $next
                    (if (i32.ne (i32.and (local.get $at) (i32.const -16)) (i32.const 65536))
                        (then (if (i64.ne (i64.load (local.get $at)) (i64.const 0))
                            (then (local.set $found (i32.add (local.get $found) (i32.const 1)))))))
                    (local.set $at (i32.add (local.get $at) (i32.const 8)))
                    (br_if $next (i32.lt_u (local.get $at) (i32.const 2621440))))
                (drop (memory.grow (i32.const 10)))
                (memory.fill (i32.const 0) (i32.const 0xff) (i32.const 3276800))
                (drop (table.grow $t (ref.func $f) (i32.const 3000)))
                (table.fill $t (i32.const 0) (ref.func $f) (i32.const 3004))
                (global.set $g (i32.const 8))
                (local.get $found)))
        (core instance $i (instantiate $m))
        (func (export "run") (result u32) (canon lift (core func $i "run"))))"#;

    #[tokio::test]
    async fn nothing_of_an_instance_is_seen_by_the_next_one() {
        let pool = Pool::new().unwrap();
        let wasm = wat::parse_str(SOILER).unwrap();
        let component = Component::new(pool.engine(), wasm).unwrap();
        let linker = Linker::new(pool.engine());
        for _ in 0..5 {
            let mut store = Store::new(pool.engine(), ());
            store.set_epoch_deadline(1);
            let instance = linker.instantiate_async(&mut store, &component);
            let instance = instance.await.unwrap();
            let run = instance.get_typed_func::<(), (u32,)>(&mut store, "run");
            let (found,) = run.unwrap().call_async(&mut store, ()).await.unwrap();
            assert_eq!(found, 0, "words that are not as they should be");
        }
        let metrics = pool.engine().pooling_allocator_metrics().unwrap();
        assert_eq!(metrics.unused_warm_memories(), 1, "all had the same place");
    }

    #[test]
    fn the_pool_runs_what_was_compiled_for_the_other_engine() {
        let other = Engine::new(&config(Tier::Optimised)).unwrap();
        let pool = Pool::new().unwrap();
        let wasm = wat::parse_str(SOILER).unwrap();
        let compiled = Compiled::compile(&other, Kind::Component, &wasm).unwrap();
        assert!(load_bytes(pool.engine(), Kind::Component, &compiled).is_ok());
    }
}
