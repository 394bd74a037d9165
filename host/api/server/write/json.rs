//! A request's body as JSON, and the fields that it has twice.
//!
//! Of two fields of one name the last one counts, as for Go's reader; who asked for strict validation is told.

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How many repeated fields are named at most; one is enough to be refused.
const MAX_NAMED: usize = 20;

/// Reads JSON: the value, and the paths of fields that were written twice.
pub(super) fn parse(text: &[u8]) -> serde_json::Result<(Value, Vec<String>)> {
    let mut repeated = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(text);
    let seed = Seed {
        at: None,
        repeated: &mut repeated,
    };
    let value = seed.deserialize(&mut reader)?;
    reader.end()?;
    Ok((value, repeated))
}

/// One step from the root to a value.
struct Step<'a> {
    before: Option<&'a Self>,
    seg: Seg<'a>,
}

#[derive(Clone, Copy)]
enum Seg<'a> {
    Field(&'a str),
    Index(usize),
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(before) = self.before {
            before.fmt(f)?;
        }
        match self.seg {
            Seg::Index(index) => write!(f, "[{index}]"),
            Seg::Field(name) if self.before.is_none() => f.write_str(name),
            Seg::Field(name) => write!(f, ".{name}"),
        }
    }
}

struct Seed<'a> {
    at: Option<&'a Step<'a>>,
    repeated: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        loop {
            let step = Step {
                before: self.at,
                seg: Seg::Index(values.len()),
            };
            let seed = Seed {
                at: Some(&step),
                repeated: &mut *self.repeated,
            };
            match items.next_element_seed(seed)? {
                Some(value) => values.push(value),
                None => return Ok(values.into()),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            let step = Step {
                before: self.at,
                seg: Seg::Field(&name),
            };
            if fields.contains_key(&name) && self.repeated.len() < MAX_NAMED {
                self.repeated.push(step.to_string());
            }
            let seed = Seed {
                at: Some(&step),
                repeated: &mut *self.repeated,
            };
            let value = entries.next_value_seed(seed)?;
            fields.insert(name, value);
        }
        Ok(fields.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_as_serde_json_reads_it() {
        for text in [
            "null",
            "[1, -2, 3.5, 18446744073709551615, true, \"\\u00fc\", {}]",
            "{\"a\": {\"b\": [null]}}",
        ] {
            let (value, repeated) = parse(text.as_bytes()).unwrap();
            assert_eq!(value, serde_json::from_str::<Value>(text).unwrap());
            assert!(repeated.is_empty());
        }
        for text in ["", "{", "{} {}", "\u{1}", "{\"a\": }"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        let deep = "[".repeat(200);
        assert!(parse(deep.as_bytes()).is_err());
    }

    #[test]
    fn a_field_that_comes_twice_is_named() {
        let text = br#"{"a": 1, "b": [{"c": 1, "c": {"d": 1, "d": 2}}], "a": 2}"#;
        let (value, repeated) = parse(text).unwrap();
        assert_eq!(repeated, ["b[0].c", "b[0].c.d", "a"]);
        assert_eq!(value["a"], 2);
    }
}
