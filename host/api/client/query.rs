//! Paths and queries, escaped (RFC 3986).

/// `text` as one segment of a path, or as a key or value of a query: everything but the unreserved characters is
/// escaped.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// A path, which is escaped already, with a query, which is not.
#[must_use]
pub fn target(path: &str, query: &[(&str, &str)]) -> String {
    let mut target = path.to_owned();
    let mut sign = '?';
    for (key, value) in query {
        target.push(sign);
        target.push_str(&escape(key));
        target.push('=');
        target.push_str(&escape(value));
        sign = '&';
    }
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_escaped() {
        let target = target(
            "/api/v1/pods",
            &[("labelSelector", "a=b,c!=d"), ("limit", "5")],
        );
        assert_eq!(
            target,
            "/api/v1/pods?labelSelector=a%3Db%2Cc%21%3Dd&limit=5"
        );
        assert_eq!(escape("ü /"), "%C3%BC%20%2F");
        assert_eq!(super::target("/x", &[]), "/x");
    }
}
