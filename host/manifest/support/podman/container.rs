//! Podman's list: fields of a container.

use super::{Podman, Row, row};

pub(super) const CONTAINER: &[Row] = &[
    row(
        "name",
        Podman::Yes,
        "containers_start_in_the_manifests_order",
    ),
    row("image", Podman::Yes, "usual_names_find_their_image"),
    row(
        "imagePullPolicy",
        Podman::Yes,
        "the_pull_policy_follows_the_tag",
    ),
    row(
        "command",
        Podman::Yes,
        "command_and_args_replace_entrypoint_and_cmd_as_the_table_says",
    ),
    row(
        "args",
        Podman::Yes,
        "command_and_args_replace_entrypoint_and_cmd_as_the_table_says",
    ),
    row(
        "workingDir",
        Podman::Yes,
        "the_containers_own_working_directory_wins_over_the_images",
    ),
    row(
        "ports.containerPort",
        Podman::Yes,
        "rules_and_host_ports_are_published",
    ),
    row(
        "ports.hostIP",
        Podman::Yes,
        "rules_and_host_ports_are_published",
    ),
    row(
        "ports.hostPort",
        Podman::Yes,
        "rules_and_host_ports_are_published",
    ),
    row(
        "ports.name",
        Podman::Yes,
        "rules_and_host_ports_are_published",
    ),
    row(
        "ports.protocol",
        Podman::Yes,
        "rules_and_host_ports_are_published",
    ),
    row(
        "env.name",
        Podman::Yes,
        "a_value_may_refer_to_what_stands_before_it",
    ),
    row(
        "env.value",
        Podman::Yes,
        "a_value_may_refer_to_what_stands_before_it",
    ),
    row(
        "env.valueFrom.configMapKeyRef.key",
        Podman::Yes,
        "keys_of_config_maps_and_secrets",
    ),
    row(
        "env.valueFrom.configMapKeyRef.name",
        Podman::Yes,
        "keys_of_config_maps_and_secrets",
    ),
    row(
        "env.valueFrom.configMapKeyRef.optional",
        Podman::Yes,
        "what_is_missing_and_not_optional_is_told_in_the_kubelets_words",
    ),
    row(
        "env.valueFrom.fieldRef",
        Podman::Yes,
        "the_downward_api_tells_of_the_pod",
    ),
    row(
        "env.valueFrom.resourceFieldRef",
        Podman::Yes,
        "resources_are_counted_in_divisors_and_rounded_up",
    ),
    row(
        "env.valueFrom.secretKeyRef.key",
        Podman::Yes,
        "keys_of_config_maps_and_secrets",
    ),
    row(
        "env.valueFrom.secretKeyRef.name",
        Podman::Yes,
        "keys_of_config_maps_and_secrets",
    ),
    row(
        "env.valueFrom.secretKeyRef.optional",
        Podman::Yes,
        "what_is_missing_and_not_optional_is_told_in_the_kubelets_words",
    ),
    row(
        "envFrom.configMapRef.name",
        Podman::Yes,
        "env_from_takes_every_key_with_its_prefix_and_env_wins",
    ),
    row(
        "envFrom.configMapRef.optional",
        Podman::Yes,
        "what_is_missing_and_not_optional_is_told_in_the_kubelets_words",
    ),
    row(
        "envFrom.prefix",
        Podman::No,
        "env_from_takes_every_key_with_its_prefix_and_env_wins",
    ),
    row(
        "envFrom.secretRef.name",
        Podman::Yes,
        "env_from_takes_every_key_with_its_prefix_and_env_wins",
    ),
    row(
        "envFrom.secretRef.optional",
        Podman::Yes,
        "what_is_missing_and_not_optional_is_told_in_the_kubelets_words",
    ),
    row(
        "volumeMounts.mountPath",
        Podman::Yes,
        "two_containers_share_an_empty_dir_at_their_own_paths",
    ),
    row(
        "volumeMounts.name",
        Podman::Yes,
        "two_containers_share_an_empty_dir_at_their_own_paths",
    ),
    row("volumeMounts.mountPropagation", Podman::No, ""),
    row(
        "volumeMounts.readOnly",
        Podman::Yes,
        "one_volume_is_mounted_several_times_with_different_rights",
    ),
    row(
        "volumeMounts.subPath",
        Podman::Yes,
        "a_config_file_mounted_by_sub_path_keeps_its_siblings",
    ),
    row(
        "volumeMounts.subPathExpr",
        Podman::No,
        "every_valid_manifest_gives_the_objects_of_its_json_file",
    ),
    row("volumeDevices.devicePath", Podman::No, ""),
    row("volumeDevices.name", Podman::No, ""),
    row(
        "resources.limits",
        Podman::Yes,
        "growing_beyond_the_memory_limit_is_oom_killed",
    ),
    row(
        "resources.requests",
        Podman::Yes,
        "requests_become_the_kubelets_shares",
    ),
    row(
        "lifecycle.postStart",
        Podman::No,
        "pod_lifecycle_post_start_exec_hook_and_http_hook",
    ),
    row(
        "lifecycle.preStop",
        Podman::No,
        "pod_lifecycle_prestop_exec_hook_and_http_hook",
    ),
    row(
        "lifecycle.stopSignal",
        Podman::Yes,
        "signals_have_the_names_and_numbers_of_signal_7",
    ),
    row(
        "terminationMessagePath",
        Podman::No,
        "the_termination_message_is_the_file_or_else_the_end_of_the_log",
    ),
    row(
        "terminationMessagePolicy",
        Podman::No,
        "the_termination_message_is_the_file_or_else_the_end_of_the_log",
    ),
    row(
        "livenessProbe",
        Podman::Yes,
        "pod_liveness_probe_using_local_file_restart",
    ),
    row(
        "readinessProbe",
        Podman::No,
        "pod_readiness_probe_that_fails_is_never_ready_and_never_restarts",
    ),
    row(
        "startupProbe",
        Podman::No,
        "startup_probe_that_fails_restarts_the_container_unless_the_policy_is_never",
    ),
    row("securityContext.runAsUser", Podman::Yes, ""),
    row("securityContext.runAsNonRoot", Podman::No, ""),
    row("securityContext.runAsGroup", Podman::Yes, ""),
    row(
        "securityContext.readOnlyRootFilesystem",
        Podman::Yes,
        "a_read_only_root_keeps_writable_mounts_writable",
    ),
    row("securityContext.procMount", Podman::Yes, ""),
    row("securityContext.privileged", Podman::Yes, ""),
    row("securityContext.allowPrivilegeEscalation", Podman::Yes, ""),
    row("securityContext.capabilities.add", Podman::Yes, ""),
    row("securityContext.capabilities.drop", Podman::Yes, ""),
    row("securityContext.seccompProfile.type", Podman::No, ""),
    row(
        "securityContext.seccompProfile.localhostProfile",
        Podman::No,
        "",
    ),
    row("securityContext.seLinuxOptions.level", Podman::Yes, ""),
    row("securityContext.seLinuxOptions.role", Podman::Yes, ""),
    row("securityContext.seLinuxOptions.type", Podman::Yes, ""),
    row("securityContext.seLinuxOptions.user", Podman::Yes, ""),
    row(
        "securityContext.windowsOptions.gmsaCredentialSpec",
        Podman::No,
        "",
    ),
    row("securityContext.windowsOptions.hostProcess", Podman::No, ""),
    row(
        "securityContext.windowsOptions.runAsUserName",
        Podman::No,
        "",
    ),
    row("stdin", Podman::No, "a_terminal_ends_with_its_guest"),
    row("stdinOnce", Podman::No, "a_terminal_ends_with_its_guest"),
    row("tty", Podman::No, "a_terminal_ends_with_its_guest"),
];
