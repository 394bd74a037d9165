//! Paths as the guest sees them: absolute, and cleaned without asking any file system.

use std::fmt;
use std::path::PathBuf;

/// An absolute path without `.`, `..`, doubled slashes or a slash at the end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct GuestPath(Vec<String>);

impl GuestPath {
    /// Cleans a path as the kubelet does (Go's `filepath.Clean`): a relative one starts at `/`,
    /// and `..` does not go above it. `None` if it holds a NUL byte, which no host takes.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        if path.contains('\0') {
            return None;
        }
        let mut components: Vec<String> = Vec::new();
        for component in path.split('/') {
            match component {
                "" | "." => {}
                ".." => {
                    components.pop();
                }
                name => components.push(name.to_owned()),
            }
        }
        Some(Self(components))
    }

    pub(crate) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// How many names the path has: an outer mount has fewer than one inside it.
    pub(crate) fn depth(&self) -> usize {
        self.0.len()
    }

    /// The rest of this path below `outer`, if it lies there or is the same.
    pub(crate) fn below(&self, outer: &Self) -> Option<PathBuf> {
        self.0
            .strip_prefix(outer.0.as_slice())
            .map(|rest| rest.iter().collect())
    }

    /// The path within the directory that the guest sees as `/`.
    pub(crate) fn in_root(&self) -> PathBuf {
        self.0.iter().collect()
    }

    /// The directory that this lies in; `None` for the root.
    pub(crate) fn parent(&self) -> Option<Self> {
        self.0.split_last().map(|(_, parent)| Self(parent.to_vec()))
    }
}

impl fmt::Display for GuestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("/");
        }
        self.0.iter().try_for_each(|name| write!(f, "/{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_as_the_kubelet_does() {
        let cases = [
            ("/a/b", "/a/b"),
            ("a//b/", "/a/b"),
            ("/a/./b/../c", "/a/c"),
            ("/../../etc", "/etc"),
            ("", "/"),
            ("/a/..", "/"),
        ];
        for (text, clean) in cases {
            assert_eq!(GuestPath::parse(text).unwrap().to_string(), clean, "{text}");
        }
        assert_eq!(GuestPath::parse("/a\0b"), None);
    }

    #[test]
    fn a_path_is_below_another_by_whole_names() {
        let path = |text| GuestPath::parse(text).unwrap();
        assert_eq!(
            path("/data/in/x").below(&path("/data")),
            Some("in/x".into())
        );
        assert_eq!(path("/data").below(&path("/data")), Some("".into()));
        assert_eq!(path("/database").below(&path("/data")), None);
    }
}
