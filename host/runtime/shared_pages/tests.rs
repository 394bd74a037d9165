//! Pages that several linear memories share, and every rule that keeps that sound.

use std::sync::Arc;

use wasmpod_ipc::{AtomicOp, Errno, SegmentMemory, SegmentProvider};
use wasmtime::{Memory, MemoryType, Store};

use super::{GuestPages, MAPPING_UNIT, Place, map, provider};
use crate::engine::{Engines, Tier};

const UNIT: usize = 64 * 1024;

/// A guest with nothing but a memory of eight units.
struct Guest {
    store: Store<()>,
    memory: Memory,
}

impl Guest {
    fn new() -> Self {
        Self::with(MemoryType::new(8, Some(16)))
    }

    fn with(memory: MemoryType) -> Self {
        let engines = Engines::new().unwrap();
        let mut store = Store::new(engines.of(Tier::Optimised), ());
        let memory = Memory::new(&mut store, memory).unwrap();
        Self { store, memory }
    }

    fn map(&self, of: &dyn SegmentMemory, unit: usize, writable: bool) -> GuestPages {
        self.try_map(of, place(unit, 1), 0, writable)
            .unwrap()
            .unwrap()
    }

    fn try_map(
        &self,
        of: &dyn SegmentMemory,
        place: Place,
        offset: u64,
        writable: bool,
    ) -> Result<Option<GuestPages>, Errno> {
        map(of, &self.store, self.memory, place, offset, writable)
    }

    fn unmap(&self, pages: &GuestPages) {
        pages.unmap(&self.store, self.memory).unwrap();
    }

    fn byte(&mut self, at: usize) -> &mut u8 {
        &mut self.memory.data_mut(&mut self.store)[at]
    }
}

fn place(unit: usize, units: usize) -> Place {
    Place {
        start: unit * UNIT,
        bytes: units * UNIT,
    }
}

/// Memory for segments of up to four units.
fn pod() -> Arc<dyn SegmentProvider> {
    provider(8, 4 * MAPPING_UNIT)
}

fn segment(pod: &Arc<dyn SegmentProvider>, units: u64) -> Box<dyn SegmentMemory> {
    let segment = pod.make().unwrap();
    segment.resize(0, units * MAPPING_UNIT).unwrap();
    segment
}

fn byte(segment: &dyn SegmentMemory, at: u64) -> u8 {
    let mut byte = [0];
    segment.read(at, &mut byte);
    byte[0]
}

#[test]
fn what_one_guest_writes_another_sees_and_so_does_the_host() {
    let pod = pod();
    let shared = segment(&pod, 1);
    let (mut one, mut other) = (Guest::new(), Guest::new());
    let (a, b) = (one.map(&*shared, 1, true), other.map(&*shared, 3, true));
    *one.byte(UNIT + 5) = 7;
    assert_eq!(*other.byte(3 * UNIT + 5), 7);
    assert_eq!(byte(&*shared, 5), 7);
    shared.write(6, &[8]).unwrap();
    assert_eq!(*one.byte(UNIT + 6), 8);
    assert_eq!(shared.update_u32(8, AtomicOp::Add(3)), Ok(0));
    assert_eq!(*other.byte(3 * UNIT + 8), 3);
    assert_eq!(*one.byte(UNIT - 1), 0, "its neighbour is as it was");
    one.unmap(&a);
    other.unmap(&b);
}

#[test]
fn an_ended_mapping_leaves_zeros_and_others_keep_theirs() {
    let pod = pod();
    let shared = segment(&pod, 1);
    let (mut one, mut other) = (Guest::new(), Guest::new());
    let (a, b) = (one.map(&*shared, 1, true), other.map(&*shared, 1, true));
    *one.byte(UNIT) = 1;
    one.unmap(&a);
    assert_eq!(*one.byte(UNIT), 0);
    *one.byte(UNIT) = 9;
    assert_eq!((*other.byte(UNIT), byte(&*shared, 0)), (1, 1));
    other.unmap(&b);
}

#[test]
fn a_segment_that_is_cut_off_stays_accessible_and_comes_back_as_zeros() {
    let pod = pod();
    let shared = segment(&pod, 1);
    let mut guest = Guest::new();
    let pages = guest.map(&*shared, 2, true);
    *guest.byte(2 * UNIT) = 1;
    shared.resize(MAPPING_UNIT, 0).unwrap();
    assert_eq!(*guest.byte(2 * UNIT), 0, "no SIGBUS");
    *guest.byte(2 * UNIT + 1) = 2;
    shared.resize(0, MAPPING_UNIT).unwrap();
    assert_eq!(
        byte(&*shared, 1),
        0,
        "new bytes are zero, whoever wrote there"
    );
    guest.unmap(&pages);
}

#[test]
fn a_place_in_the_file_is_clean_when_it_is_used_again() {
    let pod = provider(1, MAPPING_UNIT);
    let first = segment(&pod, 1);
    let mut guest = Guest::new();
    let pages = guest.map(&*first, 1, true);
    *guest.byte(UNIT + 100) = 1;
    assert_eq!(
        pod.make().err(),
        Some(Errno::NoMemory),
        "there is one place"
    );
    guest.unmap(&pages);
    drop(first);
    let second = segment(&pod, 1);
    assert_eq!(byte(&*second, 100), 0);
    let pages = guest.map(&*second, 1, true);
    assert_eq!(*guest.byte(UNIT + 100), 0);
    guest.unmap(&pages);
}

