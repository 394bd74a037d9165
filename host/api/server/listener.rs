//! Where the server listens: a Unix socket that only its user can reach, or a loopback port with a token.
//!
//! A socket is guarded three times: its folder is closed to others, so is the socket, and who connects is asked for
//! (`SO_PEERCRED`). Where there are no Unix sockets, other users of the machine reach the port, so every request must
//! show the token that stands in the address file.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

use crate::Address;

/// The name of the socket's folder in the folder of a run.
#[cfg(unix)]
const FOLDER: &str = "socket";

/// The name of the socket in its folder.
#[cfg(unix)]
const SOCKET: &str = "api";

/// The longest path of a socket, in bytes: `sockaddr_un` has 104 bytes on BSD and macOS (108 on Linux), the last for
/// the end. A longer one gets a folder elsewhere.
#[cfg(unix)]
const MAX_SOCKET_PATH_BYTES: usize = 103;

/// A socket on which a server can listen. Dropping it removes it.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    address: Address,
    /// The folder that was made for the socket.
    folder: Option<PathBuf>,
}

#[derive(Debug)]
enum Socket {
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener),
    Tcp(std::net::TcpListener),
}

/// Why a server cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for clients: {verb} `{place}`")]
pub struct ListenError {
    verb: &'static str,
    place: String,
    source: io::Error,
}

impl Listener {
    /// A socket in the folder of this process's run, or a port where there are no Unix sockets.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn bind(run: &Path) -> Result<Self, ListenError> {
        #[cfg(unix)]
        return Self::unix(run);
        #[cfg(not(unix))]
        {
            let _ = run;
            Self::tcp(SocketAddr::from(([127, 0, 0, 1], 0)))
        }
    }

    /// A port of the loopback interface (0: one that the system picks), and a random token.
    ///
    /// # Errors
    ///
    /// When it cannot be had, and for an address that other machines reach: there is no TLS here.
    pub fn tcp(addr: SocketAddr) -> Result<Self, ListenError> {
        let failed = |source| ListenError {
            verb: "bind",
            place: addr.to_string(),
            source,
        };
        if !addr.ip().is_loopback() {
            let message = "it is no address of the loopback interface, such as 127.0.0.1 or [::1]";
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, message)));
        }
        let listener = std::net::TcpListener::bind(addr).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        // 244 random bits of the system's source.
        let token = format!(
            "{}{}",
            uuid::Uuid::new_v4().simple(),
            uuid::Uuid::new_v4().simple()
        );
        Ok(Self {
            socket: Socket::Tcp(listener),
            address: Address::Tcp { addr, token },
            folder: None,
        })
    }

    /// Where it is reached.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    #[cfg(unix)]
    fn unix(run: &Path) -> Result<Self, ListenError> {
        use std::os::unix::ffi::OsStrExt;
        use std::os::unix::fs::PermissionsExt;
        use std::os::unix::net::UnixListener;

        let failed = |verb, path: &Path| {
            let place = path.display().to_string();
            move |source| ListenError {
                verb,
                place,
                source,
            }
        };
        let run = std::path::absolute(run).map_err(failed("find", run))?;
        let mut folder = run.join(FOLDER);
        if folder.join(SOCKET).as_os_str().as_bytes().len() > MAX_SOCKET_PATH_BYTES {
            folder = elsewhere::folder();
        }
        make_private(&folder).map_err(failed("create", &folder))?;
        let path = folder.join(SOCKET);
        // From here on dropping it removes the folder.
        let guard = FolderGuard(Some(folder));
        let listener = UnixListener::bind(&path).map_err(failed("bind", &path))?;
        listener
            .set_nonblocking(true)
            .map_err(failed("bind", &path))?;
        let closed = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, closed).map_err(failed("close to others", &path))?;
        Ok(Self {
            socket: Socket::Unix(listener),
            address: Address::Unix(path),
            folder: guard.keep(),
        })
    }

    /// The same, ready for the runtime in whose context this is called.
    pub(super) fn start(&self) -> io::Result<Accepting> {
        Ok(match &self.socket {
            #[cfg(unix)]
            Socket::Unix(listener) => {
                Accepting::Unix(UnixListener::from_std(listener.try_clone()?)?)
            }
            Socket::Tcp(listener) => Accepting::Tcp(TcpListener::from_std(listener.try_clone()?)?),
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        drop(FolderGuard(self.folder.take()));
    }
}

/// Removes the socket's folder unless it is kept.
struct FolderGuard(Option<PathBuf>);

impl FolderGuard {
    #[cfg(unix)]
    fn keep(mut self) -> Option<PathBuf> {
        self.0.take()
    }
}

impl Drop for FolderGuard {
    fn drop(&mut self) {
        if let Some(folder) = &self.0 {
            // What stays behind is found by the next host.
            drop(std::fs::remove_dir_all(folder));
        }
    }
}

/// Makes a folder that only its user can enter. It must not be there.
#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(folder)
}

