//! Bytes of a segment as the list that a component is given of them.
//!
//! What a host function returns, the engine copies into the component's memory; a list of bytes must be in the host's
//! memory for that, so bytes of a segment would be copied twice. These go from the segment straight to where the component
//! wants its list, by the segment's own copy, so no reference to its pages is needed (rule 6).
//!
//! The engine's traits for values that it passes are meant to be derived, and may change in any version; ours is pinned.
#![expect(
    unsafe_code,
    reason = "the engine trusts what a type says of its form in a component's memory"
)]

use std::mem::MaybeUninit;
use std::sync::Arc;

use wasmpod_ipc::Segment;
use wasmtime::component::__internal::{
    CanonicalAbiInfo, InstanceType, InterfaceType, LowerContext,
};
use wasmtime::component::{ComponentType, Lower};
use wasmtime::{Result, ValRaw, format_err};

/// A range of a segment; lowered as `list<u8>`.
#[derive(Debug)]
pub(crate) struct SegmentBytes {
    segment: Arc<Segment>,
    offset: u64,
    bytes: usize,
}

impl SegmentBytes {
    /// At most `most` bytes from `offset` on, fewer at the segment's end.
    pub(crate) fn new(segment: Arc<Segment>, offset: u64, most: usize) -> Self {
        let left = segment.size().saturating_sub(offset);
        let bytes = usize::try_from(left).map_or(most, |left| left.min(most));
        Self {
            segment,
            offset,
            bytes,
        }
    }

    /// The bytes, in memory of the host.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.bytes];
        self.segment.read(self.offset, &mut bytes);
        bytes
    }

    /// Copies the bytes into memory that the component allocates for them; where they are, and how many.
    fn copy<T>(&self, cx: &mut LowerContext<'_, T>) -> Result<(u32, u32)> {
        let start = cx.realloc(0, 0, 1, self.bytes)?;
        let place = cx
            .as_slice_mut()
            .get_mut(start..)
            .and_then(|memory| memory.get_mut(..self.bytes))
            .ok_or_else(|| format_err!("no place for a list of {} bytes", self.bytes))?;
        // All of them: a component that allocates calls nothing that could make the segment smaller.
        self.segment.read(self.offset, place);
        Ok((u32::try_from(start)?, u32::try_from(self.bytes)?))
    }
}

// SAFETY: form and type are those of `[u8]`.
unsafe impl ComponentType for SegmentBytes {
    type Lower = <[u8] as ComponentType>::Lower;

    const ABI: CanonicalAbiInfo = <[u8] as ComponentType>::ABI;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        <[u8] as ComponentType>::typecheck(ty, types)
    }
}

