//! The rules of a job's `successPolicy`.

use crate::k8s::{JobSpec, SuccessPolicy, SuccessPolicyRule};
use crate::validate::{Findings, Path};

/// Source: `maxSuccessPolicyRule`.
const MAX_RULES: usize = 20;
/// The length of the text of `succeededIndexes`, in bytes.
/// Source: `maxJobSuccessPolicySucceededIndexesLimit`.
const MAX_INDEXES_BYTES: usize = 64 * 1024;

const ID: &str = "job/success-policy";

/// Holds the rules of a policy at `path`; the job is indexed.
pub(super) fn success_policy(
    policy: &SuccessPolicy,
    job: &JobSpec,
    path: &Path,
    findings: &mut Findings,
) {
    let path = path.field("rules");
    if policy.rules.is_empty() {
        findings.required(
            ID,
            &path,
            "at least one rules must be specified when the successPolicy is specified",
        );
    }
    findings.too_many(ID, &path, policy.rules.len(), MAX_RULES);
    for (index, one) in policy.rules.iter().enumerate() {
        rule(
            one,
            job.completions.unwrap_or_default(),
            &path.index(index),
            findings,
        );
    }
}

fn rule(rule: &SuccessPolicyRule, completions: i32, path: &Path, findings: &mut Findings) {
    if rule.succeeded_count.is_none() && rule.succeeded_indexes.is_none() {
        findings.required(
            ID,
            path,
            "at least one of succeededCount or succeededIndexes must be specified",
        );
    }
    let mut total = None;
    if let Some(text) = rule.succeeded_indexes.as_deref() {
        let path = path.field("succeededIndexes");
        if text.len() > MAX_INDEXES_BYTES {
            let detail = format!("may not be more than {MAX_INDEXES_BYTES} bytes");
            findings.push(
                crate::validate::Finding::new(ID, crate::report::ViolationKind::TooLong, &path)
                    .detail(detail),
            );
        }
        match indexes(text, completions) {
            Ok(count) => total = Some(count),
            Err(why) => {
                let detail = format!("error parsing succeededIndexes: {why}");
                findings.invalid(ID, &path, text, detail);
            }
        }
    }
    let path = path.field("succeededCount");
    findings.not_negative(ID, &path, rule.succeeded_count);
    let Some(count) = rule.succeeded_count else {
        return;
    };
    if count > completions {
        let detail = format!(
            "must be less than or equal to {completions} (the number of specified completions)"
        );
        findings.invalid_number(ID, &path, count, &detail);
    }
    if let Some(total) = total.filter(|total| count > *total) {
        let detail = format!(
            "must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
        );
        findings.invalid_number(ID, &path, count, &detail);
    }
}

/// How many indexes a text like `0,2-4` names; they must grow and be below `completions`.
fn indexes(text: &str, completions: i32) -> Result<i32, String> {
    let mut total = 0_i32;
    let mut last = -1;
    if text.is_empty() {
        return Ok(0);
    }
    for part in text.split(',') {
        let (first, end) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| {
            let value = text.parse::<i32>().ok().filter(|value| *value >= 0);
            value.ok_or_else(|| format!("cannot convert string to integer for index: {text:?}"))
        };
        let (first, end) = (number(first)?, number(end)?);
        if first <= last {
            return Err(format!(
                "non-increasing order, previous: {last}, current: {first}"
            ));
        }
        if part.contains('-') && first >= end {
            return Err(format!(
                "non-increasing order, previous: {first}, current: {end}"
            ));
        }
        if end >= completions {
            return Err(format!("too large index: {end:?}"));
        }
        total = total.saturating_add(end.saturating_sub(first).saturating_add(1));
        last = end;
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::indexes;

    #[test]
    fn indexes_grow_and_are_below_the_completions() {
        assert_eq!(indexes("0,2-4,7", 8), Ok(5));
        assert_eq!(indexes("", 8), Ok(0));
        for wrong in ["1,1", "4-2", "2-2", "8", "a", "-1", "1,", "0--3"] {
            assert!(indexes(wrong, 8).is_err(), "{wrong}");
        }
    }
}
