//! "did you mean": the nearest of the names that would have been right.

/// How many letters may differ. Source: ours; at three, short names suggest each other.
const MAX_DISTANCE: usize = 2;

/// Names longer than this are not compared: nobody mistypes them by two letters, and the
/// comparison costs the product of the lengths.
const MAX_NAME_CHARS: usize = 64;

/// The candidate nearest to `name`, if it is near enough; of equals the first.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if name.chars().count() > MAX_NAME_CHARS {
        return None;
    }
    // A third of the name may be wrong, so that "ip" does not become "os".
    let limit = MAX_DISTANCE.min(name.chars().count().saturating_sub(1));
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= MAX_NAME_CHARS)
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, letters compared without case but a case mistake counted as none.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (y, above) in b.iter().zip(row.iter().skip(1)) {
            let value = (diagonal + usize::from(x != y))
                .min(left + 1)
                .min(above + 1);
            diagonal = *above;
            left = value;
            next.push(value);
        }
        row = next;
    }
    row.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn distance_counts_single_letter_changes() {
        for (a, b, expected) in [
            ("", "", 0),
            ("abc", "", 3),
            ("comand", "command", 1),
            ("kitten", "sitting", 3),
            ("hostpath", "hostPath", 0),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn only_near_names_are_suggested() {
        assert_eq!(nearest("comand", ["args", "command"]), Some("command"));
        assert_eq!(nearest("dta", ["data", "tmp"]), Some("data"));
        assert_eq!(nearest("xyz", ["data", "tmp"]), None);
        assert_eq!(nearest("a", ["b"]), None);
        assert_eq!(nearest(&"a".repeat(100_000), ["aaaa"]), None);
    }
}
