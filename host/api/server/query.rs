//! The query of a request, read as the API server reads it.

use hyper::http::Uri;

use crate::Status;

/// The parameters of a request, in their order. Those that nobody knows are passed over, as in the API server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn of(uri: &Uri) -> Result<Self, Status> {
        let text = uri.query().unwrap_or_default();
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((
                decode(&key.replace('+', " "))?,
                decode(&value.replace('+', " "))?,
            ))
        });
        let pairs = pairs.collect::<Option<_>>();
        pairs.map(Self).ok_or_else(|| {
            Status::failure(400, "BadRequest", "the query is not percent-encoded UTF-8")
        })
    }

    /// The first value of `key`; nothing when it is empty.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        let (_, value) = pairs.find(|(name, _)| name == key)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// Every value of `key`.
    pub(crate) fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        let values = self.0.iter().filter(move |(name, _)| name == key);
        values.map(|(_, value)| value.as_str())
    }

    /// Is it there, and neither `false` nor `0`? (`Convert_Slice_string_To_bool` of apimachinery)
    pub(crate) fn flag(&self, key: &str) -> bool {
        let value = self.0.iter().find(|(name, _)| name == key);
        value.is_some_and(|(_, value)| !value.eq_ignore_ascii_case("false") && value != "0")
    }

    /// A number, if it is there.
    pub(crate) fn number(&self, key: &str) -> Result<Option<i64>, Status> {
        let Some(text) = self.text(key) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| {
            let message =
                format!("invalid value for query parameter {key}: \"{text}\" is not a number");
            Status::failure(400, "BadRequest", message)
        })
    }
}

/// Undoes percent-encoding; nothing for what is not encoded well or not UTF-8.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut digit = || char::from(rest.next()?).to_digit(16);
        bytes.push(match byte {
            b'%' => u8::try_from(digit()? * 16 + digit()?).ok()?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query::of(&format!("/x?{text}").parse().unwrap()).unwrap()
    }

    #[test]
    fn values_are_decoded() {
        let query = query("labelSelector=a%3Db,c+d&command=%2Fbin%2Fsh&command=-c&empty=&flag");
        assert_eq!(query.text("labelSelector"), Some("a=b,c d"));
        assert_eq!(query.all("command").collect::<Vec<_>>(), ["/bin/sh", "-c"]);
        assert_eq!(query.text("empty"), None);
        assert_eq!(query.text("missing"), None);
    }

    #[test]
    fn a_flag_is_true_unless_it_says_false() {
        for (text, expected) in [
            ("a=true", true),
            ("a=1", true),
            ("a=", true),
            ("a", true),
            ("a=False", false),
            ("a=0", false),
            ("b=true", false),
        ] {
            assert_eq!(query(text).flag("a"), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_a_bad_request() {
        assert_eq!(query("limit=5").number("limit"), Ok(Some(5)));
        assert_eq!(query("limit=").number("limit"), Ok(None));
        assert_eq!(query("limit=x").number("limit").unwrap_err().code, 400);
    }

    #[test]
    fn broken_escapes_are_refused() {
        for text in ["a=%", "a=%2", "a=%zz", "a=%ff", "a=%+1"] {
            assert_eq!(
                Query::of(&format!("/x?{text}").parse().unwrap())
                    .unwrap_err()
                    .code,
                400,
                "{text}"
            );
        }
    }
}
