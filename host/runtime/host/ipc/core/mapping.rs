//! `shm_map`, `shm_unmap`, `shm_sync`, `sem_map` and the futexes: segments in the guest's own memory.
//!
//! Where the pages themselves can be shared they are (`shared_pages`, with the rules that make it sound). Elsewhere a
//! mapping is a copy with a *twin*: the bytes as they were when it was last brought up to date. Bringing it up to date
//! writes the bytes that differ from the twin, which are those that this guest changed, into the segment, and then
//! takes over the segment; so two guests that change different bytes do not undo each other's. It happens when the guest
//! asks, unmaps, waits at a futex or wakes, which is when programs that share memory mean it to be up to date.

use std::sync::Arc;

use wasmpod_ipc::sysv::shared_memory::Attachment;
use wasmpod_ipc::{Errno, Segment};
use wasmtime::{AsContextMut, Linker, Memory, Result, Store};

use super::MODULE;
use super::segment::{OpenSegment, WRITE, offset, segment};
use crate::host::CoreState;
use crate::host::guest_memory::{Answer, EFAULT, Guest, Out, errno, handle, memory};
use crate::host::ipc::{limit, within};
use crate::shared_pages::{self, GuestPages, MAPPING_UNIT, Place};

/// Mappings of one container instance. Each splits a mapping of the process in three, and the process has some 65,000
/// (`vm.max_map_count`) for all its guests. One more is `ENOMEM`, as `mmap(2)` has it.
pub(super) const MAX_MAPPINGS: usize = 64;

/// Bytes that are compared with the twin at a time.
const COMPARED: usize = 64;

/// A segment in the guest's memory.
#[derive(Debug)]
pub(in crate::host) struct Mapping {
    place: Place,
    offset: u64,
    is_writable: bool,
    source: Source,
    pages: Pages,
}

/// What a mapping keeps alive. A System V segment is attached as long as it is mapped.
#[derive(Debug)]
enum Source {
    Posix(Arc<Segment>),
    SystemV(Arc<Attachment>),
    /// The numbers of the pod's semaphores.
    Semaphores(Arc<Segment>),
}

#[derive(Debug)]
enum Pages {
    Shared(GuestPages),
    /// The twin.
    Copied(Vec<u8>),
}

impl Source {
    fn of(open: &OpenSegment) -> std::result::Result<Self, Errno> {
        Ok(match open {
            OpenSegment::Posix(_) => Self::Posix(Arc::clone(open.segment()?)),
            OpenSegment::SystemV(attachment) => Self::SystemV(Arc::clone(attachment)),
        })
    }

    fn segment(&self) -> &Arc<Segment> {
        match self {
            Self::Posix(segment) | Self::Semaphores(segment) => segment,
            Self::SystemV(attachment) => attachment.segment(),
        }
    }
}

impl Mapping {
    const fn end(&self) -> usize {
        self.place.start.saturating_add(self.place.bytes)
    }

    const fn overlaps(&self, place: Place) -> bool {
        self.place.start < place.start.saturating_add(place.bytes) && place.start < self.end()
    }

    /// Exchanges what changed here and there, if it is a copy.
    fn sync(&mut self, memory: &mut [u8]) -> std::result::Result<(), Errno> {
        let end = self.end();
        let (offset, segment) = (self.offset, Arc::clone(self.source.segment()));
        let Pages::Copied(twin) = &mut self.pages else {
            return Ok(());
        };
        let here = memory.get_mut(self.place.start..end).ok_or(Errno::Fault)?;
        if self.is_writable {
            write_changes(here, twin, &segment, offset)?;
        }
        let read = segment.read(offset, twin);
        // What is beyond the end of the segment is zero.
        if let Some(rest) = twin.get_mut(read..) {
            rest.fill(0);
        }
        here.copy_from_slice(twin);
        Ok(())
    }

    /// Puts the guest's own memory back.
    fn end_with(
        &mut self,
        mut guest: impl AsContextMut,
        memory: Memory,
    ) -> std::result::Result<(), Errno> {
        match &self.pages {
            Pages::Shared(pages) => pages.unmap(guest, memory),
            Pages::Copied(_) => {
                self.sync(memory.data_mut(&mut guest))?;
                let place = self.place.start..self.end();
                let here = memory.data_mut(&mut guest).get_mut(place);
                here.ok_or(Errno::Fault)?.fill(0);
                Ok(())
            }
        }
    }
}

