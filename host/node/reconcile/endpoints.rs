//! The endpoints of services, as EndpointSlices and as Endpoints.
//!
//! Standard: `endpoint-slices`; kube-controller-manager's endpointslice controller for which pods count. Pods whose
//! named ports have different numbers are in different slices.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmpod_manifest::k8s::{
    Endpoint, EndpointAddress, EndpointConditions, EndpointPort, EndpointSlice, EndpointSubset,
    Endpoints, IntOrString, ObjectMeta, OwnerReference, Pod, Service, SlicePort,
};
use wasmpod_store::{Kind, Object, ObjectRef};

use super::Reconciler;
use crate::admission::publish::{named_port, protocol, selects};
use crate::events::reference;
use crate::known::is_terminal;
use crate::routes::SERVICE_NAME;

/// The label that says who writes a slice.
const MANAGED_BY: (&str, &str) = (
    "endpointslice.kubernetes.io/managed-by",
    "endpointslice-controller.k8s.io",
);

/// The label of the Endpoints that are written here.
pub(super) const ENDPOINTS_MANAGED_BY: (&str, &str) =
    ("endpoints.kubernetes.io/managed-by", "endpoint-controller");

/// How many endpoints a slice has at most: what the API server's validation lets pass. Beyond it a service's further
/// pods are in no slice. (kube-controller-manager begins another slice at 100.)
const MAX_ENDPOINTS: usize = 1000;

/// The ports of a service as a pod has them.
type Ports = Vec<PortHere>;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct PortHere {
    name: Option<String>,
    protocol: String,
    number: i32,
    app_protocol: Option<String>,
}

impl Reconciler {
    pub(super) fn endpoints(&mut self, object: &ObjectRef) {
        let Some(Object::Service(service)) = self.get(object) else {
            return self.drop_endpoints(object);
        };
        if self.collect_garbage(object) {
            return;
        }
        // Without a selector, whoever made the service makes its endpoints.
        if !has_selector(&service) {
            return self.mirror(object);
        }
        self.drop_mirrors(object);
        // Another name's alias gets none.
        if service.spec.as_ref().and_then(|spec| spec.type_.as_deref()) == Some("ExternalName") {
            return;
        }
        let (pods, _) = self
            .shared
            .store
            .list(Kind::Pod, object.namespace.as_deref());
        let pods = pods
            .iter()
            .filter_map(|pod| <&Arc<Pod>>::try_from(pod).ok());
        let groups = groups(
            &service,
            pods.map(Arc::as_ref),
            &self.shared.config.node_name,
        );
        self.write_slices(object, &service, &groups);
        self.write_endpoints(object, &service, &groups);
    }

    /// Slices go with their owner; Endpoints have its name only. Those that somebody else wrote may be there before
    /// their service; see [`Reconciler::service_is_deleted`].
    fn drop_endpoints(&self, object: &ObjectRef) {
        self.drop_mirrors(object);
        let endpoints = self.get(&ObjectRef {
            kind: Kind::Endpoints,
            ..object.clone()
        });
        if let Some(endpoints) = endpoints.filter(|found| has_label(found, ENDPOINTS_MANAGED_BY)) {
            // An error means that they are gone.
            drop(self.shared.remove(&endpoints));
        }
    }

    /// A service was deleted: its Endpoints go, whoever wrote them, unless there is another one by now.
    pub(super) fn service_is_deleted(&self, object: &ObjectRef) {
        if self.get(object).is_none() {
            let (store, namespace) = (&self.shared.store, object.namespace.as_deref());
            // An error means that there are none.
            drop(store.delete(Kind::Endpoints, namespace, &object.name));
        }
    }

    fn write_slices(&self, object: &ObjectRef, service: &Service, groups: &Groups) {
        let namespace = object.namespace.as_deref();
        let (slices, _) = self.shared.store.list(Kind::EndpointSlice, namespace);
        let uid = service.metadata.uid.as_deref().unwrap_or_default();
        let mut old = slices
            .into_iter()
            .filter(|slice| slice.is_owned_by(uid) && has_label(slice, MANAGED_BY));
        for (ports, endpoints) in groups {
            let new = slice(service, ports, endpoints);
            match old.next() {
                Some(old) => {
                    self.change(&old.reference(), old.uid(), &mut |stored| {
                        if let Object::EndpointSlice(stored) = stored {
                            take_on(stored, &new);
                        }
                    });
                }
                // The name is new: nobody else has it.
                None => drop(self.shared.store.create(new.into())),
            }
        }
        for surplus in old {
            drop(self.shared.remove(&surplus));
        }
    }

