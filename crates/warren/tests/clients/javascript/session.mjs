// What the JavaScript client's users do, in a virtual cluster of the kubeconfig in $KUBECONFIG.
import assert from "node:assert/strict";
import * as k8s from "@kubernetes/client-node";

const NAMESPACE = "javascript";

const config = new k8s.KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(k8s.CoreV1Api);
const apps = config.makeApiClient(k8s.AppsV1Api);
const objects = k8s.KubernetesObjectApi.makeApiClient(config);

async function refused(code, reason, promise) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.code, code);
    assert.equal(JSON.parse(error.body).reason, reason);
    return true;
  });
}

async function namespacesAndVersions() {
  const version = await config.makeApiClient(k8s.VersionApi).getCode();
  assert.equal(`${version.major}.${version.minor}`, "1.36");
  await core.createNamespace({ body: { metadata: { name: NAMESPACE } } });
  await refused(409, "AlreadyExists", core.createNamespace({ body: { metadata: { name: NAMESPACE } } }));
}

async function anInformerFollowsPods() {
  const list = () => core.listNamespacedPod({ namespace: NAMESPACE, labelSelector: "app=web" });
  const path = `/api/v1/namespaces/${NAMESPACE}/pods`;
  const informer = k8s.makeInformer(config, path, list, "app=web");
  const running = new Promise((resolve, reject) => {
    const ready = new Set();
    informer.on("update", (pod) => {
      if (pod.status?.phase === "Running") ready.add(pod.metadata.name);
      if (ready.size === 2) resolve();
    });
    informer.on("error", reject);
  });
  await informer.start();
  const labels = { app: "web" };
  await apps.createNamespacedDeployment({
    namespace: NAMESPACE,
    body: {
      metadata: { name: "web" },
      spec: {
        replicas: 2,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: "c", image: "nginx" }] } },
      },
    },
  });
  await running;
  const gone = new Promise((resolve) => informer.on("delete", resolve));
  await apps.deleteNamespacedDeployment({ name: "web", namespace: NAMESPACE, propagationPolicy: "Foreground" });
  await gone;
  await informer.stop();
}

async function aWatchEndsWhenItIsToldTo() {
  const watch = new k8s.Watch(config);
  const path = `/api/v1/namespaces/${NAMESPACE}/configmaps`;
  const seen = [];
  let request;
  const done = new Promise((resolve) => {
    request = watch.watch(
      path,
      { fieldSelector: "metadata.name=seen", allowWatchBookmarks: true },
      (type, object) => {
        if (type !== "BOOKMARK") seen.push(`${type} ${object.metadata.name}`);
        if (type === "DELETED") resolve();
      },
      () => {},
    );
  });
  const controller = await request;
  await core.createNamespacedConfigMap({ namespace: NAMESPACE, body: { metadata: { name: "seen" } } });
  await core.createNamespacedConfigMap({ namespace: NAMESPACE, body: { metadata: { name: "unseen" } } });
  await core.deleteNamespacedConfigMap({ namespace: NAMESPACE, name: "seen" });
  await done;
  controller.abort();
  assert.deepEqual(seen, ["ADDED seen", "DELETED seen"]);
}

async function patchesOfEveryType() {
  const name = "patched";
  await core.createNamespacedSecret({
    namespace: NAMESPACE,
    body: { metadata: { name }, stringData: { a: "1" } },
  });
  const header = (type) => k8s.setHeaderOptions("Content-Type", type);
  const patch = (type, body) =>
    core.patchNamespacedSecret({ name, namespace: NAMESPACE, body }, header(type));
  const merged = await patch(k8s.PatchStrategy.MergePatch, { stringData: { b: "2" } });
  assert.deepEqual(merged.data, { a: "MQ==", b: "Mg==" });
  const strategic = await patch(k8s.PatchStrategy.StrategicMergePatch, { data: { a: null } });
  assert.deepEqual(strategic.data, { b: "Mg==" });
  const operations = [{ op: "add", path: "/metadata/labels", value: { c: "3" } }];
  const json = await patch(k8s.PatchStrategy.JsonPatch, operations);
  assert.deepEqual(json.metadata.labels, { c: "3" });
  await refused(422, "Invalid", patch(k8s.PatchStrategy.JsonPatch, [{ op: "remove", path: "/nothing" }]));
}

async function objectsOfAnyKindAreApplied() {
  const body = {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: "closed", namespace: NAMESPACE },
    spec: { podSelector: {}, policyTypes: ["Ingress"] },
  };
  const created = await objects.patch(body, undefined, undefined, "js", true, k8s.PatchStrategy.ServerSideApply);
  assert.equal(created.metadata.managedFields[0].operation, "Apply");
  const dry = await objects.delete(body, undefined, "All");
  assert.ok(dry);
  await objects.read(body);
  await objects.delete(body);
  await refused(404, "NotFound", objects.read(body));
}

async function accessIsReviewed() {
  const api = config.makeApiClient(k8s.AuthorizationV1Api);
  const review = await api.createSelfSubjectAccessReview({
    body: { spec: { resourceAttributes: { verb: "delete", resource: "nodes" } } },
  });
  assert.equal(review.status.allowed, true);
}

for (const part of [
  namespacesAndVersions,
  anInformerFollowsPods,
  aWatchEndsWhenItIsToldTo,
  patchesOfEveryType,
  objectsOfAnyKindAreApplied,
  accessIsReviewed,
]) {
  await part();
  console.log(`${part.name}: ok`);
}
process.exit(0);
