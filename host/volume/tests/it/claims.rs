//! Volumes that outlive the pod: claims, and those of ephemeral volumes.

use wasmpod_manifest::k8s::{EphemeralVolumeSource, PersistentVolumeClaimVolumeSource, Volume};
use wasmpod_volume::Claim;

use crate::cluster::{Cluster, ClusterPod};

fn claim(name: &str, claim: &str, read_only: bool) -> Volume {
    Volume {
        name: name.to_owned(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: claim.to_owned(),
            read_only: Some(read_only),
        }),
        ..Volume::default()
    }
}

fn bound(name: &str, read_only: bool) -> (Cluster, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::default();
    let claim = Claim {
        path: dir.path().to_owned(),
        read_only,
    };
    cluster.claims.insert(name.to_owned(), claim);
    (cluster, dir)
}

#[test]
fn what_is_written_to_a_claim_outlives_the_pod() {
    let (cluster, dir) = bound("data", false);
    for text in ["first", "second"] {
        let pod = ClusterPod::new(vec![claim("v", "data", false)], &cluster);
        let guest = pod.attach("c", &["v:/v", "v/logs:/logs"]);
        if text == "second" {
            assert_eq!(guest.read("/v", "file"), "first");
        }
        guest.dir("/v").write("file", text).unwrap();
        guest.dir("/logs").write("log", text).unwrap();
        drop(guest);
        assert_eq!(pod.volumes.usage().unwrap(), [], "it is no emptyDir");
        pod.volumes.release().unwrap();
    }
    let read = |path| std::fs::read_to_string(dir.path().join(path)).unwrap();
    assert_eq!(
        (read("file").as_str(), read("logs/log").as_str()),
        ("second", "second")
    );
}

#[test]
fn a_claim_is_read_only_if_the_volume_or_the_claim_says_so() {
    for (of_volume, of_claim) in [(true, false), (false, true)] {
        let (cluster, dir) = bound("data", of_claim);
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        let pod = ClusterPod::new(vec![claim("v", "data", of_volume)], &cluster);
        let guest = pod.attach("c", &["v:/v", "v/sub:/sub"]);
        let paths = guest.paths();
        assert_eq!(paths, [("/", false), ("/v", true), ("/sub", true)]);
        let missing = crate::pod::container("d", &["v/missing:/x"]);
        let error = pod.volumes.attach(&missing, 0, &Default::default());
        assert!(error.is_err(), "no folder is made in it");
        assert!(!dir.path().join("missing").exists());
    }
}

#[test]
fn a_claim_that_is_not_there_is_named() {
    let text = ClusterPod::refusal(vec![claim("v", "data", false)], &Cluster::default());
    assert_eq!(text, "persistentvolumeclaim \"data\" not found");
}

#[test]
fn an_ephemeral_volume_is_the_claim_of_pod_and_volume() {
    let volume = Volume {
        name: "scratch".to_owned(),
        ephemeral: Some(EphemeralVolumeSource::default()),
        ..Volume::default()
    };
    let text = ClusterPod::refusal(vec![volume.clone()], &Cluster::default());
    assert_eq!(text, "persistentvolumeclaim \"web-scratch\" not found");
    let (cluster, dir) = bound("web-scratch", false);
    let pod = ClusterPod::new(vec![volume], &cluster);
    let guest = pod.attach("c", &["scratch:/scratch"]);
    guest.dir("/scratch").write("file", "x").unwrap();
    assert!(dir.path().join("file").is_file());
}

#[cfg(unix)]
#[test]
fn a_link_that_an_earlier_pod_planted_in_a_claim_does_not_lead_out() {
    let (cluster, dir) = bound("data", false);
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("file"), "of the host").unwrap();
    std::os::unix::fs::symlink(outside.path(), dir.path().join("out")).unwrap();
    let pod = ClusterPod::new(vec![claim("v", "data", false)], &cluster);
    let guest = pod.attach("c", &["v:/v"]);
    assert!(guest.dir("/v").read("out/file").is_err());
    assert!(guest.dir("/v").write("out/file", "x").is_err());
    for mount in ["v/out:/x", "v/out/file:/x", "v/out/new:/x"] {
        let container = crate::pod::container("victim", &[mount]);
        let error = pod.volumes.attach(&container, 0, &Default::default());
        assert!(error.is_err(), "{mount}");
    }
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
}
