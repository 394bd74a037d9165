//! The directory in which a host keeps its pods' files, and how nothing stays behind in it.
//!
//! ```text
//! STATE/run/RUN.lock         held by the process that owns this run, freed by the system when it dies
//! STATE/run/RUN/pods/UID/    one pod: volumes, containers' roots (the sandbox's business)
//! STATE/run/RUN/logs/        the pods' logs (the sandbox's too)
//! STATE/run/RUN/volumes/     the files of claims that go with their pod (`ephemeral` volumes)
//! STATE/volumes/NAMESPACE/CLAIM/   the files of a claim; they stay, and are all processes' (see `claims`)
//! ```
//!
//! A run's folder vanishes when its host ends. One whose process was killed is found by the next host: its lock can
//! be taken, so it is removed. The lock is taken before the folder is made, so that no half-made run looks abandoned.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

const LOCK: &str = "lock";
const PODS: &str = "pods";
const LOGS: &str = "logs";
const VOLUMES: &str = "volumes";

/// This process's own part of the state directory. [`StateDir::release`] removes it; dropping it does so silently.
#[derive(Debug)]
pub struct StateDir {
    run: PathBuf,
    lock: Option<File>,
}

/// A state directory that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the state directory: {verb} `{path}`", path = path.display())]
pub struct StateDirError {
    verb: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl StateDirError {
    /// What is likely to help.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self.source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Some("choose a folder that you may write to with --state-dir".to_owned())
            }
            io::ErrorKind::StorageFull => {
                Some("free some space, or choose another disk with --state-dir".to_owned())
            }
            _ => None,
        }
    }
}

impl StateDir {
    /// Makes this process's part under `state`, after removing what dead processes left there.
    ///
    /// # Errors
    ///
    /// When a folder or the lock cannot be made.
    pub fn acquire(state: &Path) -> Result<Self, StateDirError> {
        let failed = |verb, path: &Path| {
            let path = path.to_owned();
            move |source| StateDirError { verb, path, source }
        };
        let runs = state.join("run");
        fs::create_dir_all(&runs).map_err(failed("create", &runs))?;
        remove_abandoned(&runs);
        for number in 0..MAX_SAME_PID {
            // A process id comes back, and lives twice where containers share the folder.
            let name = match number {
                0 => std::process::id().to_string(),
                _ => format!("{}-{number}", std::process::id()),
            };
            let run = runs.join(name);
            let path = run.with_extension(LOCK);
            let lock = match OpenOptions::new().create_new(true).write(true).open(&path) {
                Ok(lock) => lock,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(failed("create", &path)(error)),
            };
            // Another host that cleans up may have seen the file before it was locked, and removed it.
            if lock.try_lock().is_err() || !path.exists() {
                continue;
            }
            for folder in [run.clone(), run.join(PODS), run.join(LOGS)] {
                fs::create_dir(&folder).map_err(failed("create", &folder))?;
            }
            return Ok(Self {
                run,
                lock: Some(lock),
            });
        }
        Err(failed("create", &runs)(io::ErrorKind::AlreadyExists.into()))
    }

    /// The folder of this run. It exists.
    #[must_use]
    pub fn run(&self) -> &Path {
        &self.run
    }

    /// The folder in which each pod has its own. It exists.
    #[must_use]
    pub fn pods(&self) -> PathBuf {
        self.run.join(PODS)
    }

    /// The folder of the pods' logs. It exists.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.run.join(LOGS)
    }

    /// The folder of the claims' files, with one folder for each namespace. It need not exist.
    #[must_use]
    pub fn volumes(&self) -> PathBuf {
        let state = self.run.parent().and_then(Path::parent);
        state.unwrap_or(&self.run).join(VOLUMES)
    }

    /// The folder of the files of claims that go with their pod, as [`volumes`](Self::volumes).
    #[must_use]
    pub fn ephemeral(&self) -> PathBuf {
        self.run.join(VOLUMES)
    }

    /// Removes this process's part and all that is still in it.
    ///
    /// # Errors
    ///
    /// When something in it cannot be removed.
    pub fn release(mut self) -> Result<(), StateDirError> {
        self.remove().map_err(|source| StateDirError {
            verb: "remove",
            path: self.run.clone(),
            source,
        })
    }

    fn remove(&mut self) -> io::Result<()> {
        let Some(lock) = self.lock.take() else {
            return Ok(());
        };
        fs::remove_dir_all(&self.run)?;
        // Windows removes no open file; elsewhere the lock is held until its name is gone.
        if cfg!(windows) {
            drop(lock);
        }
        fs::remove_file(self.run.with_extension(LOCK))
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        // Whoever wants to know why it failed calls `release`; the next host tries again.
        drop(self.remove());
    }
}

/// How many hosts may run under one process id: more than one only in containers that share the folder.
const MAX_SAME_PID: usize = 10_000;

fn remove_abandoned(runs: &Path) {
    let Ok(entries) = fs::read_dir(runs) else {
        return;
    };
    let locks = entries.flatten().map(|entry| entry.path());
    for path in locks.filter(|path| path.extension().is_some_and(|ending| ending == LOCK)) {
        let Ok(lock) = File::open(&path) else {
            continue;
        };
        if lock.try_lock().is_ok() {
            // The lock goes last: when the folder does not go, the next host tries again.
            let folder = path.with_extension("");
            if !folder.exists() || fs::remove_dir_all(&folder).is_ok() {
                drop(fs::remove_file(&path));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stays_behind() {
        let state = tempfile::tempdir().unwrap();
        let dir = StateDir::acquire(state.path()).unwrap();
        fs::create_dir_all(dir.pods().join("uid")).unwrap();
        dir.release().unwrap();
        assert_eq!(fs::read_dir(state.path().join("run")).unwrap().count(), 0);
    }

    #[test]
    fn what_a_dead_process_left_is_removed_and_what_a_living_one_has_is_not() {
        let state = tempfile::tempdir().unwrap();
        let living = StateDir::acquire(state.path()).unwrap();
        let dead = state.path().join("run/4000000");
        fs::create_dir_all(dead.join("pods/uid")).unwrap();
        fs::write(dead.with_extension(LOCK), "").unwrap();

        let second = StateDir::acquire(state.path()).unwrap();
        assert!(!dead.exists());
        assert!(living.run.exists());
        assert_ne!(living.run, second.run);
    }

    #[test]
    fn a_state_directory_that_cannot_be_made_says_where_and_why() {
        let state = tempfile::tempdir().unwrap();
        let file = state.path().join("file");
        fs::write(&file, "").unwrap();
        let error = StateDir::acquire(&file).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot use the state directory: create `"),
            "{error}"
        );
    }
}
