//! The themes, as upstream's list groups them: one module each, its rows first, then how each is played.

mod command_and_args;
mod config_map_volume;
mod dns;
mod downward_env;
mod downward_volume;
mod empty_dir;
mod endpoint_slices;
mod endpoints;
mod env_from_config_map;
mod env_from_secret;
mod expansion;
mod hooks;
mod init_containers;
mod kubelet;
mod networking;
mod pods;
mod probes;
mod probes_in_order;
mod projected_volume;
mod proxy;
mod restart_rules;
mod secret_volume;
mod service_affinity;
mod service_objects;
mod service_types;
mod services;
mod start_order;
mod sub_path;
mod termination;
mod termination_message;
mod updates;

use crate::table::Theme;

/// All themes, in upstream's order.
pub(crate) const THEMES: &[Theme] = &[
    pods::THEME,
    command_and_args::THEME,
    termination_message::THEME,
    hooks::THEME,
    init_containers::THEME,
    kubelet::THEME,
    probes::THEME,
    env_from_config_map::THEME,
    env_from_secret::THEME,
    downward_env::THEME,
    expansion::THEME,
    empty_dir::THEME,
    config_map_volume::THEME,
    secret_volume::THEME,
    downward_volume::THEME,
    projected_volume::THEME,
    sub_path::THEME,
    start_order::THEME,
    termination::THEME,
    updates::THEME,
    probes_in_order::THEME,
    restart_rules::THEME,
    networking::THEME,
    dns::THEME,
    services::THEME,
    endpoints::THEME,
    proxy::THEME,
];
