//! System V shared memory: the sentences of `shmget(2)`, `shmop(2)` and `shmctl(2)`.

use wasmpod_ipc::limits::SystemVLimits;
use wasmpod_ipc::sysv::{GetFlags, IPC_PRIVATE};
use wasmpod_ipc::{Errno, IpcLimits, PodIpc};

use super::pod;

const CREATE: GetFlags = GetFlags::CREATE;

#[test]
fn a_segment_is_asked_for_by_key_and_size() {
    let (_pod, container) = pod();
    let get = |key, bytes, flags| container.shm_get(key, bytes, flags);
    assert_eq!(get(5, 0, CREATE), Err(Errno::Invalid));
    assert_eq!(get(5, 1, GetFlags::default()), Err(Errno::NoEntry));
    let id = get(5, 100, CREATE).unwrap();
    assert_eq!(get(5, 0, GetFlags::default()), Ok(id));
    assert_eq!(get(5, 100, CREATE), Ok(id));
    assert_eq!(get(5, 101, GetFlags::default()), Err(Errno::Invalid));
    assert_eq!(get(5, 100, CREATE | GetFlags::EXCLUSIVE), Err(Errno::Exist));
    assert_ne!(get(IPC_PRIVATE, 100, CREATE), Ok(id));
    for bytes in [u64::MAX - (1 << 24), 1 << 40] {
        assert_eq!(get(6, bytes, CREATE), Err(Errno::NoSpace), "{bytes}");
    }
    assert_eq!(get(6, u64::MAX, CREATE), Err(Errno::Invalid));
}

#[test]
fn a_removed_segment_lives_until_its_last_attachment() {
    let (pod, container) = pod();
    let id = container.shm_get(5, 100, CREATE).unwrap();
    let first = container.shm_attach(id, false).unwrap();
    first.segment().write(0, b"shared").unwrap();
    container.shm_remove(id).unwrap();
    let info = container.shm_stat(id).unwrap();
    assert_eq!((info.removed, info.key, info.attached), (true, 0, 1));
    assert_eq!(
        container.shm_get(5, 0, GetFlags::default()),
        Err(Errno::NoEntry)
    );
    // As on Linux the id can still be attached to, and removed once more.
    let second = container.shm_attach(id, true).unwrap();
    assert!(second.is_read_only());
    container.shm_remove(id).unwrap();
    drop(first);
    let mut bytes = [0; 6];
    assert_eq!(
        (second.segment().read(0, &mut bytes), &bytes),
        (6, b"shared")
    );
    assert_eq!(pod.list().shared_memory_bytes, 4096);
    drop(second);
    assert_eq!(container.shm_stat(id), Err(Errno::Invalid));
    assert!(container.shm_attach(id, false).is_err());
    assert_eq!(pod.list().shared_memory_bytes, 0);
}

#[test]
fn a_segment_without_attachments_stays_until_it_is_removed() {
    let (pod, container) = pod();
    let id = container.shm_get(5, 100, CREATE).unwrap();
    drop(container.shm_attach(id, false).unwrap());
    drop(container);
    let restarted = pod.attach("main");
    assert_eq!(restarted.shm_get(5, 100, GetFlags::default()), Ok(id));
    restarted.shm_set_mode(id, 0o1777).unwrap();
    let info = restarted.shm_stat(id).unwrap();
    assert_eq!((info.bytes, info.attached, info.mode), (100, 0, 0o777));
    assert_eq!(info.last_user.as_deref(), Some("main"));
    restarted.shm_remove(id).unwrap();
    assert_eq!(restarted.shm_remove(id), Err(Errno::Invalid));
    assert!(pod.list().is_empty());
}

#[test]
fn segments_pages_and_attachments_are_bounded() {
    let system_v = SystemVLimits {
        shmmni: 2,
        shmmax: 8192,
        shmall: 3,
        ..SystemVLimits::default()
    };
    let pod = PodIpc::new(IpcLimits {
        system_v,
        max_open_handles: 1,
        ..IpcLimits::default()
    });
    let container = pod.attach("main");
    let get = |key, bytes| container.shm_get(key, bytes, CREATE);
    assert_eq!(get(1, 8193), Err(Errno::Invalid));
    let id = get(1, 4097).unwrap();
    assert_eq!(get(2, 4097), Err(Errno::NoSpace));
    get(2, 4096).unwrap();
    assert_eq!(get(3, 1), Err(Errno::NoSpace));
    let attached = container.shm_attach(id, false).unwrap();
    assert_eq!(
        container.shm_attach(id, false).unwrap_err(),
        Errno::TooManyOpen
    );
    drop(attached);
    assert!(container.shm_attach(id, false).is_ok());
}

#[test]
fn with_rmid_forced_a_segment_goes_with_its_last_user() {
    let mut limits = IpcLimits::default();
    limits.set_sysctl("kernel.shm_rmid_forced", "1").unwrap();
    let pod = PodIpc::new(limits);
    let (maker, other) = (pod.attach("maker"), pod.attach("other"));
    let (used, unused) = (
        maker.shm_get(1, 1, CREATE).unwrap(),
        maker.shm_get(2, 1, CREATE).unwrap(),
    );
    let attached = other.shm_attach(used, false).unwrap();
    drop(maker);
    assert_eq!(other.shm_stat(unused), Err(Errno::Invalid));
    assert!(other.shm_stat(used).is_ok());
    drop(attached);
    assert_eq!(other.shm_stat(used), Err(Errno::Invalid));
}
