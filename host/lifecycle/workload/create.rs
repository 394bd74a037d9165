//! A pod from a template: its name, its owner, and what it takes over.

use wasmpod_manifest::Workload;
use wasmpod_manifest::k8s::{ObjectMeta, OwnerReference, Pod, PodTemplateSpec};

use super::NAME_SUFFIX_LENGTH;

/// What stands before the random letters of a name, at most; so the whole is a DNS label.
/// Source: apiserver `names.maxGeneratedNameLength`. A longer base is cut.
const MAX_BASE_BYTES: usize = 63 - NAME_SUFFIX_LENGTH;

/// The reference of what a workload makes to the workload.
pub(super) fn owner_reference(owner: &Workload) -> OwnerReference {
    OwnerReference {
        api_version: owner.api_version().to_owned(),
        kind: owner.kind().name().to_owned(),
        name: owner.name().to_owned(),
        uid: owner.metadata().uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// A pod of this name, owned by `owner`, with the template's labels, annotations, finalizers and spec.
pub(super) fn pod(owner: &Workload, template: &PodTemplateSpec, name: String) -> Pod {
    let from = template.metadata.clone().unwrap_or_default();
    Pod {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: owner.metadata().namespace.clone(),
            labels: from.labels,
            annotations: from.annotations,
            finalizers: from.finalizers,
            owner_references: Some(vec![owner_reference(owner)]),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: None,
    }
}

/// A pod with a name of `base` and random letters.
pub(super) fn generated_pod(
    owner: &Workload,
    template: &PodTemplateSpec,
    base: &str,
    names: &mut dyn FnMut() -> String,
) -> Pod {
    let mut pod = pod(owner, template, format!("{}{}", cut(base), names()));
    pod.metadata.generate_name = Some(base.to_owned());
    pod
}

/// The beginning of a base that leaves room for the letters. Names are ASCII.
fn cut(base: &str) -> &str {
    base.get(..MAX_BASE_BYTES).unwrap_or(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_base_is_cut_so_that_the_name_is_a_label() {
        assert_eq!(cut("web-"), "web-");
        assert_eq!(cut(&"a".repeat(70)).len(), 58);
    }
}
