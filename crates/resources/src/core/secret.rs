//! Secrets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value};
use smol_str::SmolStr;
use warren_apimachinery::decode_json;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name as names;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use super::config_map::{SIZE_MAX, decoded_length, entries, frozen};
use crate::check::{self, Errors};
use crate::table::{age, columns, name};

const SERVICE_ACCOUNT: &str = "kubernetes.io/service-account.name";

/// The strategy of secrets.
pub(crate) struct Secret;

impl Strategy for Secret {
    fn traits(&self) -> Traits {
        Traits::default()
    }

    /// `stringData` is for writing only: it becomes `data`.
    fn default(&self, object: &mut Value) {
        if let Some(texts) = object.take_at("/stringData") {
            let texts = texts.as_object().cloned().unwrap_or_default();
            if let Some(data) = object.object_at("/data").filter(|_| !texts.is_empty()) {
                for (key, text) in texts {
                    let encoded = STANDARD.encode(text.as_str().unwrap_or_default());
                    data.insert(key, encoded.into());
                }
            }
        }
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let path = Path::new("data");
        let mut size = 0;
        for (key, value) in entries(object, "data").into_iter().flatten() {
            check::text(&mut errors, &path.key(key), key, names::config_map_key(key));
            size += decoded_length(value);
        }
        if size > SIZE_MAX {
            errors.push(Error::too_long(&path, SIZE_MAX));
        }
        contents(&mut errors, &path, object);
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        check::immutable(
            &mut errors,
            &Path::new("type"),
            new.field("type"),
            old.field("type"),
        );
        errors.extend(frozen(new, old, &["data"]));
        errors
    }

    fn warnings(&self, new: &Value, _old: Option<&Value>) -> Vec<String> {
        if new.text("/type") != "kubernetes.io/tls" {
            return Vec::new();
        }
        let bytes = |key: &str| {
            let encoded = new.field("data").field(key).as_str().unwrap_or_default();
            STANDARD.decode(encoded).unwrap_or_default()
        };
        let wrong = no_pem(&bytes("tls.crt"), "certificate").or_else(|| no_pem(&bytes("tls.key"), "key"));
        wrong.into_iter().collect()
    }

    fn fields(&self, object: &Value) -> Box<[(SmolStr, SmolStr)]> {
        Box::new([("type".into(), object.text("/type").into())])
    }

    fn columns(&self) -> &'static [Column] {
        columns("secrets")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        vec![
            name(object),
            object.text("/type").into(),
            entries(object, "data").map_or(0, Map::len).into(),
            age(object, now),
        ]
    }
}

/// Upstream loads the pair to warn of one that is of no use; this looks no further than at its form.
fn no_pem(input: &[u8], what: &str) -> Option<String> {
    let text = String::from_utf8_lossy(input);
    let has_block = text.lines().any(|line| line.starts_with("-----BEGIN "));
    (!has_block).then(|| format!("tls: failed to find any PEM data in {what} input"))
}

/// What each type of secret must hold.
fn contents(errors: &mut Errors, path: &Path, secret: &Value) {
    let data = secret.field("data");
    let has = |key: &str| !data.field(key).is_null();
    let missing = |key: &str| Error::required(&path.key(key), "");
    match secret.text("/type") {
        "kubernetes.io/service-account-token" => {
            let account = secret.at("/metadata/annotations").field(SERVICE_ACCOUNT);
            if account.as_str().unwrap_or_default().is_empty() {
                errors.push(Error::required(
                    &Path::new("metadata.annotations").key(SERVICE_ACCOUNT),
                    "",
                ));
            }
        }
        "kubernetes.io/dockercfg" => json_object(errors, path, data, ".dockercfg"),
        "kubernetes.io/dockerconfigjson" => json_object(errors, path, data, ".dockerconfigjson"),
        "kubernetes.io/basic-auth" if !has("username") && !has("password") => {
            errors.extend([missing("username"), missing("password")]);
        }
        "kubernetes.io/ssh-auth" if decoded_length(data.field("ssh-privatekey")) == 0 => {
            errors.push(missing("ssh-privatekey"));
        }
        "kubernetes.io/tls" => {
            errors.extend(
                ["tls.crt", "tls.key"]
                    .into_iter()
                    .filter(|key| !has(key))
                    .map(missing),
            );
        }
        _ => {}
    }
}

fn json_object(errors: &mut Errors, path: &Path, data: &Value, key: &str) {
    let Some(encoded) = data.field(key).as_str() else {
        errors.push(Error::required(&path.key(key), ""));
        return;
    };
    let bytes = STANDARD.decode(encoded).unwrap_or_default();
    let problem = match decode_json(&bytes).map(|decoded| decoded.value) {
        Ok(Value::Object(_) | Value::Null) => return,
        Ok(other) => {
            let kind = match other {
                Value::Array(_) => "array",
                Value::String(_) => "string",
                Value::Bool(_) => "bool",
                _ => "number",
            };
            format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}")
        }
        Err(error) => error.to_string(),
    };
    errors.push(Error::invalid(
        &path.key(key),
        "<secret contents redacted>",
        problem,
    ));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(secret: Value, expected: &[&str]) {
        let errors = Secret.validate(&secret);
        let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
        assert_eq!(paths, expected, "{secret}");
    }

    #[test]
    fn each_type_holds_its_keys() {
        check(json!({"type": "Opaque"}), &[]);
        check(
            json!({"type": "kubernetes.io/tls", "data": {"tls.crt": ""}}),
            &["data[tls.key]"],
        );
        check(
            json!({"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "WzFd"}}),
            &["data[.dockerconfigjson]"],
        );
        check(
            json!({"type": "kubernetes.io/basic-auth"}),
            &["data[username]", "data[password]"],
        );
        check(
            json!({"type": "kubernetes.io/service-account-token"}),
            &["metadata.annotations[kubernetes.io/service-account.name]"],
        );
    }

    #[test]
    fn texts_become_data_and_win() {
        let mut secret = json!({"data": {"a": "eA==", "b": "eQ=="}, "stringData": {"a": "z"}});
        Secret.default(&mut secret);
        assert_eq!(secret, json!({"data": {"a": "eg==", "b": "eQ=="}}));
    }

    #[test]
    fn frozen_secrets_keep_their_data() {
        let old = json!({"type": "Opaque", "immutable": true, "data": {"a": "eA=="}});
        let new = json!({"type": "Opaque", "data": {"a": "eQ=="}});
        assert_eq!(Secret.validate_update(&new, &old).len(), 2);
    }
}
