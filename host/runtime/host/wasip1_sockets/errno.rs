//! The errnos of WASI 0.1 that are about descriptors and arguments. What a socket does wrong has its own, in the
//! network crate. Numbers: `wasi_snapshot_preview1`, type `errno`.

use crate::host::guest_memory::Failure;

pub(super) const EAFNOSUPPORT: Failure = Failure::new(5);
pub(super) const EAGAIN: Failure = Failure::new(6);
pub(super) const EBADF: Failure = Failure::new(8);
pub(super) const EINPROGRESS: Failure = Failure::new(26);
pub(super) const EINVAL: Failure = Failure::new(28);
pub(super) const EMFILE: Failure = Failure::new(33);
pub(super) const EMSGSIZE: Failure = Failure::new(35);
pub(super) const ENOPROTOOPT: Failure = Failure::new(50);
pub(super) const ENOTCONN: Failure = Failure::new(53);
pub(super) const ENOTDIR: Failure = Failure::new(54);
pub(super) const ENOTSOCK: Failure = Failure::new(57);
pub(super) const ENOTSUP: Failure = Failure::new(58);
pub(super) const EPROTONOSUPPORT: Failure = Failure::new(66);
pub(super) const ESPIPE: Failure = Failure::new(70);
