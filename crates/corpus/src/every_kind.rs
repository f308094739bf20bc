//! `requests/every-kind.yaml`: one row for each resource, made into every request that any resource answers.

use serde::Deserialize;
use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;

use crate::scenario::{Scenario, Step};

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";
const METADATA: &str = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const YAML: &str = "application/yaml";
/// What controllers write in their own time.
const CONTROLLED: [&str; 6] = [
    "/status",
    "/metadata/generation",
    "/metadata/managedFields",
    "/metadata/annotations",
    "/metadata/finalizers",
    "/spec/taints",
];

/// A row.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Row {
    path: String,
    kind: String,
    object: Value,
    #[serde(default)]
    controlled: bool,
    #[serde(default)]
    subresources: Vec<String>,
    /// Deletions of the collection are left out.
    #[serde(default)]
    keeps_collection: bool,
}

impl Row {
    /// `apps`, `core`: what the file of its answers is called.
    pub(crate) fn group(&self) -> &str {
        let mut parts = self.path.split('/').skip(1);
        match (parts.next(), parts.next()) {
            (Some("apis"), Some(group)) => group,
            _ => "core",
        }
    }

    fn plural(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    fn api_version(&self) -> String {
        let parts: Vec<&str> = self.path.split('/').skip(1).collect();
        match parts.as_slice() {
            ["apis", group, version, ..] => format!("{group}/{version}"),
            [_, version, ..] => (*version).to_owned(),
            _ => String::new(),
        }
    }

    fn is_namespaced(&self) -> bool {
        self.path.contains("/namespaces/$ns/")
    }

    fn name(&self) -> &'static str {
        if self.is_namespaced() { "a" } else { "$ns-a" }
    }

    fn object(&self) -> Value {
        let mut object = self.object.clone();
        object.set("/apiVersion", self.api_version());
        object.set("/kind", self.kind.as_str());
        object.set("/metadata/name", self.name());
        object.set("/metadata/labels/corpus", "$ns");
        object
    }

    /// The life of one object: made, read in every form, changed in every way, deleted.
    pub(crate) fn scenario(&self) -> Scenario {
        let one = format!("{}/{}", self.path, self.name());
        let post = format!("POST {}", self.path);
        let mut steps = vec![
            self.step(&format!("{post}?dryRun=All"), Answered::One, |step| {
                step.body = Some(self.object());
                step.content_type = Some(YAML.to_owned());
            }),
            self.step(&post, Answered::One, |step| step.body = Some(self.object())),
        ];
        self.reads(&one, &mut steps);
        self.patches(&one, &mut steps);
        self.updates(&one, &mut steps);
        for subresource in &self.subresources {
            self.part(&format!("{one}/{subresource}"), subresource, &mut steps);
        }
        steps.push(self.step(&format!("DELETE {one}"), Answered::Gone, |_| {}));
        if self.kind != "Namespace" && !self.keeps_collection {
            let all = format!("DELETE {}?labelSelector=corpus%3D$ns", self.path);
            steps.push(self.step(&all, Answered::Nothing, |_| {}));
        }
        let cleanup = if self.is_namespaced() {
            Vec::new()
        } else {
            vec![one]
        };
        Scenario {
            name: format!("{} {}", self.api_version(), self.plural()),
            steps,
            cleanup,
            without_namespace: false,
        }
    }

    fn reads(&self, one: &str, steps: &mut Vec<Step>) {
        let get = format!("GET {one}");
        steps.push(self.step(&get, Answered::One, |_| {}));
        for (accept, answered) in [
            (YAML, Answered::Nothing),
            (PROTOBUF, Answered::Nothing),
            (TABLE, Answered::Table),
            (METADATA, Answered::One),
        ] {
            steps.push(self.step(&get, answered, |step| step.accept = Some(accept.to_owned())));
        }
        let mine = "labelSelector=corpus%3D$ns";
        let list = format!("GET {}?{mine}", self.path);
        steps.push(self.step(&list, Answered::List, |_| {}));
        for (accept, answered) in [
            (YAML, Answered::Nothing),
            (PROTOBUF, Answered::Nothing),
            (TABLE, Answered::Table),
            (METADATA_LIST, Answered::List),
        ] {
            steps.push(self.step(&list, answered, |step| step.accept = Some(accept.to_owned())));
        }
        let watch = format!("{list}&watch=1&timeoutSeconds=1&resourceVersion=0");
        steps.push(self.step(&watch, Answered::Event, |_| {}));
        steps.push(self.step(&watch, Answered::Nothing, |step| {
            step.accept = Some(format!("{PROTOBUF};stream=watch"))
        }));
        if self.is_namespaced() {
            let everywhere = format!("GET {}?{mine}", self.path.replace("/namespaces/$ns", ""));
            steps.push(self.step(&everywhere, Answered::List, |_| {}));
            let watch = format!("{everywhere}&watch=1&timeoutSeconds=1&resourceVersion=0");
            steps.push(self.step(&watch, Answered::Event, |_| {}));
        }
    }

