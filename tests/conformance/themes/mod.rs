//! The themes, as upstream's list groups them: one module each, its rows first, then how each is played.

mod command_and_args;
mod config_map_volume;
mod downward_env;
mod downward_volume;
mod empty_dir;
mod env_from_config_map;
mod env_from_secret;
mod expansion;
mod projected_volume;
mod secret_volume;
mod sub_path;

use crate::table::Theme;

/// All themes, in upstream's order.
pub(crate) const THEMES: &[Theme] = &[
    command_and_args::THEME,
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
];