#[test]
fn a_guest_that_may_only_read_changes_nothing_for_others() {
    let pod = pod();
    let shared = segment(&pod, 1);
    let mut guest = Guest::new();
    let pages = guest.map(&*shared, 1, false);
    shared.write(0, &[5]).unwrap();
    assert_eq!(*guest.byte(UNIT), 5, "it sees what others write");
    *guest.byte(UNIT) = 6;
    assert_eq!(byte(&*shared, 0), 5, "and others do not see what it writes");
    guest.unmap(&pages);
}

#[test]
fn a_memory_that_grows_keeps_its_mappings() {
    let pod = pod();
    let shared = segment(&pod, 1);
    let mut guest = Guest::new();
    let pages = guest.map(&*shared, 7, true);
    guest.memory.grow(&mut guest.store, 8).unwrap();
    *guest.byte(7 * UNIT) = 4;
    assert_eq!(byte(&*shared, 0), 4);
    assert_eq!(*guest.byte(8 * UNIT), 0);
    guest.unmap(&pages);
}

#[test]
fn a_store_that_is_dropped_with_a_mapping_leaves_the_segment_as_it_is() {
    let pod = pod();
    let shared = segment(&pod, 1);
    let mut guest = Guest::new();
    guest.map(&*shared, 1, true);
    *guest.byte(UNIT) = 3;
    drop(guest);
    assert_eq!(byte(&*shared, 0), 3);
}

#[test]
fn places_that_are_not_the_guests_or_not_aligned_are_refused() {
    let pod = pod();
    let shared = segment(&pod, 4);
    let guest = Guest::new();
    let refused = |place, offset| guest.try_map(&*shared, place, offset, true).err();
    assert_eq!(refused(place(8, 1), 0), Some(Errno::Fault));
    assert_eq!(refused(place(7, 2), 0), Some(Errno::Fault));
    assert_eq!(refused(place(usize::MAX / UNIT, 2), 0), Some(Errno::Fault));
    assert_eq!(refused(place(1, 0), 0), Some(Errno::Fault));
    let odd = Place {
        start: 4096,
        bytes: UNIT,
    };
    assert_eq!(refused(odd, 0), Some(Errno::Invalid));
    assert_eq!(refused(place(1, 4), MAPPING_UNIT), Some(Errno::Invalid));
    assert_eq!(refused(place(1, 1), u64::MAX - 5), Some(Errno::Invalid));
}

#[test]
fn a_memory_of_64_bits_is_refused() {
    let pod = pod();
    let shared = segment(&pod, 1);
    let guest = Guest::with(MemoryType::new64(8, Some(16)));
    let refused = guest.try_map(&*shared, place(1, 1), 0, true);
    assert_eq!(refused.err(), Some(Errno::NotSupported));
}

#[test]
fn a_guest_on_another_thread_gets_a_copy() {
    let pod = pod();
    let shared = segment(&pod, 1);
    let guest = Guest::new();
    let pages = guest.map(&*shared, 1, true);
    let elsewhere = std::thread::scope(|scope| {
        let shared = &*shared;
        let map = move || Guest::new().try_map(shared, place(1, 1), 0, true);
        scope.spawn(map).join().unwrap()
    });
    assert!(elsewhere.unwrap().is_none());
    guest.unmap(&pages);
}

#[test]
fn words_beyond_the_region_or_not_aligned_are_refused() {
    let pod = pod();
    let shared = segment(&pod, 1);
    let end = 4 * MAPPING_UNIT;
    assert_eq!(shared.update_u32(end, AtomicOp::Load), Err(Errno::Invalid));
    assert_eq!(
        shared.update_u64(end - 4, AtomicOp::Load),
        Err(Errno::Invalid)
    );
    assert_eq!(shared.update_u32(2, AtomicOp::Load), Err(Errno::Invalid));
    assert_eq!(shared.write(end - 1, &[0; 2]), Err(Errno::Fault));
    let mut bytes = [1; 2];
    shared.read(end - 1, &mut bytes);
    assert_eq!(bytes, [0; 2]);
    assert_eq!(shared.resize(0, end + 1), Err(Errno::NoMemory));
}

#[test]
fn words_of_both_widths_have_every_operation() {
    let pod = pod();
    let shared = segment(&pod, 1);
    let (expected, new) = (0b0110, u64::MAX);
    for (op, old) in [
        (AtomicOp::Store(0b1100), 0),
        (AtomicOp::And(0b0110), 0b1100),
        (AtomicOp::Or(0b0010), 0b0100),
        (AtomicOp::Xor(0b0001), 0b0110),
        (AtomicOp::CompareExchange { expected, new }, 0b0111),
        (AtomicOp::Exchange(0b0110), 0b0111),
        (AtomicOp::CompareExchange { expected, new }, 0b0110),
        (AtomicOp::Add(1), u64::MAX),
        (AtomicOp::Load, 0),
    ] {
        assert_eq!(shared.update_u64(16, op), Ok(old), "{op:?}");
    }
}

#[test]
fn many_segments_take_few_mappings_of_the_process() {
    let pod = provider(1000, MAPPING_UNIT);
    let all: Vec<_> = (0..1000).map(|_| segment(&pod, 1)).collect();
    for (number, segment) in all.iter().enumerate() {
        segment.write(0, &number.to_le_bytes()).unwrap();
    }
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let views = maps
        .lines()
        .filter(|line| line.contains("wasmpod-segments"))
        .count();
    assert!(views < 100, "{views}");
    for (number, segment) in all.iter().enumerate() {
        let mut bytes = [0; size_of::<usize>()];
        segment.read(0, &mut bytes);
        assert_eq!(usize::from_le_bytes(bytes), number);
    }
}
