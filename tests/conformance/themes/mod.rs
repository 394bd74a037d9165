//! The themes, as upstream's list groups them: one module each, its rows first, then how each is played.

mod command_and_args;
mod hooks;
mod init_containers;
mod kubelet;
mod pods;
mod probes;
mod probes_in_order;
mod restart_rules;
mod start_order;
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
    start_order::THEME,
    termination::THEME,
    updates::THEME,
    probes_in_order::THEME,
    restart_rules::THEME,
];
