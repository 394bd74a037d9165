//! What a name, a label, a key may look like; the texts are those of apimachinery's
//! `pkg/util/validation`. Each check returns its complaints, none when the text is good.

/// RFC 1123 2.1, of one label. Source: apimachinery `DNS1123LabelMaxLength`.
const LABEL_MAX_BYTES: usize = 63;
/// Source: apimachinery `DNS1123SubdomainMaxLength`.
const SUBDOMAIN_MAX_BYTES: usize = 253;
/// RFC 6335 5.1.
const PORT_NAME_MAX_BYTES: usize = 15;
/// Source: `SysctlMaxLength` of Kubernetes' validation of pods.
const SYSCTL_MAX_BYTES: usize = 253;

fn too_long(limit: usize) -> String {
    format!("must be no more than {limit} bytes")
}

fn is_lower_or_digit(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn is_bounded(text: &str, edge: fn(u8) -> bool, inner: fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|b| edge(*b))
        && bytes.last().is_some_and(|b| edge(*b))
        && bytes.iter().all(|b| edge(*b) || inner(*b))
}

fn is_label(text: &str) -> bool {
    is_bounded(text, is_lower_or_digit, |b| b == b'-')
}

fn is_qualified_part(text: &str) -> bool {
    is_bounded(
        text,
        |b| b.is_ascii_alphanumeric(),
        |b| matches!(b, b'-' | b'_' | b'.'),
    )
}

/// A DNS-1123 label: the name of a container, of a volume, of a namespace.
pub(crate) fn dns1123_label(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > LABEL_MAX_BYTES {
        wrong.push(too_long(LABEL_MAX_BYTES));
    }
    if !is_label(text) {
        wrong.push(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
                .to_owned(),
        );
    }
    wrong
}

/// The name of a kernel parameter.
pub(crate) fn sysctl(text: &str) -> Option<String> {
    let is_part = |part: &str| is_bounded(part, is_lower_or_digit, |b| matches!(b, b'-' | b'_'));
    let is_good = text.len() <= SYSCTL_MAX_BYTES && text.split(['.', '/']).all(is_part);
    (!is_good).then(|| {
        format!(
            "must have at most {SYSCTL_MAX_BYTES} characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
        )
    })
}

/// A DNS-1035 label: the name of a service.
pub(crate) fn dns1035_label(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > LABEL_MAX_BYTES {
        wrong.push(too_long(LABEL_MAX_BYTES));
    }
    if !is_label(text) || !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        wrong.push(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
                .to_owned(),
        );
    }
    wrong
}

/// A DNS-1123 subdomain: the name of a pod, a config map, a secret.
pub(crate) fn dns1123_subdomain(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > SUBDOMAIN_MAX_BYTES {
        wrong.push(too_long(SUBDOMAIN_MAX_BYTES));
    }
    if !text.split('.').all(is_label) {
        wrong.push(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
                .to_owned(),
        );
    }
    wrong
}

/// A DNS-1123 subdomain behind `*.`: a host with a wildcard.
pub(crate) fn wildcard_dns1123_subdomain(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > SUBDOMAIN_MAX_BYTES {
        wrong.push(too_long(SUBDOMAIN_MAX_BYTES));
    }
    let is_good = |rest: &str| rest.split('.').all(is_label);
    if !text.strip_prefix("*.").is_some_and(is_good) {
        wrong.push(
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
                .to_owned(),
        );
    }
    wrong
}

/// A qualified name: the key of a label or an annotation.
pub(crate) fn qualified_name(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let name = match text.split_once('/') {
        None => text,
        Some((_, rest)) if rest.contains('/') => {
            return vec![
                "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
                    .to_owned(),
            ];
        }
        Some((prefix, name)) => {
            if prefix.is_empty() {
                wrong.push("prefix part must be non-empty".to_owned());
            } else {
                wrong.extend(
                    dns1123_subdomain(prefix)
                        .into_iter()
                        .map(|w| format!("prefix part {w}")),
                );
            }
            name
        }
    };
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_MAX_BYTES {
        wrong.push(format!("name part {}", too_long(LABEL_MAX_BYTES)));
    }
    if !is_qualified_part(name) {
        wrong.push(
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
                .to_owned(),
        );
    }
    wrong
}

/// The value of a label.
pub(crate) fn label_value(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > LABEL_MAX_BYTES {
        wrong.push(too_long(LABEL_MAX_BYTES));
    }
    if !text.is_empty() && !is_qualified_part(text) {
        wrong.push(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
                .to_owned(),
        );
    }
    wrong
}

