"""What the Python client's users do, in a virtual cluster of the kubeconfig in $KUBECONFIG."""

import datetime
import threading

from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.rest import ApiException
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.configmaplock import ConfigMapLock

NAMESPACE = "python"

config.load_kube_config()
core, apps, api = client.CoreV1Api(), client.AppsV1Api(), client.ApiClient()


def equal(got, expect):
    assert got == expect, f"{got!r} is not {expect!r}"


def refused(status, reason, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except ApiException as error:
        equal(error.status, status)
        assert f'"reason":"{reason}"' in error.body.replace(" ", ""), error.body
    else:
        raise AssertionError(f"not refused: {call}")


def namespaces_and_versions():
    version = client.VersionApi().get_code()
    equal((version.major, version.minor), ("1", "36"))
    core.create_namespace({"metadata": {"name": NAMESPACE}})
    refused(409, "AlreadyExists", core.create_namespace, {"metadata": {"name": NAMESPACE}})
    groups = {group.name for group in client.ApisApi().get_api_versions().groups}
    assert {"apps", "batch", "policy", "resource.k8s.io"} <= groups, groups


def a_deployment_rolls_out_under_a_watch():
    labels = {"app": "web"}
    apps.create_namespaced_deployment(
        NAMESPACE,
        client.V1Deployment(
            metadata=client.V1ObjectMeta(name="web"),
            spec=client.V1DeploymentSpec(
                replicas=3,
                selector=client.V1LabelSelector(match_labels=labels),
                template=client.V1PodTemplateSpec(
                    metadata=client.V1ObjectMeta(labels=labels),
                    spec=client.V1PodSpec(containers=[client.V1Container(name="c", image="nginx")]),
                ),
            ),
        ),
    )
    for event in watch.Watch().stream(apps.list_namespaced_deployment, NAMESPACE, timeout_seconds=60):
        if (event["object"].status.available_replicas or 0) == 3:
            break
    else:
        raise AssertionError("three replicas never became available")
    equal(len(core.list_namespaced_pod(NAMESPACE, label_selector="app=web").items), 3)
    scale = apps.patch_namespaced_deployment_scale("web", NAMESPACE, {"spec": {"replicas": 1}})
    equal(scale.spec.replicas, 1)
    described = core.list_namespaced_event(NAMESPACE, field_selector="involvedObject.kind=Deployment")
    assert any(event.reason == "ScalingReplicaSet" for event in described.items)


def lists_come_in_pages_of_one_revision():
    for number in range(5):
        core.create_namespaced_config_map(NAMESPACE, {"metadata": {"name": f"page-{number}", "labels": {"p": "1"}}})
    first = core.list_namespaced_config_map(NAMESPACE, limit=2)
    names, revisions, token = [], set(), None
    while True:
        page = core.list_namespaced_config_map(NAMESPACE, limit=2, _continue=token)
        names += [item.metadata.name for item in page.items]
        revisions.add(page.metadata.resource_version)
        token = page.metadata._continue
        if not token:
            break
    assert set(names) >= {f"page-{n}" for n in range(5)} and len(names) == len(set(names)), names
    equal(len(revisions), 1)
    assert first.metadata.remaining_item_count >= 3
    core.delete_collection_namespaced_config_map(NAMESPACE, label_selector="p=1")
    equal(core.list_namespaced_config_map(NAMESPACE, label_selector="p=1").items, [])


def an_old_revision_is_gone_and_a_conflict_is_one():
    made = core.create_namespaced_config_map(NAMESPACE, {"metadata": {"name": "c"}, "data": {"a": "1"}})
    core.patch_namespaced_config_map("c", NAMESPACE, {"data": {"a": "2"}})
    made.data["a"] = "3"
    refused(409, "Conflict", core.replace_namespaced_config_map, "c", NAMESPACE, made)
    refused(422, "Invalid", core.patch_namespaced_config_map, "c", NAMESPACE, {"data": {"a b": "2"}})
    json_patch = [{"op": "replace", "path": "/data/a", "value": "4"}]
    equal(core.patch_namespaced_config_map("c", NAMESPACE, json_patch).data, {"a": "4"})
    equal(core.delete_namespaced_config_map("c", NAMESPACE).status, "Success")
    refused(404, "NotFound", core.read_namespaced_config_map, "c", NAMESPACE)


def the_dynamic_client_applies():
    resources = dynamic.DynamicClient(api)
    config_maps = resources.resources.get(api_version="v1", kind="ConfigMap")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"a": "1"}}
    config_maps.server_side_apply(body, namespace=NAMESPACE, field_manager="one")
    body["data"] = {"a": "2"}
    try:
        config_maps.server_side_apply(body, namespace=NAMESPACE, field_manager="two")
    except dynamic.exceptions.ConflictError as error:
        assert 'conflict with \\"one\\"' in str(error.body), error.body
    else:
        raise AssertionError("no conflict")
    config_maps.server_side_apply(body, namespace=NAMESPACE, field_manager="two", force_conflicts=True)
    equal(config_maps.get(name="applied", namespace=NAMESPACE).data.a, "2")


