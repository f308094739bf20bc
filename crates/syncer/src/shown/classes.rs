//! The kinds of classes, and what of each a tenant may not know.

use serde_json::Value;
use warren_apimachinery::resource;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource};
use warren_config::{Selected, SelectedAuto, Synced, SyncedAuto, VirtualClusterSpec};

use super::class::{Class, Setting};
use crate::from_host::is_ours;
use crate::sides::Sides;

/// All of them.
pub(crate) static CLASSES: &[Class] = &[
    Class {
        watches: &[resource::STORAGE_CLASSES, resource::NAMESPACES],
        fixed: &[
            "/provisioner",
            "/parameters",
            "/reclaimPolicy",
            "/volumeBindingMode",
        ],
        view: without_secrets,
        ..plain("sync-storage-classes", resource::STORAGE_CLASSES, |spec| {
            auto(&spec.sync.from_host.storage_classes, true)
        })
    },
    Class {
        watches: &[resource::INGRESS_CLASSES, resource::NAMESPACES],
        fixed: &["/spec/controller"],
        view: without_parameters,
        ..plain("sync-ingress-classes", resource::INGRESS_CLASSES, |spec| {
            selected(&spec.sync.from_host.ingress_classes)
        })
    },
    Class {
        watches: &[resource::RUNTIME_CLASSES, resource::NAMESPACES],
        fixed: &["/handler"],
        ..plain("sync-runtime-classes", resource::RUNTIME_CLASSES, |spec| {
            selected(&spec.sync.from_host.runtime_classes)
        })
    },
    Class {
        watches: &[resource::PRIORITY_CLASSES, resource::NAMESPACES],
        fixed: &["/value", "/preemptionPolicy"],
        view: |_, host, _| !host.text("/metadata/name").starts_with("system-"),
        ..plain(
            "sync-shown-priority-classes",
            resource::PRIORITY_CLASSES,
            |spec| selected(&spec.sync.from_host.priority_classes),
        )
    },
    Class {
        watches: &[resource::CSI_DRIVERS, resource::NAMESPACES],
        fixed: &[
            "/spec/attachRequired",
            "/spec/fsGroupPolicy",
            "/spec/volumeLifecycleModes",
        ],
        ..plain("sync-csi-drivers", resource::CSI_DRIVERS, |spec| {
            csi(spec, &spec.sync.from_host.csi_drivers)
        })
    },
    Class {
        // A node that comes to be shown brings what its drivers say.
        watches: &[resource::CSI_NODES, resource::NAMESPACES, resource::NODES],
        view: of_shown_nodes,
        ..plain("sync-csi-nodes", resource::CSI_NODES, |spec| {
            csi(spec, &spec.sync.from_host.csi_nodes)
        })
    },
    Class {
        watches: &[resource::CSI_STORAGE_CAPACITIES, resource::NAMESPACES],
        fixed: &["/storageClassName", "/nodeTopology"],
        view: of_shown_classes,
        ..plain(
            "sync-csi-storage-capacities",
            resource::CSI_STORAGE_CAPACITIES,
            |spec| csi(spec, &spec.sync.from_host.csi_storage_capacities),
        )
    },
    Class {
        watches: &[resource::GATEWAY_CLASSES, resource::NAMESPACES],
        fixed: &["/spec/controllerName"],
        view: without_parameters,
        ..plain("sync-gateway-classes", resource::GATEWAY_CLASSES, |spec| {
            let said = selected(&spec.sync.from_host.gateway_classes);
            Setting {
                enabled: said.enabled || spec.sync.to_host.gateway_api.syncs_gateways(),
                ..said
            }
        })
    },
    Class {
        watches: &[resource::DEVICE_CLASSES, resource::NAMESPACES],
        ..plain("sync-device-classes", resource::DEVICE_CLASSES, |spec| {
            selected(&spec.sync.from_host.device_classes)
        })
    },
    // The host gives the addresses of services, so its ranges are the tenant's.
    Class {
        watches: &[resource::SERVICE_CIDRS, resource::NAMESPACES],
        fixed: &["/spec/cidrs"],
        view: |_, host, range| {
            range.set("/status", host.at("/status").clone());
            true
        },
        ..plain("sync-service-ranges", resource::SERVICE_CIDRS, |spec| Setting {
            enabled: spec.sync.to_host.services.enabled,
            selector: None,
            patches: &[],
        })
    },
    Class {
        watches: &[resource::VOLUME_SNAPSHOT_CLASSES, resource::NAMESPACES],
        view: without_secrets,
        ..plain(
            "sync-volume-snapshot-classes",
            resource::VOLUME_SNAPSHOT_CLASSES,
            |spec| {
                let Synced { enabled, patches } = &spec.sync.from_host.volume_snapshot_classes;
                Setting {
                    enabled: *enabled,
                    selector: None,
                    patches,
                }
            },
        )
    },
];

const fn plain(
    rule: &'static str,
    resource: Resource,
    setting: fn(&VirtualClusterSpec) -> Setting<'_>,
) -> Class {
    Class {
        rule,
        resource,
        watches: &[],
        setting,
        fixed: &[],
        view: |_, _, _| true,
    }
}

fn selected(said: &Selected) -> Setting<'_> {
    Setting {
        enabled: said.enabled,
        selector: Some(&said.selector),
        patches: &said.patches,
    }
}

fn auto(said: &SelectedAuto, auto: bool) -> Setting<'_> {
    Setting {
        enabled: said.is_on(auto),
        selector: Some(&said.selector),
        patches: &said.patches,
    }
}

/// What a scheduler needs to place volumes: of use to a virtual cluster that has one of its own.
fn csi<'a>(spec: &VirtualClusterSpec, said: &'a SyncedAuto) -> Setting<'a> {
    Setting {
        enabled: said.is_on(spec.control_plane.advanced.virtual_scheduler.enabled),
        selector: None,
        patches: &said.patches,
    }
}

/// Parameters that name secrets of the host stay there.
fn without_secrets(_: &Sides<'_>, _: &Value, class: &mut Value) -> bool {
    if let Some(Value::Object(parameters)) = class.get_mut("parameters") {
        parameters.retain(|key, _| !key.contains("secret"));
        if parameters.is_empty() {
            class.take_at("/parameters");
        }
    }
    true
}

/// What parameters name is an object of the host.
fn without_parameters(_: &Sides<'_>, _: &Value, class: &mut Value) -> bool {
    class.take_at("/spec/parameters");
    class.take_at("/spec/parametersRef");
    true
}

fn of_shown_nodes(sides: &Sides<'_>, node: &Value, _: &mut Value) -> bool {
    let key = ObjectKey::cluster(node.text("/metadata/name"));
    sides.virtual_cluster.get(&resource::NODES, &key).is_some()
}

fn of_shown_classes(sides: &Sides<'_>, capacity: &Value, _: &mut Value) -> bool {
    let key = ObjectKey::cluster(capacity.text("/storageClassName"));
    let class = sides.virtual_cluster.get(&resource::STORAGE_CLASSES, &key);
    class.is_some_and(|class| is_ours(&class))
}