/// The name of an environment variable, by the relaxed rule that holds since Kubernetes 1.34.
pub(crate) fn env_var(text: &str) -> Vec<String> {
    let good = text.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'=');
    if good {
        return Vec::new();
    }
    vec!["a valid environment variable name must consist only of printable ASCII characters other than '='".to_owned()]
}

/// The key of a config map or a secret.
pub(crate) fn config_key(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > SUBDOMAIN_MAX_BYTES {
        wrong.push(too_long(SUBDOMAIN_MAX_BYTES));
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if text.is_empty() || !text.bytes().all(allowed) {
        wrong.push(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
                .to_owned(),
        );
    }
    match text {
        "." => wrong.push("must not be '.'".to_owned()),
        ".." => wrong.push("must not be '..'".to_owned()),
        _ if text.starts_with("..") => wrong.push("must not start with '..'".to_owned()),
        _ => {}
    }
    wrong
}

/// The name of a port: RFC 6335 5.1 in lower case.
pub(crate) fn port_name(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > PORT_NAME_MAX_BYTES {
        wrong.push(too_long(PORT_NAME_MAX_BYTES));
    }
    if !text.bytes().all(|b| is_lower_or_digit(b) || b == b'-') {
        wrong.push(
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned(),
        );
    }
    if !text.bytes().any(|b| b.is_ascii_lowercase()) {
        wrong.push("must contain at least one letter (a-z)".to_owned());
    }
    if text.contains("--") {
        wrong.push("must not contain consecutive hyphens".to_owned());
    }
    if text.starts_with('-') || text.ends_with('-') {
        wrong.push("must not begin or end with a hyphen".to_owned());
    }
    wrong
}

/// A port number.
pub(crate) fn port_number(port: i32) -> Option<&'static str> {
    (!(1..=65535).contains(&port)).then_some("must be between 1 and 65535, inclusive")
}

/// An IP address of either family.
pub(crate) fn ip(text: &str) -> Option<&'static str> {
    text.parse::<std::net::IpAddr>()
        .is_err()
        .then_some("must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")
}

#[cfg(test)]
mod tests {
    use super::*;

    type Check = fn(&str) -> Vec<String>;

    #[test]
    fn each_check_accepts_what_kubernetes_accepts() {
        let cases: [(Check, &[&str]); 9] = [
            (wildcard_dns1123_subdomain, &["*.a", "*.foo.com"]),
            (dns1123_label, &["a", "1st", "a-b", "0"]),
            (dns1035_label, &["a", "web-1"]),
            (dns1123_subdomain, &["a.b", "mc1", "a-b.c"]),
            (
                qualified_name,
                &["app", "example.com/MyName", "a_b.c-d", "A"],
            ),
            (label_value, &["", "v1.2_3-x", "A"]),
            (env_var, &["PATH", "my.name-1", "1 a"]),
            (config_key, &["nginx.conf", ".hidden", "A_b"]),
            (port_name, &["http", "a", "p-1"]),
        ];
        for (check, texts) in cases {
            for text in texts {
                assert_eq!(check(text), Vec::<String>::new(), "{text}");
            }
        }
    }

    #[test]
    fn each_check_refuses_what_kubernetes_refuses() {
        let long = "a".repeat(254);
        let cases: [(Check, &[&str]); 9] = [
            (
                wildcard_dns1123_subdomain,
                &["*", "*.", "a.*", "*.*.com", "*foo.com", "foo.com", &long],
            ),
            (
                dns1123_label,
                &["", "A", "-a", "a-", "a.b", "a_b", &long, "é"],
            ),
            (dns1035_label, &["1st", "", "a.b"]),
            (dns1123_subdomain, &["", "a..b", ".a", "$ITEM", &long]),
            (qualified_name, &["", "/a", "a/", "a/b/c", "-a", "a b"]),
            (label_value, &["-a", "a b", "a/b", &long]),
            (env_var, &["a=b", "é", "a\tb"]),
            (config_key, &["", ".", "..", "..a", "a/b", &long]),
            (
                port_name,
                &["", "HTTP", "80", "a--b", "-a", "a-", "averylongportname"],
            ),
        ];
        for (check, texts) in cases {
            for text in texts {
                assert_ne!(check(text), Vec::<String>::new(), "{text}");
            }
        }
    }
}
