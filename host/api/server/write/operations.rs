//! JSON patches (RFC 6902), bounded: a patch of a few bytes that copies what it has copied would grow without end.

use json_patch::{Patch, PatchOperation};
use serde_json::Value;

/// The most operations of a patch, as in the API server. More get 413.
pub(super) const MAX_OPERATIONS: usize = 10_000;

/// The most that the copies and moves of a patch may carry together, in bytes of JSON: the API server's limit of a
/// request's body. More is refused.
const MAX_CARRIED_BYTES: usize = 3 * 1024 * 1024;

/// How deep what an operation puts somewhere may be, counted from the root. The parser takes 128 levels; no object of
/// Kubernetes has more than 30. Deeper is refused, since much here and in the parser's tree is recursive.
const MAX_DEPTH: usize = 100;

/// Why a patch cannot be applied.
#[derive(Debug, thiserror::Error)]
pub(super) enum JsonPatchError {
    #[error("the allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {0}")]
    TooMany(usize),
    #[error("the copies of a JSON patch may not be more than {MAX_CARRIED_BYTES} bytes")]
    TooLarge,
    #[error("a JSON patch may not nest deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error(transparent)]
    Failed(#[from] json_patch::PatchError),
}

/// Applies a patch; `value` is of no use when that fails.
pub(super) fn apply(value: &mut Value, patch: Patch) -> Result<(), JsonPatchError> {
    if patch.0.len() > MAX_OPERATIONS {
        return Err(JsonPatchError::TooMany(patch.0.len()));
    }
    let mut carried = 0_usize;
    for operation in patch.0 {
        let mut carry = |from: &str| {
            let Some(found) = value.pointer(from) else {
                // The patch says so itself.
                return Ok(0);
            };
            let size = serde_json::to_string(found).map_or(usize::MAX, |text| text.len());
            carried = carried.saturating_add(size);
            if carried > MAX_CARRIED_BYTES {
                return Err(JsonPatchError::TooLarge);
            }
            Ok(depth(found))
        };
        let (path, below) = match &operation {
            PatchOperation::Add(add) => (&add.path, depth(&add.value)),
            PatchOperation::Replace(replace) => (&replace.path, depth(&replace.value)),
            PatchOperation::Copy(copy) => (&copy.path, carry(copy.from.as_str())?),
            PatchOperation::Move(moving) => (&moving.path, carry(moving.from.as_str())?),
            PatchOperation::Remove(remove) => (&remove.path, 0),
            PatchOperation::Test(test) => (&test.path, 0),
        };
        if path.count().saturating_add(below) > MAX_DEPTH {
            return Err(JsonPatchError::TooDeep);
        }
        json_patch::patch(value, &[operation])?;
    }
    Ok(())
}

/// How many levels a value has.
fn depth(value: &Value) -> usize {
    let below: Box<dyn Iterator<Item = usize>> = match value {
        Value::Array(items) => Box::new(items.iter().map(depth)),
        Value::Object(fields) => Box::new(fields.values().map(depth)),
        _ => return 0,
    };
    1 + below.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patched(mut value: Value, patch: &Value) -> Result<Value, JsonPatchError> {
        apply(&mut value, serde_json::from_value(patch.clone()).unwrap())?;
        Ok(value)
    }

    #[test]
    fn every_operation_does_what_it_says() {
        let value = json!({"a": {"b": [1, 2]}, "m/n": "~"});
        let patch = json!([
            {"op": "test", "path": "/m~1n", "value": "~"},
            {"op": "add", "path": "/a/b/1", "value": 9},
            {"op": "add", "path": "/a/b/-", "value": 3},
            {"op": "remove", "path": "/a/b/0"},
            {"op": "copy", "from": "/a/b", "path": "/c"},
            {"op": "move", "from": "/m~1n", "path": "/d"},
            {"op": "replace", "path": "/a", "value": null},
        ]);
        let expected = json!({"a": null, "c": [9, 2, 3], "d": "~"});
        assert_eq!(patched(value, &patch).unwrap(), expected);
    }

    #[test]
    fn what_is_not_there_or_not_so_fails() {
        for operation in [
            json!({"op": "remove", "path": "/x"}),
            json!({"op": "replace", "path": "/x", "value": 1}),
            json!({"op": "test", "path": "/a", "value": 2}),
            json!({"op": "copy", "from": "/x", "path": "/y"}),
            json!({"op": "add", "path": "/x/y", "value": 1}),
        ] {
            let failed = patched(json!({"a": 1}), &json!([operation]));
            assert!(
                matches!(failed, Err(JsonPatchError::Failed(_))),
                "{operation}"
            );
        }
    }

    #[test]
    fn a_patch_that_would_grow_without_end_is_refused() {
        let doubling = json!({"op": "copy", "from": "/a", "path": "/a/-"});
        let many: Vec<_> = (0..200).map(|_| doubling.clone()).collect();
        let failed = patched(json!({"a": ["x".repeat(1000)]}), &json!(many));
        assert!(
            matches!(
                failed,
                Err(JsonPatchError::TooLarge | JsonPatchError::TooDeep)
            ),
            "{failed:?}"
        );
        let wide: Vec<_> = (0..4000)
            .map(|n| json!({"op": "copy", "from": "/a", "path": format!("/b{n}")}))
            .collect();
        let failed = patched(json!({"a": "x".repeat(1000)}), &json!(wide));
        assert!(
            matches!(failed, Err(JsonPatchError::TooLarge)),
            "{failed:?}"
        );
        let nesting: Vec<_> = (0..101)
            .map(|_| json!({"op": "copy", "from": "", "path": "/a"}))
            .collect();
        let failed = patched(json!({"a": {}}), &json!(nesting));
        assert!(matches!(failed, Err(JsonPatchError::TooDeep)), "{failed:?}");
        let many: Vec<_> = (0..=MAX_OPERATIONS)
            .map(|_| json!({"op": "test", "path": "", "value": {}}))
            .collect();
        let failed = patched(json!({}), &json!(many));
        assert!(matches!(failed, Err(JsonPatchError::TooMany(10_001))));
    }
}
