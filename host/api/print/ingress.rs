//! Ingresses and their classes.

use serde_json::Value;
use wasmpod_manifest::k8s::jiff::Timestamp;
use wasmpod_manifest::k8s::{Ingress, IngressClass, IngressRule};

use super::{Head, NONE, age, name, text};

pub(super) const INGRESS: &[Head] = &[
    text("Name"),
    text("Class"),
    text("Hosts"),
    text("Address"),
    text("Ports"),
    text("Age"),
];

pub(super) const INGRESS_CLASS: &[Head] = &[
    text("Name"),
    text("Controller"),
    text("Parameters"),
    text("Age"),
];

/// How many hosts are shown before `+ n more...`.
const MAX_HOSTS: usize = 3;

pub(super) fn ingress(ingress: &Ingress, now: Timestamp) -> Vec<Value> {
    let spec = ingress.spec.as_ref();
    let annotations = ingress.metadata.annotations.as_ref();
    let class = spec
        .and_then(|spec| spec.ingress_class_name.as_ref())
        .or_else(|| annotations?.get("kubernetes.io/ingress.class"));
    let rules = spec.and_then(|spec| spec.rules.as_deref());
    let has_tls = spec.is_some_and(|spec| spec.tls.iter().flatten().next().is_some());
    vec![
        name(&ingress.metadata),
        class.map_or(NONE, String::as_str).into(),
        hosts(rules.unwrap_or_default()).into(),
        addresses(ingress).into(),
        if has_tls { "80, 443" } else { "80" }.into(),
        age(&ingress.metadata, now),
    ]
}

fn hosts(rules: &[IngressRule]) -> String {
    let named = rules.iter().filter_map(|rule| rule.host.as_deref());
    let named: Vec<_> = named.filter(|host| !host.is_empty()).collect();
    let shown: Vec<_> = named.iter().copied().take(MAX_HOSTS).collect();
    match rules.len().saturating_sub(MAX_HOSTS) {
        _ if shown.is_empty() => "*".to_owned(),
        more if named.len() > MAX_HOSTS => format!("{} + {more} more...", shown.join(",")),
        _ => shown.join(","),
    }
}

fn addresses(ingress: &Ingress) -> String {
    let status = ingress.status.as_ref();
    let balancer = status.and_then(|status| status.load_balancer.as_ref());
    let points = balancer
        .iter()
        .flat_map(|balancer| balancer.ingress.iter().flatten());
    let mut all: Vec<&str> = points
        .filter_map(|point| point.ip.as_deref().or(point.hostname.as_deref()))
        .collect();
    all.sort_unstable();
    all.dedup();
    all.join(",")
}

pub(super) fn ingress_class(class: &IngressClass, now: Timestamp) -> Vec<Value> {
    let spec = class.spec.as_ref();
    let controller = spec.and_then(|spec| spec.controller.as_deref());
    let parameters = spec.and_then(|spec| spec.parameters.as_ref()).map(|found| {
        match found.api_group.as_deref() {
            Some(group) => format!("{}.{group}/{}", found.kind, found.name),
            None => format!("{}/{}", found.kind, found.name),
        }
    });
    vec![
        name(&class.metadata),
        controller.unwrap_or_default().into(),
        parameters.unwrap_or_else(|| NONE.to_owned()).into(),
        age(&class.metadata, now),
    ]
}
