//! From manifests to objects: everything that can be known to fail is checked, then the objects are created.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasmpod_lifecycle::qos;
use wasmpod_manifest::k8s::{ObjectMeta, Pod, PodStatus, Service};
use wasmpod_manifest::{Manifests, Workload};
use wasmpod_store::{DEFAULT_NAMESPACE, Kind, Object, ObjectRef, StoreError, generate_name};

use crate::admission::{self, Candidate};
use crate::agent::{Agent, ensure_namespace};
use crate::error::NodeError;
use crate::known::KnownPod;
use crate::reconcile::workload::{self, workload_of};
use crate::replace::activate;
use crate::services;
use crate::shared::Shared;

/// What became of the objects of some manifests.
#[derive(Debug, Clone, Default)]
pub struct Started {
    /// The pods that there are by now: those of the manifests in their order, then the first ones of their workloads.
    pub pods: Vec<Arc<KnownPod>>,
    /// The workloads, in the manifests' order.
    pub workloads: Vec<ObjectRef>,
}

impl Agent {
    /// Creates the objects of `manifests` after everything that can be known to fail was checked: images, programs,
    /// ports. Returns as soon as the pods that follow at once from them are on their way, or known to have to wait.
    ///
    /// ConfigMaps, Secrets and Services that are there already take on what the manifests say.
    ///
    /// # Errors
    ///
    /// When something cannot work; then nothing was started.
    pub async fn start(&self, manifests: Manifests) -> Result<Started, NodeError> {
        let shared = &self.shared;
        let mut objects = Objects::new(manifests, &shared.config.base_dir);
        objects.are_new(shared)?;
        let candidates = objects.candidates();
        admission::prepare(
            &candidates,
            &shared.images,
            &shared.config.runtime,
            &shared.config.progress,
        )
        .await?;
        let services: Vec<_> = objects.services().collect();
        let rules = &shared.config.publish;
        let held = shared.held();
        admission::check_ports(&candidates, rules, &services, &shared.node_ports, held).await?;
        // So that nobody else has the pods, which get their status now.
        drop(candidates);
        if shared.is_closing() {
            return Err(NodeError::ShuttingDown);
        }
        let (pods, workloads) = objects.create(shared)?;
        self.settled().await;
        let mut started = Started { pods, workloads };
        let (all, _) = self.store().list(Kind::Pod, None);
        for object in &all {
            let Object::Pod(pod) = object else { continue };
            let is_new = shared
                .owners(object)
                .iter()
                .any(|owner| started.workloads.contains(owner));
            if let (true, Some(known)) = (is_new, self.known(pod)) {
                started.pods.push(known);
            }
        }
        Ok(started)
    }
}

/// The objects of manifests, named and ready to be created.
struct Objects {
    pods: Vec<(Arc<Pod>, PathBuf)>,
    workloads: Vec<(Workload, PathBuf)>,
    /// The others, those first that others refer to.
    others: Vec<Object>,
}

impl Objects {
    fn new(manifests: Manifests, base_dir: &Path) -> Self {
        let folder = |source: &String| {
            let folder = Path::new(source).parent().unwrap_or(Path::new(""));
            base_dir.join(folder)
        };
        let pods = manifests.pods.into_iter().map(|mut pod| {
            identify(&mut pod.metadata);
            Arc::new(pod)
        });
        let workloads = manifests.workloads.into_iter().map(|mut workload| {
            identify(workload.metadata_mut());
            workload
        });
        let mut others: Vec<Object> = Vec::new();
        let namespaces = manifests.namespaces.into_iter().map(|mut namespace| {
            activate(&mut namespace);
            namespace
        });
        others.extend(namespaces.map(Object::from));
        others.extend(manifests.service_accounts.into_iter().map(Object::from));
        others.extend(manifests.config_maps.into_iter().map(Object::from));
        others.extend(manifests.secrets.into_iter().map(Object::from));
        others.extend(manifests.persistent_volumes.into_iter().map(Object::from));
        others.extend(
            manifests
                .persistent_volume_claims
                .into_iter()
                .map(Object::from),
        );
        others.extend(manifests.network_policies.into_iter().map(Object::from));
        others.extend(manifests.services.into_iter().map(Object::from));
        others.extend(manifests.ingress_classes.into_iter().map(Object::from));
        others.extend(manifests.ingresses.into_iter().map(Object::from));
        for object in &mut others {
            if object.kind().is_namespaced() {
                identify(object.metadata_mut());
            }
        }
        Self {
            pods: pods.zip(manifests.pod_sources.iter().map(folder)).collect(),
            workloads: workloads
                .zip(manifests.workload_sources.iter().map(folder))
                .collect(),
            others,
        }
    }

    /// Pods and workloads of the same name must not be there.
    fn are_new(&mut self, shared: &Shared) -> Result<(), NodeError> {
        let pods = self.pods.iter().map(|(pod, _)| (Kind::Pod, &pod.metadata));
        let workloads = self.workloads.iter().filter_map(|(workload, _)| {
            let kind = Kind::from_type(workload.api_version(), workload.kind().name())?;
            Some((kind, workload.metadata()))
        });
        for (kind, metadata) in pods.chain(workloads) {
            let namespace = metadata.namespace.as_deref().unwrap_or_default();
            let name = metadata.name.as_deref().unwrap_or_default();
            if shared.store.get(kind, Some(namespace), name).is_some() {
                return Err(NodeError::AlreadyRuns {
                    kind: kind.singular(),
                    name: format!("{namespace}/{name}"),
                });
            }
        }
        Ok(())
    }

