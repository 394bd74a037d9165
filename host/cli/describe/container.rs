//! The containers of a pod.

use std::collections::BTreeMap;

use wasmpod::k8s::{
    Container, ContainerPort, ContainerState, ContainerStatus, EnvFromSource, EnvVar, Pod,
    Quantity, VolumeMount,
};

use super::View;
use super::fields::{NONE, moment, truth};
use super::probe;
use crate::tabs::Tabs;

/// Where containers are: their pod, and the statuses of all of their sort.
pub(super) struct Among<'a> {
    pub(super) pod: &'a Pod,
    pub(super) statuses: &'a [ContainerStatus],
    /// Not of a pod but of a template for pods, whose names kubectl sets in by one space more.
    pub(super) in_template: bool,
}

pub(super) fn describe(
    out: &mut Tabs,
    label: &str,
    containers: &[Container],
    among: &Among<'_>,
    view: &View,
) {
    let level = usize::from(among.in_template);
    if containers.is_empty() {
        return out.line(level, format!("{label}: {NONE}"));
    }
    out.line(level, format!("{label}:"));
    for container in containers {
        let mut statuses = among.statuses.iter();
        let status = statuses.find(|status| status.name == container.name);
        let indent = if among.in_template { " " } else { "" };
        out.line(1, format!("{indent}{}:", container.name));
        basics(out, container, status);
        words(out, "Command", container.command.as_deref());
        words(out, "Args", container.args.as_deref());
        if let Some(status) = status {
            states(out, status, view);
        }
        if let Some(resources) = &container.resources {
            quantities(out, "Limits", resources.limits.as_ref());
            quantities(out, "Requests", resources.requests.as_ref());
        }
        probe::describe(out, container);
        env_from(out, container.env_from.as_deref().unwrap_or_default());
        env(
            out,
            container,
            container.env.as_deref().unwrap_or_default(),
            among.pod,
        );
        mounts(out, container.volume_mounts.as_deref().unwrap_or_default());
    }
}

fn basics(out: &mut Tabs, container: &Container, status: Option<&ContainerStatus>) {
    if let Some(status) = status {
        let id = status.container_id.as_deref().unwrap_or_default();
        out.field(2, "Container ID", id);
    }
    out.field(2, "Image", container.image.as_deref().unwrap_or_default());
    if let Some(status) = status {
        out.field(2, "Image ID", &status.image_id);
    }
    let listed = container.ports.as_deref().unwrap_or_default();
    let protocol = |port: &ContainerPort| port.protocol.clone().unwrap_or_else(|| "TCP".to_owned());
    let ports = listed.iter().map(|port| {
        let text = format!("{}/{}", port.container_port, protocol(port));
        match port.name.as_deref() {
            Some(name) if !name.is_empty() => format!("{text} ({name})"),
            _ => text,
        }
    });
    plural(out, "Port", ports);
    let host_ports = listed
        .iter()
        .map(|port| format!("{}/{}", port.host_port.unwrap_or(0), protocol(port)));
    plural(out, "Host Port", host_ports);
}

fn plural(out: &mut Tabs, name: &str, values: impl Iterator<Item = String>) {
    let values: Vec<_> = values.collect();
    match values.as_slice() {
        [] => out.field(2, name, NONE),
        [one] => out.field(2, name, one),
        _ => out.field(2, &format!("{name}s"), values.join(", ")),
    }
}

fn words(out: &mut Tabs, name: &str, words: Option<&[String]>) {
    let Some(words) = words.filter(|words| !words.is_empty()) else {
        return;
    };
    out.line(2, format!("{name}:"));
    for line in words.iter().flat_map(|word| word.split('\n')) {
        out.line(3, line);
    }
}

fn states(out: &mut Tabs, status: &ContainerStatus, view: &View) {
    state(out, "State", status.state.as_ref(), view);
    let last = status.last_state.as_ref();
    if last.is_some_and(|last| last.terminated.is_some()) {
        state(out, "Last State", last, view);
    }
    out.field(2, "Ready", truth(status.ready));
    out.field(2, "Restart Count", status.restart_count);
}

fn state(out: &mut Tabs, name: &str, state: Option<&ContainerState>, view: &View) {
    let state = state.cloned().unwrap_or_default();
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    if let Some(running) = state.running {
        out.field(2, name, "Running");
        out.field(
            3,
            "Started",
            moment(running.started_at.map(|at| at.0), view),
        );
    } else if let Some(end) = state.terminated {
        out.field(2, name, "Terminated");
        if let Some(reason) = filled(&end.reason) {
            out.field(3, "Reason", reason);
        }
        if let Some(message) = filled(&end.message) {
            out.field(3, "Message", message);
        }
        out.field(3, "Exit Code", end.exit_code);
        if let Some(signal) = end.signal.filter(|signal| *signal > 0) {
            out.field(3, "Signal", signal);
        }
        out.field(3, "Started", moment(end.started_at.map(|at| at.0), view));
        out.field(3, "Finished", moment(end.finished_at.map(|at| at.0), view));
    } else {
        out.field(2, name, "Waiting");
        if let Some(reason) = state.waiting.and_then(|waiting| filled(&waiting.reason)) {
            out.field(3, "Reason", reason);
        }
    }
}

