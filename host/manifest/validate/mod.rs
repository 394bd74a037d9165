//! The rules of Kubernetes' own validation, in its own words.
//!
//! Each kind has a file; the texts of the messages are those of apimachinery's
//! `pkg/util/validation` and `pkg/apis/core/validation`. A rule takes typed objects with defaults
//! filled in and adds [`Finding`]s; where they were written is looked up later by path, so that
//! the rules serve objects that never were text. Rules of fields that are rejected or ignored here
//! are held only where they are cheap and a user would want to know.

mod batch;
mod claim;
mod cluster;
mod config;
mod container;
mod dns;
mod downward;
mod env;
mod finding;
mod gates;
mod hooks;
mod http;
mod ingress;
mod ipc;
mod metadata;
pub(crate) mod names;
mod network_policy;
mod path;
mod pod;
mod pod_resources;
mod probe;
mod projected;
mod resources;
mod restart;
mod selector;
mod service;
mod storage;
mod template;
mod volume;
mod workload;

pub(crate) use cluster::{namespace, service_account};
pub(crate) use config::{config_map, secret};
pub(crate) use finding::{Finding, Findings};
pub(crate) use ingress::{ingress, ingress_class};
pub(crate) use network_policy::network_policy;
pub(crate) use path::Path;
pub(crate) use pod::pod;
pub(crate) use service::service;
pub(crate) use storage::{persistent_volume, persistent_volume_claim};
pub(crate) use workload::workload;