def a_custom_resource_has_a_client_too():
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "teas.python.example"},
        "spec": {
            "group": "python.example",
            "scope": "Namespaced",
            "names": {"plural": "teas", "singular": "tea", "kind": "Tea"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {"type": "object", "properties": {"cups": {"type": "integer", "default": 1}}},
                                "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
                            },
                        }
                    },
                }
            ],
        },
    }
    utils.create_from_dict(api, crd)
    extensions = client.ApiextensionsV1Api()
    for event in watch.Watch().stream(extensions.list_custom_resource_definition, timeout_seconds=30):
        conditions = event["object"].status.conditions or []
        if any(c.type == "Established" and c.status == "True" for c in conditions):
            break
    custom = client.CustomObjectsApi()
    where = ("python.example", "v1", NAMESPACE, "teas")
    tea = {"apiVersion": "python.example/v1", "kind": "Tea", "metadata": {"name": "green"}, "spec": {}}
    equal(custom.create_namespaced_custom_object(*where, tea)["spec"], {"cups": 1})
    refused(422, "Invalid", custom.patch_namespaced_custom_object, *where, "green", {"spec": {"cups": "many"}})
    ready = custom.patch_namespaced_custom_object_status(*where, "green", {"status": {"ready": True}})
    equal(ready["status"], {"ready": True})
    equal(ready["metadata"]["generation"], 1)


def a_service_account_may_do_what_it_was_given():
    core.create_namespaced_service_account(NAMESPACE, {"metadata": {"name": "robot"}})
    rbac = client.RbacAuthorizationV1Api()
    rbac.create_namespaced_role(
        NAMESPACE,
        {"metadata": {"name": "robot"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]},
    )
    subject = {"kind": "ServiceAccount", "name": "robot", "namespace": NAMESPACE}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "robot"}
    rbac.create_namespaced_role_binding(
        NAMESPACE, {"metadata": {"name": "robot"}, "roleRef": role, "subjects": [subject]}
    )
    request = client.AuthenticationV1TokenRequest(
        spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=600)
    )
    token = core.create_namespaced_service_account_token("robot", NAMESPACE, request)
    assert token.status.expiration_timestamp > datetime.datetime.now(datetime.timezone.utc)
    settings = client.Configuration.get_default_copy()
    settings.cert_file = settings.key_file = None
    settings.api_key = {"authorization": f"Bearer {token.status.token}"}
    robot = client.ApiClient(settings)
    client.CoreV1Api(robot).list_namespaced_pod(NAMESPACE)
    refused(403, "Forbidden", client.CoreV1Api(robot).list_namespaced_secret, NAMESPACE)
    me = client.AuthenticationV1Api(robot).create_self_subject_review({})
    equal(me.status.user_info.username, f"system:serviceaccount:{NAMESPACE}:robot")


def a_leader_is_elected():
    elected = threading.Event()

    class Done(Exception):
        pass

    def lead():
        elected.set()

    settings = electionconfig.Config(
        ConfigMapLock("leader", NAMESPACE, "me"),
        lease_duration=17,
        renew_deadline=15,
        retry_period=5,
        onstarted_leading=lead,
        onstopped_leading=None,
    )
    election = leaderelection.LeaderElection(settings)
    assert election.acquire()
    record = core.read_namespaced_config_map("leader", NAMESPACE).metadata.annotations
    assert '"holderIdentity": "me"' in record["control-plane.alpha.kubernetes.io/leader"], record


for part in [
    namespaces_and_versions,
    a_deployment_rolls_out_under_a_watch,
    lists_come_in_pages_of_one_revision,
    an_old_revision_is_gone_and_a_conflict_is_one,
    the_dynamic_client_applies,
    a_custom_resource_has_a_client_too,
    a_service_account_may_do_what_it_was_given,
    a_leader_is_elected,
]:
    part()
    print(f"{part.__name__}: ok")
