//! The cells that `kubectl get` shows, by the state of the object.

#![expect(
    clippy::needless_pass_by_value,
    reason = "literals of JSON read better without a reference"
)]

use serde_json::{Value, json};
use wasmpod_manifest::k8s::jiff::Timestamp;
use wasmpod_store::{Kind, Object};

use super::{cells, columns};

/// 2026-11-21T12:00:00Z
fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn object(kind: Kind, mut value: Value) -> Object {
    let metadata = value["metadata"].as_object_mut().unwrap();
    metadata.entry("name").or_insert_with(|| "x".into());
    metadata
        .entry("creationTimestamp")
        .or_insert_with(|| "2026-11-21T11:55:00Z".into());
    Object::from_json(kind, value).unwrap()
}

/// The cells as one line, without those of `-o wide`.
fn narrow(kind: Kind, value: Value) -> String {
    line(kind, value, false)
}

/// The cells of `-o wide` as one line.
fn wide(kind: Kind, value: Value) -> String {
    line(kind, value, true)
}

fn line(kind: Kind, value: Value, is_wide: bool) -> String {
    let cells = cells(&object(kind, value), now());
    let columns = columns(kind);
    assert_eq!(cells.len(), columns.len(), "{kind}");
    let shown = columns
        .iter()
        .zip(&cells)
        .filter(|(column, _)| (column.priority == 1) == is_wide);
    let shown = shown.map(|(_, cell)| match cell {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    shown.collect::<Vec<_>>().join(" | ")
}

/// READY, STATUS and RESTARTS of a pod with main containers `a` and `b`, init container `i` and sidecar `s`.
fn pod(phase: &str, more: Value) -> String {
    let mut pod = json!({
        "metadata": {},
        "spec": {
            "initContainers": [{"name": "i"}, {"name": "s", "restartPolicy": "Always"}],
            "containers": [{"name": "a"}, {"name": "b"}],
        },
        "status": {"phase": phase},
    });
    for (key, value) in more.as_object().unwrap() {
        match key.as_str() {
            "deleted" => pod["metadata"]["deletionTimestamp"] = value.clone(),
            _ => pod["status"][key] = value.clone(),
        }
    }
    let line = narrow(Kind::Pod, pod);
    let cells: Vec<_> = line.split(" | ").collect();
    assert_eq!((cells[0], cells[4]), ("x", "5m"));
    cells[1..4].join(" | ")
}

fn status(name: &str, state: &Value, more: &Value) -> Value {
    let mut status = json!({
        "name": name, "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state,
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        status[key] = value.clone();
    }
    status
}

fn waiting(name: &str, reason: &str) -> Value {
    status(name, &json!({"waiting": {"reason": reason}}), &json!({}))
}

fn running(name: &str) -> Value {
    let state = json!({"running": {"startedAt": "2026-11-21T11:59:00Z"}});
    status(name, &state, &json!({"ready": true, "started": true}))
}

fn ended(name: &str, code: i32, more: &Value) -> Value {
    let mut terminated = json!({"exitCode": code});
    for (key, value) in more.as_object().into_iter().flatten() {
        terminated[key] = value.clone();
    }
    status(name, &json!({"terminated": terminated}), &json!({}))
}

fn completed(name: &str) -> Value {
    ended(name, 0, &json!({"reason": "Completed"}))
}

#[test]
fn the_status_of_a_pod_follows_its_containers() {
    let initialized = json!([{"type": "Initialized", "status": "True"}]);
    let ready =
        json!([{"type": "Ready", "status": "True"}, {"type": "Initialized", "status": "True"}]);
    let rows = [
        ("Pending", json!({}), "0/3 | Pending | 0"),
        ("Failed", json!({"reason": "Evicted"}), "0/3 | Evicted | 0"),
        (
            "Pending",
            json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}),
            "0/3 | SchedulingGated | 0",
        ),
        // Init containers.
        (
            "Pending",
            json!({"initContainerStatuses": [waiting("i", "PodInitializing"), waiting("s", "PodInitializing")]}),
            "0/3 | Init:0/2 | 0",
        ),
        (
            "Pending",
            json!({"initContainerStatuses": [running("i"), waiting("s", "PodInitializing")]}),
            "0/3 | Init:0/2 | 0",
        ),
        (
            "Pending",
            json!({"initContainerStatuses": [completed("i"), waiting("s", "PodInitializing")]}),
            "0/3 | Init:1/2 | 0",
        ),
        (
            "Pending",
            json!({"initContainerStatuses": [waiting("i", "ErrImagePull")]}),
            "0/3 | Init:ErrImagePull | 0",
        ),
        (
            "Pending",
            json!({"initContainerStatuses": [ended("i", 1, &json!({"reason": "Error"}))]}),
            "0/3 | Init:Error | 0",
        ),
        (
            "Pending",
            json!({"initContainerStatuses": [ended("i", 3, &json!({}))]}),
            "0/3 | Init:ExitCode:3 | 0",
        ),
        (
            "Pending",
            json!({"initContainerStatuses": [ended("i", 137, &json!({"signal": 9}))]}),
            "0/3 | Init:Signal:9 | 0",
        ),
        // Main containers, the last one first.
        (
            "Pending",
            json!({"conditions": initialized, "containerStatuses": [waiting("a", "ContainerCreating"), waiting("b", "ContainerCreating")]}),
            "0/3 | ContainerCreating | 0",
        ),
        (
            "Running",
            json!({"conditions": ready, "initContainerStatuses": [completed("i"), running("s")], "containerStatuses": [running("a"), running("b")]}),
            "3/3 | Running | 0",
        ),
        (
            "Running",
            json!({"conditions": initialized, "containerStatuses": [waiting("a", "CrashLoopBackOff"), running("b")]}),
            "1/3 | CrashLoopBackOff | 0",
        ),
        (
            "Running",
            json!({"conditions": initialized, "containerStatuses": [completed("a"), running("b")]}),
            "1/3 | NotReady | 0",
        ),
        (
            "Running",
            json!({"conditions": ready, "containerStatuses": [completed("a"), running("b")]}),
            "1/3 | Running | 0",
        ),
        (
            "Succeeded",
            json!({"conditions": initialized, "containerStatuses": [completed("a"), completed("b")]}),
            "0/3 | Completed | 0",
        ),
        (
            "Failed",
            json!({"conditions": initialized, "containerStatuses": [ended("a", 1, &json!({"reason": "Error"})), completed("b")]}),
            "0/3 | Error | 0",
        ),
        (
            "Failed",
            json!({"conditions": initialized, "containerStatuses": [ended("a", 7, &json!({}))]}),
            "0/3 | ExitCode:7 | 0",
        ),
        (
            "Failed",
            json!({"conditions": initialized, "containerStatuses": [ended("a", 0, &json!({"signal": 15}))]}),
            "0/3 | Signal:15 | 0",
        ),
        // Being deleted.
        (
            "Running",
            json!({"deleted": "2026-11-21T12:00:00Z", "conditions": ready, "containerStatuses": [running("a"), running("b")]}),
            "2/3 | Terminating | 0",
        ),
        (
            "Succeeded",
            json!({"deleted": "2026-11-21T12:00:00Z", "containerStatuses": [completed("a"), completed("b")]}),
            "0/3 | Completed | 0",
        ),
        (
            "Running",
            json!({"deleted": "2026-11-21T12:00:00Z", "reason": "NodeLost"}),
            "0/3 | Unknown | 0",
        ),
    ];
    for (phase, more, expected) in rows {
        assert_eq!(pod(phase, more.clone()), expected, "{phase} {more}");
    }
}

#[test]
fn restarts_are_counted_with_the_time_of_the_last() {
    let restarted = |name: &str, count: i32, end: &str| {
        let last = json!({"terminated": {"exitCode": 1, "finishedAt": end}});
        status(
            name,
            &json!({"running": {}}),
            &json!({"restartCount": count, "lastState": last, "ready": true}),
        )
    };
    let containers = json!([
        restarted("a", 2, "2026-11-21T11:58:20Z"),
        restarted("b", 1, "2026-11-21T11:50:00Z")
    ]);
    let of = |inits: Value| {
        pod(
            "Running",
            json!({"initContainerStatuses": inits, "containerStatuses": containers}),
        )
    };
    assert_eq!(of(json!([])), "2/3 | Running | 3 (100s ago)");
    let mut sidecar = restarted("s", 4, "2026-11-21T11:59:50Z");
    sidecar["started"] = json!(true);
    assert_eq!(
        of(json!([completed("i"), sidecar])),
        "3/3 | Running | 7 (10s ago)"
    );
    let mut init = completed("i");
    init["restartCount"] = json!(5);
    assert_eq!(
        of(json!([init])),
        "2/3 | Running | 3 (100s ago)",
        "init containers count while they run only"
    );
}

#[test]
fn a_pod_is_shown_widely_with_address_and_node() {
    let pod = json!({
        "metadata": {},
        "spec": {"containers": [], "nodeName": "n", "readinessGates": [{"conditionType": "one"}, {"conditionType": "two"}]},
        "status": {"podIP": "10.0.0.2", "podIPs": [{"ip": "10.0.0.2"}], "conditions": [{"type": "one", "status": "True"}]},
    });
    assert_eq!(wide(Kind::Pod, pod), "10.0.0.2 | n | <none> | 1/2");
    let bare = json!({"metadata": {}, "spec": {"containers": []}});
    assert_eq!(wide(Kind::Pod, bare), "<none> | <none> | <none> | <none>");
}

#[test]
fn services_show_how_they_are_reached() {
    let of = |spec: Value, status: Value| {
        narrow(
            Kind::Service,
            json!({"metadata": {}, "spec": spec, "status": status}),
        )
    };
    let rows = [
        (
            json!({"type": "ClusterIP", "clusterIP": "10.1.0.1", "ports": [{"port": 80}, {"port": 53, "protocol": "UDP"}]}),
            "x | ClusterIP | 10.1.0.1 | <none> | 80/TCP,53/UDP | 5m",
        ),
        (
            json!({"type": "NodePort", "clusterIP": "10.1.0.1", "ports": [{"port": 80, "nodePort": 30080, "protocol": "TCP"}]}),
            "x | NodePort | 10.1.0.1 | <none> | 80:30080/TCP | 5m",
        ),
        (
            json!({"clusterIP": "None"}),
            "x | ClusterIP | None | <none> | <none> | 5m",
        ),
        (
            json!({"type": "ExternalName", "externalName": "a.example"}),
            "x | ExternalName | <none> | a.example | <none> | 5m",
        ),
        (
            json!({"type": "LoadBalancer", "clusterIP": "10.1.0.1"}),
            "x | LoadBalancer | 10.1.0.1 | <pending> | <none> | 5m",
        ),
    ];
    for (spec, expected) in rows {
        assert_eq!(of(spec, json!({})), expected);
    }
    let ingress = json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"hostname": "h"}]}});
    assert_eq!(
        of(json!({"type": "LoadBalancer"}), ingress),
        "x | LoadBalancer | <none> | 192.0.2.1,h | <none> | 5m"
    );
    let selector = json!({"metadata": {}, "spec": {"selector": {"app": "web", "tier": "1"}}});
    assert_eq!(wide(Kind::Service, selector), "app=web,tier=1");
}

