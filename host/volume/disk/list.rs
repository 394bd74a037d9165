//! The files of a small tree of our own making: the keys of a volume.

use std::path::PathBuf;

use cap_std::fs::Metadata;

use super::HostDir;
use crate::VolumeError;

impl HostDir {
    /// All files below, by their relative paths, in no order. For trees that only we write.
    pub(crate) fn files(&self) -> Result<Vec<(PathBuf, Metadata)>, VolumeError> {
        let mut files = Vec::new();
        let mut pending = vec![PathBuf::new()];
        while let Some(relative) = pending.pop() {
            let at = |source| self.error("list", &relative, source);
            let entries = if relative.as_os_str().is_empty() {
                self.dir().entries()
            } else {
                self.dir().read_dir(&relative)
            };
            for entry in entries.map_err(at)? {
                let entry = entry.map_err(at)?;
                let found = entry.metadata().map_err(at)?;
                let path = relative.join(entry.file_name());
                if found.is_dir() {
                    pending.push(path);
                } else if found.is_file() {
                    files.push((path, found));
                }
            }
        }
        Ok(files)
    }
}