    fn write_endpoints(&self, object: &ObjectRef, service: &Service, groups: &Groups) {
        let subsets: Vec<_> = groups
            .iter()
            .filter(|(_, endpoints)| !endpoints.is_empty())
            .map(|(ports, endpoints)| subset(ports, endpoints))
            .collect();
        let subsets = (!subsets.is_empty()).then_some(subsets);
        let mut labels = service.metadata.labels.clone().unwrap_or_default();
        let (key, value) = ENDPOINTS_MANAGED_BY;
        labels.insert(key.to_owned(), value.to_owned());
        let endpoints = Endpoints {
            metadata: ObjectMeta {
                name: service.metadata.name.clone(),
                namespace: service.metadata.namespace.clone(),
                labels: Some(labels),
                ..ObjectMeta::default()
            },
            subsets,
        };
        let (namespace, name) = (object.namespace.as_deref(), object.name.as_str());
        let updated = self
            .shared
            .store
            .update(Kind::Endpoints, namespace, name, &mut |stored| {
                if let Object::Endpoints(stored) = stored
                    && (stored.subsets != endpoints.subsets
                        || stored.metadata.labels != endpoints.metadata.labels)
                {
                    let stored = Arc::make_mut(stored);
                    stored.subsets.clone_from(&endpoints.subsets);
                    stored
                        .metadata
                        .labels
                        .clone_from(&endpoints.metadata.labels);
                }
                Ok(())
            });
        if updated.is_err() {
            drop(self.shared.store.create(endpoints.into()));
        }
    }
}

/// Does the service say which pods are its endpoints?
pub(super) fn has_selector(service: &Service) -> bool {
    let spec = service.spec.as_ref();
    let selector = spec.and_then(|spec| spec.selector.as_ref());
    selector.is_some_and(|selector| !selector.is_empty())
}

pub(super) fn has_label(object: &Object, (key, value): (&str, &str)) -> bool {
    let labels = object.metadata().labels.as_ref();
    labels.is_some_and(|labels| labels.get(key).is_some_and(|found| found == value))
}

/// Lets a slice that is there be as a new one.
pub(super) fn take_on(stored: &mut Arc<EndpointSlice>, new: &EndpointSlice) {
    let is_so = stored.endpoints == new.endpoints
        && stored.ports == new.ports
        && stored.metadata.labels == new.metadata.labels;
    if !is_so {
        let stored = Arc::make_mut(stored);
        stored.endpoints.clone_from(&new.endpoints);
        stored.ports.clone_from(&new.ports);
        stored.metadata.labels.clone_from(&new.metadata.labels);
    }
}

/// The endpoints of a service by the numbers that its ports have there.
type Groups = BTreeMap<Ports, Vec<Endpoint>>;

fn groups<'a>(service: &Service, pods: impl Iterator<Item = &'a Pod>, node: &str) -> Groups {
    let spec = service.spec.as_ref();
    let publishes_unready = spec.and_then(|spec| spec.publish_not_ready_addresses) == Some(true);
    let mut groups = Groups::new();
    for pod in pods.filter(|pod| selects(service, pod) && !is_terminal(pod)) {
        let Some(ip) = pod.status.as_ref().and_then(|status| status.pod_ip.clone()) else {
            continue;
        };
        let conditions = pod
            .status
            .iter()
            .flat_map(|status| status.conditions.iter().flatten());
        let is_ready = conditions
            .into_iter()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True");
        let is_terminating = pod.metadata.deletion_timestamp.is_some();
        let pod_spec = pod.spec.as_ref();
        let endpoint = Endpoint {
            addresses: vec![ip],
            conditions: Some(EndpointConditions {
                ready: Some(publishes_unready || (is_ready && !is_terminating)),
                serving: Some(publishes_unready || is_ready),
                terminating: Some(is_terminating),
            }),
            hostname: pod_spec
                .filter(|found| found.subdomain.as_deref() == service.metadata.name.as_deref())
                .and_then(|found| found.hostname.clone()),
            node_name: Some(node.to_owned()),
            target_ref: Some(wasmpod_manifest::k8s::ObjectReference {
                resource_version: None,
                api_version: None,
                ..reference(Kind::Pod, &pod.metadata)
            }),
            ..Endpoint::default()
        };
        let endpoints = groups.entry(ports(service, pod)).or_default();
        if endpoints.len() < MAX_ENDPOINTS {
            endpoints.push(endpoint);
        }
    }
    // A service without pods has an empty slice.
    if groups.is_empty() {
        groups.insert(Ports::new(), Vec::new());
    }
    groups
}