fn quantities(out: &mut Tabs, name: &str, quantities: Option<&BTreeMap<String, Quantity>>) {
    let Some(quantities) = quantities.filter(|quantities| !quantities.is_empty()) else {
        return;
    };
    out.line(2, format!("{name}:"));
    for (resource, quantity) in quantities {
        out.field(3, resource, &quantity.0);
    }
}

fn env_from(out: &mut Tabs, sources: &[EnvFromSource]) {
    if sources.is_empty() {
        return;
    }
    out.line(2, "Environment Variables from:");
    for source in sources {
        let (name, kind, optional) = match (&source.config_map_ref, &source.secret_ref) {
            (Some(map), _) => (&map.name, "ConfigMap", map.optional),
            (None, Some(secret)) => (&secret.name, "Secret", secret.optional),
            (None, None) => continue,
        };
        let kind = match source.prefix.as_deref() {
            Some(prefix) if !prefix.is_empty() => format!("{kind} with prefix '{prefix}'"),
            _ => kind.to_owned(),
        };
        let optional = optional.unwrap_or(false);
        out.line(3, format!("{name}\t{kind}\tOptional: {optional}"));
    }
}

fn env(out: &mut Tabs, container: &Container, variables: &[EnvVar], pod: &Pod) {
    if variables.is_empty() {
        return out.field(2, "Environment", NONE);
    }
    out.line(2, "Environment:");
    for variable in variables {
        let name = &variable.name;
        let Some(source) = &variable.value_from else {
            let value = variable.value.as_deref().unwrap_or_default();
            for (index, line) in value.split('\n').enumerate() {
                if index == 0 {
                    out.field(3, name, line);
                } else {
                    out.line(3, format!("\t{line}"));
                }
            }
            continue;
        };
        let text = if let Some(field) = &source.field_ref {
            let version = field.api_version.as_deref().unwrap_or("v1");
            let value = field_of(pod, &field.field_path);
            format!("{value} ({version}:{})", field.field_path)
        } else if let Some(resource) = &source.resource_field_ref {
            let value = resource_of(container, &resource.resource);
            format!("{value} ({})", resource.resource)
        } else if let Some(key) = &source.secret_key_ref {
            let optional = key.optional.unwrap_or(false);
            format!(
                "<set to the key '{}' in secret '{}'>\tOptional: {optional}",
                key.key, key.name
            )
        } else if let Some(key) = &source.config_map_key_ref {
            let optional = key.optional.unwrap_or(false);
            format!(
                "<set to the key '{}' of config map '{}'>\tOptional: {optional}",
                key.key, key.name
            )
        } else if let Some(key) = &source.file_key_ref {
            format!(
                "<set to the key '{}' of file '{}' in volume '{}'>",
                key.key, key.path, key.volume_name
            )
        } else {
            String::new()
        };
        out.field(3, name, text);
    }
}

/// What a field of the pod holds, as far as the object tells: the rest shows when the container runs.
fn field_of(pod: &Pod, path: &str) -> String {
    let value = serde_json::to_value(pod).unwrap_or_default();
    let pointer = match path.split_once("['") {
        Some((map, key)) => {
            let key = key
                .trim_end_matches("']")
                .replace('~', "~0")
                .replace('/', "~1");
            format!("/{}/{key}", map.replace('.', "/"))
        }
        None => format!("/{}", path.replace('.', "/")),
    };
    super::fields::at(&value, &pointer).unwrap_or_default()
}

fn resource_of(container: &Container, resource: &str) -> String {
    let Some((section, name)) = resource.split_once('.') else {
        return String::new();
    };
    let resources = container.resources.clone().unwrap_or_default();
    let map = match section {
        "limits" => resources.limits,
        _ => resources.requests,
    };
    let quantity = map.and_then(|mut map| map.remove(name));
    // Without a limit it is what the node has.
    quantity.map_or_else(|| "node allocatable".to_owned(), |quantity| quantity.0)
}

fn mounts(out: &mut Tabs, mounts: &[VolumeMount]) {
    if mounts.is_empty() {
        return out.field(2, "Mounts", NONE);
    }
    out.line(2, "Mounts:");
    let mut mounts: Vec<_> = mounts.iter().collect();
    mounts.sort_by(|one, other| one.mount_path.cmp(&other.mount_path));
    for mount in mounts {
        let mut flags = vec![
            if mount.read_only == Some(true) {
                "ro"
            } else {
                "rw"
            }
            .to_owned(),
        ];
        let path = mount.sub_path.as_deref().or(mount.sub_path_expr.as_deref());
        if let Some(path) = path.filter(|path| !path.is_empty()) {
            flags.push(format!("path=\"{path}\""));
        }
        out.line(
            3,
            format!(
                "{} from {} ({})",
                mount.mount_path,
                mount.name,
                flags.join(",")
            ),
        );
    }
}
