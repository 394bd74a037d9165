//! Endpoints that somebody wrote by hand, as EndpointSlices: what connects to a service reads slices only.
//!
//! Standard: kube-controller-manager's endpointslicemirroring controller (`endpoint-slices#endpointslice-mirroring`).
//! Only for services without a selector; each subset is one slice. Endpoints with the label
//! `endpointslice.kubernetes.io/skip-mirror: "true"` are left alone.

use wasmpod_manifest::k8s::{
    Endpoint, EndpointAddress, EndpointConditions, EndpointSlice, EndpointSubset, Endpoints,
    ObjectMeta, OwnerReference, SlicePort,
};
use wasmpod_store::{Kind, Object, ObjectRef};

use super::Reconciler;
use super::endpoints::{ENDPOINTS_MANAGED_BY, has_label, take_on};
use crate::routes::SERVICE_NAME;

/// The label that says who writes a slice.
const MANAGED_BY: (&str, &str) = (
    "endpointslice.kubernetes.io/managed-by",
    "endpointslicemirroring-controller.k8s.io",
);

/// The label of Endpoints that are not to be mirrored.
const SKIP: (&str, &str) = ("endpointslice.kubernetes.io/skip-mirror", "true");

/// How many addresses of a subset are mirrored at most: `--mirroring-max-endpoints-per-subset` of
/// kube-controller-manager. Further ones get no connections.
const MAX_ADDRESSES: usize = 1000;

impl Reconciler {
    /// Looks at the Endpoints of a service without selector.
    pub(super) fn mirror(&self, service: &ObjectRef) {
        let endpoints = ObjectRef {
            kind: Kind::Endpoints,
            ..service.clone()
        };
        let slices = match self.get(&endpoints) {
            // Those of a service that had a selector have slices already.
            Some(object)
                if [SKIP, ENDPOINTS_MANAGED_BY]
                    .iter()
                    .any(|label| has_label(&object, *label)) =>
            {
                Vec::new()
            }
            Some(Object::Endpoints(endpoints)) => mirrored(&endpoints),
            _ => Vec::new(),
        };
        self.set_mirrors(service, slices);
    }

    /// Removes what was mirrored for a service that is gone, or has a selector now.
    pub(super) fn drop_mirrors(&self, service: &ObjectRef) {
        self.set_mirrors(service, Vec::new());
    }

    fn set_mirrors(&self, service: &ObjectRef, slices: Vec<EndpointSlice>) {
        let store = &self.shared.store;
        let (found, _) = store.list(Kind::EndpointSlice, service.namespace.as_deref());
        let mut old = found.into_iter().filter(|slice| {
            has_label(slice, MANAGED_BY) && has_label(slice, (SERVICE_NAME, &service.name))
        });
        for new in slices {
            match old.next() {
                Some(old) => drop(self.change(&old.reference(), old.uid(), &mut |stored| {
                    if let Object::EndpointSlice(stored) = stored {
                        take_on(stored, &new);
                    }
                })),
                // The name is new: nobody else has it.
                None => drop(store.create(new.into())),
            }
        }
        for surplus in old {
            drop(self.shared.remove(&surplus));
        }
    }
}

/// The slices that say the same as these Endpoints.
fn mirrored(endpoints: &Endpoints) -> Vec<EndpointSlice> {
    let metadata = &endpoints.metadata;
    let name = metadata.name.clone().unwrap_or_default();
    let mut labels = metadata.labels.clone().unwrap_or_default();
    labels.insert(SERVICE_NAME.to_owned(), name.clone());
    labels.insert(MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned());
    let owner = OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Endpoints".to_owned(),
        name: name.clone(),
        uid: metadata.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    };
    let subsets = endpoints.subsets.iter().flatten();
    let slices = subsets.map(|subset| EndpointSlice {
        address_type: "IPv4".to_owned(),
        endpoints: Some(addresses(subset)),
        ports: Some(ports(subset)),
        metadata: ObjectMeta {
            generate_name: Some(format!("{name}-")),
            namespace: metadata.namespace.clone(),
            labels: Some(labels.clone()),
            owner_references: Some(vec![owner.clone()]),
            ..ObjectMeta::default()
        },
    });
    slices.collect()
}

fn addresses(subset: &EndpointSubset) -> Vec<Endpoint> {
    let of = |addresses: &Option<Vec<EndpointAddress>>, ready| {
        let addresses = addresses.iter().flatten().map(|address| Endpoint {
            addresses: vec![address.ip.clone()],
            conditions: Some(EndpointConditions {
                ready: Some(ready),
                ..EndpointConditions::default()
            }),
            hostname: address.hostname.clone(),
            node_name: address.node_name.clone(),
            target_ref: address.target_ref.clone(),
            ..Endpoint::default()
        });
        addresses.collect::<Vec<_>>()
    };
    let ready = of(&subset.addresses, true).into_iter();
    let all = ready.chain(of(&subset.not_ready_addresses, false));
    all.take(MAX_ADDRESSES).collect()
}

fn ports(subset: &EndpointSubset) -> Vec<SlicePort> {
    let ports = subset.ports.iter().flatten().map(|port| SlicePort {
        name: Some(port.name.clone().unwrap_or_default()),
        port: Some(port.port),
        protocol: Some(port.protocol.clone().unwrap_or_else(|| "TCP".to_owned())),
        app_protocol: port.app_protocol.clone(),
    });
    ports.collect()
}
