//! The port space of a pod for one protocol: who holds which address.
//!
//! Rules are those of Linux `bind(2)`: two sockets of one family conflict on a port when their addresses are equal or one
//! is the wildcard. There is no TIME_WAIT: a port is free the moment its socket is closed, which is what the `SO_REUSEADDR`
//! that `wasi:sockets` implies is for. An accepted connection does not hold its listener's port. This table knows nothing
//! of what a port leads to: `T` is the protocol's own endpoint.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::address::AddressFamily;
use crate::limits::EPHEMERAL_PORTS;

/// Who holds an address, and what is there.
#[derive(Debug)]
struct Binding<T> {
    id: u64,
    ip: IpAddr,
    container: Arc<str>,
    endpoint: Option<T>,
}

/// Why an address could not be bound.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BindError {
    InUse { held_by: Arc<str> },
    NoEphemeralPort,
}

/// The table. An id names one binding and is given by the caller.
#[derive(Debug)]
pub(crate) struct PortTable<T> {
    ports: HashMap<(AddressFamily, u16), Vec<Binding<T>>>,
    next_ephemeral: u16,
}

impl<T> Default for PortTable<T> {
    fn default() -> Self {
        Self {
            ports: HashMap::new(),
            next_ephemeral: *EPHEMERAL_PORTS.start(),
        }
    }
}

impl<T> PortTable<T> {
    /// Binds `address` and returns the port, which is another than asked for only when 0 was asked.
    pub(crate) fn bind(
        &mut self,
        id: u64,
        container: &Arc<str>,
        address: SocketAddr,
    ) -> Result<u16, BindError> {
        let ip = address.ip();
        let port = match address.port() {
            0 => self.free_port(ip).ok_or(BindError::NoEphemeralPort)?,
            port => match self.conflict(ip, port) {
                Some(held_by) => return Err(BindError::InUse { held_by }),
                None => port,
            },
        };
        let binding = Binding {
            id,
            ip,
            container: Arc::clone(container),
            endpoint: None,
        };
        self.ports
            .entry((AddressFamily::of(ip), port))
            .or_default()
            .push(binding);
        Ok(port)
    }

    /// Says what is reached at a binding.
    pub(crate) fn set_endpoint(&mut self, id: u64, address: SocketAddr, endpoint: Option<T>) {
        let key = (AddressFamily::of(address.ip()), address.port());
        if let Some(binding) = self
            .ports
            .get_mut(&key)
            .and_then(|all| all.iter_mut().find(|one| one.id == id))
        {
            binding.endpoint = endpoint;
        }
    }

    /// Frees a binding.
    pub(crate) fn release(&mut self, id: u64, address: SocketAddr) {
        let key = (AddressFamily::of(address.ip()), address.port());
        if let Some(all) = self.ports.get_mut(&key) {
            all.retain(|one| one.id != id);
            if all.is_empty() {
                self.ports.remove(&key);
            }
        }
    }

    /// What is reached at an address: the binding of exactly this address, else that of the wildcard.
    pub(crate) fn lookup(&self, address: SocketAddr) -> Option<&T> {
        let all = self
            .ports
            .get(&(AddressFamily::of(address.ip()), address.port()))?;
        let exact = all.iter().find(|one| one.ip == address.ip());
        exact
            .or_else(|| all.iter().find(|one| one.ip.is_unspecified()))?
            .endpoint
            .as_ref()
    }

    fn conflict(&self, ip: IpAddr, port: u16) -> Option<Arc<str>> {
        let all = self.ports.get(&(AddressFamily::of(ip), port))?;
        let clash = all
            .iter()
            .find(|one| one.ip == ip || one.ip.is_unspecified() || ip.is_unspecified());
        clash.map(|one| Arc::clone(&one.container))
    }

    /// The next port of the ephemeral range that is free at `ip`; goes round, so that a port is not reused at once.
    fn free_port(&mut self, ip: IpAddr) -> Option<u16> {
        for _ in EPHEMERAL_PORTS {
            let port = self.next_ephemeral;
            self.next_ephemeral = if port >= *EPHEMERAL_PORTS.end() {
                *EPHEMERAL_PORTS.start()
            } else {
                port.saturating_add(1)
            };
            if self.conflict(ip, port).is_none() {
                return Some(port);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Arc<str> {
        Arc::from(name)
    }

    #[test]
    fn addresses_conflict_as_on_linux() {
        for (first, second, conflict) in [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("0.0.0.0:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "0.0.0.0:80", true),
            ("10.244.0.7:80", "0.0.0.0:80", true),
            ("0.0.0.0:80", "0.0.0.0:80", true),
            ("127.0.0.1:80", "127.0.0.2:80", false),
            ("127.0.0.1:80", "10.244.0.7:80", false),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("0.0.0.0:80", "[::]:80", false),
            ("127.0.0.1:80", "[::1]:80", false),
            ("[::]:80", "[::1]:80", true),
        ] {
            let mut table = PortTable::<()>::default();
            table.bind(1, &name("a"), first.parse().unwrap()).unwrap();
            let second_result = table.bind(2, &name("b"), second.parse().unwrap());
            let expected = if conflict {
                Err(BindError::InUse { held_by: name("a") })
            } else {
                Ok(())
            };
            assert_eq!(second_result.map(drop), expected, "{first} then {second}");
        }
    }

    #[test]
    fn a_released_port_can_be_bound_again() {
        let mut table = PortTable::<()>::default();
        let address = "0.0.0.0:80".parse().unwrap();
        table.bind(1, &name("a"), address).unwrap();
        table.release(1, address);
        assert_eq!(table.bind(2, &name("b"), address), Ok(80));
        table.release(2, address);
        assert!(table.ports.is_empty());
    }

    #[test]
    fn the_exact_address_is_found_before_the_wildcard() {
        let mut table = PortTable::default();
        let [one, two] = ["127.0.0.1:80", "127.0.0.2:80"].map(|address| address.parse().unwrap());
        table.bind(1, &name("a"), one).unwrap();
        table.bind(2, &name("b"), two).unwrap();
        table.set_endpoint(1, one, Some("one"));
        table.set_endpoint(2, two, Some("two"));
        assert_eq!(table.lookup(two), Some(&"two"));
        assert_eq!(table.lookup("127.0.0.3:80".parse().unwrap()), None);
        table
            .bind(3, &name("c"), "0.0.0.0:81".parse().unwrap())
            .unwrap();
        table.set_endpoint(3, "0.0.0.0:81".parse().unwrap(), Some("any"));
        assert_eq!(table.lookup("10.0.0.1:81".parse().unwrap()), Some(&"any"));
    }

    #[test]
    fn port_0_gives_each_socket_its_own_ephemeral_port_until_none_is_left() {
        let mut table = PortTable::<()>::default();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let mut seen = std::collections::HashSet::new();
        for id in 0..EPHEMERAL_PORTS.len() as u64 {
            let port = table.bind(id, &name("a"), any).unwrap();
            assert!(EPHEMERAL_PORTS.contains(&port) && seen.insert(port));
        }
        assert_eq!(
            table.bind(u64::MAX, &name("a"), any),
            Err(BindError::NoEphemeralPort)
        );
        assert!(
            table
                .bind(u64::MAX, &name("a"), "127.0.0.2:0".parse().unwrap())
                .is_ok()
        );
    }
}
