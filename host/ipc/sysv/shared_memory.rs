//! System V shared memory: `shmget(2)`, `shmop(2)`, `shmctl(2)`.
//!
//! A segment that was removed goes with its last attachment. Until then it has no key any more, but
//! its id can still be attached to, as on Linux. Its size is as asked for; the account is in pages.

use std::sync::{Arc, Mutex};

use crate::Errno;
use crate::account::Charge;
use crate::limits::PAGE_BYTES;
use crate::lock::lock;
use crate::namespace::Namespace;
use crate::owner::Owner;
use crate::segment::Segment;

use super::flags::MODE;
use super::{GetFlags, Identity};

/// What a segment is at one moment: `IPC_STAT`, and what `ipcs(1)` shows. Times are seconds since
/// 1970, 0 for never.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentInfo {
    /// Its id.
    pub id: i32,
    /// Its key, 0 for none.
    pub key: i32,
    /// Its permission bits.
    pub mode: u32,
    /// The container that made it.
    pub creator: Arc<str>,
    /// Its size in bytes: `shm_segsz`.
    pub bytes: u64,
    /// Attachments: `shm_nattch`.
    pub attached: u32,
    /// Whether it is removed, and goes with its last attachment: `SHM_DEST`.
    pub removed: bool,
    /// Callers that wait at an address in it.
    pub waiting: u32,
    /// The container that attached or detached it last.
    pub last_user: Option<Arc<str>>,
    /// The number of the instance that made it: `shm_cpid`.
    pub creator_pid: i32,
    /// The number of the instance that attached or detached it last: `shm_lpid`.
    pub last_pid: i32,
    /// When it was attached last: `shm_atime`.
    pub attached_at: u64,
    /// When it was detached last: `shm_dtime`.
    pub detached_at: u64,
    /// When it was made, or changed by `shmctl(2)`: `shm_ctime`.
    pub changed_at: u64,
}

/// An attached segment; dropping it is `shmdt`. The bytes are there at least as long.
#[derive(Debug)]
pub struct Attachment {
    shared: Arc<Shared>,
    owner: Arc<Owner>,
    namespace: Arc<Namespace>,
    read_only: bool,
}

/// The object itself.
#[derive(Debug)]
pub(crate) struct Shared {
    identity: Identity,
    segment: Arc<Segment>,
    state: Mutex<State>,
    _pages: Charge,
}

#[derive(Debug)]
struct State {
    attached: u32,
    removed: bool,
    /// It is out of the table.
    gone: bool,
    mode: u32,
    last_user: Option<Arc<str>>,
    last_pid: i32,
    attached_at: u64,
    detached_at: u64,
    changed_at: u64,
}

/// The id of the segment of a key, made with this size if it is missing and the flags say so.
pub(crate) fn get(
    namespace: &Namespace,
    owner: &Owner,
    key: i32,
    bytes: u64,
    flags: GetFlags,
) -> Result<i32, Errno> {
    let check = |shared: &Shared| {
        if bytes > shared.segment.size() {
            Err(Errno::Invalid)
        } else {
            Ok(())
        }
    };
    namespace
        .segments
        .get(key, flags, owner, check, |identity| {
            if bytes == 0 || bytes > namespace.limits.system_v.shmmax {
                return Err(Errno::Invalid);
            }
            let pages = namespace
                .system_v_pages
                .charge(bytes.div_ceil(PAGE_BYTES))
                .ok_or(Errno::NoSpace)?;
            let charge = namespace.segment_bytes.charge(0).ok_or(Errno::NoSpace)?;
            let segment = Segment::new(&*namespace.host.memory, charge)?;
            // Too large to be counted is too large to be had.
            segment.resize(bytes).map_err(|errno| match errno {
                Errno::FileTooBig => Errno::NoSpace,
                other => other,
            })?;
            Ok(Shared {
                identity,
                segment: Arc::new(segment),
                state: Mutex::new(State {
                    attached: 0,
                    removed: false,
                    gone: false,
                    mode: flags.mode(),
                    last_user: None,
                    last_pid: 0,
                    attached_at: 0,
                    detached_at: 0,
                    changed_at: namespace.host.clock.unix_seconds(),
                }),
                _pages: pages,
            })
        })
}

