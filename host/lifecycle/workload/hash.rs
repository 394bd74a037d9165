//! The hash of a pod template: the same template gives the same name.
//!
//! As in Kubernetes it is 32 bits of FNV-1a, written in the alphabet of generated names. The bytes that are hashed
//! are our own (the template as JSON), so the hashes differ from those of a cluster; nothing compares them.

use wasmpod_manifest::k8s::PodTemplateSpec;

use super::NAME_ALPHABET;

/// FNV-1a of 32 bits: <http://www.isthe.com/chongo/tech/comp/fnv/>.
const OFFSET_BASIS: u32 = 0x811c_9dc5;
const PRIME: u32 = 0x0100_0193;

/// The hash of a template; `collisions` tells templates apart whose hashes are the same.
pub(super) fn template_hash(template: &PodTemplateSpec, collisions: i32) -> String {
    let text = serde_json::to_string(template).unwrap_or_default();
    let salt = if collisions > 0 {
        collisions.to_string()
    } else {
        String::new()
    };
    let bytes = text.bytes().chain(salt.bytes());
    let hash = bytes.fold(OFFSET_BASIS, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(PRIME)
    });
    safe(&hash.to_string())
}

/// A text in the alphabet of names, so that no word comes of it; apimachinery's `SafeEncodeString`.
fn safe(text: &str) -> String {
    let alphabet = NAME_ALPHABET.as_bytes();
    text.bytes()
        .filter_map(|byte| alphabet.get(usize::from(byte) % alphabet.len()))
        .map(|byte| char::from(*byte))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_same_template_has_the_same_hash_and_a_collision_another() {
        let template = |image: &str| -> PodTemplateSpec {
            serde_json::from_value(json!({"spec": {"containers": [{"name": "a", "image": image}]}}))
                .unwrap()
        };
        let first = template_hash(&template("a"), 0);
        assert_eq!(first, template_hash(&template("a"), 0));
        assert_ne!(first, template_hash(&template("b"), 0));
        assert_ne!(first, template_hash(&template("a"), 1));
        assert!(first.chars().all(|c| NAME_ALPHABET.contains(c)), "{first}");
    }
}