    /// What pods there will be, as far as admission looks at them.
    fn candidates(&self) -> Vec<Candidate> {
        let pods = self.pods.iter().map(|(pod, base)| Candidate {
            pod: Arc::clone(pod),
            base: base.clone(),
        });
        let workloads = self
            .workloads
            .iter()
            .filter_map(|(workload, base)| template_of(workload, base));
        pods.chain(workloads).collect()
    }

    fn services(&self) -> impl Iterator<Item = Arc<Service>> + '_ {
        self.others.iter().filter_map(|object| match object {
            Object::Service(service) => Some(Arc::clone(service)),
            _ => None,
        })
    }

    fn create(self, shared: &Shared) -> Result<(Vec<Arc<KnownPod>>, Vec<ObjectRef>), NodeError> {
        for object in self.others {
            if let Some(namespace) = object.namespace() {
                ensure_namespace(&shared.store, namespace);
            }
            apply(shared, object)?;
        }
        let base_dir = &shared.config.base_dir;
        let set_base = |object: &Object, base: PathBuf| {
            if base != *base_dir {
                shared.known.set_base(object.reference(), base);
            }
            ensure_namespace(
                &shared.store,
                object.namespace().unwrap_or(DEFAULT_NAMESPACE),
            );
        };
        let (mut pods, mut workloads) = (Vec::new(), Vec::new());
        for (workload, base) in self.workloads {
            let object = workload::object_of(workload);
            // Before the object is there, as the loop may look at it at once.
            set_base(&object, base);
            workloads.push(shared.store.create(object)?.reference());
        }
        for (mut pod, base) in self.pods {
            let status = status_of_new(&pod);
            Arc::make_mut(&mut pod).status = Some(status);
            let object = Object::Pod(pod);
            set_base(&object, base);
            if let Object::Pod(pod) = shared.store.create(object)? {
                pods.extend(shared.known.of(&shared.store, &pod));
            }
        }
        Ok((pods, workloads))
    }
}

/// The pods that a workload makes, as far as admission looks at them.
fn template_of(workload: &Workload, base: &Path) -> Option<Candidate> {
    let template = workload.pod_template()?;
    let of_template = template.metadata.clone().unwrap_or_default();
    let pod = Pod {
        metadata: ObjectMeta {
            name: workload.metadata().name.clone(),
            namespace: workload.metadata().namespace.clone(),
            ..of_template
        },
        spec: template.spec.clone(),
        status: None,
    };
    Some(Candidate {
        pod: Arc::new(pod),
        base: base.to_owned(),
    })
}

/// The pod that this object is or makes, if any.
pub(crate) fn candidate_of(object: &Object, base: &Path) -> Option<Candidate> {
    match object {
        Object::Pod(pod) => Some(Candidate {
            pod: Arc::clone(pod),
            base: base.to_owned(),
        }),
        other => template_of(&workload_of(other)?, base),
    }
}

/// The object of manifests that have one only.
#[must_use]
pub fn object_of(manifests: Manifests) -> Option<Object> {
    let Objects {
        pods,
        workloads,
        others,
    } = Objects::new(manifests, Path::new(""));
    let pods = pods.into_iter().map(|(pod, _)| Object::from(pod));
    let workloads = workloads.into_iter();
    let workloads = workloads.map(|(workload, _)| workload::object_of(workload));
    let mut all = pods.chain(workloads).chain(others);
    let object = all.next();
    object.filter(|_| all.next().is_none())
}

/// `status` of a pod of which nothing exists but its object.
pub(crate) fn status_of_new(pod: &Pod) -> PodStatus {
    PodStatus {
        phase: Some("Pending".to_owned()),
        qos_class: pod.spec.as_ref().map(|spec| qos::class(spec).to_owned()),
        ..PodStatus::default()
    }
}

/// Creates an object, or lets the one that is there take on what this one says.
fn apply(shared: &Shared, mut object: Object) -> Result<Object, StoreError> {
    let kind = object.kind();
    if let Object::Service(service) = &mut object {
        let service = Arc::make_mut(service);
        if let Some(Object::Service(old)) = shared.store.get(
            kind,
            service.metadata.namespace.as_deref(),
            service.metadata.name.as_deref().unwrap_or_default(),
        ) {
            services::keep_address(service, &old);
        }
        services::can_have(&shared.store, service)?;
        services::give_address(&shared.store, service);
    }
    match shared.store.create(object.clone()) {
        Err(StoreError::AlreadyExists { .. }) => {}
        created => return created,
    }
    // What is there may be bound or used: its spec stays.
    let stays = matches!(
        kind,
        Kind::Namespace | Kind::PersistentVolume | Kind::PersistentVolumeClaim
    );
    shared.update(kind, object.namespace(), object.name(), &mut |stored| {
        if stays {
            return Ok(());
        }
        let mut new = object.clone();
        new.metadata_mut().owner_references = stored.metadata().owner_references.clone();
        *stored = new;
        Ok(())
    })
}

/// Gives an object what refers to it: its namespace, and the name that was to be generated.
pub(crate) fn identify(metadata: &mut ObjectMeta) {
    metadata
        .namespace
        .get_or_insert_with(|| DEFAULT_NAMESPACE.to_owned());
    if metadata.name.as_deref().is_none_or(str::is_empty) {
        let base = metadata.generate_name.as_deref().unwrap_or_default();
        metadata.name = Some(generate_name(base));
    }
}
