//! Configuration errors, in nginx's own words.

use std::fmt;

/// Where a directive stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: std::rc::Rc<str>,
    /// The line, from 1.
    pub line: usize,
}

/// Why a configuration cannot be used: an `[emerg]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// What is wrong.
    pub message: String,
    /// Where, if it is about one place.
    pub place: Option<Place>,
}

impl ConfigError {
    /// An error at a place.
    #[must_use]
    pub fn at(place: &Place, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            place: Some(place.clone()),
        }
    }

    /// An error about all of the configuration.
    #[must_use]
    pub fn whole(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            place: None,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.place {
            Some(place) => write!(f, " in {}:{}", place.file, place.line),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConfigError {}
