//! Numbers as people read them.

/// A size with two or three digits and the unit of Kubernetes' quantities: `512B`, `99Ki`, `1.4Mi`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "Gi"), (1 << 20, "Mi"), (1 << 10, "Ki")];
    match UNITS.iter().find(|(size, _)| count >= *size) {
        None => format!("{count}B"),
        Some((size, unit)) => {
            let (whole, tenths) = (count / size, count % size * 10 / size);
            if whole < 10 {
                format!("{whole}.{tenths}{unit}")
            } else {
                format!("{whole}{unit}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (count, shown) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.0Ki"),
            (100 << 10, "100Ki"),
            ((3 << 20) / 2, "1.5Mi"),
            (7 << 30, "7.0Gi"),
        ] {
            assert_eq!(bytes(count), shown);
        }
    }
}
