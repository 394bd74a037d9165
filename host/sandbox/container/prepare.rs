//! What is found out about a container before its instance is made: its image, environment, command and files.

use std::borrow::Cow;
use std::sync::Arc;

use wasmpod_image::{Image, Program};
use wasmpod_lifecycle::environment::expand::expand_sub_path;
use wasmpod_lifecycle::environment::{self, PodFacts};
use wasmpod_lifecycle::pod::StartFailure;
use wasmpod_lifecycle::process::{self, ImageProcess};
use wasmpod_manifest::k8s::Container;
use wasmpod_volume::{ImageFile, RootFiles};

use super::{Job, What, create_error, runtime_error};
use crate::config::{Sources, node_facts};
use crate::dns;
use crate::port::{Progress, ProgressSink};
use crate::resources::Resources;
use crate::termination;

/// The variable that names a terminal's kind, and the kind that container runtimes give it.
const TERM: (&str, &str) = ("TERM", "xterm");

/// All that can be known before an instance exists.
pub(super) struct Prepared {
    pub(super) image: Arc<Image>,
    pub(super) program: Arc<Program>,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    /// What Kubernetes sets of it; `subPathExpr` sees only this.
    pub(super) own_env: Vec<(String, String)>,
    pub(super) working_dir: String,
}

impl Job {
    /// Finds the image and all that can be known before an instance exists.
    pub(super) async fn prepare(&self) -> Result<Prepared, StartFailure> {
        let spec = self
            .spec()
            .ok_or_else(|| create_error("not in its pod".to_owned()))?;
        let image = self.image(spec).await?;
        let facts = PodFacts {
            pod_ips: pod_ips(&self.resources),
            ..node_facts(&self.config.host)
        };
        let sources = Sources {
            objects: self.config.sources.as_ref(),
            pod: &self.config.pod,
            facts: &facts,
        };
        let environment =
            environment::resolve(&self.config.pod, spec, &facts, &sources).map_err(|error| {
                StartFailure::Create {
                    reason: error.reason(),
                    message: error.to_string(),
                }
            })?;
        if !environment.invalid_names.is_empty() {
            let message = format!(
                "Keys [{}] from envFrom were skipped since they are considered invalid environment variable names.",
                environment.invalid_names.join(", ")
            );
            self.warning("InvalidEnvironmentVariableNames", message);
        }
        let of_image = ImageProcess {
            entrypoint: &image.config.entrypoint,
            cmd: &image.config.cmd,
            working_dir: &image.config.working_dir,
        };
        let process = process::resolve(spec, of_image, &environment.own)
            .map_err(|error| create_error(error.to_string()))?;
        let argv0 = process.args.first().map(String::as_str).unwrap_or_default();
        let program = Arc::clone(image.program(argv0));
        let ready = self.config.runtime.prepare(&program, self.progress_sink());
        ready.await.map_err(|error| runtime_error(&error))?;
        self.tell(What::Image(format!("sha256:{}", program.digest.hex())))
            .await;
        let mut env = environment.over_image(&image.config.env, &self.resources.hostname);
        if spec.tty == Some(true) {
            set_term(&mut env);
        }
        Ok(Prepared {
            image,
            program,
            args: process.args,
            env,
            own_env: environment.own,
            working_dir: process.working_dir,
        })
    }

    async fn image(&self, spec: &Container) -> Result<Arc<Image>, StartFailure> {
        let reference = spec.image.as_deref().unwrap_or_default();
        let policy = spec.image_pull_policy.as_deref();
        let resolved = self.config.images.resolve(reference, policy).await;
        let image = resolved.map_err(|failure| StartFailure::Image {
            reason: failure.reason,
            message: failure.message,
        })?;
        let message = format!("Container image \"{reference}\" already present on machine");
        self.normal("Pulled", message);
        Ok(image)
    }

    /// What the root directory holds besides the mounts.
    pub(super) fn root_files(&self, spec: &Container, prepared: &Prepared) -> RootFiles {
        let of_image = prepared.image.files.iter().map(|file| ImageFile {
            path: file.path.to_owned(),
            bytes: Arc::from(file.bytes),
            mode: file.mode,
        });
        // The kubelet mounts an empty file there; here it is one of the root's own.
        let last_words = ImageFile {
            path: termination::path(spec).to_owned(),
            bytes: Arc::from([]),
            mode: 0o666,
        };
        RootFiles {
            hosts: self.resources.network.hosts_file(),
            hostname: format!("{}\n", self.resources.hostname),
            resolv_conf: dns::resolv_conf(&self.config.pod, &self.identity.namespace),
            image: of_image.chain([last_words]).collect(),
            working_dir: prepared.working_dir.clone(),
        }
    }

    fn progress_sink(&self) -> ProgressSink {
        let (name, progress) = (self.name().to_owned(), self.progress.clone());
        Arc::new(move |step: Progress| {
            progress.send_modify(|all| {
                all.insert(name.clone(), step);
            });
        })
    }
}

/// `status.podIPs`
pub(crate) fn pod_ips(resources: &Resources) -> Vec<String> {
    let ip4 = resources.network.pod_ip().to_string();
    [
        Some(ip4),
        resources.network.pod_ip6().map(|ip| ip.to_string()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Names the terminal's kind, unless the container does so itself.
pub(crate) fn set_term(env: &mut Vec<(String, String)>) {
    if !env.iter().any(|(name, _)| name == TERM.0) {
        env.push((TERM.0.to_owned(), TERM.1.to_owned()));
    }
}

/// The container with each `subPathExpr` made a `subPath`.
///
/// # Errors
/// A variable that one needs is not there.
pub(super) fn with_sub_paths<'a>(
    spec: &'a Container,
    env: &[(String, String)],
) -> Result<Cow<'a, Container>, StartFailure> {
    let has_expression = |spec: &Container| {
        let mut mounts = spec.volume_mounts.iter().flatten();
        mounts.any(|mount| mount.sub_path_expr.is_some())
    };
    if !has_expression(spec) {
        return Ok(Cow::Borrowed(spec));
    }
    let mut spec = spec.clone();
    for mount in spec.volume_mounts.iter_mut().flatten() {
        if let Some(expression) = mount.sub_path_expr.take().filter(|text| !text.is_empty()) {
            let expanded = expand_sub_path(&expression, env);
            mount.sub_path = Some(expanded.map_err(|missing| StartFailure::Create {
                reason: "CreateContainerConfigError",
                message: format!("failed to expand subPathExpr {expression:?}: {missing}"),
            })?);
        }
    }
    Ok(Cow::Owned(spec))
}
