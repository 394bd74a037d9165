//! The kubeconfig of a server on a port: what `kubectl --kubeconfig FILE` needs, for the time that the server listens.
//!
//! The token is in it twice: as the user's, for clients that send it, and in the server's path, since `kubectl` sends a
//! user's token over TLS only. So the file is its user's alone. A file that was not written here is never replaced.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The first line, by which a file is known as one that may be replaced.
const MARK: &str = "# Written by `wasmpod up`, for the time that it runs.\n";

/// A kubeconfig of a server that listens. Dropping it removes the file, unless another server has written its own there.
#[derive(Debug)]
pub struct Kubeconfig {
    path: PathBuf,
    text: String,
}

impl Kubeconfig {
    /// Writes the kubeconfig of a server to `path`, readable by its user only.
    ///
    /// # Errors
    ///
    /// When it cannot be written, and when there is a file that was not written by this function.
    pub fn write(path: &Path, addr: SocketAddr, token: &str) -> io::Result<Self> {
        if !may_replace(path)? {
            let message = "there is a file that wasmpod has not written; name another one";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        }
        let text = text(addr, token);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let unfinished = path.with_file_name(format!(".{name}.{}", uuid::Uuid::new_v4().simple()));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options
            .open(&unfinished)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            // A client sees all of it or nothing.
            .and_then(|()| fs::rename(&unfinished, path));
        if written.is_err() {
            drop(fs::remove_file(&unfinished));
        }
        written?;
        Ok(Self {
            path: path.to_owned(),
            text,
        })
    }
}

impl Drop for Kubeconfig {
    fn drop(&mut self) {
        if fs::read_to_string(&self.path).is_ok_and(|text| text == self.text) {
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Is there nothing, or what was written here before?
fn may_replace(path: &Path) -> io::Result<bool> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    let mut begin = Vec::new();
    let length = u64::try_from(MARK.len()).unwrap_or(u64::MAX);
    file.take(length).read_to_end(&mut begin)?;
    Ok(begin == MARK.as_bytes())
}

fn text(addr: SocketAddr, token: &str) -> String {
    format!(
        "{MARK}\
         apiVersion: v1\n\
         kind: Config\n\
         clusters:\n\
         - name: wasmpod\n\
         \x20 cluster:\n\
         \x20   server: \"http://{addr}/{token}\"\n\
         users:\n\
         - name: wasmpod\n\
         \x20 user:\n\
         \x20   token: \"{token}\"\n\
         contexts:\n\
         - name: wasmpod\n\
         \x20 context:\n\
         \x20   cluster: wasmpod\n\
         \x20   user: wasmpod\n\
         \x20   namespace: default\n\
         current-context: wasmpod\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDR: ([u8; 4], u16) = ([127, 0, 0, 1], 4711);

    #[test]
    fn the_file_names_the_server_and_goes_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config");
        let file = Kubeconfig::write(&path, ADDR.into(), "c0ffee").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("    server: \"http://127.0.0.1:4711/c0ffee\"\n"));
        assert!(text.contains("    token: \"c0ffee\"\n"));
        drop(file);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_its_users_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config");
        let _file = Kubeconfig::write(&path, ADDR.into(), "c0ffee").unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn only_a_file_of_ours_is_replaced_and_only_our_own_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config");
        fs::write(&path, "apiVersion: v1\n").unwrap();
        let refused = Kubeconfig::write(&path, ADDR.into(), "a").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "apiVersion: v1\n");
        fs::remove_file(&path).unwrap();
        let first = Kubeconfig::write(&path, ADDR.into(), "a").unwrap();
        let second = Kubeconfig::write(&path, ADDR.into(), "b").unwrap();
        drop(first);
        assert!(fs::read_to_string(&path).unwrap().contains("/b\""));
        drop(second);
        assert!(!path.exists());
    }
}
