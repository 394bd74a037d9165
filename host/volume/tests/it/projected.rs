//! projected and downwardAPI volumes: which files they have.

use wasmpod_manifest::k8s::{Volume, VolumeProjection};

use crate::cluster::{
    Cluster, ClusterPod, downward, downward_part, field_file, item, map_part, projected,
    resource_file, secret_part,
};

#[test]
fn sources_of_a_projected_volume_lie_side_by_side() {
    let cluster = Cluster::with("settings", &[("a", "A"), ("b", "B")]);
    cluster.set_secret("keys", &[("token", "s3cret")]);
    cluster.set_labels("app=\"web\"");
    let sources = vec![
        map_part("settings", vec![item("a", "deep/er/a")]),
        secret_part("keys", false),
        secret_part("absent", true),
        downward_part(vec![
            field_file("deep/labels", "metadata.labels", None),
            resource_file("cpu", "web", "limits.cpu"),
        ]),
    ];
    let pod = ClusterPod::new(vec![projected("all", sources)], &cluster);
    let guest = pod.attach("c", &["all:/all"]);
    assert_eq!(guest.paths()[1], ("/all", true), "nobody may write to it");
    for (path, text) in [
        ("deep/er/a", "A"),
        ("token", "s3cret"),
        ("deep/labels", "app=\"web\""),
        ("cpu", "web limits.cpu"),
    ] {
        assert_eq!(guest.read("/all", path), text, "{path}");
    }
    assert!(!guest.dir("/all").exists("b"), "items choose");
}

#[test]
fn of_two_sources_with_one_path_the_later_holds() {
    let cluster = Cluster::with("first", &[("same", "1"), ("own", "1")]);
    cluster.set("second", &[("same", "2")]);
    let sources = vec![map_part("first", vec![]), map_part("second", vec![])];
    let pod = ClusterPod::new(vec![projected("v", sources)], &cluster);
    let guest = pod.attach("c", &["v:/v"]);
    assert_eq!(guest.read("/v", "same"), "2");
    assert_eq!(guest.read("/v", "own"), "1");
}

#[test]
fn a_file_that_another_needs_as_a_directory_is_refused() {
    let cluster = Cluster::with("m", &[("a", "A")]);
    let sources = vec![
        map_part("m", vec![item("a", "x/y")]),
        map_part("m", vec![item("a", "x/y/z")]),
    ];
    assert_eq!(
        ClusterPod::refusal(vec![projected("v", sources)], &cluster),
        "MountVolume.SetUp failed for volume \"v\" : path \"x/y/z\" lies below \"x/y\", which is a file of the same volume"
    );
}

#[test]
fn what_nobody_can_issue_here_is_refused() {
    let token = VolumeProjection {
        service_account_token: Some(Default::default()),
        ..VolumeProjection::default()
    };
    let text = ClusterPod::refusal(vec![projected("v", vec![token])], &Cluster::default());
    assert!(text.contains("`projected.sources.serviceAccountToken` is not supported"));
}

#[test]
fn an_unknown_field_is_refused_in_the_words_of_its_source() {
    let files = vec![field_file("f", "status.phase", None)];
    assert_eq!(
        ClusterPod::refusal(vec![downward("v", 0o644, files)], &Cluster::default()),
        "MountVolume.SetUp failed for volume \"v\" : unsupported fieldPath: status.phase"
    );
}

#[cfg(unix)]
#[test]
fn modes_come_from_the_item_or_the_volume() {
    use std::os::unix::fs::PermissionsExt;
    let cluster = Cluster::with("m", &[("a", "A")]);
    let files = vec![
        field_file("own", "metadata.name", Some(0o400)),
        field_file("default", "metadata.name", None),
    ];
    let mut with_mode: Volume = projected("p", vec![map_part("m", vec![])]);
    with_mode.projected.as_mut().unwrap().default_mode = Some(0o440);
    let volumes = vec![downward("d", 0o600, files), with_mode];
    let pod = ClusterPod::new(volumes, &cluster);
    let mode = |plugin, name, file: &str| {
        let path = pod.path(plugin, name).join(file);
        std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
    };
    assert_eq!(mode("downward-api", "d", "own"), 0o400);
    assert_eq!(mode("downward-api", "d", "default"), 0o600);
    assert_eq!(mode("projected", "p", "a"), 0o440);
}
