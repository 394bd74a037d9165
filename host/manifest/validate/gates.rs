//! The rules of what a pod waits for: scheduling gates and readiness gates.

use std::collections::HashMap;

use super::{Findings, Path, names};
use crate::k8s::PodSpec;

/// Holds the rules of both kinds of gates.
pub(super) fn gates(spec: &PodSpec, path: &Path, findings: &mut Findings) {
    let mut used: HashMap<&str, Path> = HashMap::new();
    for (index, gate) in spec.scheduling_gates.iter().flatten().enumerate() {
        let path = path.field("schedulingGates").index(index).field("name");
        let wrong = names::qualified_name(&gate.name);
        findings.all("pod/scheduling-gate", &path, &gate.name, wrong);
        if let Some(first) = used.get(gate.name.as_str()) {
            findings.duplicate("pod/scheduling-gate", &path, &gate.name, first);
        } else {
            used.insert(&gate.name, path);
        }
    }
    for (index, gate) in spec.readiness_gates.iter().flatten().enumerate() {
        let path = path
            .field("readinessGates")
            .index(index)
            .field("conditionType");
        let wrong = names::qualified_name(&gate.condition_type);
        findings.all("pod/readiness-gate", &path, &gate.condition_type, wrong);
    }
}
