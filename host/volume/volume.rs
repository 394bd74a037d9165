//! One volume that is ready to be mounted: where its contents are, and what may be done to them.

use std::ffi::OsString;

use wasmpod_manifest::k8s::Volume as VolumeSpec;

use crate::disk::HostDir;

/// Mode of the directory of a volume that shows an object's keys, and of folders that a `subPath`
/// makes in a hostPath or a claim.
pub(crate) const VOLUME_MODE: u32 = 0o755;

/// One volume that is ready to be mounted.
#[derive(Debug)]
pub(crate) struct Volume {
    pub(crate) name: String,
    pub(crate) root: VolumeRoot,
    pub(crate) kind: Kind,
    /// Mode of folders that a `subPath` makes: that of the volume, as the kubelet has it.
    pub(crate) directory_mode: u32,
}

impl Volume {
    /// Whether the contents are made from objects or from the pod itself: no container may change
    /// them, and they change when their source does.
    pub(crate) fn is_projected(&self) -> bool {
        matches!(self.kind, Kind::Projected(_))
    }

    /// Whether no mount of it may be written, whatever the mount says.
    pub(crate) fn is_read_only(&self) -> bool {
        matches!(
            self.kind,
            Kind::Projected(_) | Kind::Claim { read_only: true }
        )
    }
}

/// Where a volume's contents are.
#[derive(Debug)]
pub(crate) enum VolumeRoot {
    /// In a directory.
    Directory(HostDir),
    /// A hostPath volume that is a file.
    File {
        /// The directory that holds it.
        parent: HostDir,
        /// Its name there.
        name: OsString,
    },
}

/// What kind of volume it is, with what is needed of its manifest later.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A directory that begins empty and ends with the pod.
    EmptyDir {
        /// `sizeLimit` in bytes; `None` for none, and for 0, which means none too.
        limit_bytes: Option<u64>,
        /// `medium: Memory`
        is_memory: bool,
    },
    /// configMap, secret, downwardAPI, projected: what is needed to write it once more.
    Projected(Box<VolumeSpec>),
    HostPath,
    /// A persistentVolumeClaim, or the one of an ephemeral volume.
    Claim {
        read_only: bool,
    },
}

/// The source of a volume if it is one that is not offered.
pub(crate) fn unsupported_source(volume: &VolumeSpec) -> Option<&'static str> {
    [
        (
            "awsElasticBlockStore",
            volume.aws_elastic_block_store.is_some(),
        ),
        ("azureDisk", volume.azure_disk.is_some()),
        ("azureFile", volume.azure_file.is_some()),
        ("cephfs", volume.cephfs.is_some()),
        ("cinder", volume.cinder.is_some()),
        ("csi", volume.csi.is_some()),
        ("fc", volume.fc.is_some()),
        ("flexVolume", volume.flex_volume.is_some()),
        ("flocker", volume.flocker.is_some()),
        ("gcePersistentDisk", volume.gce_persistent_disk.is_some()),
        ("gitRepo", volume.git_repo.is_some()),
        ("glusterfs", volume.glusterfs.is_some()),
        ("image", volume.image.is_some()),
        ("iscsi", volume.iscsi.is_some()),
        ("nfs", volume.nfs.is_some()),
        (
            "photonPersistentDisk",
            volume.photon_persistent_disk.is_some(),
        ),
        ("portworxVolume", volume.portworx_volume.is_some()),
        ("quobyte", volume.quobyte.is_some()),
        ("rbd", volume.rbd.is_some()),
        ("scaleIO", volume.scale_io.is_some()),
        ("storageos", volume.storageos.is_some()),
        ("vsphereVolume", volume.vsphere_volume.is_some()),
    ]
    .into_iter()
    .find_map(|(field, is_there)| is_there.then_some(field))
}
