//! What the network knows of services, and the ports of the machine that lead to them.

use std::sync::Arc;

use wasmpod_manifest::k8s::{EndpointSlice, Service};
use wasmpod_network::ServiceName;
use wasmpod_network::publish::{PublishServiceConfig, publish_service};
use wasmpod_sandbox::Severity;
use wasmpod_store::{Kind, Object, ObjectRef};

use super::Reconciler;
use crate::events::Component;
use crate::node_ports::NodePort;
use crate::routes::{SERVICE_NAME, route};

impl Reconciler {
    /// Looks at a service: its endpoints, its route, its node ports.
    pub(super) fn service(&mut self, object: &ObjectRef) {
        self.endpoints(object);
        let name = ServiceName {
            namespace: object.namespace.clone().unwrap_or_default(),
            name: object.name.clone(),
        };
        let service = match self.get(object) {
            Some(Object::Service(service)) => Some(service),
            _ => None,
        };
        self.set_route(&name, service.as_deref());
        self.set_node_ports(object, &name, service.as_ref());
    }

    fn set_route(&self, name: &ServiceName, service: Option<&Service>) {
        let network = &self.shared.network;
        let found = service.and_then(|service| {
            let slices = self.slices_of(name);
            route(service, slices.iter().map(Arc::as_ref))
        });
        match found {
            Some(new) => {
                // Changes end what datagrams know of endpoints: only real ones may.
                if network.service(name).as_ref() == Some(&new) {
                    return;
                }
                network.set_service(name.clone(), new);
            }
            None => network.remove_service(name),
        }
        self.shared.ingresses.front.recheck();
    }

    fn slices_of(&self, name: &ServiceName) -> Vec<Arc<EndpointSlice>> {
        let store = &self.shared.store;
        let (slices, _) = store.list(Kind::EndpointSlice, Some(&name.namespace));
        let slices = slices.into_iter().filter_map(|slice| match slice {
            Object::EndpointSlice(slice) => Some(slice),
            _ => None,
        });
        slices
            .filter(|slice| service_of(slice).is_some_and(|service| *service == name.name))
            .collect()
    }

    /// Opens the node ports that a service wants and has not, and closes the others.
    fn set_node_ports(
        &mut self,
        object: &ObjectRef,
        name: &ServiceName,
        service: Option<&Arc<Service>>,
    ) {
        let wanted = service
            .map(|service| self.shared.node_ports.wanted(service))
            .unwrap_or_default();
        let mut closing = Vec::new();
        self.node_ports.retain(|(owner, port), task| {
            let stays = owner != object || wanted.contains(port);
            if !stays {
                task.abort();
                closing.push(port.host);
            }
            stays
        });
        let mut open = Vec::new();
        for port in wanted {
            let key = (object.clone(), port);
            if self.node_ports.contains_key(&key) {
                open.push(port);
            } else if closing.contains(&port.host) {
                // It leads to another port of the service now, and is free when its task has ended: at its next turn.
                let now = self.shared.store.now();
                self.wake_at(object, now);
            } else if self.open(name, &key, service) {
                open.push(port);
            }
        }
        let of_service = service.map(|service| (Arc::clone(service), open));
        self.shared.node_ports.set(object, of_service);
    }

    /// Whether a node port could be opened; if not, it is tried again.
    fn open(
        &mut self,
        name: &ServiceName,
        key: &(ObjectRef, NodePort),
        service: Option<&Arc<Service>>,
    ) -> bool {
        let (object, port) = key;
        let bound = publish_service(PublishServiceConfig {
            host: port.host,
            network: self.shared.network.as_ref().clone(),
            service: name.clone(),
            port: port.port,
            protocol: port.protocol,
            proxy: port.proxy,
        });
        match bound {
            Ok(published) => {
                let task = self.jobs.spawn(published.serve());
                self.node_ports.insert(key.clone(), task);
                true
            }
            Err(error) => {
                if let Some(service) = service {
                    let service = Object::from(Arc::clone(service));
                    let held = self.shared.held();
                    let holder = held
                        .iter()
                        .find(|held| held.is_at(port.host, port.protocol));
                    let why = match holder {
                        Some(held) => {
                            format!("\"{}\" is published there ({})", held.by, held.source)
                        }
                        None => error.source.to_string(),
                    };
                    let message = format!("{error}: {why}");
                    let reason = "FailedToPublishNodePort";
                    let (by, severity) = (Component::Kubelet, Severity::Warning);
                    self.shared
                        .recorder
                        .record(&service, by, severity, reason, message);
                }
                self.retry(object);
                false
            }
        }
    }
}

/// The name of the service to which a slice belongs.
pub(super) fn service_of(slice: &EndpointSlice) -> Option<&String> {
    slice.metadata.labels.as_ref()?.get(SERVICE_NAME)
}