/// Writes the bytes of `here` that are not those of its twin into the segment.
fn write_changes(
    here: &[u8],
    twin: &[u8],
    segment: &Segment,
    offset: u64,
) -> std::result::Result<(), Errno> {
    let mut at = offset;
    for (here, twin) in here.chunks(COMPARED).zip(twin.chunks(COMPARED)) {
        if here != twin {
            write_run(here, twin, segment, at)?;
        }
        at = at.saturating_add(u64::try_from(here.len()).unwrap_or(u64::MAX));
    }
    Ok(())
}

/// Writes each run of changed bytes with one call, and no other byte.
fn write_run(
    here: &[u8],
    twin: &[u8],
    segment: &Segment,
    offset: u64,
) -> std::result::Result<(), Errno> {
    let is_changed = |index: usize| here.get(index) != twin.get(index);
    let mut index = 0;
    while index < here.len() {
        let start = index;
        while index < here.len() && is_changed(index) {
            index += 1;
        }
        if let Some(run) = here.get(start..index).filter(|run| !run.is_empty()) {
            let start = u64::try_from(start).unwrap_or(u64::MAX);
            segment.write(offset.saturating_add(start), run)?;
        }
        index += usize::from(index == start);
    }
    Ok(())
}

/// The range of a mapping; its length is rounded up.
fn place(address: i32, len: i32) -> std::result::Result<Place, Errno> {
    let number = |number: i32| usize::try_from(number.cast_unsigned()).map_err(|_| Errno::Invalid);
    let unit = usize::try_from(MAPPING_UNIT).map_err(|_| Errno::Invalid)?;
    let (start, bytes) = (number(address)?, number(len)?);
    let bytes = bytes.checked_next_multiple_of(unit).ok_or(Errno::Invalid)?;
    if bytes == 0 || !start.is_multiple_of(unit) {
        return Err(Errno::Invalid);
    }
    Ok(Place { start, bytes })
}

fn map(
    guest: &mut Guest<'_>,
    (fd, from): (i32, i64),
    (address, len): (i32, i32),
    flags: i32,
    out: i32,
) -> Answer {
    let handle = handle(guest)?;
    let (memory_now, state) = memory(guest)?;
    let out = Out::<4>::new(out, memory_now)?;
    let place = place(address, len)?;
    let offset = offset(from)?;
    if flags & !WRITE != 0 || !offset.is_multiple_of(MAPPING_UNIT) {
        return Err(Errno::Invalid.into());
    }
    let is_writable = flags & WRITE != 0;
    let open = segment(state, fd)?;
    if is_writable {
        open.check_writable()?;
    }
    let source = Source::of(open)?;
    let segment = Arc::clone(source.segment());
    let end = u64::try_from(place.bytes)
        .ok()
        .and_then(|bytes| offset.checked_add(bytes));
    let units = segment.size().checked_next_multiple_of(MAPPING_UNIT);
    if end.zip(units).is_none_or(|(end, units)| end > units) {
        return Err(Errno::Invalid.into());
    }
    let mappings = &state.handles.mappings;
    if mappings.iter().any(|mapping| mapping.overlaps(place)) {
        return Err(Errno::Invalid.into());
    }
    if mappings.len() >= MAX_MAPPINGS {
        return Err(Errno::NoMemory.into());
    }
    let range = place.start..place.start.saturating_add(place.bytes);
    memory_now.get(range).ok_or(EFAULT)?;
    let shared = shared_pages::map(
        segment.memory(),
        &*guest,
        handle,
        place,
        offset,
        is_writable,
    )?;
    let is_shared = u32::from(shared.is_some());
    let pages = shared.map_or_else(|| Pages::Copied(vec![0; place.bytes]), Pages::Shared);
    let mut mapping = Mapping {
        place,
        offset,
        is_writable,
        source,
        pages,
    };
    let (memory, state) = memory(guest)?;
    if let Pages::Copied(twin) = &mut mapping.pages {
        // What was in the guest's memory is not a change.
        let end = place.start.saturating_add(place.bytes);
        twin.copy_from_slice(memory.get(place.start..end).ok_or(EFAULT)?);
        mapping.sync(memory)?;
    }
    state.handles.mappings.push(mapping);
    out.put(memory, &[&is_shared])
}

