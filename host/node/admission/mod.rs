//! What is checked before any pod starts: images, programs, published ports. Whatever cannot work is said at once, all
//! of it, and nothing was started.

pub(crate) mod images;
pub(crate) mod publish;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::JoinSet;
use wasmpod_image::Program;
use wasmpod_lifecycle::process::{self, ImageProcess};
use wasmpod_manifest::k8s::{Container, Pod, Service};
use wasmpod_network::{Protocol, ServiceName, publish as host_port};
use wasmpod_sandbox::{ContainerRuntime, ProgressSink};

use crate::error::NodeError;
use crate::node_ports::{NodePorts, node_port_of};
use images::Images;
use publish::{PublishRule, is_meant, overlap, publications};

/// A pod that there will be, or the template of many.
#[derive(Debug)]
pub(crate) struct Candidate {
    /// A template has the name of its workload.
    pub(crate) pod: Arc<Pod>,
    /// The folder of its manifest.
    pub(crate) base: PathBuf,
}

/// A port of the machine that somebody of this process has, or is to have.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) host: SocketAddr,
    pub(crate) protocol: Protocol,
    /// The pod, the service, or `ingress`.
    pub(crate) by: String,
    /// Who asked for it, in words.
    pub(crate) source: String,
}

impl Held {
    pub(crate) fn is_at(&self, host: SocketAddr, protocol: Protocol) -> bool {
        self.protocol == protocol && overlap(self.host, host)
    }
}

/// Reads the images of all pods and has their programs prepared, each once, side by side.
pub(crate) async fn prepare(
    pods: &[Candidate],
    images: &Arc<Images>,
    runtime: &Arc<dyn ContainerRuntime>,
    progress: &ProgressSink,
) -> Result<(), NodeError> {
    let (mut errors, mut programs) = (Vec::new(), BTreeMap::new());
    for Candidate { pod, base, .. } in pods {
        for container in containers(pod) {
            match program_of(container, images, base).await {
                Ok(Some(program)) => {
                    programs
                        .entry(program.digest)
                        .or_insert_with(|| (program, name_of(pod), container.name.clone()));
                }
                // Without a command it cannot start; the sandbox says so in the container's state.
                Ok(None) => {}
                Err(source) => {
                    errors.push(NodeError::Image {
                        pod: name_of(pod),
                        container: container.name.clone(),
                        source,
                    });
                }
            }
        }
    }
    let mut preparing = JoinSet::new();
    for (program, pod, container) in programs.into_values() {
        let (runtime, progress) = (Arc::clone(runtime), Arc::clone(progress));
        preparing.spawn(async move {
            let prepared = runtime.prepare(&program, progress).await;
            prepared.map_err(|source| NodeError::Program {
                pod,
                container,
                source,
            })
        });
    }
    while let Some(done) = preparing.join_next().await {
        // A panic is a bug of the host, which its hook has reported; the sandbox meets it again.
        if let Ok(Err(error)) = done {
            errors.push(error);
        }
    }
    NodeError::of_all(errors).map_or(Ok(()), Err)
}

async fn program_of(
    container: &Container,
    images: &Arc<Images>,
    base: &Path,
) -> Result<Option<Arc<Program>>, wasmpod_image::ImageError> {
    let reference = container.image.clone().unwrap_or_default();
    let (images, base) = (Arc::clone(images), base.to_owned());
    let read = tokio::task::spawn_blocking(move || images.get(&reference, &base)).await;
    let Ok(image) = read else { return Ok(None) };
    let image = image?;
    let of_image = ImageProcess {
        entrypoint: &image.config.entrypoint,
        cmd: &image.config.cmd,
        working_dir: &image.config.working_dir,
    };
    let process = process::resolve(container, of_image, &[]);
    Ok(process
        .ok()
        .and_then(|process| Some(Arc::clone(image.program(process.args.first()?)))))
}

/// Checks that what is published can be: every rule means a pod, no two want one port, and each port is free, or open
/// for a service already. `held` is what this process has.
pub(crate) async fn check_ports(
    pods: &[Candidate],
    rules: &[PublishRule],
    services: &[Arc<Service>],
    open: &NodePorts,
    held: Vec<Held>,
) -> Result<(), NodeError> {
    let mut errors: Vec<_> = rules
        .iter()
        .filter(|rule| {
            !pods
                .iter()
                .any(|candidate| is_meant(&rule.pod, &candidate.pod, &[]))
        })
        .map(|rule| NodeError::NoSuchPod {
            pod: rule.pod.clone(),
            pods: pods
                .iter()
                .map(|candidate| name_of(&candidate.pod))
                .collect(),
        })
        .collect();
    let mut taken = held;
    for service in services {
        let name = service.metadata.name.clone().unwrap_or_default();
        for port in open.wanted(service) {
            if open.has(port.host, port.protocol) {
                continue;
            }
            let mut others = taken.iter();
            if let Some(other) = others.find(|held| held.is_at(port.host, port.protocol)) {
                errors.push(NodeError::PublishedTwice {
                    what: format!("service \"{name}\""),
                    host: port.host,
                    other: other.by.clone(),
                    source_of_other: other.source.clone(),
                });
                continue;
            }
            taken.push(Held {
                host: port.host,
                protocol: port.protocol,
                by: name.clone(),
                source: node_port_of(&name),
            });
            let whose = ServiceName {
                namespace: service.metadata.namespace.clone().unwrap_or_default(),
                name: name.clone(),
            };
            let free = host_port::check_service(port.host, port.protocol, &whose, port.port);
            if let Err(error) = free.await {
                errors.push(error.into());
            }
        }
    }
    for Candidate { pod, .. } in pods {
        let name = name_of(pod);
        for publication in publications(pod, &[], rules).map_err(NodeError::from)? {
            let (host, protocol) = (publication.host, publication.protocol);
            if host.port() != 0 {
                if let Some(other) = taken.iter().find(|held| held.is_at(host, protocol)) {
                    errors.push(NodeError::PublishedTwice {
                        what: format!("pod \"{name}\""),
                        host,
                        other: other.by.clone(),
                        source_of_other: other.source.clone(),
                    });
                    continue;
                }
                taken.push(Held {
                    host,
                    protocol,
                    by: name.clone(),
                    source: publication.source.to_string(),
                });
                let free = host_port::check(
                    publication.host,
                    publication.protocol,
                    &name,
                    publication.pod_port,
                )
                .await;
                if let Err(error) = free {
                    errors.push(error.into());
                }
            }
        }
    }
    NodeError::of_all(errors).map_or(Ok(()), Err)
}

fn containers(pod: &Pod) -> impl Iterator<Item = &Container> {
    let spec = pod.spec.iter();
    spec.flat_map(|spec| {
        spec.init_containers
            .iter()
            .flatten()
            .chain(&spec.containers)
    })
}

pub(crate) fn name_of(pod: &Pod) -> String {
    pod.metadata.name.clone().unwrap_or_default()
}
