//! Pathname expansion (XCU 2.14.3).

use super::pattern;
use std::path::Path;

/// The paths that match, sorted; none when nothing matches. `cwd` is where a relative pattern starts.
pub fn expand(cwd: &Path, glob: &str) -> Vec<String> {
    let mut found = vec![if glob.starts_with('/') {
        "/".to_owned()
    } else {
        String::new()
    }];
    let mut components = glob
        .split('/')
        .filter(|component| !component.is_empty())
        .peekable();
    while let Some(component) = components.next() {
        let last = components.peek().is_none();
        found = found
            .iter()
            .flat_map(|base| step(cwd, base, component, last))
            .collect();
    }
    found.sort();
    if glob.ends_with('/') {
        found.iter_mut().for_each(|path| path.push('/'));
    }
    found
}

fn step(cwd: &Path, base: &str, component: &str, last: bool) -> Vec<String> {
    let join = |name: &str| {
        if base.is_empty() || base.ends_with('/') {
            format!("{base}{name}")
        } else {
            format!("{base}/{name}")
        }
    };
    if !component.contains(['*', '?', '[']) {
        let plain = join(&component.replace('\\', ""));
        return if cwd.join(&plain).symlink_metadata().is_ok() {
            vec![plain]
        } else {
            Vec::new()
        };
    }
    let Ok(entries) = cwd.join(base).read_dir() else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| {
            last || cwd
                .join(join(&entry.file_name().to_string_lossy()))
                .is_dir()
        })
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| component.starts_with('.') || !name.starts_with('.'))
        .filter(|name| pattern::matches(component, name))
        .map(|name| join(&name))
        .collect()
}