fn ports(service: &Service, pod: &Pod) -> Ports {
    let ports = service
        .spec
        .iter()
        .flat_map(|spec| spec.ports.iter().flatten());
    let ports = ports.filter_map(|port| {
        let wanted = protocol(port.protocol.as_deref())?;
        let number = match &port.target_port {
            Some(IntOrString::Int(number)) if *number > 0 => *number,
            Some(IntOrString::String(name)) => i32::from(named_port(pod, name, wanted)?),
            _ => port.port,
        };
        let protocol = port.protocol.clone().unwrap_or_else(|| "TCP".to_owned());
        Some(PortHere {
            name: port.name.clone(),
            protocol,
            number,
            app_protocol: port.app_protocol.clone(),
        })
    });
    ports.collect()
}

fn slice(service: &Service, ports: &Ports, endpoints: &[Endpoint]) -> EndpointSlice {
    let metadata = &service.metadata;
    let name = metadata.name.clone().unwrap_or_default();
    let mut labels = metadata.labels.clone().unwrap_or_default();
    labels.insert(SERVICE_NAME.to_owned(), name.clone());
    labels.insert(MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned());
    let ports = ports.iter().map(|port| SlicePort {
        name: Some(port.name.clone().unwrap_or_default()),
        port: Some(port.number),
        protocol: Some(port.protocol.clone()),
        app_protocol: port.app_protocol.clone(),
    });
    EndpointSlice {
        address_type: "IPv4".to_owned(),
        endpoints: Some(endpoints.to_vec()),
        metadata: ObjectMeta {
            generate_name: Some(format!("{name}-")),
            namespace: metadata.namespace.clone(),
            labels: Some(labels),
            owner_references: Some(vec![OwnerReference {
                api_version: "v1".to_owned(),
                kind: "Service".to_owned(),
                name,
                uid: metadata.uid.clone().unwrap_or_default(),
                controller: Some(true),
                block_owner_deletion: Some(true),
            }]),
            ..ObjectMeta::default()
        },
        ports: Some(ports.collect()),
    }
}

fn subset(ports: &Ports, endpoints: &[Endpoint]) -> EndpointSubset {
    let is_ready = |endpoint: &Endpoint| {
        endpoint
            .conditions
            .as_ref()
            .and_then(|conditions| conditions.ready)
            == Some(true)
    };
    let addresses = |ready: bool| {
        let found = endpoints
            .iter()
            .filter(|endpoint| is_ready(endpoint) == ready);
        let list: Vec<_> = found
            .map(|endpoint| EndpointAddress {
                ip: endpoint.addresses.first().cloned().unwrap_or_default(),
                hostname: endpoint.hostname.clone(),
                node_name: endpoint.node_name.clone(),
                target_ref: endpoint.target_ref.clone(),
            })
            .collect();
        (!list.is_empty()).then_some(list)
    };
    let ports = ports.iter().map(|port| EndpointPort {
        name: port.name.clone(),
        port: port.number,
        protocol: Some(port.protocol.clone()),
        app_protocol: port.app_protocol.clone(),
    });
    EndpointSubset {
        addresses: addresses(true),
        not_ready_addresses: addresses(false),
        ports: Some(ports.collect()),
    }
}
