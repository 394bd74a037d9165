//! The ports of well-known services, for lookups that name one: a container has no `/etc/services`.
//!
//! Source: IANA Service Name and Transport Protocol Port Number Registry (RFC 6335); the few that programs ask for.

const SERVICES: [(&str, u16); 18] = [
    ("domain", 53),
    ("echo", 7),
    ("ftp", 21),
    ("http", 80),
    ("http-alt", 8080),
    ("https", 443),
    ("imap", 143),
    ("imaps", 993),
    ("ldap", 389),
    ("mqtt", 1883),
    ("mysql", 3306),
    ("ntp", 123),
    ("pop3", 110),
    ("postgresql", 5432),
    ("redis", 6379),
    ("smtp", 25),
    ("ssh", 22),
    ("telnet", 23),
];

/// The port of a service: a number, or a name; nothing is port 0.
pub(super) fn port(service: &str, numbers_only: bool) -> Option<u16> {
    if service.is_empty() {
        return Some(0);
    }
    let named = || {
        let mut services = SERVICES.iter().filter(|_| !numbers_only);
        services.find(|(name, _)| *name == service)
    };
    let number = service.parse().ok();
    number.or_else(|| named().map(|(_, port)| *port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_a_number_or_a_name() {
        for (service, numbers_only, expected) in [
            ("", false, Some(0)),
            ("8080", false, Some(8080)),
            ("8080", true, Some(8080)),
            ("http", false, Some(80)),
            ("telnet", false, Some(23)),
            ("http", true, None),
            ("65536", false, None),
            ("-1", false, None),
            ("no-such-service", false, None),
        ] {
            assert_eq!(port(service, numbers_only), expected, "{service}");
        }
    }
}