    fn patches(&self, one: &str, steps: &mut Vec<Step>) {
        let labelled = |value: &str| json!({"metadata": {"labels": {"patched": value}}});
        let applied = {
            let mut object = labelled("applied");
            object.set("/apiVersion", self.api_version());
            object.set("/kind", self.kind.as_str());
            object.set("/metadata/name", self.name());
            object
        };
        let patches = [
            ("application/merge-patch+json", labelled("merged")),
            (
                "application/strategic-merge-patch+json",
                labelled("merged-strategically"),
            ),
            (
                "application/json-patch+json",
                json!([{"op": "add", "path": "/metadata/labels/patched", "value": "added"}]),
            ),
            ("application/apply-patch+yaml", applied),
        ];
        for (content_type, body) in patches {
            let query = if content_type.contains("apply") {
                "?fieldManager=corpus&force=true"
            } else {
                ""
            };
            steps.push(self.step(&format!("PATCH {one}{query}"), Answered::One, |step| {
                step.content_type = Some(content_type.to_owned());
                step.body = Some(body);
            }));
        }
    }

    fn updates(&self, one: &str, steps: &mut Vec<Step>) {
        let mut object = self.object();
        object.set("/metadata/labels/updated", "yes");
        steps.push(self.step(&format!("PUT {one}"), Answered::One, |step| {
            step.body = Some(object.clone())
        }));
        steps.push(
            self.step(&format!("PUT {one}?dryRun=All"), Answered::One, |step| {
                step.content_type = Some(YAML.to_owned());
                step.body = Some(object.clone());
            }),
        );
    }

    fn part(&self, part: &str, subresource: &str, steps: &mut Vec<Step>) {
        let get = format!("GET {part}");
        steps.push(self.step(&get, Answered::One, |_| {}));
        for accept in [YAML, PROTOBUF, TABLE, METADATA] {
            steps.push(self.step(&get, Answered::Nothing, |step| {
                step.accept = Some(accept.to_owned())
            }));
        }
        let body = if subresource == "scale" {
            json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": self.name(), "namespace": "$ns"},
                "spec": {"replicas": 0}})
        } else {
            self.object()
        };
        let put = format!("PUT {part}");
        steps.push(self.step(&put, Answered::One, |step| step.body = Some(body.clone())));
        steps.push(self.step(&format!("{put}?dryRun=All"), Answered::One, |step| {
            step.content_type = Some(YAML.to_owned());
            step.body = Some(body.clone());
        }));
        let empty = json!({"apiVersion": body.text("/apiVersion"), "kind": body.text("/kind"), "metadata": {"name": self.name()}});
        let patches = [
            ("application/merge-patch+json", "", json!({})),
            ("application/strategic-merge-patch+json", "", json!({})),
            ("application/json-patch+json", "", json!([])),
            ("application/apply-patch+yaml", "?fieldManager=corpus", empty),
        ];
        for (content_type, query, body) in patches {
            steps.push(self.step(&format!("PATCH {part}{query}"), Answered::One, |step| {
                step.content_type = Some(content_type.to_owned());
                step.body = Some(body);
            }));
        }
    }

    fn step(&self, request: &str, answered: Answered, more: impl FnOnce(&mut Step)) -> Step {
        let hidden: &[&str] = if self.controlled { &CONTROLLED } else { &[] };
        let at = |prefix: &'static str| hidden.iter().map(move |pointer| format!("{prefix}{pointer}"));
        let mask = match answered {
            Answered::One => at("").collect(),
            Answered::List => at("/items/*").collect(),
            Answered::Event => at("/object").chain(at("/stream/*/object")).collect(),
            Answered::Table if self.controlled => vec!["/rows".to_owned()],
            Answered::Table => Vec::new(),
            Answered::Gone if self.controlled => at("").chain(["/metadata".to_owned()]).collect(),
            Answered::Gone => Vec::new(),
            Answered::Nothing => vec![String::new()],
        };
        let mut step = Step {
            request: request.to_owned(),
            name: None,
            body: None,
            raw: None,
            base64: None,
            content_type: None,
            accept: None,
            headers: Default::default(),
            mask,
            also_headers: Vec::new(),
            unordered: Vec::new(),
            until: Default::default(),
        };
        more(&mut step);
        step
    }
}

/// What is compared of an answer.
#[derive(Clone, Copy)]
enum Answered {
    One,
    List,
    Event,
    Table,
    Gone,
    /// Code and headers alone.
    Nothing,
}
