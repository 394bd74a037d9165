//! The themes, as upstream's list groups them: one module each, its rows first, then how each is played.

mod command_and_args;

use crate::table::Theme;

/// All themes, in upstream's order.
pub(crate) const THEMES: &[Theme] = &[command_and_args::THEME];