#[test]
fn what_is_behind_a_service_is_shortened() {
    let addresses: Vec<_> = (1..=3)
        .map(|n| json!({"ip": format!("10.0.0.{n}")}))
        .collect();
    let subsets = json!([{"addresses": addresses, "ports": [{"port": 80}, {"port": 443}]}]);
    assert_eq!(
        narrow(Kind::Endpoints, json!({"metadata": {}, "subsets": subsets})),
        "x | 10.0.0.1:80,10.0.0.1:443,10.0.0.2:80 + 3 more... | 5m"
    );
    assert_eq!(
        narrow(Kind::Endpoints, json!({"metadata": {}})),
        "x | <none> | 5m"
    );
    let slice = json!({"metadata": {}, "addressType": "IPv4", "ports": [{"port": 80}], "endpoints": [{"addresses": ["10.0.0.1"]}]});
    assert_eq!(
        narrow(Kind::EndpointSlice, slice),
        "x | IPv4 | 80 | 10.0.0.1 | 5m"
    );
}

#[test]
fn a_network_policy_shows_whom_it_selects() {
    let all = json!({"metadata": {}, "spec": {"podSelector": {}}});
    assert_eq!(narrow(Kind::NetworkPolicy, all), "x | <none> | 5m");
    let some = json!({"metadata": {}, "spec": {"podSelector": {"matchLabels": {"app": "db"}}}});
    assert_eq!(narrow(Kind::NetworkPolicy, some), "x | app=db | 5m");
}

