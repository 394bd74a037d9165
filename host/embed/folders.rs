//! Where a host keeps its files when nobody says.
//!
//! Follows the XDG Base Directory specification, and the platform's own places on Windows.

use std::env;
use std::path::PathBuf;

/// Where a host keeps the state of running pods when nobody says; nothing when this user has no place for it.
#[must_use]
pub fn state_dir() -> Option<PathBuf> {
    place("XDG_STATE_HOME", ".local/state").map(|dir| dir.join("wasmpod"))
}

/// The folder of compiled code, which outlives every host.
pub(crate) fn code() -> Option<PathBuf> {
    if let Some(dir) = env::var_os("WASMPOD_CODE_DIR").filter(|dir| !dir.is_empty()) {
        return Some(dir.into());
    }
    place("XDG_CACHE_HOME", ".cache").map(|dir| dir.join("wasmpod").join("code"))
}

fn place(variable: &str, under_home: &str) -> Option<PathBuf> {
    // A relative path is to be ignored, says the specification.
    let said = env::var_os(variable)
        .map(PathBuf::from)
        .filter(|dir| dir.is_absolute());
    said.or_else(|| {
        if cfg!(windows) {
            env::var_os("LOCALAPPDATA").map(PathBuf::from)
        } else {
            None
        }
    })
    .or_else(|| {
        env::home_dir()
            .filter(|dir| dir.is_absolute())
            .map(|home| home.join(under_home))
    })
}