/// Folders for sockets whose own path would be too long.
#[cfg(unix)]
mod elsewhere {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::net::UnixStream;
    use std::path::{Path, PathBuf};

    const PREFIX: &str = "wasmpod-";

    /// A short path of a folder that is not there, in the user's own folder of temporary things if there is one.
    pub(super) fn folder() -> PathBuf {
        let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let own = own.filter(|dir| dir.is_absolute() && dir.is_dir() && dir.as_os_str().len() < 64);
        let parent = own.unwrap_or_else(|| PathBuf::from("/tmp"));
        remove_abandoned(&parent);
        let random: String = uuid::Uuid::new_v4()
            .simple()
            .to_string()
            .chars()
            .take(16)
            .collect();
        parent.join(format!("{PREFIX}{random}"))
    }

    /// Removes what killed processes of this user left there: nobody listens behind it.
    fn remove_abandoned(parent: &Path) {
        let Ok(entries) = std::fs::read_dir(parent) else {
            return;
        };
        let us = rustix::process::geteuid().as_raw();
        for entry in entries.flatten() {
            let is_named = entry.file_name().to_string_lossy().starts_with(PREFIX);
            let is_ours = entry
                .metadata()
                .is_ok_and(|found| found.is_dir() && found.uid() == us);
            if !is_named || !is_ours {
                continue;
            }
            let socket = entry.path().join(super::SOCKET);
            let refused = UnixStream::connect(&socket).err();
            // One that is being made has no socket yet, so that only a dead socket tells of a dead process.
            if refused.is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused) {
                drop(std::fs::remove_dir_all(entry.path()));
            }
        }
    }
}

/// A listener at work.
pub(super) enum Accepting {
    #[cfg(unix)]
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// A connection of either kind.
pub(super) enum Accepted {
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
    Tcp(tokio::net::TcpStream),
}

impl Accepting {
    /// The next connection of somebody who may connect.
    pub(super) async fn accept(&self) -> io::Result<Accepted> {
        loop {
            match self {
                #[cfg(unix)]
                Self::Unix(listener) => {
                    let (stream, _) = listener.accept().await?;
                    let us = rustix::process::geteuid().as_raw();
                    // The superuser could read all of it anyway.
                    if stream
                        .peer_cred()
                        .is_ok_and(|peer| [us, 0].contains(&peer.uid()))
                    {
                        return Ok(Accepted::Unix(stream));
                    }
                }
                Self::Tcp(listener) => return Ok(Accepted::Tcp(listener.accept().await?.0)),
            }
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn socket(listener: &Listener) -> PathBuf {
        match listener.address() {
            Address::Unix(path) => path.clone(),
            Address::Tcp { .. } => panic!("a port"),
        }
    }

    #[test]
    fn a_socket_is_its_users_alone_and_goes_with_its_listener() {
        let run = tempfile::tempdir().unwrap();
        let listener = Listener::bind(run.path()).unwrap();
        let path = socket(&listener);
        assert_eq!((mode(path.parent().unwrap()), mode(&path)), (0o700, 0o600));
        assert!(path.starts_with(run.path()));
        drop(listener);
        assert_eq!(std::fs::read_dir(run.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_long_path_gets_a_short_folder_elsewhere() {
        let state = tempfile::tempdir().unwrap();
        let run = state.path().join("x".repeat(120));
        std::fs::create_dir(&run).unwrap();
        let listener = Listener::bind(&run).unwrap();
        let path = socket(&listener);
        assert!(!path.starts_with(&run));
        assert_eq!((mode(path.parent().unwrap()), mode(&path)), (0o700, 0o600));
        assert!(std::os::unix::net::UnixStream::connect(&path).is_ok());
        drop(listener);
        assert!(!path.parent().unwrap().exists());
    }
}