// SAFETY: both functions write the whole form of a list, its address and its length, which name bytes of the component's
// memory that it has allocated for them and that were bounds-checked.
unsafe impl Lower for SegmentBytes {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        _: InterfaceType,
        flat: &mut MaybeUninit<Self::Lower>,
    ) -> Result<()> {
        let (start, length) = self.copy(cx)?;
        flat.write([ValRaw::i64(start.into()), ValRaw::i64(length.into())]);
        Ok(())
    }

    fn linear_lower_to_memory<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        _: InterfaceType,
        offset: usize,
    ) -> Result<()> {
        let (start, length) = self.copy(cx)?;
        let form: &mut [u8; 2 * size_of::<u32>()] = cx.get(offset);
        let (first, second) = form.split_at_mut(size_of::<u32>());
        first.copy_from_slice(&start.to_le_bytes());
        second.copy_from_slice(&length.to_le_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use wasmpod_ipc::{IpcLimits, OpenFlags, PodIpc};
    use wasmtime::Store;
    use wasmtime::component::{Component, Linker};

    use super::*;
    use crate::engine::{Engines, Tier};

    /// A component that sums up the bytes of a list that it calls for (`called`), or is called with (`given`). It lets
    /// lists be put at `$place` of its 64 KiB of memory.
    const SUMS: &str = r#"
        (component
            (import "read" (func $read (result (list u8))))
            (core module $memory
                (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const $place)))
            (core instance $memory (instantiate $memory))
            (core func $lowered (canon lower (func $read)
                (memory $memory "memory") (realloc (func $memory "realloc"))))
            (core module $sums
                (import "memory" "memory" (memory 1))
                (import "host" "read" (func $read (param i32)))
                (func $sum (export "given") (param $at i32) (param $length i32) (result i32)
                    (local $sum i32)
                    (block $done (loop $next
                        (br_if $done (i32.eqz (local.get $length)))
                        (local.set $sum (i32.add (local.get $sum) (i32.load8_u (local.get $at))))
                        (local.set $at (i32.add (local.get $at) (i32.const 1)))
                        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
                        (br $next)))
                    (local.get $sum))
                (func (export "called") (result i32)
                    (call $read (i32.const 8))
                    (call $sum (i32.load (i32.const 8)) (i32.load (i32.const 12)))))
            (core instance $sums (instantiate $sums
                (with "memory" (instance $memory))
                (with "host" (instance (export "read" (func $lowered))))))
            (func (export "called") (result u32) (canon lift (core func $sums "called")))
            (func (export "given") (param "bytes" (list u8)) (result u32)
                (canon lift (core func $sums "given")
                    (memory $memory "memory") (realloc (func $memory "realloc")))))
    "#;

    /// A segment with the bytes 1 to 5.
    fn segment() -> Arc<Segment> {
        let pod = PodIpc::new(IpcLimits::default());
        let flags = OpenFlags::READ | OpenFlags::WRITE | OpenFlags::CREATE;
        let writer = pod.attach("writer");
        let open = writer.shm_open("/bytes", flags).unwrap();
        open.truncate(5).unwrap();
        let segment = Arc::clone(open.segment().unwrap());
        segment.write(0, &[1, 2, 3, 4, 5]).unwrap();
        segment
    }

    /// What the component says of `most` bytes from `offset` on, which it calls for and is called with.
    fn sums(place: i32, offset: u64, most: usize) -> [Result<u32>; 2] {
        let bytes = move || SegmentBytes::new(segment(), offset, most);
        let engines = Engines::new().unwrap();
        let engine = engines.of(Tier::Optimised);
        let component = wat::parse_str(SUMS.replace("$place", &place.to_string())).unwrap();
        let component = Component::new(engine, component).unwrap();
        let mut linker = Linker::new(engine);
        linker
            .root()
            .func_wrap("read", move |_, (): ()| Ok((bytes(),)))
            .unwrap();
        let new = || {
            let mut store = Store::new(engine, ());
            store.set_epoch_deadline(u64::MAX / 2);
            let instance = linker.instantiate(&mut store, &component).unwrap();
            (store, instance)
        };
        let (mut store, instance) = new();
        let called = instance.get_typed_func::<(), (u32,)>(&mut store, "called");
        let called = called.unwrap().call(&mut store, ());
        let (mut store, instance) = new();
        let given = instance.get_typed_func::<(SegmentBytes,), (u32,)>(&mut store, "given");
        let given = given.unwrap().call(&mut store, (bytes(),));
        [called, given].map(|sum| sum.map(|(sum,)| sum))
    }

    #[test]
    fn a_component_gets_the_bytes_where_it_wants_them() {
        for (offset, most, sum) in [
            (0, 5, 15),
            (1, 3, 9),
            (3, 9, 9),
            (0, 0, 0),
            (5, 1, 0),
            (99, 1, 0),
        ] {
            for got in sums(1024, offset, most) {
                assert_eq!(got.unwrap(), sum, "{most} from {offset}");
            }
        }
    }

    #[test]
    fn a_place_outside_of_its_memory_is_an_error() {
        for place in [65532, 65536, -1] {
            for got in sums(place, 0, 5) {
                got.unwrap_err();
            }
        }
        for got in sums(65531, 0, 5) {
            assert_eq!(got.unwrap(), 15, "the last five bytes of the memory");
        }
    }
}
