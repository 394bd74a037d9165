//! The rows of jobs and cron jobs.

use super::{Field, Table};

const STATUS: &str = "the status is what wasmpod observes";

/// The tables of this file.
pub(super) const TABLES: &[Table] = &[
    Table {
        definition: "io.k8s.api.batch.v1.Job",
        title: "Job",
        fields: &[
            Field::yes("apiVersion"),
            Field::yes("kind"),
            Field::yes("metadata"),
            Field::yes("spec"),
            Field::ignored("status", STATUS),
        ],
    },
    Table {
        definition: "io.k8s.api.batch.v1.JobSpec",
        title: "Job spec",
        fields: &[
            Field::yes("activeDeadlineSeconds"),
            Field::yes("backoffLimit"),
            Field::yes("backoffLimitPerIndex"),
            Field::yes("completionMode"),
            Field::yes("completions"),
            Field::rejected(
                "managedBy",
                "no other controller would ever run the job",
                "",
            )
            .unless(&["kubernetes.io/job-controller"]),
            Field::yes("manualSelector"),
            Field::yes("maxFailedIndexes"),
            Field::yes("parallelism"),
            Field::yes("podFailurePolicy"),
            Field::yes("podReplacementPolicy"),
            Field::ignored(
                "scheduling",
                "there is one node, so nothing is left to choose",
            ),
            Field::yes("selector"),
            Field::yes("successPolicy"),
            Field::yes("suspend"),
            Field::yes("template"),
            Field::yes("ttlSecondsAfterFinished"),
        ],
    },
    Table {
        definition: "io.k8s.api.batch.v1.PodFailurePolicy",
        title: "Pod failure policy",
        fields: &[Field::yes("rules")],
    },
    Table {
        definition: "io.k8s.api.batch.v1.PodFailurePolicyRule",
        title: "Pod failure policy rule",
        fields: &[
            Field::yes("action"),
            Field::yes("onExitCodes"),
            Field::yes("onPodConditions"),
        ],
    },
    Table {
        definition: "io.k8s.api.batch.v1.PodFailurePolicyOnExitCodesRequirement",
        title: "Pod failure policy on exit codes",
        fields: &[
            Field::yes("containerName"),
            Field::yes("operator"),
            Field::yes("values"),
        ],
    },
    Table {
        definition: "io.k8s.api.batch.v1.PodFailurePolicyOnPodConditionsPattern",
        title: "Pod failure policy on pod conditions",
        fields: &[Field::yes("status"), Field::yes("type")],
    },
    Table {
        definition: "io.k8s.api.batch.v1.SuccessPolicy",
        title: "Success policy",
        fields: &[Field::yes("rules")],
    },
    Table {
        definition: "io.k8s.api.batch.v1.SuccessPolicyRule",
        title: "Success policy rule",
        fields: &[Field::yes("succeededCount"), Field::yes("succeededIndexes")],
    },
    Table {
        definition: "io.k8s.api.batch.v1.CronJob",
        title: "Cron job",
        fields: &[
            Field::yes("apiVersion"),
            Field::yes("kind"),
            Field::yes("metadata"),
            Field::yes("spec"),
            Field::ignored("status", STATUS),
        ],
    },
    Table {
        definition: "io.k8s.api.batch.v1.CronJobSpec",
        title: "Cron job spec",
        fields: &[
            Field::yes("concurrencyPolicy"),
            Field::yes("failedJobsHistoryLimit"),
            Field::yes("jobTemplate"),
            Field::yes("schedule"),
            Field::yes("startingDeadlineSeconds"),
            Field::yes("successfulJobsHistoryLimit"),
            Field::yes("suspend"),
            Field::yes("timeZone"),
        ],
    },
    Table {
        definition: "io.k8s.api.batch.v1.JobTemplateSpec",
        title: "Job template",
        fields: &[Field::yes("metadata"), Field::yes("spec")],
    },
];
