//! The rules of `dnsPolicy` and `dnsConfig`.

use super::{Findings, Path, names};
use crate::k8s::PodSpec;

/// resolv.conf(5) `MAXNS`; more are a violation.
const MAX_NAMESERVERS: usize = 3;
/// Source: `MaxDNSSearchPaths` of the core validation.
const MAX_SEARCHES: usize = 32;
/// The length of all search domains together, in characters. Source: `MaxDNSSearchListChars`.
const MAX_SEARCH_CHARS: usize = 2048;

const ID: &str = "pod/dns";

/// Holds the rules of the names of a pod.
pub(super) fn dns(spec: &PodSpec, path: &Path, findings: &mut Findings) {
    let policy = spec.dns_policy.as_deref().unwrap_or_default();
    if !policy.is_empty() {
        let supported = ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];
        findings.one_of(
            "pod/dns-policy",
            &path.field("dnsPolicy"),
            policy,
            &supported,
        );
    }
    let path = path.field("dnsConfig");
    let Some(config) = &spec.dns_config else {
        if policy == "None" {
            let detail = "must provide `dnsConfig` when `dnsPolicy` is None";
            findings.required(ID, &path, detail);
        }
        return;
    };
    let servers = config.nameservers.as_deref().unwrap_or_default();
    let servers_path = path.field("nameservers");
    if policy == "None" && servers.is_empty() {
        findings.required(
            ID,
            &servers_path,
            "must provide at least one DNS nameserver when `dnsPolicy` is None",
        );
    }
    findings.too_many(ID, &servers_path, servers.len(), MAX_NAMESERVERS);
    for (index, server) in servers.iter().enumerate() {
        if let Some(detail) = names::ip(server) {
            findings.invalid(ID, &servers_path.index(index), server, detail);
        }
    }
    let searches = config.searches.as_deref().unwrap_or_default();
    let searches_path = path.field("searches");
    findings.too_many(ID, &searches_path, searches.len(), MAX_SEARCHES);
    // Between two domains stands a space.
    let characters: usize = searches.iter().map(|s| s.len() + 1).sum();
    if characters > MAX_SEARCH_CHARS + 1 {
        let detail = format!(
            "must not have more than {MAX_SEARCH_CHARS} characters (including spaces) in the search list"
        );
        findings.invalid(ID, &searches_path, &searches.join(" "), detail);
    }
    for (index, search) in searches.iter().enumerate() {
        // A dot alone, and one at the end, are good in resolv.conf.
        let name = search.strip_suffix('.').unwrap_or(search);
        if search != "." {
            let wrong = names::dns1123_subdomain(&name.replace('_', "-"));
            findings.all(ID, &searches_path.index(index), search, wrong);
        }
    }
    for (index, option) in config.options.iter().flatten().enumerate() {
        if option.name.as_deref().is_none_or(str::is_empty) {
            let path = path.field("options").index(index);
            findings.required(ID, &path, "must not be empty");
        }
    }
}
