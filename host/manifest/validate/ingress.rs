//! The rules of an ingress and of its class (`pkg/apis/networking/validation`).

use super::{Findings, Path, metadata, names};
use crate::k8s::{HTTPIngressPath, Ingress, IngressBackend, IngressClass, IngressRule, IngressTLS};

/// The annotation that was the class before there was a field for it.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// The length of a class's controller, in bytes. Source: `maxLenForIngressClassController`.
const CONTROLLER_MAX_BYTES: usize = 250;

/// What a path must not contain, and not end with: it would never be what a request has.
const NEVER_WITHIN: [&str; 5] = ["//", "/./", "/../", "%2f", "%2F"];
const NEVER_AT_END: [&str; 2] = ["/..", "/."];

/// Holds every rule of an ingress.
pub(crate) fn ingress(ingress: &Ingress, findings: &mut Findings) {
    metadata::metadata(&ingress.metadata, names::dns1123_subdomain, findings);
    let path = Path::root().field("spec");
    let none = Default::default();
    let spec = ingress.spec.as_ref().unwrap_or(&none);
    let list = spec.rules.as_deref().unwrap_or_default();
    if list.is_empty() && spec.default_backend.is_none() {
        let detail = "either `defaultBackend` or `rules` must be specified";
        findings.invalid("ingress/rules", &path, "", detail);
    }
    if let Some(default) = &spec.default_backend {
        backend(default, &path.field("defaultBackend"), findings);
    }
    for (index, one) in list.iter().enumerate() {
        rule(one, &path.field("rules").index(index), findings);
    }
    for (index, one) in spec.tls.iter().flatten().enumerate() {
        tls(one, &path.field("tls").index(index), findings);
    }
    if let Some(class) = spec.ingress_class_name.as_deref() {
        let wrong = names::dns1123_subdomain(class);
        findings.all(
            "ingress/class",
            &path.field("ingressClassName"),
            class,
            wrong,
        );
        let annotations = ingress.metadata.annotations.as_ref();
        if let Some(old) = annotations.and_then(|all| all.get(CLASS_ANNOTATION)) {
            let path = Path::root().field("metadata").field("annotations");
            let detail = "can not be set when the class field is also set";
            findings.invalid("ingress/class", &path.key(CLASS_ANNOTATION), old, detail);
        }
    }
}

fn rule(rule: &IngressRule, path: &Path, findings: &mut Findings) {
    if let Some(name) = rule.host.as_deref().filter(|name| !name.is_empty()) {
        let path = path.field("host");
        if names::ip(name).is_none() {
            let detail = "must be a DNS name, not an IP address";
            findings.invalid("ingress/host", &path, name, detail);
        }
        findings.all("ingress/host", &path, name, host(name));
    }
    let Some(http) = &rule.http else { return };
    let path = path.field("http").field("paths");
    if http.paths.is_empty() {
        findings.required("ingress/paths", &path, "");
    }
    for (index, one) in http.paths.iter().enumerate() {
        http_path(one, &path.index(index), findings);
    }
}

/// A host, perhaps with a wildcard in front.
fn host(name: &str) -> Vec<String> {
    if name.contains('*') {
        names::wildcard_dns1123_subdomain(name)
    } else {
        names::dns1123_subdomain(name)
    }
}

fn http_path(one: &HTTPIngressPath, path: &Path, findings: &mut Findings) {
    let text = one.path.as_deref().unwrap_or_default();
    let at_type = path.field("pathType");
    let at_path = path.field("path");
    let mut wrong = |detail: String| findings.invalid("ingress/path", &at_path, text, detail);
    let is_absolute = text.starts_with('/');
    match one.path_type.as_str() {
        "" => findings.required("ingress/path-type", &at_type, "pathType must be specified"),
        "Exact" | "Prefix" => {
            if !is_absolute {
                wrong("must be an absolute path".to_owned());
            }
            for part in NEVER_WITHIN.iter().filter(|part| text.contains(**part)) {
                wrong(format!("must not contain '{part}'"));
            }
            for end in NEVER_AT_END.iter().filter(|end| text.ends_with(**end)) {
                wrong(format!("cannot end with '{end}'"));
            }
        }
        "ImplementationSpecific" => {
            if !text.is_empty() && !is_absolute {
                wrong("must be an absolute path".to_owned());
            }
        }
        other => {
            let supported = ["Exact", "ImplementationSpecific", "Prefix"];
            findings.one_of("ingress/path-type", &at_type, other, &supported);
        }
    }
    backend(&one.backend, &path.field("backend"), findings);
}

fn backend(backend: &IngressBackend, path: &Path, findings: &mut Findings) {
    let rule = "ingress/backend";
    let Some(service) = &backend.service else {
        // One that is a resource is refused as a field that is not supported.
        if backend.resource.is_none() {
            findings.invalid(rule, path, "", "resource or service backend is required");
        }
        return;
    };
    if backend.resource.is_some() {
        let detail = "cannot set both resource and service backends";
        findings.invalid(rule, path, "", detail);
    }
    let at = path.field("service");
    if service.name.is_empty() {
        findings.required(rule, &at.field("name"), "");
    } else {
        let wrong = names::dns1035_label(&service.name);
        findings.all(rule, &at.field("name"), &service.name, wrong);
    }
    let port = service.port.as_ref();
    let name = port
        .and_then(|port| port.name.as_deref())
        .unwrap_or_default();
    let number = port.and_then(|port| port.number).unwrap_or(0);
    let at = at.field("port");
    match (name.is_empty(), number) {
        (true, 0) => findings.required(rule, path, "port name or number is required"),
        (true, number) => {
            if let Some(detail) = names::port_number(number) {
                findings.invalid_number(rule, &at.field("number"), number, detail);
            }
        }
        (false, 0) => findings.all(rule, &at.field("name"), name, names::port_name(name)),
        (false, _) => findings.invalid(rule, path, "", "cannot set both port name & port number"),
    }
}

fn tls(tls: &IngressTLS, path: &Path, findings: &mut Findings) {
    for (index, name) in tls.hosts.iter().flatten().enumerate() {
        let path = path.field("hosts").index(index);
        findings.all("ingress/tls-host", &path, name, host(name));
    }
    if let Some(name) = tls.secret_name.as_deref().filter(|name| !name.is_empty()) {
        let wrong = names::dns1123_subdomain(name);
        findings.all("ingress/tls-secret", &path.field("secretName"), name, wrong);
    }
}

/// Holds every rule of an ingress class.
pub(crate) fn ingress_class(class: &IngressClass, findings: &mut Findings) {
    metadata::metadata(&class.metadata, names::dns1123_subdomain, findings);
    let path = Path::root().field("spec").field("controller");
    let spec = class.spec.as_ref();
    let controller = spec
        .and_then(|spec| spec.controller.as_deref())
        .unwrap_or_default();
    let rule = "ingress-class/controller";
    if controller.is_empty() {
        return findings.required(rule, &path, "");
    }
    if controller.len() > CONTROLLER_MAX_BYTES {
        let detail = format!("may not be more than {CONTROLLER_MAX_BYTES} bytes");
        findings.invalid(rule, &path, controller, detail);
    }
    match controller.split_once('/') {
        Some((domain, rest)) if !rest.is_empty() => {
            findings.all(rule, &path, controller, names::dns1123_subdomain(domain));
        }
        _ => {
            let detail = "must be a domain-prefixed path (such as \"acme.io/foo\")";
            findings.invalid(rule, &path, controller, detail);
        }
    }
}
