//! Mounts: which directory of which volume a container sees, and where.
//!
//! A mount of a directory becomes a preopen of its own, nested as deep as one likes: a guest's
//! libc opens a path through the preopen with the longest matching name. A mount of a single file
//! is placed into the container's root directory, so that its siblings stay. What follows from
//! that, and is decided here:
//!
//! * A file of a configMap or secret is a copy as of the container's start, which is also the
//!   kubelet's semantics: a file mounted by `subPath` is never updated. Its write bits are taken
//!   away; the volume itself cannot be changed through it.
//! * A folder of such a volume is copied for the same reason: the folder itself goes when the volume
//!   changes.
//! * A file of an emptyDir or a hostPath must show the writes of others and so is a second name
//!   (hard link) of the same file. A link can be neither more nor less writable than the root
//!   around it, so a `readOnly` file of an emptyDir needs `readOnlyRootFilesystem` and a writable file must not
//!   have it; anything else is refused, as is a file on another file system. Who replaces such a
//!   file (rename) instead of writing to it replaces one of the names only.
//! * A hostPath that is a single file and mounted `readOnly` in a writable root, such as
//!   `/etc/machine-id`, is a copy as of the container's start: files that pods only read are put
//!   there once, and refusing them would refuse ordinary pods. Later changes are not seen.
//! * A file whose mount path lies inside another mounted volume is refused: placing it there would
//!   show it to every container that mounts that volume, and leave it there.
//! * The mount point of a directory is made in the root, or in the volume inside which it lies, as
//!   a container runtime does; in a volume that may not be written it is left out, and the mount
//!   works, though listing the outer directory does not show it.

mod guest_path;
mod place;
mod sub_path;

pub(crate) use guest_path::GuestPath;
pub(crate) use place::{Mount, Placing, place, resolve};
