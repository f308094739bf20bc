//! The hash of a pod template that names ReplicaSets and revisions: fnv32a, in upstream's safe alphabet.

use serde_json::Value;

const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// The hash of `template`, told apart from others that collide by `collisions`. Equal templates have equal hashes
/// whatever the order of their fields.
pub(crate) fn of(template: &Value, collisions: Option<i64>) -> String {
    let mut hash = Fnv32a::default();
    hash.value(template);
    if let Some(count) = collisions {
        hash.bytes(&count.to_le_bytes());
    }
    safe_encode(&hash.0.to_string())
}

/// Upstream's `rand.SafeEncodeString`: no vowels, so no words.
pub(crate) fn safe_encode(text: &str) -> String {
    text.bytes()
        .filter_map(|byte| ALPHABET.get(usize::from(byte) % ALPHABET.len()))
        .map(|byte| char::from(*byte))
        .collect()
}

struct Fnv32a(u32);

impl Default for Fnv32a {
    fn default() -> Self {
        Self(0x811c_9dc5)
    }
}

impl Fnv32a {
    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
    }

    /// Sorted keys, lengths before contents: two different values never feed the same bytes.
    fn value(&mut self, value: &Value) {
        match value {
            Value::Object(map) => {
                let mut keys: Vec<_> = map.keys().collect();
                keys.sort_unstable();
                self.bytes(b"{");
                self.bytes(&keys.len().to_le_bytes());
                for key in keys {
                    self.text(key);
                    self.value(map.get(key).unwrap_or(&Value::Null));
                }
            }
            Value::Array(items) => {
                self.bytes(b"[");
                self.bytes(&items.len().to_le_bytes());
                items.iter().for_each(|item| self.value(item));
            }
            Value::String(text) => self.text(text),
            other => self.text(&other.to_string()),
        }
    }

    fn text(&mut self, text: &str) {
        self.bytes(&text.len().to_le_bytes());
        self.bytes(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn hash_is_stable_and_tells_templates_and_collisions_apart() {
        let template = json!({"spec": {"containers": [{"name": "a", "image": "b"}]}});
        let again = json!({"spec": {"containers": [{"image": "b", "name": "a"}]}});
        assert_eq!(of(&template, None), of(&again, None));
        assert_ne!(of(&template, None), of(&template, Some(1)));
        assert_ne!(
            of(&template, None),
            of(&json!({"spec": {"containers": []}}), None)
        );
        assert!(of(&template, None).bytes().all(|b| ALPHABET.contains(&b)));
    }

    #[test]
    fn encodes_as_upstream() {
        assert_eq!(safe_encode("0123456789"), "456789bcdf");
    }
}
