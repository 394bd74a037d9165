//! The volumes of a pod, with kubectl's explanation of each type.

use wasmpod::k8s::{Volume, VolumeProjection};

use super::fields::NONE;
use crate::tabs::Tabs;

/// `in_template`: of a template for pods, where kubectl sets them in.
pub(super) fn describe(out: &mut Tabs, volumes: &[Volume], in_template: bool) {
    let (level, indent) = if in_template { (1, " ") } else { (0, "") };
    if volumes.is_empty() {
        return out.field(level, "Volumes", NONE);
    }
    out.line(level, "Volumes:");
    for volume in volumes {
        out.line(1, format!("{indent}{}:", volume.name));
        source(out, volume);
    }
}

fn source(out: &mut Tabs, volume: &Volume) {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    if let Some(empty) = &volume.empty_dir {
        out.field(
            2,
            "Type",
            "EmptyDir (a temporary directory that shares a pod's lifetime)",
        );
        out.field(2, "Medium", text(&empty.medium));
        let limit = empty.size_limit.as_ref().map(|limit| limit.0.as_str());
        out.field(2, "SizeLimit", limit.unwrap_or("<unset>"));
    } else if let Some(host) = &volume.host_path {
        out.field(2, "Type", "HostPath (bare host directory volume)");
        out.field(2, "Path", &host.path);
        out.field(2, "HostPathType", text(&host.type_));
    } else if let Some(map) = &volume.config_map {
        out.field(2, "Type", "ConfigMap (a volume populated by a ConfigMap)");
        out.field(2, "Name", &map.name);
        out.field(2, "Optional", map.optional.unwrap_or(false));
    } else if let Some(secret) = &volume.secret {
        out.field(2, "Type", "Secret (a volume populated by a Secret)");
        out.field(2, "SecretName", text(&secret.secret_name));
        out.field(2, "Optional", secret.optional.unwrap_or(false));
    } else if let Some(claim) = &volume.persistent_volume_claim {
        out.field(
            2,
            "Type",
            "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
        );
        out.field(2, "ClaimName", &claim.claim_name);
        out.field(2, "ReadOnly", claim.read_only.unwrap_or(false));
    } else if let Some(api) = &volume.downward_api {
        out.field(
            2,
            "Type",
            "DownwardAPI (a volume populated by information about the pod)",
        );
        out.line(2, "Items:");
        for item in api.items.iter().flatten() {
            if let Some(field) = &item.field_ref {
                out.line(3, format!("{} -> {}", field.field_path, item.path));
            } else if let Some(resource) = &item.resource_field_ref {
                out.line(3, format!("{} -> {}", resource.resource, item.path));
            }
        }
    } else if let Some(projected) = &volume.projected {
        out.field(
            2,
            "Type",
            "Projected (a volume that contains injected data from multiple sources)",
        );
        for source in projected.sources.iter().flatten() {
            projection(out, source);
        }
    } else {
        out.line(2, "<unknown>");
    }
}

fn projection(out: &mut Tabs, source: &VolumeProjection) {
    if let Some(secret) = &source.secret {
        out.field(2, "SecretName", &secret.name);
        out.field(2, "Optional", secret.optional.unwrap_or(false));
    } else if source.downward_api.is_some() {
        out.field(2, "DownwardAPI", "true");
    } else if let Some(map) = &source.config_map {
        out.field(2, "ConfigMapName", &map.name);
        out.field(2, "Optional", map.optional.unwrap_or(false));
    } else if let Some(token) = &source.service_account_token {
        let seconds = token.expiration_seconds.unwrap_or(0);
        out.field(2, "TokenExpirationSeconds", seconds);
    }
}