#[test]
fn data_is_counted_and_volumes_say_whose_they_are() {
    assert_eq!(
        narrow(
            Kind::ConfigMap,
            json!({"metadata": {}, "data": {"a": "", "b": ""}, "binaryData": {"c": ""}})
        ),
        "x | 3 | 5m"
    );
    assert_eq!(
        narrow(
            Kind::Secret,
            json!({"metadata": {}, "type": "Opaque", "data": {"a": ""}})
        ),
        "x | Opaque | 1 | 5m"
    );
    let volume = json!({"metadata": {}, "spec": {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany", "ReadWriteOnce"], "storageClassName": "local",
        "persistentVolumeReclaimPolicy": "Retain", "claimRef": {"namespace": "ns", "name": "c"}, "volumeMode": "Filesystem",
    }, "status": {"phase": "Bound"}});
    assert_eq!(
        narrow(Kind::PersistentVolume, volume.clone()),
        "x | 1Gi | RWO,RWX | Retain | Bound | ns/c | local | <unset> |  | 5m"
    );
    assert_eq!(wide(Kind::PersistentVolume, volume), "Filesystem");
    let claim = json!({"metadata": {}, "spec": {"volumeName": "v", "storageClassName": "local"}, "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]}});
    assert_eq!(
        narrow(Kind::PersistentVolumeClaim, claim),
        "x | Bound | v | 1Gi | RWO | local | <unset> | 5m"
    );
}

#[test]
fn events_say_when_and_of_what() {
    let event = json!({
        "metadata": {"name": "e"}, "type": "Warning", "reason": "BackOff", "message": "back-off \n", "count": 3,
        "involvedObject": {"kind": "Pod", "name": "web", "fieldPath": "spec.containers{a}"},
        "source": {"component": "kubelet", "host": "n"},
        "firstTimestamp": "2026-11-21T11:58:00Z", "lastTimestamp": "2026-11-21T11:59:30Z",
    });
    assert_eq!(
        narrow(Kind::Event, event.clone()),
        "30s | Warning | BackOff | pod/web | back-off"
    );
    assert_eq!(
        wide(Kind::Event, event),
        "spec.containers{a} | kubelet, n | 2m | 3 | e"
    );
    let series = json!({
        "metadata": {}, "eventTime": "2026-11-21T11:00:00.000000Z", "involvedObject": {"kind": "Node"},
        "series": {"count": 9, "lastObservedTime": "2026-11-21T11:59:59.000000Z"},
    });
    assert_eq!(narrow(Kind::Event, series), "1s |  |  | node | ");
    assert_eq!(
        narrow(Kind::Event, json!({"metadata": {}, "involvedObject": {}})),
        "<unknown> |  |  |  | "
    );
}

#[test]
fn the_node_and_namespaces_say_how_they_are() {
    let node = json!({
        "metadata": {"labels": {"node-role.kubernetes.io/worker": ""}},
        "spec": {"unschedulable": true},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        },
    });
    assert_eq!(
        narrow(Kind::Node, node.clone()),
        "x | Ready,SchedulingDisabled | worker | 5m | "
    );
    assert_eq!(
        wide(Kind::Node, node),
        "127.0.0.1 | <none> | <unknown> | <unknown> | <unknown>"
    );
    assert_eq!(
        narrow(Kind::Node, json!({"metadata": {}})),
        "x | Unknown | <none> | 5m | "
    );
    assert_eq!(
        narrow(
            Kind::Namespace,
            json!({"metadata": {}, "status": {"phase": "Active"}})
        ),
        "x | Active | 5m"
    );
}

#[test]
fn workloads_show_how_many_pods_there_are() {
    let template = json!({"spec": {"containers": [{"name": "a", "image": "i:1"}, {"name": "b", "image": "i:2"}]}});
    let selector = json!({"matchLabels": {"app": "x"}, "matchExpressions": [{"key": "k", "operator": "In", "values": ["v", "w"]}]});
    let of = |kind, spec: Value, status: Value| {
        let mut value = json!({"metadata": {}, "spec": spec, "status": status});
        value["spec"]["template"] = template.clone();
        value["spec"]["selector"] = selector.clone();
        value["spec"]["serviceName"] = json!("s");
        (narrow(kind, value.clone()), wide(kind, value))
    };
    let (shown, more) = of(
        Kind::Deployment,
        json!({"replicas": 3}),
        json!({"readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1}),
    );
    assert_eq!(
        (shown.as_str(), more.as_str()),
        ("x | 1/3 | 2 | 1 | 5m", "a,b | i:1,i:2 | app=x,k in (v,w)")
    );
    assert_eq!(
        of(
            Kind::ReplicaSet,
            json!({"replicas": 3}),
            json!({"replicas": 2, "readyReplicas": 1})
        )
        .0,
        "x | 3 | 2 | 1 | 5m"
    );
    assert_eq!(
        of(
            Kind::StatefulSet,
            json!({"replicas": 2}),
            json!({"replicas": 2, "readyReplicas": 1})
        )
        .0,
        "x | 1/2 | 5m"
    );
    let counts = json!({"desiredNumberScheduled": 1, "currentNumberScheduled": 1, "numberReady": 1, "numberMisscheduled": 0, "numberAvailable": 1});
    assert_eq!(
        of(Kind::DaemonSet, json!({}), counts).0,
        "x | 1 | 1 | 1 | 0 | 1 | <none> | 5m"
    );
}

#[test]
fn jobs_show_how_far_they_are() {
    let of = |spec: Value, status: Value| {
        let mut value = json!({"metadata": {}, "spec": spec, "status": status});
        value["spec"]["template"] = json!({"spec": {"containers": []}});
        narrow(Kind::Job, value)
    };
    let started = |more: Value| {
        let mut status = json!({"startTime": "2026-11-21T11:58:00Z", "succeeded": 1});
        status
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        status
    };
    let condition = |name: &str| json!({"conditions": [{"type": name, "status": "True"}]});
    let rows = [
        (
            json!({"completions": 3}),
            started(json!({})),
            "x | Running | 1/3 | 2m | 5m",
        ),
        (
            json!({"parallelism": 2}),
            started(condition("Complete")),
            "x | Complete | 1/1 of 2 | 2m | 5m",
        ),
        (
            json!({"completions": 1}),
            started(json!({"completionTime": "2026-11-21T11:58:07Z"})),
            "x | Running | 1/1 | 7s | 5m",
        ),
        (json!({}), condition("Failed"), "x | Failed | 0/1 |  | 5m"),
        (
            json!({}),
            condition("Suspended"),
            "x | Suspended | 0/1 |  | 5m",
        ),
    ];
    for (spec, status, expected) in rows {
        assert_eq!(of(spec, status), expected);
    }
    let cron = json!({
        "metadata": {},
        "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": {"spec": {"containers": []}}}}},
        "status": {"active": [{}], "lastScheduleTime": "2026-11-21T11:59:00Z"},
    });
    assert_eq!(
        narrow(Kind::CronJob, cron),
        "x | * * * * * | <none> | False | 1 | 60s | 5m"
    );
}

