//! Where an API server is reached, and how its clients find it.
//!
//! ```text
//! STATE/run/RUN.lock     held by the process that owns the run (the agent's business)
//! STATE/run/RUN/api      the address as text, there while the server listens, readable by its user only
//! ```
//!
//! A run whose lock is free is over, whatever its folder says. The address of a server on TCP has the token in it
//! that a client must show, so it is never shown in a message: `Debug` leaves it out.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The longest address file, in bytes: a path of the host (4 KiB on Linux) and its scheme. A longer file is no address.
const MAX_ADDRESS_BYTES: u64 = 8 * 1024;

/// Where an API server listens. As text: `unix:/PATH`, or `tcp:IP:PORT?token=TOKEN`.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket that only its user can connect to.
    Unix(PathBuf),
    /// A port of the loopback interface.
    Tcp {
        /// The port.
        addr: SocketAddr,
        /// What every request must show as `Authorization: Bearer`: other users of the machine reach the port too.
        token: String,
    },
}

/// A text that is no [`Address`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no address of a server: it is neither `unix:/PATH` nor `tcp:IP:PORT?token=TOKEN`")]
pub struct ParseAddressError;

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp { addr, token } => write!(f, "tcp:{addr}?token={token}"),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp { addr, .. } => write!(f, "tcp:{addr}?token=…"),
        }
    }
}

impl FromStr for Address {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, ParseAddressError> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            return if path.is_absolute() {
                Ok(Self::Unix(path))
            } else {
                Err(ParseAddressError)
            };
        }
        let rest = text.strip_prefix("tcp:").ok_or(ParseAddressError)?;
        let (addr, token) = rest.split_once("?token=").ok_or(ParseAddressError)?;
        let is_token = !token.is_empty() && token.bytes().all(|b| b.is_ascii_alphanumeric());
        match addr.parse() {
            Ok(addr) if is_token => Ok(Self::Tcp {
                addr,
                token: token.to_owned(),
            }),
            _ => Err(ParseAddressError),
        }
    }
}

/// The name of the address file in the folder of a run.
const FILE: &str = "api";

/// The address file of a server that listens. Dropping it removes the file.
#[derive(Debug)]
pub struct AddressFile(PathBuf);

impl AddressFile {
    /// Tells clients that a server listens at `address`. `run` is the folder of this process's run.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write(run: &Path, address: &Address) -> io::Result<Self> {
        let path = run.join(FILE);
        let unfinished = run.join(".api");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
            .open(&unfinished)?
            .write_all(address.to_string().as_bytes())?;
        // A client sees all of it or nothing.
        fs::rename(&unfinished, &path)?;
        Ok(Self(path))
    }
}

impl Drop for AddressFile {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

/// Every running server of a state directory: the name of its run, and where it listens, in the order of names. A run
/// that is over, or one that another user put there, is left out. A server may still end before it is connected to.
#[must_use]
pub fn discover(state_dir: &Path) -> Vec<(String, Address)> {
    let Ok(entries) = fs::read_dir(state_dir.join("run")) else {
        return Vec::new();
    };
    let mut found: Vec<_> = entries
        .flatten()
        .filter_map(|entry| {
            let run = entry.path();
            let name = entry.file_name().into_string().ok()?;
            is_alive(&run)
                .then(|| read(&run.join(FILE)))?
                .map(|address| (name, address))
        })
        .collect();
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    found
}

/// Whether the process that owns the run lives. Shared, so that two who look do not mistake each other for the owner.
fn is_alive(run: &Path) -> bool {
    let lock = run.with_extension("lock");
    File::open(lock).is_ok_and(|lock| lock.try_lock_shared().is_err())
}

fn read(path: &Path) -> Option<Address> {
    let file = File::open(path).ok()?;
    if !is_ours(&file) {
        return None;
    }
    let mut text = String::new();
    file.take(MAX_ADDRESS_BYTES)
        .read_to_string(&mut text)
        .ok()?;
    text.trim_end().parse().ok()
}

#[cfg(unix)]
fn is_ours(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    let owner = file.metadata().map(|metadata| metadata.uid());
    owner.is_ok_and(|owner| owner == rustix::process::geteuid().as_raw())
}

#[cfg(not(unix))]
fn is_ours(_file: &File) -> bool {
    // The state directory is in the user's profile, which others cannot write to.
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_was_written() {
        let unix = Address::Unix("/run/x y/api".into());
        let tcp = Address::Tcp {
            addr: "127.0.0.1:4711".parse().unwrap(),
            token: "c0ffee".to_owned(),
        };
        for address in [unix, tcp] {
            assert_eq!(address.to_string().parse(), Ok(address));
        }
        for wrong in [
            "",
            "unix:relative",
            "tcp:127.0.0.1:1",
            "tcp:x:1?token=a",
            "tcp:127.0.0.1:1?token=",
            "tcp:127.0.0.1:1?token=a\nb",
        ] {
            assert_eq!(wrong.parse::<Address>(), Err(ParseAddressError), "{wrong}");
        }
    }

    #[test]
    fn a_token_is_not_shown_in_messages() {
        let address: Address = "tcp:127.0.0.1:1?token=secret".parse().unwrap();
        assert!(!format!("{address:?}").contains("secret"));
    }

    #[test]
    fn servers_are_found_while_their_process_lives_and_listens() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(discover(state.path()), []);
        let runs = state.path().join("run");
        let lock_of = |name: &str| {
            fs::create_dir_all(runs.join(name)).unwrap();
            let lock = File::create(runs.join(format!("{name}.lock"))).unwrap();
            lock.lock().unwrap();
            lock
        };
        let address = Address::Unix("/a".into());
        let (living, dead, silent) = (lock_of("10"), lock_of("20"), lock_of("30"));
        let file = AddressFile::write(&runs.join("10"), &address).unwrap();
        let _dead = AddressFile::write(&runs.join("20"), &address).unwrap();
        drop(dead);

        assert_eq!(discover(state.path()), [("10".to_owned(), address)]);
        drop(file);
        assert_eq!(discover(state.path()), []);
        drop((living, silent));
    }

    #[cfg(unix)]
    #[test]
    fn an_address_file_is_its_users_alone() {
        use std::os::unix::fs::PermissionsExt;
        let run = tempfile::tempdir().unwrap();
        let _file = AddressFile::write(run.path(), &Address::Unix("/a".into())).unwrap();
        let mode = fs::metadata(run.path().join(FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
