//! Field paths, written as apimachinery writes them: `spec.containers[1].name`, `data[key]`.

use std::fmt;

use crate::reader::Seg;

/// The way from an object to one of its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Path(Vec<Seg>);

impl Path {
    /// The object itself.
    pub(crate) fn root() -> Self {
        Self::default()
    }

    fn with(&self, seg: Seg) -> Self {
        let mut segs = Vec::with_capacity(self.0.len() + 1);
        segs.extend_from_slice(&self.0);
        segs.push(seg);
        Self(segs)
    }

    /// `.name`
    pub(crate) fn field(&self, name: &str) -> Self {
        self.with(Seg::Field(name.to_owned()))
    }

    /// `[key]`
    pub(crate) fn key(&self, key: &str) -> Self {
        self.with(Seg::Key(key.to_owned()))
    }

    /// `[0]`
    pub(crate) fn index(&self, index: usize) -> Self {
        self.with(Seg::Index(index))
    }

    /// The path without its last step.
    pub(crate) fn parent(&self) -> Self {
        let (_, rest) = self.0.split_last().unzip();
        Self(rest.unwrap_or_default().to_vec())
    }

    pub(crate) fn segments(&self) -> &[Seg] {
        &self.0
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, seg) in self.0.iter().enumerate() {
            match seg {
                Seg::Field(name) if position == 0 => f.write_str(name)?,
                Seg::Field(name) => write!(f, ".{name}")?,
                Seg::Key(key) => write!(f, "[{key}]")?,
                Seg::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
