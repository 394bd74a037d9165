//! Turns a pod's volumes into directories that its containers may open.
//!
//! A volume is a directory on the host; a container is given a root directory of its own and one
//! [`Preopen`] for each mount. [`PodVolumes`] has the three moments of a resource: `acquire` (once
//! a pod), `attach`/`detach` (once an attempt of a container) and `release`. In between, `refresh`
//! shows what has changed in objects, `open` gives a further instance the same directories, and
//! `usage` and `root_usage` say what all that takes.
//!
//! ```text
//! DIR/                                   the pod's own state directory, made by the caller
//!   volumes/kubernetes.io~empty-dir/NAME     the kubelet's names
//!   volumes/kubernetes.io~configmap/NAME
//!   volumes/kubernetes.io~secret/NAME
//!   volumes/kubernetes.io~downward-api/NAME
//!   volumes/kubernetes.io~projected/NAME
//!   containers/NAME/ATTEMPT/rootfs           a fresh root at each attempt
//!   containers/NAME/ATTEMPT/subpaths/N       copies of folders that are never updated
//! ```
//!
//! What it deliberately does not do: it knows no API store ([`VolumeSources`] is asked), parses no
//! manifest, and never runs a guest. Every path that a guest can influence is walked through
//! cap-std, which refuses to leave the directory that it was opened on, so neither `..` nor a link
//! that a neighbour planted leads out, also when the link is swapped in while the path is walked.
//!
//! Standards: the kubelet's volume plugins and its sub-path handling
//! (<https://kubernetes.io/docs/concepts/storage/volumes/>), and the preopens of WASI.

mod acquire;
mod attach;
mod disk;
mod empty_dir;
mod error;
mod host_path;
mod mount;
mod pod;
mod policy;
mod preopen;
mod projected;
mod refresh;
mod root;
mod sources;
mod usage;
mod volume;

pub use error::{Failures, VolumeError};
pub use pod::PodVolumes;
pub use policy::VolumePolicy;
pub use preopen::{ContainerFile, ContainerRoot, Preopen};
pub use root::{ImageFile, RootFiles};
pub use sources::{Claim, VolumeSources};
pub use usage::VolumeUsage;
