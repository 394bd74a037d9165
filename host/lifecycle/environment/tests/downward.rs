//! `resourceFieldRef` and the fields that files show.

use super::super::{field_value, resource_value};
use super::*;

fn resources(limits: &[(&str, &str)], requests: &[(&str, &str)]) -> ResourceRequirements {
    let list = |entries: &[(&str, &str)]| {
        let entries = entries
            .iter()
            .map(|(k, v)| ((*k).to_owned(), Quantity((*v).to_owned())));
        Some(entries.collect())
    };
    ResourceRequirements {
        limits: list(limits),
        requests: list(requests),
        ..ResourceRequirements::default()
    }
}

fn container(name: &str, limits: &[(&str, &str)], requests: &[(&str, &str)]) -> Container {
    Container {
        name: name.to_owned(),
        resources: Some(resources(limits, requests)),
        ..Container::default()
    }
}

fn selector(container: &str, resource: &str, divisor: &str) -> ResourceFieldSelector {
    ResourceFieldSelector {
        container_name: Some(container.to_owned()),
        resource: resource.to_owned(),
        divisor: Some(Quantity(divisor.to_owned())),
    }
}

fn with_containers() -> Pod {
    let mut pod = pod();
    let spec = pod.spec.as_mut().unwrap();
    spec.containers = vec![
        container(
            "web",
            &[
                ("cpu", "1250m"),
                ("memory", "64Mi"),
                ("hugepages-2Mi", "4Mi"),
            ],
            &[("cpu", "250m"), ("ephemeral-storage", "1Gi")],
        ),
        container("free", &[("cpu", "0")], &[]),
    ];
    spec.init_containers = Some(vec![container("init", &[("memory", "1Mi")], &[])]);
    pod
}

#[test]
fn resources_are_counted_in_divisors_and_rounded_up() {
    let pod = with_containers();
    for (name, resource, divisor, expected) in [
        ("web", "limits.cpu", "0", "2"),
        ("web", "limits.cpu", "1", "2"),
        ("web", "limits.cpu", "1m", "1250"),
        ("web", "limits.memory", "1", "67108864"),
        ("web", "limits.memory", "1Mi", "64"),
        ("web", "limits.memory", "1M", "68"),
        ("web", "limits.hugepages-2Mi", "1Mi", "4"),
        ("web", "requests.cpu", "1m", "250"),
        ("web", "requests.ephemeral-storage", "1Gi", "1"),
        ("web", "requests.memory", "1", "0"),
        ("init", "limits.memory", "1Ki", "1024"),
        // What is not limited, or limited to 0, is limited by the node.
        ("free", "limits.cpu", "1m", "2500"),
        ("free", "limits.memory", "1Gi", "1"),
        ("free", "limits.ephemeral-storage", "1Gi", "10"),
        ("free", "limits.hugepages-2Mi", "1", "0"),
    ] {
        let selector = selector(name, resource, divisor);
        let value = resource_value(&pod, None, &selector, &facts()).unwrap();
        assert_eq!(value, expected, "{name} {resource} {divisor}");
    }
}

#[test]
fn the_limits_of_the_pod_stand_in_for_those_of_its_containers() {
    let mut pod = with_containers();
    let of_pod = resources(&[("cpu", "2"), ("memory", "8Gi")], &[("cpu", "1")]);
    pod.spec.as_mut().unwrap().resources = Some(of_pod);
    for (name, resource, expected) in [
        ("free", "limits.cpu", "2000"),
        ("web", "limits.cpu", "1250"),
        // The node has less than the pod may use.
        ("free", "limits.memory", &(1_u64 << 30).to_string()),
        ("free", "requests.cpu", "0"),
    ] {
        let divisor = if resource.ends_with("cpu") { "1m" } else { "1" };
        let selector = selector(name, resource, divisor);
        let value = resource_value(&pod, None, &selector, &facts()).unwrap();
        assert_eq!(value, expected, "{name} {resource}");
    }
}

#[test]
fn a_variable_means_its_own_container_and_a_file_must_name_one() {
    let pod = with_containers();
    let own = &pod.spec.as_ref().unwrap().containers[0];
    let nobody = selector("", "limits.cpu", "1m");
    assert_eq!(
        resource_value(&pod, Some(own), &nobody, &facts()).unwrap(),
        "1250"
    );
    for (selector, message) in [
        (nobody, "container  not found"),
        (selector("x", "limits.cpu", "1"), "container x not found"),
        (
            selector("web", "limits.gpu", "1"),
            "unsupported container resource: limits.gpu",
        ),
        (
            selector("web", "cpu", "1"),
            "unsupported container resource: cpu",
        ),
    ] {
        let error = resource_value(&pod, None, &selector, &facts()).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn all_labels_are_quoted_lines_in_the_order_of_their_keys() {
    let mut pod = pod();
    pod.metadata.labels = Some(map(&[("b", "2"), ("a", "say \"hi\"\n"), ("c", "")]));
    let value = |path| field_value(&pod, &facts(), path);
    assert_eq!(
        value("metadata.labels").unwrap(),
        "a=\"say \\\"hi\\\"\\n\"\nb=\"2\"\nc=\"\""
    );
    assert_eq!(value("metadata.labels['b']").unwrap(), "2");
    assert_eq!(value("metadata.annotations['none']").unwrap(), "");
    assert_eq!(
        value("metadata.name['x']").unwrap_err().to_string(),
        "fieldPath \"metadata.name\" does not support subscript"
    );
    pod.metadata.labels = None;
    assert_eq!(field_value(&pod, &facts(), "metadata.labels").unwrap(), "");
}
