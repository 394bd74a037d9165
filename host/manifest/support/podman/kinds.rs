//! Podman's list: fields of the other kinds.

use super::{Podman, Row, row};

pub(super) const PERSISTENT_VOLUME_CLAIM: &[Row] = &[
    row(
        "volumeName",
        Podman::No,
        "every_valid_manifest_gives_the_objects_of_its_json_file",
    ),
    row(
        "storageClassName",
        Podman::Yes,
        "every_valid_manifest_gives_the_objects_of_its_json_file",
    ),
    row("volumeMode", Podman::No, ""),
    row(
        "accessModes",
        Podman::Yes,
        "every_valid_manifest_gives_the_objects_of_its_json_file",
    ),
    row("selector", Podman::No, ""),
    row("resources.limits", Podman::No, ""),
    row(
        "resources.requests",
        Podman::Yes,
        "every_valid_manifest_gives_the_objects_of_its_json_file",
    ),
];

pub(super) const CONFIG_MAP: &[Row] = &[
    row(
        "binaryData",
        Podman::Yes,
        "keys_are_files_behind_links_that_a_guest_can_follow",
    ),
    row(
        "data",
        Podman::Yes,
        "keys_are_files_behind_links_that_a_guest_can_follow",
    ),
    row("immutable", Podman::No, ""),
];

pub(super) const DEPLOYMENT: &[Row] = &[
    row(
        "replicas",
        Podman::Partly("replicas are always 1"),
        "a_deployment_makes_its_pods_through_a_replica_set_of_its_template",
    ),
    row(
        "selector",
        Podman::Yes,
        "a_deployment_makes_its_pods_through_a_replica_set_of_its_template",
    ),
    row(
        "template",
        Podman::Yes,
        "a_deployment_makes_its_pods_through_a_replica_set_of_its_template",
    ),
    row(
        "minReadySeconds",
        Podman::No,
        "a_ready_pod_is_available_when_it_was_ready_for_min_ready_seconds",
    ),
    row(
        "strategy.type",
        Podman::No,
        "recreate_waits_until_the_last_old_pod_is_gone",
    ),
    row(
        "strategy.rollingUpdate.maxSurge",
        Podman::No,
        "a_rolling_update_never_has_fewer_available_pods_nor_more_pods_than_it_may",
    ),
    row(
        "strategy.rollingUpdate.maxUnavailable",
        Podman::No,
        "a_rolling_update_never_has_fewer_available_pods_nor_more_pods_than_it_may",
    ),
    row(
        "revisionHistoryLimit",
        Podman::No,
        "going_back_uses_the_replica_set_of_before_and_old_ones_are_kept_to_the_limit",
    ),
    row(
        "progressDeadlineSeconds",
        Podman::No,
        "a_deployment_without_progress_says_so_after_its_deadline",
    ),
    row(
        "paused",
        Podman::No,
        "a_paused_deployment_keeps_its_number_of_pods_and_rolls_nothing_out",
    ),
];

pub(super) const DAEMON_SET: &[Row] = &[
    row(
        "selector",
        Podman::Yes,
        "a_daemon_set_has_one_pod_and_replaces_one_that_failed",
    ),
    row(
        "template",
        Podman::Yes,
        "a_daemon_set_has_one_pod_and_replaces_one_that_failed",
    ),
    row(
        "minReadySeconds",
        Podman::No,
        "a_daemon_set_has_one_pod_and_replaces_one_that_failed",
    ),
    row(
        "updateStrategy.type",
        Podman::No,
        "a_daemon_set_with_a_new_template_deletes_first_or_surges_or_waits_for_the_user",
    ),
    row(
        "updateStrategy.rollingUpdate.maxSurge",
        Podman::No,
        "a_daemon_set_with_a_new_template_deletes_first_or_surges_or_waits_for_the_user",
    ),
    row(
        "updateStrategy.rollingUpdate.maxUnavailable",
        Podman::No,
        "a_daemon_set_with_a_new_template_deletes_first_or_surges_or_waits_for_the_user",
    ),
    row("revisionHistoryLimit", Podman::No, ""),
];

pub(super) const JOB: &[Row] = &[
    row(
        "activeDeadlineSeconds",
        Podman::No,
        "a_job_that_takes_too_long_ends_its_pods_and_then_itself",
    ),
    row(
        "selector",
        Podman::No,
        "a_job_gets_the_selector_of_its_pods_with_its_uid",
    ),
    row(
        "template",
        Podman::Yes,
        "a_job_runs_one_pod_to_its_end_and_is_complete",
    ),
    row(
        "backoffLimit",
        Podman::No,
        "a_failed_pod_is_followed_by_another_after_a_wait_that_doubles",
    ),
    row(
        "completionMode",
        Podman::No,
        "indexed_pods_have_their_index_and_the_status_names_those_that_are_done",
    ),
    row(
        "completions",
        Podman::No,
        "a_job_has_no_more_pods_than_its_parallelism_and_what_is_left_to_do",
    ),
    row(
        "manualSelector",
        Podman::No,
        "every_valid_manifest_gives_the_objects_of_its_json_file",
    ),
    row(
        "parallelism",
        Podman::No,
        "a_job_has_no_more_pods_than_its_parallelism_and_what_is_left_to_do",
    ),
    row(
        "podFailurePolicy",
        Podman::No,
        "a_failure_policy_fails_the_job_ignores_or_fails_the_index",
    ),
    row(
        "suspend",
        Podman::No,
        "a_suspended_job_has_no_pods_and_its_clock_starts_when_it_resumes",
    ),
    row(
        "ttlSecondsAfterFinished",
        Podman::No,
        "an_ended_job_is_deleted_when_its_time_to_live_is_over",
    ),
];