/// Attaches the segment of an id.
pub(crate) fn attach(
    namespace: &Arc<Namespace>,
    owner: &Arc<Owner>,
    id: i32,
    read_only: bool,
) -> Result<Attachment, Errno> {
    let shared = namespace.segments.find(id)?;
    owner.acquire_handle(namespace.limits.max_open_handles)?;
    {
        let mut state = lock(&shared.state);
        if state.gone {
            owner.release_handle();
            return Err(Errno::Invalid);
        }
        state.attached += 1;
        state.attached_at = namespace.host.clock.unix_seconds();
        state.last_pid = owner.pid();
        owner.note(&mut state.last_user);
    }
    Ok(Attachment {
        shared,
        owner: Arc::clone(owner),
        namespace: Arc::clone(namespace),
        read_only,
    })
}

/// What the segment of an id is now; `IPC_STAT` of `shmctl(2)`.
pub(crate) fn stat(namespace: &Namespace, id: i32) -> Result<SegmentInfo, Errno> {
    Ok(namespace.segments.find(id)?.info())
}

/// Changes the mode; `IPC_SET` of `shmctl(2)`.
pub(crate) fn set_mode(namespace: &Namespace, id: i32, mode: u32) -> Result<(), Errno> {
    let shared = namespace.segments.find(id)?;
    let mut state = lock(&shared.state);
    state.mode = mode & MODE;
    state.changed_at = namespace.host.clock.unix_seconds();
    Ok(())
}

/// Takes the key away at once, and the segment with its last attachment; `IPC_RMID` of `shmctl(2)`.
pub(crate) fn remove(namespace: &Namespace, id: i32) -> Result<(), Errno> {
    let shared = namespace.segments.find(id)?;
    namespace.segments.forget_key(id);
    let mut state = lock(&shared.state);
    state.removed = true;
    shared.go_if_unused(&mut state, namespace, true);
    Ok(())
}

/// An instance ended: with `kernel.shm_rmid_forced` the segments that it made go, if nobody has them
/// attached.
pub(crate) fn end(namespace: &Namespace, owner: &Owner) {
    if namespace.limits.system_v.shm_rmid_forced {
        for shared in namespace.segments.all() {
            let is_its_own = shared.identity.creator_pid == owner.pid();
            shared.go_if_unused(&mut lock(&shared.state), namespace, is_its_own);
        }
    }
}

impl Shared {
    pub(crate) fn info(&self) -> SegmentInfo {
        let state = lock(&self.state);
        SegmentInfo {
            id: self.identity.id,
            key: if state.removed { 0 } else { self.identity.key },
            mode: state.mode,
            creator: Arc::clone(&self.identity.creator),
            bytes: self.segment.size(),
            attached: state.attached,
            removed: state.removed,
            waiting: u32::try_from(self.segment.waiting()).unwrap_or(u32::MAX),
            last_user: state.last_user.clone(),
            creator_pid: self.identity.creator_pid,
            last_pid: state.last_pid,
            attached_at: state.attached_at,
            detached_at: state.detached_at,
            changed_at: state.changed_at,
        }
    }

    /// Goes out of the table, if nobody has it attached and it is to go. Lock order: the segment's
    /// lock, then the table's.
    fn go_if_unused(&self, state: &mut State, namespace: &Namespace, is_to_go: bool) {
        if state.attached == 0 && is_to_go && !state.gone {
            state.gone = true;
            // Dropped by who holds it still, which the caller does.
            let _itself = namespace.segments.remove(self.identity.id);
        }
    }
}

impl Attachment {
    /// The bytes.
    #[must_use]
    pub fn segment(&self) -> &Arc<Segment> {
        &self.shared.segment
    }

    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.shared.segment.size()
    }

    /// The id of the segment.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.shared.identity.id
    }

    /// Whether it was attached with `SHM_RDONLY`; it is up to the caller to hold to it.
    #[must_use]
    pub const fn is_read_only(&self) -> bool {
        self.read_only
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let Self {
            shared,
            owner,
            namespace,
            ..
        } = self;
        owner.release_handle();
        let mut state = lock(&shared.state);
        state.attached -= 1;
        state.detached_at = namespace.host.clock.unix_seconds();
        state.last_pid = owner.pid();
        owner.note(&mut state.last_user);
        let is_to_go = state.removed || namespace.limits.system_v.shm_rmid_forced;
        shared.go_if_unused(&mut state, namespace, is_to_go);
    }
}
