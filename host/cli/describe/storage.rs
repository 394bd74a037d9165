//! Config maps, secrets and claims of volumes.

use serde_json::Value;

use super::fields::{NONE, at, at_or_none, head, items, lines, map, metadata};
use crate::runs::name;
use crate::tabs::Tabs;

pub(super) fn config_map(out: &mut Tabs, object: &Value) {
    head(out, &metadata(object));
    out.line(0, "");
    out.line(0, "Data");
    out.line(0, "====");
    for (key, text) in map(object, "/data") {
        out.line(0, format!("{key}:"));
        out.line(0, "----");
        // What is in it is not for our columns.
        for line in text.split('\n') {
            out.flush();
            out.line(0, line.replace('\t', "        "));
        }
        out.line(0, "");
    }
    out.line(0, "");
    out.line(0, "BinaryData");
    out.line(0, "====");
    for (key, text) in map(object, "/binaryData") {
        out.line(0, format!("{key}: {} bytes", decoded_length(&text)));
    }
    out.line(0, "");
    out.flush();
}

pub(super) fn secret(out: &mut Tabs, object: &Value) {
    head(out, &metadata(object));
    out.line(0, "");
    out.field(
        0,
        "Type",
        at(object, "/type").unwrap_or_else(|| "Opaque".to_owned()),
    );
    out.line(0, "");
    out.line(0, "Data");
    out.line(0, "====");
    // How long a secret is may be seen, what it is not.
    for (key, text) in map(object, "/data") {
        out.field(0, &key, format_args!("{} bytes", decoded_length(&text)));
    }
    out.flush();
}

/// How many bytes a text in base64 stands for (RFC 4648).
fn decoded_length(text: &str) -> usize {
    let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count();
    (text.len() / 4 * 3).saturating_sub(padding)
}

pub(super) fn claim(out: &mut Tabs, object: &Value, pods: &[Value]) {
    let metadata = metadata(object);
    let text = |pointer: &str| at(object, pointer).unwrap_or_default();
    let own = metadata.name.clone().unwrap_or_default();
    out.field(0, "Name", &own);
    out.field(
        0,
        "Namespace",
        metadata.namespace.as_deref().unwrap_or_default(),
    );
    out.field(0, "StorageClass", text("/spec/storageClassName"));
    out.field(0, "Status", text("/status/phase"));
    out.field(0, "Volume", text("/spec/volumeName"));
    super::fields::labels(out, "Labels", metadata.labels.as_ref());
    super::fields::annotations(out, metadata.annotations.as_ref());
    let finalizers = metadata.finalizers.clone().unwrap_or_default();
    out.field(0, "Finalizers", format_args!("[{}]", finalizers.join(" ")));
    out.field(0, "Capacity", text("/status/capacity/storage"));
    let modes: Vec<_> = items(object, "/spec/accessModes")
        .iter()
        .filter_map(Value::as_str)
        .map(short_mode)
        .collect();
    out.field(0, "Access Modes", modes.join(","));
    out.field(0, "VolumeMode", at_or_none(object, "/spec/volumeMode"));
    let users = pods.iter().filter(|pod| {
        let mut volumes = items(pod, "/spec/volumes").iter();
        volumes.any(|volume| {
            at(volume, "/persistentVolumeClaim/claimName").as_deref() == Some(own.as_str())
        })
    });
    let users: Vec<_> = users.map(name).collect();
    if users.is_empty() {
        out.field(0, "Used By", NONE);
    } else {
        lines(out, "Used By", users);
    }
}

fn short_mode(mode: &str) -> &str {
    match mode {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_behind_base64_is_told() {
        for (text, length) in [
            ("", 0),
            ("YQ==", 1),
            ("YWI=", 2),
            ("YWJj", 3),
            ("YWJjZA==", 4),
        ] {
            assert_eq!(decoded_length(text), length, "{text}");
        }
    }
}
