//! From the FILE arguments to the texts of manifests.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use wasmpod::{MAX_MANIFEST_BYTES, Source};

/// The argument that stands for standard input.
const STDIN: &str = "-";

/// The endings of the files that count as manifests in a folder, as `kubectl apply -f` has it.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// Reads all that the arguments name, in their order; of a folder in the order of the files' names.
pub(crate) fn read(files: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    let mut texts = Vec::new();
    let mut stdin_seen = false;
    for file in files {
        if file.as_os_str() == STDIN {
            if std::mem::replace(&mut stdin_seen, true) {
                bail!("standard input (-) was given twice");
            }
            texts.push(Source::new(
                "<stdin>",
                read_bounded(io::stdin().lock(), "standard input")?,
            ));
        } else if file.is_dir() {
            for entry in manifests_of(file)? {
                texts.push(read_file(&entry)?);
            }
        } else {
            texts.push(read_file(file)?);
        }
    }
    Ok(texts)
}

fn manifests_of(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let context = || format!("cannot read the folder `{}`", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(context)? {
        let path = entry.with_context(context)?.path();
        let is_manifest = path
            .extension()
            .and_then(|ending| ending.to_str())
            .is_some_and(|ending| ENDINGS.contains(&ending));
        if is_manifest && path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!(
            "the folder `{}` holds no .yaml, .yml or .json file",
            folder.display()
        );
    }
    files.sort();
    Ok(files)
}

fn read_file(path: &Path) -> anyhow::Result<Source> {
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| format!("cannot read `{name}`"))?;
    Ok(Source::new(name.clone(), read_bounded(file, &name)?))
}

/// Reads one byte more than a manifest may have at most: whoever checks the size sees that it is too large, and
/// a hundred megabytes are never in memory.
fn read_bounded(from: impl Read, name: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_MANIFEST_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read `{name}`"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_for_its_manifests_in_order() {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("b.yml", "b"),
            ("a.yaml", "a"),
            ("c.json", "c"),
            ("README.md", "no"),
        ] {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let sources = read(&[dir.path().to_owned()]).unwrap();
        let texts: Vec<_> = sources
            .iter()
            .map(|source| source.text.as_slice())
            .collect();
        assert_eq!(texts, [b"a", b"b", b"c"]);
    }

    #[test]
    fn a_folder_without_manifests_and_a_missing_file_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(&[dir.path().to_owned()]).is_err());
        let error = read(&[dir.path().join("pod.yaml")]).err().unwrap();
        assert!(format!("{error:#}").contains("pod.yaml"), "{error:#}");
    }
}
