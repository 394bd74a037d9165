//! The pods of a job: selector, labels, index, and how often their index has failed.

use wasmpod_manifest::Workload;
use wasmpod_manifest::k8s::{
    Container, EnvVar, EnvVarSource, Job, ObjectFieldSelector, Pod, PodTemplateSpec,
};

use super::super::{JOB_TRACKING_FINALIZER, create, pods};
use super::indexes::INDEX_ANNOTATION;

/// The labels of a job's pods, the newer and the older name of each. Source: batch/v1 `ControllerUidLabel`,
/// `JobNameLabel`, and their legacy twins.
const UID_LABELS: [&str; 2] = ["batch.kubernetes.io/controller-uid", "controller-uid"];
const NAME_LABELS: [&str; 2] = ["batch.kubernetes.io/job-name", "job-name"];
/// The variable with the index of a pod. Source: upstream's `completionIndexEnvName`.
const INDEX_VARIABLE: &str = "JOB_COMPLETION_INDEX";
/// How often pods of an index had failed before this one. Source: batch/v1 `JobIndexFailureCountAnnotation`.
const FAILURES_ANNOTATION: &str = "batch.kubernetes.io/job-index-failure-count";
/// How often they had failed without counting. Source: batch/v1 `JobIndexIgnoredFailureCountAnnotation`.
const IGNORED_ANNOTATION: &str = "batch.kubernetes.io/job-index-ignored-failure-count";

/// Gives a new job the selector of its pods and its template their labels, as the API server does.
pub(in super::super) fn prepare(job: &mut Job) {
    let uid = job.metadata.uid.clone().unwrap_or_default();
    let name = job.metadata.name.clone().unwrap_or_default();
    let Some(spec) = &mut job.spec else { return };
    if spec.manual_selector == Some(true) {
        return;
    }
    label(&mut spec.template, &uid, &name);
    let [uid_label, _] = UID_LABELS;
    let selector = spec.selector.get_or_insert_default();
    let labels = selector.match_labels.get_or_insert_default();
    labels.entry(uid_label.to_owned()).or_insert(uid);
}

fn label(template: &mut PodTemplateSpec, uid: &str, name: &str) {
    let metadata = template.metadata.get_or_insert_default();
    let labels = metadata.labels.get_or_insert_default();
    for (keys, value) in [(UID_LABELS, uid), (NAME_LABELS, name)] {
        for key in keys {
            let entry = labels.entry(key.to_owned());
            entry.or_insert_with(|| value.to_owned());
        }
    }
}

/// How often an index has failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Failures {
    pub(super) counted: i32,
    pub(super) ignored: i32,
}

impl Failures {
    /// Before this pod.
    pub(super) fn before(pod: &Pod) -> Self {
        let number = |key| {
            let value = pods::annotation(pod, key)?;
            value.parse().ok()
        };
        Self {
            counted: number(FAILURES_ANNOTATION).unwrap_or_default(),
            ignored: number(IGNORED_ANNOTATION).unwrap_or_default(),
        }
    }

    pub(super) fn total(self) -> i32 {
        self.counted.saturating_add(self.ignored)
    }
}

/// A further pod of a job; `index` in an indexed one, `failures` when each index has its own limit.
pub(super) fn pod(
    owner: &Workload,
    template: &PodTemplateSpec,
    index: Option<i32>,
    failures: Option<Failures>,
    names: &mut dyn FnMut() -> String,
) -> Pod {
    let job = owner.name();
    let base = match index {
        Some(index) => format!("{job}-{index}-"),
        None => format!("{job}-"),
    };
    let mut template = template.clone();
    let uid = owner.metadata().uid.as_deref().unwrap_or_default();
    label(&mut template, uid, job);
    let mut pod = create::generated_pod(owner, &template, &base, names);
    let finalizers = pod.metadata.finalizers.get_or_insert_default();
    if !finalizers.iter().any(|one| one == JOB_TRACKING_FINALIZER) {
        finalizers.push(JOB_TRACKING_FINALIZER.to_owned());
    }
    let Some(index) = index else { return pod };
    let annotations = pod.metadata.annotations.get_or_insert_default();
    annotations.insert(INDEX_ANNOTATION.to_owned(), index.to_string());
    if let Some(failures) = failures {
        annotations.insert(FAILURES_ANNOTATION.to_owned(), failures.counted.to_string());
        if failures.ignored > 0 {
            annotations.insert(IGNORED_ANNOTATION.to_owned(), failures.ignored.to_string());
        }
    }
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(INDEX_ANNOTATION.to_owned(), index.to_string());
    let spec = pod.spec.get_or_insert_default();
    spec.hostname = Some(format!("{job}-{index}"));
    let init = spec.init_containers.iter_mut().flatten();
    init.chain(&mut spec.containers).for_each(index_variable);
    pod
}

fn index_variable(container: &mut Container) {
    let env = container.env.get_or_insert_default();
    if env.iter().any(|variable| variable.name == INDEX_VARIABLE) {
        return;
    }
    env.push(EnvVar {
        name: INDEX_VARIABLE.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                api_version: Some("v1".to_owned()),
                field_path: format!("metadata.labels['{INDEX_ANNOTATION}']"),
            }),
            ..EnvVarSource::default()
        }),
    });
}
