//! The rules of namespaces and service accounts: those of their names.

use super::{Findings, metadata, names};
use crate::k8s::{Namespace, ServiceAccount};

/// Holds every rule of a namespace.
pub(crate) fn namespace(namespace: &Namespace, findings: &mut Findings) {
    metadata::cluster_metadata(&namespace.metadata, names::dns1123_label, findings);
}

/// Holds every rule of a service account.
pub(crate) fn service_account(account: &ServiceAccount, findings: &mut Findings) {
    metadata::metadata(&account.metadata, names::dns1123_subdomain, findings);
}
