//! Sets of completion indexes, and how a status writes them: `0,2-4`.

use std::collections::BTreeSet;
use std::fmt;

use wasmpod_manifest::k8s::Pod;

use super::super::pods;

/// The annotation and the label of a pod with its index. Source: batch/v1 `JobCompletionIndexAnnotation`.
pub(super) const INDEX_ANNOTATION: &str = "batch.kubernetes.io/job-completion-index";

/// The index of a pod of an indexed job.
pub(super) fn index_of(pod: &Pod) -> Option<i32> {
    let index = pods::annotation(pod, INDEX_ANNOTATION)?.parse().ok()?;
    (index >= 0).then_some(index)
}

/// A set of indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Indexes(BTreeSet<i32>);

impl Indexes {
    /// Reads what a status says; what is not below `completions` or no number is left out.
    pub(super) fn parse(text: &str, completions: i32) -> Self {
        let mut set = BTreeSet::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            if let (Ok(first), Ok(last)) = (first.parse::<i32>(), last.parse::<i32>()) {
                set.extend(first.max(0)..=last.min(completions.saturating_sub(1)));
            }
        }
        Self(set)
    }

    pub(super) fn insert(&mut self, index: i32) -> bool {
        self.0.insert(index)
    }

    pub(super) fn has(&self, index: i32) -> bool {
        self.0.contains(&index)
    }

    pub(super) fn total(&self) -> i32 {
        pods::count(self.0.len())
    }

    /// How many indexes both have.
    pub(super) fn common(&self, other: &Self) -> i32 {
        pods::count(self.0.intersection(&other.0).count())
    }
}

impl FromIterator<i32> for Indexes {
    fn from_iter<T: IntoIterator<Item = i32>>(indexes: T) -> Self {
        Self(indexes.into_iter().collect())
    }
}

/// As `status.completedIndexes`: three and more in a row become a range.
impl fmt::Display for Indexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.iter().copied().peekable();
        let mut separator = "";
        while let Some(first) = rest.next() {
            let mut last = first;
            while let Some(next) = rest.next_if(|next| *next == last.saturating_add(1)) {
                last = next;
            }
            write!(f, "{separator}{first}")?;
            if last > first {
                let between = if last == first.saturating_add(1) {
                    ","
                } else {
                    "-"
                };
                write!(f, "{between}{last}")?;
            }
            separator = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_written_as_kubernetes_writes_them_and_read_back() {
        for (list, text) in [
            (&[][..], ""),
            (&[0], "0"),
            (&[0, 1], "0,1"),
            (&[0, 1, 2], "0-2"),
            (&[1, 3, 4, 5, 7, 8], "1,3-5,7,8"),
        ] {
            let indexes: Indexes = list.iter().copied().collect();
            assert_eq!(indexes.to_string(), text);
            assert_eq!(Indexes::parse(text, 10), indexes, "{text}");
        }
        assert_eq!(Indexes::parse("0-9,x", 3).to_string(), "0-2");
    }
}