/// Maps the numbers of the pod's semaphores, unless they are mapped there already, and says where among them the number
/// of this one is.
fn map_semaphores(guest: &mut Guest<'_>, sem: i32, address: i32, out: i32) -> Answer {
    let handle = handle(guest)?;
    let (memory_now, state) = memory(guest)?;
    let out = Out::<4>::new(out, memory_now)?;
    let semaphore = state.handles.semaphores.get(sem)?;
    let (segment, offset) = semaphore.place().ok_or(Errno::NotSupported)?;
    let offset = u32::try_from(offset).map_err(|_| Errno::NotSupported)?;
    let length = i32::try_from(segment.size()).map_err(|_| Errno::NotSupported)?;
    let place = place(address, length)?;
    let mappings = &state.handles.mappings;
    if let Some(mapping) = mappings.iter().find(|mapping| mapping.overlaps(place)) {
        let is_there = mapping.place == place && Arc::ptr_eq(mapping.source.segment(), segment);
        is_there.then_some(()).ok_or(Errno::Invalid)?;
        return out.put(memory_now, &[&offset]);
    }
    if mappings.len() >= MAX_MAPPINGS {
        return Err(Errno::NoMemory.into());
    }
    let segment = Arc::clone(segment);
    let pages = shared_pages::map(segment.memory(), &*guest, handle, place, 0, true)?;
    // Copies would be different numbers.
    let pages = pages.ok_or(Errno::NotSupported)?;
    let (memory, state) = memory(guest)?;
    state.handles.mappings.push(Mapping {
        place,
        offset: 0,
        is_writable: true,
        source: Source::Semaphores(segment),
        pages: Pages::Shared(pages),
    });
    out.put(memory, &[&offset])
}

fn sync(guest: &mut Guest<'_>, address: i32, len: i32) -> Answer {
    let (memory, state) = memory(guest)?;
    let place = place(address, len)?;
    let mut found = false;
    for mapping in &mut state.handles.mappings {
        if mapping.overlaps(place) {
            mapping.sync(memory)?;
            found = true;
        }
    }
    found.then_some(()).ok_or_else(|| Errno::Invalid.into())
}

/// Brings everything that is a copy up to date.
fn sync_all(guest: &mut Guest<'_>) -> Answer {
    let (memory, state) = memory(guest)?;
    for mapping in &mut state.handles.mappings {
        mapping.sync(memory)?;
    }
    Ok(())
}

fn unmap(guest: &mut Guest<'_>, address: i32, len: i32) -> Answer {
    let handle = handle(guest)?;
    let place = place(address, len)?;
    let mappings = &mut guest.data_mut().handles.mappings;
    let index = mappings.iter().position(|mapping| mapping.place == place);
    let index = index.ok_or(Errno::Invalid)?;
    let mut mapping = mappings.swap_remove(index);
    let ended = mapping.end_with(&mut *guest, handle);
    if ended.is_err() {
        // It is still there.
        guest.data_mut().handles.mappings.push(mapping);
    }
    Ok(ended?)
}

/// Ends all mappings of a guest that has ended, while its memory is still there.
pub(in crate::host) fn unmap_all(store: &mut Store<CoreState>) {
    let state = store.data_mut();
    let mappings = std::mem::take(&mut state.handles.mappings);
    let Some(memory) = state.memory else { return };
    for mut mapping in mappings {
        // If it fails the engine gives the whole range back, mapped or not; nobody runs in it any more.
        let _ = mapping.end_with(&mut *store, memory);
    }
}

/// The segment and the offset at an address of the guest's memory.
fn at(guest: &Guest<'_>, address: i32) -> std::result::Result<(Arc<Segment>, u64), Errno> {
    let address = usize::try_from(address.cast_unsigned()).map_err(|_| Errno::Invalid)?;
    let mappings = &guest.data().handles.mappings;
    let mut found = mappings.iter();
    let found = found.find(|mapping| mapping.place.start <= address && address < mapping.end());
    let mapping = found.ok_or(Errno::Invalid)?;
    let within = address.saturating_sub(mapping.place.start);
    let within = u64::try_from(within).map_err(|_| Errno::Invalid)?;
    let offset = mapping.offset.saturating_add(within);
    Ok((Arc::clone(mapping.source.segment()), offset))
}

async fn wait(
    guest: &mut Guest<'_>,
    (segment, offset): (Arc<Segment>, u64),
    expected: i32,
    timeout_ns: i64,
) -> Answer {
    sync_all(guest)?;
    let woken = segment.futex_wait(offset, expected.cast_unsigned());
    let woken = within(limit(timeout_ns), woken).await;
    sync_all(guest)?;
    Ok(woken?)
}

