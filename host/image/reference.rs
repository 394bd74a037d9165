//! Image references: `[registry/]repository[:tag][@digest]`, after the grammar of the distribution project's
//! reference package, which container engines share; and the file paths that wasmpod takes in their place.

/// What an image's name points at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reference<'a> {
    /// A file on this host, as written.
    Path(&'a str),
    /// An image by name.
    Named(Named<'a>),
}

/// The parts of an image name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named<'a> {
    /// Registry and repository, without what Docker Hub's names leave out: `nginx`, `registry.k8s.io/busybox`.
    pub(crate) repository: &'a str,
    /// Has it a digest?
    pub(crate) is_pinned: bool,
}

/// Reads a reference; an error says what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Reference<'_>, &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.contains('\0') {
        return Err("it holds a NUL byte");
    }
    if is_path(text) {
        return Ok(Reference::Path(
            text.strip_prefix("file://").unwrap_or(text),
        ));
    }
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (text, None),
    };
    if let Some(digest) = digest {
        let well_formed = digest.split_once(':').is_some_and(|(algorithm, hex)| {
            !algorithm.is_empty()
                && hex.len() >= 32
                && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        if !well_formed {
            return Err("what follows the @ is no digest");
        }
    }
    // A colon after the last slash begins the tag; before it, a registry's port.
    let path_start = name.rfind('/').map_or(0, |slash| slash + 1);
    let (repository, tag) = match name[path_start..].find(':') {
        Some(colon) => (
            &name[..path_start + colon],
            Some(&name[path_start + colon + 1..]),
        ),
        None => (name, None),
    };
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return Err(
            "a tag has 1 to 128 letters, digits, _, . and -, and starts with none of the last two",
        );
    }
    let has_registry = repository
        .split_once('/')
        .is_some_and(|(first, _)| first.contains(['.', ':']) || first == "localhost");
    let path = match repository.split_once('/') {
        Some((_, path)) if has_registry => path,
        _ => repository,
    };
    if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err("repository name must be lowercase");
    }
    if !path.split('/').all(is_path_component) {
        return Err(
            "a repository's parts are lower-case letters and digits, with single . _ - between them",
        );
    }
    let short = [
        "docker.io/library/",
        "index.docker.io/library/",
        "docker.io/",
        "library/",
    ]
    .iter()
    .find_map(|prefix| repository.strip_prefix(prefix));
    Ok(Reference::Named(Named {
        repository: short.unwrap_or(repository),
        is_pinned: digest.is_some(),
    }))
}

fn is_path(text: &str) -> bool {
    let has_drive =
        matches!(text.as_bytes(), [drive, b':', b'/' | b'\\', ..] if drive.is_ascii_alphabetic());
    has_drive
        || ["./", "../", "/", ".\\", "..\\", "file://"]
            .iter()
            .any(|start| text.starts_with(start))
        || [".wasm", ".wat"].iter().any(|end| text.ends_with(end))
}

fn is_tag(tag: &str) -> bool {
    (1..=128).contains(&tag.len())
        && !tag.starts_with(['.', '-'])
        && tag
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

fn is_path_component(part: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    edge(part.as_bytes().first())
        && edge(part.as_bytes().last())
        && part
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
        && !part.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> (&str, bool) {
        match parse(text) {
            Ok(Reference::Named(named)) => (named.repository, named.is_pinned),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn names_lose_tag_digest_and_what_docker_hub_implies() {
        let digest = format!("nginx@sha256:{}", "a".repeat(64));
        let cases = [
            ("nginx", ("nginx", false)),
            ("nginx:alpine", ("nginx", false)),
            ("docker.io/library/nginx:1.27", ("nginx", false)),
            ("library/nginx", ("nginx", false)),
            ("docker.io/training/webapp", ("training/webapp", false)),
            (
                "registry.k8s.io/busybox:1.27.2",
                ("registry.k8s.io/busybox", false),
            ),
            ("localhost:5000/web:v1", ("localhost:5000/web", false)),
            (&digest, ("nginx", true)),
        ];
        for (text, expected) in cases {
            assert_eq!(named(text), expected, "{text}");
        }
    }

    #[test]
    fn paths_are_told_from_names() {
        for text in [
            "./web",
            "../a/web.wasm",
            "/opt/web",
            "web.wasm",
            "dir/web.wasm",
            "C:\\web.wasm",
        ] {
            assert_eq!(parse(text), Ok(Reference::Path(text)), "{text}");
        }
        assert_eq!(
            parse("file:///opt/web.wasm"),
            Ok(Reference::Path("/opt/web.wasm"))
        );
    }

    #[test]
    fn malformed_names_are_refused() {
        for text in [
            "",
            "Nginx",
            "nginx:",
            "nginx:a b",
            "a//b",
            "nginx@sha256",
            "-nginx",
            "a..b",
            "no\0pe",
            "ngi nx",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