#[test]
fn ingresses_show_their_class_hosts_address_and_ports() {
    let of = |spec: Value, status: Value| {
        let value = json!({"metadata": {}, "spec": spec, "status": status});
        narrow(Kind::Ingress, value)
    };
    let hosts =
        |hosts: &[&str]| -> Vec<Value> { hosts.iter().map(|host| json!({"host": host})).collect() };
    let bound = json!({"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}, {"ip": "127.0.0.1"}]}});
    for (spec, status, expected) in [
        (
            json!({"rules": [{}]}),
            json!({}),
            "x | <none> | * |  | 80 | 5m",
        ),
        (
            json!({"ingressClassName": "c", "rules": hosts(&["a", "b"]), "tls": [{}]}),
            bound,
            "x | c | a,b | 127.0.0.1 | 80, 443 | 5m",
        ),
        (
            json!({"rules": hosts(&["a", "b", "c", "d", "e"])}),
            json!({"loadBalancer": {"ingress": [{"hostname": "h"}, {"ip": "::1"}]}}),
            "x | <none> | a,b,c + 2 more... | ::1,h | 80 | 5m",
        ),
    ] {
        assert_eq!(of(spec.clone(), status), expected, "{spec}");
    }
    let class = json!({"metadata": {}, "spec": {"controller": "example.com/c", "parameters":
        {"apiGroup": "g.example", "kind": "P", "name": "n"}}});
    assert_eq!(
        narrow(Kind::IngressClass, class),
        "x | example.com/c | P.g.example/n | 5m"
    );
}