async fn futex_wait(guest: &mut Guest<'_>, address: i32, expected: i32, timeout_ns: i64) -> Answer {
    let at = at(guest, address)?;
    wait(guest, at, expected, timeout_ns).await
}

/// The segment of a descriptor, with an offset in it.
fn by_descriptor(
    guest: &Guest<'_>,
    fd: i32,
    at: i64,
) -> std::result::Result<(Arc<Segment>, u64), Errno> {
    let segment = segment(guest.data(), fd)?.segment()?;
    Ok((Arc::clone(segment), offset(at)?))
}

async fn shm_futex_wait(
    guest: &mut Guest<'_>,
    (fd, offset): (i32, i64),
    expected: i32,
    timeout_ns: i64,
) -> Answer {
    let at = by_descriptor(guest, fd, offset)?;
    wait(guest, at, expected, timeout_ns).await
}

fn wake(
    guest: &mut Guest<'_>,
    (segment, offset): (Arc<Segment>, u64),
    count: i32,
    out: i32,
) -> Answer {
    sync_all(guest)?;
    let (memory, _) = memory(guest)?;
    let out = Out::<4>::new(out, memory)?;
    let woken = segment.futex_wake(offset, count.cast_unsigned())?;
    out.put(memory, &[&woken])
}

fn futex_wake(guest: &mut Guest<'_>, address: i32, count: i32, out: i32) -> Answer {
    let at = at(guest, address)?;
    wake(guest, at, count, out)
}

fn shm_futex_wake(guest: &mut Guest<'_>, fd: i32, offset: i64, count: i32, out: i32) -> Answer {
    let at = by_descriptor(guest, fd, offset)?;
    wake(guest, at, count, out)
}

/// Whether an instance runs, for locks whose owner may have ended.
fn owner_runs(guest: &mut Guest<'_>, number: i32, out: i32) -> Answer {
    let (memory, state) = memory(guest)?;
    let out = Out::<4>::new(out, memory)?;
    let runs = u32::from(state.ipc.is_running(number));
    out.put(memory, &[&runs])
}

/// Defines the functions.
///
/// # Errors
/// A bug of this host: a function is defined twice.
#[rustfmt::skip]
pub(super) fn link(linker: &mut Linker<CoreState>) -> Result<()> {
    linker.func_wrap(MODULE, "shm_map", |mut guest: Guest<'_>, fd: i32, offset: i64, address: i32, len: i32, flags: i32, out: i32| {
        errno(map(&mut guest, (fd, offset), (address, len), flags, out))
    })?;
    linker.func_wrap(MODULE, "sem_map", |mut guest: Guest<'_>, sem: i32, address: i32, out: i32| {
        errno(map_semaphores(&mut guest, sem, address, out))
    })?;
    linker.func_wrap(MODULE, "shm_sync", |mut guest: Guest<'_>, address: i32, len: i32| {
        errno(sync(&mut guest, address, len))
    })?;
    linker.func_wrap(MODULE, "shm_unmap", |mut guest: Guest<'_>, address: i32, len: i32| {
        errno(unmap(&mut guest, address, len))
    })?;
    linker.func_wrap_async(MODULE, "futex_wait", |mut guest: Guest<'_>, (address, expected, timeout_ns): (i32, i32, i64)| {
        Box::new(async move { errno(futex_wait(&mut guest, address, expected, timeout_ns).await) })
    })?;
    linker.func_wrap(MODULE, "futex_wake", |mut guest: Guest<'_>, address: i32, count: i32, out: i32| {
        errno(futex_wake(&mut guest, address, count, out))
    })?;
    linker.func_wrap(MODULE, "futex_owner_runs", |mut guest: Guest<'_>, number: i32, out: i32| {
        errno(owner_runs(&mut guest, number, out))
    })?;
    linker.func_wrap_async(MODULE, "shm_futex_wait", |mut guest: Guest<'_>, (fd, offset, expected, timeout_ns): (i32, i64, i32, i64)| {
        Box::new(async move { errno(shm_futex_wait(&mut guest, (fd, offset), expected, timeout_ns).await) })
    })?;
    linker.func_wrap(MODULE, "shm_futex_wake", |mut guest: Guest<'_>, fd: i32, offset: i64, count: i32, out: i32| {
        errno(shm_futex_wake(&mut guest, fd, offset, count, out))
    })?;
    Ok(())
}
