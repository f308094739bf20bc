//! `AdmissionConfiguration`: the file that `--admission-control-config-file` names, and what plugins are told by it.

mod plugin;
mod strict;

use std::collections::BTreeMap;

use serde_json::Value;
use warren_apimachinery::value::{ValueExt, decode_yaml};

use self::strict::{Shape, read_as};
use super::plugins::{Id, Plugins};
use super::settings::AdmissionSettings;

const KIND: &str = "AdmissionConfiguration";
const VERSIONS: [&str; 2] = ["apiserver.config.k8s.io/v1", "apiserver.k8s.io/v1alpha1"];
const SHAPE: &[(&str, Shape)] = &[
    ("apiVersion", Shape::Text),
    ("kind", Shape::Text),
    ("plugins[].name", Shape::Text),
    ("plugins[].path", Shape::Text),
    ("plugins[].configuration", Shape::Any),
];

/// What plugins are told, by their names. The default tells them nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AdmissionConfiguration {
    plugins: BTreeMap<String, Value>,
}

impl AdmissionConfiguration {
    /// Reads the text of a configuration; `file` reads the files that it names. A file that only says
    /// `podNodeSelectorPluginConfig` is of the form before there was a configuration of all plugins.
    ///
    /// # Errors
    /// What is wrong with it, in upstream's words.
    pub fn read(text: &[u8], file: impl Fn(&str) -> Result<Vec<u8>, String>) -> Result<Self, String> {
        let decoded = decode_yaml(text).map_err(|error| error.to_string())?;
        let value = &decoded.value;
        if value.at("/apiVersion").is_null() && value.at("/podNodeSelectorPluginConfig").is_object() {
            let plugins = [("PodNodeSelector".to_owned(), value.clone())];
            return Ok(Self {
                plugins: plugins.into(),
            });
        }
        let value = read_as(text, KIND, &VERSIONS, SHAPE)?;
        let mut plugins = BTreeMap::new();
        for plugin in value.items("/plugins") {
            let (name, path) = (plugin.text("/name"), plugin.text("/path"));
            let nested = plugin.at("/configuration");
            let told = match (nested.is_null(), path) {
                (false, _) => nested.clone(),
                (true, "") => continue,
                (true, path) => {
                    let text = file(path)?;
                    decode_yaml(&text).map_err(|error| error.to_string())?.value
                }
            };
            // The first of a name counts, as upstream.
            plugins.entry(name.to_owned()).or_insert(told);
        }
        Ok(Self { plugins })
    }

    /// Sets up the plugins that run.
    ///
    /// # Errors
    /// What a plugin cannot be told, in upstream's words.
    pub fn settings(&self, plugins: Plugins) -> Result<AdmissionSettings, String> {
        let mut settings = AdmissionSettings {
            plugins,
            ..AdmissionSettings::default()
        };
        let configured: [(Id, &str, plugin::Take); 5] = [
            (Id::PodSecurity, "PodSecurity", plugin::pod_security),
            (Id::PodNodeSelector, "PodNodeSelector", plugin::pod_node_selector),
            (
                Id::PodTolerationRestriction,
                "PodTolerationRestriction",
                plugin::pod_toleration_restriction,
            ),
            (Id::EventRateLimit, "EventRateLimit", plugin::event_rate_limit),
            (Id::ResourceQuota, "ResourceQuota", plugin::resource_quota),
        ];
        for (id, name, take) in configured {
            if plugins.has(id) {
                let told = self.plugins.get(name).unwrap_or(&Value::Null);
                take(&mut settings, told)
                    .map_err(|why| format!("couldn't init admission plugin {name:?}: {why}"))?;
            }
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests;
